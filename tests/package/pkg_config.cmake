# Compiles the program of this folder with the flags that pkg-config prints for the library installed in PREFIX, and runs
# it. PREFIX is not the prefix that the build was configured with, so the paths in keyspace.pc must be relative.

cmake_minimum_required(VERSION 3.21)

if(NOT PKG_CONFIG)
  message("Skipped: there is no pkg-config.")
  return()
endif()
execute_process(COMMAND ${PKG_CONFIG} --exists absl_flat_hash_map RESULT_VARIABLE missing)
if(missing)
  message("Skipped: pkg-config does not find abseil.")
  return()
endif()

cmake_path(APPEND PREFIX ${DATADIR} pkgconfig OUTPUT_VARIABLE path)
set(ENV{PKG_CONFIG_PATH} ${path}:$ENV{PKG_CONFIG_PATH})

execute_process(
  COMMAND ${PKG_CONFIG} --modversion keyspace
  OUTPUT_VARIABLE version
  OUTPUT_STRIP_TRAILING_WHITESPACE
  COMMAND_ERROR_IS_FATAL ANY)
if(NOT version STREQUAL VERSION)
  message(FATAL_ERROR "pkg-config says version ${version} instead of ${VERSION}.")
endif()
execute_process(
  COMMAND ${PKG_CONFIG} --cflags --libs keyspace
  OUTPUT_VARIABLE from_pkg_config
  OUTPUT_STRIP_TRAILING_WHITESPACE
  COMMAND_ERROR_IS_FATAL ANY)

file(MAKE_DIRECTORY ${DIRECTORY})
separate_arguments(flags UNIX_COMMAND "${FLAGS}")
separate_arguments(from_pkg_config UNIX_COMMAND "${from_pkg_config}")
execute_process(
  COMMAND ${COMPILER} ${flags}
    ${CMAKE_CURRENT_LIST_DIR}/main.cc ${CMAKE_CURRENT_LIST_DIR}/sessions.cc
    -o ${DIRECTORY}/consumer ${from_pkg_config}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${DIRECTORY}/consumer COMMAND_ERROR_IS_FATAL ANY)
