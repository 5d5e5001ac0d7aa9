// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_ENTRY_MAP_H_
#define KEYSPACE_INTERNAL_ENTRY_MAP_H_

#include "keyspace/internal/config.h"

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "keyspace/internal/entry_lookup.h"
#include "keyspace/internal/incremental_map.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/nothrow_box.h"
#include "keyspace/internal/packed_deadline.h"
#include "keyspace/internal/probe.h"
#include "keyspace/internal/timer_record.h"

namespace keyspace::internal {

// The entries of a keyspace: a hash map with a deadline beside each key. An insertion
// either succeeds, or throws before it changes anything.
//
// flat_hash_map alone does not promise that. Its elements may be lost if the allocator, a hash or a
// move throws while it grows, or if the constructor of an element throws. So this map
//   - makes keys and values before it inserts them, in boxes that move without throwing;
//   - if the hash function may throw, calls it once for each key, and keeps the hash;
//   - never lets flat_hash_map grow by itself: see IncrementalMap.
//
// Each entry also keeps an Extra, for the policy and the weigher. The map does not look into it. An
// Extra moves without throwing, and takes no space if it is empty.
//
// The map calls no timer wheel and reads no clock: callers pass the time. About an entry's
// TimerRecord it knows only what the PackedDeadline holds. ExpiringMap, Store, Engine and the
// policies call this map.
//
// Invariants
//   1. volatile_size() is the number of entries with a deadline.
//   2. Each far deadline belongs to one entry. (See DeadlineTable.)
template <class Key, class Value, class Hash, class Equal, class Allocator, class Extra>
class EntryMap {
  static constexpr bool kHashMayThrow = !std::is_nothrow_invocable_v<const Hash&, const Key&>;
  struct KeptHash {
    std::size_t value;
  };
  struct NoHash {
    constexpr NoHash(std::size_t) noexcept {}  // NOLINT(google-explicit-constructor)
  };

 public:
  using KeyBox = NothrowBox<Key, Allocator>;
  using ValueBox = NothrowBox<Value, Allocator>;

  // Whether find_or_insert() exists. It copies keys and values, and these copies must not throw. (A
  // trivial copy may still be declared to throw. Such a type lives in a box on the heap.)
  static constexpr bool kIsTrivial =
      std::is_trivially_copyable_v<Key> && std::is_nothrow_copy_constructible_v<Key> &&
      std::is_trivially_copyable_v<Value> && std::is_nothrow_copy_constructible_v<Value> &&
      KeyBox::kInPlace && ValueBox::kInPlace;

 private:
  using Insertable = InsertableKey<Key, Allocator>;
  using Absent = AbsentKey<KeyBox, Extra>;

 public:
  // A key, its deadline and its Extra. flat_hash_map holds it as a const key. The place of an entry
  // depends only on the key, so the deadline and the Extra are mutable. The key box is mutable so
  // that a const StoredKey can be moved from: flat_hash_map moves a pair<const K, V> that way.
  class StoredKey {
   public:
    // Whether the hash is kept: it is if the hash function may throw.
    static constexpr bool kKeepsHash = kHashMayThrow;

    explicit StoredKey(Absent&& absent) noexcept
        : key_(std::move(absent.key)),
          packed_deadline_(absent.packed_deadline),
          extra_(std::move(absent.extra)),
          hash_{absent.hash} {}
    explicit StoredKey(Insertable&& insertable) noexcept
        : key_(std::in_place, insertable.allocator, insertable.key), hash_{insertable.hash} {}
    StoredKey(StoredKey&&) noexcept = default;
    StoredKey(const StoredKey&& other) noexcept
        : key_(std::move(other.key_)),
          packed_deadline_(other.packed_deadline_),
          extra_(std::move(other.extra_)),
          hash_(other.hash_) {}

    [[nodiscard]] const Key& key() const noexcept { return key_.get(); }
    // Returns true if there is a deadline.
    [[nodiscard]] bool is_volatile() const noexcept { return !packed_deadline_.is_never(); }
    [[nodiscard]] bool is_filed_early() const noexcept { return packed_deadline_.is_filed_early(); }
    [[nodiscard]] PackedDeadline packed_deadline() const noexcept { return packed_deadline_; }
    [[nodiscard]] Extra& extra() const noexcept { return extra_; }
    [[nodiscard]] std::size_t kept_hash() const noexcept requires(kKeepsHash) {
      return hash_.value;
    }

