#ifndef KEYSPACE_INTERNAL_ENTRY_MAP_H_
#define KEYSPACE_INTERNAL_ENTRY_MAP_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/container/flat_hash_map.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/probe.h"
#include "keyspace/internal/record.h"
#include "keyspace/internal/remake.h"
#include "keyspace/internal/slot.h"
#include "keyspace/internal/stamp.h"

namespace keyspace::internal {

// The entries: an absl::flat_hash_map with a deadline beside every key, in which an insertion
// either throws before it changes anything or succeeds.
//
// flat_hash_map alone does not promise that: it is lost when the allocator, a hash or a move throws
// while it grows, and when the constructor of an element throws. So elements are made before they
// are inserted and move without throwing (Slot), a hash that may throw is computed once and kept,
// and the map never grows by itself: make_room() builds its successor beside it.
//
// Beside its deadline an entry keeps an Extra, of which the map knows nothing: it moves without
// throwing, and takes no space if it is empty.
//
// Knows nothing of the time, nor of the expiry table beyond what a Stamp says of a Record.
template <class Key, class Value, class Hash, class Equal, class Allocator, class Extra>
class EntryMap {
  static constexpr bool kKeepsHash = !std::is_nothrow_invocable_v<const Hash&, const Key&>;
  struct KeptHash {
    std::size_t value;
  };
  struct NoHash {
    constexpr NoHash(std::size_t) noexcept {}  // NOLINT(google-explicit-constructor)
  };

 public:
  using KeySlot = Slot<Key, Allocator>;
  using ValueSlot = Slot<Value, Allocator>;

  // Whether find_or_insert() is to be had: keys and values can be copied for it, and nothing
  // throws. (A copy that is trivial may yet be declared to throw, and then is kept in a box.)
  static constexpr bool kIsTrivial =
      std::is_trivially_copyable_v<Key> && std::is_nothrow_copy_constructible_v<Key> &&
      std::is_trivially_copyable_v<Value> && std::is_nothrow_copy_constructible_v<Value> &&
      KeySlot::kInPlace && ValueSlot::kInPlace;

 private:
  // A key to look for, and its hash.
  template <class K>
  struct Lookup {
    const K& key;
    std::size_t hash;
  };

  // A key that is looked for, and of which an element is made if it is absent.
  struct Claimant : Lookup<Key> {
    const Allocator& allocator;
  };

  // A key that is known to be absent: equal to no other.
  struct Newcomer {
    KeySlot&& key;
    std::size_t hash;
    Stamp stamp;
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Extra extra;
  };

 public:
  // A key and what is kept beside it. The map holds it const, for the sake of hash and equality;
  // they look at neither the rest nor the address of the key, so those may change. It moves even
  // when it is const, as flat_hash_map may move a pair<const K, V> with nothing more.
  class StoredKey {
   public:
    explicit StoredKey(Newcomer&& newcomer) noexcept
        : key_(std::move(newcomer.key)),
          stamp_(newcomer.stamp),
          extra_(std::move(newcomer.extra)),
          hash_{newcomer.hash} {}
    explicit StoredKey(Claimant&& claimant) noexcept
        : key_(std::in_place, claimant.allocator, claimant.key), hash_{claimant.hash} {}
    StoredKey(StoredKey&&) noexcept = default;
    StoredKey(const StoredKey&& other) noexcept
        : key_(std::move(other.key_)),
          stamp_(other.stamp_),
          extra_(std::move(other.extra_)),
          hash_(other.hash_) {}

    [[nodiscard]] const Key& key() const noexcept { return key_.get(); }
    [[nodiscard]] bool is_volatile() const noexcept { return !stamp_.is_never(); }
    [[nodiscard]] bool is_filed_early() const noexcept { return stamp_.early(); }
    [[nodiscard]] Stamp stamp() const noexcept { return stamp_; }
    [[nodiscard]] Extra& extra() const noexcept { return extra_; }

   private:
    friend class EntryMap;
    friend struct TestPeer;
    mutable KeySlot key_;
    mutable Stamp stamp_;
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS mutable Extra extra_;
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS std::conditional_t<kKeepsHash, KeptHash, NoHash> hash_;
  };

