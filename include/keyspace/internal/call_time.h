// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_CALL_TIME_H_
#define KEYSPACE_INTERNAL_CALL_TIME_H_

#include "keyspace/internal/config.h"

#include <chrono>
#include <optional>

#include "absl/base/attributes.h"
#include "keyspace/internal/millis.h"

namespace keyspace::internal {

// The time of one call. The first call of operator() reads the clock and keeps the time. So a call
// of a keyspace reads the clock at most once, and not at all if no deadline matters.
template <class Clock>
class CallTime {
 public:
  explicit CallTime(const Clock& clock) noexcept : clock_(clock) {}

  ABSL_ATTRIBUTE_ALWAYS_INLINE Millis operator()() {
    if (!is_read_) {
      time_ = floor_millis(clock_.now().time_since_epoch());
      is_read_ = true;
    }
    return time_;
  }

 private:
  const Clock& clock_;
  Millis time_ = 0;
  bool is_read_ = false;
};

// Returns the time from now() until the later `deadline`; kNeverMillis if that is kNeverMillis.
template <class Now>
std::optional<std::chrono::milliseconds> ttl_until(std::optional<Millis> deadline, Now& now) {
  if (!deadline) return std::nullopt;
  return std::chrono::milliseconds(*deadline == kNeverMillis ? kNeverMillis
                                                             : time_left(*deadline, now()));
}

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_CALL_TIME_H_
