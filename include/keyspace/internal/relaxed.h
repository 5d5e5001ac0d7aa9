// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_RELAXED_H_
#define KEYSPACE_INTERNAL_RELAXED_H_

#include <atomic>

namespace keyspace::internal {

// A number that several threads may read and write at the same time, for example under a lock that
// readers share. Its operations order nothing else (std::memory_order_relaxed). get() and set()
// cost as much as those of a plain number.
template <class T>
class Relaxed {
 public:
  constexpr Relaxed(T number = {}) noexcept : number_(number) {}  // NOLINT: implicit by design
  Relaxed(const Relaxed& other) noexcept : number_(other.get()) {}
  Relaxed& operator=(const Relaxed& other) noexcept {
    set(other.get());
    return *this;
  }

  [[nodiscard]] T get() const noexcept { return number_.load(std::memory_order_relaxed); }
  // If several threads call set(get() + n) at the same time, some of these additions may be lost.
  void set(T number) noexcept { number_.store(number, std::memory_order_relaxed); }

  // Adds one and returns the sum. No addition is lost if several threads call count() at the same
  // time. Slower than set().
  T count() noexcept { return number_.fetch_add(1, std::memory_order_relaxed) + 1; }

 private:
  std::atomic<T> number_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_RELAXED_H_
