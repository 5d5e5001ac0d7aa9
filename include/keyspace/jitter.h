#ifndef KEYSPACE_JITTER_H_
#define KEYSPACE_JITTER_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstdint>

#include "keyspace/internal/millis.h"

namespace keyspace {

// Shortens ttls at random, so that entries stored together do not all die together, and are not all
// asked for anew from where they came.
//
//   keyspace::Jitter jitter(0.1);
//   for (const auto& [key, value] : rows) cache.set(key, value, jitter(10min));  // 9 to 10 minutes
//
// It never lengthens a ttl, which says how old an entry may become. Its numbers are not hard to
// guess. A call changes it: threads need one each, or a lock.
class Jitter {
 public:
  // Takes away up to `part` of a ttl: a tenth if it is 0.1. The same seed leads to the same ttls,
  // on every machine. REQUIRES: 0 <= part <= 1
  explicit constexpr Jitter(double part, std::uint64_t seed = 0) noexcept
      : part_(part), state_(seed) {
    assert(0 <= part && part <= 1);
  }

  // Returns one of the whole milliseconds from (1 - part) * ttl up to `ttl`, each as likely as the
  // others; at least 1 ms. A ttl of zero or less, and one that means "no expiry", stays as it is.
  // Any unit converts that a keyspace takes as a ttl, and saturates as there.
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
  // SplitMix64, of Steele, Lea and Flood (OOPSLA 2014).
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
