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
// `Traits` reads what an entry knows about its record (see EntryMap::DeadlineRecord). It has three
// more members. has_record(stored) tells whether an entry has a record. records_needed(entries)
// returns how many entries have one. file(hash, stored) files a record at the entry's time, so that
// the entry is no longer filed early.
//
// If an entry was filed early, its record may be too early. So each such entry that the record
// matches gets a new record at its own time, and the search continues. If the budget is spent
// first, the victim is the earliest of these entries. Stale records often lie together. So after
// the n-th stale record, the wheel checks about 16 n records of the same slot for staleness. With
// more than kMostExact entries, the search ends after kMostStale stale records without a victim.
// Then it compares a few entries, as Redis does.
template <class Entries, class Traits>
struct VictimFinder {
  using Entry = typename Entries::Entry;

  // Resolves records, the earliest first, until one matches an entry that was not filed early.
  // Returns that entry. Stops before that if the budget is spent. With more than kMostExact
  // entries, also stops after kFew records if one of them matched an entry that was filed early.
  // Then returns the earliest of those entries. The caller erases the returned entry. Throws what
  // the allocator throws. REQUIRES: an entry has a record.
  template <class Wheel>
  Entry* find_in(Wheel& wheel) {
    const std::size_t most = records_needed() <= kMostExact ? kUnlimited : kFew;
    Budget budget(kMostEarly);
    budget.erasures = 1;
    const std::size_t most_stale = most == kUnlimited ? kUnlimited : stale_count + kMostStale;
    for (std::size_t i = 0; !budget.is_spent() && (i < most || !has_victim()); ++i) {
      if (stale_count >= most_stale && !has_victim()) {
        choose_from_sample();
        break;
      }
      wheel.resolve_soonest(budget, *this);
    }
    return victim;
  }

  // The members that the wheel calls.

  void prefetch(std::size_t hash) const { entries.prefetch(hash); }

  bool resolve_due(const TimerRecord& record, Budget& budget) {
    for (bool fits_none = true;; fits_none = false) {
      Entry* const entry = entries.template find_for<Traits>(record);
      if (entry == nullptr) {
        stale_count += fits_none ? 1 : 0;
        return true;
      }
      if (!Traits::is_filed_early(entry->first)) {
        victim = entry;
        budget.erasures = 0;
        return true;
      }
      traits.file(record.hash(), entry->first);
      keep_earlier(*entry);
      if (budget.is_spent()) return false;
      --budget.steps;
    }
  }

  [[nodiscard]] bool is_stale(const TimerRecord& record) {
    return entries.template find_for<Traits>(record) == nullptr;
  }
  [[nodiscard]] std::size_t records_to_check() const { return 16 * stale_count; }
  [[nodiscard]] std::size_t records_needed() const { return Traits::records_needed(entries); }

  [[nodiscard]] bool has_victim() const { return victim != nullptr; }
  // Makes the entry the victim if it is earlier than the victim so far.
  void keep_earlier(Entry& entry) {
    const auto time = [this](const Entry& e) { return Traits::time(entries, e.first); };
    if (!has_victim() || time(entry) < time(*victim)) victim = &entry;
  }

  // About how many entries that were filed early one search files again.
  static constexpr std::size_t kMostEarly = 1000;
  // With more entries than this, a search may end after kFew records or kMostStale stale ones.
  static constexpr std::size_t kMostExact = 1000;
  static constexpr std::size_t kFew = 16;
  // After this many stale records, the search has checked up to about 16,000 records.
  static constexpr std::size_t kMostStale = 45;
  // How many entries with a record choose_from_sample() compares.
  static constexpr std::size_t kSample = 16;
  // After this many entries, choose_from_sample() ends as soon as it has seen one with a record.
  static constexpr std::size_t kMostVisited = 1000;

  // Chooses the earliest of the first entries with a record. There are more than kMostExact such
  // entries, so it seldom visits many others.
  void choose_from_sample() {
    std::size_t visited = 0;
    std::size_t count = 0;
    entries.visit_until_false([&](Entry& entry) {
      ++visited;
      if (Traits::has_record(entry.first)) {
        keep_earlier(entry);
        ++count;
      }
      return count == 0 || (count != kSample && visited < kMostVisited);
    });
  }

  Entries& entries;
  Traits traits;
  Entry* victim = nullptr;      // so far
  std::size_t stale_count = 0;  // the number of stale records so far
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_VICTIM_FINDER_H_
