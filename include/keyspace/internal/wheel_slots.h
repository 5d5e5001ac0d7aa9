// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_WHEEL_SLOTS_H_
#define KEYSPACE_INTERNAL_WHEEL_SLOTS_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "keyspace/internal/probe.h"
#include "keyspace/internal/record_chunks.h"
#include "keyspace/internal/timer_record.h"

namespace keyspace::internal {

// The shape of the timer wheel: eight levels of 256 slots, and one open slot.
struct WheelLayout {
  static constexpr std::size_t kDigitBits = 8;
  static constexpr std::size_t kSlots = std::size_t{1} << kDigitBits;  // of a level
  static constexpr std::size_t kLevels = 64 / kDigitBits;

  // The number of a slot of some level. Numbers below kSlots stand for the open slot.
  using SlotId = std::size_t;
  static constexpr SlotId kOpen = 0;
  static constexpr SlotId kSlotIds = (kLevels + 1) * kSlots;
  static constexpr SlotId id(std::size_t level, std::size_t slot) noexcept {
    return (level + 1) * kSlots + slot;
  }
};

// The slots of one level.
struct WheelLevel {
  static constexpr std::size_t kSlots = WheelLayout::kSlots;

  // Returns the first slot in use at or after `slot`. After the last slot, the search continues
  // with the first one. Returns kSlots if no slot is in use.
  [[nodiscard]] std::size_t first_from(std::size_t slot) const noexcept {
    std::uint64_t word = used[slot / 64] & (~std::uint64_t{0} << slot % 64);
    for (std::size_t i = slot / 64, turns = 0; turns <= used.size(); ++turns) {
      if (word != 0) return i * 64 + static_cast<std::size_t>(std::countr_zero(word));
      i = (i + 1) % used.size();
      word = used[i];
    }
    return kSlots;
  }
  // Returns the last slot in use at or before `slot`; kSlots if there is none.
  [[nodiscard]] std::size_t last_to(std::size_t slot) const noexcept {
    std::uint64_t word = used[slot / 64] & (~std::uint64_t{0} >> (63 - slot % 64));
    for (std::size_t i = slot / 64;; word = used[--i]) {
      if (word != 0) return i * 64 + static_cast<std::size_t>(std::bit_width(word)) - 1;
      if (i == 0) return kSlots;
    }
  }

  std::array<RecordList, kSlots> lists;
  std::array<std::uint64_t, kSlots / 64> used = {};  // a bit for each slot that is not empty
};

// The memory of a timer wheel: its records, in slots. TimerWheel decides in which slot to put a
// record. WheelCollector drops stale records. A level takes no memory before its first record.
//
// Invariants, while neither of these two classes runs
//   1. The bit of a slot is set if and only if the slot holds records.
//   2. size() is the number of records in all slots.
template <class Allocator>
class WheelSlots : public WheelLayout {
 public:
  explicit WheelSlots(const Allocator& allocator) noexcept : pool_(allocator) {}
  WheelSlots(WheelSlots&& other) noexcept
      : pool_(std::move(other.pool_)),
        levels_(std::exchange(other.levels_, {})),
        open_(std::exchange(other.open_, RecordList())),
        size_(std::exchange(other.size_, 0)) {}
  WheelSlots& operator=(WheelSlots&&) = delete;
  ~WheelSlots() { clear(); }

