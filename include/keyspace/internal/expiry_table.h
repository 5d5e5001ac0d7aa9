#ifndef KEYSPACE_INTERNAL_EXPIRY_TABLE_H_
#define KEYSPACE_INTERNAL_EXPIRY_TABLE_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "absl/base/attributes.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/probe.h"
#include "keyspace/internal/record.h"

namespace keyspace::internal {

// A limit that is never reached.
inline constexpr std::size_t kUnlimited = (std::numeric_limits<std::size_t>::max)();

// How many more entries a call may erase, and how many more records it may handle.
struct Budget {
  // Enough for two records to come all the way down the wheel, level by level, and to be settled.
  static constexpr std::size_t kSlack = 16;

  explicit Budget(std::size_t limit) noexcept
      : erasures(limit), steps(std::min<std::size_t>(limit, kUnlimited - kSlack) + kSlack) {}
  [[nodiscard]] bool spent() const noexcept { return erasures == 0 || steps == 0; }

  // Takes a part of this away, with so many erasures at most; join() gives back what is left of it.
  [[nodiscard]] Budget split(std::size_t limit) noexcept {
    Budget part(std::min<std::size_t>(limit, erasures));
    part.steps = std::min<std::size_t>(part.steps, steps);
    erasures -= part.erasures;
    steps -= part.steps;
    return part;
  }
  void join(const Budget& rest) noexcept {
    erasures += rest.erasures;
    steps += rest.steps;
  }

  std::size_t erasures;
  std::size_t steps;  // records looked at, moved or filed
};

// Records in the order of their times: a hierarchical timer wheel whose slots are arrays.
//
// The wheel has eight levels of 256 slots. A slot of level 0 is one tick, a slot of level n is 256
// slots of level n - 1. Write the record's time and the cursor in base 256: the highest digit that
// differs gives the level, and that digit of the record's time is the slot. When the cursor comes
// to the start of a slot, the slot is opened: records that are due go to the owner, the others are
// filed again, at a lower level. So a record is moved at most seven times before it is due, unless
// the cursor goes back meanwhile.
//
// The table knows times and hashes; it never sees a key, a value or a clock. Nothing points from
// an entry to its record, so a record may be stale. Only the owner can tell. It is asked when the
// record comes due, when it is the earliest, and by sweep() and scrub().
//
// Invariants
//   1. For each record outside the open slot: cursor <= start of its slot <= its time. (A slot
//      starts once in each turn of its level; this is the start in the record's turn.) If a record
//      before the cursor is filed, for example after the clock went back, the cursor moves back to
//      it. A slot may then be opened a turn too early; records that are not due are filed again.
//   2. next_due() is at or before the time of every record.
//   3. No call but clear() does more than constant work beyond its budget and what it may sweep.
template <class Allocator>
class ExpiryTable {
 public:
  explicit ExpiryTable(const Allocator& allocator) noexcept : chunks_(allocator) {}
  ExpiryTable(ExpiryTable&& other) noexcept : chunks_(std::move(other.chunks_)) { swap(other); }
  ~ExpiryTable() { clear(); }

  [[nodiscard]] Allocator allocator() const { return Allocator(chunks_.allocator()); }

  // The number of records, stale ones included.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // Returns a time at or before that of every record; kNeverMillis if there is none. After an
  // advance() with budget left it is mostly exact; else it may be too early.
  [[nodiscard]] Millis next_due() const noexcept { return next_due_; }

  // The tag of a record that is filed now for this time.
  [[nodiscard]] Record::Tag tag(Millis when) const noexcept { return Record::tag(mark_, when); }

  // Adds a record. Throws what the allocator throws, and then has no effect.
  void file(std::size_t hash, Millis when) { file(Record(hash, mark_, when)); }
  // The same, but returns false and does nothing if it takes more than a few instructions.
  bool try_file(std::size_t hash, Millis when) noexcept {
    return try_file(Record(hash, mark_, when));
  }

