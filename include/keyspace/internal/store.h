#ifndef KEYSPACE_INTERNAL_STORE_H_
#define KEYSPACE_INTERNAL_STORE_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "keyspace/features.h"
#include "keyspace/internal/counters.h"
#include "keyspace/internal/entry_map.h"
#include "keyspace/internal/expiry_table.h"
#include "keyspace/internal/hashing.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/outbox.h"
#include "keyspace/internal/policy.h"
#include "keyspace/internal/record.h"
#include "keyspace/internal/remake.h"
#include "keyspace/internal/stamp.h"

namespace keyspace::internal {

// The entries and the expiry table, and all that keeps them in agreement.
//
// An entry keeps its deadline; the table keeps records of (hash, mark, time). Nothing points from
// one to the other. A record fits an entry if the entry's key has that hash, the entry has the
// record's tag, and either its deadline is that time, or the entry is *early*: its record is filed
// at or before its deadline. From that follows what each change does:
//
//   a deadline that the entry's record      makes the entry early, and no more
//   precedes, as every later one
//   any other deadline                      files a record at it; an old one is stale
//   the entry is erased, or persistent      leaves the record, stale
//   a record comes due                      early entries that it fits are erased or get new
//                                           records, until one with that very deadline is met and
//                                           erased; if it fits none, it was stale
//   a victim is looked for                  as if the soonest record came due, but early entries
//                                           get new records (see VictimFinder)
//
// The tag is the record's mark, and in rough terms its time: so the entry knows what its record
// precedes. The mark is the colour of a mark-and-sweep collector, of which stale records are the
// garbage: see ExpiryTable::scrub.
//
// Invariants
//   1. For each entry with a deadline there is a record of its own that fits it, filed at its
//      deadline, or before that if the entry is early.
//   2. All other records are stale, and at most a constant plus some two for each volatile entry.
//      (A call that an exception ends may leave more, and later calls make up for it.)
//   3. The policy has a link for each entry, and together they weigh no more than the capacity (but
//      for an exception in the middle of a rename or reweigh(): later insertions and renames make
//      up for it, as far as the policy has entries to let go).
//   4. An entry leaves through remove() or, all at once, clear(): so the listener, the counters and
//      the policy learn of it.
//
// The time comes as `now`, to be called only if it matters, and the same throughout a call.
// Deadlines are finite, or kNeverMillis for none.
template <class Key, class Value, class Hash, class Equal, class Allocator, class Features>
class Store {
  using Policy = PolicyState<typename Features::Policy, Allocator>;

  // What an entry keeps for the features.
  struct PlainExtra {
    [[nodiscard]] static constexpr std::size_t weight() noexcept { return 1; }
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS typename Policy::Mark mark;
  };
  struct WeighedExtra {
    [[nodiscard]] std::size_t weight() const noexcept { return kept_weight; }
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS typename Policy::Mark mark;
    std::size_t kept_weight;
  };

 public:
  static constexpr bool kIsBounded = internal::kIsBounded<Features>;
  static constexpr bool kIsWeighed = internal::kIsWeighed<Features>;
  static constexpr bool kIsObserved = internal::kIsObserved<Features>;
  // Whether there is no feature that changes what a Store does.
  static constexpr bool kIsPlain = !kIsBounded && !kIsObserved && !Features::kStatistics;
  static_assert(check_features<Features, Key, Value>());

  using Options = keyspace::Options<Features>;
  using Extra = std::conditional_t<kIsWeighed, WeighedExtra, PlainExtra>;
  using Entries = EntryMap<Key, Value, Hash, Equal, Allocator, Extra>;
  using StoredKey = typename Entries::StoredKey;
  using Entry = typename Entries::Entry;

  // What a look-up found.
  template <class Iterator>
  struct Found {
    Iterator it;  // end() if the key is not stored
    std::remove_reference_t<decltype(*std::declval<Iterator>())>* entry;  // null if it is not
    std::size_t hash;                                                     // of the key
    Stamp stamp;                                                          // of the entry
  };

  Store(Options&& options, const Hash& hash, const Equal& equal, const Allocator& allocator)
      : entries_(hash, equal, allocator),
        expiry_(allocator),
        capacity_(options.capacity),
        weigher_(std::move(options.weigher)),
        policy_(options.capacity, allocator),
        outbox_(std::move(options.listener), allocator) {}

