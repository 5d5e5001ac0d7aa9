// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_TABLE_MEMORY_H_
#define KEYSPACE_INTERNAL_TABLE_MEMORY_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "keyspace/internal/probe.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace keyspace::internal {

// The memory of large hash tables. The first write to a page of memory, and the release of a page,
// may take microseconds. The table of ten million entries has about a hundred thousand pages. So:
//   - The memory of a large table is allocated before the table is made. prepare_step() writes to
//     the pages that its constructor will write, 4 KB in each call.
//   - On Linux, release_step() releases a part of a table that is no longer needed.
// Smaller tables need no steps: allocate() and deallocate() pass them on to the allocator.
//
// Element is the type of the elements of the tables.
template <class Allocator, class Element>
class TableMemory {
 public:
  // Returns true if a table of this size is allocated and released in steps.
  static bool is_large(std::size_t bytes) noexcept { return bytes >= StepSize::large_table; }

  // Returns how many calls of prepare_step() write this many bytes.
  static constexpr std::size_t steps_to_prepare(std::size_t bytes) noexcept {
    return bytes / kPrepareStep + 1;
  }

  // Makes and deletes a TableMemory.
  struct Deleter {
    using Rebound = typename std::allocator_traits<Allocator>::template rebind_alloc<TableMemory>;
    using Traits = std::allocator_traits<Rebound>;
    // Throws what the allocator throws.
    [[nodiscard]] TableMemory* make() const {
      Rebound rebound(allocator);
      return std::construct_at(std::to_address(Traits::allocate(rebound, 1)), allocator);
    }
    void operator()(TableMemory* memory) const noexcept {
      Rebound rebound(allocator);
      std::destroy_at(memory);
      Traits::deallocate(rebound,
                         std::pointer_traits<typename Traits::pointer>::pointer_to(*memory), 1);
    }
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Allocator allocator;
  };

  explicit TableMemory(const Allocator& allocator) noexcept : units_(allocator) {}
  TableMemory(TableMemory&&) = delete;
  ~TableMemory() { release_all(); }

  // Allocates a block. A later allocate() of between half of `bytes` and `bytes` returns it.
  // prepare_step() will write its first `to_write` bytes. Throws what the allocator throws, and
  // then has no effect.
  void prepare(std::size_t bytes, std::size_t to_write) {
    drop_prepared();
    prepared_ = {allocate_units(units(bytes)), units(bytes)};
    written_ = 0;
    to_write_ = std::min<std::size_t>(to_write, bytes);
  }
  // Returns true if these bytes are written.
  [[nodiscard]] bool is_prepared() const noexcept { return written_ == to_write_; }
  // Writes the next 4 KB.
  void prepare_step() noexcept {
    const std::size_t size = std::min<std::size_t>(kPrepareStep, to_write_ - written_);
    if (size == 0) return;
    std::memset(prepared_.memory + written_, 0, size);
    written_ += size;
  }

  void drop_prepared() noexcept {
    if (prepared_.memory == nullptr) return;
    deallocate_units(prepared_.memory, prepared_.units);
    prepared_ = Block();
    written_ = to_write_ = 0;
  }

  [[nodiscard]] bool is_releasing() const noexcept { return retired_ != nullptr; }
  // Releases a few more pages of a block that is no longer needed. At last deallocates the block.
  void release_step() noexcept {
    if (retired_ == nullptr) return;
#if defined(__linux__)
    if (retired_->begin != retired_->end) {
      const auto size = std::min<std::size_t>(
          retired_->step, static_cast<std::size_t>(retired_->end - retired_->begin));
      // If this fails, deallocate_units() releases the pages.
      madvise(retired_->begin, size, MADV_DONTNEED);
      retired_->begin += size;
      return;
    }
#endif
    const Retired block = *retired_;
    deallocate_units(reinterpret_cast<std::byte*>(std::exchange(retired_, block.next)),
                     block.units);
  }
  // Releases everything that no table uses.
  void release_all() noexcept {
    drop_prepared();
    while (retired_ != nullptr) {
      retired_->begin = retired_->end;
      release_step();
    }
  }

  // Estimates how many of the buckets of the large table in use have a deletion mark, from a sample
  // of 4,096. The control bytes of the buckets are at the start of a table's memory. That of a
  // deletion mark is 0xFE. (That is so in every release of abseil up to 2026. No release tells the
  // number of marks.) REQUIRES: one large table is in use. It has at least 2^15 buckets.
  [[nodiscard]] std::size_t deletion_marks(std::size_t buckets) noexcept {
    constexpr std::size_t kParts = 64;
    constexpr std::size_t kBytes = 64;  // of each part
    const std::size_t part = buckets / kParts;
    sampled_ = (sampled_ + kBytes) % (part - kBytes);
    const auto table = std::find_if(tables_.begin(), tables_.end(),
                                    [](const Block& b) { return b.memory != nullptr; });
    assert(table != tables_.end());
    std::ptrdiff_t marks = 0;
    for (std::size_t i = 0; i != kParts; ++i) {
      const std::byte* const bytes = table->memory + i * part + sampled_;
      marks += std::count(bytes, bytes + kBytes, std::byte{0xFE});
    }
    return static_cast<std::size_t>(marks) * (buckets / (kParts * kBytes));
  }

