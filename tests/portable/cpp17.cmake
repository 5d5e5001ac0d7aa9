# Compiles each of HEADERS with COMPILER as C++17. There must be one error that says what to do, and not the hundreds that
# would follow from it.

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
    message(FATAL_ERROR "${header}:\n${output}")
  endif()
endforeach()
