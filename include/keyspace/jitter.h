// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_JITTER_H_
#define KEYSPACE_JITTER_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstdint>

#include "keyspace/internal/millis.h"

namespace keyspace {

// Shortens ttls at random. Entries that are stored together then expire at different times, so they
// are not all loaded again at the same time.
//
//   keyspace::Jitter jitter(0.1);
//   for (const auto& [key, value] : rows) cache.set(key, value, jitter(10min));  // 9 to 10 minutes
//
// It never lengthens a ttl, because a ttl limits the age of an entry. Its random numbers are easy
// to guess.
//
// Not thread-safe: a call changes the Jitter. Use one for each thread, or a lock.
class Jitter {
 public:
  // Takes up to `part` of each ttl away: up to a tenth for 0.1. The same seed gives the same ttls
  // on every machine. REQUIRES: 0 <= part <= 1
  explicit constexpr Jitter(double part, std::uint64_t seed = 0) noexcept
      : part_(part), state_(seed) {
    assert(0 <= part && part <= 1);
  }

  // Returns a random number of whole milliseconds from (1 - part) * ttl to `ttl`, both included,
  // but at least 1 ms. All are equally likely. Returns the same ttl if it is zero or negative, or
  // means "no deadline" (milliseconds::max()).
  //
  // Takes the same units as a keyspace: milliseconds and coarser, counted in integers. A ttl that
  // is too long for milliseconds saturates to milliseconds::max() - 1 ms.
  template <class Rep, class Period>
  requires internal::WholeMilliseconds<Rep, Period>
  [[nodiscard]] constexpr std::chrono::milliseconds operator()(
      std::chrono::duration<Rep, Period> ttl) noexcept {
    const internal::Millis longest = internal::saturating_millis(ttl);
    if (longest <= 0 || longest == internal::kNeverMillis)
      return std::chrono::milliseconds(longest);
    const auto most = static_cast<std::uint64_t>(part_ * static_cast<double>(longest));
    const std::uint64_t choices =
        std::min<std::uint64_t>(most + 1, static_cast<std::uint64_t>(longest));
    return std::chrono::milliseconds(longest -
                                     static_cast<internal::Millis>(next_random() % choices));
  }

 private:
  // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
  constexpr std::uint64_t next_random() noexcept {
    std::uint64_t bits = state_ += 0x9e3779b97f4a7c15;
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
    return bits ^ bits >> 31;
  }

  double part_;
  std::uint64_t state_;
};

}  // namespace keyspace

#endif  // KEYSPACE_JITTER_H_
