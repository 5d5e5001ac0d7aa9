#ifndef KEYSPACE_INTERNAL_VICTIM_FINDER_H_
#define KEYSPACE_INTERNAL_VICTIM_FINDER_H_

#include <cstddef>

#include "keyspace/internal/expiry_table.h"
#include "keyspace/internal/record.h"

namespace keyspace::internal {

// Finds the entry of the soonest record in an expiry table, as its owner. `By` says what an entry
// knows of its record (see EntryMap::find), and files one.
//
// An early entry is due after its record's time. So each early entry that the record fits gets a
// new record at its own time, and the search continues. If the budget is spent first, the earliest
// of these entries is the victim. Stale records often lie together: after the n-th one, a sweep
// checks about 16 n records.
template <class Entries, class By>
struct VictimFinder {
  using iterator = typename Entries::iterator;

  // Settles records, the earliest first, until one belongs to an entry that is not early, and
  // returns that entry. Stops sooner if the budget is spent, or after `most` records if one of them
  // fitted an early entry; it then returns the earliest of the early entries. The returned entry
  // has no record, or one that this call filed. Throws what the allocator throws. REQUIRES: an
  // entry has a record.
  template <class Table>
  iterator find_in(Table& table, std::size_t most) {
    Budget budget(kMostEarly);
    budget.erasures = 1;
    for (std::size_t i = 0; !budget.spent() && (i < most || !has_victim()); ++i) {
      table.settle_soonest(budget, *this);
    }
    return victim;
  }

  void prefetch(std::size_t hash) const { entries.prefetch(hash); }

  bool settle(const Record& record, Budget& budget) {
    for (bool fits_none = true;; fits_none = false) {
      const iterator it = entries.template find<By>(record);
      if (it == entries.end()) {
        stale += fits_none ? 1 : 0;
        return true;
      }
      if (!By::is_early(it->first)) {
        victim = it;
        budget.erasures = 0;
        return true;
      }
      by.file(record.hash(), it->first);
      if (!has_victim() || time(it) < time(victim)) victim = it;
      if (budget.spent()) return false;
      --budget.steps;
    }
  }

  [[nodiscard]] bool is_stale(const Record& record) {
    return entries.template find<By>(record) == entries.end();
  }
  [[nodiscard]] std::size_t sweep_size() const { return 16 * stale; }
  [[nodiscard]] std::size_t records_needed() const { return By::records_needed(entries); }

  [[nodiscard]] bool has_victim() const { return victim != entries.end(); }
  [[nodiscard]] auto time(iterator it) const { return By::time(entries, it->first); }

  // How many early entries one search handles, more or less.
  static constexpr std::size_t kMostEarly = 1000;

  Entries& entries;
  By by;
  iterator victim = entries.end();
  std::size_t stale = 0;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_VICTIM_FINDER_H_
