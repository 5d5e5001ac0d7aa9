// SPDX-License-Identifier: Apache-2.0

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

struct TestPeer;  // a friend of the classes that the tests look into; only the tests define it

// Milliseconds: a length of time, or the time since a clock's epoch. kNeverMillis means "never";
// the functions below return it for "never" only, and saturate at kLatestMillis.
using Millis = std::int64_t;
inline constexpr Millis kNeverMillis = (std::numeric_limits<Millis>::max)();
inline constexpr Millis kLatestMillis = kNeverMillis - 1;
inline constexpr Millis kEarliestMillis = (std::numeric_limits<Millis>::min)();

// About 280 years. Times from 0 up to this take the shortest path.
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

// A duration that counts whole milliseconds, or a coarser unit, in integers.
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

// Whether `d` is finite, but longer than kLatestMillis.
template <class Rep, class Period>
requires WholeMilliseconds<Rep, Period>
constexpr bool exceeds_millis(std::chrono::duration<Rep, Period> d) noexcept {
  if constexpr (kMillisPerTick<Period> == 1 &&
                std::in_range<Millis>((std::numeric_limits<Rep>::max)())) {
    return false;  // seen at compile time, which saves instructions in many calls
  } else {
    return !is_never(d) && std::cmp_greater(d.count(), kLatestMillis / kMillisPerTick<Period>);
  }
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

// Rounds down.
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

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_MILLIS_H_
