#ifndef KEYSPACE_INTERNAL_CONFIG_H_
#define KEYSPACE_INTERNAL_CONFIG_H_

// What depends on the compiler. Every public header includes this first.

// MSVC has a macro of its own for the version of the language.
#if defined(_MSVC_LANG)
#define KEYSPACE_INTERNAL_LANGUAGE _MSVC_LANG
#else
#define KEYSPACE_INTERNAL_LANGUAGE __cplusplus
#endif

#if KEYSPACE_INTERNAL_LANGUAGE <= 201703L
#error "Keyspace needs C++20 or newer: compile with -std=c++20 (MSVC: /std:c++20)."
// There is no such file. Compilers go on after #error, but stop here, before hundreds of errors.
#include "keyspace needs C++20"
#endif
#undef KEYSPACE_INTERNAL_LANGUAGE

// An empty member that takes no bytes. MSVC ignores the standard attribute.
#if defined(_MSC_VER)
#define KEYSPACE_NO_UNIQUE_ADDRESS [[msvc::no_unique_address]]
#else
#define KEYSPACE_NO_UNIQUE_ADDRESS [[no_unique_address]]
#endif

#endif  // KEYSPACE_INTERNAL_CONFIG_H_
