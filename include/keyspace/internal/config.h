// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_CONFIG_H_
#define KEYSPACE_INTERNAL_CONFIG_H_

// Differences between compilers. Every public header includes this file first, so that a compiler
// for an older standard prints one clear message.
//
// <windows.h> defines min and max as macros. So the headers write std::min<T>(a, b) and
// (limits::max)(), which these macros do not replace. tests/portable/all_headers.cc checks this.

// MSVC leaves __cplusplus at 199711 by default.
#if defined(_MSVC_LANG)
#define KEYSPACE_INTERNAL_LANGUAGE _MSVC_LANG
#else
#define KEYSPACE_INTERNAL_LANGUAGE __cplusplus
#endif

#if KEYSPACE_INTERNAL_LANGUAGE <= 201703L
#error "Keyspace needs C++20 or newer: compile with -std=c++20 (MSVC: /std:c++20)."
// After #error, compilers go on and print hundreds of errors. They stop at a missing header. So
// this header does not exist.
#include "keyspace needs C++20"
#endif
#undef KEYSPACE_INTERNAL_LANGUAGE

// Lets an empty member take no space. MSVC ignores the standard attribute and has one of its own.
#if defined(_MSC_VER)
#define KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS [[msvc::no_unique_address]]
#else
#define KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS [[no_unique_address]]
#endif

// Makes all shared libraries of a program use the same static members of a class, even if they are
// compiled with -fvisibility=hidden.
#if defined(__GNUC__)
#define KEYSPACE_INTERNAL_VISIBLE __attribute__((visibility("default")))
#else
#define KEYSPACE_INTERNAL_VISIBLE
#endif

#endif  // KEYSPACE_INTERNAL_CONFIG_H_
