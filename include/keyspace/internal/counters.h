#ifndef KEYSPACE_INTERNAL_COUNTERS_H_
#define KEYSPACE_INTERNAL_COUNTERS_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "keyspace/features.h"
#include "keyspace/internal/millis.h"
#include "keyspace/statistics.h"

namespace keyspace::internal {

// Counts for the statistics of a keyspace.
template <bool kCounts>
class Counters {
 public:
  Counters() = default;
  Counters(Counters&& other) noexcept : counted_(std::exchange(other.counted_, Statistics())) {}

  // All but the size.
  [[nodiscard]] const Statistics& counted() const noexcept { return counted_; }

  void request(bool is_hit) noexcept { ++(is_hit ? counted_.hits : counted_.misses); }
  void insert(std::size_t size) noexcept {
    ++counted_.inserts;
    counted_.peak_size = std::max(counted_.peak_size, size);
  }
  void replace() noexcept { ++counted_.replacements; }
  void refuse() noexcept { ++counted_.refusals; }
  void remove(Cause cause) noexcept { ++counted_.removals[static_cast<std::size_t>(cause)]; }
  void lag(Millis lag) noexcept {
    counted_.longest_lag = std::max(counted_.longest_lag, std::chrono::milliseconds(lag));
    counted_.total_lag = std::chrono::milliseconds(saturating_add(counted_.total_lag.count(), lag));
  }

 private:
  Statistics counted_;
};

// Where nothing is counted.
template <>
class Counters<false> {
 public:
  void request(bool) const noexcept {}
  void insert(std::size_t) const noexcept {}
  void replace() const noexcept {}
  void refuse() const noexcept {}
  void remove(Cause) const noexcept {}
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_COUNTERS_H_
