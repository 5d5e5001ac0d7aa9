// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_SUCCEEDS_H_
#define KEYSPACE_INTERNAL_SUCCEEDS_H_

namespace keyspace::internal {

// Calls f(). Returns false if it throws, and ignores the exception.
template <class F>
bool succeeds(const F& f) noexcept {
#if defined(__cpp_exceptions)
  try {
    f();
    return true;
  } catch (...) {
    return false;
  }
#else
  f();
  return true;
#endif
}

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_SUCCEEDS_H_
