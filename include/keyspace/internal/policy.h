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

// What a Store keeps for its policy, and does on its behalf. The members of each are those of
// ScanResistantState.

// The policy Unbounded: nothing.
struct UnboundedState {
  struct Mark {};
  struct Arrival {};

  template <class Allocator>
  UnboundedState(Absent<0>, const Allocator&) noexcept {}
  void reserve(std::size_t) noexcept {}
  void visit(Mark&) const noexcept {}
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
  template <class Entries>
  Arrival arrive(Entries&, std::size_t, std::size_t) noexcept {
    return {};
  }

  // Returns the entry that has to go; end() if there is none with a deadline. Throws what the
  // allocator throws. REQUIRES: none is dead.
  template <class Entries, class Table>
  auto victim(Entries& entries, Table& table, Arrival) {
    if (entries.volatile_size() == 0) return entries.end();
    VictimFinder<Entries, ByDeadline<Entries, Table>> finder{entries, {{}, entries, table}};
    Budget budget(kMaxSteps);
    budget.erasures = 1;
    while (!budget.spent()) table.settle_soonest(budget, finder);
    return finder.victim;
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
  static constexpr std::size_t kMaxSteps = 1000;

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
