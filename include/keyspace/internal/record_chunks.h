// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_RECORD_CHUNKS_H_
#define KEYSPACE_INTERNAL_RECORD_CHUNKS_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "keyspace/internal/timer_record.h"

// The memory of the timer wheel: each slot is a RecordList of RecordChunks, which a ChunkPool
// allocates.

namespace keyspace::internal {

// A value of RecordChunk::round that no round of the collector has.
inline constexpr std::uint32_t kNoRound = 0;

// An array of up to kMaxCapacity records, in memory that follows this header.
struct alignas(TimerRecord) RecordChunk {
  static constexpr std::size_t kMinCapacity = 3;
  static constexpr std::size_t kMaxCapacity = 31;

  [[nodiscard]] TimerRecord* records() noexcept { return reinterpret_cast<TimerRecord*>(this + 1); }
  [[nodiscard]] TimerRecord& back() noexcept { return records()[size - 1]; }
  void append(const TimerRecord& record) noexcept { std::construct_at(records() + size++, record); }

  RecordChunk* next;
  std::uint32_t round;  // the last round of the collector that checked this chunk
  std::uint16_t size;
  std::uint16_t capacity;
};
static_assert(alignof(TimerRecord) == 8 && sizeof(RecordChunk) % alignof(TimerRecord) == 0);

// Allocates chunks and takes them back. Keeps up to kMaxFreeChunks of the smallest ones for reuse,
// because a record that is due soon often has a chunk to itself.
template <class Allocator>
class ChunkPool {
  using Chunks = typename std::allocator_traits<Allocator>::template rebind_alloc<RecordChunk>;
  using Traits = std::allocator_traits<Chunks>;

 public:
  explicit ChunkPool(const Allocator& allocator) noexcept : chunks_(allocator) {}
  ChunkPool(ChunkPool&& other) noexcept
      : chunks_(other.chunks_),
        free_chunks_(std::exchange(other.free_chunks_, nullptr)),
        free_count_(std::exchange(other.free_count_, 0)) {}
  ChunkPool& operator=(ChunkPool&&) = delete;
  ~ChunkPool() { drop_free_chunks(); }

  [[nodiscard]] const Chunks& allocator() const noexcept { return chunks_; }

  // Returns an empty chunk. Throws what the allocator throws.
  RecordChunk* make(std::size_t capacity) {
    if (capacity == RecordChunk::kMinCapacity && free_chunks_ != nullptr) {
      --free_count_;
      return std::exchange(free_chunks_, free_chunks_->next);
    }
    auto memory = Traits::allocate(chunks_, units(capacity));
    return std::construct_at(
        std::to_address(memory),
        RecordChunk{nullptr, kNoRound, 0, static_cast<std::uint16_t>(capacity)});
  }

  void drop_free_chunks() noexcept {
    while (free_chunks_ != nullptr) {
      deallocate(std::exchange(free_chunks_, free_chunks_->next));
    }
    free_count_ = 0;
  }
  // Takes back a chunk that make() returned. REQUIRES: the chunk is empty.
  void drop(RecordChunk* chunk) noexcept {
    if (chunk->capacity == RecordChunk::kMinCapacity && free_count_ != kMaxFreeChunks) {
      ++free_count_;
      chunk->round = kNoRound;
      chunk->next = std::exchange(free_chunks_, chunk);
    } else {
      deallocate(chunk);
    }
  }

 private:
  static constexpr std::uint32_t kMaxFreeChunks = 256;
  static constexpr std::uint32_t kFreesPerMalloc = 64;

  // Returns the size of a chunk and its records, in units of a chunk's header.
  static constexpr std::size_t units(std::size_t capacity) noexcept {
    return 1 + capacity * sizeof(TimerRecord) / sizeof(RecordChunk);
  }
  static_assert(sizeof(TimerRecord) % sizeof(RecordChunk) == 0);

  void deallocate(RecordChunk* chunk) noexcept {
    Traits::deallocate(chunks_, std::pointer_traits<typename Traits::pointer>::pointer_to(*chunk),
                       units(chunk->capacity));
#if defined(__GLIBC__)
    // In glibc, malloc() of more than a kilobyte sorts up to 10,000 blocks that were freed before.
    // That takes milliseconds. A malloc() now and then keeps their number small. (Without volatile,
    // the compiler removes it.)
    if (++deallocated_ % kFreesPerMalloc == 0) {
      void* volatile block = std::malloc(2048);
      std::free(block);
    }
#endif
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Chunks chunks_;
  RecordChunk* free_chunks_ = nullptr;
  std::uint32_t free_count_ = 0;
  std::uint32_t deallocated_ = 0;  // how many chunks were deallocated, modulo 2^32
};

// A list of records in no particular order: a circular list of chunks, none of them empty.
//
// Does not own its memory. The caller passes the same pool to every call, and clears the list
// before it destroys it.
class RecordList {
 public:
  [[nodiscard]] bool empty() const noexcept { return last_ == nullptr; }
  [[nodiscard]] bool has_one_chunk() const noexcept {
    return last_ != nullptr && last_->next == last_;
  }
  // REQUIRES: !empty()
  [[nodiscard]] RecordChunk& front() const noexcept { return *last_->next; }
  // Returns the last chunk; null if there is none.
  [[nodiscard]] const RecordChunk* last() const noexcept { return last_; }

  // Adds `record` to the front chunk, or to a new front chunk if that is full. Throws what the
  // allocator throws.
  template <class Pool>
  void push(const TimerRecord& record, Pool& pool) {
    if (try_push(record)) return;
    link(pool.make(
        empty() ? RecordChunk::kMinCapacity
                : std::min<std::size_t>(2 * front().capacity + 1u, RecordChunk::kMaxCapacity)));
    front().append(record);
  }
  // Adds `record` to the front chunk. If that has no room, does nothing and returns false.
  bool try_push(const TimerRecord& record) const noexcept {
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

  // Makes the second chunk the front, and the front chunk the last. But if the front chunk is
  // empty, or the last chunk has room for its records, merges it into the last chunk.
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

#endif  // KEYSPACE_INTERNAL_RECORD_CHUNKS_H_
