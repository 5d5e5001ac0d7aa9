# Compiles each of HEADERS with COMPILER as C++17. The output must say that C++20 is needed, in at most 12 lines: hundreds of
# other errors would hide it.

cmake_minimum_required(VERSION 3.21)

foreach(header IN LISTS HEADERS)
  execute_process(
    COMMAND ${COMPILER} -std=c++17 -x c++ -I${INCLUDE} -fsyntax-only ${header}
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output
    RESULT_VARIABLE result)
  string(REGEX MATCHALL "\n" lines "${output}")
  list(LENGTH lines lines)
  if(result EQUAL 0 OR NOT output MATCHES "Keyspace needs C\\+\\+20 or newer" OR lines GREATER 12)
    message(FATAL_ERROR "${header} must include keyspace/internal/config.h first:\n${output}")
  endif()
endforeach()
