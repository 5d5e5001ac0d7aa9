// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_WHEEL_COLLECTOR_H_
#define KEYSPACE_INTERNAL_WHEEL_COLLECTOR_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "keyspace/internal/record_chunks.h"
#include "keyspace/internal/timer_record.h"
#include "keyspace/internal/wheel_slots.h"

namespace keyspace::internal {

// Drops the stale records of a timer wheel: an incremental mark-and-sweep garbage collector.
//
// A round checks every record of the wheel, a few dozen at a time. The rounds use two gc colours in
// turn. If a record matches an entry, the owner of the wheel gives the entry the colour of the
// round, and the record gets it too. A second record for the same entry then matches no more, so it
// is dropped. New records get the colour of the round, so the round need not check them.
//
// A round visits the slots from the highest level down, and the open slot last. When
// TimerWheel::advance() moves an unchecked record to a slot that the round has visited, the round
// goes back to that slot. The round may miss a record that drop_stale() or
// TimerWheel::resolve_soonest() moves within a slot. The next round skips that record, which has
// its colour already. The round after that checks it.
//
// Only TimerWheel calls this class. TimerWheel describes the members of an `owner`.
class WheelCollector {
  using Layout = WheelLayout;

 public:
  // Returns the gc colour of the records that the current round has checked, and of those that were
  // filed since it began.
  [[nodiscard]] bool gc_color() const noexcept { return gc_color_; }

  // Keeps slots.size() at or below 3 * needed + 2048. Call it after every change that makes records
  // stale or `needed` smaller. Allocates nothing and throws nothing. REQUIRES: exactly `needed`
  // records are not stale.
  //
  // Does nothing up to 2.5 * needed + 1024 records. Above that, it calls collect_step() once for
  // each record that became stale since the last call, or once for each one that `needed` fell by,
  // whichever is more.
  //
  // The proof. A step that does not end a round reads at least 31 records or 16 chunks. So a round
  // over n records takes about n / 31 steps, and 128 more if each of the 2048 slots has few
  // records. A record that becomes stale after the current round has checked it stays until the end
  // of the next round. In these two rounds, one record became stale, or `needed` fell by one, for
  // each step. So a step adds at most 3 to size() - 3 * needed. When size() passes
  // 2.5 * needed + 1024, that difference is 1024 - needed / 2. The two rounds add at most
  // 6 * (2.5 * needed + 1024) / 31 + 6 * 128, which is less than needed / 2 + 1024. (Evictions may
  // make a round miss records, and records that move may be checked twice. For these cases the
  // bound is tested, but not proven.)
  template <class Slots, class Owner>
  void collect_if_needed(Slots& slots, std::size_t needed, Owner& owner) noexcept {
    const std::size_t limit = 2 * needed + needed / 2 + kStaleSlack;
    const std::size_t stale = slots.size() - needed;
    if (slots.size() > limit) {
      std::size_t steps = std::max<std::size_t>(stale - std::min<std::size_t>(stale, stale_),
                                                needed_ - std::min<std::size_t>(needed_, needed));
      for (; steps != 0 && slots.size() > limit; --steps) collect_step(slots, owner);
    }
    stale_ = slots.size() - needed;
    needed_ = needed;
  }

  // Makes the round go back to a slot if it has visited that slot. Call it after a record of the
  // other gc colour was moved to the front chunk of the slot.
  template <class Slots>
  void revisit(Slots& slots, std::size_t level, std::size_t slot) noexcept {
    current_slot_ = std::max<Layout::SlotId>(current_slot_, Layout::id(level, slot));
    slots.list(level, slot).front().round = kNoRound;
  }

  // Drops the stale records among the first `count` records of a list, rounded up to whole chunks.
  // Asks `owner.is_stale(record)`.
  template <class Slots, class Owner>
  static void drop_stale(Slots& slots, RecordList& list, std::size_t count, Owner& owner) noexcept {
    const RecordChunk* const last = list.last();
    for (std::size_t left = count; left != 0 && !list.empty();) {
      RecordChunk& chunk = list.front();
      left = &chunk == last ? 0 : left - std::min<std::size_t>(left, chunk.size);
      prefetch_entries(chunk, owner);
      slots.filter(chunk, [&](const TimerRecord& record) { return !owner.is_stale(record); });
      slots.rotate(list);
    }
  }

  // Ends the round. Call it after all records were removed.
  void reset() noexcept {
    stale_ = needed_ = 0;
    is_in_round_ = false;
  }

 private:
  friend struct TestPeer;

  static constexpr int kChunksPerStep = 16;
  static constexpr std::size_t kStaleSlack = 1024;
  // The proof in collect_if_needed() relies on these numbers.
  static_assert(RecordChunk::kMaxCapacity >= 30);
  static_assert(6 * (kStaleSlack / RecordChunk::kMaxCapacity +
                     Layout::kLevels * Layout::kSlots / kChunksPerStep) <=
                kStaleSlack);

  // Checks a few dozen records, and drops those for which `owner.match_record(record)` returns
  // false. Begins a round if none is running. Repeated calls complete the round.
  template <class Slots, class Owner>
  void collect_step(Slots& slots, Owner& owner) noexcept {
    if (!is_in_round_) start_round();
    std::size_t seen = 0;
    RecordList* list = next_list(slots);
    for (int chunks = 0;
         list != nullptr && chunks != kChunksPerStep && seen < RecordChunk::kMaxCapacity;
         ++chunks) {
      RecordChunk& chunk = list->front();
      chunk.round = round_;
      seen += chunk.size;
      slots.filter(chunk, [&](TimerRecord& record) {
        if (record.gc_color() == gc_color_) return true;
        if (!owner.match_record(record)) return false;
        record.flip_gc_color();
        return true;
      });
      slots.rotate(*list);
      if (list->empty()) slots.vacate(current_slot_);
      list = next_list(slots);
      if (list != nullptr) prefetch_entries(list->front(), owner);  // mostly for the next step
    }
    is_in_round_ = list != nullptr;
  }

  // Returns the list whose front chunk the round checks next; null if the round is complete.
  template <class Slots>
  [[nodiscard]] RecordList* next_list(Slots& slots) noexcept {
    while (current_slot_ >= Layout::kSlots) {
      const std::size_t slot = slots.last_used_to(current_slot_);
      current_slot_ =
          current_slot_ / Layout::kSlots * Layout::kSlots + (slot == Layout::kSlots ? 0 : slot);
      if (slot != Layout::kSlots && slots.list(current_slot_).front().round != round_) {
        return &slots.list(current_slot_);
      }
      --current_slot_;
    }
    RecordList& open = slots.open_list();
    return open.empty() || open.front().round == round_ ? nullptr : &open;
  }

  void start_round() noexcept {
    gc_color_ = !gc_color_;
    if (++round_ == kNoRound) ++round_;
    current_slot_ = Layout::kSlotIds - 1;
  }

  std::size_t stale_ = 0;   // how many records were stale after the last collect_if_needed()
  std::size_t needed_ = 0;  // and how many were not
  Layout::SlotId current_slot_ = Layout::kOpen;  // the slot that the round checks next
  std::uint32_t round_ = 0;                      // the number of the last round that began
  bool is_in_round_ = false;
  bool gc_color_ = false;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_WHEEL_COLLECTOR_H_
