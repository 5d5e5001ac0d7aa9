#ifndef KEYSPACE_INTERNAL_VICTIM_FINDER_H_
#define KEYSPACE_INTERNAL_VICTIM_FINDER_H_

#include <cstddef>

#include "keyspace/internal/expiry_table.h"
#include "keyspace/internal/record.h"

namespace keyspace::internal {

// Finds the entry of the soonest record in an expiry table, as its owner. `By` says what an entry
// knows of its record (see EntryMap::find), and files one.
//
// A record that early entries fit does not say when they are due: they get records of their own,
// and the search goes on, until the budget is spent; then the soonest of them is the victim. Where
// there is one stale record there may be very many: the more are met, the more are swept up at a
// time.
template <class Entries, class By>
struct VictimFinder {
  using iterator = typename Entries::iterator;

  // Returns the entry whose record in the table is the soonest; or if some victim is found before,
  // the best of the next `most` records. It has no record then, or one that was just filed. Throws
  // what the allocator throws. REQUIRES: an entry has a record.
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

  // How many early entries are looked at.
  static constexpr std::size_t kMostEarly = 1000;

  Entries& entries;
  By by;
  iterator victim = entries.end();
  std::size_t stale = 0;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_VICTIM_FINDER_H_