  // Takes the records due at `now`, slot by slot, until the budget is spent. For each it calls
  // `owner.settle(record, budget)`, which may file other records. If that returns true, the record
  // is dropped. If it returns false, the record stays and the call ends. Calls
  // `owner.prefetch(hash)` for several records before it settles them. Throws what settle() and
  // the allocator throw; the record in question stays.
  template <class Owner>
  void advance(Millis now, Budget& budget, Owner& owner) {
    for (;;) {
      if (open_.empty()) {
        const NextSlot next = next_slot();
        if (next.id == kOpen || to_millis(next.start) > now) {
          stop_before(next, now, owner);
          return;
        }
        open(next);
      }
      if (budget.spent()) return;
      RecordChunk& chunk = open_.front();
      std::size_t batch = std::min<std::size_t>(chunk.size, budget.steps);
      for (std::size_t i = chunk.size - batch; i != chunk.size; ++i) {
        if (chunk.records()[i].when() <= now) owner.prefetch(chunk.records()[i].hash());
      }
      for (; batch != 0 && !budget.spent(); --batch) {
        const Record record = chunk.back();
        Probe::count(Probe::kRecordsRead);
        --budget.steps;
        if (record.when() > now) {
          file_again(record);
        } else if (!owner.settle(record, budget)) {
          return;
        }
        open_.pop(chunks_);
        --size_;
      }
    }
  }

  // Calls `owner.settle(record, budget)` for the earliest record, due or not, as advance() does. If
  // many records lie close together, it compares only about 1,000 of them, and up to 4,000 more if
  // size() exceeds `owner.records_needed()`. Then it checks about `owner.sweep_size()` records of
  // the same slot, and drops those for which `owner.is_stale(record)`. REQUIRES: there is a record.
  template <class Owner>
  void settle_soonest(Budget& budget, Owner& owner) {
    SoonestRecord soonest;
    soonest.left += std::min<std::size_t>(
        size_ - std::min<std::size_t>(size_, owner.records_needed()), kStaleToLookAt);
    soonest.look_at(open_, kOpen, cursor_);
    for (std::size_t level = 0; level != kLevels; ++level) {
      NextSlot next = first_slot(level, cursor_);
      // Mostly one slot of a level is read. After the cursor moved back, the first slot may hold
      // only records of later turns; then later slots are read too.
      for (const SlotId first = next.id; next.id != kOpen && next.start <= soonest.tick;) {
        soonest.look_at(bag(next.id), next.id, next.start);
        next = first_slot(level, next.start + (Tick{1} << level * kDigitBits));
        if (next.id == first) break;
      }
    }
    RecordBag& from = bag(soonest.slot);
    RecordChunk& chunk = from.front();
    const std::size_t last = chunk.size - 1u;
    std::swap(*soonest.record, chunk.back());
    if (!owner.settle(Record(chunk.back()), budget)) return;
    // settle() may have filed a record behind it, or in a new front chunk if this was full.
    chunk.records()[last] = chunk.back();
    if (&chunk == &from.front()) {
      from.pop(chunks_);
    } else {
      --chunk.size;
    }
    --size_;
    sweep(from, owner);
    if (from.empty()) vacate(soonest.slot);
  }

  // Keeps size() at or below 3 * needed + 2048. Call it after every change that makes records stale
  // or `needed` smaller. REQUIRES: exactly `needed` records are not stale.
  //
  // Above 2.5 * needed + 1024 records, it calls scrub() once for each record that became stale
  // since the last call; or if `needed` fell by more than that, as often as it fell.
  //
  // Why that suffices: a scrub that does not end a round reads at least 31 records or 16 chunks. So
  // a round over n records takes about n / 31 scrubs, and 128 more if there are few in each of the
  // 2048 slots. A record that becomes stale behind the current round waits for the end of the next
  // one. In these two rounds, for each scrub, one record became stale or `needed` fell by one: so
  // size() - 3 * needed grew by 3 at most. When it passes 2.5 * needed + 1024, it is 1024 - needed
  // / 2. The two rounds add 6 * (2.5 * needed + 1024) / 31 + 6 * 128 at most, which is less than
  // needed / 2 + 1024. (Evictions may make a round miss records, and records that move make it
  // check some again: with these, the bound is tested, and not proven.)
  template <class Owner>
  void tidy(std::size_t needed, Owner& owner) noexcept {
    const std::size_t limit = 2 * needed + needed / 2 + kStaleSlack;
    const std::size_t stale = size_ - needed;
    if (size_ > limit) {
      std::size_t scrubs = std::max<std::size_t>(stale - std::min<std::size_t>(stale, stale_),
                                                 needed_ - std::min<std::size_t>(needed_, needed));
      for (; scrubs != 0 && size_ > limit; --scrubs) scrub(owner);
    }
    stale_ = size_ - needed;
    needed_ = needed;
  }

