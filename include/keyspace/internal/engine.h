// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_ENGINE_H_
#define KEYSPACE_INTERNAL_ENGINE_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "keyspace/condition.h"
#include "keyspace/expiry.h"
#include "keyspace/internal/budget.h"
#include "keyspace/internal/deadline_walk.h"
#include "keyspace/internal/engine_config.h"
#include "keyspace/internal/eviction.h"
#include "keyspace/internal/hashing.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/store.h"
#include "keyspace/options.h"
#include "keyspace/statistics.h"

namespace keyspace::internal {

// A function that does nothing.
struct Ignore {
  void operator()() const noexcept {}
};

// The verbs of a keyspace, with the time as an argument. Keyspace adds a clock. A shard of a
// ConcurrentKeyspace adds a lock.
//
// keyspace.h describes the verbs, as members of the same names. `now` is a CallTime: it is called
// only if the time matters. Keys are of a type that Hash and Equal accept. Calls that may remove an
// entry call the listener at their end.
template <class Choices>
class Engine {
  using Store = internal::Store<Choices>;
  using Map = typename Store::Map;
  using Lifetime = typename Store::Lifetime;

 public:
  using Key = typename Choices::Key;
  using Value = typename Choices::Value;
  using Hash = typename Choices::Hash;
  using Equal = typename Choices::Equal;
  using Allocator = typename Choices::Allocator;

  static constexpr bool kStatistics = Choices::kStatistics;
  // Whether find() does more than peek().
  static constexpr bool kUsesRequests =
      Eviction<typename Choices::Policy, Allocator>::kUsesRequests || Choices::kStatistics ||
      Choices::kExpireAfterAccess;

  // The most expired entries that one step erases. Without a limit, erase_expired() calls the
  // listener after each step. Shards releases the lock after each step.
  static constexpr std::size_t kEraseStep = 256;

  // A step moves many more entries than this. So the map shrinks as fast as entries are erased.
  static constexpr std::size_t kErasuresPerStep = 8;

  explicit Engine(EngineConfig<Choices> config)
      : idle_time_(config.expire_after_access), store_(std::move(config)) {}

  template <class K, class V, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void set(K&& key, V&& value, ExpiryTime expiry, Now& now) {
    put</*kOverwrites=*/true>(std::forward<K>(key), std::forward<V>(value), expiry, now);
  }
  template <class K, class V, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool insert(K&& key, V&& value, ExpiryTime expiry, Now& now) {
    return put</*kOverwrites=*/false>(std::forward<K>(key), std::forward<V>(value), expiry, now);
  }
  template <class K, class V, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool replace(K&& key, V&& value, ExpiryTime expiry, Now& now) {
    const auto found = map().locate(key);
    const bool is_stored = map().is_live(found, now) &&
                           store_.put_at(found, std::forward<K>(key), std::forward<V>(value),
                                         lifetime_for(expiry, found, now), now);
    store_.call_listener();
    return is_stored;
  }

  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE Value* find(const K& key, Now& now) {
    const auto found = map().locate(key);
    return request(found, now) ? value_of(found) : nullptr;
  }
  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE const Value* peek(const K& key, Now& now) const {
    const auto found = map().locate(key);
    return map().is_live(found, now) ? value_of(found) : nullptr;
  }

  // Writes to `out` what find() returns for each key. as_key() makes a key that the engine accepts.
  template <class Keys, class AsKey, class Out, class Now>
  Out find_all(const Keys& keys, const AsKey& as_key, Out out, Now& now) {
    return look_up_all(map(), keys, as_key, std::move(out), [&](const auto& found) -> Value* {
      return request(found, now) ? value_of(found) : nullptr;
    });
  }
  template <class Keys, class AsKey, class Out, class Now>
  Out peek_all(const Keys& keys, const AsKey& as_key, Out out, Now& now) const {
    return look_up_all(map(), keys, as_key, std::move(out), [&](const auto& found) -> const Value* {
      return map().is_live(found, now) ? value_of(found) : nullptr;
    });
  }

