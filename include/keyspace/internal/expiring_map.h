// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_EXPIRING_MAP_H_
#define KEYSPACE_INTERNAL_EXPIRING_MAP_H_

#include "keyspace/internal/config.h"

#include <cassert>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "keyspace/internal/budget.h"
#include "keyspace/internal/entry_map.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/packed_deadline.h"
#include "keyspace/internal/timer_record.h"
#include "keyspace/internal/timer_wheel.h"

namespace keyspace::internal {

// Holds the entries and the timer wheel, and keeps the two consistent.
//
// An entry keeps its deadline. The wheel keeps records of (hash, gc colour, time). Neither points
// to the other. A record *matches* an entry if
//   - the key of the entry has the record's hash,
//   - the entry has the record's tag, and
//   - the deadline of the entry is the record's time, or the entry is *filed early*: the time of
//     its record may be before its deadline.
// A record that matches no entry is *stale*. Changes have these effects:
//
//   An entry gets a deadline at or after its record's time: it is filed early. The wheel does not
//     change. (But change() always files a record for a new deadline.)
//   An entry gets any other deadline: a record is filed at it. An old record is stale.
//   An entry is erased or made persistent: its record is stale.
//   A record comes due: see Resolver.
//   A policy looks for a victim: see VictimFinder.
//
// The tag consists of the record's gc colour and its time to 256 ms. The time in the tag tells
// which deadlines need no new record. WheelCollector, a mark-and-sweep collector of stale records,
// gives the gc colour.
//
// Invariants
//   1. Each entry with a deadline has a matching record of its own. The record is filed at the
//      deadline, or before it if the entry is filed early.
//   2. All other records are stale. There are at most about 2048 of them, plus two for each entry
//      with a deadline. (A call that ends by an exception may leave more. Later calls drop them.)
//
// Callers pass the time as `now`, a function. It is called only if the time matters, and returns
// the same time throughout a call. Deadlines are finite, or kNeverMillis for none. Extra is what an
// entry keeps for the owner of this map.
template <class Key, class Value, class Hash, class Equal, class Allocator, class Extra>
class ExpiringMap {
 public:
  using Entries = EntryMap<Key, Value, Hash, Equal, Allocator, Extra>;
  using Entry = typename Entries::Entry;
  using StoredKey = typename Entries::StoredKey;
  using KeyBox = typename Entries::KeyBox;
  using ValueBox = typename Entries::ValueBox;
  using Wheel = TimerWheel<Allocator>;

  // The result of a look-up.
  template <class AnyEntry>
  struct Found {
    AnyEntry* entry;        // null if the key is not stored
    std::size_t hash;       // of the key
    PackedDeadline packed;  // of the entry
  };

  ExpiringMap(const Hash& hash, const Equal& equal, const Allocator& allocator)
      : entries_(hash, equal, allocator), wheel_(allocator) {}

  [[nodiscard]] const Entries& entries() const noexcept { return entries_; }
  [[nodiscard]] Entries& entries() noexcept { return entries_; }
  [[nodiscard]] const Wheel& wheel() const noexcept { return wheel_; }
  [[nodiscard]] Wheel& wheel() noexcept { return wheel_; }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t volatile_size() const noexcept { return entries_.volatile_size(); }
  [[nodiscard]] Millis deadline(const StoredKey& stored) const noexcept {
    return entries_.deadline(stored);
  }
  // Returns a time at or before every deadline. REQUIRES: volatile_size() != 0
  [[nodiscard]] Millis next_due() const noexcept { return wheel_.next_due(); }

  template <class Now>
  static bool is_over(Millis deadline, Now& now) {
    return deadline != kNeverMillis && deadline <= now();
  }
  template <class Now>
  bool is_live(const StoredKey& stored, Now& now) const {
    return entries_.is_live(stored.packed_deadline(), now);
  }
  template <class F, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool is_live(const F& found, Now& now) const {
    return found.entry != nullptr && entries_.is_live(found.packed, now);
  }
  // Returns false only if no entry is expired.
  template <class Now>
  bool may_have_expired(Now& now) const {
    return volatile_size() != 0 && next_due() <= now();
  }