  // The time for which an entry has a record in the expiry table. A policy that keeps records in a
  // table of its own has another such `By`, with the same members. (For VictimFinder, moreover
  // records_needed(entries), and file(hash, stored), which files a record at time(), so that the
  // entry is not early any more.)
  struct ByDeadline {
    static Record::Tag tag(const Record& record) noexcept { return record.tag(); }
    static Record::Tag tag(const StoredKey& stored) noexcept { return stored.stamp_.tag(); }
    static bool is_early(const StoredKey& stored) noexcept { return stored.stamp_.early(); }
    static Millis time(const EntryMap& entries, const StoredKey& stored) noexcept {
      return entries.deadline(stored);
    }
    static void flip_mark(const StoredKey& stored) noexcept { stored.stamp_.flip_mark(); }
  };

 private:
  // What finds the entries of which `record` may be the record.
  template <class By>
  struct RecordLookup {
    const EntryMap& entries;
    const Record& record;
    std::size_t hash = record.hash();
    Record::Tag tag = By::tag(record);

    [[nodiscard]] bool accepts(const StoredKey& stored) const {
      return By::tag(stored) == tag &&
             (By::is_early(stored) || By::time(entries, stored) == record.when()) &&
             entries.hash_of(stored) == hash;
    }
  };

  // What finds the one entry whose record `record` is to be: one that it fits exactly, or else the
  // soonest of those filed early that it precedes. The latter is left in `best` and not found.
  template <class By>
  struct ClaimLookup : RecordLookup<By> {
    const StoredKey** best;

    [[nodiscard]] bool accepts(const StoredKey& stored) const {
      if (!RecordLookup<By>::accepts(stored)) return false;
      if (!By::is_early(stored)) return true;
      const Millis time = By::time(this->entries, stored);
      if (time >= this->record.when() &&
          (*best == nullptr || time < By::time(this->entries, **best))) {
        *best = &stored;
      }
      return false;
    }
  };

  // What finds an entry that a predicate accepts.
  template <class Predicate>
  struct PredicateLookup {
    std::size_t hash;
    const Predicate& accepts;
  };

  // What is to be fetched into the cache, by the hash of the key.
  struct Prefetch {
    std::size_t hash;
  };

  struct MapHash {
    using is_transparent = void;
    std::size_t operator()(const Prefetch& prefetch) const noexcept {
      // Or else GCC takes flat_hash_map::prefetch() for a function without effect, and drops it.
      std::atomic_signal_fence(std::memory_order_seq_cst);
      return prefetch.hash;
    }
    std::size_t operator()(const StoredKey& stored) const {
      if constexpr (kKeepsHash) {
        return stored.hash_.value;
      } else {
        return of(stored.key());
      }
    }
    template <class L>
    requires requires(const L& lookup) { lookup.hash; }
    std::size_t operator()(const L& lookup) const noexcept { return lookup.hash; }
    template <class K>
    std::size_t of(const K& key) const {
      return spread_hash(hash, key) & kHashMask;
    }
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Hash hash;
  };

  struct MapEqual {
    using is_transparent = void;
    // The map's own assertions look up an element as it stands there.
    bool operator()(const StoredKey& a, const StoredKey& b) const noexcept { return &a == &b; }
    template <class K>
    bool operator()(const StoredKey& stored, const Lookup<K>& lookup) const {
      if constexpr (kKeepsHash) {
        if (stored.hash_.value != lookup.hash) return false;
      }
      return equal(stored.key(), lookup.key);
    }
    template <class L>
    requires requires(const L& lookup, const StoredKey& stored) { lookup.accepts(stored); }
    bool operator()(const StoredKey& stored, const L& lookup) const {
      return lookup.accepts(stored);
    }
    bool operator()(const StoredKey&, const Newcomer&) const noexcept { return false; }
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Equal equal;
  };

  using Map = absl::flat_hash_map<StoredKey, ValueSlot, MapHash, MapEqual,
                                  typename std::allocator_traits<Allocator>::template rebind_alloc<
                                      std::pair<const StoredKey, ValueSlot>>>;

 public:
  using Entry = typename Map::value_type;  // a pair of a const StoredKey and a ValueSlot
  using iterator = typename Map::iterator;
  using const_iterator = typename Map::const_iterator;

  EntryMap(const Hash& hash, const Equal& equal, const Allocator& allocator)
      : hash_{hash},
        map_(0, hash_, MapEqual{equal}, typename Map::allocator_type(allocator)),
        deadlines_(allocator) {}
  EntryMap(EntryMap&& other) noexcept
      : hash_(other.hash_),
        map_(std::move(other.map_)),
        deadlines_(std::move(other.deadlines_)),
        full_size_(std::exchange(other.full_size_, 0)),
        volatile_size_(std::exchange(other.volatile_size_, 0)) {
    other.map_.clear();  // a map that was moved from allows little else
  }

