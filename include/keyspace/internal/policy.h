#ifndef KEYSPACE_INTERNAL_POLICY_H_
#define KEYSPACE_INTERNAL_POLICY_H_

#include <cstddef>
#include <utility>

#include "keyspace/features.h"
#include "keyspace/internal/expiry_table.h"
#include "keyspace/internal/lru.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/scan_resistant.h"
#include "keyspace/internal/victim_finder.h"

namespace keyspace::internal {

// What a Store keeps for its policy, and does on its behalf. A policy has these members, of which
// only those that say so may throw, and only what the allocator throws:
//
//   Mark             what an entry keeps
//   Arrival          where a key goes that came and was not there
//   weight()         of all entries
//   reserve(size)    makes room for that many entries. May throw.
//   visit(mark)      takes note of a request for an entry, and changes no more than its mark, and
//                    a number
//   shared_visit(mark)                the same, on a const policy, beside other threads that do so
//   arrive(entries, hash, weight)     takes note of a key that came and was not there
//   victim(entries, table)            returns the entry that has to go, and which the caller erases
//                    at once, for it may have no record any more; end() only if none is volatile.
//                    May throw. REQUIRES: there are entries, and none is dead.
//   leave_ghost(mark, weight)         takes note that an entry goes to make room; it is yet to be
//                    unlinked
//   link(hash, weight, arrival)       returns the mark of a new entry. May throw, and then has no
//                    effect; is the last to do so before the entry is stored. REQUIRES: reserve()
//                    made room for it.
//   unlink(mark, weight)              forgets an entry, but maybe for what tidy() drops
//   relink(mark, hash)                returns the mark for an entry that is given another hash; the
//                    old one is not unlinked. May throw, and then has no effect.
//   reweigh(mark, before, after)      takes note of a new weight
//   tidy(entries)    is called after removals
//   clear()          forgets all entries
//
// Of an unbounded keyspace weight(), arrive(), victim() and leave_ghost() are not called.

// The policy Unbounded: nothing.
struct UnboundedState {
  struct Mark {};
  struct Arrival {};

  template <class Allocator>
  UnboundedState(Absent<0>, const Allocator&) noexcept {}
  void reserve(std::size_t) noexcept {}
  void visit(Mark&) const noexcept {}
  void shared_visit(Mark&) const noexcept {}
  Mark link(std::size_t, std::size_t, Arrival) noexcept { return {}; }
  void unlink(const Mark&, std::size_t) noexcept {}
  Mark relink(const Mark&, std::size_t) noexcept { return {}; }
  void reweigh(const Mark&, std::size_t, std::size_t) noexcept {}
  template <class Entries>
  void tidy(Entries&) noexcept {}
  void clear() noexcept {}
};

// The policy EarliestDeadline: the expiry table knows which is to go.
class EarliestDeadlineState {
 public:
  struct Mark {};
  struct Arrival {};

  template <class Allocator>
  EarliestDeadlineState(Capacity, const Allocator&) noexcept {}
  EarliestDeadlineState(EarliestDeadlineState&& other) noexcept
      : weight_(std::exchange(other.weight_, 0)) {}

  [[nodiscard]] std::size_t weight() const noexcept { return weight_; }
  void reserve(std::size_t) noexcept {}
  void visit(Mark&) const noexcept {}
  void shared_visit(Mark&) const noexcept {}
  template <class Entries>
  Arrival arrive(Entries&, std::size_t, std::size_t) noexcept {
    return {};
  }

  template <class Entries, class Table>
  auto victim(Entries& entries, Table& table) {
    if (entries.volatile_size() == 0) return entries.end();
    VictimFinder<Entries, ByDeadline<Entries, Table>> finder{entries, {{}, entries, table}};
    return finder.find_in(table, kUnlimited);
  }
  void leave_ghost(const Mark&, std::size_t) noexcept {}

  Mark link(std::size_t, std::size_t weight, Arrival) noexcept {
    weight_ += weight;
    return {};
  }
  void unlink(const Mark&, std::size_t weight) noexcept { weight_ -= weight; }
  Mark relink(const Mark&, std::size_t) noexcept { return {}; }
  void reweigh(const Mark&, std::size_t before, std::size_t after) noexcept {
    weight_ += after - before;
  }
  template <class Entries>
  void tidy(Entries&) noexcept {}
  void clear() noexcept { weight_ = 0; }

 private:
  template <class Entries, class Table>
  struct ByDeadline : Entries::ByDeadline {
    static std::size_t records_needed(const Entries& entries) noexcept {
      return entries.volatile_size();
    }
    void file(std::size_t hash, const typename Entries::StoredKey& stored) {
      const Millis deadline = entries.deadline(stored);
      table.file(hash, deadline);
      entries.set_deadline(stored, deadline, table.tag(deadline));
    }

    Entries& entries;
    Table& table;
  };

  std::size_t weight_ = 0;
};

template <class Policy, class Allocator>
struct PolicyStateOf;
template <class Allocator>
struct PolicyStateOf<Unbounded, Allocator> {
  using type = UnboundedState;
};
template <class Allocator>
struct PolicyStateOf<EarliestDeadline, Allocator> {
  using type = EarliestDeadlineState;
};
template <class Allocator>
struct PolicyStateOf<Lru, Allocator> {
  using type = LruState<Allocator>;
};
template <class Allocator>
struct PolicyStateOf<ScanResistant, Allocator> {
  using type = ScanResistantState<Allocator>;
};

template <class Policy, class Allocator>
using PolicyState = typename PolicyStateOf<Policy, Allocator>::type;

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_POLICY_H_