  // The result of find_shared(), which does what find() does under a lock that readers share.
  struct SharedRequest {
    const Value* value;    // null if the key is not live
    Millis hard_deadline;  // of a live key
    bool must_write;       // nothing was done: call find(), which postpones the expiry
  };
  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE SharedRequest find_shared(const K& key, Now& now) const {
    map().prefetch(key);
    const auto found = map().locate(key);
    const bool is_hit = map().is_live(found, now);
    Millis hard_deadline = kNeverMillis;
    if (is_hit) {
      const Lifetime lifetime = store_.lifetime(found.entry->first);
      hard_deadline = lifetime.hard;
      if constexpr (Choices::kExpireAfterAccess) {
        if (lifetime.idle < idle_time_.deadline(now)) return {nullptr, hard_deadline, true};
      }
    }
    store_.record_shared_request(found, is_hit);
    return {is_hit ? value_of(found) : nullptr, hard_deadline, false};
  }

  // The value and the hard deadline of a live key; null and kNeverMillis if it is not live.
  struct Live {
    const Value* value = nullptr;
    Millis hard_deadline = kNeverMillis;
  };
  // Does what peek() does.
  template <class K, class Now>
  Live peek_live(const K& key, Now& now) const {
    const auto found = map().locate(key);
    if (!map().is_live(found, now)) return {};
    return {value_of(found), store_.lifetime(found.entry->first).hard};
  }
  // Does what find() does.
  template <class K, class Now>
  Live find_live(const K& key, Now& now) {
    const auto found = map().locate(key);
    if (!request(found, now)) return {};
    return {value_of(found), store_.lifetime(found.entry->first).hard};
  }

  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE Value* getex(const K& key, ExpiryTime expiry, Now& now) {
    const auto found = map().locate(key);
    if (!record_request(found, now)) [[unlikely]]
      return nullptr;
    if constexpr (!Choices::kExpireAfterAccess) {
      const Millis deadline = expiry.quick_deadline(now);
      if (deadline != 0 && map().try_postpone(found, deadline)) [[likely]]
        return value_of(found);
    }
    return set_expiry(found, expiry, now) ? value_of(found) : nullptr;
  }

  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE std::optional<Value> getdel(const K& key, Now& now) {
    const auto found = map().locate(key);
    std::optional<Value> value;  // the only variable returned, so that it is not moved
    if (record_request(found, now)) {
      if constexpr (Choices::kIsObserved) {
        value.emplace(std::as_const(*value_of(found)));
      } else {
        value.emplace(std::move(*value_of(found)));
      }
      store_.erase(found, now);
    }
    store_.call_listener();
    return value;
  }

  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool erase(const K& key, Now& now) {
    const bool was_live = store_.erase_key(key, now);
    store_.call_listener();
    return was_live;
  }

  // PEXPIRE, PEXPIREAT. REQUIRES: `expiry` is a ttl or a deadline.
  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool expire(const K& key, ExpiryTime expiry, Condition condition,
                                           Now& now) {
    const auto found = map().locate(key);
    if (!map().is_live(found, now)) [[unlikely]]
      return false;
    return expire_found(found, expiry.deadline(now), condition, now);
  }

  // Returns the deadline of a live key, kNeverMillis if it is persistent; nullopt if the key is not
  // live.
  template <class K, class Now>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE std::optional<Millis> deadline(const K& key,
                                                                            Now& now) const {
    const auto found = map().locate(key);
    if (!map().is_live(found, now)) return std::nullopt;
    return map().deadline(found.entry->first);
  }

  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool persist(const K& key, Now& now) {
    const auto found = map().locate(key);
    if (!map().is_live(found, now)) return false;
    const Lifetime lifetime = store_.lifetime(found.entry->first);
    if (lifetime.hard == kNeverMillis) return false;
    store_.set_lifetime(found, lifetime.with_hard(kNeverMillis));
    return true;
  }

  // RENAME from this engine to `other`, which may be this engine. `now` is the time of both.
  template <class K, class L, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool rename_to(Engine& other, const K& from, L&& to, Now& now) {
    const auto source = map().locate(from);
    if (!map().is_live(source, now)) return false;
    const auto target = other.map().locate(to);
    if (&other != this) {
      other.store_.rename_from(store_, source, target, std::forward<L>(to), now);
    } else if (target.entry != source.entry) {
      store_.rename(source, target, std::forward<L>(to), now);
    }
    step();  // not before: the arguments may refer to entries
    other.step();
    other.store_.call_listener();
    return true;
  }
  // COPY, likewise.
  template <class K, class L, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool copy_to(Engine& other, const K& from, L&& to, Now& now) {
    const auto source = map().locate(from);
    if (!map().is_live(source, now)) return false;
    const auto target = other.map().locate(to);
    if (other.map().is_live(target, now)) return false;
    const bool is_stored =
        other.store_.put_at(target, std::forward<L>(to), std::as_const(*value_of(source)),
                            lifetime(store_.lifetime(source.entry->first).hard, now), now);
    other.store_.call_listener();
    return is_stored;
  }