  // --- Look-ups. locate() is always inlined: a function call would take a large part of its time.

  template <class K>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto locate(const K& key) {
    return locate(key, entries_.hash_of(key));
  }
  template <class K>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto locate(const K& key) const {
    return locate(key, entries_.hash_of(key));
  }
  // The same with the hash of the key, which prefetch() returns.
  template <class K>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto locate(const K& key, std::size_t hash) {
    return found(entries_.find(key, hash), hash);
  }
  template <class K>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto locate(const K& key, std::size_t hash) const {
    return found(entries_.find(key, hash), hash);
  }
  // Starts to fetch the memory that locate() will read. Returns the hash of the key.
  template <class K>
  std::size_t prefetch(const K& key) const {
    const std::size_t hash = entries_.hash_of(key);
    entries_.prefetch(hash);
    return hash;
  }

  // --- Changes of entries

  // Returns true if put_now() may be called. Then the map takes no step, no entry is expired, and
  // the deadline is not over.
  template <class Now>
  bool can_put_now(Millis deadline, Now& now) const {
    if (entries_.must_grow() || !Entries::is_near(deadline)) return false;
    if (deadline == kNeverMillis) return volatile_size() == 0;  // else the clock must be read
    return now() < deadline && now() < next_due();
  }
  // Stores a value with one look-up. If the key is stored, overwrites its value, or does nothing if
  // kOverwrites is false. Returns true if it stored the value.
  template <bool kOverwrites>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool put_now(const Key key, std::size_t hash, const Value value,
                                            Millis deadline) {
    const auto [it, is_new] = entries_.find_or_insert(key, hash, value);
    Entry& entry = *it;
    if (is_new) {
      if (deadline != kNeverMillis) set_first_deadline(entry.first, hash, deadline);
    } else if (!kOverwrites) {
      return false;
    } else {
      overwrite(entry, hash, value, deadline);
    }
    return true;
  }

  // Makes room for one insert(). Invalidates pointers. Throws what the allocator throws, and then
  // has no effect.
  void grow_for(Millis deadline) { entries_.grow_for(deadline); }

  // Adds an entry. Calls make_extra() just before the entry is stored. If make_extra() or the
  // allocator throws, the key and the value are not moved from. REQUIRES: the key is not stored;
  // grow_for(deadline) was called.
  template <class MakeExtra>
  void insert(KeyBox&& key, ValueBox&& value, std::size_t hash, Millis deadline,
              const MakeExtra& make_extra) {
    if (deadline != kNeverMillis) file(hash, deadline);
    entries_.insert(std::move(key), std::move(value), hash, deadline, wheel_.tag(deadline),
                    make_extra());
  }

  // Assigns a value and a deadline. If the assignment throws, the deadline does not change.
  template <class V>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void overwrite(Entry& entry, std::size_t hash, V&& value,
                                              Millis deadline) {
    const PackedDeadline packed = entry.first.packed_deadline();
    if (entries_.can_postpone(packed, deadline)) [[likely]] {
      assign(entry.second, std::forward<V>(value));
      entries_.postpone(entry.first, packed, deadline);
    } else {
      change(entry.first, hash, deadline, [&] { assign(entry.second, std::forward<V>(value)); });
    }
  }

  // Changes the deadline of an entry. Calls f() before the change, and after everything else that
  // may throw. If f() throws, the deadline does not change. f() may erase other entries, but must
  // not collect stale records.
  template <class F>
  void change(const StoredKey& stored, std::size_t hash, Millis deadline, const F& f) {
    prepare_deadline(stored, hash, deadline);
    f();
    commit_deadline(stored, deadline);
  }

