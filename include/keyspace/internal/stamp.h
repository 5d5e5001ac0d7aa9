#ifndef KEYSPACE_INTERNAL_STAMP_H_
#define KEYSPACE_INTERNAL_STAMP_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "keyspace/internal/millis.h"

namespace keyspace::internal {

// What an entry keeps about its deadline, in eight bytes: the deadline, and two facts about the
// record that the expiry table holds for it:
//   early  the record is filed before the deadline, not at it;
//   mark   the record bears the same mark (see ExpiryTable::scrub).
// Only Deadlines makes and reads the deadline in it.
class Stamp {
 public:
  constexpr Stamp() noexcept = default;  // no deadline

  [[nodiscard]] constexpr bool is_never() const noexcept { return payload() == kNever; }
  [[nodiscard]] constexpr bool early() const noexcept { return (bits_ & kEarly) != 0; }
  [[nodiscard]] constexpr bool mark() const noexcept { return (bits_ & kMark) != 0; }
  constexpr void flip_mark() noexcept { bits_ ^= kMark; }

 private:
  template <class Allocator>
  friend class Deadlines;
  friend struct TestPeer;

  static constexpr std::uint64_t kEarly = 1;
  static constexpr std::uint64_t kMark = 2;

  // The 62 bits above the flags are the deadline itself from kLowest up to kFar, 36 million years
  // after the epoch. From kFar on they are a place in Deadlines, kFar + i for the i-th, where
  // deadlines too low and too high lie; but kLatest and kNever stand for themselves.
  static constexpr std::int64_t kLowest = -(std::int64_t{1} << 61);
  static constexpr std::int64_t kFar = std::int64_t{1} << 60;
  static constexpr std::int64_t kLatest = (std::int64_t{1} << 61) - 2;
  static constexpr std::int64_t kNever = (std::int64_t{1} << 61) - 1;

  constexpr Stamp(std::int64_t payload, bool early, bool mark) noexcept
      : bits_(static_cast<std::uint64_t>(payload) << 2 | (mark ? kMark : 0) |
              (early ? kEarly : 0)) {}
  [[nodiscard]] constexpr std::int64_t payload() const noexcept {
    return static_cast<std::int64_t>(bits_) >> 2;
  }

  std::uint64_t bits_ = static_cast<std::uint64_t>(kNever) << 2;
};

// Reads and writes the deadline in a Stamp, and keeps those that do not fit there. A stamp that
// write() returned belongs to one entry, until it is given to release().
template <class Allocator>
class Deadlines {
 public:
  explicit Deadlines(const Allocator& allocator) : far_(allocator) {}
  Deadlines(Deadlines&& other) noexcept
      : far_(std::move(other.far_)), free_(std::exchange(other.free_, kNone)) {}
  Deadlines& operator=(Deadlines&&) = delete;

  [[nodiscard]] Millis read(Stamp stamp) const noexcept {
    const std::int64_t payload = stamp.payload();
    return payload < Stamp::kFar ? payload : read_special(payload);
  }

  // Makes room so that the next write() of `deadline` succeeds. Throws what the allocator throws.
  void reserve(Millis deadline) {
    if (!is_near(deadline)) [[unlikely]]
      reserve_special(deadline);
  }

  // REQUIRES: reserve(deadline) was called since the last write().
  [[nodiscard]] Stamp write(Millis deadline, bool early, bool mark) noexcept {
    return is_near(deadline) ? Stamp(deadline, early, mark) : write_special(deadline, early, mark);
  }

  void release(Stamp stamp) noexcept {
    if (stamp.payload() >= Stamp::kFar) [[unlikely]]
      release_special(stamp);
  }

  void clear() noexcept {
    far_.clear();
    free_ = kNone;
  }

 private:
  friend struct TestPeer;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  [[nodiscard]] static constexpr bool is_near(Millis deadline) noexcept {
    return Stamp::kLowest <= deadline && deadline < Stamp::kFar;
  }

  // The rest is not inlined: calls that have nothing to do with it should not grow by it.
  [[nodiscard]] ABSL_ATTRIBUTE_NOINLINE Millis read_special(std::int64_t payload) const noexcept {
    if (payload == Stamp::kNever) return kNeverMillis;
    if (payload == Stamp::kLatest) return kLatestMillis;
    return far_[static_cast<std::size_t>(payload - Stamp::kFar)];
  }
  ABSL_ATTRIBUTE_NOINLINE void reserve_special(Millis deadline) {
    if (deadline >= kLatestMillis || free_ != kNone) return;
    far_.push_back(static_cast<Millis>(kNone));
    free_ = far_.size() - 1;
  }
  [[nodiscard]] ABSL_ATTRIBUTE_NOINLINE Stamp write_special(Millis deadline, bool early,
                                                            bool mark) noexcept {
    if (deadline == kNeverMillis) return Stamp();
    if (deadline == kLatestMillis) return Stamp(Stamp::kLatest, early, mark);
    assert(free_ != kNone);
    const std::size_t place = std::exchange(free_, static_cast<std::size_t>(far_[free_]));
    far_[place] = deadline;
    return Stamp(Stamp::kFar + static_cast<std::int64_t>(place), early, mark);
  }
  ABSL_ATTRIBUTE_NOINLINE void release_special(Stamp stamp) noexcept {
    if (stamp.payload() >= Stamp::kLatest) return;
    const auto place = static_cast<std::size_t>(stamp.payload() - Stamp::kFar);
    far_[place] = static_cast<Millis>(std::exchange(free_, place));
  }

  // A vacant place holds the number of the next vacant one.
  std::vector<Millis, typename std::allocator_traits<Allocator>::template rebind_alloc<Millis>>
      far_;
  std::size_t free_ = kNone;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_STAMP_H_
