// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_TIMER_RECORD_H_
#define KEYSPACE_INTERNAL_TIMER_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <limits>

#include "keyspace/internal/millis.h"

namespace keyspace::internal {

// A point in time on the timer wheel: Millis, shifted so that the earliest is zero.
using Tick = std::uint64_t;
inline constexpr Tick kLastTick = (std::numeric_limits<Tick>::max)();
constexpr Tick to_tick(Millis millis) noexcept {
  return static_cast<Tick>(millis) ^ (Tick{1} << 63);
}
constexpr Millis to_millis(Tick tick) noexcept {
  return static_cast<Millis>(tick ^ (Tick{1} << 63));
}

// A record of the timer wheel. It means: at time(), check the entries whose key has this hash().
//
// One bit of hash_ is not part of the hash. It holds the gc colour: the mark-and-sweep collector of
// stale records gives it to the record (see WheelCollector).
//
// Some 32-bit machines align std::uint64_t to 4 bytes. A RecordChunk needs 8 everywhere, so that
// its records follow its header without a gap.
class alignas(8) TimerRecord {
 public:
  static constexpr std::uint64_t kGcColorBit = std::uint64_t{1} << 56;

  // A summary of a record, which the entry keeps: the record's gc colour, and the number of the
  // period of 256 ms that contains its time. Period n begins after 256 (n - 1) ms and ends with
  // 256 n ms. Numbers wrap at 2^17 periods (9.3 hours). A Tick differs from its Millis by a
  // multiple of 2^17 periods, so both give the same number.
  using Tag = std::uint32_t;
  static constexpr int kTagBits = 18;
  static constexpr Tag kTagGcColor = 1;
  static constexpr Tag kTagMask = (Tag{1} << kTagBits) - 1;

  constexpr TimerRecord(std::uint64_t hash, bool gc_color, Millis time) noexcept
      : hash_(hash | (gc_color ? kGcColorBit : 0)), tick_(to_tick(time)) {}

  [[nodiscard]] constexpr std::size_t hash() const noexcept {
    return static_cast<std::size_t>(hash_ & ~kGcColorBit);
  }
  [[nodiscard]] constexpr bool gc_color() const noexcept { return (hash_ & kGcColorBit) != 0; }
  [[nodiscard]] constexpr Tick tick() const noexcept { return tick_; }
  [[nodiscard]] constexpr Millis time() const noexcept { return to_millis(tick_); }
  constexpr void flip_gc_color() noexcept { hash_ ^= kGcColorBit; }

  [[nodiscard]] constexpr Tag tag() const noexcept { return tag(gc_color(), tick_); }
  // Returns the tag of a record with this gc colour and time.
  static constexpr Tag tag(bool gc_color, Millis time) noexcept {
    return tag(gc_color, to_tick(time));
  }

  // Returns an upper bound on the time of the record that has this tag and was filed at or before
  // `deadline`. The bound is less than 256 ms after `deadline`. REQUIRES: there was such a record
  // for an entry with this deadline, and DeadlineTable::is_near(deadline).
  static constexpr Millis latest_time(Tag tag, Millis deadline) noexcept {
    const Tick last = period(static_cast<Tick>(deadline));
    return static_cast<Millis>((last - ((last - (tag >> 1)) & (kTagMask >> 1))) << kPeriodBits);
  }

 private:
  static constexpr int kPeriodBits = 8;
  static_assert(63 - kPeriodBits >= kTagBits - 1);
  static constexpr Tick period(Tick tick) noexcept {
    return (tick + (Tick{1} << kPeriodBits) - 1) >> kPeriodBits;
  }
  static constexpr Tag tag(bool gc_color, Tick tick) noexcept {
    return static_cast<Tag>(period(tick) << 1 & kTagMask) | (gc_color ? kTagGcColor : 0);
  }

  std::uint64_t hash_;
  Tick tick_;
};

// The bits of a key's hash that the library uses, in the map too. The excluded bit is so high that
// only a map with 2^49 slots would use it.
inline constexpr std::size_t kHashMask = static_cast<std::size_t>(~TimerRecord::kGcColorBit);

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_TIMER_RECORD_H_
