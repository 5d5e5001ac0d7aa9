// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_NOTHROW_BOX_H_
#define KEYSPACE_INTERNAL_NOTHROW_BOX_H_

#include "keyspace/internal/config.h"

#include <memory>
#include <type_traits>
#include <utility>

namespace keyspace::internal {

// Holds a T, and moves without throwing. The map keeps keys and values in boxes, because no map
// recovers from a move that throws in the middle of a rehash.
//
// If T's move constructor is noexcept, the box holds the T itself. If not, the T lives on the heap,
// as in std::any. The box of a T on the heap is empty after it was moved from; get() must not be
// called then.
template <class T, class Allocator, bool = std::is_nothrow_move_constructible_v<T>>
class NothrowBox {
 public:
  // Whether the box holds the T itself.
  static constexpr bool kInPlace = true;

  template <class... Args>
  explicit NothrowBox(std::in_place_t, const Allocator&, Args&&... args)
      : value_(std::forward<Args>(args)...) {}

  [[nodiscard]] T& get() noexcept { return value_; }
  [[nodiscard]] const T& get() const noexcept { return value_; }

  // Replaces the T with the one in `other`. Unlike an assignment, this needs only T's move
  // constructor.
  void replace(NothrowBox&& other) noexcept {
    std::destroy_at(std::addressof(value_));
    std::construct_at(std::addressof(value_), std::move(other.value_));
  }

 private:
  T value_;
};

template <class T, class Allocator>
class NothrowBox<T, Allocator, false> {
  using Rebound = typename std::allocator_traits<Allocator>::template rebind_alloc<T>;
  using Traits = std::allocator_traits<Rebound>;
  using Pointer = typename Traits::pointer;

 public:
  static constexpr bool kInPlace = false;

  template <class... Args>
  explicit NothrowBox(std::in_place_t, const Allocator& allocator, Args&&... args)
      : allocator_(allocator) {
    std::unique_ptr<T, Deallocate> memory(Traits::allocate(allocator_, 1), Deallocate{allocator_});
    Traits::construct(allocator_, std::to_address(memory.get()), std::forward<Args>(args)...);
    value_ = memory.release();
  }
  NothrowBox(NothrowBox&& other) noexcept
      : allocator_(other.allocator_), value_(std::exchange(other.value_, nullptr)) {}
  NothrowBox& operator=(NothrowBox&&) = delete;
  ~NothrowBox() {
    if (value_ == nullptr) return;
    Traits::destroy(allocator_, std::to_address(value_));
    Traits::deallocate(allocator_, value_, 1);
  }

  [[nodiscard]] T& get() noexcept { return *value_; }
  [[nodiscard]] const T& get() const noexcept { return *value_; }
  void replace(NothrowBox&& other) noexcept { std::swap(value_, other.value_); }

 private:
  struct Deallocate {
    using pointer = Pointer;
    void operator()(Pointer memory) const noexcept { Traits::deallocate(allocator, memory, 1); }
    Rebound& allocator;
  };

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Rebound allocator_;
  Pointer value_ = nullptr;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_NOTHROW_BOX_H_