  [[nodiscard]] iterator begin() noexcept { return map_.begin(); }
  [[nodiscard]] iterator end() noexcept { return map_.end(); }
  [[nodiscard]] const_iterator begin() const noexcept { return map_.begin(); }
  [[nodiscard]] const_iterator end() const noexcept { return map_.end(); }
  [[nodiscard]] std::size_t size() const noexcept { return map_.size(); }
  [[nodiscard]] std::size_t volatile_size() const noexcept { return volatile_size_; }

  template <class K>
  [[nodiscard]] std::size_t hash_of(const K& key) const {
    return hash_.of(key);
  }
  [[nodiscard]] std::size_t hash_of(const StoredKey& stored) const { return hash_(stored); }

  template <class K>
  [[nodiscard]] iterator find(const K& key, std::size_t hash) {
    return look_up(Lookup<K>{key, hash});
  }
  template <class K>
  [[nodiscard]] const_iterator find(const K& key, std::size_t hash) const {
    return look_up(Lookup<K>{key, hash});
  }

  // Finds an entry of this map. Does not throw: a hash that might is kept.
  [[nodiscard]] iterator find(const StoredKey& stored) noexcept { return look_up(stored); }

  // Finds one of the entries that `record` may have been filed for: in the expiry table, or By
  // something else, which says what an entry knows of its record.
  template <class By = ByDeadline>
  [[nodiscard]] iterator find(const Record& record) {
    return look_up(RecordLookup<By>{*this, record});
  }
  // Finds an entry for which accepts(its StoredKey), and whose key has this hash: a predicate that
  // accepts others may find none.
  template <class Predicate>
  [[nodiscard]] iterator find_if(std::size_t hash, const Predicate& accepts) {
    return look_up(PredicateLookup<Predicate>{hash, accepts});
  }
  // Begins to fetch what a find() with this hash looks at.
  void prefetch(std::size_t hash) const { map_.prefetch(Prefetch{hash}); }

  // Flips the mark of one entry that `record` fits, and returns whether there is one: an entry with
  // that very deadline, else the soonest early entry that is not over by then. Any other choice
  // could take the record from the one entry that no later record fits.
  template <class By = ByDeadline>
  bool claim(const Record& record) noexcept {
    const StoredKey* stored = nullptr;
    const iterator exact = look_up(ClaimLookup<By>{{*this, record}, &stored});
    if (exact != map_.end()) stored = &exact->first;
    if (stored == nullptr) return false;
    By::flip_mark(*stored);
    return true;
  }

  // Whether the entry's deadline is after now(), which is called only if there is one.
  template <class Now>
  [[nodiscard]] bool is_live(Stamp stamp, Now& now) const {
    return deadlines_.is_after(stamp, now);
  }
  // Whether a new deadline takes no new record, nor anything else that postpone() does not do.
  static bool can_postpone(Stamp stamp, Millis deadline) noexcept {
    return Deadlines<Allocator>::can_postpone(stamp, deadline);
  }
  [[nodiscard]] Millis deadline(const StoredKey& stored) const noexcept {
    return deadlines_.read(stored.stamp_);
  }

  // The number of entries there is room for, and whether one more needs make_room().
  [[nodiscard]] std::size_t full_size() const noexcept { return full_size_; }
  [[nodiscard]] bool is_full() const noexcept { return map_.size() >= full_size_; }

  // Makes room for one insert() with this deadline. Invalidates iterators. Throws what the
  // allocator throws, and has no effect then.
  void make_room(Millis deadline) {
    if (is_full()) rebuild(2 * map_.bucket_count() + 1);
    make_room_for(deadline);
  }
  // The same for one set_deadline(), and iterators stay valid.
  void make_room_for(Millis deadline) { deadlines_.reserve(deadline); }

  // REQUIRES: the key is absent; and since the last insertion, make_room(deadline) was called or
  // (to rename it) an entry with this deadline was erased.
  iterator insert(KeySlot&& key, ValueSlot&& value, std::size_t hash, Millis deadline,
                  Record::Tag tag, Extra extra) noexcept {
    volatile_size_ += deadline != kNeverMillis;
    return map_
        .try_emplace(
            Newcomer{std::move(key), hash, deadlines_.write(deadline, tag), std::move(extra)},
            std::move(value))
        .first;
  }

