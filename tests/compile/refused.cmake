# Compiles SOURCE with COMPILER, FLAGS and INCLUDES. Without REFUSED, it must be accepted. With REFUSED, it must not, and the
# compiler must speak of a call in SOURCE for which there is no function; a misspelt name is no refusal.
#
# Every compilation includes HEADER first. With PRECOMPILE, this only precompiles HEADER, into HEADER.gch.

cmake_minimum_required(VERSION 3.21)

separate_arguments(flags NATIVE_COMMAND "${FLAGS}")
list(REMOVE_DUPLICATES INCLUDES)
list(REMOVE_ITEM INCLUDES "")
list(TRANSFORM INCLUDES PREPEND -I)
if(REFUSED)
  list(APPEND flags -DREFUSED=${REFUSED})
endif()
if(PRECOMPILE)
  set(job -x c++-header ${HEADER} -o ${HEADER}.gch)
else()
  set(job -include ${HEADER} -fsyntax-only ${SOURCE})
endif()
execute_process(
  COMMAND ${COMPILER} ${flags} ${INCLUDES} ${job}
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output
  RESULT_VARIABLE result)
message("${output}")

if(NOT REFUSED)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "What must compile does not.")
  endif()
  return()
endif()

set(refusal "no matching|no viable|deleted|could not convert|constraint|static.assert")
cmake_path(GET SOURCE FILENAME name)
if(result EQUAL 0)
  message(FATAL_ERROR "What must not compile does.")
elseif(NOT output MATCHES "${name}:[0-9]+:[0-9]+:" OR NOT output MATCHES "${refusal}")
  message(FATAL_ERROR "It does not compile for another reason.")
endif()
