// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_PACKED_DEADLINE_H_
#define KEYSPACE_INTERNAL_PACKED_DEADLINE_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "absl/base/attributes.h"
#include "keyspace/internal/chunked_vector.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/timer_record.h"

namespace keyspace::internal {

// The eight bytes that an entry keeps about its deadline. They hold the deadline, and two facts
// about the record that the timer wheel holds for the entry:
//
//   tag()              the record's tag: its gc colour, and its time to 256 ms
//   is_filed_early()   whether the record's time may be before the deadline. If false, the
//                      record's time is the deadline.
//
// Only DeadlineTable makes a PackedDeadline with a deadline, and reads the deadline in it.
class PackedDeadline {
 public:
  // Makes one without a deadline.
  constexpr PackedDeadline() noexcept = default;

  // Returns true if there is no deadline.
  [[nodiscard]] constexpr bool is_never() const noexcept { return bits_ == 0; }
  [[nodiscard]] constexpr bool is_filed_early() const noexcept { return (bits_ & kEarly) != 0; }
  [[nodiscard]] constexpr TimerRecord::Tag tag() const noexcept {
    return static_cast<TimerRecord::Tag>(bits_ & TimerRecord::kTagMask);
  }
  constexpr void flip_gc_color() noexcept { bits_ ^= TimerRecord::kTagGcColor; }

 private:
  template <class Allocator>
  friend class DeadlineTable;
  friend struct TestPeer;

  // From the lowest bit: the tag, the bit for is_filed_early(), and the payload. The highest bit is
  // set if the deadline is far. So one test of the sign tells the three kinds apart: none (0), near
  // (positive) and far (negative).
  //
  // A near deadline is after the epoch, and less than 2^44 ms (557 years) after it. It is the
  // payload itself. The payload of a far deadline is an index into DeadlineTable, or kLatest, which
  // stands for kLatestMillis and needs no element of the table.
  static constexpr int kEarlyBit = TimerRecord::kTagBits;
  static constexpr int kPayloadBit = kEarlyBit + 1;
  static constexpr std::int64_t kEarly = std::int64_t{1} << kEarlyBit;
  static constexpr std::int64_t kPayloadEnd = std::int64_t{1} << (63 - kPayloadBit);
  static constexpr std::int64_t kLatest = kPayloadEnd - 1;
  static constexpr std::int64_t kFar = (std::numeric_limits<std::int64_t>::min)();

  constexpr PackedDeadline(std::int64_t payload, std::int64_t flags) noexcept
      : bits_(payload << kPayloadBit | flags) {}

  [[nodiscard]] constexpr bool is_near() const noexcept { return bits_ > 0; }
  [[nodiscard]] constexpr bool is_far() const noexcept { return bits_ < 0; }
  [[nodiscard]] constexpr std::int64_t payload() const noexcept {
    return (bits_ & ~kFar) >> kPayloadBit;
  }
  [[nodiscard]] constexpr std::int64_t flags() const noexcept {
    return bits_ & (kEarly | TimerRecord::kTagMask);
  }

  std::int64_t bits_ = 0;
};

// Packs and reads deadlines. Stores the far ones, for which a PackedDeadline has no room.
//
// A PackedDeadline that write() returned belongs to one entry, until release() takes it back.
// EntryMap is the only caller.
template <class Allocator>
class DeadlineTable {
 public:
  explicit DeadlineTable(const Allocator& allocator) : far_(allocator) {}
  DeadlineTable(DeadlineTable&& other) noexcept
      : far_(std::move(other.far_)),
        free_(std::exchange(other.free_, kNone)),
        used_(std::exchange(other.used_, 0)) {}
  DeadlineTable& operator=(DeadlineTable&&) = delete;

  // Returns the deadline; kNeverMillis if there is none.
  [[nodiscard]] Millis read(PackedDeadline packed) const noexcept {
    if (packed.is_near()) return packed.payload();
    return packed.is_never() ? kNeverMillis : read_far(packed);
  }

  // Returns true if the deadline is after now(), or if there is none. Calls now() only if there is
  // a deadline.
  template <class Now>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE bool is_after(PackedDeadline packed, Now& now) const {
    if (packed.is_near()) [[likely]]
      return now() < packed.payload();
    return packed.is_never() || now() < read_far(packed);
  }

  // Returns true if a PackedDeadline itself has room for the deadline. There is no room for 0:
  // without flags it would look like no deadline.
  [[nodiscard]] static constexpr bool is_near(Millis deadline) noexcept {
    return static_cast<std::uint64_t>(deadline) - 1 < PackedDeadline::kPayloadEnd - 1;
  }

