// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_VICTIM_FINDER_H_
#define KEYSPACE_INTERNAL_VICTIM_FINDER_H_

#include <cstddef>

#include "keyspace/internal/budget.h"
#include "keyspace/internal/timer_record.h"

namespace keyspace::internal {

// Finds the entry with the earliest record in a timer wheel: the entry to evict. It is the `owner`
// that EarliestDeadlineEviction and LruEviction pass to the calls of a wheel.
//
// `Traits` reads what an entry knows about its record (see EntryMap::DeadlineRecord). It has two
// more members. records_needed(entries) returns how many entries have a record. file(hash, stored)
// files a record at the entry's time, so that the entry is no longer filed early.
//
// If an entry was filed early, its record may be too early. So each such entry that the record
// matches gets a new record at its own time, and the search continues. If the budget is spent
// first, the victim is the earliest of these entries. Stale records often lie together. So after
// the n-th stale record, the wheel checks about 16 n records for staleness.
template <class Entries, class Traits>
struct VictimFinder {
  using iterator = typename Entries::iterator;

  // Resolves records, the earliest first, until one matches an entry that was not filed early.
  // Returns that entry. Stops before that if the budget is spent. With more than kMostExact
  // entries, also stops after kFew records if one of them matched an entry that was filed early.
  // Then returns the earliest of those entries. The returned entry has no record, or one that this
  // call filed. Throws what the allocator throws. REQUIRES: an entry has a record.
  template <class Wheel>
  iterator find_in(Wheel& wheel) {
    const std::size_t most = records_needed() <= kMostExact ? kUnlimited : kFew;
    Budget budget(kMostEarly);
    budget.erasures = 1;
    for (std::size_t i = 0; !budget.is_spent() && (i < most || !has_victim()); ++i) {
      wheel.resolve_soonest(budget, *this);
    }
    return victim;
  }

  // The members that the wheel calls.

  void prefetch(std::size_t hash) const { entries.prefetch(hash); }

  bool resolve_due(const TimerRecord& record, Budget& budget) {
    for (bool fits_none = true;; fits_none = false) {
      const iterator it = entries.template find_for<Traits>(record);
      if (it == entries.end()) {
        stale_count += fits_none ? 1 : 0;
        return true;
      }
      if (!Traits::is_filed_early(it->first)) {
        victim = it;
        budget.erasures = 0;
        return true;
      }
      traits.file(record.hash(), it->first);
      if (!has_victim() || time(it) < time(victim)) victim = it;
      if (budget.is_spent()) return false;
      --budget.steps;
    }
  }

  [[nodiscard]] bool is_stale(const TimerRecord& record) {
    return entries.template find_for<Traits>(record) == entries.end();
  }
  [[nodiscard]] std::size_t records_to_check() const { return 16 * stale_count; }
  [[nodiscard]] std::size_t records_needed() const { return Traits::records_needed(entries); }

  [[nodiscard]] bool has_victim() const { return victim != entries.end(); }
  [[nodiscard]] auto time(iterator it) const { return Traits::time(entries, it->first); }

  // About how many entries that were filed early one search handles; and, with more than kMostExact
  // entries, how many records it resolves if one of them matched such an entry.
  static constexpr std::size_t kMostEarly = 1000;
  static constexpr std::size_t kMostExact = 1000;
  static constexpr std::size_t kFew = 16;

  Entries& entries;
  Traits traits;
  iterator victim = entries.end();  // so far
  std::size_t stale_count = 0;      // the number of stale records so far
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_VICTIM_FINDER_H_
