#ifndef KEYSPACE_INTERNAL_CONFIG_H_
#define KEYSPACE_INTERNAL_CONFIG_H_

// What differs between compilers. Every public header includes this first, so that a compiler of an
// older language prints one clear message.
//
// <windows.h> defines min and max as macros. So the headers write std::min<T>(a, b) and
// (limits::max)(), which no such macro replaces; tests/portable/all_headers.cc checks it.

// MSVC leaves __cplusplus at 199711 by default.
#if defined(_MSVC_LANG)
#define KEYSPACE_INTERNAL_LANGUAGE _MSVC_LANG
#else
#define KEYSPACE_INTERNAL_LANGUAGE __cplusplus
#endif

#if KEYSPACE_INTERNAL_LANGUAGE <= 201703L
#error "Keyspace needs C++20 or newer: compile with -std=c++20 (MSVC: /std:c++20)."
// Compilers go on after #error, with hundreds of errors. They stop at a missing file, so this one
// does not exist.
#include "keyspace needs C++20"
#endif
#undef KEYSPACE_INTERNAL_LANGUAGE

// Lets an empty member take no space. MSVC ignores the standard attribute and has its own.
#if defined(_MSC_VER)
#define KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS [[msvc::no_unique_address]]
#else
#define KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS [[no_unique_address]]
#endif

// Makes a class one and the same in all shared libraries of a program, also with
// -fvisibility=hidden.
#if defined(__GNUC__)
#define KEYSPACE_INTERNAL_VISIBLE __attribute__((visibility("default")))
#else
#define KEYSPACE_INTERNAL_VISIBLE
#endif

#endif  // KEYSPACE_INTERNAL_CONFIG_H_