  // Checks a few dozen records and drops those for which `owner.claim(record)` is false. Repeated
  // calls complete a round, in which every record is checked. Allocates nothing, throws nothing.
  //
  // Each round uses the other value of the mark. When claim() matches a record to an entry, both
  // get the new mark. A second record for the same entry then fits no longer, and is dropped. Slots
  // are visited from the highest level down, and the open one last. The round goes back for records
  // that advance() moves to a slot that it has visited. It may miss a record that settle_soonest()
  // or a sweep moves within a slot; the next round but one checks that one.
  template <class Owner>
  void scrub(Owner& owner) noexcept {
    if (!is_scrubbing_) start_round();
    std::size_t seen = 0;
    RecordBag* bag = bag_to_scrub();
    for (int chunks = 0;
         bag != nullptr && chunks != kChunksToScrub && seen < RecordChunk::kMaxCapacity; ++chunks) {
      RecordChunk& chunk = bag->front();
      chunk.round = round_;
      seen += chunk.size;
      filter(chunk, [&](Record& record) {
        if (record.mark() == mark_) return true;
        if (!owner.claim(record)) return false;
        record.flip_mark();
        return true;
      });
      bag->rotate(chunks_);
      if (bag->empty()) vacate(scrubbing_);
      bag = bag_to_scrub();
      if (bag != nullptr) prefetch(bag->front(), owner);  // most often for the next call
    }
    is_scrubbing_ = bag != nullptr;
  }

  void clear() noexcept {
    open_.clear(chunks_);
    for (Level*& level : levels_) {
      if (level == nullptr) continue;
      for (RecordBag& bag : level->bags) bag.clear(chunks_);
      deallocate_level(std::exchange(level, nullptr));
    }
    size_ = stale_ = needed_ = 0;
    next_due_ = kNeverMillis;
    is_scrubbing_ = false;
  }

 private:
  friend struct TestPeer;
  template <class T>
  using Rebound = typename std::allocator_traits<Allocator>::template rebind_alloc<T>;

  static constexpr std::size_t kDigitBits = 8;
  static constexpr std::size_t kSlots = std::size_t{1} << kDigitBits;
  static constexpr std::size_t kLevels = 64 / kDigitBits;
  static constexpr int kChunksToScrub = 16;
  static constexpr std::size_t kStaleSlack = 1024;
  // What the bound in tidy() rests on.
  static_assert(RecordChunk::kMaxCapacity >= 30);
  static_assert(6 * (kStaleSlack / RecordChunk::kMaxCapacity + kLevels * kSlots / kChunksToScrub) <=
                kStaleSlack);
  // How many records settle_soonest() compares, more or less, in all slots together; and how many
  // more if some are stale. (1,000 entries may have up to 2 * 1000 + 2048 stale records.)
  static constexpr std::size_t kToLookAt = 1000;
  static constexpr std::size_t kStaleToLookAt = 4000;

  struct Level {
    // Returns the first slot in use at or after `slot`, going round; kSlots if there is none.
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

    std::array<RecordBag, kSlots> bags;
    std::array<std::uint64_t, kSlots / 64> used = {};  // a bit for each slot that is not empty
  };

  // A slot of some level, as a number; what is below kSlots stands for the open slot.
  using SlotId = std::size_t;
  static constexpr SlotId kOpen = 0;
  static constexpr SlotId kSlotIds = (kLevels + 1) * kSlots;
  static constexpr SlotId id(std::size_t level, std::size_t slot) noexcept {
    return (level + 1) * kSlots + slot;
  }
  [[nodiscard]] Level*& level_of(SlotId id) noexcept { return levels_[id / kSlots - 1]; }
  [[nodiscard]] RecordBag& bag(SlotId id) noexcept {
    return id < kSlots ? open_ : level_of(id)->bags[id % kSlots];
  }
  void occupy(SlotId id) noexcept {
    level_of(id)->used[id % kSlots / 64] |= std::uint64_t{1} << id % 64;
  }
  void vacate(SlotId id) noexcept {
    if (id >= kSlots) level_of(id)->used[id % kSlots / 64] &= ~(std::uint64_t{1} << id % 64);
  }

  struct Place {
    std::size_t level;
    std::size_t slot;
  };
  // Returns where a record that is due at or after the cursor belongs.
  [[nodiscard]] Place place_of(Tick tick) const noexcept {
    const auto highest_bit = static_cast<std::size_t>(63 - std::countl_zero((tick ^ cursor_) | 1));
    const std::size_t level = highest_bit / kDigitBits;
    return {level, static_cast<std::size_t>(tick >> level * kDigitBits & (kSlots - 1))};
  }

