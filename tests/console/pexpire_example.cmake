# Runs CONSOLE on the commands in INPUT, examples/pexpire.redis, and checks its replies. The console uses real time.

cmake_minimum_required(VERSION 3.21)

execute_process(
  COMMAND ${CONSOLE}
  INPUT_FILE ${INPUT}
  OUTPUT_VARIABLE replies
  ERROR_VARIABLE errors
  RESULT_VARIABLE result)

set(expected [[
^OK
\(integer\) 1
\(integer\) [12]
\(integer\) (1500|1[0-4][0-9][0-9])
\(integer\) 1
\(integer\) 1
\(integer\) 0
\(integer\) 1
$]])
message("${replies}${errors}")
if(NOT result EQUAL 0 OR NOT errors STREQUAL "" OR NOT replies MATCHES "${expected}")
  message(FATAL_ERROR "These are not the replies of the example on Redis's page of PEXPIRE.")
endif()