  // Changes the deadline of the found entry. REQUIRES: the new deadline is not over.
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void set_deadline(const F& found, Millis deadline) {
    const StoredKey& stored = found.entry->first;
    if (entries_.can_postpone(found.packed, deadline)) [[likely]] {
      entries_.postpone(stored, found.packed, deadline);
    } else {
      change(stored, found.hash, deadline, [] {});
    }
  }

  // Gives the found entry a deadline that is not earlier than its own, if that takes only a few
  // instructions. Otherwise does nothing and returns false.
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool try_postpone(const F& found, Millis deadline) {
    if (!entries_.can_postpone_later(found.packed, deadline)) return false;
    entries_.postpone(found.entry->first, found.packed, deadline);
    return true;
  }

  // Gives an entry another key. Calls make_extra() after everything else that may throw. If it
  // throws, no entry changes. The caller must call collect_if_needed() afterwards. REQUIRES: the
  // new key is not stored.
  template <class F, class MakeExtra>
  Entry& rename(const F& from, KeyBox&& key, std::size_t hash, const MakeExtra& make_extra) {
    const Millis deadline = entries_.deadline(from.entry->first);
    if (deadline != kNeverMillis) file(hash, deadline);
    Extra extra = make_extra();
    ValueBox value = std::move(from.entry->second);
    entries_.erase_before_insertion(*from.entry, from.hash);
    return entries_.insert(std::move(key), std::move(value), hash, deadline, wheel_.tag(deadline),
                           std::move(extra));
  }

  // Erases an entry whose key has this hash. Calls f(entry) just before. If f() throws, the map
  // does not change. The record of the entry becomes stale: call collect_if_needed() after the last
  // of several erasures.
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void erase(Entry& entry, std::size_t hash, const F& f) {
    entries_.erase(entry.first, hash, f);
  }
  // The same for the entry of a key. Returns false if there is none.
  template <class K, class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool erase_key(const K& key, const F& f) {
    return entries_.erase_key(key, entries_.hash_of(key), f);
  }
  // Erases an entry without a call of f(), while change() gives the deadline of this entry to
  // another.
  void erase_renamed(Entry& entry, std::size_t hash) noexcept {
    entries_.erase_before_change(entry, hash);
  }

  // Keeps invariant 2. Call it after every change that makes records stale.
  void collect_if_needed() noexcept { wheel_.collect_if_needed(volatile_size(), entries_); }

  // Erases expired entries until the budget is spent. Calls on_expired(entry) before it erases an
  // entry. Returns how many it erased. Throws what on_expired() and the allocator throw; then that
  // entry stays. The caller must call collect_if_needed() afterwards.
  template <class Now, class OnExpired>
  std::size_t erase_expired(Budget& budget, Now& now, const OnExpired& on_expired) {
    if (volatile_size() == 0) {
      wheel_.clear();  // all records are stale, and a constant bounds their number
      return 0;
    }
    if (now() < wheel_.next_due()) return 0;
    const std::size_t limit = budget.erasures;
    Resolver<OnExpired> resolver{*this, now(), on_expired};
    wheel_.advance(now(), budget, resolver);
    return limit - budget.erasures;
  }

  void clear() {
    entries_.clear();
    wheel_.clear();
  }

  // Makes room for `size` entries in all.
  void reserve(std::size_t size) { entries_.reserve(size); }
  // Shrinks the map and the wheel to the entries. Throws what the allocator throws.
  void shrink_to_fit() {
    entries_.shrink_to_fit();
    if (volatile_size() == 0) wheel_.clear();
    wheel_.shrink_to_fit();
  }

  template <class Box, class... Args>
  Box make_box(Args&&... args) const {
    return Box(std::in_place, wheel_.allocator(), std::forward<Args>(args)...);
  }

 private:
  friend struct TestPeer;

  // The owner that erase_expired() passes to the wheel: resolves the records that come due.
  template <class OnExpired>
  struct Resolver {
    void prefetch(std::size_t hash) const { map.entries_.prefetch(hash); }

