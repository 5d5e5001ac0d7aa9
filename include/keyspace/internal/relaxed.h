#ifndef KEYSPACE_INTERNAL_RELAXED_H_
#define KEYSPACE_INTERNAL_RELAXED_H_

#include <atomic>

namespace keyspace::internal {

// A number that threads may read and write at once, as they do under a shared lock. Of writes at
// the same time some are lost. On one thread it costs what a plain number costs.
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
  void set(T number) noexcept { number_.store(number, std::memory_order_relaxed); }

  // Adds one, and returns the sum. None is lost beside other calls of this; it takes longer than
  // set().
  T count() noexcept { return number_.fetch_add(1, std::memory_order_relaxed) + 1; }

 private:
  std::atomic<T> number_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_RELAXED_H_
