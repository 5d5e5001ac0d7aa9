#include <keyspace/cache.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/options.h>
#include <keyspace/policy.h>
#include <keyspace/removal.h>
#include <keyspace/statistics.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/invariants.h"
#include "support/probe.h"
#include "support/support.h"

// A cache whose capacity changes. A smaller capacity evicts 64 entries at once, and each later call
// that stores an entry evicts up to 16 more.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kAtOnce = 64;
constexpr std::size_t kPerCall = 16;

// Without a listener and a weigher, a value is overwritten in place.
template <class Policy, class... More>
using Resized = Cache<int, int, Policy, ManualClock, WithStatistics, More...>;

// Its value is the weight of an entry.
struct ValueWeight {
  std::size_t operator()(int, int value) const noexcept { return static_cast<std::size_t>(value); }
};
using RemovalFunction = std::function<void(int, int, RemovalCause)>;
template <class Policy, class... More>
using Watched = Resized<Policy, WithListener<RemovalFunction>, More...>;
template <class Policy>
using WeighedAndResized = Resized<Policy, WithWeigher<ValueWeight>>;

// Stores keys from 0. The later ones have later deadlines.
template <class Ks>
void fill_with(Ks& cache, int count, int value = 1) {
  for (int key = 0; key != count; ++key) cache.set(key, value, 1h + Millis(key));
}
template <class Ks>
int last_key(const Ks& cache) {
  int last = -1;
  cache.for_each([&](int key, int, auto) { last = std::max(last, key); });
  return last;
}
template <class Ks>
void check_counts(const Ks& cache) {
  const Statistics s = cache.statistics();
  std::uint64_t removed = 0;
  for (const std::uint64_t count : s.removals) removed += count;
  CHECK(s.size == cache.size());
  CHECK(s.inserts + s.replacements - removed == s.size);
}
template <class Ks>
std::uint64_t evictions(const Ks& cache) {
  return cache.statistics().removed(RemovalCause::kEvicted);
}

TEMPLATE_TEST_CASE("a larger capacity evicts nothing and has room at once", "", EarliestDeadline,
                   Lru, ScanResistant) {
  Resized<TestType> cache({.capacity = 100});
  fill_with(cache, 100);
  cache.set_capacity(200);
  CHECK(cache.capacity() == 200);
  CHECK(cache.size() == 100);
  fill_with(cache, 200);
  CHECK(cache.size() == 200);
  CHECK(evictions(cache) == 0);
  cache.set(200, 1, 2h);
  CHECK(cache.size() == 200);
  CHECK(evictions(cache) == 1);
  check_invariants(cache);
}

TEMPLATE_TEST_CASE("a capacity at or above the weight evicts nothing", "", EarliestDeadline, Lru,
                   ScanResistant) {
  Resized<TestType> cache({.capacity = 100});
  fill_with(cache, 50);
  for (const std::size_t capacity : {100U, 51U, 50U}) {
    cache.set_capacity(capacity);
    CHECK(cache.size() == 50);
  }
  cache.set_capacity(49);
  CHECK(cache.size() == 49);
  cache.set(50, 1, 2h);
  CHECK(cache.size() == 49);
  CHECK(cache.contains(50));
  CHECK(evictions(cache) == 2);
  check_invariants(cache);
}

