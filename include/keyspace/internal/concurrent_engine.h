// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_CONCURRENT_ENGINE_H_
#define KEYSPACE_INTERNAL_CONCURRENT_ENGINE_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "keyspace/condition.h"
#include "keyspace/expiry.h"
#include "keyspace/internal/call_time.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/one_entry.h"
#include "keyspace/internal/shards.h"
#include "keyspace/internal/single_flight.h"
#include "keyspace/statistics.h"

namespace keyspace::internal {

// Returns the number of shards: a power of two. `wanted` is Config::shards.
template <class Choices>
std::size_t shard_count(std::size_t wanted, std::size_t capacity) {
  constexpr std::size_t kShardLimit = std::size_t{1} << 16;
  constexpr std::size_t kShardsPerProcessor = 32;
  constexpr std::size_t kLeastCapacity = 256;  // of a shard, by default
  // The most shards by default. A shard with deadlines takes about 10 KB.
  constexpr std::size_t kMostShards = Choices::kIsWeighed ? 8 : 256;

  std::size_t count = std::min<std::size_t>(wanted, kShardLimit);
  if (count == 0)
    count = std::min<std::size_t>(kShardsPerProcessor * processor_count(), kMostShards);
  count = std::bit_ceil(count);
  if (!Choices::kIsBounded) return count;
  const std::size_t least = wanted != 0 ? 1 : kLeastCapacity;
  return std::min<std::size_t>(count, std::bit_floor(std::max<std::size_t>(capacity / least, 1)));
}

// The verbs of an Engine, for many threads. Each call finds the shard of its key and locks it. A
// call that changes the value of a key removes the running computation of that key. So the
// computation does not overwrite the change. (See Computations.)
//
// concurrent_keyspace.h describes the verbs, as members of the same names. Keys are of a type that
// Hash and Equal accept.
template <class Choices>
class ConcurrentEngine {
  using Shards = internal::Shards<Choices>;
  using Contents = typename Shards::Contents;
  using Now = CallTime<typename Choices::Clock>;

 public:
  using Engine = typename Shards::Engine;
  using Key = typename Choices::Key;
  using Value = typename Choices::Value;

  static constexpr bool kUsesRequests = Engine::kUsesRequests;

  // Removes the computation of a key, once.
  struct RemoveComputation {
    void operator()() const noexcept { computations.remove(std::exchange(computation, nullptr)); }
    typename Shards::Computations& computations;
    mutable typename Shards::Computations::Computation* computation;
  };
  // What the function of compute() gets for a K.
  template <class K>
  using EntryOf = typename Engine::template OneEntry<Hashed<const K&>, RemoveComputation, Now>;

  ConcurrentEngine(std::size_t shards, EngineConfig<Choices> config, typename Choices::Clock clock)
      : shards_(std::countr_zero(shard_count<Choices>(shards, config.capacity)), std::move(config),
                std::move(clock)) {}

  template <class K, class V>
  void set(K&& key, V&& value, ExpiryTime expiry) {
    change(std::forward<K>(key), [&](Engine& engine, auto& hashed, Now& now) {
      engine.prefetch(hashed);
      engine.set(std::move(hashed), std::forward<V>(value), expiry, now);
      return Outcome{true, true};
    });
  }
  template <class K, class V>
  bool insert(K&& key, V&& value, ExpiryTime expiry) {
    return change(std::forward<K>(key), [&](Engine& engine, auto& hashed, Now& now) {
      const bool is_stored = engine.insert(std::move(hashed), std::forward<V>(value), expiry, now);
      return Outcome{is_stored, is_stored};
    });
  }
  template <class K, class V>
  bool replace(K&& key, V&& value, ExpiryTime expiry) {
    return change(std::forward<K>(key), [&](Engine& engine, auto& hashed, Now& now) {
      const std::size_t size = engine.size();
      const bool is_stored = engine.replace(std::move(hashed), std::forward<V>(value), expiry, now);
      // If there is no room for the value, the key is erased.
      return Outcome{is_stored, is_stored || engine.size() < size};
    });
  }