  // Finds the key, or else inserts it without a deadline, with one look-up. Returns where it is,
  // and whether it was inserted. REQUIRES: !is_full().
  ABSL_ATTRIBUTE_ALWAYS_INLINE std::pair<iterator, bool> find_or_insert(
      Key key, std::size_t hash, Value value) requires kIsTrivial {
    Probe::count(Probe::kKeysLookedUp);
    const Allocator allocator(map_.get_allocator());
    return map_.try_emplace(Claimant{{key, hash}, allocator}, std::in_place, allocator,
                            std::move(value));
  }
  // Whether an entry has room for this deadline (or none) without make_room_for().
  static bool is_near(Millis deadline) noexcept {
    return deadline == kNeverMillis || Deadlines<Allocator>::is_near(deadline);
  }

  // Sets a deadline for which a record with this tag is filed, or none.
  // REQUIRES: make_room_for(deadline) was called since the last change.
  void set_deadline(const StoredKey& stored, Millis deadline, Record::Tag tag) noexcept {
    volatile_size_ -= stored.is_volatile();
    volatile_size_ += deadline != kNeverMillis;
    deadlines_.release(stored.stamp_);
    stored.stamp_ = deadlines_.write(deadline, tag);
  }

  // The same for an entry without a deadline. REQUIRES: is_near(deadline)
  void set_first_deadline(const StoredKey& stored, Millis deadline, Record::Tag tag) noexcept {
    ++volatile_size_;
    stored.stamp_ = deadlines_.write(deadline, tag);
  }

  // Sets a deadline at or after the time of the entry's record. REQUIRES: `stamp` is the entry's,
  // and can_postpone(stamp, deadline)
  void postpone(const StoredKey& stored, Stamp stamp, Millis deadline) noexcept {
    stored.stamp_ = deadlines_.postpone(stamp, deadline);
  }

  // The key of an entry that is about to be erased, to be moved from.
  static KeySlot&& key_of(iterator it) noexcept { return std::move(it->first.key_); }
  void erase(iterator it) {
    volatile_size_ -= it->first.is_volatile();
    deadlines_.release(it->first.stamp_);
    map_.erase(it);
  }

  void clear() {
    map_.clear();
    set_full_size();
    deadlines_.clear();
    volatile_size_ = 0;
  }

  // Makes room for `size` entries in all.
  void reserve(std::size_t size) {
    const std::size_t most = (std::numeric_limits<std::size_t>::max)();
    const std::size_t buckets = size + std::min<std::size_t>(size / 25 * 7 + 7, most - size);
    if (buckets > map_.bucket_count()) rebuild(buckets);
  }

 private:
  friend struct TestPeer;

  template <class L>
  ABSL_ATTRIBUTE_ALWAYS_INLINE iterator look_up(const L& lookup) {
    Probe::count(Probe::kKeysLookedUp);
    return map_.find(lookup);
  }
  template <class L>
  ABSL_ATTRIBUTE_ALWAYS_INLINE const_iterator look_up(const L& lookup) const {
    Probe::count(Probe::kKeysLookedUp);
    return map_.find(lookup);
  }

  // flat_hash_map rebuilds itself in place, without an allocation, while it is no fuller than
  // 25/32; so it allocates in no insertion if it never is. (The number is that of
  // raw_hash_set::rehash_and_grow_if_necessary and its successors, in every release up to 2026.)
  void set_full_size() noexcept {
    const std::size_t buckets = map_.bucket_count();
    full_size_ = buckets / 32 * 25 + buckets % 32 * 25 / 32;
  }

  void rebuild(std::size_t buckets) {
    Map bigger(buckets, hash_, map_.key_eq(), map_.get_allocator());
    for (auto& [stored, value] : map_) {
      const std::size_t hash = hash_of(stored);
      bigger.try_emplace(
          Newcomer{std::move(stored.key_), hash, stored.stamp_, std::move(stored.extra_)},
          std::move(value));
    }
    remake(map_, std::move(bigger));
    set_full_size();
  }

  MapHash hash_;
  Map map_;
  Deadlines<Allocator> deadlines_;
  std::size_t full_size_ = 0;  // of the map: it must not grow beyond
  std::size_t volatile_size_ = 0;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_ENTRY_MAP_H_
