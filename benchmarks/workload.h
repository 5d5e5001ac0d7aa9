#ifndef KEYSPACE_BENCHMARKS_WORKLOAD_H_
#define KEYSPACE_BENCHMARKS_WORKLOAD_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "keyspace/keyspace.h"

// What every benchmark works on: a million u64 keys, ten thousand of which, in random order, one
// run of a benchmark uses. The clock stands still, so that the map is measured and not the clock.
namespace workload {

using Bare = absl::flat_hash_map<std::uint64_t, std::uint64_t>;
using Store = keyspace::Keyspace<std::uint64_t, std::uint64_t, keyspace::ManualClock>;

inline constexpr std::size_t kKeys = 1'000'000;
inline constexpr std::size_t kOperations = 10'000;
inline constexpr std::chrono::minutes kTtl{10};

inline std::vector<std::uint64_t> random_numbers(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<std::uint64_t> numbers(count);
  for (std::uint64_t& number : numbers) number = generator();
  return numbers;
}

inline const std::vector<std::uint64_t>& keys() {
  static const std::vector<std::uint64_t> keys = random_numbers(kKeys, 1);
  return keys;
}

inline const std::vector<std::uint64_t>& picks() {
  static const std::vector<std::uint64_t> picks = [] {
    std::vector<std::uint64_t> numbers = random_numbers(kOperations, 2);
    for (std::uint64_t& number : numbers) number = keys()[number % kKeys];
    return numbers;
  }();
  return picks;
}

inline const std::vector<std::uint64_t>& strangers() {
  static const std::vector<std::uint64_t> strangers = random_numbers(kOperations, 3);
  return strangers;
}

inline Bare filled_bare() {
  Bare bare;
  bare.reserve(kKeys);
  for (const std::uint64_t key : keys()) bare.emplace(key, key);
  return bare;
}

inline Store filled_store(std::chrono::milliseconds ttl) {
  Store store;
  store.reserve(kKeys);
  for (const std::uint64_t key : keys()) store.set(key, key, ttl);
  return store;
}

}  // namespace workload

#endif  // KEYSPACE_BENCHMARKS_WORKLOAD_H_
