#ifndef KEYSPACE_INTERNAL_RECORD_H_
#define KEYSPACE_INTERNAL_RECORD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "keyspace/internal/millis.h"

namespace keyspace::internal {

// A point on the timer wheel: Millis, shifted so that the earliest is zero.
using Tick = std::uint64_t;
constexpr Tick to_tick(Millis millis) noexcept {
  return static_cast<Tick>(millis) ^ (Tick{1} << 63);
}
constexpr Millis to_millis(Tick tick) noexcept {
  return static_cast<Millis>(tick ^ (Tick{1} << 63));
}

// "At `when`, look at the entries whose key has this hash." One bit of the hash is not part of it
// and holds the record's mark (see ExpiryTable::scrub).
class alignas(std::uint64_t) Record {
 public:
  static constexpr std::uint64_t kMark = std::uint64_t{1} << 56;

  constexpr Record(std::uint64_t hash, bool mark, Millis when) noexcept
      : hash_(hash | (mark ? kMark : 0)), when_(to_tick(when)) {}

  [[nodiscard]] constexpr std::size_t hash() const noexcept {
    return static_cast<std::size_t>(hash_ & ~kMark);
  }
  [[nodiscard]] constexpr bool mark() const noexcept { return (hash_ & kMark) != 0; }
  [[nodiscard]] constexpr Tick tick() const noexcept { return when_; }
  [[nodiscard]] constexpr Millis when() const noexcept { return to_millis(when_); }
  constexpr void flip_mark() noexcept { hash_ ^= kMark; }

 private:
  std::uint64_t hash_;
  Tick when_;
};

// The bits of a key's hash that are used, by the map too. The one left out is so high that a map
// would need 2^49 slots to look at it.
inline constexpr std::size_t kHashMask = static_cast<std::size_t>(~Record::kMark);

// Up to a few dozen records, in memory that follows the header.
struct alignas(Record) RecordChunk {
  static constexpr std::size_t kMaxCapacity = 31;

  [[nodiscard]] Record* records() noexcept { return reinterpret_cast<Record*>(this + 1); }
  [[nodiscard]] Record& back() noexcept { return records()[size - 1]; }
  void append(const Record& record) noexcept { std::construct_at(records() + size++, record); }

  RecordChunk* next;
  std::uint32_t round;  // the last round of scrubbing that looked at this chunk
  std::uint16_t size;
  std::uint16_t capacity;
};
static_assert(sizeof(RecordChunk) % alignof(Record) == 0);

// Records in no order: a ring of chunks that are never empty. Does not own its memory: chunks come
// from and go back to an allocator of RecordChunk that the caller passes in.
class RecordBag {
 public:
  [[nodiscard]] bool empty() const noexcept { return last_ == nullptr; }
  [[nodiscard]] bool has_one_chunk() const noexcept {
    return last_ != nullptr && last_->next == last_;
  }
  // REQUIRES: !empty()
  [[nodiscard]] RecordChunk& front() const noexcept { return *last_->next; }

  // Adds `record` to the front chunk, or to a new front chunk. Throws what the allocator throws.
  template <class Allocator>
  void push(const Record& record, Allocator& allocator) {
    if (empty() || front().size == front().capacity) {
      const std::size_t capacity =
          empty() ? 3 : std::min<std::size_t>(2 * front().capacity + 1u, RecordChunk::kMaxCapacity);
      link(make_chunk(capacity, allocator));
    }
    front().append(record);
  }

  // Removes the last record of the front chunk.
  template <class Allocator>
  void pop(Allocator& allocator) noexcept {
    if (--front().size == 0) drop_front(allocator);
  }

  // Makes the next chunk the front. A front chunk that is empty, or that the last one has room for,
  // is merged into the last.
  template <class Allocator>
  void rotate(Allocator& allocator) noexcept {
    RecordChunk& chunk = front();
    if (&chunk != last_ && chunk.size <= last_->capacity - last_->size) {
      for (; chunk.size != 0; --chunk.size) last_->append(chunk.back());
    }
    if (chunk.size == 0) {
      drop_front(allocator);
    } else {
      last_ = &chunk;
    }
  }

  template <class Allocator>
  void clear(Allocator& allocator) noexcept {
    while (!empty()) drop_front(allocator);
  }

 private:
  template <class Allocator>
  static RecordChunk* make_chunk(std::size_t capacity, Allocator& allocator) {
    auto memory = std::allocator_traits<Allocator>::allocate(allocator, units(capacity));
    return std::construct_at(std::to_address(memory),
                             RecordChunk{nullptr, 0, 0, static_cast<std::uint16_t>(capacity)});
  }
  static constexpr std::size_t units(std::size_t capacity) noexcept {
    return 1 + capacity * sizeof(Record) / sizeof(RecordChunk);
  }
  static_assert(sizeof(Record) % sizeof(RecordChunk) == 0);

  void link(RecordChunk* chunk) noexcept {
    if (empty()) {
      chunk->next = chunk;
      last_ = chunk;
    } else {
      chunk->next = std::exchange(last_->next, chunk);
    }
  }

  template <class Allocator>
  void drop_front(Allocator& allocator) noexcept {
    using Traits = std::allocator_traits<Allocator>;
    RecordChunk* const chunk = last_->next;
    if (chunk == last_) {
      last_ = nullptr;
    } else {
      last_->next = chunk->next;
    }
    Traits::deallocate(allocator, std::pointer_traits<typename Traits::pointer>::pointer_to(*chunk),
                       units(chunk->capacity));
  }

  RecordChunk* last_ = nullptr;  // its `next` is the front
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_RECORD_H_