   private:
    friend class EntryMap;
    friend struct TestPeer;
    mutable KeyBox key_;
    mutable PackedDeadline packed_deadline_;
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS mutable Extra extra_;
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS std::conditional_t<kKeepsHash, KeptHash, NoHash> hash_;
  };

  // The default Traits of find_for() and match_record(). They read what an entry knows about its
  // record in the timer wheel of deadlines. A policy with a second wheel passes other traits with
  // the same members. time() is the latest time at which the entry's record may be filed.
  struct DeadlineRecord {
    static TimerRecord::Tag tag(const TimerRecord& record) noexcept { return record.tag(); }
    static TimerRecord::Tag tag(const StoredKey& stored) noexcept {
      return stored.packed_deadline_.tag();
    }
    static bool is_filed_early(const StoredKey& stored) noexcept { return stored.is_filed_early(); }
    static Millis time(const EntryMap& entries, const StoredKey& stored) noexcept {
      return entries.deadline(stored);
    }
    static void flip_gc_color(const StoredKey& stored) noexcept {
      stored.packed_deadline_.flip_gc_color();
    }
  };

 private:
  using MapHash = EntryHash<StoredKey, Hash>;
  using MapEqual = EntryEqual<StoredKey, KeyBox, Extra, Equal>;
  struct MoveEntry {
    template <class Table>
    static void prefetch(const Table& table, std::size_t hash) noexcept {
      table.prefetch(PrefetchLookup{hash});
    }
    template <class Table, class E>
    static void to(Table& table, std::size_t hash, E& entry) noexcept {
      const StoredKey& stored = entry.first;
      table.try_emplace(
          Absent{std::move(stored.key_), hash, stored.packed_deadline_, std::move(stored.extra_)},
          std::move(entry.second));
    }
  };
  using Map = IncrementalMap<StoredKey, ValueBox, MapHash, MapEqual, Allocator, MoveEntry>;

 public:
  using Entry = typename Map::value_type;  // a pair of a const StoredKey and a ValueBox

  EntryMap(const Hash& hash, const Equal& equal, const Allocator& allocator)
      : map_(MapHash{hash}, MapEqual{equal}, allocator), deadlines_(allocator) {}
  // Leaves `other` empty.
  EntryMap(EntryMap&& other) noexcept
      : map_(std::move(other.map_)),
        deadlines_(std::move(other.deadlines_)),
        volatile_size_(std::exchange(other.volatile_size_, 0)) {}

  [[nodiscard]] std::size_t size() const noexcept { return map_.size(); }
  // Returns the number of entries with a deadline.
  [[nodiscard]] std::size_t volatile_size() const noexcept { return volatile_size_; }

  [[nodiscard]] const Hash& hash_function() const noexcept { return map_.hash_function().hash; }
  [[nodiscard]] Equal key_eq() const { return map_.equality().equal; }
  template <class K>
  [[nodiscard]] std::size_t hash_of(const K& key) const {
    return map_.hash_function().of(key);
  }
  [[nodiscard]] std::size_t hash_of(const StoredKey& stored) const {
    return map_.hash_function()(stored);
  }

  // Calls f(entry) for each entry. f must not insert or erase.
  template <class F>
  void for_each(const F& f) {
    map_.for_each(f);
  }
  template <class F>
  void for_each(const F& f) const {
    map_.for_each(f);
  }

  // Calls f(entry) for one entry after the other, until f returns false.
  template <class F>
  void visit_until_false(const F& f) {
    map_.visit_until_false(f);
  }

  // Returns the entry of a key that has this hash. Like the other searches, returns null if no
  // entry matches.
  template <class K>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE Entry* find(const K& key, std::size_t hash) {
    return look_up(KeyLookup<K>{key, hash});
  }
  template <class K>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE const Entry* find(const K& key,
                                                               std::size_t hash) const {
    return look_up(KeyLookup<K>{key, hash});
  }

  // Returns one of the entries that `record` matches. (ExpiringMap says when a record matches.)
  template <class Traits = DeadlineRecord>
  [[nodiscard]] Entry* find_for(const TimerRecord& record) {
    return look_up(RecordLookup<EntryMap, Traits>{*this, record});
  }
  // Returns an entry whose key has this hash and for which accepts(its StoredKey) is true. The
  // search may call the predicate for a few entries with another hash. It must return false for
  // these.
  template <class Predicate>
  [[nodiscard]] Entry* find_if(std::size_t hash, const Predicate& accepts) {
    return look_up(PredicateLookup<Predicate>{hash, accepts});
  }
  // Calls f(its StoredKey) for each entry that `record` matches and that is not due before it. May
  // call f() more than once for an entry. Throws what f() and the hash throw.
  template <class F>
  void for_each_match(const TimerRecord& record, const F& f) const {
    look_up(EachMatchLookup<EntryMap, DeadlineRecord, F>{{*this, record}, f});
  }
  // Returns the entry that contains `stored`.
  [[nodiscard]] const Entry& entry_of(const StoredKey& stored) const {
    return *look_up(AddressLookup<StoredKey>{stored, hash_of(stored)});
  }
  // Begins to load the memory that a find() with this hash reads.
  void prefetch(std::size_t hash) const { map_.prefetch(PrefetchLookup{hash}); }

