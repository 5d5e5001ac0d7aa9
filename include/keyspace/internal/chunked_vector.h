// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_CHUNKED_VECTOR_H_
#define KEYSPACE_INTERNAL_CHUNKED_VECTOR_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "keyspace/internal/exceptions.h"

namespace keyspace::internal {

// A vector in chunks of at most 32 KB. push_back() and pop_back() copy at most one chunk, or the
// pointers to all chunks. Only the first chunk grows and shrinks. (std::deque could serve instead,
// but its move constructor may allocate, and its look-ups take longer.)
template <class T, class Allocator>
class ChunkedVector {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  explicit ChunkedVector(const Allocator& allocator) noexcept
      : allocator_(allocator), chunks_(allocator) {}
  ChunkedVector(ChunkedVector&& other) noexcept
      : allocator_(other.allocator_),
        chunks_(std::move(other.chunks_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {
    other.chunks_.clear();
  }
  ChunkedVector& operator=(ChunkedVector&&) = delete;
  ~ChunkedVector() { clear(); }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] T& operator[](std::size_t i) noexcept { return chunks_[i / kChunk][i % kChunk]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept {
    return chunks_[i / kChunk][i % kChunk];
  }

  // Throws what the allocator throws, and then has no effect.
  void push_back(const T& value) {
    if (size_ == capacity_) {
      if (capacity_ < kChunk) {
        resize_first(std::clamp<std::size_t>(2 * capacity_, kLeast, kChunk));
      } else {
        add_chunk(kChunk);
      }
    }
    std::construct_at(&(*this)[size_++], value);
  }
  void pop_back() noexcept {
    --size_;
    if (capacity_ > kChunk && size_ == capacity_ - kChunk) {
      drop_chunk();
    } else if (capacity_ > kLeast && size_ <= capacity_ / 4) {
      // Without memory for a smaller chunk, the chunk stays.
      static_cast<void>(succeeds([this] { resize_first(capacity_ / 2); }));
    }
  }
  void clear() noexcept {
    size_ = 0;
    while (capacity_ != 0) drop_chunk();
    Chunks(chunks_.get_allocator()).swap(chunks_);
  }

 private:
  template <class U>
  using Rebound = typename std::allocator_traits<Allocator>::template rebind_alloc<U>;
  using Traits = std::allocator_traits<Rebound<T>>;
  using Chunks = std::vector<T*, Rebound<T*>>;

  static constexpr std::size_t kChunk = std::bit_floor(std::size_t{32768} / sizeof(T));
  static constexpr std::size_t kLeast = 16;  // the capacity of the smallest first chunk

  void add_chunk(std::size_t capacity) {
    chunks_.reserve(std::bit_ceil(chunks_.size() + 1));
    chunks_.push_back(std::to_address(Traits::allocate(allocator_, capacity)));
    capacity_ += capacity;
  }
  void drop_chunk() noexcept {
    const std::size_t capacity = std::min<std::size_t>(capacity_, kChunk);
    deallocate(chunks_.back(), capacity);
    chunks_.pop_back();
    capacity_ -= capacity;
  }
  // Moves the elements to a first chunk with another capacity. REQUIRES: there is no second chunk.
  void resize_first(std::size_t capacity) {
    if (chunks_.empty()) {
      add_chunk(capacity);
      return;
    }
    T* const chunk = std::to_address(Traits::allocate(allocator_, capacity));
    std::uninitialized_copy_n(chunks_[0], size_, chunk);
    deallocate(chunks_[0], std::exchange(capacity_, capacity));
    chunks_[0] = chunk;
  }
  void deallocate(T* chunk, std::size_t capacity) noexcept {
    Traits::deallocate(allocator_,
                       std::pointer_traits<typename Traits::pointer>::pointer_to(*chunk), capacity);
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Rebound<T> allocator_;
  Chunks chunks_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;  // of all chunks together: a multiple of kChunk if there are several
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_CHUNKED_VECTOR_H_
