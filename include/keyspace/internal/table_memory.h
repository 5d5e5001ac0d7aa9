// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_TABLE_MEMORY_H_
#define KEYSPACE_INTERNAL_TABLE_MEMORY_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <array>
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
//   - The memory of a large table is allocated before the table is made. prepare_step() writes the
//     pages that its constructor will write, one page in each call.
//   - On Linux, release_step() releases a part of a table that is no longer needed.
// Smaller tables need no steps: allocate() and deallocate() pass them on to the allocator.
//
// kAlignment is the alignment of the elements.
template <class Allocator, std::size_t kAlignment>
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

  // Allocates a block for a later allocate() of at most `bytes`, and nearly as many. prepare_step()
  // will write its first `to_write` bytes. Throws what the allocator throws, and then has no
  // effect.
  void prepare(std::size_t bytes, std::size_t to_write) {
    drop_prepared();
    prepared_ = {allocate_units(units(bytes)), units(bytes)};
    written_ = 0;
    to_write_ = std::min<std::size_t>(to_write, bytes);
  }
  // Returns true if these bytes are written.
  [[nodiscard]] bool is_prepared() const noexcept { return written_ == to_write_; }
  // Writes one more page.
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
    *std::find_if(tables_.begin(), tables_.end() - 1,
                  [](const Block& b) { return b.memory == nullptr; }) = block;
    return block.memory;
  }
  // Takes back a block. Begins to release it in steps if it is large.
  void deallocate(std::byte* memory, std::size_t bytes) noexcept {
    const auto table = std::find_if(tables_.begin(), tables_.end(),
                                    [&](const Block& b) { return b.memory == memory; });
    if (table == tables_.end()) {
      deallocate_units(memory, units(bytes));
      return;
    }
    const std::size_t count = std::exchange(*table, Block()).units;
    Retired* const retired = std::construct_at(reinterpret_cast<Retired*>(memory));
    retired->units = count;
#if defined(__linux__)
    // Whole pages only, and not the first bytes, where this list is. The rest of the first and of
    // the last page may hold other blocks.
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
  static constexpr std::size_t kReleaseStep = 16384;

  struct alignas(std::max<std::size_t>(kAlignment, alignof(std::max_align_t))) Unit {
    std::byte bytes[std::max<std::size_t>(kAlignment, alignof(std::max_align_t))];
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
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Units units_;
  Block prepared_;
  std::size_t written_ = 0;     // of prepared_, in bytes
  std::size_t to_write_ = 0;    // likewise
  Retired* retired_ = nullptr;  // the blocks that are no longer needed
  // The large blocks in use: those of a map's two tables, and of the next one.
  std::array<Block, 3> tables_ = {};
};

// The allocator of a hash table. If `memory_` is not null, all memory comes from there, and else
// from `Allocator`.
template <class T, class Allocator, std::size_t kAlignment>
class TableAllocator {
  using Memory = TableMemory<Allocator, kAlignment>;

 public:
  using value_type = T;
  template <class U>
  struct rebind {
    using other = TableAllocator<U, Allocator, kAlignment>;
  };

  TableAllocator(const Allocator& allocator, Memory* memory) noexcept
      : allocator_(allocator), memory_(memory) {}
  template <class U>
  TableAllocator(  // NOLINT: implicit, as every allocator has it
      const TableAllocator<U, Allocator, kAlignment>& other) noexcept
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
  bool operator==(const TableAllocator<U, Allocator, kAlignment>& other) const noexcept {
    return memory_ == other.memory_ && allocator_ == other.allocator_;
  }

 private:
  template <class, class, std::size_t>
  friend class TableAllocator;
  using Rebound = typename std::allocator_traits<Allocator>::template rebind_alloc<T>;

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Allocator allocator_;
  Memory* memory_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_TABLE_MEMORY_H_
