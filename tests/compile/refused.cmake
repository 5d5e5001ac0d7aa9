# Compiles SOURCE with COMPILER, FLAGS and INCLUDES. Without REFUSED, SOURCE must be accepted. With REFUSED, the snippet of
# that number must be refused. The error must be in SOURCE, or in the library and begin with "keyspace: "; and it must be
# about a call, a type or an option. A misspelt name in a test is no refusal.
#
# A snippet may say which words the user must see:
#
#   #elif REFUSED == 2  // a bare integer as a ttl
#     // says: a ttl has a unit
#
# The words must stand in the first 15 lines of g++'s output, and anywhere in the output of other compilers. After
# "// g++ says: " they count for g++ alone. The output of g++ must not be longer than 50 lines.
#
# With HEADER, every compilation includes HEADER first. With PRECOMPILE, this only precompiles HEADER, into HEADER.gch.

cmake_minimum_required(VERSION 3.21)

set(visible_lines 15)
set(most_lines 50)

separate_arguments(flags NATIVE_COMMAND "${FLAGS}")
list(REMOVE_DUPLICATES INCLUDES)
list(REMOVE_ITEM INCLUDES "")
list(TRANSFORM INCLUDES PREPEND -I)
if(REFUSED)
  list(APPEND flags -DREFUSED=${REFUSED})
endif()
if(PRECOMPILE)
  set(job -x c++-header ${HEADER} -o ${HEADER}.gch)
elseif(HEADER)
  set(job -include ${HEADER} -fsyntax-only ${SOURCE})
else()
  set(job -fsyntax-only ${SOURCE})
endif()
execute_process(
  COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${COMPILER} ${flags} ${INCLUDES} ${job}
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

set(refusal "no matching|no viable|deleted|could not convert|constraint|static.assert|discards|not marked const|Wdangling")
cmake_path(GET SOURCE FILENAME name)
if(result EQUAL 0)
  message(FATAL_ERROR "What must not compile does.")
elseif(NOT output MATCHES "${name}:[0-9]+:[0-9]+:|keyspace: " OR NOT output MATCHES "${refusal}")
  message(FATAL_ERROR "It does not compile for another reason.")
endif()

# The lines of the output, without the characters that CMake's lists treat specially.
string(REGEX REPLACE "[][;\\]" "_" lines "${output}")
string(STRIP "${lines}" lines)
string(REPLACE "\n" ";" lines "${lines}")
list(LENGTH lines length)
if(COMPILER_ID STREQUAL "GNU")
  if(length GREATER most_lines)
    message(FATAL_ERROR "The output has ${length} lines. At most ${most_lines} are allowed.")
  endif()
  list(SUBLIST lines 0 ${visible_lines} lines)
endif()
list(JOIN lines "\n" visible)

file(READ ${SOURCE} text)
string(REGEX REPLACE "[][;\\]" "_" text "${text}")
string(REGEX MATCH "REFUSED == ${REFUSED} [^#]*" snippet "${text}")
set(says "// says: ")
if(COMPILER_ID STREQUAL "GNU")
  set(says "// (g[+][+] )?says: ")
endif()
string(REGEX MATCHALL "${says}[^\n]*" all_words "${snippet}")
foreach(words IN LISTS all_words)
  string(REGEX REPLACE "^${says}" "" words "${words}")
  string(FIND "${visible}" "${words}" position)
  if(position EQUAL -1)
    message(FATAL_ERROR "The user does not see the words: ${words}")
  endif()
endforeach()