    // A record does not tell which of the matching entries it was filed for. So each of them that
    // is expired is erased, and each other one gets a new record. The loop ends after an entry
    // whose deadline is the record's time: then each entry that is left has a record of its own.
    // Returns false if the budget did not suffice.
    bool resolve_due(const TimerRecord& record, Budget& budget) {
      for (;;) {
        Entry* const entry = map.entries_.find_for(record);
        if (entry == nullptr) return true;
        const StoredKey& stored = entry->first;
        const bool is_filed_early = stored.is_filed_early();
        if (const Millis deadline = map.entries_.deadline(stored); now < deadline) {
          map.wheel_.file(record.hash(), deadline);
          map.entries_.set_deadline(stored, deadline, map.wheel_.tag(deadline));
        } else {
          map.entries_.erase(stored, record.hash(), on_expired);
          --budget.erasures;
        }
        if (!is_filed_early) return true;
        if (budget.is_spent()) return false;
        --budget.steps;
      }
    }

    ExpiringMap& map;
    Millis now;
    const OnExpired& on_expired;
  };

  template <class AnyEntry>
  ABSL_ATTRIBUTE_ALWAYS_INLINE static Found<AnyEntry> found(AnyEntry* entry, std::size_t hash) {
    if (entry == nullptr) return {nullptr, hash, PackedDeadline()};
    return {entry, hash, entry->first.packed_deadline()};
  }

  template <class V>
  void assign(ValueBox& box, V&& value) {
    if constexpr (std::is_arithmetic_v<std::remove_cvref_t<V>> && std::is_arithmetic_v<Value>) {
      box.get() = static_cast<Value>(value);  // so that a warning points to the caller, not here
    } else if constexpr (std::is_assignable_v<Value&, V>) {
      box.get() = std::forward<V>(value);
    } else {
      box.replace(make_box<ValueBox>(std::forward<V>(value)));
    }
  }

  // A change of a deadline has two parts: the first may throw, the second may not. Between them
  // nothing may collect stale records, because the new record matches no entry yet.
  ABSL_ATTRIBUTE_NOINLINE void prepare_deadline(const StoredKey& stored, std::size_t hash,
                                                Millis deadline) {
    if (deadline == entries_.deadline(stored)) return;
    entries_.reserve_deadline(deadline);
    if (deadline != kNeverMillis) file(hash, deadline);
  }
  ABSL_ATTRIBUTE_NOINLINE void commit_deadline(const StoredKey& stored, Millis deadline) noexcept {
    if (deadline == entries_.deadline(stored)) return;
    entries_.set_deadline(stored, deadline, wheel_.tag(deadline));
    collect_if_needed();
  }

  // Gives a deadline to an entry that was just inserted without one. Erases the entry if it throws.
  // REQUIRES: Entries::is_near(deadline)
  void set_first_deadline(const StoredKey& stored, std::size_t hash, Millis deadline) {
    if (!wheel_.try_file(hash, deadline)) [[unlikely]]
      file_or_erase(stored, hash, deadline);
    entries_.set_first_deadline(stored, deadline, wheel_.tag(deadline));
  }
  ABSL_ATTRIBUTE_NOINLINE void file_or_erase(const StoredKey& stored, std::size_t hash,
                                             Millis deadline) {
    struct Undo {
      ~Undo() {
        if (!is_filed) entries.erase(stored, hash, [](Entry&) {});
      }
      Entries& entries;
      const StoredKey& stored;
      std::size_t hash;
      bool is_filed = false;
    } undo{entries_, stored, hash};
    wheel_.file(hash, deadline);
    undo.is_filed = true;
  }

  // Files a record for an entry that the caller is about to change. Collects stale records first,
  // because the new record matches no entry yet. If the caller fails before the change, the new
  // record is stale.
  ABSL_ATTRIBUTE_NOINLINE void file(std::size_t hash, Millis deadline) {
    collect_if_needed();
    wheel_.file(hash, deadline);
  }

  Entries entries_;
  Wheel wheel_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_EXPIRING_MAP_H_
