// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_STORE_H_
#define KEYSPACE_INTERNAL_STORE_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "keyspace/internal/budget.h"
#include "keyspace/internal/counters.h"
#include "keyspace/internal/engine_config.h"
#include "keyspace/internal/eviction.h"
#include "keyspace/internal/expiring_map.h"
#include "keyspace/internal/hashing.h"
#include "keyspace/internal/lifetime.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/reconstruct.h"
#include "keyspace/internal/removal_queue.h"
#include "keyspace/removal.h"
#include "keyspace/statistics.h"

namespace keyspace::internal {

// Adds a policy, a weigher, a listener and counters to an expiring map. If a keyspace does not have
// one of them, a class without members takes its place and does nothing.
//
// Invariants
//   1. The policy knows each entry, and all entries together weigh at most the capacity. (They may
//      weigh more after a set_capacity(), or after a rename or a reweigh() that throws. Then the
//      next calls that store something evict entries until the weight fits. Meanwhile no call makes
//      all together heavier than they were before it.)
//   2. prepare_removal() tells the listener, the counters and the policy of each removal. clear(),
//      rename_over(), rename_from() and overwrites do this themselves.
//   3. Everything that may throw comes before the removal of an entry. So no exception loses one.
//
// `now`, deadlines and Found are those of ExpiringMap. Choices is described in options.h.
template <class Choices>
class Store {
  using Key = typename Choices::Key;
  using Value = typename Choices::Value;
  using Allocator = typename Choices::Allocator;
  using Policy = Eviction<typename Choices::Policy, Allocator>;
  using PolicyState = typename Policy::PolicyState;

 public:
  using Lifetime = internal::Lifetime<Choices::kExpireAfterAccess>;

 private:
  using RestOfLifetime = typename Lifetime::Rest;

  // What an entry keeps for this store.
  struct PlainExtra {
    [[nodiscard]] static constexpr std::size_t weight() noexcept { return 1; }
    void set_weight(std::size_t) noexcept {}
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS PolicyState policy_state;
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS RestOfLifetime rest;
  };
  struct WeighedExtra {
    [[nodiscard]] std::size_t weight() const noexcept { return kept_weight; }
    void set_weight(std::size_t weight) noexcept { kept_weight = weight; }
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS PolicyState policy_state;
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS RestOfLifetime rest;
    std::size_t kept_weight;
  };
  static constexpr bool kIsBounded = Choices::kIsBounded;
  static constexpr bool kIsWeighed = Choices::kIsWeighed;
  static constexpr bool kIsObserved = Choices::kIsObserved;
  // Whether only the map has to learn of a change.
  static constexpr bool kIsPlain = !kIsBounded && !kIsObserved && !Choices::kStatistics;
  using Extra = std::conditional_t<kIsWeighed, WeighedExtra, PlainExtra>;

  // Whether a T made of a U is a copy, so that it can be made again.
  template <class T, class U>
  static constexpr bool kIsCopied = std::is_same_v<std::remove_cvref_t<U>, T> ||
                                    (std::is_arithmetic_v<std::remove_cvref_t<U>> &&
                                     std::is_arithmetic_v<T>);

 public:
  using Map =
      ExpiringMap<Key, Value, typename Choices::Hash, typename Choices::Equal, Allocator, Extra>;
  using StoredKey = typename Map::StoredKey;
  using Entry = typename Map::Entry;

  explicit Store(EngineConfig<Choices>&& config)
      : map_(config.hash, config.equal, config.allocator),
        capacity_(config.capacity),
        weigher_(std::move(config.weigher)),
        policy_(config.capacity, config.allocator),
        removals_(std::move(config.listener), config.allocator) {}
  Store(Store&&) noexcept = default;
  Store& operator=(Store&& other) noexcept {
    reconstruct(*this, std::move(other));
    return *this;
  }
  ~Store() = default;