  // Calls f(value) for a live key, and weighs the entry again. Returns true if the key is live.
  template <class K, class F, class Now>
  bool update(const K& key, F& f, Now& now) {
    const auto found = map().locate(key);
    if (!request(found, now)) return false;
    std::invoke(f, *value_of(found));
    if constexpr (Choices::kIsWeighed) store_.reweigh(found, now);
    store_.call_listener();
    return true;
  }

  // The argument of the function of compute(). Defined in one_entry.h, for the callers of
  // compute().
  template <class K, class OnChange, class Now>
  class OneEntry;
  // Calls f(entry) with the OneEntry of a key, and returns its result.
  template <class K, class OnChange, class F, class Now>
  auto compute(const K& key, const OnChange& on_change, F& f, Now& now) {
    OneEntry<K, OnChange, Now> entry(*this, key, on_change, now);
    if constexpr (std::is_void_v<std::invoke_result_t<F&, decltype(entry)&>>) {
      std::invoke(f, entry);
      entry.finish();
    } else {
      auto result = std::invoke(f, entry);
      entry.finish();
      return result;
    }
  }

  // Erases each live entry for which pred(key, value, deadline) returns true. Returns how many.
  template <class Predicate, class Now>
  std::size_t erase_if(const Predicate& pred, Now& now) {
    const std::size_t erased = store_.erase_if(
        [&](const auto& entry) {
          const auto& [stored, value] = entry;
          return pred(stored.key(), value.get(), map().deadline(stored));
        },
        now);
    store_.call_listener();
    return erased;
  }

  // Calls f(key, value, deadline) for each live entry.
  template <class F, class Now>
  void for_each(F&& f, Now& now) const {
    map().entries().for_each([&](const auto& entry) {
      const auto& [stored, value] = entry;
      if (map().is_live(stored, now)) f(stored.key(), value.get(), map().deadline(stored));
    });
  }

  // Calls f(key, value, deadline) for each live entry whose deadline is at or before `until`, the
  // soonest first, until f returns false. f may also return nothing. REQUIRES: `until` is a
  // deadline.
  template <class F, class Now>
  void for_each_until(ExpiryTime until, const F& f, Now& now) const {
    const Millis last = until.deadline(now);
    if (volatile_size() == 0 || last <= now()) return;
    DeadlineWalk walk(map(), last, now);
    while (const auto* const stored = walk.next()) {
      if (!visit(map().entries().entry_of(*stored), f)) return;
    }
  }
  // The same for the entry of one key. Returns false if f returned false.
  template <class K, class F, class Now>
  bool visit_until(const K& key, ExpiryTime until, const F& f, Now& now) const {
    const auto found = map().locate(key);
    if (!map().is_live(found, now) || !found.entry->first.is_volatile()) return true;
    return map().deadline(found.entry->first) > until.deadline(now) || visit(*found.entry, f);
  }

  [[nodiscard]] Statistics statistics() const noexcept requires(Choices::kStatistics) {
    return store_.statistics();
  }
  // Records a call of the function of get_or_compute(), which took `time` milliseconds.
  void record_computation(Millis time, bool is_failure) noexcept requires(Choices::kStatistics) {
    store_.record_computation(time, is_failure);
  }
  // Records that a call needs the result of a computation that another call has started.
  void record_wait() noexcept { store_.record_wait(); }
  [[nodiscard]] std::size_t weight() const noexcept requires(Choices::kIsBounded) {
    return store_.weight();
  }
  [[nodiscard]] std::size_t capacity() const noexcept requires(Choices::kIsBounded) {
    return store_.capacity();
  }
  template <class Now>
  void set_capacity(std::size_t capacity, Now& now) requires(Choices::kIsBounded) {
    store_.set_capacity(capacity, now);
    store_.call_listener();
  }
  [[nodiscard]] std::size_t size() const noexcept { return map().size(); }
  [[nodiscard]] std::size_t volatile_size() const noexcept { return map().volatile_size(); }

  template <class Now>
  void clear(Now& now) {
    store_.clear(now);
    store_.call_listener();
  }
  void reserve(std::size_t size) { store_.reserve(size); }
  void shrink_to_fit() { store_.shrink_to_fit(); }