  // Returns the prepared block if it fits, or else a new one. Throws what the allocator throws, and
  // then has no effect.
  std::byte* allocate(std::size_t bytes) {
    if (!is_large(bytes)) return allocate_units(units(bytes));
    Block block = prepared_;
    if (block.units < units(bytes) || block.units / 2 > units(bytes)) {
      block = {allocate_units(units(bytes)), units(bytes)};
      drop_prepared();
    }
    prepared_ = Block();
    written_ = to_write_ = 0;
    Block* const free = find_table(nullptr);
    assert(free != nullptr);
    *free = block;
    return block.memory;
  }
  // Takes back a block. Begins to release it in steps if it is large.
  void deallocate(std::byte* memory, std::size_t bytes) noexcept {
    Block* const table = find_table(memory);
    if (table == nullptr) {
      deallocate_units(memory, units(bytes));
      return;
    }
    const std::size_t count = std::exchange(*table, Block()).units;
    Retired* const retired = std::construct_at(reinterpret_cast<Retired*>(memory));
    retired->units = count;
#if defined(__linux__)
    // Releases only whole pages, because the rest of the first and of the last page may belong to
    // other blocks. The first bytes stay: they hold the Retired.
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    const std::uintptr_t first = (address + sizeof(Retired) + page - 1) / page * page;
    const std::uintptr_t last = (address + count * sizeof(Unit)) / page * page;
    if (first < last) {
      retired->begin = memory + (first - address);
      retired->end = memory + (last - address);
    }
    retired->step = std::max<std::size_t>(kReleaseStep / page, 1) * page;
#endif
    Retired** end = &retired_;
    while (*end != nullptr) end = &(*end)->next;
    *end = retired;
  }

 private:
  static constexpr std::size_t kPrepareStep = 4096;
  // At least the bytes of 256 elements, so that a release keeps up with erasures. (See
  // Engine::kErasuresPerStep.)
  static constexpr std::size_t kReleaseStep =
      std::max<std::size_t>(std::size_t{16} << 10, 256 * sizeof(Element));

  static constexpr std::size_t kAlignment =
      std::max<std::size_t>(alignof(Element), alignof(std::max_align_t));
  struct alignas(kAlignment) Unit {
    std::byte bytes[kAlignment];
  };
  using Units = typename std::allocator_traits<Allocator>::template rebind_alloc<Unit>;
  using Traits = std::allocator_traits<Units>;

  struct Block {
    std::byte* memory = nullptr;
    std::size_t units = 0;
  };
  // The first bytes of a block that is no longer needed.
  struct Retired {
    Retired* next = nullptr;
    std::size_t units = 0;
    std::byte* begin = nullptr;  // of the whole pages that are not released yet
    std::byte* end = nullptr;
    std::size_t step = 0;
  };

  static constexpr std::size_t units(std::size_t bytes) noexcept {
    return (std::max<std::size_t>(bytes, sizeof(Retired)) + sizeof(Unit) - 1) / sizeof(Unit);
  }
  std::byte* allocate_units(std::size_t count) {
    return reinterpret_cast<std::byte*>(std::to_address(Traits::allocate(units_, count)));
  }
  void deallocate_units(std::byte* memory, std::size_t count) noexcept {
    Unit& first = *reinterpret_cast<Unit*>(memory);
    Traits::deallocate(units_, std::pointer_traits<typename Traits::pointer>::pointer_to(first),
                       count);
  }
  // Returns the large block in use that begins at `memory`; null if there is none.
  Block* find_table(const std::byte* memory) noexcept {
    const auto table = std::find_if(tables_.begin(), tables_.end(),
                                    [memory](const Block& b) { return b.memory == memory; });
    return table == tables_.end() ? nullptr : &*table;
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Units units_;
  Block prepared_;
  std::size_t written_ = 0;     // of prepared_, in bytes
  std::size_t to_write_ = 0;    // likewise
  Retired* retired_ = nullptr;  // the blocks that are no longer needed
  // The large blocks in use: those of a map's two tables. One more while flat_hash_map rehashes a
  // table by itself. New releases do so with AddressSanitizer.
  std::array<Block, 3> tables_ = {};
  std::size_t sampled_ = 0;  // where deletion_marks() read last in each part
};

// The allocator of a hash table. If `memory_` is not null, all memory comes from there, and else
// from `Allocator`.
template <class T, class Allocator, class Element>
class TableAllocator {
  using Memory = TableMemory<Allocator, Element>;

 public:
  using value_type = T;
  template <class U>
  struct rebind {
    using other = TableAllocator<U, Allocator, Element>;
  };

  TableAllocator(const Allocator& allocator, Memory* memory) noexcept
      : allocator_(allocator), memory_(memory) {}
  template <class U>
  TableAllocator(  // NOLINT: implicit, as every allocator has it
      const TableAllocator<U, Allocator, Element>& other) noexcept
      : allocator_(other.allocator_), memory_(other.memory_) {}

  [[nodiscard]] const Allocator& inner() const noexcept { return allocator_; }

  T* allocate(std::size_t count) {
    if (memory_ != nullptr) {
      return reinterpret_cast<T*>(memory_->allocate(count * sizeof(T)));
    }
    Rebound rebound(allocator_);
    return std::to_address(std::allocator_traits<Rebound>::allocate(rebound, count));
  }
  void deallocate(T* pointer, std::size_t count) noexcept {
    if (memory_ != nullptr) {
      memory_->deallocate(reinterpret_cast<std::byte*>(pointer), count * sizeof(T));
      return;
    }
    using Traits = std::allocator_traits<Rebound>;
    Rebound rebound(allocator_);
    Traits::deallocate(rebound, std::pointer_traits<typename Traits::pointer>::pointer_to(*pointer),
                       count);
  }

  template <class U>
  bool operator==(const TableAllocator<U, Allocator, Element>& other) const noexcept {
    return memory_ == other.memory_ && allocator_ == other.allocator_;
  }

 private:
  template <class, class, class>
  friend class TableAllocator;
  using Rebound = typename std::allocator_traits<Allocator>::template rebind_alloc<T>;

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Allocator allocator_;
  Memory* memory_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_TABLE_MEMORY_H_