  // Finds an entry that `record` matches, and flips its gc colour. Returns false if there is none.
  //
  // Prefers an entry that was not filed early and has the record's time. Otherwise takes the
  // earliest of the entries that were filed early and whose time is at or after the record's. With
  // any other choice, the collector could drop a record that an entry still needs.
  template <class Traits = DeadlineRecord>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool match_record(const TimerRecord& record) noexcept {
    const StoredKey* stored = nullptr;
    const Entry* const exact =
        look_up(BestMatchLookup<EntryMap, Traits, StoredKey>{{*this, record}, &stored});
    if (exact != nullptr) stored = &exact->first;
    if (stored == nullptr) return false;
    Traits::flip_gc_color(*stored);
    return true;
  }

  // Returns true if the deadline is after now(), or if there is none. Calls now() only if there is
  // a deadline.
  template <class Now>
  [[nodiscard]] bool is_live(PackedDeadline packed, Now& now) const {
    return deadlines_.is_after(packed, now);
  }
  // Returns true if postpone() suffices to set a new deadline: the entry keeps its record.
  static bool can_postpone(PackedDeadline packed, Millis deadline) noexcept {
    return DeadlineTable<Allocator>::can_postpone(packed, deadline);
  }
  static bool can_postpone_later(PackedDeadline packed, Millis deadline) noexcept {
    return DeadlineTable<Allocator>::can_postpone_later(packed, deadline);
  }
  // Returns the deadline of an entry; kNeverMillis if it has none.
  [[nodiscard]] Millis deadline(const StoredKey& stored) const noexcept {
    return deadlines_.read(stored.packed_deadline_);
  }

  // Returns how many entries the table may hold. The map may make a larger table before that.
  [[nodiscard]] std::size_t capacity() const noexcept { return map_.capacity(); }
  // Returns true if an insertion must call grow_for() first.
  [[nodiscard]] bool must_grow() const noexcept { return map_.must_make_room(); }

  // Makes room for one insert() with this deadline. Invalidates pointers. Throws what the
  // allocator throws, and then has no effect.
  void grow_for(Millis deadline) {
    map_.make_room();
    reserve_deadline(deadline);
  }
  // Takes a step if the map grows or shrinks. Invalidates pointers.
  void step() noexcept { map_.step(); }
  // Returns true if step() has something to do.
  [[nodiscard]] bool needs_step() const noexcept { return map_.needs_step(); }
  // Makes room for one set_deadline() with this deadline. Pointers stay valid. Throws what the
  // allocator throws, and then has no effect.
  void reserve_deadline(Millis deadline) { deadlines_.reserve(deadline); }

  // Inserts an entry whose record has this tag. REQUIRES: the key is not stored. Since the last
  // insertion, grow_for(deadline) was called, or (for a rename) an entry with this deadline was
  // erased.
  Entry& insert(KeyBox&& key, ValueBox&& value, std::size_t hash, Millis deadline,
                TimerRecord::Tag tag, Extra extra) noexcept {
    volatile_size_ += deadline != kNeverMillis;
    return map_.emplace(
        Absent{std::move(key), hash, deadlines_.write(deadline, tag), std::move(extra)},
        std::move(value));
  }

  // Finds the entry of a key, or inserts one without a deadline, with one look-up. Returns the
  // entry, and true if it was inserted. REQUIRES: !must_grow().
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto find_or_insert(Key key, std::size_t hash,
                                                   Value value) requires kIsTrivial {
    Probe::count(Probe::kKeysLookedUp);
    const Allocator allocator = map_.allocator();
    return map_.find_or_emplace(Insertable{{key, hash}, allocator}, std::in_place, allocator,
                                std::move(value));
  }
  // Returns true if this deadline, or kNeverMillis, needs no reserve_deadline().
  static bool is_near(Millis deadline) noexcept {
    return deadline == kNeverMillis || DeadlineTable<Allocator>::is_near(deadline);
  }

