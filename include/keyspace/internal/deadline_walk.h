// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_DEADLINE_WALK_H_
#define KEYSPACE_INTERNAL_DEADLINE_WALK_H_

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "keyspace/internal/millis.h"
#include "keyspace/internal/timer_record.h"
#include "keyspace/internal/wheel_slots.h"

namespace keyspace::internal {

// Finds the live entries with deadlines up to a limit, the soonest first. Map is an ExpiringMap,
// which must not change during the walk. `now` is called only if an entry may be due.
//
// This is a best-first search. A source is a slot of the timer wheel or a record, with a time that
// is at or before the deadline of each entry that it leads to. A slot leads to its records, and a
// record to the entries that it matches. The source with the earliest time is replaced by what it
// leads to, until no source is at or before the soonest of the entries that were found. So a walk
// that ends early reads only the slots up to its last entry, and looks up only records up to it.
//
// Several records may match one entry. So an entry may be found several times. All of these are
// found before the first is returned. They compare equal, so the heap returns them one after the
// other, and next() skips all but the first.
template <class Map, class Now>
class DeadlineWalk {
 public:
  using StoredKey = typename Map::StoredKey;

  // Throws what the allocator throws, as next() does.
  DeadlineWalk(const Map& map, Millis until, Now& now)
      : map_(map),
        until_(until),
        now_(now),
        sources_(map.wheel().allocator()),
        found_(map.wheel().allocator()) {
    map.wheel().for_each_slot(
        [this](WheelLayout::SlotId slot, Millis start) { add_source(start, slot); });
  }

  // Returns the key of the next entry; null if there is none. Throws what the hash throws.
  const StoredKey* next() {
    for (;;) {
      if (!sources_.empty() && (found_.empty() || sources_.front().time <= found_.front().first)) {
        expand(pop(sources_));
      } else if (found_.empty()) {
        return nullptr;
      } else if (const StoredKey* const stored = pop(found_).second;
                 std::exchange(last_, stored) != stored) {
        return stored;
      }
    }
  }

 private:
  struct Source {
    friend bool operator>(const Source& a, const Source& b) noexcept { return a.time > b.time; }
    Millis time;
    std::variant<WheelLayout::SlotId, const TimerRecord*> what;
  };
  using Found = std::pair<Millis, const StoredKey*>;  // a deadline, and the entry that has it
  using Allocator = decltype(std::declval<const Map&>().wheel().allocator());
  template <class T>
  using Heap = std::vector<T, typename std::allocator_traits<Allocator>::template rebind_alloc<T>>;

  void expand(const Source& source) {
    if (const auto* const slot = std::get_if<WheelLayout::SlotId>(&source.what)) {
      map_.wheel().for_each_record(
          *slot, [this](const TimerRecord& record) { add_source(record.time(), &record); });
    } else {
      const TimerRecord& record = **std::get_if<const TimerRecord*>(&source.what);
      map_.entries().for_each_match(record, [this](const StoredKey& stored) { add(stored); });
    }
  }
  template <class T>
  void add_source(Millis time, const T& source) {
    if (time <= until_) push(sources_, {time, source});
  }
  void add(const StoredKey& stored) {
    const Millis deadline = map_.deadline(stored);
    if (deadline > until_ || !map_.is_live(stored, now_)) return;
    if (found_.size() == found_.capacity()) drop_duplicates();
    push(found_, {deadline, &stored});
  }
  // Without this, n entries with one hash could be found n * n times. A sorted vector is a heap.
  void drop_duplicates() {
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    if (found_.size() > found_.capacity() / 2) found_.reserve(2 * found_.capacity());
  }

  template <class T>
  static void push(Heap<T>& heap, T element) {
    heap.push_back(std::move(element));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  }
  template <class T>
  static T pop(Heap<T>& heap) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    T least = std::move(heap.back());
    heap.pop_back();
    return least;
  }

  const Map& map_;
  Millis until_;
  Now& now_;
  Heap<Source> sources_;
  Heap<Found> found_;
  const StoredKey* last_ = nullptr;  // that next() returned
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_DEADLINE_WALK_H_