  template <class Now>
  std::size_t erase_expired(std::size_t limit, Now& now) {
    std::size_t erased = 0;
    if constexpr (Choices::kIsObserved) {
      // Without a limit, calls the listener after each step. If the clock has gone back, entries
      // that the listener stores may already be expired at now(). So the steps end after about as
      // many erasures as there were entries at the start.
      const std::size_t most = limit == kUnlimited ? size() : 0;
      while (erased < most && map().may_have_expired(now)) {
        Budget step(kEraseStep);
        erased += store_.erase_expired(step, now);
        erased += store_.call_listener();
      }
    }
    Budget budget(limit);
    erased += erase_expired(budget, now);
    erased += store_.call_listener();
    return erased;
  }
  // The same with a budget, and without calls of the listener. Takes a step of the map for every
  // kErasuresPerStep entries that it may erase, and spends what is left of the budget on more
  // steps.
  template <class Now>
  std::size_t erase_expired(Budget& budget, Now& now) {
    std::size_t erased = 0;
    for (bool is_more = true; is_more && !budget.is_spent();) {
      step();
      Budget part = budget.split(kErasuresPerStep);
      erased += store_.erase_expired(part, now);
      is_more = part.is_spent();
      budget.join(part);
    }
    while (needs_step() && !budget.is_spent()) {
      step();
      budget.steps -= std::min<std::size_t>(budget.steps, kErasuresPerStep);
    }
    return erased;
  }
  // Returns true while the map has steps to take.
  [[nodiscard]] bool needs_step() const noexcept { return map().entries().needs_step(); }
  // Takes a step of the map if there is one to take. Invalidates pointers.
  void step() noexcept { map().entries().step(); }

  // Returns a time at or before every deadline; kNeverMillis if there is none.
  [[nodiscard]] Millis next_due() const noexcept {
    return volatile_size() == 0 ? kNeverMillis : map().next_due();
  }

  template <class K>
  void prefetch(const K& key) const {
    map().prefetch(key);
  }
  [[nodiscard]] const Hash& hash_function() const noexcept {
    return map().entries().hash_function();
  }
  [[nodiscard]] Equal key_eq() const { return map().entries().key_eq(); }
  // The removed entries of an engine with DeferredListener.
  [[nodiscard]] auto& removals() noexcept { return store_.removals(); }

 private:
  friend struct TestPeer;

  [[nodiscard]] Map& map() noexcept { return store_.map(); }
  [[nodiscard]] const Map& map() const noexcept { return store_.map(); }

  template <class F>
  static auto* value_of(const F& found) noexcept {
    return std::addressof(found.entry->second.get());
  }

  // Calls f(key, value, deadline). Returns false if f returns false; f may also return nothing.
  template <class F>
  bool visit(const typename Map::Entry& entry, const F& f) const {
    const auto call = [&] {
      return f(entry.first.key(), entry.second.get(), map().deadline(entry.first));
    };
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      return true;
    } else {
      return static_cast<bool>(call());
    }
  }

  static bool is_admitted(Condition condition, Millis current, Millis next) noexcept {
    return admits(condition, std::chrono::milliseconds(current), std::chrono::milliseconds(next));
  }

  // Returns the lifetime of an entry that is stored or requested now.
  template <class Now>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE Lifetime lifetime(Millis hard_deadline,
                                                               [[maybe_unused]] Now& now) const {
    if constexpr (Choices::kExpireAfterAccess) {
      return Lifetime(hard_deadline, idle_time_.deadline(now));
    } else {
      return Lifetime(hard_deadline);
    }
  }

  // Returns the hard deadline that an expiry means. REQUIRES: !expiry.is_keep()
  template <class Now>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE static Millis resolve(ExpiryTime expiry, Now& now) {
    return expiry.is_default() ? kNeverMillis : expiry.deadline(now);
  }

  // Returns the lifetime of a value that is stored with this expiry over the found entry.
  template <class F, class Now>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE Lifetime lifetime_for(ExpiryTime expiry,
                                                                   const F& found, Now& now) const {
    if (!expiry.is_keep()) return lifetime(resolve(expiry, now), now);
    const bool is_live = map().is_live(found, now);
    return lifetime(is_live ? store_.lifetime(found.entry->first).hard : kNeverMillis, now);
  }