  [[nodiscard]] const Map& map() const noexcept { return map_; }
  [[nodiscard]] Map& map() noexcept { return map_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::size_t weight() const noexcept { return policy_.weight(); }
  [[nodiscard]] Statistics statistics() const noexcept {
    Statistics counted = counters_.counted();
    counted.size = map_.size();
    return counted;
  }

  // Returns the deadlines of an entry.
  [[nodiscard]] Lifetime lifetime(const StoredKey& stored) const noexcept {
    return {map_.deadline(stored), stored.extra().rest};
  }
  // Changes the deadlines of the found entry. REQUIRES: the sooner one is not over.
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void set_lifetime(const F& found, Lifetime lifetime) {
    map_.set_deadline(found, lifetime.deadline());
    found.entry->first.extra().rest = lifetime.rest();
  }

  // What get_or_compute() counts.
  void record_computation(Millis time, bool is_failure) noexcept requires(Choices::kStatistics) {
    counters_.record_computation(time, is_failure);
  }
  void record_wait() noexcept { counters_.record_wait(); }

  // Records a request, and for a hit the access to the found entry.
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void record_request(const F& found, bool is_hit) {
    counters_.record_request(is_hit);
    if (is_hit) policy_.record_access(found.entry->first.extra().policy_state);
  }
  // The same under a lock that readers share.
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void record_shared_request(const F& found, bool is_hit) const {
    counters_.record_shared_request(is_hit);
    if (is_hit) policy_.record_shared_access(found.entry->first.extra().policy_state);
  }

  // Whether put_now() accepts such keys and values.
  template <class K, class V>
  static constexpr bool kCanPutNow =
      kIsPlain && !Choices::kExpireAfterAccess && Map::Entries::kIsTrivial &&
      kIsCopied<Key, decltype(key_of(std::declval<K>()))> && kIsCopied<Value, V>;
  // Stores a value with one look-up. See ExpiringMap. REQUIRES: map().can_put_now(deadline, now)
  template <bool kOverwrites, class K, class V>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool put_now(const K& key, const V& value, Millis deadline) {
    return map_.template put_now<kOverwrites>(static_cast<Key>(key_of(key)),
                                              map_.entries().hash_of(key),
                                              static_cast<Value>(value), deadline);
  }

  // Stores a value under the key that was looked up, over the found entry. If the lifetime is over,
  // erases the found entry instead. Returns false if the capacity has no room for the new entry;
  // then the found entry is erased too.
  template <class F, class K, class V, class Now>
  bool put_at(const F& found, K&& key, V&& value, Lifetime lifetime, Now& now) {
    if (Map::is_over(lifetime.deadline(), now)) {
      if (found.entry != nullptr) erase(found, now);
      return true;
    }
    // An expired entry is removed first, so that its removal counts as kExpired. A plain store
    // counts nothing, so it overwrites the entry.
    const bool is_there = found.entry != nullptr && (kIsPlain || map_.is_live(found, now));
    if constexpr (!kIsWeighed && !kIsObserved) {
      if (is_there && can_overwrite(1, 1)) [[likely]] {
        map_.overwrite(*found.entry, found.hash, std::forward<V>(value), lifetime.deadline());
        record_overwrite(found.entry->first.extra(), 1, lifetime);
        return true;
      }
    }
    ValueBox value_box = map_.template make_box<ValueBox>(as_value(std::forward<V>(value)));
    return put_boxes(found, make_key(std::forward<K>(key)), std::move(value_box), lifetime,
                     is_there, now);
  }

  // Moves the value and the deadline of `from` to another key, over the entry `to` of that key.
  // REQUIRES: `from` is live, and is not `to`.
  template <class F, class K, class Now>
  void rename(const F& from, const F& to, K&& key, Now& now) {
    if (to.entry != nullptr) {
      rename_over(from, to, std::forward<K>(key), now);
      return;
    }
    KeyBox key_box = make_key(std::forward<K>(key));
    const std::size_t weight = weigh(key_box, from.entry->second);
    const std::size_t limit = weight_limit();
    Entry& entry = map_.rename(from, std::move(key_box), to.hash,
                               [&] { return rehash(from, to.hash, weight); });
    collect_if_needed();
    evict_if_too_heavy(entry, to.hash, limit, now);
  }

  // The same, but `from` is in another store. The listener does not learn of its removal there. If
  // this store has no room for the entry, `other` evicts it.
  template <class F, class K, class Now>
  void rename_from(Store& other, const F& from, const F& to, K&& key, Now& now) {
    const bool is_there = map_.is_live(to, now);
    KeyBox key_box = make_key(std::forward<K>(key));
    if (!put_boxes(to, std::move(key_box), std::move(from.entry->second),
                   other.lifetime(from.entry->first), is_there, now)) {
      other.erase(*from.entry, from.hash, RemovalCause::kEvicted, now);
      return;
    }
    is_there ? counters_.undo_replacement() : counters_.undo_insert();
    const Extra& extra = from.entry->first.extra();
    other.policy_.remove(extra.policy_state, extra.weight());
    other.map_.erase(*from.entry, from.hash, [](Entry&) {});
    other.collect_if_needed();
  }

  // Weighs the found entry again after a change of its value. Then calls evict_if_too_heavy().
  template <class F, class Now>
  void reweigh(const F& found, Now& now) requires(kIsWeighed) {
    const StoredKey& stored = found.entry->first;
    Extra& extra = stored.extra();
    const std::size_t weight = weigh_entry(stored.key(), found.entry->second);
    const std::size_t limit = weight_limit();
    policy_.reweigh(extra.policy_state, extra.weight(), weight);
    extra.set_weight(weight);
    evict_if_too_heavy(*found.entry, found.hash, limit, now);
  }

  // Erases the found entry, live or expired. Returns true if it was live.
  template <class F, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool erase(const F& found, Now& now) {
    const bool was_live = map_.is_live(found, now);
    erase(*found.entry, found.hash, cause_of(was_live, RemovalCause::kErased), now);
    return was_live;
  }
  // Erases the entry of a key, live or expired. Returns true if it was live.
  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool erase_key(const K& key, Now& now) {
    bool was_live = false;
    const auto prepare = [&](Entry& entry) {
      was_live = map_.is_live(entry.first, now);
      prepare_removal(entry, cause_of(was_live, RemovalCause::kErased), now);
    };
    if (!map_.erase_key(key, prepare)) return false;
    collect_if_needed();
    return was_live;
  }
  // Erases each live entry for which accepts(entry) returns true. Returns how many it erased. If
  // accepts() throws, the entries erased so far stay erased.
  template <class Accepts, class Now>
  std::size_t erase_if(const Accepts& accepts, Now& now) {
    struct End {
      ~End() { store.collect_if_needed(); }
      Store& store;
    } end{*this};
    std::size_t erased = 0;
    map_.entries().erase_if([&](Entry& entry) {
      if (!map_.is_live(entry.first, now) || !accepts(entry)) return false;
      prepare_removal(entry, RemovalCause::kErased, now);
      ++erased;
      return true;
    });
    return erased;
  }
  // Erases a live entry, out of line.
  ABSL_ATTRIBUTE_NOINLINE void erase_live(Entry& entry, std::size_t hash) {
    const auto not_read = [] { return Millis{0}; };
    erase(entry, hash, RemovalCause::kErased, not_read);
  }

  // Erases expired entries until the budget is spent. Returns how many it erased.
  template <class Now>
  std::size_t erase_expired(Budget& budget, Now& now) {
    const std::size_t erased = map_.erase_expired(
        budget, now, [&](Entry& entry) { prepare_removal(entry, RemovalCause::kExpired, now); });
    collect_if_needed();
    return erased;
  }

  template <class Now>
  void clear(Now& now) {
    if constexpr (!kIsPlain) {
      removals_.reserve(map_.size());
      if (map_.volatile_size() != 0) now();  // if the clock throws, nothing is removed
      map_.entries().for_each([&](Entry& entry) {
        const RemovalCause cause = cause_of(map_.is_live(entry.first, now), RemovalCause::kErased);
        record_removal(entry.first, cause, now);
        enqueue(Map::Entries::take_key(entry), entry.second, cause);
      });
    }
    policy_.clear();
    map_.clear();
  }

  // Changes the capacity. If the entries weigh more, evicts up to kEvictionsAtOnce of them.
  template <class Now>
  void set_capacity(std::size_t capacity, Now& now) requires(kIsBounded) {
    capacity_ = capacity;
    policy_.set_capacity(capacity);
    static_cast<void>(evict_to(capacity, kEvictionsAtOnce, now));
  }

  // Calls the listener for each entry that was removed. Returns how many expired entries its calls
  // removed. Does nothing in a shard, whose listener is DeferredListener: there Shards takes the
  // entries from removals().
  std::size_t call_listener() { return removals_.call_listener(); }
  [[nodiscard]] auto& removals() noexcept { return removals_; }

  void reserve(std::size_t size) {
    map_.reserve(size);
    policy_.reserve(map_.entries().capacity());
  }
  void shrink_to_fit() {
    map_.shrink_to_fit();
    policy_.shrink_to_fit(map_.entries());
  }

 private:
  friend struct TestPeer;
  using KeyBox = typename Map::KeyBox;
  using ValueBox = typename Map::ValueBox;

  // How often erase_one_expired() searches. A search reads up to 17 records.
  static constexpr int kMostSearches = 256;
  // How many entries set_capacity() evicts, and how many a later call evicts, because the entries
  // weigh more than the capacity.
  static constexpr std::size_t kEvictionsAtOnce = 64;
  static constexpr std::size_t kEvictionsPerCall = 16;

  // Returns the value, or converts a number to a Value. Without this conversion, a compiler could
  // warn of an implicit one at a place in this class, not in the caller.
  template <class V>
  static decltype(auto) as_value(V&& value) noexcept {
    if constexpr (std::is_arithmetic_v<std::remove_cvref_t<V>> && std::is_arithmetic_v<Value>) {
      return static_cast<Value>(value);
    } else {
      return std::forward<V>(value);
    }
  }
  template <class K>
  KeyBox make_key(K&& key) const {
    return map_.template make_box<KeyBox>(key_of(std::forward<K>(key)));
  }

  // Stores a key and a value as put_at() does. If it returns false or throws, the value is not
  // moved from. REQUIRES: the lifetime is not over.
  template <class F, class Now>
  bool put_boxes(const F& found, KeyBox key, ValueBox&& value, Lifetime lifetime, bool is_there,
                 Now& now) {
    const std::size_t weight = weigh(key, value);
    if (is_there && can_overwrite(found.entry->first.extra().weight(), weight)) {
      removals_.reserve(1);
      map_.change(found.entry->first, found.hash, lifetime.deadline(), [&]() noexcept {
        enqueue(std::move(key), found.entry->second, RemovalCause::kReplaced);
        found.entry->second.replace(std::move(value));
        record_overwrite(found.entry->first.extra(), weight, lifetime);
      });
      return true;
    }
    std::size_t replaced = 0;  // the part of the weight that replaces the weight of a live entry
    if (found.entry != nullptr) {
      if constexpr (kIsBounded) {
        if (is_there && weight <= capacity_) {
          replaced = std::min<std::size_t>(weight, found.entry->first.extra().weight());
        }
      }
      erase(*found.entry, found.hash, cause_of(is_there, RemovalCause::kReplaced), now);
    }
    if (!add(std::move(key), std::move(value), found.hash, weight, replaced, lifetime, now)) {
      counters_.record_refusal();
      return false;
    }
    is_there ? counters_.record_replacement() : counters_.record_insert(map_.size());
    return true;
  }

  // Erases up to two expired entries, then adds an entry. Returns false if the capacity has no room
  // for it. If it returns false or throws, the key and the value are not moved from. REQUIRES: the
  // key is not stored, the lifetime is not over, and `replaced` is at most the weight and the
  // capacity.
  template <class Now>
  bool add(KeyBox&& key, ValueBox&& value, std::size_t hash, std::size_t weight,
           [[maybe_unused]] std::size_t replaced, Lifetime lifetime, Now& now) {
    if (map_.volatile_size() != 0) {  // else the clock need not be read
      Budget budget(2);
      erase_expired(budget, now);
    }
    typename Policy::Placement placement{};
    if constexpr (kIsBounded) {
      static_cast<void>(evict_to(capacity_ - replaced, kEvictionsPerCall, now));
      if (weight > capacity_) return false;
      const std::size_t limit = weight_limit(replaced);
      placement = policy_.admit(map_.entries(), hash, weight);
      if (!evict_to(limit - weight, kUnlimited, now)) return false;
    }
    map_.grow_for(lifetime.deadline());
    policy_.grow(map_.entries().capacity());
    map_.insert(std::move(key), std::move(value), hash, lifetime.deadline(), [&] {
      return make_extra(policy_.add(hash, weight, placement), lifetime.rest(), weight);
    });
    return true;
  }

  template <class F, class K, class Now>
  void rename_over(const F& from, const F& to, K&& key, Now& now) {
    const Millis deadline = map_.deadline(from.entry->first);
    const RemovalCause cause = cause_of(map_.is_live(to, now), RemovalCause::kReplaced);
    auto key_box = make_key_if_used(std::forward<K>(key));
    const std::size_t weight = weigh(key_box, from.entry->second);
    const std::size_t limit = weight_limit();
    removals_.reserve(1);
    map_.change(to.entry->first, to.hash, deadline, [&] {
      const Extra renamed = rehash(from, to.hash, weight);
      // Nothing throws from here on, and nothing is collected before `to` has its new state.
      Extra& extra = to.entry->first.extra();
      record_removal(to.entry->first, cause, now);
      policy_.remove(extra.policy_state, extra.weight());
      enqueue(std::move(key_box), to.entry->second, cause);
      extra = renamed;
      to.entry->second.replace(std::move(from.entry->second));
      map_.erase_renamed(*from.entry, from.hash);
    });
    collect_if_needed();
    evict_if_too_heavy(*to.entry, to.hash, limit, now);
  }

  // Returns the Extra of an entry for a key with another hash, and for another weight.
  template <class F>
  Extra rehash(const F& found, std::size_t hash, std::size_t weight) {
    const Extra& extra = found.entry->first.extra();
    const PolicyState state = policy_.rehash(extra.policy_state, hash);
    policy_.reweigh(state, extra.weight(), weight);
    return make_extra(state, extra.rest, weight);
  }

  // Returns what all entries may weigh after a change: the capacity, or what they weigh now if that
  // is more. `replaced` is added to what they weigh now.
  [[nodiscard]] std::size_t weight_limit([[maybe_unused]] std::size_t replaced = 0) const noexcept {
    if constexpr (kIsBounded) {
      return std::max<std::size_t>(capacity_, policy_.weight() + replaced);
    } else {
      return 0;
    }
  }

  // Evicts entries if all together weigh too much after the weight of `entry` has changed: until
  // they weigh at most `limit`, and a few more if that exceeds the capacity. Evicts `entry` too if
  // it is the policy's victim, or if the policy finds no other. Evicts only `entry` if it is
  // heavier than the capacity.
  template <class Now>
  void evict_if_too_heavy([[maybe_unused]] Entry& entry, [[maybe_unused]] std::size_t hash,
                          [[maybe_unused]] std::size_t limit, [[maybe_unused]] Now& now) {
    if constexpr (kIsWeighed) {
      if (entry.first.extra().weight() > capacity_) {
        erase(entry, hash, RemovalCause::kEvicted, now);
        return;
      }
      // If evict_to() finds no victim, no volatile entry is left: if `entry` was volatile, it was
      // evicted.
      const bool is_volatile = entry.first.is_volatile();
      static_cast<void>(evict_to(capacity_, kEvictionsPerCall, now));
      if (!evict_to(limit, kUnlimited, now) && !is_volatile) {
        erase(entry, hash, RemovalCause::kEvicted, now);
      }
    }
  }

  // Evicts entries until all together weigh at most `weight`: first expired entries, then those
  // that the policy chooses. Returns false if it has evicted `most`, or if none is left to evict.
  template <class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool evict_to(std::size_t weight, std::size_t most, Now& now) {
    return policy_.weight() <= weight || evict_out_of_line(weight, most, now);
  }
  template <class Now>
  ABSL_ATTRIBUTE_NOINLINE bool evict_out_of_line(std::size_t weight, std::size_t most, Now& now) {
    for (; policy_.weight() > weight; --most) {
      if (most == 0) return false;
      if (erase_one_expired(now)) continue;
      // find_victim() may drop the record of the victim. After that, nothing may throw until the
      // victim is erased.
      removals_.reserve(1);
      Entry* const entry = policy_.find_victim(map_.entries(), map_.wheel());
      if (entry == nullptr) return false;
      const StoredKey& stored = entry->first;
      policy_.record_eviction(stored.extra().policy_state, stored.extra().weight());
      const bool is_live = map_.is_live(stored, now);  // erase_one_expired() may have missed it
      erase(*entry, map_.entries().hash_of(stored), cause_of(is_live, RemovalCause::kEvicted), now);
    }
    return true;
  }
  // Erases one expired entry. Returns false if it finds none in about 4,000 due records.
  template <class Now>
  bool erase_one_expired(Now& now) {
    for (int i = 0; i != kMostSearches && map_.may_have_expired(now); ++i) {
      Budget budget(1);
      if (erase_expired(budget, now) != 0) return true;
    }
    return false;
  }

  // Makes a key box for the listener and the weigher; a NoKey if there is neither.
  struct NoKey {};
  template <class K>
  auto make_key_if_used([[maybe_unused]] K&& key) const {
    if constexpr (kIsWeighed || kIsObserved) {
      return make_key(std::forward<K>(key));
    } else {
      return NoKey();
    }
  }
  template <class AnyKey>
  [[nodiscard]] std::size_t weigh([[maybe_unused]] const AnyKey& key,
                                  [[maybe_unused]] const ValueBox& value) const {
    if constexpr (kIsWeighed) {
      return weigh_entry(key.get(), value);
    } else {
      return 1;
    }
  }
  [[nodiscard]] std::size_t weigh_entry(const Key& key, const ValueBox& value) const {
    return static_cast<std::size_t>(weigher_(key, value.get()));
  }
  static Extra make_extra(PolicyState state, RestOfLifetime rest,
                          [[maybe_unused]] std::size_t weight) noexcept {
    if constexpr (kIsWeighed) {
      return {state, rest, weight};
    } else {
      return {state, rest};
    }
  }

  // Returns true if the weight of an entry can change from `before` to `after` without an eviction.
  [[nodiscard]] bool can_overwrite([[maybe_unused]] std::size_t before,
                                   [[maybe_unused]] std::size_t after) const noexcept {
    if constexpr (kIsWeighed) {
      return after <= capacity_ && policy_.weight() - before <= capacity_ - after;
    } else if constexpr (kIsBounded) {
      return policy_.weight() <= capacity_;
    } else {
      return true;
    }
  }
  void record_overwrite(Extra& extra, std::size_t weight, Lifetime lifetime) noexcept {
    policy_.record_access(extra.policy_state);
    policy_.reweigh(extra.policy_state, extra.weight(), weight);
    extra.set_weight(weight);
    extra.rest = lifetime.rest();
    counters_.record_replacement();
    counters_.record_removal(RemovalCause::kReplaced);
  }

  // Returns why an entry is removed: `cause` only if it is live.
  static RemovalCause cause_of(bool is_live, RemovalCause cause) noexcept {
    return is_live ? cause : RemovalCause::kExpired;
  }
  // Removes an entry whose key has this hash, and collects stale records.
  template <class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void erase(Entry& entry, std::size_t hash, RemovalCause cause,
                                          Now& now) {
    map_.erase(entry, hash, [&](Entry& e) { prepare_removal(e, cause, now); });
    collect_if_needed();
  }
  // Does everything for a removal except the removal from the map.
  template <class Now>
  void prepare_removal([[maybe_unused]] Entry& entry, [[maybe_unused]] RemovalCause cause,
                       [[maybe_unused]] Now& now) {
    if constexpr (!kIsPlain) {
      removals_.reserve(1);
      record_removal(entry.first, cause, now);
      const Extra& extra = entry.first.extra();
      policy_.remove(extra.policy_state, extra.weight());
      enqueue(Map::Entries::take_key(entry), entry.second, cause);
    }
  }
  template <class Now>
  void record_removal([[maybe_unused]] const StoredKey& stored, [[maybe_unused]] RemovalCause cause,
                      [[maybe_unused]] Now& now) {
    if constexpr (Choices::kStatistics) {
      counters_.record_removal(cause);
      if (cause == RemovalCause::kExpired) {
        counters_.record_lag(time_left(now(), map_.deadline(stored)));
      }
    }
  }
  // REQUIRES: removals_.reserve() made room.
  template <class AnyKey>
  void enqueue([[maybe_unused]] AnyKey&& key, [[maybe_unused]] ValueBox& value,
               [[maybe_unused]] RemovalCause cause) noexcept {
    if constexpr (kIsObserved)
      removals_.enqueue(std::forward<AnyKey>(key), std::move(value), cause);
  }

  void collect_if_needed() noexcept {
    map_.collect_if_needed();
    policy_.collect_if_needed(map_.entries());
  }

  Map map_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS
  std::conditional_t<kIsBounded, std::size_t, NoCapacity> capacity_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS typename Choices::Weigher weigher_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Policy policy_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS
  RemovalQueue<Key, Value, typename Choices::Listener, Allocator> removals_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Counters<Choices::kStatistics> counters_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_STORE_H_
