#ifndef KEYSPACE_INTERNAL_COUNTERS_H_
#define KEYSPACE_INTERNAL_COUNTERS_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "keyspace/features.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/relaxed.h"
#include "keyspace/statistics.h"

namespace keyspace::internal {

// Counts for the statistics of a keyspace.
template <bool kCounts>
class Counters {
 public:
  Counters() = default;
  Counters(Counters&& other) noexcept
      : counted_(std::exchange(other.counted_, Statistics())),
        hits_(std::exchange(other.hits_, 0)),
        misses_(std::exchange(other.misses_, 0)) {}

  // All but the size.
  [[nodiscard]] Statistics counted() const noexcept {
    Statistics counted = counted_;
    counted.hits = hits_.get();
    counted.misses = misses_.get();
    return counted;
  }

  void request(bool is_hit) noexcept {
    auto& requests = is_hit ? hits_ : misses_;
    requests.set(requests.get() + 1);
  }
  // The same, beside other threads that do so.
  void shared_request(bool is_hit) const noexcept { (is_hit ? hits_ : misses_).count(); }
  void insert(std::size_t size) noexcept {
    ++counted_.inserts;
    counted_.peak_size = std::max<std::size_t>(counted_.peak_size, size);
  }
  void replace() noexcept { ++counted_.replacements; }
  // Takes that back: what was stored came from another keyspace, which is counted with this one.
  void forget_insert() noexcept { --counted_.inserts; }
  void forget_replacement() noexcept { --counted_.replacements; }
  void refuse() noexcept { ++counted_.refusals; }
  void remove(RemovalCause cause) noexcept { ++counted_.removals[static_cast<std::size_t>(cause)]; }
  void lag(Millis lag) noexcept {
    counted_.longest_lag =
        std::max<std::chrono::milliseconds>(counted_.longest_lag, std::chrono::milliseconds(lag));
    counted_.total_lag = std::chrono::milliseconds(saturating_add(counted_.total_lag.count(), lag));
  }

 private:
  Statistics counted_;
  mutable Relaxed<Statistics::Count> hits_;
  mutable Relaxed<Statistics::Count> misses_;
};

// Where nothing is counted.
template <>
class Counters<false> {
 public:
  void request(bool) const noexcept {}
  void shared_request(bool) const noexcept {}
  void forget_insert() const noexcept {}
  void forget_replacement() const noexcept {}
  void insert(std::size_t) const noexcept {}
  void replace() const noexcept {}
  void refuse() const noexcept {}
  void remove(RemovalCause) const noexcept {}
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_COUNTERS_H_
