// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_COMPUTATION_H_
#define KEYSPACE_COMPUTATION_H_

#include "keyspace/internal/config.h"

#include <stdexcept>

namespace keyspace {

// Thrown by ConcurrentKeyspace::get_or_compute() when it would deadlock: the value is being
// computed by this thread, or by a thread that waits for this thread, directly or through others.
// In a program that is compiled without exceptions, get_or_compute() calls std::abort() instead.
struct RecursiveComputation : std::logic_error {
  RecursiveComputation() : std::logic_error("get_or_compute() would wait for itself") {}
};

}  // namespace keyspace

#endif  // KEYSPACE_COMPUTATION_H_
