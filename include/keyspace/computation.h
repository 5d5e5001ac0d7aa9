// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_COMPUTATION_H_
#define KEYSPACE_COMPUTATION_H_

#include "keyspace/internal/config.h"

#include <chrono>
#include <stdexcept>

#include "keyspace/expiry.h"

namespace keyspace {

// The options of a get_or_compute():
//
//   tokens.get_or_compute(user, {.expiry = 10min, .refresh_ahead = 1min}, fetch);
//
// `Clock` is the clock of the keyspace: each keyspace has its own type ComputeOptions.
template <class Clock>
struct ComputeOptions {
  // The expiry of a computed value, if the function returns no other.
  Expiry<Clock> expiry = {};

  // A live value with at most this much time left is computed again, by one caller. With zero or
  // less, no live value is. A persistent value is never computed again. This must be less than the
  // ttl: otherwise each call computes.
  Ttl refresh_ahead = std::chrono::milliseconds(0);

  // How long a call waits for computations of other threads, in real time and in all. Then it
  // returns the live value if there is one by now. Otherwise it throws ComputationTimeout. With
  // zero or less it does not wait. This does not limit the computation that the call runs itself.
  // A Keyspace never waits.
  Ttl max_wait = kNever;
};

// A value with the expiry that comes with it, such as the max-age of a page or the lifetime of a
// token. The function of a get_or_compute() may return it.
//
//   return keyspace::Computed{std::move(token), 55min};
//
// `expiry` is what an Expiry can be made of: see expiry.h. If a lambda has several return
// statements with different units, give it a result type: `-> keyspace::Computed<std::string>`,
// whose expiry is in milliseconds.
template <class Value, class Expiry = std::chrono::milliseconds>
struct Computed {
  Value value;
  Expiry expiry;
};
template <class Value, class Expiry>
Computed(Value, Expiry) -> Computed<Value, Expiry>;

// In a program that is compiled without exceptions, get_or_compute() calls std::abort() where it
// would throw one of these.

// Thrown by get_or_compute() of a ConcurrentKeyspace if it would deadlock: the value is being
// computed by this thread, or by a thread that waits for this thread, directly or through others.
struct RecursiveComputation : std::logic_error {
  RecursiveComputation()
      : std::logic_error(
            "get_or_compute() would wait for itself. A computation must not ask for its own key,"
            " directly or through other computations.") {}
};

// Thrown by get_or_compute() of a ConcurrentKeyspace if it has waited for max_wait and there is no
// live value.
struct ComputationTimeout : std::runtime_error {
  ComputationTimeout()
      : std::runtime_error(
            "get_or_compute() has waited for max_wait, and another thread still computes the value."
            " Try again later, or do without the value.") {}
};

}  // namespace keyspace

#endif  // KEYSPACE_COMPUTATION_H_
