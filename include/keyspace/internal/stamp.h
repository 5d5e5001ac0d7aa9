#ifndef KEYSPACE_INTERNAL_STAMP_H_
#define KEYSPACE_INTERNAL_STAMP_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/record.h"

namespace keyspace::internal {

// What an entry keeps about its deadline, in eight bytes: the deadline, and what it knows of the
// record that the expiry table holds for it:
//   tag    the record's tag: its mark and, roughly, its time;
//   early  its time may be before the deadline, else it is the deadline.
// Only Deadlines makes a stamp with a deadline, and reads the deadline in it.
class Stamp {
 public:
  constexpr Stamp() noexcept = default;  // no deadline

  [[nodiscard]] constexpr bool is_never() const noexcept { return bits_ == 0; }
  [[nodiscard]] constexpr bool early() const noexcept { return (bits_ & kEarly) != 0; }
  [[nodiscard]] constexpr Record::Tag tag() const noexcept {
    return static_cast<Record::Tag>(bits_ & Record::kTagMask);
  }
  constexpr void flip_mark() noexcept { bits_ ^= Record::kTagMark; }

 private:
  template <class Allocator>
  friend class Deadlines;
  friend struct TestPeer;

  // From the lowest bit: the tag, `early`, and the payload. Above those a bit for "far", so that
  // one test of the sign tells the three kinds apart: no deadline (0), near and far.
  //
  // The payload of a near stamp is the deadline, which is after the epoch and within five centuries
  // of it. That of a far stamp is the number of a place in Deadlines; or kLatest, which is none,
  // and stands for kLatestMillis.
  static constexpr int kEarlyBit = Record::kTagBits;
  static constexpr int kPayloadBit = kEarlyBit + 1;
  static constexpr std::int64_t kEarly = std::int64_t{1} << kEarlyBit;
  static constexpr std::int64_t kPayloadEnd = std::int64_t{1} << (63 - kPayloadBit);
  static constexpr std::int64_t kLatest = kPayloadEnd - 1;
  static constexpr std::int64_t kFar = (std::numeric_limits<std::int64_t>::min)();

  constexpr Stamp(std::int64_t payload, std::int64_t flags) noexcept
      : bits_(payload << kPayloadBit | flags) {}

  [[nodiscard]] constexpr bool is_near() const noexcept { return bits_ > 0; }
  [[nodiscard]] constexpr bool is_far() const noexcept { return bits_ < 0; }
  [[nodiscard]] constexpr std::int64_t payload() const noexcept {
    return (bits_ & ~kFar) >> kPayloadBit;
  }
  [[nodiscard]] constexpr std::int64_t flags() const noexcept {
    return bits_ & (kEarly | Record::kTagMask);
  }

  std::int64_t bits_ = 0;
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
    if (stamp.is_near()) return stamp.payload();
    return stamp.is_never() ? kNeverMillis : read_far(stamp);
  }

  // Whether the deadline is after now(), which is called only if there is a deadline.
  template <class Now>
  [[nodiscard]] bool is_after(Stamp stamp, Now& now) const {
    if (stamp.is_near()) [[likely]]
      return now() < stamp.payload();
    return stamp.is_never() || now() < read_far(stamp);
  }

  // Whether a stamp itself has room for the deadline. For 0 it has not: with no flags it would look
  // like no deadline.
  [[nodiscard]] static constexpr bool is_near(Millis deadline) noexcept {
    return static_cast<std::uint64_t>(deadline) - 1 < Stamp::kPayloadEnd - 1;
  }

  // Makes room so that the next write() of `deadline` succeeds. Throws what the allocator throws.
  void reserve(Millis deadline) {
    if (!is_near(deadline)) [[unlikely]]
      reserve_far(deadline);
  }

  // Makes the stamp of an entry whose record has this tag.
  // REQUIRES: reserve(deadline) was called since the last write().
  [[nodiscard]] Stamp write(Millis deadline, Record::Tag tag) noexcept {
    return is_near(deadline) ? Stamp(deadline, tag) : write_far(deadline, tag);
  }

  // Whether the record that was filed for an entry with `stamp` does for a new `deadline` too, as
  // it is filed at or before that, and postpone() can be called. May say no where yes is true.
  [[nodiscard]] static bool can_postpone(Stamp stamp, Millis deadline) noexcept {
    return stamp.is_near() && deadline < Stamp::kPayloadEnd &&
           (deadline >= stamp.payload() ||
            deadline >= Record::latest_time(stamp.tag(), stamp.payload()));
  }
  // REQUIRES: can_postpone(stamp, deadline)
  [[nodiscard]] static Stamp postpone(Stamp stamp, Millis deadline) noexcept {
    return Stamp(deadline, stamp.flags() | Stamp::kEarly);
  }

  void release(Stamp stamp) noexcept {
    if (stamp.is_far()) [[unlikely]]
      release_far(stamp);
  }

  void clear() noexcept {
    far_.clear();
    free_ = kNone;
  }

 private:
  friend struct TestPeer;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  // The rest is not inlined: calls that have nothing to do with it should not grow by it.
  [[nodiscard]] ABSL_ATTRIBUTE_NOINLINE Millis read_far(Stamp stamp) const noexcept {
    if (stamp.payload() == Stamp::kLatest) return kLatestMillis;
    return far_[static_cast<std::size_t>(stamp.payload())];
  }
  ABSL_ATTRIBUTE_NOINLINE void reserve_far(Millis deadline) {
    if (deadline >= kLatestMillis || free_ != kNone) return;
    far_.push_back(static_cast<Millis>(kNone));
    free_ = far_.size() - 1;
  }
  [[nodiscard]] ABSL_ATTRIBUTE_NOINLINE Stamp write_far(Millis deadline, Record::Tag tag) noexcept {
    if (deadline == kNeverMillis) return Stamp();
    std::int64_t payload = Stamp::kLatest;
    if (deadline != kLatestMillis) {
      assert(free_ != kNone);
      const std::size_t place = std::exchange(free_, static_cast<std::size_t>(far_[free_]));
      far_[place] = deadline;
      payload = static_cast<std::int64_t>(place);
    }
    return Stamp(payload, Stamp::kFar | tag);
  }
  ABSL_ATTRIBUTE_NOINLINE void release_far(Stamp stamp) noexcept {
    if (stamp.payload() == Stamp::kLatest) return;
    const auto place = static_cast<std::size_t>(stamp.payload());
    far_[place] = static_cast<Millis>(std::exchange(free_, place));
  }

  // A vacant place holds the number of the next vacant one.
  std::vector<Millis, typename std::allocator_traits<Allocator>::template rebind_alloc<Millis>>
      far_;
  std::size_t free_ = kNone;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_STAMP_H_