  Store(Store&&) noexcept = default;
  Store& operator=(Store&& other) noexcept {
    remake(*this, std::move(other));
    return *this;
  }
  ~Store() = default;

  [[nodiscard]] const Entries& entries() const noexcept { return entries_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::size_t weight() const noexcept { return policy_.weight(); }
  [[nodiscard]] Statistics statistics() const noexcept {
    Statistics counted = counters_.counted();
    counted.size = entries_.size();
    return counted;
  }
  [[nodiscard]] std::size_t volatile_size() const noexcept { return entries_.volatile_size(); }
  // Returns a time at or before every deadline.
  [[nodiscard]] Millis next_due() const noexcept { return expiry_.next_due(); }
  [[nodiscard]] Millis deadline(const StoredKey& stored) const noexcept {
    return entries_.deadline(stored);
  }

  template <class Now>
  static bool is_over(Millis deadline, Now& now) {
    return deadline != kNeverMillis && deadline <= now();
  }
  template <class Now>
  bool is_live(const StoredKey& stored, Now& now) const {
    return entries_.is_live(stored.stamp(), now);
  }
  template <class F, class Now>
  bool is_live(const F& found, Now& now) const {
    return found.entry != nullptr && entries_.is_live(found.stamp, now);
  }

  // Whether it may be that something is dead.
  template <class Now>
  bool is_due(Now& now) const {
    return volatile_size() != 0 && next_due() <= now();
  }

  // Looks up a key. Inlined by force, as is all that a call with one look-up does: what a call of
  // its own costs is a good part of the work.
  template <class K>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto locate(const K& key) {
    return locate(key, entries_.hash_of(key));
  }
  template <class K>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto locate(const K& key) const {
    return locate(key, entries_.hash_of(key));
  }
  // The same with the hash of the key, as prefetch() returned it.
  template <class K>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto locate(const K& key, std::size_t hash) {
    return found(entries_.find(key, hash), hash);
  }
  template <class K>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto locate(const K& key, std::size_t hash) const {
    return found(entries_.find(key, hash), hash);
  }

  // Begins to fetch what locate() looks at, and returns the hash of the key.
  template <class K>
  std::size_t prefetch(const K& key) const {
    const std::size_t hash = entries_.hash_of(key);
    entries_.prefetch(hash);
    return hash;
  }

  // Stores a value under a key, with a deadline, in place of what is stored there; but only if that
  // is dead or nothing, unless kOverwrites. Returns whether it did. If the deadline is over, the
  // key is erased instead. (See also put_at().)
  template <bool kOverwrites, class K, class V, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool put(K&& key, V&& value, Millis deadline, Now& now) {
    if constexpr (kIsPlain && Entries::kIsTrivial &&
                  kIsCopied<Key, decltype(key_of(std::forward<K>(key)))> && kIsCopied<Value, V>) {
      if (can_add_now(deadline, now)) [[likely]] {
        const std::size_t hash = entries_.hash_of(key);
        const auto [it, is_new] =
            entries_.find_or_insert(static_cast<Key>(key_of(std::as_const(key))), hash,
                                    static_cast<Value>(std::as_const(value)));
        Entry& entry = *it;
        if (is_new) {
          if (deadline != kNeverMillis) set_first_deadline(entry.first, hash, deadline);
        } else if (!kOverwrites) {
          assert(is_live(entry.first, now));  // can_add_now() has found that none is due
          return false;
        } else {
          overwrite(entry, hash, std::forward<V>(value), deadline);
        }
        return true;
      }
      return put_out_of_line<kOverwrites>(std::forward<K>(key), std::forward<V>(value), deadline,
                                          now);
    } else {
      return put_in_two_steps<kOverwrites>(std::forward<K>(key), std::forward<V>(value), deadline,
                                           now);
    }
  }

  // Stores a value under the key that was looked for, with a deadline, in place of what was found.
  // If the deadline is over, the entry is erased instead. Returns false if there is no room for it
  // within the capacity; then too, what was found is erased.
  template <class F, class K, class V, class Now>
  bool put_at(const F& found, K&& key, V&& value, Millis deadline, Now& now) {
    if constexpr (!kIsPlain) {
      return put_observed(found, std::forward<K>(key), std::forward<V>(value), deadline, now);
    } else if (is_over(deadline, now)) {
      if (found.entry != nullptr) erase(found.it, RemovalCause::kErased, now);
    } else if (found.entry == nullptr) {
      ValueSlot value_slot = make_slot<ValueSlot>(as_value(std::forward<V>(value)));
      add(found.hash, make_slot<KeySlot>(key_of(std::forward<K>(key))), std::move(value_slot), 1,
          deadline, now);
    } else {
      overwrite(*found.entry, found.hash, std::forward<V>(value), deadline);
    }
    return true;
  }

  // Moves value and deadline of `from` to the key `to` that was looked for, in place of what was
  // found there. REQUIRES: `from` is live, and not the entry of `to`.
  template <class F, class K, class Now>
  void move(const F& from, const F& to, K&& key, Now& now) {
    if (to.entry != nullptr) {
      move_over(from, to, std::forward<K>(key), now);
    } else {
      move_to_new(from, to.hash, std::forward<K>(key), now);
    }
  }

  // The same, where `from` is in another store, with the same time. That `from` leaves is not told;
  // but if there is no room for it here, it is evicted there.
  template <class F, class K, class Now>
  void move_from(Store& other, const F& from, const F& to, K&& key, Now& now) {
    const bool is_there = is_live(to, now);
    KeySlot key_slot = make_slot<KeySlot>(key_of(std::forward<K>(key)));
    if (!place(to, std::move(key_slot), std::move(from.entry->second),
               other.deadline(from.entry->first), is_there, now)) {
      other.erase(from.it, RemovalCause::kEvicted, now);
      return;
    }
    is_there ? counters_.forget_replacement() : counters_.forget_insert();
    other.policy_.unlink(from.entry->first.extra().mark, from.entry->first.extra().weight());
    other.entries_.erase(from.it);
    other.tidy();
  }

  // Changes the deadline of a live entry. REQUIRES: the deadline is not over.
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void set_deadline(const F& found, Millis deadline) {
    const StoredKey& stored = found.entry->first;
    if (entries_.can_postpone(found.stamp, deadline)) [[likely]] {
      entries_.postpone(stored, found.stamp, deadline);
    } else {
      prepare_deadline(stored, found.hash, deadline);
      commit_deadline(stored, deadline);
    }
  }

  // Asks the weigher again, after a value was changed in place. If there is too much then, entries
  // are evicted, this one if it is too heavy by itself.
  template <class F, class Now>
  void reweigh(const F& found, Now& now) requires(kIsWeighed) {
    const StoredKey& stored = found.entry->first;
    const auto weight =
        static_cast<std::size_t>(weigher_(stored.key(), std::as_const(found.entry->second).get()));
    policy_.reweigh(stored.extra().mark, stored.extra().weight(), weight);
    stored.extra() = make_extra(stored.extra().mark, weight);
    make_place_for_changed(found.it, now);
  }

  // Takes note of a request, and of the entry that it was for if there is one.
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void note_request(const F& found, bool is_hit) {
    counters_.request(is_hit);
    if (is_hit) policy_.visit(found.entry->first.extra().mark);
  }

  // The same under a lock that other threads share.
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void note_shared_request(const F& found, bool is_hit) const {
    counters_.shared_request(is_hit);
    if (is_hit) policy_.shared_visit(found.entry->first.extra().mark);
  }

  // Erases what was found, dead or alive.
  template <class F, class Now>
  void erase(const F& found, bool was_live, Now& now) {
    erase(found.it, was_live ? RemovalCause::kErased : RemovalCause::kExpired, now);
  }
  // The same for a live entry, at the price of another look-up, where an iterator would have to be
  // kept just in case.
  ABSL_ATTRIBUTE_NOINLINE void erase(const StoredKey& stored) {
    const auto unread = [] { return Millis{0}; };
    erase(entries_.find(stored), RemovalCause::kErased, unread);
  }

  // Erases up to `limit` entries whose deadline is over, with work in proportion to the limit, and
  // returns how many it erased.
  template <class Now>
  std::size_t erase_due(std::size_t limit, Now& now) {
    Budget budget(limit);
    return erase_due(budget, now);
  }
  template <class Now>
  std::size_t erase_due(Budget& budget, Now& now) {
    if (volatile_size() == 0) {
      expiry_.clear();  // of stale records, of which there are no more than a constant number
      return 0;
    }
    if (now() < expiry_.next_due()) return 0;
    const std::size_t limit = budget.erasures;
    Settler settler{*this, now()};
    expiry_.advance(now(), budget, settler);
    const std::size_t erased = limit - budget.erasures;
    tidy();
    return erased;
  }

  template <class Now>
  void clear(Now& now) {
    if constexpr (!kIsPlain) {
      outbox_.reserve(entries_.size());
      if (volatile_size() != 0) now();  // as it may throw, before anything has left
      for (auto it = entries_.begin(); it != entries_.end(); ++it) {
        const RemovalCause cause =
            is_live(it->first, now) ? RemovalCause::kErased : RemovalCause::kExpired;
        count_removal(it->first, cause, now);
        say_farewell(Entries::key_of(it), it->second, cause);
      }
    }
    policy_.clear();
    entries_.clear();
    expiry_.clear();
  }

  // Tells the listener of what has left. (See DeferredListener for its other fate.)
  void deliver() { outbox_.deliver(); }
  [[nodiscard]] auto& outbox() noexcept { return outbox_; }

  void reserve(std::size_t size) {
    entries_.reserve(size);
    policy_.reserve(entries_.full_size());
  }

 private:
  friend struct TestPeer;
  using KeySlot = typename Entries::KeySlot;
  using ValueSlot = typename Entries::ValueSlot;

  // Decides for the expiry table what becomes of a record that is due.
  struct Settler {
    void prefetch(std::size_t hash) const { store.entries_.prefetch(hash); }

    // Serves the early entries that the record fits, as it cannot be known whose it was, until it
    // meets one with this very deadline: as many records as entries are left then. Returns false if
    // the budget did not suffice.
    bool settle(const Record& record, Budget& budget) {
      for (;;) {
        const auto it = store.entries_.find(record);
        if (it == store.entries_.end()) return true;
        const StoredKey& stored = it->first;
        const bool early = stored.is_filed_early();
        if (const Millis deadline = store.entries_.deadline(stored); now < deadline) {
          store.expiry_.file(record.hash(), deadline);
          store.entries_.set_deadline(stored, deadline, store.expiry_.tag(deadline));
        } else {
          const auto time = [this] { return now; };
          store.remove(it, RemovalCause::kExpired, time);
          --budget.erasures;
        }
        if (!early) return true;
        if (budget.spent()) return false;
        --budget.steps;
      }
    }

    Store& store;
    Millis now;
  };

  template <class Iterator>
  ABSL_ATTRIBUTE_ALWAYS_INLINE Found<Iterator> found(Iterator it, std::size_t hash) const {
    if (it == entries_.end()) return {it, nullptr, hash, Stamp()};
    return {it, std::addressof(*it), hash, it->first.stamp()};
  }

  // Whether to make a T of a U is to copy it, which can be done twice and leaves the U alone.
  template <class T, class U>
  static constexpr bool kIsCopied = std::is_same_v<std::remove_cvref_t<U>, T> ||
                                    (std::is_arithmetic_v<std::remove_cvref_t<U>> &&
                                     std::is_arithmetic_v<T>);

  // Passes a value on, but a number as a Value: a compiler that warns of the conversion would point
  // here, and not at the caller.
  template <class V>
  static decltype(auto) as_value(V&& value) noexcept {
    if constexpr (std::is_arithmetic_v<std::remove_cvref_t<V>> && std::is_arithmetic_v<Value>) {
      return static_cast<Value>(value);
    } else {
      return std::forward<V>(value);
    }
  }

  template <class S, class... Args>
  S make_slot(Args&&... args) const {
    return S(std::in_place, expiry_.allocator(), std::forward<Args>(args)...);
  }

  // Whether an entry with this deadline could be added at once: nothing is to be reclaimed before,
  // no room to be made, and the deadline is not over.
  template <class Now>
  bool can_add_now(Millis deadline, Now& now) const {
    if (entries_.is_full() || !Entries::is_near(deadline)) return false;
    if (deadline == kNeverMillis) return volatile_size() == 0;  // else the clock must be read
    return now() < deadline && now() < next_due();
  }

  template <bool kOverwrites, class K, class V, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool put_in_two_steps(K&& key, V&& value, Millis deadline,
                                                     Now& now) {
    const auto found = locate(key);
    if (!kOverwrites && is_live(found, now)) return false;
    return put_at(found, std::forward<K>(key), std::forward<V>(value), deadline, now);
  }
  // Takes `now` by value: the caller can keep its own in registers, and is done with it.
  template <bool kOverwrites, class K, class V, class Now>
  ABSL_ATTRIBUTE_NOINLINE bool put_out_of_line(K&& key, V&& value, Millis deadline, Now now) {
    return put_in_two_steps<kOverwrites>(std::forward<K>(key), std::forward<V>(value), deadline,
                                         now);
  }

  template <class F, class K, class Now>
  void move_over(const F& from, const F& to, K&& key, Now& now) {
    const Millis deadline = entries_.deadline(from.entry->first);
    if constexpr (kIsPlain) {
      prepare_deadline(to.entry->first, to.hash, deadline);
      to.entry->second.replace(std::move(from.entry->second));
      commit_deadline(to.entry->first, deadline);
      erase(from.it, RemovalCause::kErased, now);
    } else {
      KeySlot key_slot = make_slot<KeySlot>(key_of(std::forward<K>(key)));
      const std::size_t weight = weigh(key_slot, from.entry->second);
      const RemovalCause cause =
          is_live(to, now) ? RemovalCause::kReplaced : RemovalCause::kExpired;
      outbox_.reserve(1);
      prepare_deadline(to.entry->first, to.hash, deadline);
      const Extra moved = relink(from, to.hash, weight);
      // Nothing throws from here, and nothing tidies up before the new records have their entry.
      count_removal(to.entry->first, cause, now);
      policy_.unlink(to.entry->first.extra().mark, to.entry->first.extra().weight());
      say_farewell(std::move(key_slot), to.entry->second, cause);
      to.entry->first.extra() = moved;
      to.entry->second.replace(std::move(from.entry->second));
      entries_.erase(from.it);
      commit_deadline(to.entry->first, deadline);
      tidy();
      make_place_for_changed(to.it, now);
    }
  }
  template <class F, class K, class Now>
  void move_to_new(const F& from, std::size_t hash, K&& key, Now& now) {
    const Millis deadline = entries_.deadline(from.entry->first);
    KeySlot key_slot = make_slot<KeySlot>(key_of(std::forward<K>(key)));
    const std::size_t weight = weigh(key_slot, from.entry->second);
    if (deadline != kNeverMillis) file(hash, deadline);
    const Extra moved = relink(from, hash, weight);
    ValueSlot value_slot = std::move(from.entry->second);
    entries_.erase(from.it);
    const auto it = entries_.insert(std::move(key_slot), std::move(value_slot), hash, deadline,
                                    expiry_.tag(deadline), moved);
    tidy();
    make_place_for_changed(it, now);
  }
  // Returns the Extra of an entry that is to have a key with another hash, and another weight.
  template <class F>
  Extra relink(const F& found, std::size_t hash, std::size_t weight) {
    const Extra& extra = found.entry->first.extra();
    const typename Policy::Mark mark = policy_.relink(extra.mark, hash);
    policy_.reweigh(mark, extra.weight(), weight);
    return make_extra(mark, weight);
  }
  template <class Iterator, class Now>
  void make_place_for_changed([[maybe_unused]] Iterator it, [[maybe_unused]] Now& now) {
    if constexpr (kIsWeighed) {
      const bool is_too_heavy = it->first.extra().weight() > capacity_;
      // None is left to go, and if it is volatile, it has gone itself.
      const bool is_volatile = it->first.is_volatile();
      if (is_too_heavy || (!make_place(0, now) && !is_volatile)) {
        erase(it, RemovalCause::kEvicted, now);
      }
    }
  }

  // Changes value and deadline of an entry.
  template <class V>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void overwrite(Entry& entry, std::size_t hash, V&& value,
                                              Millis deadline) {
    if (const Stamp stamp = entry.first.stamp(); entries_.can_postpone(stamp, deadline))
        [[likely]] {
      assign(entry.second, std::forward<V>(value));
      entries_.postpone(entry.first, stamp, deadline);
    } else {
      prepare_deadline(entry.first, hash, deadline);
      assign(entry.second, std::forward<V>(value));
      commit_deadline(entry.first, deadline);
    }
  }

  // The same as put_at(), where a listener, counters or a policy have to know.
  template <class F, class K, class V, class Now>
  bool put_observed(const F& found, K&& key, V&& value, Millis deadline, Now& now) {
    const bool is_there = is_live(found, now);
    if (is_over(deadline, now)) {
      if (found.entry != nullptr) erase(found, is_there, now);
      return true;
    }
    if constexpr (!kIsWeighed && !kIsObserved) {
      if (is_there) {
        overwrite(*found.entry, found.hash, std::forward<V>(value), deadline);
        take_note_of_replacement(found.entry->first.extra(), 1);
        return true;
      }
    }
    ValueSlot value_slot = make_slot<ValueSlot>(as_value(std::forward<V>(value)));
    return place(found, make_slot<KeySlot>(key_of(std::forward<K>(key))), std::move(value_slot),
                 deadline, is_there, now);
  }

  // Stores what was made for it under the key that was looked for, in place of what was found.
  // Returns false if there is no room for it within the capacity; then too, what was found is
  // erased. If it returns false or throws, the value is not moved from.
  template <class F, class Now>
  bool place(const F& found, KeySlot key_slot, ValueSlot&& value_slot, Millis deadline,
             bool is_there, Now& now) {
    const std::size_t weight = weigh(key_slot, value_slot);
    if (is_there && has_place_instead(found.entry->first.extra().weight(), weight)) {
      outbox_.reserve(1);
      prepare_deadline(found.entry->first, found.hash, deadline);
      say_farewell(std::move(key_slot), found.entry->second, RemovalCause::kReplaced);
      found.entry->second.replace(std::move(value_slot));
      take_note_of_replacement(found.entry->first.extra(), weight);
      commit_deadline(found.entry->first, deadline);
      return true;
    }
    if (found.entry != nullptr) {
      erase(found.it, is_there ? RemovalCause::kReplaced : RemovalCause::kExpired, now);
    }
    if (!add(found.hash, std::move(key_slot), std::move(value_slot), weight, deadline, now)) {
      counters_.refuse();
      return false;
    }
    is_there ? counters_.replace() : counters_.insert(entries_.size());
    return true;
  }

  template <class V>
  void assign(ValueSlot& slot, V&& value) {
    if constexpr (std::is_assignable_v<Value&, V>) {
      slot.get() = as_value(std::forward<V>(value));
    } else {
      slot.replace(make_slot<ValueSlot>(std::forward<V>(value)));
    }
  }

  // Adds an entry, and returns whether there is room for it within the capacity; if not, or if it
  // throws, key and value are not moved from. REQUIRES: the key is not stored, and the deadline not
  // over.
  template <class Now>
  bool add(std::size_t hash, KeySlot&& key, ValueSlot&& value, std::size_t weight, Millis deadline,
           Now& now) {
    if (volatile_size() != 0) erase_due(2, now);  // else the clock need not be read
    typename Policy::Arrival arrival{};
    if constexpr (kIsBounded) {
      if (weight > capacity_) return false;
      arrival = policy_.arrive(entries_, hash, weight);
      if (!make_place(weight, now)) return false;
    }
    entries_.make_room(deadline);
    policy_.reserve(std::max<std::size_t>(entries_.full_size(), entries_.size() + 1));
    if (deadline != kNeverMillis) file(hash, deadline);
    entries_.insert(std::move(key), std::move(value), hash, deadline, expiry_.tag(deadline),
                    make_extra(policy_.link(hash, weight, arrival), weight));
    return true;
  }

  // Makes place for an entry of this weight, within the capacity: the dead go first, then as the
  // policy says. Returns false if there is none to go. REQUIRES: weight <= capacity
  template <class Now>
  bool make_place(std::size_t weight, Now& now) {
    assert(weight <= capacity_);
    while (policy_.weight() > capacity_ - weight) {
      if (erase_a_dead_one(now)) continue;
      // Before victim(), which may take the record of what it returns: until that is erased,
      // nothing may throw.
      outbox_.reserve(1);
      const auto it = policy_.victim(entries_, expiry_);
      if (it == entries_.end()) return false;
      policy_.leave_ghost(it->first.extra().mark, it->first.extra().weight());
      erase(it, RemovalCause::kEvicted, now);
    }
    return true;
  }
  template <class Now>
  bool erase_a_dead_one(Now& now) {
    while (is_due(now)) {
      if (erase_due(1, now) != 0) return true;
    }
    return false;
  }

  [[nodiscard]] std::size_t weigh(const KeySlot& key, const ValueSlot& value) const {
    return static_cast<std::size_t>(weigher_(key.get(), value.get()));
  }
  static Extra make_extra(typename Policy::Mark mark,
                          [[maybe_unused]] std::size_t weight) noexcept {
    if constexpr (kIsWeighed) {
      return {mark, weight};
    } else {
      return {mark};
    }
  }
  // Whether an entry of one weight can be exchanged for one of another, and none has to go for it.
  [[nodiscard]] bool has_place_instead(std::size_t before, std::size_t after) const noexcept {
    if constexpr (kIsWeighed) {
      return after <= capacity_ && policy_.weight() - before <= capacity_ - after;
    } else {
      return true;
    }
  }
  void take_note_of_replacement(Extra& extra, std::size_t weight) noexcept {
    policy_.visit(extra.mark);
    policy_.reweigh(extra.mark, extra.weight(), weight);
    extra = make_extra(extra.mark, weight);
    counters_.replace();
    counters_.remove(RemovalCause::kReplaced);
  }

  // Takes an entry out, but for its record, and for the listener keeps what is left of it.
  template <class Iterator, class Now>
  void remove(Iterator it, [[maybe_unused]] RemovalCause cause, [[maybe_unused]] Now& now) {
    if constexpr (!kIsPlain) {
      outbox_.reserve(1);
      count_removal(it->first, cause, now);
      policy_.unlink(it->first.extra().mark, it->first.extra().weight());
      say_farewell(Entries::key_of(it), it->second, cause);
    }
    entries_.erase(it);
  }
  // The same, and tidies up.
  template <class Iterator, class Now>
  void erase(Iterator it, RemovalCause cause, Now& now) {
    remove(it, cause, now);
    tidy();
  }

  template <class Now>
  void count_removal(const StoredKey& stored, RemovalCause cause, Now& now) {
    if constexpr (Features::kStatistics) {
      counters_.remove(cause);
      if (cause == RemovalCause::kExpired)
        counters_.lag(time_left(now(), entries_.deadline(stored)));
    }
  }
  // REQUIRES: the outbox has room
  void say_farewell(KeySlot&& key, ValueSlot& value, [[maybe_unused]] RemovalCause cause) noexcept {
    if constexpr (kIsObserved) outbox_.add(std::move(key), std::move(value), cause);
  }

  // A change of deadline in two parts: all that can throw, and all that cannot. No scrub may come
  // between them, or it takes the new record for a stale one.
  ABSL_ATTRIBUTE_NOINLINE void prepare_deadline(const StoredKey& stored, std::size_t hash,
                                                Millis deadline) {
    if (deadline == entries_.deadline(stored)) return;
    entries_.make_room_for(deadline);
    if (deadline != kNeverMillis) file(hash, deadline);
  }
  ABSL_ATTRIBUTE_NOINLINE void commit_deadline(const StoredKey& stored, Millis deadline) noexcept {
    if (deadline == entries_.deadline(stored)) return;
    entries_.set_deadline(stored, deadline, expiry_.tag(deadline));
    tidy();
  }

  // Gives a deadline to an entry that was just inserted without one, or else takes it out again.
  // REQUIRES: is_near(deadline)
  void set_first_deadline(const StoredKey& stored, std::size_t hash, Millis deadline) {
    if (!expiry_.try_file(hash, deadline)) [[unlikely]]
      file_or_erase(stored, hash, deadline);
    entries_.set_first_deadline(stored, deadline, expiry_.tag(deadline));
  }
  ABSL_ATTRIBUTE_NOINLINE void file_or_erase(const StoredKey& stored, std::size_t hash,
                                             Millis deadline) {
    struct Undo {
      ~Undo() {
        if (!is_filed) entries.erase(entries.find(stored));
      }
      Entries& entries;
      const StoredKey& stored;
      bool is_filed = false;
    } undo{entries_, stored};
    expiry_.file(hash, deadline);
    undo.is_filed = true;
  }

  // Files a record for an entry that the caller is about to change. Tidies up first: if the caller
  // fails before that change, the record is stale.
  ABSL_ATTRIBUTE_NOINLINE void file(std::size_t hash, Millis deadline) {
    tidy();
    expiry_.file(hash, deadline);
  }

  // Keeps invariant 2. Every call that makes records stale comes here.
  void tidy() noexcept {
    expiry_.tidy(volatile_size(), entries_);
    policy_.tidy(entries_);
  }

  Entries entries_;
  ExpiryTable<Allocator> expiry_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS decltype(Options::capacity) capacity_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS typename Features::Weigher weigher_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Policy policy_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Outbox<Key, Value, typename Features::Listener, Allocator>
      outbox_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Counters<Features::kStatistics> counters_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_STORE_H_