// Shrinks a cache from 10,000 to 100 entries by calls of `store`, which adds `added` entries each
// time.
template <class Ks, class Store>
void shrink_by(Ks& cache, std::size_t added, const Store& store) {
  fill_with(cache, 10'000);
  cache.set_capacity(100);
  REQUIRE(cache.capacity() == 100);
  REQUIRE(cache.size() == 10'000 - kAtOnce);
  REQUIRE(evictions(cache) == kAtOnce);
  while (cache.size() != 100) {
    const std::size_t size = cache.size();
    const std::uint64_t evicted = evictions(cache);
    store();
    const std::size_t excess = std::min(size - 100, kPerCall);
    REQUIRE(cache.size() == size - excess);
    REQUIRE(evictions(cache) == evicted + excess + added);
  }
  check_invariants(cache);
  check_counts(cache);
}

TEMPLATE_TEST_CASE(
    "a smaller capacity evicts 64 entries at once, and 16 in each call that stores a new key", "",
    EarliestDeadline, Lru, ScanResistant) {
  int next = 10'000;
  SECTION("set") {
    Resized<TestType> cache({.capacity = 10'000});
    shrink_by(cache, 1, [&] {
      cache.set(next, 7, 2h);
      REQUIRE(cache.contains(next++));
    });
  }
  SECTION("insert") {
    Watched<TestType> cache({.capacity = 10'000, .listener = [](int, int, RemovalCause) {}});
    shrink_by(cache, 1, [&] { REQUIRE(cache.insert(next++, 7, 2h)); });
  }
  SECTION("copy") {
    Resized<TestType> cache({.capacity = 10'000});
    shrink_by(cache, 1, [&] {
      const int from = last_key(cache);
      REQUIRE(cache.copy(from, next));
      REQUIRE(cache.contains(next++));
    });
  }
  SECTION("set, if entries have weights") {
    WeighedAndResized<TestType> cache({.capacity = 10'000});
    shrink_by(cache, 1, [&] { cache.set(next++, 1, 2h); });
  }
}

TEMPLATE_TEST_CASE(
    "while the weight exceeds the capacity, each new value or weight evicts 16 other entries", "",
    EarliestDeadline, Lru, ScanResistant) {
  SECTION("with the soonest deadline") {
    Resized<TestType> cache({.capacity = 10'000});
    int value = 1;
    shrink_by(cache, 0, [&] {
      const int key = last_key(cache);
      cache.set(key, ++value, 1s);
      REQUIRE(cache.peek(key) != nullptr);
      REQUIRE(*cache.peek(key) == value);
    });
  }
  SECTION("without a listener") {
    Resized<TestType> cache({.capacity = 10'000});
    shrink_by(cache, 0, [&] { REQUIRE(cache.replace(last_key(cache), 1, 2h)); });
  }
  SECTION("with a listener") {
    Watched<TestType> cache({.capacity = 10'000, .listener = [](int, int, RemovalCause) {}});
    shrink_by(cache, 0, [&] { REQUIRE(cache.replace(last_key(cache), 1, 2h)); });
  }
  SECTION("with a weigher") {
    WeighedAndResized<TestType> cache({.capacity = 10'000});
    shrink_by(cache, 0, [&] { REQUIRE(cache.replace(last_key(cache), 1, 2h)); });
  }
  SECTION("by a rename, with a weigher") {
    WeighedAndResized<TestType> cache({.capacity = 10'000});
    int next = 10'000;
    shrink_by(cache, 0, [&] { REQUIRE(cache.rename(last_key(cache), next++)); });
  }
  SECTION("by an update, with a weigher") {
    WeighedAndResized<TestType> cache({.capacity = 10'000});
    shrink_by(cache, 0, [&] { REQUIRE(cache.update(last_key(cache), [](int&) {})); });
  }
}

TEMPLATE_TEST_CASE("a call that stores nothing evicts nothing, whatever the capacity", "",
                   EarliestDeadline, Lru, ScanResistant) {
  Resized<TestType> cache({.capacity = 1000});
  fill_with(cache, 1000);
  cache.set_capacity(10);
  REQUIRE(cache.size() == 1000 - kAtOnce);
  const int key = last_key(cache);
  static_cast<void>(cache.find(key));
  static_cast<void>(cache.get(key));
  static_cast<void>(cache.getex(key, 2h));
  std::array<int*, 2> out = {};
  cache.mget(std::vector{key, -1}, out.begin());
  CHECK_FALSE(cache.insert(key, 5));
  CHECK_FALSE(cache.replace(-1, 5));
  CHECK_FALSE(cache.copy(-1, -2));
  CHECK_FALSE(cache.copy(key, key));
  cache.pexpire(key, 3h);
  cache.update(key, [](int& value) { value = 3; });
  CHECK(cache.rename(key, 5000));
  CHECK_FALSE(cache.rename(key, 5001));
  cache.erase_expired();
  cache.set(-1, 1, -1s);  // is over
  CHECK(cache.size() == 1000 - kAtOnce);
  CHECK(evictions(cache) == kAtOnce);
  cache.erase(5000);
  CHECK(evictions(cache) == kAtOnce);
  // Another call of set_capacity() goes on.
  cache.set_capacity(10);
  CHECK(evictions(cache) == 2 * kAtOnce);
  check_invariants(cache);
}

TEMPLATE_TEST_CASE("a capacity of 0 refuses every entry and evicts all others bit by bit", "",
                   EarliestDeadline, Lru, ScanResistant) {
  Resized<TestType> cache({.capacity = 1000});
  fill_with(cache, 1000);
  cache.set_capacity(0);
  CHECK(cache.capacity() == 0);
  std::size_t size = 1000 - kAtOnce;
  CHECK(cache.size() == size);
  // A refused value erases what its key had. That does not replace an eviction.
  const int key = last_key(cache);
  cache.set(key, 2, 1h);
  CHECK_FALSE(cache.contains(key));
  size -= 1 + kPerCall;
  for (int next = 1000; size != 0; ++next) {
    REQUIRE(cache.size() == size);
    REQUIRE_FALSE(cache.insert(next, 1, 1h));
    size -= std::min(size, kPerCall);
  }
  cache.set(1, 1);
  CHECK(cache.empty());
  CHECK(cache.weight() == 0);
  check_invariants(cache);
  check_counts(cache);

  cache.set_capacity(2);
  fill_with(cache, 3);
  CHECK(cache.size() == 2);
  check_invariants(cache);
}

TEMPLATE_TEST_CASE("the capacity may grow again while a cache shrinks", "", EarliestDeadline, Lru,
                   ScanResistant) {
  Resized<TestType> cache({.capacity = 1000});
  fill_with(cache, 1000);
  cache.set_capacity(10);
  cache.set(1000, 1, 2h);
  CHECK(cache.size() == 920);
  cache.set_capacity(930);
  for (int key = 1001; key != 1011; ++key) cache.set(key, 1, 2h);
  CHECK(cache.size() == 930);
  CHECK(evictions(cache) == kAtOnce + kPerCall + 1);
  cache.set(1011, 1, 2h);
  CHECK(cache.size() == 930);
  // Erasures make room too. The entries do not come back.
  cache.set_capacity(800);
  CHECK(cache.size() == 930 - kAtOnce);
  cache.erase_if([](int, int, auto) { return true; });
  fill_with(cache, 1000);
  CHECK(cache.size() == 800);
  check_invariants(cache);
}

TEMPLATE_TEST_CASE("the largest capacity works", "", EarliestDeadline, Lru, ScanResistant) {
  Resized<TestType> cache({.capacity = 10});
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  int next = 0;
  for (const std::size_t capacity : {kMost, kMost / 2 + 1, std::size_t{1}, kMost, kMost - 1}) {
    cache.set_capacity(capacity);
    const std::size_t size = cache.size();
    for (int i = 0; i != 50; ++i) cache.set(next++, 0, 1h);
    CHECK(cache.size() == (capacity == 1 ? 1 : size + 50));
    check_invariants(cache);
  }
  cache.set_capacity(10);
  CHECK(cache.size() == 51 + 50 - kAtOnce);
  cache.set(-1, 0, 1h);
  cache.set(-2, 0, 1h);
  CHECK(cache.size() == 10);
  check_invariants(cache);
}

TEMPLATE_TEST_CASE("pointers to the entries that are not evicted stay valid", "", EarliestDeadline,
                   Lru, ScanResistant) {
  const SmallSteps small_steps;
  Resized<TestType> cache({.capacity = 10'000});
  fill_with(cache, 10'000);
  std::vector<const int*> pointers;
  for (int key = 0; key != 10'000; ++key) pointers.push_back(cache.peek(key));
  for (const std::size_t capacity : {100U, 1U, 20'000U}) cache.set_capacity(capacity);
  std::size_t kept = 0;
  for (int key = 0; key != 10'000; ++key) {
    if (!cache.contains(key)) continue;
    REQUIRE(cache.peek(key) == pointers[static_cast<std::size_t>(key)]);
    ++kept;
  }
  CHECK(kept == 10'000 - 2 * kAtOnce);
}

TEMPLATE_TEST_CASE("a cache that is moved while it shrinks shrinks on", "", EarliestDeadline, Lru,
                   ScanResistant) {
  Resized<TestType> cache({.capacity = 1000});
  fill_with(cache, 1000);
  cache.set_capacity(10);
  Resized<TestType> other = std::move(cache);
  CHECK(cache.capacity() == 10);
  CHECK(other.capacity() == 10);
  fill_with(cache, 20);
  CHECK(cache.size() == 10);
  other.set(1000, 1, 2h);
  CHECK(other.size() == 1000 - kAtOnce - kPerCall);
  check_invariants(cache);
  check_invariants(other);
}

// --- Victims

struct RemovalLog {
  std::vector<int> evicted;
  std::vector<int> expired;
  RemovalFunction listener() {
    return [this](int key, int, RemovalCause cause) {
      (cause == RemovalCause::kEvicted ? evicted : expired).push_back(key);
    };
  }
};
std::vector<int> from_to(int first, int last) {
  std::vector<int> keys(static_cast<std::size_t>(last - first + 1));
  std::iota(keys.begin(), keys.end(), first);
  return keys;
}

TEST_CASE("Lru evicts the least recently used entries when the capacity shrinks") {
  RemovalLog removed;
  Watched<Lru> cache({.capacity = 1000, .listener = removed.listener()});
  for (int key = 0; key != 1000; ++key) cache.set(key, 0);
  for (int key = 0; key != 10; ++key) static_cast<void>(cache.find(key));
  cache.set_capacity(100);
  CHECK(removed.evicted == from_to(10, 73));
  cache.set(1000, 0);
  CHECK(removed.evicted == from_to(10, 90));
  removed = {};
  cache.set(91, 0);  // the next victim, were it not overwritten
  CHECK(removed.evicted == from_to(92, 107));
  CHECK(removed.expired == std::vector{91});  // replaced
  CHECK(cache.contains(91));
}

TEST_CASE("EarliestDeadline evicts the soonest deadlines when the capacity shrinks") {
  RemovalLog removed;
  Watched<EarliestDeadline> cache({.capacity = 1000, .listener = removed.listener()});
  for (int key = 0; key != 1000; ++key) cache.set(key, 0, 1h + Millis((key + 500) % 1000));
  cache.set_capacity(100);
  CHECK(removed.evicted == from_to(500, 563));
  cache.set(1000, 0, 1s);  // the soonest, but new
  CHECK(removed.evicted == from_to(500, 580));
  CHECK(cache.contains(1000));
}

TEST_CASE("expired entries are evicted first when the capacity shrinks") {
  ManualClock clock;
  RemovalLog removed;
  Watched<Lru> cache({.capacity = 1000, .clock = clock, .listener = removed.listener()});
  for (int key = 0; key != 1000; ++key) {
    key < 900 ? cache.set(key, 0) : cache.set(key, 0, 1s + Millis(key));
  }
  for (int key = 900; key != 950; ++key) cache.erase(key);
  removed = {};
  clock.advance(10s);
  cache.set_capacity(100);
  CHECK(removed.expired.size() == 50);
  CHECK(removed.evicted == from_to(0, 13));
  check_counts(cache);
  check_invariants(cache);
}

TEST_CASE("a new value for an expired key makes its own room while the capacity shrinks") {
  ManualClock clock;
  Resized<Lru> cache({.capacity = 1000, .clock = clock});
  for (int key = 0; key != 1000; ++key) cache.set(key, 0);
  cache.pexpire(999, 1s);
  cache.set_capacity(10);
  clock.advance(2s);
  cache.set(999, 1);
  CHECK(cache.size() == 1000 - kAtOnce - 1 - kPerCall);
  CHECK(evictions(cache) == kAtOnce + kPerCall + 1);
  check_counts(cache);
}

TEST_CASE("EarliestDeadline cannot evict persistent entries when the capacity shrinks") {
  Resized<EarliestDeadline> cache({.capacity = 200});
  for (int key = 0; key != 200; ++key) cache.set(key, 1);
  cache.pexpire(7, 1h);
  cache.set_capacity(100);
  CHECK_FALSE(cache.contains(7));
  CHECK(cache.size() == 199);
  // It refuses new keys, but not new values of its keys.
  CHECK_FALSE(cache.insert(200, 1, 1h));
  cache.set(3, 33);
  CHECK(*cache.peek(3) == 33);
  CHECK(cache.replace(4, 44, 1h));
  CHECK(cache.size() == 199);
  CHECK(cache.weight() == 199);
  // The only volatile entry is evicted by the next call that stores something.
  CHECK(cache.replace(5, 55));
  CHECK_FALSE(cache.contains(4));
  CHECK(cache.size() == 198);
  for (int key = 10; key != 110; ++key) cache.erase(key);
  CHECK(cache.size() == 98);
  CHECK(cache.insert(200, 1));
  CHECK(cache.insert(201, 1));
  CHECK_FALSE(cache.insert(202, 1));
  CHECK(cache.size() == 100);
  check_invariants(cache);
  check_counts(cache);
}

// --- Weights

TEMPLATE_TEST_CASE("a heavy entry makes its own room while the capacity shrinks", "",
                   EarliestDeadline, Lru, ScanResistant) {
  WeighedAndResized<TestType> cache({.capacity = 1000});
  fill_with(cache, 100, 10);
  cache.set_capacity(95);
  CHECK(cache.weight() == 360);
  cache.set(1000, 30, 2h);
  CHECK(cache.weight() == 200);
  CHECK(cache.contains(1000));
  CHECK(evictions(cache) == kAtOnce + kPerCall + 3);
  check_invariants(cache);

  // An entry heavier than the new capacity is refused at once.
  CHECK_FALSE(cache.insert(1001, 96, 2h));
  CHECK(cache.weight() <= 95);
  CHECK(cache.insert(1001, 95, 2h));
  CHECK(cache.weight() == 95);
  CHECK(cache.size() == 1);
  check_invariants(cache);
}

TEST_CASE("the weight does not grow while it exceeds the capacity, whatever an overwrite weighs") {
  // 64 of the light entries are evicted at once, and 136 are left.
  WeighedAndResized<EarliestDeadline> cache({.capacity = 250});
  cache.set(-1, 50);
  fill_with(cache, 200);
  cache.set_capacity(150);
  REQUIRE(cache.weight() == 186);
  const std::uint64_t evicted = evictions(cache);
  struct Case {
    int weight;
    std::size_t evicted;
    std::size_t total;
  };
  const auto [weight, its_evictions, total] = GENERATE(values<Case>({
      {10, 0, 146},   // fits
      {14, 0, 150},   // fits just
      {15, 1, 150},   // one more than fits
      {20, 6, 150},   // the lighter value replaces a part of the excess
      {49, 16, 169},  // one lighter
      {50, 16, 170},  // the same
      {51, 17, 170},  // one heavier
      {60, 26, 170},
      {150, 116, 170},
  }));
  CAPTURE(weight);
  cache.set(-1, weight);
  CHECK(*cache.peek(-1) == weight);
  CHECK(evictions(cache) - evicted == its_evictions);
  CHECK(cache.weight() == total);
  check_invariants(cache);
}

TEST_CASE("a value that is too heavy for the new capacity is refused, and evicts 16 entries") {
  WeighedAndResized<EarliestDeadline> cache({.capacity = 400});
  cache.set(-1, 200);
  fill_with(cache, 200);
  cache.set_capacity(110);
  REQUIRE(cache.weight() == 336);
  SECTION("a new key") {
    CHECK_FALSE(cache.insert(1000, 111));
    CHECK(cache.weight() == 320);
  }
  SECTION("a key whose entry is erased") {
    CHECK_FALSE(cache.replace(-1, 111));
    CHECK_FALSE(cache.contains(-1));
    CHECK(cache.weight() == 120);
  }
  SECTION("a key whose entry was the whole excess") {
    for (int key = 170; key != 200; ++key) cache.erase(key);
    CHECK_FALSE(cache.replace(-1, 111));
    CHECK(cache.weight() == 106);  // nothing more is evicted
  }
  SECTION("an update") {
    CHECK(cache.update(-1, [](int& value) { value = 111; }));
    CHECK_FALSE(cache.contains(-1));
    CHECK(cache.weight() == 136);
  }
  check_invariants(cache);
}

TEST_CASE("an update while the weight exceeds the capacity makes room for what it adds") {
  WeighedAndResized<EarliestDeadline> cache({.capacity = 250});
  cache.set(-1, 50);
  fill_with(cache, 200);
  cache.set_capacity(150);
  REQUIRE(cache.weight() == 186);
  struct Case {
    int weight;
    std::size_t total;
  };
  const auto [weight, total] = GENERATE(values<Case>({
      {14, 150},   // fits
      {20, 150},   // evicts 6
      {50, 170},   // evicts 16
      {60, 180},   // evicts 16
      {80, 186},   // evicts 30
      {150, 186},  // evicts 100
  }));
  CAPTURE(weight);
  SECTION("update") {
    cache.update(-1, [w = weight](int& value) { value = w; });
  }
  SECTION("rename") {
    *cache.find(-1) = weight;
    cache.rename(-1, -2);
  }
  SECTION("rename in place of another entry") {
    *cache.find(-1) = weight;
    cache.rename(-1, 199);
    CHECK(cache.weight() >= 149);
    CHECK(cache.weight() <= std::max<std::size_t>(total, 185));
    CHECK(evictions(cache) >= kAtOnce);
    check_invariants(cache);
    return;
  }
  CHECK(cache.weight() == total);
  check_invariants(cache);
}

TEST_CASE("persistent entries that EarliestDeadline cannot evict may become lighter, not heavier") {
  WeighedAndResized<EarliestDeadline> cache({.capacity = 200});
  cache.set(1, 60);
  cache.set(2, 50);
  cache.set_capacity(100);
  CHECK(cache.weight() == 110);
  cache.set(1, 60);
  CHECK(cache.weight() == 110);
  cache.set(1, 55);
  CHECK(cache.weight() == 105);
  SECTION("an overwrite is refused") {
    cache.set(1, 56);
    CHECK_FALSE(cache.contains(1));
    CHECK(cache.weight() == 50);
  }
  SECTION("an updated entry is evicted") {
    cache.update(1, [](int& value) { value = 54; });
    CHECK(cache.weight() == 104);
    cache.update(1, [](int& value) { value = 55; });
    CHECK_FALSE(cache.contains(1));
    CHECK(cache.weight() == 50);
  }
  check_invariants(cache);
}

// --- Exceptions and listeners

TEMPLATE_TEST_CASE("a listener that throws in set_capacity() gets the other entries later", "",
                   EarliestDeadline, Lru, ScanResistant) {
  int left = 10;
  std::size_t calls = 0;
  Watched<TestType> cache({.capacity = 1000, .listener = [&](int, int, RemovalCause cause) {
                             CHECK(cause == RemovalCause::kEvicted);
                             ++calls;
                             if (left-- == 0) throw std::runtime_error("listener");
                           }});
  fill_with(cache, 1000);
  CHECK_THROWS_AS(cache.set_capacity(10), std::runtime_error);
  CHECK(calls == 11);
  CHECK(cache.capacity() == 10);
  CHECK(cache.size() == 1000 - kAtOnce);
  check_invariants(cache);
  cache.set(1000, 1, 2h);
  CHECK(calls == kAtOnce + kPerCall + 1);
  check_counts(cache);
}

TEMPLATE_TEST_CASE("a listener may change the capacity", "", EarliestDeadline, Lru, ScanResistant) {
  std::function<void()> then = [] {};
  Watched<TestType> cache({.capacity = 1000, .listener = [&](int, int, RemovalCause) {
                             std::exchange(then, [] {})();
                           }});
  fill_with(cache, 1000);
  then = [&] { cache.set_capacity(20); };
  cache.set_capacity(10);
  CHECK(cache.capacity() == 20);
  CHECK(cache.size() == 1000 - 2 * kAtOnce);
  check_invariants(cache);
}

TEMPLATE_TEST_CASE("an allocation that fails in set_capacity() loses no entry", "",
                   EarliestDeadline, Lru, ScanResistant) {
  using Allocator = LedgerAllocator<std::pair<const int, int>>;
  int failures = 0;
  for (int allocation = 0, is_done = 0; is_done == 0; ++allocation) {
    Ledger ledger;
    std::size_t removed = 0;
    Watched<TestType, WithAllocator<Allocator>> cache(
        {.capacity = 500,
         .listener = [&](int, int, RemovalCause) { ++removed; },
         .allocator = Allocator(ledger)});
    fill_with(cache, 500);
    // Lru and EarliestDeadline file new records for these.
    for (int key = 0; key != 100; ++key) static_cast<void>(cache.getex(key, 2h));
    ledger.fragile = true;
    Fuse::arm(allocation);
    try {
      cache.set_capacity(10);
      is_done = 1;
    } catch (const Blown&) {
      ++failures;
    }
    Fuse::disarm();
    CHECK(cache.capacity() == 10);
    CHECK(cache.size() >= 500 - kAtOnce);
    check_invariants(cache);
    check_counts(cache);
    cache.set(1000, 1, 2h);
    CHECK(removed + cache.size() == 501);
    check_invariants(cache);
  }
  CHECK(failures != 0);
}

// --- ScanResistant

TEST_CASE("the share of new keys keeps its place between its bounds when the capacity changes") {
  Cache<int, int, ManualClock> cache({.capacity = 1000});
  const auto share = [&] { return internal::TestPeer::share_of_new(cache); };
  int next = 0;
  while (next != 1001) cache.set(next++, 0);
  // New keys that return soon after their eviction make the share grow.
  for (int key = 990; share() != 24; ++key) {
    while (cache.contains(key)) cache.set(next++, 0);
    cache.set(key, 0);
  }
  cache.set_capacity(1000);
  CHECK(share() == 24);
  cache.set_capacity(100'000);
  CHECK(share() == 2400);
  cache.set_capacity(1000);
  CHECK(share() == 24);
  cache.set_capacity(100);
  CHECK(share() == 2);
  check_invariants(cache);
  // Without a range it begins at its lower bound.
  for (const std::size_t capacity : {0U, 1U}) {
    cache.set_capacity(capacity);
    CHECK(share() == 1);
    cache.set_capacity(1000);
    CHECK(share() == 10);
  }
  // At the upper bound it stays there.
  cache.set_capacity(2);
  for (int i = 0; share() == 1 && i != 100'000; ++i) cache.set(i % 4, 0);
  REQUIRE(share() == 2);
  cache.set_capacity(1000);
  CHECK(share() == 950);
  cache.set_capacity(std::numeric_limits<std::size_t>::max());
  check_invariants(cache);
  cache.set_capacity(1000);
  CHECK(share() == 950);
}

TEST_CASE("the memory of evicted keys follows the capacity in steps") {
  Cache<int, int, ManualClock> cache({.capacity = 10'000});
  const auto buckets = [&] { return internal::TestPeer::ghost_buckets(cache); };
  cache.reserve(10'000);  // so that no removal drops buckets
  fill_with(cache, 10'000);
  CHECK(buckets() == 2501);
  int next = 10'000;
  const auto follow = [&](std::size_t capacity, std::size_t wanted) {
    cache.set_capacity(capacity);
    for (int i = 0; i != 1000; ++i) {
      const std::size_t before = buckets();
      cache.set(next++, 0);
      REQUIRE(std::max(buckets(), before) - std::min(buckets(), before) <= 16);
    }
    CHECK(buckets() == wanted);
    check_invariants(cache);
  };
  follow(100, 26);
  follow(10'000, 2501);
  follow(1, 1);
}

// Returns the hit ratio of the last of `count` requests for keys of which some are frequent.
double hit_ratio_of(Cache<int, int, ManualClock>& cache, std::mt19937& random, int count) {
  int hits = 0;
  for (int i = -count; i != count; ++i) {
    const double uniform = static_cast<double>(random()) / 4294967296.0;
    const int key = static_cast<int>(std::pow(200'000.0, uniform));
    const bool is_hit = cache.find(key) != nullptr;
    if (!is_hit) cache.set(key, 0);
    if (i >= 0) hits += is_hit ? 1 : 0;
  }
  return static_cast<double>(hits) / count;
}

TEST_CASE("ScanResistant has as many hits after changes of the capacity as without them") {
  std::mt19937 random(1);
  Cache<int, int, ManualClock> changed({.capacity = 5000});
  hit_ratio_of(changed, random, 20'000);
  for (const std::size_t capacity : {500U, 5000U, 50U}) {
    CAPTURE(capacity);
    changed.set_capacity(capacity);
    Cache<int, int, ManualClock> fresh({.capacity = capacity});
    const double ratio = hit_ratio_of(changed, random, 60'000);
    const double expected = hit_ratio_of(fresh, random, 60'000);
    CHECK(std::abs(ratio - expected) < 0.01);
    CHECK(changed.size() == capacity);
    check_invariants(changed);
  }
}

// --- Many threads

std::size_t sum_of_capacities(const std::vector<std::size_t>& parts) {
  return std::accumulate(parts.begin(), parts.end(), std::size_t{0});
}

TEMPLATE_TEST_CASE("a new capacity is divided among the shards as the first one was", "",
                   EarliestDeadline, Lru, ScanResistant) {
  using internal::TestPeer;
  using Ks = SharedCache<TestType, WithStatistics>;
  Ks cache({.capacity = 402, .shards = 4});
  REQUIRE(cache.shards() == 4);
  for (const std::size_t capacity : {403U, 400U, 401U, 4003U}) {
    cache.set_capacity(capacity);
    CHECK(cache.capacity() == capacity);
    const Ks fresh({.capacity = capacity, .shards = 4});
    CHECK(TestPeer::shard_capacities(cache) == TestPeer::shard_capacities(fresh));
    CHECK(sum_of_capacities(TestPeer::shard_capacities(cache)) == capacity);
  }
  int next = 0;
  const auto store = [&](int count) {
    for (int i = 0; i != count; ++i) cache.set(next++, 0, 1h);
  };
  store(10'000);
  CHECK(cache.size() == 4003);
  CHECK(cache.weight() == 4003);
  const std::uint64_t evicted = evictions(cache);
  cache.set_capacity(10);
  CHECK(cache.capacity() == 10);
  CHECK(evictions(cache) - evicted == 4 * kAtOnce);
  CHECK(cache.size() == 4003 - 4 * kAtOnce);
  store(1);
  CHECK(cache.size() == 4003 - 4 * kAtOnce - kPerCall);
  store(1000);
  CHECK(cache.size() == 10);
  // Fewer than one for each shard: the last shard refuses everything.
  cache.set_capacity(3);
  CHECK(TestPeer::shard_capacities(cache) == std::vector<std::size_t>{1, 1, 1, 0});
  CHECK(cache.shards() == 4);
  store(100);
  CHECK(cache.size() == 3);
  CHECK(cache.statistics().refusals != 0);
  cache.set_capacity(0);
  CHECK(cache.empty());
  store(10);
  CHECK(cache.empty());
  check_counts(cache);
  CHECK(TestPeer::broken_in_shards(cache).empty());
}

TEST_CASE("the listener of a shared cache may change its capacity") {
  std::function<void()> then = [] {};
  ConcurrentCache<int, int, Lru, ManualClock, WithListener<RemovalFunction>> cache(
      {.capacity = 1000,
       .listener = [&](int, int, RemovalCause) { std::exchange(then, [] {})(); },
       .shards = 2});
  for (int key = 0; key != 2000; ++key) cache.set(key, 0);
  then = [&] { cache.set_capacity(700); };
  cache.set_capacity(900);
  CHECK(cache.capacity() == 700);
  CHECK(internal::TestPeer::shard_capacities(cache) == std::vector<std::size_t>{350, 350});
  CHECK(cache.size() == 900 - 2 * kAtOnce);
}

TEMPLATE_TEST_CASE("threads may store entries while others change the capacity", "[threads]",
                   EarliestDeadline, Lru, ScanResistant) {
  using internal::TestPeer;
  std::atomic<std::uint64_t> removed = 0;
  ConcurrentCache<int, int, TestType, ManualClock, WithStatistics, WithListener<RemovalFunction>>
      cache(
          {.capacity = 1000, .listener = [&](int, int, RemovalCause) { ++removed; }, .shards = 4});
  on_threads(4, [&](int thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    for (int i = 0; i != 4000; ++i) {
      const int key = static_cast<int>(random() % 2000);
      if (thread >= 2) {
        cache.set(key, i, 1h);
        static_cast<void>(cache.get(key + 1));
      } else if (i % 20 == 0) {
        cache.set_capacity(random() % 1500);
        static_cast<void>(cache.capacity());
      } else {
        cache.update(key, [](int& value) { ++value; });
      }
    }
  });
  // The shards have the capacity of one call, not of several.
  const std::vector<std::size_t> parts = TestPeer::shard_capacities(cache);
  CHECK(sum_of_capacities(parts) == cache.capacity());
  CHECK(parts.front() - parts.back() <= 1);
  cache.set_capacity(100);
  for (int key = 0; key != 2000; ++key) cache.set(key, 0, 1h);
  CHECK(cache.size() == 100);
  CHECK(TestPeer::broken_in_shards(cache).empty());
  check_counts(cache);
  const Statistics statistics = cache.statistics();
  CHECK(removed ==
        std::accumulate(statistics.removals.begin(), statistics.removals.end(), std::uint64_t{0}));
}

}  // namespace
}  // namespace keyspace::testing