  // Makes a request: calls f(value) if the key is live. Returns true if it is.
  template <class K, class F>
  bool request(const K& key, const F& f) {
    return shards_.request(key, f);
  }
  // The same, but not a request.
  template <class K, class F>
  bool peek(const K& key, const F& f) const {
    return shards_.read(key,
                        calling_like(f, [&f](const Engine& engine, const auto& hashed, Now& now) {
                          const Value* const value = engine.peek(hashed, now);
                          if (value != nullptr) f(*value);
                          return value != nullptr;
                        }));
  }
  template <class K, class F>
  bool update(const K& key, F& f) {
    return shards_.write(key, calling_user([&](Contents& contents, auto& hashed, Now& now) {
                           const auto computation = contents.computations.find(hashed);
                           const auto change = [&](Value& value) {
                             // Before the call of `f`, which may change the value and then throw.
                             contents.computations.remove(computation);
                             std::invoke(f, value);
                           };
                           return contents.engine.update(hashed, change, now);
                         }));
  }
  template <class K, class F>
  auto compute(const K& key, F& f) {
    return shards_.write(key, calling_user([&](Contents& contents, auto& hashed, Now& now) {
                           const RemoveComputation on_change{contents.computations,
                                                             contents.computations.find(hashed)};
                           return contents.engine.compute(hashed, on_change, f, now);
                         }));
  }

  template <class K>
  std::optional<Value> getex(const K& key, ExpiryTime expiry) {
    return change_expiry(key, [&](Engine& engine, const auto& hashed, Now& now) {
      // Copies first: if the copy throws, the expiry does not change.
      const Value* const value = engine.peek(hashed, now);
      auto copy = value == nullptr ? std::nullopt : std::optional<Value>(std::in_place, *value);
      if (engine.getex(hashed, expiry, now) == nullptr) copy.reset();
      return copy;
    });
  }
  template <class K>
  std::optional<Value> getdel(const K& key) {
    return change(key, [](Engine& engine, auto& hashed, Now& now) {
      engine.step();  // no pointers exist
      return Outcome{engine.getdel(hashed, now), true};
    });
  }
  template <class K>
  bool erase(const K& key) {
    return change(key, [](Engine& engine, auto& hashed, Now& now) {
      engine.step();  // no pointers exist
      return Outcome{engine.erase(hashed, now), true};
    });
  }

  template <class K>
  bool expire(const K& key, ExpiryTime expiry, Condition condition) {
    return change_expiry(key, [&](Engine& engine, const auto& hashed, Now& now) {
      return engine.expire(hashed, expiry, condition, now);
    });
  }
  template <class K>
  bool persist(const K& key) {
    return change_expiry(key, [](Engine& engine, const auto& hashed, Now& now) {
      return engine.persist(hashed, now);
    });
  }
  template <class K>
  [[nodiscard]] std::optional<Millis> deadline(const K& key) const {
    return shards_.read(key, [](const Engine& engine, const auto& hashed, Now& now) {
      return engine.deadline(hashed, now);
    });
  }
  template <class K>
  [[nodiscard]] std::optional<std::chrono::milliseconds> ttl(const K& key) const {
    return shards_.read(key, [](const Engine& engine, const auto& hashed, Now& now) {
      return ttl_until(engine.deadline(hashed, now), now);
    });
  }

  template <class K, class L>
  bool rename(const K& from, L&& to) {
    return shards_.write_two(
        from, std::forward<L>(to),
        [](Contents& source, const auto& key, Contents& target, auto& new_key, Now& now) {
          const auto old_computation = source.computations.find(key);
          const auto new_computation = target.computations.find(new_key);
          const bool is_renamed =
              source.engine.rename_to(target.engine, key, std::move(new_key), now);
          // The two are equal if neither exists, or if the key was renamed to itself.
          if (is_renamed && old_computation != new_computation) {
            source.computations.remove(old_computation);
            target.computations.remove(new_computation);
          }
          return is_renamed;
        });
  }
  template <class K, class L>
  bool copy(const K& from, L&& to) {
    return shards_.write_two(
        from, std::forward<L>(to),
        [](Contents& source, const auto& key, Contents& target, auto& new_key, Now& now) {
          const auto computation = target.computations.find(new_key);
          const bool is_copied = source.engine.copy_to(target.engine, key, std::move(new_key), now);
          if (is_copied) target.computations.remove(computation);
          return is_copied;
        });
  }

