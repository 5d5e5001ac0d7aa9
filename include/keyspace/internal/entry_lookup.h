// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_ENTRY_LOOKUP_H_
#define KEYSPACE_INTERNAL_ENTRY_LOOKUP_H_

#include "keyspace/internal/config.h"

#include <atomic>
#include <cstddef>

#include "keyspace/internal/hashing.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/packed_deadline.h"
#include "keyspace/internal/timer_record.h"

// The arguments that EntryMap passes to its flat_hash_map, and the hash and equality of that map,
// which accept them. Each argument has a `hash`. The equality compares the argument's key, or calls
// its accepts(stored), or finds no element equal.

namespace keyspace::internal {

// Finds the entry of a key.
template <class K>
struct KeyLookup {
  const K& key;
  std::size_t hash;
};

// Finds an entry of the map, at its address, even if its key was moved from.
template <class StoredKey>
struct AddressLookup {
  [[nodiscard]] bool accepts(const StoredKey& other) const noexcept { return &other == &stored; }
  const StoredKey& stored;
  std::size_t hash;
};

// Finds the entry of a key. If there is none, the map makes one from this.
template <class Key, class Allocator>
struct InsertableKey : KeyLookup<Key> {
  const Allocator& allocator;
};

// A key that the map does not hold yet, and what is stored with it. It matches no element, so that
// the map inserts it without a comparison.
template <class KeyBox, class Extra>
struct AbsentKey {
  KeyBox&& key;
  std::size_t hash;
  PackedDeadline packed_deadline;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Extra extra;
};

// Finds an entry that `record` matches. (Traits: see EntryMap::DeadlineRecord.)
template <class Entries, class Traits>
struct RecordLookup {
  const Entries& entries;
  const TimerRecord& record;
  std::size_t hash = record.hash();
  TimerRecord::Tag tag = Traits::tag(record);

  template <class StoredKey>
  [[nodiscard]] bool accepts(const StoredKey& stored) const {
    return Traits::tag(stored) == tag &&
           (Traits::is_filed_early(stored) || Traits::time(entries, stored) == record.time()) &&
           entries.hash_of(stored) == hash;
  }
};

// Finds an entry that was not filed early and whose time is that of `record`. If there is none,
// leaves in `best` the earliest of the entries that were filed early and whose time is not before
// that of `record`. Leaves null if there is none of these either.
template <class Entries, class Traits, class StoredKey>
struct BestMatchLookup : RecordLookup<Entries, Traits> {
  const StoredKey** best;

  [[nodiscard]] bool accepts(const StoredKey& stored) const {
    if (!RecordLookup<Entries, Traits>::accepts(stored)) return false;
    if (!Traits::is_filed_early(stored)) return true;
    const Millis time = Traits::time(this->entries, stored);
    if (time >= this->record.time() &&
        (*best == nullptr || time < Traits::time(this->entries, **best))) {
      *best = &stored;
    }
    return false;
  }
};

// Finds no entry. Calls f(stored) for each entry that `record` matches and whose time is not before
// that of `record`. It may call f() twice for an entry, if the map has assertions.
template <class Entries, class Traits, class F>
struct EachMatchLookup : RecordLookup<Entries, Traits> {
  const F& f;

  template <class StoredKey>
  [[nodiscard]] bool accepts(const StoredKey& stored) const {
    if (RecordLookup<Entries, Traits>::accepts(stored) &&
        Traits::time(this->entries, stored) >= this->record.time()) {
      f(stored);
    }
    return false;
  }
};

// Finds an entry that a predicate accepts.
template <class Predicate>
struct PredicateLookup {
  std::size_t hash;
  const Predicate& accepts;
};

// Selects the entries to load into the processor's cache.
struct PrefetchLookup {
  std::size_t hash;
};

// The hash of the map. (A StoredKey is EntryMap::StoredKey.)
template <class StoredKey, class Hash>
struct EntryHash {
  using is_transparent = void;

  std::size_t operator()(const PrefetchLookup& prefetch) const noexcept {
    // Without this fence, GCC takes flat_hash_map::prefetch() for a function without effect and
    // removes the call.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return prefetch.hash;
  }
  std::size_t operator()(const StoredKey& stored) const {
    if constexpr (StoredKey::kKeepsHash) {
      return stored.kept_hash();
    } else {
      return of(stored.key());
    }
  }
  template <class L>
  requires requires(const L& lookup) { lookup.hash; }
  std::size_t operator()(const L& lookup) const noexcept { return lookup.hash; }

  // Returns the hash of a key.
  template <class K>
  std::size_t of(const K& key) const {
    return spread_hash(hash, key) & kHashMask;
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Hash hash;
};

// The equality of the map.
template <class StoredKey, class KeyBox, class Extra, class Equal>
struct EntryEqual {
  using is_transparent = void;

  // Serves the map's own assertions. They look up an element that is in the map, at its address.
  bool operator()(const StoredKey& a, const StoredKey& b) const noexcept { return &a == &b; }
  template <class K>
  bool operator()(const StoredKey& stored, const KeyLookup<K>& lookup) const {
    if constexpr (StoredKey::kKeepsHash) {
      if (stored.kept_hash() != lookup.hash) return false;
    }
    return equal(stored.key(), lookup.key);
  }
  template <class L>
  requires requires(const L& lookup, const StoredKey& stored) { lookup.accepts(stored); }
  bool operator()(const StoredKey& stored, const L& lookup) const { return lookup.accepts(stored); }
  bool operator()(const StoredKey&, const AbsentKey<KeyBox, Extra>&) const noexcept {
    return false;
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Equal equal;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_ENTRY_LOOKUP_H_
