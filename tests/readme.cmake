# Checks that the first C++ block of README is EXAMPLE, byte for byte.

cmake_minimum_required(VERSION 3.21)

file(READ ${README} readme)
file(READ ${EXAMPLE} example)

set(fence "\n```cpp\n")
string(FIND "${readme}" "${fence}" begin)
if(begin EQUAL -1)
  message(FATAL_ERROR "${README} has no C++ block.")
endif()
string(LENGTH "${fence}" length)
math(EXPR begin "${begin} + ${length}")
string(SUBSTRING "${readme}" ${begin} -1 block)
string(FIND "${block}" "\n```\n" end)
math(EXPR end "${end} + 1")
string(SUBSTRING "${block}" 0 ${end} block)

if(NOT block STREQUAL example)
  message(FATAL_ERROR "The first C++ block of ${README} is not ${EXAMPLE}:\n${block}")
endif()