  [[nodiscard]] Allocator allocator() const { return Allocator(pool_.allocator()); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // Returns a level; null if it has no memory yet.
  [[nodiscard]] WheelLevel* level_at(std::size_t level) const noexcept { return levels_[level]; }
  [[nodiscard]] RecordList& open_list() noexcept { return open_; }
  [[nodiscard]] const RecordList& open_list() const noexcept { return open_; }
  // Returns the records of a slot. REQUIRES: its level has memory.
  [[nodiscard]] RecordList& list(std::size_t level, std::size_t slot) noexcept {
    return levels_[level]->lists[slot];
  }
  [[nodiscard]] RecordList& list(SlotId id) noexcept {
    return id < kSlots ? open_ : level_of(id)->lists[id % kSlots];
  }
  [[nodiscard]] const RecordList& list(SlotId id) const noexcept {
    return id < kSlots ? open_ : level_of(id)->lists[id % kSlots];
  }
  // Returns the last slot in use of the level of `id` at or before `id`; kSlots if there is none.
  [[nodiscard]] std::size_t last_used_to(SlotId id) noexcept {
    const WheelLevel* const level = level_of(id);
    return level == nullptr ? kSlots : level->last_to(id % kSlots);
  }

  // Sets the bit of a slot. REQUIRES: it is not the open slot.
  void occupy(SlotId id) noexcept {
    level_of(id)->used[id % kSlots / 64] |= std::uint64_t{1} << id % 64;
  }
  // Clears the bit of a slot. Does nothing for the open slot, which has none.
  void vacate(SlotId id) noexcept {
    if (id >= kSlots) level_of(id)->used[id % kSlots / 64] &= ~(std::uint64_t{1} << id % 64);
  }

  // Adds a record. Throws what the allocator throws, and then has no effect.
  void push(std::size_t level, std::size_t slot, const TimerRecord& record) {
    if (levels_[level] == nullptr) levels_[level] = allocate_level();
    list(level, slot).push(record, pool_);
    occupy(id(level, slot));
    ++size_;
  }
  // Adds a record if the front chunk of the slot has room for it. Otherwise returns false.
  bool try_push(std::size_t level, std::size_t slot, const TimerRecord& record) noexcept {
    if (levels_[level] == nullptr || !list(level, slot).try_push(record)) return false;
    ++size_;
    return true;
  }

  // Removes the last record of the front chunk of a list.
  void pop(RecordList& list) noexcept {
    list.pop(pool_);
    --size_;
  }
  // Removes the last record of a chunk. The chunk may then be empty.
  void pop_in(RecordChunk& chunk) noexcept {
    --chunk.size;
    --size_;
  }
  void rotate(RecordList& list) noexcept { list.rotate(pool_); }

  // Makes a slot the open one. REQUIRES: the open slot is empty.
  void open_slot(SlotId id) noexcept {
    open_ = std::exchange(list(id), RecordList());
    vacate(id);
  }

  // Removes the records of a chunk for which is_needed(record) returns false. The chunk may then be
  // empty.
  template <class F>
  void filter(RecordChunk& chunk, const F& is_needed) noexcept {
    Probe::count(Probe::kRecordsRead, chunk.size);
    for (std::size_t i = chunk.size; i-- != 0;) {
      TimerRecord& record = chunk.records()[i];
      if (is_needed(record)) continue;
      record = chunk.back();
      pop_in(chunk);
    }
  }

  void shrink_to_fit() noexcept {
    pool_.drop_free_chunks();
    for (WheelLevel*& level : levels_) {
      if (level != nullptr && level->first_from(0) == kSlots) {
        deallocate_level(std::exchange(level, nullptr));
      }
    }
  }
  // Removes all records, and frees the memory of the levels.
  void clear() noexcept {
    open_.clear(pool_);
    for (WheelLevel*& level : levels_) {
      if (level == nullptr) continue;
      for (RecordList& list : level->lists) list.clear(pool_);
      deallocate_level(std::exchange(level, nullptr));
    }
    size_ = 0;
  }

 private:
  using Levels = typename std::allocator_traits<Allocator>::template rebind_alloc<WheelLevel>;
  using Traits = std::allocator_traits<Levels>;

  [[nodiscard]] WheelLevel* level_of(SlotId id) const noexcept { return level_at(id / kSlots - 1); }

  WheelLevel* allocate_level() {
    Levels allocator(pool_.allocator());
    auto memory = Traits::allocate(allocator, 1);
    return std::construct_at(std::to_address(memory));
  }
  void deallocate_level(WheelLevel* level) noexcept {
    Levels allocator(pool_.allocator());
    Traits::deallocate(allocator, std::pointer_traits<typename Traits::pointer>::pointer_to(*level),
                       1);
  }

  ChunkPool<Allocator> pool_;
  std::array<WheelLevel*, kLevels> levels_ = {};
  RecordList open_;
  std::size_t size_ = 0;
};

// Calls owner.prefetch(hash) for each record of a chunk.
template <class Owner>
void prefetch_entries(RecordChunk& chunk, Owner& owner) noexcept {
  for (std::size_t i = 0; i != chunk.size; ++i) owner.prefetch(chunk.records()[i].hash());
}

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_WHEEL_SLOTS_H_
