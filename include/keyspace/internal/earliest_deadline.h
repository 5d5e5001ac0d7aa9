// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_EARLIEST_DEADLINE_H_
#define KEYSPACE_INTERNAL_EARLIEST_DEADLINE_H_

#include <cstddef>
#include <utility>

#include "keyspace/internal/millis.h"
#include "keyspace/internal/victim_finder.h"

namespace keyspace::internal {

// The policy EarliestDeadline: evicts the entry with the earliest deadline. (See eviction.h for the
// calls.) It keeps only the weight. It finds the earliest deadline in the timer wheel.
class EarliestDeadlineEviction {
 public:
  static constexpr bool kUsesRequests = false;

  struct PolicyState {};
  struct Placement {};

  template <class Allocator>
  EarliestDeadlineEviction(std::size_t, const Allocator&) noexcept {}
  EarliestDeadlineEviction(EarliestDeadlineEviction&& other) noexcept
      : weight_(std::exchange(other.weight_, 0)) {}

  [[nodiscard]] std::size_t weight() const noexcept { return weight_; }
  void set_capacity(std::size_t) noexcept {}
  void reserve(std::size_t) noexcept {}
  void grow(std::size_t) noexcept {}
  void record_access(PolicyState&) const noexcept {}
  void record_shared_access(PolicyState&) const noexcept {}
  template <class Entries>
  Placement admit(Entries&, std::size_t, std::size_t) noexcept {
    return {};
  }

  template <class Entries, class Wheel>
  typename Entries::Entry* find_victim(Entries& entries, Wheel& wheel) {
    if (entries.volatile_size() == 0) return nullptr;
    VictimFinder<Entries, DeadlineRecord<Entries, Wheel>> finder{entries, {{}, entries, wheel}};
    return finder.find_in(wheel);
  }
  void record_eviction(const PolicyState&, std::size_t) noexcept {}

  PolicyState add(std::size_t, std::size_t weight, Placement) noexcept {
    weight_ += weight;
    return {};
  }
  void remove(const PolicyState&, std::size_t weight) noexcept { weight_ -= weight; }
  PolicyState rehash(const PolicyState&, std::size_t) noexcept { return {}; }
  void reweigh(const PolicyState&, std::size_t before, std::size_t after) noexcept {
    weight_ += after - before;
  }
  template <class Entries>
  void collect_if_needed(Entries&) noexcept {}
  template <class Entries>
  void shrink_to_fit(Entries&) noexcept {}
  void clear() noexcept { weight_ = 0; }

 private:
  template <class Entries, class Wheel>
  struct DeadlineRecord : Entries::DeadlineRecord {
    static bool has_record(const typename Entries::StoredKey& stored) noexcept {
      return stored.is_volatile();
    }
    static std::size_t records_needed(const Entries& entries) noexcept {
      return entries.volatile_size();
    }
    void file(std::size_t hash, const typename Entries::StoredKey& stored) {
      const Millis deadline = entries.deadline(stored);
      wheel.file(hash, deadline);
      entries.set_deadline(stored, deadline, wheel.tag(deadline));
    }

    Entries& entries;
    Wheel& wheel;
  };

  std::size_t weight_ = 0;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_EARLIEST_DEADLINE_H_
