// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_COMPUTED_VALUE_H_
#define KEYSPACE_INTERNAL_COMPUTED_VALUE_H_

#include "keyspace/internal/config.h"

#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "keyspace/computation.h"
#include "keyspace/expiry.h"
#include "keyspace/internal/exceptions.h"
#include "keyspace/internal/millis.h"

// How the function of a get_or_compute() is called, and which results it may have.

namespace keyspace::internal {

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsComputed = false;
template <class Value, class Expiry>
inline constexpr bool kIsComputed<Computed<Value, Expiry>> = true;

// A computed value, or nothing.
template <class Value>
struct ComputedValue {
  std::optional<Value> value;
  ExpiryTime expiry;
};

// Whether a result of type R means that a function may find nothing. (If the values of a keyspace
// are optionals themselves, a result of their type is a value.)
template <class R, class Value>
inline constexpr bool kMayBeNothing =
    kIsOptional<std::remove_cvref_t<R>> && !std::same_as<std::remove_cvref_t<R>, Value>;

// Converts the result of a function. `expiry` is for a value without an expiry of its own.
template <class Keyspace, class R>
ComputedValue<typename Keyspace::mapped_type> to_computed_value(R&& result, ExpiryTime expiry) {
  using Value = typename Keyspace::mapped_type;
  using T = std::remove_cvref_t<R>;
  if constexpr (kMayBeNothing<T, Value>) {
    if (!result) return {std::nullopt, expiry};
    return to_computed_value<Keyspace>(*std::forward<R>(result), expiry);
  } else if constexpr (kIsComputed<T>) {
    const typename Keyspace::Expiry its_expiry(result.expiry);
    return {std::optional<Value>(std::in_place, std::forward<R>(result).value), its_expiry.time()};
  } else {
    return {std::optional<Value>(std::in_place, std::forward<R>(result)), expiry};
  }
}

// Whether to_computed_value() accepts an R, which may be a reference.
template <class R, class T, class Keyspace>
struct IsResultOf : std::is_constructible<typename Keyspace::mapped_type, R> {};
template <class R, class Value, class Expiry, class Keyspace>
struct IsResultOf<R, Computed<Value, Expiry>, Keyspace>
    : std::bool_constant<std::is_constructible_v<typename Keyspace::mapped_type, Value> &&
                         std::is_convertible_v<Expiry, typename Keyspace::Expiry>> {};
template <class R, class T, class Keyspace>
struct IsResultOf<R, std::optional<T>, Keyspace>
    : std::conditional_t<std::is_same_v<std::optional<T>, typename Keyspace::mapped_type>,
                         std::true_type, IsResultOf<T, T, Keyspace>> {};
template <class R, class Keyspace>
inline constexpr bool kIsResult = IsResultOf<R, std::remove_cvref_t<R>, Keyspace>::value;

// Calls f() or f(key).
template <class F, class Key>
decltype(auto) call_computation(F& f, const Key& key) {
  if constexpr (std::invocable<F&>) {
    return std::invoke(f);
  } else {
    return std::invoke(f, key);
  }
}
template <class F, class Key>
concept CallableForKey = std::invocable<F&> || std::invocable<F&, const Key&>;
template <class F, class Key>
using ComputationResult =
    decltype(call_computation(std::declval<F&>(), std::declval<const Key&>()));

// The result of a get_or_compute() whose function returns an R.
template <class R, class Keyspace>
using ResultOf = std::conditional_t<kMayBeNothing<R, typename Keyspace::mapped_type>,
                                    std::optional<typename Keyspace::mapped_type>,
                                    typename Keyspace::mapped_type>;

// A function that computes the value of a key.
template <class F, class Keyspace>
concept ComputationOf = CallableForKey<F, typename Keyspace::key_type> &&
    kIsResult<ComputationResult<F, typename Keyspace::key_type>, Keyspace>;

// A function that computes the values of several keys. Returns a range of results, in the order of
// the keys.
template <class Keyspace>
using KeysToCompute = const std::vector<typename Keyspace::key_type>&;
template <class F, class Keyspace>
using BatchResult = std::invoke_result_t<F&, KeysToCompute<Keyspace>>;
template <class F, class Keyspace>
using BatchElement =
    std::iter_value_t<decltype(std::begin(std::declval<BatchResult<F, Keyspace>&>()))>;

template <class F, class Keyspace>
concept BatchComputationOf = kIsResult<BatchElement<F, Keyspace>, Keyspace>;

// Whether the elements of a range that a function returned may be moved from: not those of a
// reference, a span or a view. A range that owns its elements has const elements if it is const.
template <class Range>
inline constexpr bool kOwnsElements =
    !std::is_reference_v<Range> &&
    std::is_const_v<std::remove_reference_t<decltype(*std::begin(std::declval<const Range&>()))>>;

// Calls f(keys), and converts its results.
template <class Keyspace, class F>
std::vector<ComputedValue<typename Keyspace::mapped_type>> compute_batch(
    F& f, const std::vector<typename Keyspace::key_type>& keys, ExpiryTime expiry) {
  std::vector<ComputedValue<typename Keyspace::mapped_type>> values;
  values.reserve(keys.size());
  auto&& results = std::invoke(f, keys);
  using Element = BatchElement<F, Keyspace>;
  for (auto it = std::begin(results); it != std::end(results); ++it) {
    if constexpr (kOwnsElements<BatchResult<F, Keyspace>>) {
      values.push_back(to_computed_value<Keyspace>(static_cast<Element&&>(*it), expiry));
    } else {
      values.push_back(to_computed_value<Keyspace>(static_cast<Element>(*it), expiry));
    }
  }
  if (values.size() != keys.size()) {
    throw_or_abort(std::length_error("get_or_compute(): the function returned " +
                                     std::to_string(values.size()) + " results for " +
                                     std::to_string(keys.size()) +
                                     " keys: return one for each key, in the order of the keys"));
  }
  return values;
}

// Converts the value of a call to its result: Value, or an optional of it. REQUIRES: there is a
// value, or Result is an optional.
template <class Result, class Value>
Result to_result(std::optional<Value>&& value) {
  if constexpr (kMayBeNothing<Result, Value>) {
    return std::move(value);
  } else {
    return *std::move(value);
  }
}

// The same for the values of a call for several keys.
template <class Result, class Value>
std::vector<Result> to_results(std::vector<std::optional<Value>>&& values) {
  std::vector<Result> results;
  results.reserve(values.size());
  for (auto& value : values) results.push_back(to_result<Result>(std::move(value)));
  return results;
}

// Returns true if a value with this hard deadline must be computed again. See ComputeOptions.
template <class Now>
bool must_refresh(Millis hard_deadline, Ttl refresh_ahead, Now& now) {
  const Millis ahead = refresh_ahead.millis().count();
  return ahead > 0 && hard_deadline != kNeverMillis && time_left(hard_deadline, now()) <= ahead;
}

// Stores a computed value in an engine. If the function has found nothing, erases an old value.
template <class Engine, class K, class Now>
void store_computed(Engine& engine, const K& key,
                    const ComputedValue<typename Engine::Value>& computed, Now& now) {
  if (computed.value) {
    engine.set(key, *computed.value, computed.expiry, now);
  } else {
    engine.erase(key, now);
  }
}

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_COMPUTED_VALUE_H_
