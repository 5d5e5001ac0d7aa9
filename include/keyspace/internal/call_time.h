// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_CALL_TIME_H_
#define KEYSPACE_INTERNAL_CALL_TIME_H_

#include "keyspace/internal/config.h"

#include <chrono>
#include <optional>

#include "absl/base/attributes.h"
#include "keyspace/internal/millis.h"

namespace keyspace::internal {

// The time of one call. Reads the clock when it is first asked for, and then remembers it: so a
// call reads the clock at most once, and not at all if no deadline is involved.
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

// Returns the ttl of a key with this deadline, which is after now(); "never" if that is "never".
template <class Now>
std::optional<std::chrono::milliseconds> ttl_until(std::optional<Millis> deadline, Now& now) {
  if (!deadline) return std::nullopt;
  return std::chrono::milliseconds(*deadline == kNeverMillis ? kNeverMillis
                                                             : time_left(*deadline, now()));
}

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_CALL_TIME_H_
