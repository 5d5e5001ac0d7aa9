// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_LONE_COMPUTATION_H_
#define KEYSPACE_INTERNAL_LONE_COMPUTATION_H_

#include "keyspace/internal/config.h"

#include <cstddef>
#include <exception>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "keyspace/expiry.h"
#include "keyspace/internal/call_time.h"
#include "keyspace/internal/computed_value.h"
#include "keyspace/internal/exceptions.h"
#include "keyspace/internal/millis.h"

namespace keyspace::internal {

// The calls of get_or_compute() for one thread. SingleFlight has them for many threads.
template <class Engine, class Clock>
class LoneComputation {
  using Key = typename Engine::Key;
  using Value = typename Engine::Value;
  using Now = CallTime<Clock>;

 public:
  LoneComputation(Engine& engine, const Clock& clock, Ttl refresh_ahead)
      : engine_(engine), clock_(clock), refresh_ahead_(refresh_ahead) {}

  // Returns the value of a key. compute(key) returns a ComputedValue. Result is Value, or an
  // optional of it if the call may find nothing.
  template <class Result, class K, class Compute>
  Result get_or_compute(const K& key, const Compute& compute) {
    Now start(clock_);
    bool is_refresh = false;
    if (const Value* const value = find(key, is_refresh, start)) return *value;
    const Key stored(key);
    ComputedValue<Value> computed;
    Now now(clock_);
    const auto error = call_and_record([&] { computed = compute(stored); }, start, now);
    finish(stored, computed, error, is_refresh, now);
    return to_result<Result>(std::move(computed.value));
  }

  // Returns the values of several keys, in their order. compute(missing) gets the keys whose values
  // it must compute, each once. It returns a ComputedValue for each.
  template <class Result, class Keys, class AsKey, class Compute>
  std::vector<Result> get_or_compute_all(const Keys& keys, const AsKey& as_key,
                                         const Compute& compute) {
    std::vector<std::optional<Value>> values(
        static_cast<std::size_t>(std::ranges::distance(std::begin(keys), std::end(keys))));
    std::vector<Key> missing;
    std::vector<bool> is_refresh;                    // of each missing key
    std::vector<std::size_t> places(values.size());  // of each key among the missing ones
    Now start(clock_);
    {
      // Not a flat_hash_map: that is broken after an exception from the allocator or a key.
      std::unordered_map<Key, std::size_t, typename Engine::Hash, typename Engine::Equal> place_of(
          1, engine_.hash_function(), engine_.key_eq());
      std::size_t i = 0;
      for (auto it = std::begin(keys); it != std::end(keys); ++it, ++i) {
        auto&& element = *it;
        const auto& key = as_key(element);
        bool is_live = false;
        if (const Value* const value = find(key, is_live, start)) {
          values[i].emplace(*value);
          continue;
        }
        const auto [place, is_new] = place_of.try_emplace(Key(key), missing.size());
        places[i] = place->second;
        if (!is_new) continue;
        missing.push_back(place->first);
        is_refresh.push_back(is_live);
      }
    }
    std::vector<ComputedValue<Value>> computed(missing.size());
    if (!missing.empty()) {
      Now now(clock_);
      const auto error = call_and_record([&] { computed = compute(missing); }, start, now);
      for (std::size_t i = 0; i != missing.size(); ++i) {
        finish(missing[i], computed[i], error, is_refresh[i], now);
      }
    }
    for (std::size_t i = 0; i != values.size(); ++i) {
      if (values[i]) continue;
      const std::optional<Value>& value = computed[places[i]].value;
      if (value) values[i].emplace(*value);
    }
    return to_results<Result>(std::move(values));
  }

 private:
  // Makes a request. Returns the value of a live key; null if it must be computed. Sets `is_live`
  // if the key is live.
  template <class K>
  const Value* find(const K& key, bool& is_live, Now& now) {
    const auto live = engine_.find_live(key, now);
    is_live = live.value != nullptr;
    return is_live && !must_refresh(live.hard_deadline, refresh_ahead_, now) ? live.value : nullptr;
  }

  // Calls f(), and returns its exception. With statistics, records the time from start() to now().
  template <class F>
  std::exception_ptr call_and_record(const F& f, [[maybe_unused]] Now& start,
                                     [[maybe_unused]] Now& now) {
    if constexpr (Engine::kStatistics) {
      const Millis begin = start();
      std::exception_ptr error = exception_of(f);
      engine_.record_computation(time_left(now(), begin), error != nullptr);
      return error;
    } else {
      return exception_of(f);
    }
  }

  // Stores a computed value. If a refresh has failed and the old value is still live, uses that.
  // Throws any other error.
  void finish(const Key& key, ComputedValue<Value>& computed, const std::exception_ptr& error,
              bool is_refresh, Now& now) {
    if (error == nullptr) {
      store_computed(engine_, key, computed, now);
      return;
    }
    const Value* const live = is_refresh ? engine_.peek(key, now) : nullptr;
    if (live == nullptr) std::rethrow_exception(error);
    computed.value.emplace(*live);
  }

  Engine& engine_;
  const Clock& clock_;
  Ttl refresh_ahead_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_LONE_COMPUTATION_H_
