// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_TIMER_WHEEL_H_
#define KEYSPACE_INTERNAL_TIMER_WHEEL_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>

#include "absl/base/attributes.h"
#include "keyspace/internal/budget.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/probe.h"
#include "keyspace/internal/record_chunks.h"
#include "keyspace/internal/timer_record.h"
#include "keyspace/internal/wheel_collector.h"
#include "keyspace/internal/wheel_slots.h"

namespace keyspace::internal {

// Keeps records in slots by their times: a hierarchical timer wheel. The records of one slot are in
// no particular order.
//
// The wheel has eight levels of 256 slots. A slot of level 0 covers one tick. A slot of level n
// covers 256 slots of level n - 1. To find the slot of a record, write its time and the cursor in
// base 256. The highest digit that differs gives the level, and that digit of the record's time is
// the slot. When the cursor reaches the start of a slot, the slot is opened: due records are
// resolved, and the others are filed again at a lower level. So a record moves at most seven times
// before it is due, unless the cursor moves back meanwhile.
//
// The wheel knows times and hashes, but no keys, values or clocks. No entry points to its record,
// so a record may be stale: no entry needs it any more. Only the owner can tell. The wheel asks the
// owner when a record is due or is the earliest, and when it collects stale records.
//
// Some calls take an `owner`. advance() uses the first two of these members, resolve_soonest() all
// but match_record(), and collect_if_needed() prefetch() and match_record():
//
//   prefetch(hash)               begins to load the entries whose key has this hash
//   resolve_due(record, budget)  decides about the entries that the record may be filed for: erases
//                                them, files new records for them, or chooses one to evict. Takes
//                                erasures and steps from the budget. Returns true if the record is
//                                not needed any more. If it returns false, because the budget was
//                                spent first, or if it throws, the record stays.
//   match_record(record)         finds an entry that the record matches, and flips the gc colour of
//                                the entry. Returns false if there is none. Does not throw.
//   is_stale(record)             returns true if the record matches no entry. Does not throw.
//   records_needed()             returns the number of records that are not stale
//   records_to_check()           returns how many records to check for staleness
//
// The wheel of deadlines belongs to ExpiringMap, and the wheel of requests to LruEviction.
// VictimFinder searches both for the entry to evict.
//
// Invariants
//   1. For each record outside the open slot: cursor <= start of its slot <= its time. (A turn of a
//      level is 256 of its slots. A slot starts once in each turn. Its start here is the last one
//      at or before the record's time.) If a record before the cursor is filed, for example after
//      the clock went back, the cursor moves back to it. Then a slot may be opened a turn too
//      early. Its records that are not due are filed again.
//   2. next_due() is at or before the time of every record.
//   3. Each call but clear() takes constant time beyond its budget and records_to_check().
//   4. If the owner calls collect_if_needed(), the number of stale records is bounded: see there.
template <class Allocator>
class TimerWheel {
 public:
  explicit TimerWheel(const Allocator& allocator) noexcept : slots_(allocator) {}
  // Leaves `other` empty.
  TimerWheel(TimerWheel&& other) noexcept
      : slots_(std::move(other.slots_)),
        collector_(std::exchange(other.collector_, WheelCollector())),
        cursor_(std::exchange(other.cursor_, 0)),
        next_due_(std::exchange(other.next_due_, kNeverMillis)) {}
  TimerWheel& operator=(TimerWheel&&) = delete;

  [[nodiscard]] Allocator allocator() const { return slots_.allocator(); }

