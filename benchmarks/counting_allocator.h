#ifndef KEYSPACE_BENCHMARKS_COUNTING_ALLOCATOR_H_
#define KEYSPACE_BENCHMARKS_COUNTING_ALLOCATOR_H_

#include <algorithm>
#include <cstddef>
#include <memory>

// The bytes that counting allocators have allocated and not freed. The overhead of the system's
// allocator does not count.
inline std::size_t counted_bytes = 0;
// The largest value of counted_bytes so far. A benchmark may reset it.
inline std::size_t peak_of_counted_bytes = 0;

// Allocates as std::allocator does, and counts the bytes.
template <class T>
struct CountingAllocator {
  using value_type = T;

  CountingAllocator() = default;
  template <class U>
  CountingAllocator(const CountingAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor)

  T* allocate(std::size_t count) {
    T* const memory = std::allocator<T>().allocate(count);
    counted_bytes += count * sizeof(T);
    peak_of_counted_bytes = std::max<std::size_t>(peak_of_counted_bytes, counted_bytes);
    return memory;
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    counted_bytes -= count * sizeof(T);
    std::allocator<T>().deallocate(memory, count);
  }

  template <class U>
  bool operator==(const CountingAllocator<U>&) const noexcept {
    return true;
  }
};

#endif  // KEYSPACE_BENCHMARKS_COUNTING_ALLOCATOR_H_
