# Compiles SOURCE with COMPILER, a mingw-w64, with the headers in INCLUDE and the folder absl in ABSEIL. The latter may
# have headers of this system beside it, so it gets a place of its own in DIRECTORY.

cmake_minimum_required(VERSION 3.21)

file(MAKE_DIRECTORY ${DIRECTORY})
file(CREATE_LINK ${ABSEIL}/absl ${DIRECTORY}/absl SYMBOLIC)
execute_process(
  COMMAND ${COMPILER} -std=c++20 -Wall -Wextra -I${INCLUDE} -isystem ${DIRECTORY} -fsyntax-only ${SOURCE}
  COMMAND_ERROR_IS_FATAL ANY)
