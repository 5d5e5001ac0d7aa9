# Compiles SOURCE with COMPILER, a mingw-w64, with the headers in INCLUDE, HEADERS and ABSEIL. ABSEIL is often /usr/include,
# whose headers of this system must stay out of the search path. So this links only its folder absl, into DIRECTORY.

cmake_minimum_required(VERSION 3.21)

file(MAKE_DIRECTORY ${DIRECTORY})
file(CREATE_LINK ${ABSEIL}/absl ${DIRECTORY}/absl SYMBOLIC)
execute_process(
  COMMAND ${COMPILER} -std=c++20 -Wall -Wextra -I${INCLUDE} -I${HEADERS} -isystem ${DIRECTORY} -fsyntax-only ${SOURCE}
  COMMAND_ERROR_IS_FATAL ANY)