  template <bool kOverwrites, class K, class V, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool put(K&& key, V&& value, ExpiryTime expiry, Now& now) {
    if constexpr (Store::template kCanPutNow<K, V>) {
      if (!expiry.is_keep()) {
        const Millis deadline = resolve(expiry, now);
        if (map().can_put_now(deadline, now)) [[likely]] {
          return store_.template put_now<kOverwrites>(key, value, deadline);
        }
      }
      return look_up_and_put_out_of_line<kOverwrites>(std::forward<K>(key), std::forward<V>(value),
                                                      expiry, now);
    } else {
      return look_up_and_put<kOverwrites>(std::forward<K>(key), std::forward<V>(value), expiry,
                                          now);
    }
  }
  template <bool kOverwrites, class K, class V, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool look_up_and_put(K&& key, V&& value, ExpiryTime expiry,
                                                    Now& now) {
    const auto found = map().locate(key);
    const bool is_stored = (kOverwrites || !map().is_live(found, now)) &&
                           store_.put_at(found, std::forward<K>(key), std::forward<V>(value),
                                         lifetime_for(expiry, found, now), now);
    if (found.entry != nullptr) step();  // store_.add() takes a step for a new key
    store_.call_listener();
    return is_stored;
  }
  // Takes `now` by value, so that the caller can keep its own in registers.
  template <bool kOverwrites, class K, class V, class Now>
  ABSL_ATTRIBUTE_NOINLINE bool look_up_and_put_out_of_line(K&& key, V&& value, ExpiryTime expiry,
                                                           Now now) {
    return look_up_and_put<kOverwrites>(std::forward<K>(key), std::forward<V>(value), expiry, now);
  }

  // Records a request, and postpones the expiry if the options say so. Returns true for a hit.
  template <class F, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool request(const F& found, Now& now) {
    if (!record_request(found, now)) return false;
    if constexpr (Choices::kExpireAfterAccess) {
      const Lifetime before = store_.lifetime(found.entry->first);
      const Lifetime after = lifetime(before.hard, now);
      if (before.idle < after.idle) store_.set_lifetime(found, after);
    }
    return true;
  }
  // The same, but does not postpone the expiry.
  template <class F, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool record_request(const F& found, Now& now) {
    const bool is_hit = map().is_live(found, now);
    store_.record_request(found, is_hit);
    return is_hit;
  }

  template <class F, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool expire_found(const F& found, Millis deadline,
                                                 Condition condition, Now& now) {
    const Lifetime lifetime = store_.lifetime(found.entry->first);
    if (!is_admitted(condition, lifetime.hard, deadline)) return false;
    set_lifetime_or_erase(found, lifetime.with_hard(deadline), now);
    return true;
  }

  // Gives a live entry another lifetime. If that is over, erases the entry and returns false.
  template <class F, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool set_lifetime_or_erase(const F& found, Lifetime lifetime,
                                                          Now& now) {
    if (Map::is_over(lifetime.deadline(), now)) [[unlikely]] {
      store_.erase_live(*found.entry, found.hash);
      store_.call_listener();
      return false;
    }
    store_.set_lifetime(found, lifetime);
    return true;
  }

  // The same for an expiry, out of line.
  template <class F, class Now>
  ABSL_ATTRIBUTE_NOINLINE bool set_expiry(F found, ExpiryTime expiry, Now now) {
    return set_lifetime_or_erase(found, lifetime_for(expiry, found, now), now);
  }

  // Looks up each key, and writes result(found) to `out`. Fetches the memory of several keys at
  // once.
  template <class M, class Keys, class AsKey, class Out, class Result>
  static Out look_up_all(M& map, const Keys& keys, const AsKey& as_key, Out out,
                         const Result& result) {
    constexpr std::size_t kAhead = 8;  // with more, a core has to wait for fetches to begin
    std::array<std::size_t, kAhead> hashes;
    auto ahead = std::begin(keys);
    for (std::size_t i = 0; i != kAhead && ahead != std::end(keys); ++i, ++ahead) {
      hashes[i] = map.prefetch(as_key(*ahead));
    }
    std::size_t i = 0;
    for (auto next = std::begin(keys); next != std::end(keys); ++next) {
      *out++ = result(map.locate(as_key(*next), hashes[i]));
      if (ahead != std::end(keys)) hashes[i] = map.prefetch(as_key(*ahead++));
      i = (i + 1) % kAhead;
    }
    return out;
  }

  struct NoIdleTime {
    NoIdleTime(Ttl) noexcept {}  // NOLINT: implicit by design
  };
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS
  std::conditional_t<Choices::kExpireAfterAccess, ExpiryTime, NoIdleTime> idle_time_;
  Store store_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_ENGINE_H_
