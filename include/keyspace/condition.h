#ifndef KEYSPACE_CONDITION_H_
#define KEYSPACE_CONDITION_H_

#include "keyspace/internal/config.h"

#include <cstdint>

namespace keyspace {

// When a new deadline may replace the current one: the options of Redis's PEXPIRE. What excludes
// each other there (NX with any other, GT with LT) cannot be written here; XX GT is kGt.
enum class Condition : std::uint8_t {
  kAlways,
  kNx,    // only when the key has no expiry
  kXx,    // only when the key has one
  kGt,    // only when the new deadline is later than the current one
  kLt,    // only when the new deadline is sooner than the current one
  kXxLt,  // only when the key has an expiry and the new deadline is sooner
};

// Returns whether `condition` lets `next` replace `current`. TimePoint::max() means "no expiry",
// which is later than every deadline; from that alone follows that kGt refuses every key without
// expiry and kLt accepts every finite deadline for it. Comparisons are strict.
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