  // Makes room so that the next write() of `deadline` succeeds. Throws what the allocator throws.
  void reserve(Millis deadline) {
    if (!is_near(deadline)) [[unlikely]]
      reserve_far(deadline);
  }

  // Packs the deadline of an entry whose record has this tag.
  // REQUIRES: reserve(deadline) was called since the last write().
  [[nodiscard]] PackedDeadline write(Millis deadline, TimerRecord::Tag tag) noexcept {
    return is_near(deadline) ? PackedDeadline(deadline, tag) : write_far(deadline, tag);
  }

  // Returns true if postpone() may be called. Then the entry's record is filed at or before the new
  // deadline, so the entry can keep it. May return false where true would be correct.
  [[nodiscard]] static bool can_postpone(PackedDeadline packed, Millis deadline) noexcept {
    return packed.is_near() && deadline < PackedDeadline::kPayloadEnd &&
           (deadline >= packed.payload() ||
            deadline >= TimerRecord::latest_time(packed.tag(), packed.payload()));
  }
  // The same, but returns false for a deadline before that of the entry. Takes fewer instructions.
  [[nodiscard]] static bool can_postpone_later(PackedDeadline packed, Millis deadline) noexcept {
    return packed.is_near() && packed.payload() <= deadline &&
           deadline < PackedDeadline::kPayloadEnd;
  }
  // Packs a new deadline for an entry that keeps its record. REQUIRES: can_postpone(packed,
  // deadline)
  [[nodiscard]] static PackedDeadline postpone(PackedDeadline packed, Millis deadline) noexcept {
    return PackedDeadline(deadline, packed.flags() | PackedDeadline::kEarly);
  }

  void release(PackedDeadline packed) noexcept {
    if (packed.is_far()) [[unlikely]]
      release_far(packed);
  }

  // The same if no write() follows for the same entry. Frees the memory after the last far
  // deadline.
  void release_and_shrink(PackedDeadline packed) noexcept {
    if (!packed.is_far()) [[likely]]
      return;
    release_far(packed);
    if (used_ == 0 && far_.size() > kMostUnused) clear();
  }
  void clear() noexcept {
    far_.clear();
    free_ = kNone;
    used_ = 0;
  }

 private:
  friend struct TestPeer;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  // If no entry has a far deadline, release_and_shrink() keeps at most this many elements.
  static constexpr std::size_t kMostUnused = 1024;

  // The functions for far deadlines are not inlined, because they would bloat calls that rarely
  // need them.
  [[nodiscard]] ABSL_ATTRIBUTE_NOINLINE Millis read_far(PackedDeadline packed) const noexcept {
    if (packed.payload() == PackedDeadline::kLatest) return kLatestMillis;
    return far_[static_cast<std::size_t>(packed.payload())];
  }
  ABSL_ATTRIBUTE_NOINLINE void reserve_far(Millis deadline) {
    if (deadline >= kLatestMillis || free_ != kNone) return;
    far_.push_back(static_cast<Millis>(kNone));
    free_ = far_.size() - 1;
  }
  [[nodiscard]] ABSL_ATTRIBUTE_NOINLINE PackedDeadline write_far(Millis deadline,
                                                                 TimerRecord::Tag tag) noexcept {
    if (deadline == kNeverMillis) return PackedDeadline();
    std::int64_t payload = PackedDeadline::kLatest;
    if (deadline != kLatestMillis) {
      assert(free_ != kNone);
      const std::size_t index = std::exchange(free_, static_cast<std::size_t>(far_[free_]));
      far_[index] = deadline;
      ++used_;
      payload = static_cast<std::int64_t>(index);
    }
    return PackedDeadline(payload, PackedDeadline::kFar | tag);
  }
  ABSL_ATTRIBUTE_NOINLINE void release_far(PackedDeadline packed) noexcept {
    if (packed.payload() == PackedDeadline::kLatest) return;
    const auto index = static_cast<std::size_t>(packed.payload());
    far_[index] = static_cast<Millis>(std::exchange(free_, index));
    --used_;
  }

  // The far deadlines. An element that no entry uses holds the index of the next unused one.
  ChunkedVector<Millis, Allocator> far_;
  std::size_t free_ = kNone;  // the first unused element
  std::size_t used_ = 0;      // how many elements are used
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_PACKED_DEADLINE_H_
