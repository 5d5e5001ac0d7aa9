#ifndef KEYSPACE_INTERNAL_MILLIS_H_
#define KEYSPACE_INTERNAL_MILLIS_H_

#include <algorithm>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <ratio>
#include <type_traits>
#include <utility>

namespace keyspace::internal {

struct TestPeer;     // a friend of what it checks; only the tests define it
struct ShardAccess;  // a friend of the keyspaces that a ConcurrentKeyspace consists of

// Milliseconds, either a length of time or since a clock's epoch. The latest of them means "never";
// no arithmetic below arrives there.
using Millis = std::int64_t;
inline constexpr Millis kNeverMillis = (std::numeric_limits<Millis>::max)();
inline constexpr Millis kLatestMillis = kNeverMillis - 1;
inline constexpr Millis kEarliestMillis = (std::numeric_limits<Millis>::min)();

// Two and a half centuries. What lies between 0 and this is handled by the shortest path.
inline constexpr Millis kLongMillis = Millis{1} << 43;

constexpr Millis saturating_add(Millis a, Millis b) noexcept {
  if (b > 0 && a > kLatestMillis - b) return kLatestMillis;
  if (b < 0 && a < kEarliestMillis - b) return kEarliestMillis;
  return std::min<Millis>(a + b, kLatestMillis);  // a clock may stand at the very end
}

// Returns the time from `now` until the later `deadline`.
constexpr Millis time_left(Millis deadline, Millis now) noexcept {
  return now < 0 && deadline > kLatestMillis + now ? kLatestMillis : deadline - now;
}

// A unit of which each is a whole number of milliseconds, counted in integers.
template <class Rep, class Period>
concept WholeMilliseconds = std::integral<Rep> &&
    std::is_convertible_v<std::chrono::duration<Rep, Period>, std::chrono::milliseconds>;

template <class Period>
inline constexpr Millis kMillisPerTick = std::ratio_divide<Period, std::milli>::num;

template <class Rep, class Period>
requires WholeMilliseconds<Rep, Period>
constexpr bool is_never(std::chrono::duration<Rep, Period> d) noexcept {
  return kMillisPerTick<Period> == 1 && std::cmp_equal(d.count(), kNeverMillis);
}

// Whether `d` is finite, but too long.
template <class Rep, class Period>
requires WholeMilliseconds<Rep, Period>
constexpr bool exceeds_millis(std::chrono::duration<Rep, Period> d) noexcept {
  return !is_never(d) && std::cmp_greater(d.count(), kLatestMillis / kMillisPerTick<Period>);
}

template <class Rep, class Period>
requires WholeMilliseconds<Rep, Period>
constexpr Millis saturating_millis(std::chrono::duration<Rep, Period> d) noexcept {
  constexpr Millis kFactor = kMillisPerTick<Period>;
  if (is_never(d)) return kNeverMillis;
  if (exceeds_millis(d)) return kLatestMillis;
  if (std::cmp_less(d.count(), kEarliestMillis / kFactor)) return kEarliestMillis;
  return static_cast<Millis>(d.count()) * kFactor;
}

// Rounds towards the past.
template <class Rep, class Period>
constexpr Millis floor_millis(std::chrono::duration<Rep, Period> d) noexcept {
  if constexpr (WholeMilliseconds<Rep, Period>) {
    return saturating_millis(d);
  } else if constexpr (std::chrono::treat_as_floating_point_v<Rep>) {
    const auto millis = std::floor(std::chrono::duration<Rep, std::milli>(d).count());
    if (!(millis < static_cast<Rep>(kNeverMillis))) return kLatestMillis;
    if (millis < static_cast<Rep>(kEarliestMillis)) return kEarliestMillis;
    return static_cast<Millis>(millis);
  } else {
    return std::chrono::floor<std::chrono::milliseconds>(d).count();
  }
}

// The parameter types of the public API. They convert from every unit that is a whole number of
// milliseconds, saturate where the number is too large, and stay "never" only for "never" itself.
//
// What does not convert to them counts in a finer unit or in floating point, or is a time point of
// another clock. std::chrono::ceil<std::chrono::milliseconds> makes a finer unit do.
class Ttl {
 public:
  template <class Rep, class Period>
  requires WholeMilliseconds<Rep, Period>
  constexpr Ttl(std::chrono::duration<Rep, Period> ttl) noexcept  // NOLINT: implicit by design
      : millis_(saturating_millis(ttl)), is_too_long_(exceeds_millis(ttl)) {}

  [[nodiscard]] constexpr Millis millis() const noexcept { return millis_; }

  // Returns the deadline of this ttl from now() on, which is called unless that is "never".
  template <class Now>
  [[nodiscard]] constexpr Millis from(Now& now) const {
    if (0 < millis_ && millis_ < kLongMillis) [[likely]] {
      const Millis start = now();
      if (0 <= start && start < kLongMillis) [[likely]]
        return start + millis_;
    }
    if (millis_ == kNeverMillis) return kNeverMillis;
    return is_too_long_ ? kLatestMillis : saturating_add(now(), millis_);
  }

 private:
  Millis millis_;
  bool is_too_long_;  // even from the earliest time on
};

template <class Clock>
class Deadline {
 public:
  template <class Rep, class Period>
  requires WholeMilliseconds<Rep, Period>
  constexpr Deadline(  // NOLINT: implicit by design
      std::chrono::time_point<Clock, std::chrono::duration<Rep, Period>> deadline) noexcept
      : millis_(saturating_millis(deadline.time_since_epoch())) {}

  [[nodiscard]] constexpr Millis millis() const noexcept { return millis_; }

 private:
  Millis millis_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_MILLIS_H_