  bool try_file(const Record& record) noexcept {
    const Tick tick = record.tick();
    if (tick < cursor_) return false;
    const auto [level, slot] = place_of(tick);
    if (levels_[level] == nullptr) return false;
    if (!levels_[level]->bags[slot].try_push(record)) return false;
    next_due_ = std::min<Millis>(next_due_, record.when());
    ++size_;
    Probe::count(Probe::kRecordsFiled);
    return true;
  }
  void file(const Record& record) {
    if (!try_file(record)) [[unlikely]]
      file_in_new_chunk(record);
  }
  // Moves a record from the open slot to its new slot. If the round has not checked the record yet,
  // the round goes back to that slot.
  void file_again(const Record& record) {
    file(record);
    if (record.mark() == mark_) return;
    const auto [level, slot] = place_of(record.tick());
    scrubbing_ = std::max<SlotId>(scrubbing_, id(level, slot));
    levels_[level]->bags[slot].front().round = kNoRound;  // of the chunk that it was put into
  }
  ABSL_ATTRIBUTE_NOINLINE void file_in_new_chunk(const Record& record) {
    if (size_ == 0) next_due_ = kNeverMillis;
    if (size_ == 0 || record.tick() < cursor_) cursor_ = record.tick();
    const auto [level, slot] = place_of(record.tick());
    if (levels_[level] == nullptr) levels_[level] = allocate_level();
    levels_[level]->bags[slot].push(record, chunks_);
    occupy(id(level, slot));
    next_due_ = std::min<Millis>(next_due_, record.when());
    ++size_;
    Probe::count(Probe::kRecordsFiled);
  }

  struct NextSlot {
    SlotId id;  // kOpen: all are empty
    Tick start;
  };

  // The soonest record that was looked at.
  struct SoonestRecord {
    void look_at(RecordBag& bag, SlotId id, Tick start) noexcept {
      if (bag.empty()) return;
      RecordChunk* chunk = &bag.front();
      do {
        Probe::count(Probe::kRecordsRead, chunk->size);
        for (std::size_t i = 0; i != chunk->size; ++i) {
          Record& next = chunk->records()[i];
          if (record != nullptr && next.tick() >= tick) continue;
          record = &next;
          tick = next.tick();
          slot = id;
        }
        left -= std::min<std::size_t>(left, chunk->size);
        chunk = chunk->next;
      } while (chunk != &bag.front() && tick > start && left != 0);
    }

    Record* record = nullptr;
    Tick tick = kLastTick;
    SlotId slot = kOpen;
    std::size_t left = kToLookAt;
  };

  // Returns the first slot in use of a level that starts at or after a time.
  [[nodiscard]] NextSlot first_slot(std::size_t level, Tick from) const noexcept {
    if (levels_[level] == nullptr) return {kOpen, 0};
    const std::size_t shift = level * kDigitBits;
    const bool at_start = (from & ((Tick{1} << shift) - 1)) == 0;
    const Tick turn = (from >> shift) + (at_start ? 0 : 1);
    const std::size_t digit = turn % kSlots;
    const std::size_t slot = levels_[level]->first_from(digit);
    if (slot == kSlots) return {kOpen, 0};
    return {id(level, slot), (turn - digit + slot + (slot < digit ? kSlots : 0)) << shift};
  }
  // The same of all levels, from the cursor on.
  [[nodiscard]] NextSlot next_slot() const noexcept {
    NextSlot next = {kOpen, kLastTick};
    for (std::size_t level = 0; level != kLevels; ++level) {
      const NextSlot first = first_slot(level, cursor_);
      if (first.id == kOpen) continue;
      if (first.start <= next.start) next = first;
      // No slot of a higher level starts in the middle of a turn of level 0.
      if (level == 0 && cursor_ % kSlots != 0 && first.start / kSlots == cursor_ / kSlots) break;
    }
    return next;
  }

  void open(const NextSlot& next) noexcept {
    cursor_ = next.start;
    next_due_ = to_millis(next.start);
    open_ = std::exchange(bag(next.id), RecordBag());
    vacate(next.id);
  }

