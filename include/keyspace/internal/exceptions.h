// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_EXCEPTIONS_H_
#define KEYSPACE_INTERNAL_EXCEPTIONS_H_

#include <cstdlib>
#include <exception>

#include "absl/base/config.h"

// Calls that also compile in a program without exceptions.

namespace keyspace::internal {

// Calls f(). Returns its exception; null if it throws none.
template <class F>
std::exception_ptr exception_of(const F& f) noexcept {
#ifdef ABSL_HAVE_EXCEPTIONS
  try {
    f();
  } catch (...) {
    return std::current_exception();
  }
#else
  f();
#endif
  return nullptr;
}

// Calls f(). Returns false if it throws, and ignores the exception.
template <class F>
bool succeeds(const F& f) noexcept {
  return exception_of(f) == nullptr;
}

// Throws an exception. Aborts in a program without exceptions.
template <class Exception>
[[noreturn]] void throw_or_abort([[maybe_unused]] Exception exception) {
#ifdef ABSL_HAVE_EXCEPTIONS
  throw exception;
#else
  std::abort();
#endif
}

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_EXCEPTIONS_H_
