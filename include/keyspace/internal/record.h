#ifndef KEYSPACE_INTERNAL_RECORD_H_
#define KEYSPACE_INTERNAL_RECORD_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "keyspace/internal/millis.h"

namespace keyspace::internal {

// A point on the timer wheel: Millis, shifted so that the earliest is zero.
using Tick = std::uint64_t;
inline constexpr Tick kLastTick = (std::numeric_limits<Tick>::max)();
constexpr Tick to_tick(Millis millis) noexcept {
  return static_cast<Tick>(millis) ^ (Tick{1} << 63);
}
constexpr Millis to_millis(Tick tick) noexcept {
  return static_cast<Millis>(tick ^ (Tick{1} << 63));
}

// "At `when`, look at the entries whose key has this hash." One bit of hash_ is not part of the
// hash: it holds the record's mark (see ExpiryTable::scrub).
// Some 32-bit machines align std::uint64_t to 4 bytes. A chunk needs 8 everywhere, so that records
// follow its header without a gap.
class alignas(8) Record {
 public:
  static constexpr std::uint64_t kMark = std::uint64_t{1} << 56;

  // An entry keeps its record's tag: the mark, and the number of the period of 256 ms that contains
  // the record's time. Period n begins after 256 (n - 1) ms, and ends with 256 n ms. Numbers wrap
  // at 2^17 periods (9.3 hours). A Tick is shifted by a multiple of that, so that Tick and Millis
  // give the same number.
  using Tag = std::uint32_t;
  static constexpr int kTagBits = 18;
  static constexpr Tag kTagMark = 1;
  static constexpr Tag kTagMask = (Tag{1} << kTagBits) - 1;

  constexpr Record(std::uint64_t hash, bool mark, Millis when) noexcept
      : hash_(hash | (mark ? kMark : 0)), when_(to_tick(when)) {}

  [[nodiscard]] constexpr std::size_t hash() const noexcept {
    return static_cast<std::size_t>(hash_ & ~kMark);
  }
  [[nodiscard]] constexpr bool mark() const noexcept { return (hash_ & kMark) != 0; }
  [[nodiscard]] constexpr Tick tick() const noexcept { return when_; }
  [[nodiscard]] constexpr Millis when() const noexcept { return to_millis(when_); }
  constexpr void flip_mark() noexcept { hash_ ^= kMark; }

  [[nodiscard]] constexpr Tag tag() const noexcept { return tag(mark(), when_); }
  static constexpr Tag tag(bool mark, Millis when) noexcept { return tag(mark, to_tick(when)); }

  // Returns an upper bound on the time of a record that has this tag and whose time is at or before
  // `deadline`. The bound is less than 256 ms after `deadline`. REQUIRES: there was such a record,
  // for an entry with this deadline, which is after 0 and fits a Stamp.
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
  static constexpr Tag tag(bool mark, Tick tick) noexcept {
    return static_cast<Tag>(period(tick) << 1 & kTagMask) | (mark ? kTagMark : 0);
  }

  std::uint64_t hash_;
  Tick when_;
};

// The bits of a key's hash that are used, by the map too. The one left out is so high that a map
// would need 2^49 slots to look at it.
inline constexpr std::size_t kHashMask = static_cast<std::size_t>(~Record::kMark);

// The number of no round of scrubbing.
inline constexpr std::uint32_t kNoRound = 0;

// Up to a few dozen records, in memory that follows the header.
struct alignas(Record) RecordChunk {
  static constexpr std::size_t kMinCapacity = 3;
  static constexpr std::size_t kMaxCapacity = 31;

  [[nodiscard]] Record* records() noexcept { return reinterpret_cast<Record*>(this + 1); }
  [[nodiscard]] Record& back() noexcept { return records()[size - 1]; }
  void append(const Record& record) noexcept { std::construct_at(records() + size++, record); }

  RecordChunk* next;
  std::uint32_t round;  // the last round of scrubbing that looked at this chunk
  std::uint16_t size;
  std::uint16_t capacity;
};
static_assert(alignof(Record) == 8 && sizeof(RecordChunk) % alignof(Record) == 0);

// Where chunks come from and go back to. Keeps some of the smallest at hand: near its time a record
// often has a chunk for itself.
template <class Allocator>
class ChunkPool {
  using Chunks = typename std::allocator_traits<Allocator>::template rebind_alloc<RecordChunk>;
  using Traits = std::allocator_traits<Chunks>;

