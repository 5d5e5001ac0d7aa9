// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_LONE_COMPUTATION_H_
#define KEYSPACE_INTERNAL_LONE_COMPUTATION_H_

#include "keyspace/internal/config.h"

#include <cstddef>
#include <exception>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "keyspace/expiry.h"
#include "keyspace/internal/call_time.h"
#include "keyspace/internal/computed_value.h"
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
    bool is_refresh = false;
    {
      Now now(clock_);
      if (const Value* const value = find(key, is_refresh, now)) return *value;
    }
    const Key stored(key);
    ComputedValue<Value> computed;
    const std::exception_ptr error = call_and_record([&] { computed = compute(stored); });
    Now now(clock_);
    if (error == nullptr) {
      store(stored, computed, now);
    } else {
      use_live_value(stored, is_refresh, error, computed, now);
    }
    return to_result<Result>(std::move(computed.value));
  }

  // Returns the values of several keys, in their order. compute(missing) gets the keys whose values
  // it must compute, each once. It returns a ComputedValue for each.
  template <class Result, class Keys, class AsKey, class Compute>
  std::vector<Result> get_or_compute_all(const Keys& keys, const AsKey& as_key,
                                         const Compute& compute) {
    std::vector<std::optional<Value>> values(
        static_cast<std::size_t>(std::distance(std::begin(keys), std::end(keys))));
    std::vector<Key> missing;
    std::vector<bool> is_refresh;                    // of each missing key
    std::vector<std::size_t> places(values.size());  // of each key among the missing ones
    {
      Now now(clock_);
      absl::flat_hash_map<Key, std::size_t, typename Engine::Hash, typename Engine::Equal> place_of(
          0, engine_.hash_function(), engine_.key_eq());
      std::size_t i = 0;
      for (auto it = std::begin(keys); it != std::end(keys); ++it, ++i) {
        const auto& key = as_key(*it);
        bool is_live = false;
        if (const Value* const value = find(key, is_live, now)) {
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
      const std::exception_ptr error = call_and_record([&] { computed = compute(missing); });
      Now now(clock_);
      for (std::size_t i = 0; i != missing.size(); ++i) {
        if (error == nullptr) {
          store(missing[i], computed[i], now);
        } else {
          use_live_value(missing[i], is_refresh[i], error, computed[i], now);
        }
      }
    }
    std::vector<Result> results;
    results.reserve(values.size());
    for (std::size_t i = 0; i != values.size(); ++i) {
      results.push_back(values[i] ? Result(*std::move(values[i]))
                                  : to_result<Result>(std::optional(computed[places[i]].value)));
    }
    return results;
  }

 private:
  // Makes a request. Returns the value of a live key; null if it must be computed. Sets
  // `is_refresh` if there is a live value that must be refreshed.
  template <class K>
  const Value* find(const K& key, bool& is_refresh, Now& now) {
    const Value* const value = engine_.find(key, now);
    if (value == nullptr || refresh_ahead_.millis().count() <= 0) return value;
    is_refresh = must_refresh(engine_.hard_deadline(key), refresh_ahead_, now);
    return is_refresh ? nullptr : value;
  }

  template <class F>
  std::exception_ptr call_and_record(const F& f) {
    if constexpr (Engine::kStatistics) {
      const Millis start = Now(clock_)();
      std::exception_ptr error = exception_of(f);
      engine_.record_computation(time_left(Now(clock_)(), start), error != nullptr);
      return error;
    } else {
      return exception_of(f);
    }
  }

  // Stores a computed value. If the function has found nothing, erases an old value.
  void store(const Key& key, const ComputedValue<Value>& computed, Now& now) {
    if (computed.value) {
      engine_.set(key, *computed.value, computed.expiry, now);
    } else {
      engine_.erase(key, now);
    }
  }
  // After a failed refresh: copies the old value if it is still live. Otherwise throws the error.
  void use_live_value(const Key& key, bool is_refresh, const std::exception_ptr& error,
                      ComputedValue<Value>& computed, Now& now) const {
    const Value* const value = is_refresh ? engine_.peek(key, now) : nullptr;
    if (value == nullptr) std::rethrow_exception(error);
    computed.value.emplace(*value);
  }

  Engine& engine_;
  const Clock& clock_;
  Ttl refresh_ahead_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_LONE_COMPUTATION_H_