  // Returns the number of records, stale ones included.
  [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

  // Returns a time at or before that of every record; kNeverMillis if there is none. Mostly exact
  // after an advance() that did not spend its budget. Otherwise it may be too early.
  [[nodiscard]] Millis next_due() const noexcept { return next_due_; }

  // Returns the tag of a record that is filed now for this time.
  [[nodiscard]] TimerRecord::Tag tag(Millis time) const noexcept {
    return TimerRecord::tag(collector_.gc_color(), time);
  }

  // Adds a record. Throws what the allocator throws, and then has no effect.
  void file(std::size_t hash, Millis time) { file(TimerRecord(hash, collector_.gc_color(), time)); }
  // Adds a record if that takes only a few instructions. Otherwise does nothing and returns false.
  bool try_file(std::size_t hash, Millis time) noexcept {
    return try_file(TimerRecord(hash, collector_.gc_color(), time));
  }

  // Resolves the records that are due at `now`, slot by slot, until the budget is spent. Calls
  // `owner.resolve_due(record, budget)` for each. Drops the record if that returns true, and ends
  // if it returns false. Calls `owner.prefetch(hash)` for several records before it resolves them.
  // Throws what resolve_due() and the allocator throw; then the record stays.
  template <class Owner>
  void advance(Millis now, Budget& budget, Owner& owner) {
    for (;;) {
      RecordList& open = slots_.open_list();
      if (open.empty()) {
        const NextSlot next = next_slot();
        if (next.id == Layout::kOpen || to_millis(next.start) > now) {
          stop_before(next, now, owner);
          return;
        }
        open_slot(next);
      }
      if (budget.is_spent()) return;
      RecordChunk& chunk = open.front();
      std::size_t batch = std::min<std::size_t>(chunk.size, budget.steps);
      for (std::size_t i = chunk.size - batch; i != chunk.size; ++i) {
        if (chunk.records()[i].time() <= now) owner.prefetch(chunk.records()[i].hash());
      }
      for (; batch != 0 && !budget.is_spent(); --batch) {
        const TimerRecord record = chunk.back();
        Probe::count(Probe::kRecordsRead);
        --budget.steps;
        if (record.time() > now) {
          file_again(record);
        } else if (!owner.resolve_due(record, budget)) {
          return;
        }
        slots_.pop(open);
      }
    }
  }

  // Does what advance() does, for the earliest record only, even if it is not due. If many records
  // lie close together, compares only about 1,000 of them, and up to 4,000 more if size() exceeds
  // `owner.records_needed()`. Then checks about `owner.records_to_check()` records of the same
  // slot, and drops those for which `owner.is_stale(record)` is true. REQUIRES: there is a record.
  template <class Owner>
  void resolve_soonest(Budget& budget, Owner& owner) {
    SoonestRecord soonest;
    soonest.left += std::min<std::size_t>(
        size() - std::min<std::size_t>(size(), owner.records_needed()), kMoreToCompareIfStale);
    soonest.compare(slots_.open_list(), Layout::kOpen, cursor_);
    for (std::size_t level = 0; level != Layout::kLevels; ++level) {
      NextSlot next = first_slot(level, cursor_);
      // Mostly reads one slot of a level. After the cursor moved back, the first slot may hold only
      // records of later turns. Then later slots are read too.
      for (const SlotId first = next.id; next.id != Layout::kOpen && next.start <= soonest.tick;) {
        soonest.compare(slots_.list(next.id), next.id, next.start);
        next = first_slot(level, next.start + (Tick{1} << level * Layout::kDigitBits));
        if (next.id == first) break;
      }
    }
    RecordList& from = slots_.list(soonest.slot);
    RecordChunk& chunk = from.front();
    const std::size_t last = chunk.size - 1u;
    std::swap(*soonest.record, chunk.back());
    if (!owner.resolve_due(TimerRecord(chunk.back()), budget)) return;
    // resolve_due() may have filed a record behind this one, or in a new front chunk if this chunk
    // was full.
    chunk.records()[last] = chunk.back();
    if (&chunk == &from.front()) {
      slots_.pop(from);
    } else {
      slots_.pop_in(chunk);
    }
    WheelCollector::drop_stale(slots_, from, owner.records_to_check(), owner);
    if (from.empty()) slots_.vacate(soonest.slot);
  }

  // Calls f(slot, start) for each slot that has records. None of its records is before `start`.
  template <class F>
  void for_each_slot(const F& f) const {
    if (!slots_.open_list().empty()) f(Layout::kOpen, to_millis(cursor_));
    for (std::size_t level = 0; level != Layout::kLevels; ++level) {
      NextSlot next = first_slot(level, cursor_);
      for (const SlotId first = next.id; next.id != Layout::kOpen;) {
        f(next.id, to_millis(next.start));
        next = first_slot(level, next.start + (Tick{1} << level * Layout::kDigitBits));
        if (next.id == first) break;
      }
    }
  }
  // Calls f(record) for each record of a slot. REQUIRES: for_each_slot() shows the slot.
  template <class F>
  void for_each_record(WheelLayout::SlotId slot, const F& f) const {
    RecordChunk* const front = &slots_.list(slot).front();
    RecordChunk* chunk = front;
    do {
      Probe::count(Probe::kRecordsRead, chunk->size);
      for (std::size_t i = 0; i != chunk->size; ++i) f(std::as_const(chunk->records()[i]));
      chunk = chunk->next;
    } while (chunk != front);
  }

  // Keeps size() at or below 3 * needed + 2048. Call it after every change that makes records stale
  // or `needed` smaller. Calls `owner.match_record(record)` and `owner.prefetch(hash)`. Allocates
  // nothing and throws nothing. REQUIRES: exactly `needed` records are not stale.
  template <class Owner>
  void collect_if_needed(std::size_t needed, Owner& owner) noexcept {
    collector_.collect_if_needed(slots_, needed, owner);
  }

  // Releases the memory that the records do not need.
  void shrink_to_fit() noexcept { slots_.shrink_to_fit(); }
  void clear() noexcept {
    slots_.clear();
    collector_.reset();
    next_due_ = kNeverMillis;
  }

 private:
  friend struct TestPeer;
  using Layout = WheelLayout;
  using SlotId = Layout::SlotId;

  // About how many records resolve_soonest() compares in all slots together, and how many more if
  // some are stale. (1,000 entries may have up to 2 * 1000 + 2048 stale records.)
  static constexpr std::size_t kToCompare = 1000;
  static constexpr std::size_t kMoreToCompareIfStale = 4000;

  struct Place {
    std::size_t level;
    std::size_t slot;
  };
  // Returns the slot of a record whose time is at or after the cursor.
  [[nodiscard]] Place place_of(Tick tick) const noexcept {
    const auto highest_bit = static_cast<std::size_t>(63 - std::countl_zero((tick ^ cursor_) | 1));
    const std::size_t level = highest_bit / Layout::kDigitBits;
    return {level,
            static_cast<std::size_t>(tick >> level * Layout::kDigitBits & (Layout::kSlots - 1))};
  }

  bool try_file(const TimerRecord& record) noexcept {
    const Tick tick = record.tick();
    if (tick < cursor_) return false;
    const auto [level, slot] = place_of(tick);
    if (!slots_.try_push(level, slot, record)) return false;
    next_due_ = std::min<Millis>(next_due_, record.time());
    Probe::count(Probe::kRecordsFiled);
    return true;
  }
  void file(const TimerRecord& record) {
    if (!try_file(record)) [[unlikely]]
      file_in_new_chunk(record);
  }
  // Files a record of the open slot in its new slot. The caller removes it from the open slot.
  void file_again(const TimerRecord& record) {
    file(record);
    if (record.gc_color() == collector_.gc_color()) return;
    const auto [level, slot] = place_of(record.tick());
    collector_.revisit(slots_, level, slot);
  }
  ABSL_ATTRIBUTE_NOINLINE void file_in_new_chunk(const TimerRecord& record) {
    if (size() == 0) next_due_ = kNeverMillis;
    if (size() == 0 || record.tick() < cursor_) cursor_ = record.tick();
    const auto [level, slot] = place_of(record.tick());
    slots_.push(level, slot, record);
    next_due_ = std::min<Millis>(next_due_, record.time());
    Probe::count(Probe::kRecordsFiled);
  }

  struct NextSlot {
    SlotId id;  // kOpen: all slots are empty
    Tick start;
  };

  // The earliest of the records that were compared so far.
  struct SoonestRecord {
    void compare(RecordList& list, SlotId id, Tick start) noexcept {
      if (list.empty()) return;
      RecordChunk* chunk = &list.front();
      do {
        Probe::count(Probe::kRecordsRead, chunk->size);
        for (std::size_t i = 0; i != chunk->size; ++i) {
          TimerRecord& next = chunk->records()[i];
          if (record != nullptr && next.tick() >= tick) continue;
          record = &next;
          tick = next.tick();
          slot = id;
        }
        left -= std::min<std::size_t>(left, chunk->size);
        chunk = chunk->next;
      } while (chunk != &list.front() && tick > start && left != 0);
    }

    TimerRecord* record = nullptr;
    Tick tick = kLastTick;
    SlotId slot = Layout::kOpen;
    std::size_t left = kToCompare;  // how many more records to compare
  };

  // Returns the first slot in use of a level that starts at or after `from`.
  [[nodiscard]] NextSlot first_slot(std::size_t level, Tick from) const noexcept {
    const WheelLevel* const slots = slots_.level_at(level);
    if (slots == nullptr) return {Layout::kOpen, 0};
    const std::size_t shift = level * Layout::kDigitBits;
    const bool at_start = (from & ((Tick{1} << shift) - 1)) == 0;
    const Tick count = (from >> shift) + (at_start ? 0 : 1);  // of slots since tick 0
    const std::size_t digit = count % Layout::kSlots;
    const std::size_t slot = slots->first_from(digit);
    if (slot == Layout::kSlots) return {Layout::kOpen, 0};
    return {Layout::id(level, slot), (count - digit + slot + (slot < digit ? Layout::kSlots : 0))
                                         << shift};
  }
  // Returns the first slot in use of all levels that starts at or after the cursor.
  [[nodiscard]] NextSlot next_slot() const noexcept {
    NextSlot next = {Layout::kOpen, kLastTick};
    for (std::size_t level = 0; level != Layout::kLevels; ++level) {
      const NextSlot first = first_slot(level, cursor_);
      if (first.id == Layout::kOpen) continue;
      if (first.start <= next.start) next = first;
      // No slot of a higher level starts in the middle of a turn of level 0.
      if (level == 0 && cursor_ % Layout::kSlots != 0 &&
          first.start / Layout::kSlots == cursor_ / Layout::kSlots) {
        break;
      }
    }
    return next;
  }

  void open_slot(const NextSlot& next) noexcept {
    cursor_ = next.start;
    next_due_ = to_millis(next.start);
    slots_.open_slot(next.id);
  }

  // Moves the cursor up to `now`, and sets next_due_. REQUIRES: the open slot is empty, and the
  // next slot starts after `now`.
  template <class Owner>
  void stop_before(const NextSlot& next, Millis now, Owner& owner) noexcept {
    cursor_ = std::max<Tick>(cursor_, to_tick(now));
    next_due_ = next.id == Layout::kOpen ? kNeverMillis : to_millis(next.start);
    if (next.id == Layout::kOpen) return;
    RecordList& list = slots_.list(next.id);
    RecordChunk& chunk = list.front();
    if (next.id < Layout::id(1, 0)) {
      // A slot of level 0 starts when its records are due. A loop that advances tick by tick soon
      // needs their entries.
      prefetch_entries(chunk, owner);
    } else if (list.has_one_chunk()) {
      // Above level 0, the first record may be long after the start of the slot. To find its time
      // is quick if the slot has one chunk.
      slots_.vacate(next.id);
      Tick earliest = next_slot().start;
      slots_.occupy(next.id);
      Probe::count(Probe::kRecordsRead, chunk.size);
      for (std::size_t i = 0; i != chunk.size; ++i) {
        earliest = std::min<Tick>(earliest, chunk.records()[i].tick());
      }
      next_due_ = to_millis(earliest);
    }
  }

  WheelSlots<Allocator> slots_;
  WheelCollector collector_;
  Tick cursor_ = 0;
  Millis next_due_ = kNeverMillis;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_TIMER_WHEEL_H_