 public:
  explicit ChunkPool(const Allocator& allocator) noexcept : chunks_(allocator) {}
  ChunkPool(ChunkPool&& other) noexcept
      : chunks_(other.chunks_),
        spares_(std::exchange(other.spares_, nullptr)),
        spare_count_(std::exchange(other.spare_count_, 0)) {}
  ChunkPool& operator=(ChunkPool&&) = delete;
  ~ChunkPool() {
    while (spares_ != nullptr) deallocate(std::exchange(spares_, spares_->next));
  }

  [[nodiscard]] const Chunks& allocator() const noexcept { return chunks_; }

  // Throws what the allocator throws.
  RecordChunk* make(std::size_t capacity) {
    if (capacity == RecordChunk::kMinCapacity && spares_ != nullptr) {
      --spare_count_;
      return std::exchange(spares_, spares_->next);
    }
    auto memory = Traits::allocate(chunks_, units(capacity));
    return std::construct_at(
        std::to_address(memory),
        RecordChunk{nullptr, kNoRound, 0, static_cast<std::uint16_t>(capacity)});
  }

  // REQUIRES: the chunk is empty.
  void drop(RecordChunk* chunk) noexcept {
    if (chunk->capacity == RecordChunk::kMinCapacity && spare_count_ != kMaxSpares) {
      ++spare_count_;
      chunk->round = kNoRound;
      chunk->next = std::exchange(spares_, chunk);
    } else {
      deallocate(chunk);
    }
  }

 private:
  static constexpr std::size_t kMaxSpares = 256;

  static constexpr std::size_t units(std::size_t capacity) noexcept {
    return 1 + capacity * sizeof(Record) / sizeof(RecordChunk);
  }
  static_assert(sizeof(Record) % sizeof(RecordChunk) == 0);

  void deallocate(RecordChunk* chunk) noexcept {
    Traits::deallocate(chunks_, std::pointer_traits<typename Traits::pointer>::pointer_to(*chunk),
                       units(chunk->capacity));
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Chunks chunks_;
  RecordChunk* spares_ = nullptr;
  std::size_t spare_count_ = 0;
};

// Records in no order: a circular list of chunks that are not empty. Does not own its memory:
// chunks come from and go back to a pool that the caller passes in.
class RecordBag {
 public:
  [[nodiscard]] bool empty() const noexcept { return last_ == nullptr; }
  [[nodiscard]] bool has_one_chunk() const noexcept {
    return last_ != nullptr && last_->next == last_;
  }
  // REQUIRES: !empty()
  [[nodiscard]] RecordChunk& front() const noexcept { return *last_->next; }
  // Returns the last chunk; null if there is none.
  [[nodiscard]] const RecordChunk* last() const noexcept { return last_; }

  // Adds `record` to the front chunk, or to a new front chunk. Throws what the allocator throws.
  template <class Pool>
  void push(const Record& record, Pool& pool) {
    if (try_push(record)) return;
    link(pool.make(
        empty() ? RecordChunk::kMinCapacity
                : std::min<std::size_t>(2 * front().capacity + 1u, RecordChunk::kMaxCapacity)));
    front().append(record);
  }
  // The same, but returns false and does nothing if that takes a new chunk.
  bool try_push(const Record& record) const noexcept {
    if (empty()) return false;
    RecordChunk& chunk = front();
    if (chunk.size == chunk.capacity) return false;
    chunk.append(record);
    return true;
  }

  // Removes the last record of the front chunk.
  template <class Pool>
  void pop(Pool& pool) noexcept {
    if (--front().size == 0) drop_front(pool);
  }

  // Makes the next chunk the front. A front chunk that is empty, or that the last one has room for,
  // is merged into the last.
  template <class Pool>
  void rotate(Pool& pool) noexcept {
    RecordChunk& chunk = front();
    if (&chunk != last_ && chunk.size <= last_->capacity - last_->size) {
      for (; chunk.size != 0; --chunk.size) last_->append(chunk.back());
    }
    if (chunk.size == 0) {
      drop_front(pool);
    } else {
      last_ = &chunk;
    }
  }

  template <class Pool>
  void clear(Pool& pool) noexcept {
    while (!empty()) {
      front().size = 0;
      drop_front(pool);
    }
  }

 private:
  void link(RecordChunk* chunk) noexcept {
    if (empty()) {
      chunk->next = chunk;
      last_ = chunk;
    } else {
      chunk->next = std::exchange(last_->next, chunk);
    }
  }

  template <class Pool>
  void drop_front(Pool& pool) noexcept {
    RecordChunk* const chunk = last_->next;
    if (chunk == last_) {
      last_ = nullptr;
    } else {
      last_->next = chunk->next;
    }
    pool.drop(chunk);
  }

  RecordChunk* last_ = nullptr;  // its `next` is the front
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_RECORD_H_
