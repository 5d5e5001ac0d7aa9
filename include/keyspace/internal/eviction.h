// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_EVICTION_H_
#define KEYSPACE_INTERNAL_EVICTION_H_

#include <cstddef>

#include "keyspace/internal/earliest_deadline.h"
#include "keyspace/internal/lru.h"
#include "keyspace/internal/scan_resistant.h"
#include "keyspace/policy.h"

namespace keyspace::internal {

// The implementations of the eviction policies. A Store has one, and calls it for every entry that
// it adds, requests or removes. An implementation has these members. Only those that say so may
// throw, and they throw only what the allocator throws.
//
//   kUsesRequests      whether record_access() has an effect
//   PolicyState        the part of an entry that belongs to the policy. Its copies do not throw.
//   Placement          the decision of admit() about a new key. It is default-constructible, and
//                      can be copied and assigned.
//   (capacity, allocator)              the constructor. May throw.
//   (Eviction&& other)                 the move constructor. noexcept. Leaves `other` empty and
//                      usable.
//   weight()           returns the weight of all entries
//   set_capacity(capacity)             changes the capacity, in constant time. Until the store has
//                      evicted enough, the entries may weigh more. noexcept.
//   reserve(size)      makes room for `size` entries until clear() or shrink_to_fit(). May throw.
//   grow(size)         makes room for one add(), in constant time. `size` is how many entries the
//                      map's table may hold. May throw.
//   record_access(state)               records a request for an entry. Changes only the entry's
//                      state, and a number in the policy.
//   record_shared_access(state) const  the same, and may run beside other threads that call it
//   admit(entries, hash, weight)       records that a key without an entry is about to be added,
//                      and returns its placement. REQUIRES: weight <= capacity.
//   find_victim(entries, wheel)        returns the entry to evict; null only if no entry has a
//                      deadline. The entry may have lost its record, so the caller
//                      erases it at once. May throw. REQUIRES: there are entries.
//   record_eviction(state, weight)     records that an entry is evicted. The caller calls remove()
//                      later.
//   add(hash, weight, placement)       returns the state of a new entry. May throw, and then has no
//                      effect. After it, nothing may throw until the entry is stored.
//                      REQUIRES: grow() made room for the entry.
//   remove(state, weight)              removes an entry. May leave a stale record. It cannot reach
//                      other entries. So what their states refer to must stay valid, for example
//                      the numbers of their nodes.
//   rehash(state, hash)                returns a new state for an entry whose key gets another
//                      hash. The caller does not remove() the old state. May throw, and then has no
//                      effect.
//   reweigh(state, before, after)      records that the weight of an entry changed
//   collect_if_needed(entries)         drops stale records and unused memory. Call it after
//                      removals.
//   shrink_to_fit(entries)             releases all unused memory
//   clear()            removes all entries
//
// A Store without a capacity does not call weight(), set_capacity(), admit(), find_victim() and
// record_eviction().
// tests/support/invariants.h reads the private members of these classes. So they declare
// `friend struct TestPeer`. (EarliestDeadlineEviction needs none.)

// The policy Unbounded: evicts nothing and keeps nothing.
struct UnboundedEviction {
  static constexpr bool kUsesRequests = false;

  struct PolicyState {};
  struct Placement {};

  template <class Allocator>
  UnboundedEviction(std::size_t, const Allocator&) noexcept {}
  void reserve(std::size_t) noexcept {}
  void grow(std::size_t) noexcept {}
  void record_access(PolicyState&) const noexcept {}
  void record_shared_access(PolicyState&) const noexcept {}
  PolicyState add(std::size_t, std::size_t, Placement) noexcept { return {}; }
  void remove(const PolicyState&, std::size_t) noexcept {}
  PolicyState rehash(const PolicyState&, std::size_t) noexcept { return {}; }
  void reweigh(const PolicyState&, std::size_t, std::size_t) noexcept {}
  template <class Entries>
  void collect_if_needed(Entries&) noexcept {}
  template <class Entries>
  void shrink_to_fit(Entries&) noexcept {}
  void clear() noexcept {}
};

template <class Policy, class Allocator>
struct EvictionOf;
template <class Allocator>
struct EvictionOf<Unbounded, Allocator> {
  using type = UnboundedEviction;
};
template <class Allocator>
struct EvictionOf<EarliestDeadline, Allocator> {
  using type = EarliestDeadlineEviction;
};
template <class Allocator>
struct EvictionOf<Lru, Allocator> {
  using type = LruEviction<Allocator>;
};
template <class Allocator>
struct EvictionOf<ScanResistant, Allocator> {
  using type = ScanResistantEviction<Allocator>;
};

// The implementation of a policy.
template <class Policy, class Allocator>
using Eviction = typename EvictionOf<Policy, Allocator>::type;

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_EVICTION_H_