  // Moves the cursor up to `now`, and sets next_due_. REQUIRES: the open slot is empty, and the
  // next one starts after `now`.
  template <class Owner>
  void stop_before(const NextSlot& next, Millis now, Owner& owner) noexcept {
    cursor_ = std::max<Tick>(cursor_, to_tick(now));
    next_due_ = next.id == kOpen ? kNeverMillis : to_millis(next.start);
    if (next.id == kOpen) return;
    RecordChunk& chunk = bag(next.id).front();
    if (next.id < id(1, 0)) {
      // The start is that of records. A loop that calls each tick will soon want what is due then.
      prefetch(chunk, owner);
    } else if (bag(next.id).has_one_chunk()) {
      // Above level 0, a look at the slot's records pays if they are few.
      vacate(next.id);
      Tick earliest = next_slot().start;
      occupy(next.id);
      Probe::count(Probe::kRecordsRead, chunk.size);
      for (std::size_t i = 0; i != chunk.size; ++i) {
        earliest = std::min<Tick>(earliest, chunk.records()[i].tick());
      }
      next_due_ = to_millis(earliest);
    }
  }

  template <class Owner>
  static void prefetch(RecordChunk& chunk, Owner& owner) noexcept {
    for (std::size_t i = 0; i != chunk.size; ++i) owner.prefetch(chunk.records()[i].hash());
  }

  // Drops the records of a chunk that are not needed.
  template <class F>
  void filter(RecordChunk& chunk, const F& is_needed) noexcept {
    Probe::count(Probe::kRecordsRead, chunk.size);
    for (std::size_t i = chunk.size; i-- != 0;) {
      Record& record = chunk.records()[i];
      if (is_needed(record)) continue;
      record = chunk.back();
      --chunk.size;
      --size_;
    }
  }

  // Drops the stale records among the first `owner.sweep_size()` of a bag, rounded up to chunks.
  template <class Owner>
  void sweep(RecordBag& bag, Owner& owner) noexcept {
    const RecordChunk* const last = bag.last();
    for (std::size_t left = owner.sweep_size(); left != 0 && !bag.empty();) {
      RecordChunk& chunk = bag.front();
      left = &chunk == last ? 0 : left - std::min<std::size_t>(left, chunk.size);
      prefetch(chunk, owner);
      filter(chunk, [&](const Record& record) { return !owner.is_stale(record); });
      bag.rotate(chunks_);
    }
  }

  // Returns the slot in which this round goes on; null if the round is over.
  [[nodiscard]] RecordBag* bag_to_scrub() noexcept {
    while (scrubbing_ >= kSlots) {
      const Level* const level = level_of(scrubbing_);
      const std::size_t slot = level == nullptr ? kSlots : level->last_to(scrubbing_ % kSlots);
      scrubbing_ = scrubbing_ / kSlots * kSlots + (slot == kSlots ? 0 : slot);
      if (slot != kSlots && bag(scrubbing_).front().round != round_) return &bag(scrubbing_);
      --scrubbing_;
    }
    return open_.empty() || open_.front().round == round_ ? nullptr : &open_;
  }

  void start_round() noexcept {
    mark_ = !mark_;
    if (++round_ == kNoRound) ++round_;
    scrubbing_ = kSlotIds - 1;
  }

  Level* allocate_level() {
    Rebound<Level> allocator(chunks_.allocator());
    auto memory = std::allocator_traits<Rebound<Level>>::allocate(allocator, 1);
    return std::construct_at(std::to_address(memory));
  }
  void deallocate_level(Level* level) noexcept {
    using Traits = std::allocator_traits<Rebound<Level>>;
    Rebound<Level> allocator(chunks_.allocator());
    Traits::deallocate(allocator, std::pointer_traits<typename Traits::pointer>::pointer_to(*level),
                       1);
  }

  void swap(ExpiryTable& other) noexcept {
    using std::swap;
    swap(levels_, other.levels_);
    swap(open_, other.open_);
    swap(cursor_, other.cursor_);
    swap(next_due_, other.next_due_);
    swap(size_, other.size_);
    swap(stale_, other.stale_);
    swap(needed_, other.needed_);
    swap(scrubbing_, other.scrubbing_);
    swap(round_, other.round_);
    swap(is_scrubbing_, other.is_scrubbing_);
    swap(mark_, other.mark_);
  }

  ChunkPool<Allocator> chunks_;
  std::array<Level*, kLevels> levels_ = {};
  RecordBag open_;
  Tick cursor_ = 0;
  Millis next_due_ = kNeverMillis;
  std::size_t size_ = 0;
  std::size_t stale_ = 0;      // how many were stale when tidy() was called last
  std::size_t needed_ = 0;     // and how many were not
  SlotId scrubbing_ = kOpen;   // the slot where the round continues
  std::uint32_t round_ = 0;    // the number of the last round begun
  bool is_scrubbing_ = false;  // whether a round is in progress
  bool mark_ = false;  // of records that this round has checked, or that were filed since it began
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_EXPIRY_TABLE_H_