  // Sets a deadline for which a record with this tag is filed, or kNeverMillis. REQUIRES: the entry
  // has this deadline already, or reserve_deadline(deadline) was called since the last change.
  void set_deadline(const StoredKey& stored, Millis deadline, TimerRecord::Tag tag) noexcept {
    volatile_size_ -= stored.is_volatile();
    volatile_size_ += deadline != kNeverMillis;
    deadlines_.release(stored.packed_deadline_);
    stored.packed_deadline_ = deadlines_.write(deadline, tag);
  }

  // Sets the deadline of an entry that has none. REQUIRES: is_near(deadline)
  void set_first_deadline(const StoredKey& stored, Millis deadline, TimerRecord::Tag tag) noexcept {
    ++volatile_size_;
    stored.packed_deadline_ = deadlines_.write(deadline, tag);
  }

  // Sets a deadline at or after the time of the entry's record. REQUIRES: `packed` is the entry's
  // packed_deadline(), and can_postpone(packed, deadline).
  void postpone(const StoredKey& stored, PackedDeadline packed, Millis deadline) noexcept {
    stored.packed_deadline_ = deadlines_.postpone(packed, deadline);
  }

  // Returns the key of an entry as an rvalue. Only the f() of an erase(), or a caller that then
  // calls clear(), may move from it.
  static KeyBox&& take_key(const Entry& entry) noexcept { return std::move(entry.first.key_); }
  // Erases the entry that contains `stored`, whose key has this hash. Calls f(entry) just before.
  // If f() throws, the map does not change.
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void erase(const StoredKey& stored, std::size_t hash, const F& f) {
    erase_matching(AddressLookup<StoredKey>{stored, hash}, f);
  }
  // The same for the entry of a key. Returns false if there is none.
  template <class K, class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool erase_key(const K& key, std::size_t hash, const F& f) {
    return erase_matching(KeyLookup<K>{key, hash}, f);
  }
  // Erases an entry. REQUIRES: an insert() with the same deadline follows.
  void erase_before_insertion(Entry& entry, std::size_t hash) noexcept {
    map_.erase_before_insertion(AddressLookup<StoredKey>{entry.first, hash},
                                [this](Entry& e) { release_deadline(e); });
  }
  // Erases an entry. REQUIRES: a set_deadline() of another entry with the same deadline follows.
  void erase_before_change(Entry& entry, std::size_t hash) noexcept {
    map_.erase(AddressLookup<StoredKey>{entry.first, hash},
               [this](Entry& e) { release_deadline(e); });
  }

  // Erases each entry for which f(entry) returns true. If f() throws, no more entries are erased.
  template <class F>
  void erase_if(const F& f) {
    map_.erase_if([&](Entry& entry) {
      if (!f(entry)) return false;
      forget_deadline(entry);
      return true;
    });
  }

  void clear() {
    map_.clear();
    deadlines_.clear();
    volatile_size_ = 0;
  }

  // Makes room for `size` entries in all. Invalidates pointers. Throws what the allocator throws,
  // and then has no effect.
  void reserve(std::size_t size) { map_.reserve(size); }
  // Shrinks the map to its entries. Invalidates pointers. Throws what the allocator throws, and
  // then has no effect.
  void shrink_to_fit() { map_.shrink_to_fit(); }

 private:
  friend struct TestPeer;

  template <class L, class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool erase_matching(const L& lookup, const F& f) {
    Probe::count(Probe::kKeysLookedUp);
    return map_.erase(lookup, [&](Entry& entry) {
      f(entry);
      forget_deadline(entry);
    });
  }
  void release_deadline(const Entry& entry) noexcept {
    volatile_size_ -= entry.first.is_volatile();
    deadlines_.release(entry.first.packed_deadline_);
  }
  void forget_deadline(const Entry& entry) noexcept {
    volatile_size_ -= entry.first.is_volatile();
    deadlines_.release_and_shrink(entry.first.packed_deadline_);
  }
  template <class L>
  ABSL_ATTRIBUTE_ALWAYS_INLINE Entry* look_up(const L& lookup) {
    Probe::count(Probe::kKeysLookedUp);
    return map_.find(lookup);
  }
  template <class L>
  ABSL_ATTRIBUTE_ALWAYS_INLINE const Entry* look_up(const L& lookup) const {
    Probe::count(Probe::kKeysLookedUp);
    return map_.find(lookup);
  }

  Map map_;
  DeadlineTable<Allocator> deadlines_;
  std::size_t volatile_size_ = 0;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_ENTRY_MAP_H_
