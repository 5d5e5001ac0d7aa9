// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_CONDITION_H_
#define KEYSPACE_CONDITION_H_

#include "keyspace/internal/config.h"

#include <cstdint>

namespace keyspace {

// When pexpire() and pexpireat() may change the deadline of a live key: the options of Redis's
// PEXPIRE. A missing or expired key stays as it is, whatever the condition.
//
// A key without a deadline counts as a key with a deadline later than any other. So kGt never
// changes it, and kLt accepts every finite deadline for it.
//
//   sessions.pexpire("alice", 30min, keyspace::Condition::kGt);  // prolongs, never shortens
//
// There is no value for options that Redis refuses together (NX with any other, GT with LT). XX
// with GT is the same as kGt.
enum class Condition : std::uint8_t {
  kAlways,
  kNx,    // only if the key has no deadline
  kXx,    // only if the key has a deadline
  kGt,    // only if the new deadline is later than the current one
  kLt,    // only if the new deadline is sooner than the current one
  kXxLt,  // only if the key has a deadline and the new one is sooner
};

// Returns true if `condition` lets the deadline `next` replace `current`. TimePoint::max() means no
// deadline, on both sides. An equal deadline is neither later nor sooner.
//
// Source: the PEXPIRE page of the Redis documentation, and Redis 7.0.15 observed.
template <class TimePoint>
[[nodiscard]] constexpr bool admits(Condition condition, TimePoint current,
                                    TimePoint next) noexcept {
  const bool is_volatile = current != (TimePoint::max)();
  switch (condition) {
    case Condition::kAlways:
      return true;
    case Condition::kNx:
      return !is_volatile;
    case Condition::kXx:
      return is_volatile;
    case Condition::kGt:
      return current < next;
    case Condition::kLt:
      return next < current;
    case Condition::kXxLt:
      return is_volatile && next < current;
  }
  return false;
}

}  // namespace keyspace

#endif  // KEYSPACE_CONDITION_H_