  // See SingleFlight.
  [[nodiscard]] SingleFlight<Shards> single_flight(Ttl refresh_ahead, Ttl max_wait) {
    return {shards_, refresh_ahead, max_wait};
  }

  // Calls f(key, value, deadline) for each live entry.
  template <class F>
  void for_each(const F& f) const {
    shards_.for_each(
        calling_user([&](const Engine& engine, Now& now) { engine.for_each(f, now); }));
  }

  // Calls f(key, value, deadline) for each live entry whose deadline is at or before `until`, the
  // soonest first, until f returns false. Copies the keys of these entries first. Then looks up one
  // after the other.
  template <class F>
  void for_each_until(ExpiryTime until, const F& f) const {
    std::deque<Key> keys;
    std::vector<std::pair<Millis, const Key*>> order;
    const auto add = [&](const Key& key, const Value&, Millis deadline) {
      keys.push_back(key);
      order.emplace_back(deadline, &keys.back());
    };
    shards_.for_each(
        [&](const Engine& engine, Now& now) { engine.for_each_until(until, add, now); });
    std::sort(order.begin(), order.end());
    const auto visit = calling_user([&](const Engine& engine, const auto& hashed, Now& now) {
      return engine.visit_until(hashed, until, f, now);
    });
    for (const auto& [deadline, key] : order) {
      if (!shards_.read(*key, visit)) return;
    }
  }

  [[nodiscard]] Statistics statistics() const {
    Statistics sum;
    shards_.for_each([&](const Engine& engine, Now&) { sum += engine.statistics(); });
    return sum;
  }
  [[nodiscard]] std::size_t weight() const {
    return sum_of([](const Engine& engine) { return engine.weight(); });
  }
  [[nodiscard]] std::size_t size() const {
    return sum_of([](const Engine& engine) { return engine.size(); });
  }
  [[nodiscard]] std::size_t volatile_size() const {
    return sum_of([](const Engine& engine) { return engine.volatile_size(); });
  }

  template <class Predicate>
  std::size_t erase_if(const Predicate& pred) {
    std::size_t erased = 0;
    shards_.change_each(calling_user([&](Contents& contents, Now& now) {
      const auto decide = [&](const Key& key, const Value& value, Millis deadline) {
        if (!pred(key, value, deadline)) return false;
        contents.computations.remove(contents.computations.find(shards_.hashed(key)));
        return true;
      };
      erased += contents.engine.erase_if(decide, now);
    }));
    return erased;
  }

  void clear() {
    shards_.change_each([](Contents& contents, Now& now) {
      contents.engine.clear(now);
      contents.computations.clear();
    });
  }

  [[nodiscard]] const Shards& shards() const noexcept { return shards_; }
  [[nodiscard]] Shards& shards() noexcept { return shards_; }

 private:
  friend struct TestPeer;

  // The result of a change of one key, and whether it makes the key's computation outdated.
  template <class T>
  struct Outcome {
    T result;
    bool is_outdated;
  };
  template <class T>
  Outcome(T, bool) -> Outcome<T>;

  // Locks the shard for a change and calls f(engine, key, now), which returns an Outcome. Removes
  // the computation of the key if it is outdated. Returns the result.
  template <class K, class F>
  auto change(K&& key, const F& f) {
    return shards_.write(std::forward<K>(key), [&](Contents& contents, auto& hashed, Now& now) {
      // Before the call of f, which may move from the key.
      const auto computation = contents.computations.find(hashed);
      auto outcome = f(contents.engine, hashed, now);
      if (outcome.is_outdated) contents.computations.remove(computation);
      return std::move(outcome.result);
    });
  }
  // Changes an expiry. If the new deadline is over, the key is erased.
  template <class K, class F>
  auto change_expiry(const K& key, const F& f) {
    return change(key, [&](Engine& engine, auto& hashed, Now& now) {
      const std::size_t size = engine.size();
      auto result = f(engine, hashed, now);
      return Outcome{std::move(result), engine.size() < size};
    });
  }

  template <class F>
  [[nodiscard]] std::size_t sum_of(const F& f) const {
    std::size_t sum = 0;
    shards_.for_each([&](const Engine& engine, Now&) { sum += f(engine); });
    return sum;
  }

  Shards shards_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_CONCURRENT_ENGINE_H_
