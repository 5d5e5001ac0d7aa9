#ifndef KEYSPACE_INTERNAL_SHARD_H_
#define KEYSPACE_INTERNAL_SHARD_H_

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "keyspace/condition.h"
#include "keyspace/features.h"
#include "keyspace/internal/expiry_table.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/outbox.h"

namespace keyspace::internal {

// Weighs with a weigher that all shards share.
template <class Weigher>
struct SharedWeigher {
  template <class Key, class Value>
  std::size_t operator()(const Key& key, const Value& value) const {
    return static_cast<std::size_t>((*weigher)(key, value));
  }
  const Weigher* weigher;
};

// The features of a keyspace that is a shard: what leaves is told when the lock is released.
template <class Features>
struct ShardFeatures : Features {
  using Weigher =
      std::conditional_t<kIsWeighed<Features>, SharedWeigher<typename Features::Weigher>, OneEach>;
  using Listener = std::conditional_t<kIsObserved<Features>, DeferredListener, NoListener>;
};

// What a ConcurrentKeyspace does to its shards, and is no call of theirs.
struct ShardAccess {
  template <class Ks>
  using ValueOf = typename Ks::mapped_type;

  template <class Ks>
  struct Request {
    const ValueOf<Ks>* value;  // null if the key is not live
    Millis deadline;           // of a live key
    bool slides;               // its deadline is to slide, which find() does under a lock of one's
                               // own; nothing was noted yet
  };

  // Does what find() does, on a keyspace that is not const but locked for several threads.
  template <class Ks, class K>
  ABSL_ATTRIBUTE_ALWAYS_INLINE static Request<Ks> request(const Ks& ks, const K& key) {
    typename Ks::Now now(ks.clock_);
    ks.store_.prefetch(key);
    const auto found = ks.store_.locate(key);
    const bool is_hit = ks.store_.is_live(found, now);
    const Millis deadline = is_hit ? ks.store_.deadline(found.entry->first) : kNeverMillis;
    if constexpr (Ks::kSlides) {
      if (is_hit && admits(Condition::kGt, Ks::to_time_point(deadline),
                           Ks::to_time_point(ks.expire_after_access_.from(now)))) {
        return {nullptr, deadline, true};
      }
    }
    ks.store_.note_shared_request(found, is_hit);
    return {is_hit ? std::addressof(found.entry->second.get()) : nullptr, deadline, false};
  }

  // Returns the deadline of a key; kNeverMillis if it is not stored.
  template <class Ks, class K>
  static Millis deadline(const Ks& ks, const K& key) {
    const auto found = ks.store_.locate(key);
    return found.entry == nullptr ? kNeverMillis : ks.store_.deadline(found.entry->first);
  }
  template <class Ks, class K>
  static void prefetch(const Ks& ks, const K& key) {
    ks.store_.prefetch(key);
  }
  template <class Ks>
  static Millis now(const Ks& ks) {
    return typename Ks::Now(ks.clock_)();
  }
  // Returns a time at or before every deadline; kNeverMillis if there is none.
  template <class Ks>
  static Millis next_due(const Ks& ks) noexcept {
    return ks.volatile_size() == 0 ? kNeverMillis : ks.store_.next_due();
  }
  template <class Ks>
  static typename Ks::time_point to_time_point(Millis millis) noexcept {
    return Ks::to_time_point(millis);
  }

  // What Keyspace::erase_expired() does, until the budget is spent.
  template <class Ks>
  static std::size_t erase_expired(Ks& ks, Budget& budget) {
    typename Ks::Now now(ks.clock_);
    return ks.store_.erase_due(budget, now);
  }

  template <class Ks, class K>
  static void reweigh(Ks& ks, const K& key) {
    typename Ks::Now now(ks.clock_);
    ks.store_.reweigh(ks.store_.locate(key), now);
  }

  // What rename() does, also from one keyspace to another.
  template <class Ks, class K, class L>
  static bool rename(Ks& from, const K& key, Ks& to, L&& new_key) {
    if (&from == &to) return from.rename(key, std::forward<L>(new_key));
    typename Ks::Now now(from.clock_);
    const auto source = from.store_.locate(key);
    if (!from.store_.is_live(source, now)) return false;
    const auto target = to.store_.locate(new_key);
    to.store_.move_from(from.store_, source, target, std::forward<L>(new_key), now);
    return true;
  }
  // What copy() does, also from one keyspace to another.
  template <class Ks, class K, class L>
  static bool copy(const Ks& from, const K& key, Ks& to, L&& new_key) {
    if (&from == &to) return to.copy(key, std::forward<L>(new_key));
    typename Ks::Now now(from.clock_);
    const auto source = from.store_.locate(key);
    if (!from.store_.is_live(source, now)) return false;
    const auto target = to.store_.locate(new_key);
    if (to.store_.is_live(target, now)) return false;
    return to.store_.put_at(target, std::forward<L>(new_key), source.entry->second.get(),
                            from.store_.deadline(source.entry->first), now);
  }

  // What has left, and the listener is to be told of.
  template <class Ks>
  static auto& outbox(Ks& ks) noexcept {
    return ks.store_.outbox();
  }
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_SHARD_H_
