#include <keyspace/cache.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/probe.h"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using Erasable = Keyspace<std::uint64_t, std::uint64_t, ManualClock>;

TEST_CASE("erase_if erases the live entries that the predicate chooses") {
  Erasable ks;
  ks.set(1, 10);
  ks.set(2, 20, 5ms);
  ks.set(3, 30, 1ms);
  ks.set(4, 40, 5ms);
  ks.clock().advance(1ms);  // 3 is expired
  std::vector<std::uint64_t> seen;
  const auto is_chosen = [&](const std::uint64_t& key, const std::uint64_t& value,
                             Erasable::time_point deadline) {
    seen.push_back(key);
    CHECK(value == key * 10);
    CHECK(deadline == (key == 1 ? Erasable::time_point::max() : Erasable::time_point(5ms)));
    return key != 2;
  };
  CHECK(ks.erase_if(is_chosen) == 2);
  CHECK(seen.size() == 3);
  CHECK(ks.contains(2));
  CHECK(ks.size() == 2);  // the expired entry is still stored
  CHECK(ks.volatile_size() == 2);
  CHECK(ks.erase_if(is_chosen) == 0);
  check_invariants(ks);
}

TEST_CASE("erase_if visits each entry once while the map moves its entries") {
  const SmallSteps small_steps;
  for (std::uint64_t size = 0; size != 120; ++size) {
    for (const std::uint64_t kept : {0U, 1U, 2U}) {
      Erasable ks;
      for (std::uint64_t i = 0; i != size; ++i) ks.set(i, i, 1h);
      std::size_t visits = 0;
      const std::size_t erased = ks.erase_if([&](std::uint64_t key, std::uint64_t, auto) {
        ++visits;
        return kept == 0 || key % (2 * kept) != 0;
      });
      REQUIRE(visits == size);
      REQUIRE(ks.size() == size - erased);
      for (std::uint64_t i = 0; i != size; ++i) {
        REQUIRE(ks.contains(i) == (kept != 0 && i % (2 * kept) == 0));
      }
      check_invariants(ks);
      ks.set(1000, 1);
      check_invariants(ks);
    }
  }
}

TEST_CASE("erase_if keeps pointers to other entries valid") {
  Erasable ks;
  for (std::uint64_t i = 0; i != 1000; ++i) ks.set(i, i);
  const std::uint64_t* const kept = ks.find(500);
  CHECK(ks.erase_if([](std::uint64_t key, std::uint64_t, auto) { return key != 500; }) == 999);
  CHECK(ks.find(500) == kept);
  CHECK(*kept == 500);
}

TEST_CASE("erase_if drops the records of many erased entries") {
  Erasable ks;
  for (std::uint64_t i = 0; i != 50'000; ++i) ks.set(i, i, std::chrono::milliseconds(1 + i));
  CHECK(ks.erase_if([](std::uint64_t key, std::uint64_t, auto) { return key % 100 != 0; }) ==
        49'500);
  check_invariants(ks);
}

TEST_CASE("erase_if that ends by an exception has erased the entries before it") {
  const SmallSteps small_steps;
  for (std::size_t last = 0; last != 30; ++last) {
    Erasable ks;
    for (std::uint64_t i = 0; i != 30; ++i) ks.set(i, i, 1h);
    std::size_t visits = 0;
    CHECK_THROWS_AS(ks.erase_if([&](std::uint64_t, std::uint64_t, auto) {
      if (visits++ == last) throw std::runtime_error("no");
      return true;
    }),
                    std::runtime_error);
    REQUIRE(ks.size() == 30 - last);
    check_invariants(ks);
    ks.set(100, 1);
    check_invariants(ks);
  }
}

struct CountErasures {
  void operator()(std::uint64_t, std::uint64_t, RemovalCause cause) const {
    ++(cause == RemovalCause::kErased ? *erased : *others);
  }
  int* erased;
  int* others;
};

TEMPLATE_TEST_CASE("erase_if tells the policy and the listener", "", EarliestDeadline, Lru,
                   ScanResistant) {
  int erased = 0;
  int others = 0;
  Cache<std::uint64_t, std::uint64_t, TestType, ManualClock, WithListener<CountErasures>,
        WithStatistics>
      cache({.capacity = 100, .listener = {&erased, &others}});
  for (std::uint64_t i = 0; i != 100; ++i) cache.set(i, i, 1h);
  CHECK(cache.erase_if([](std::uint64_t key, std::uint64_t, auto) { return key % 2 == 0; }) == 50);
  CHECK(erased == 50);
  CHECK(others == 0);
  CHECK(cache.weight() == 50);
  CHECK(cache.statistics().removed(RemovalCause::kErased) == 50);
  check_invariants(cache);
}

TEST_CASE("erase_if visits all shards") {
  ConcurrentKeyspace<std::uint64_t, std::uint64_t, ManualClock> ks;
  for (std::uint64_t i = 0; i != 10'000; ++i) ks.set(i, i, 1h);
  CHECK(ks.erase_if([](std::uint64_t key, std::uint64_t, auto) { return key % 10 != 0; }) == 9'000);
  CHECK(ks.size() == 1'000);
  CHECK(ks.contains(10));
  CHECK_FALSE(ks.contains(11));
}

TEST_CASE("after an exception from erase_if, the next call of any shard tells the listener") {
  using Listener = std::function<void(int, int, RemovalCause)>;
  int removed = 0;
  ConcurrentKeyspace<int, int, ManualClock, WithListener<Listener>> ks(
      {.listener = [&](int, int, RemovalCause) { ++removed; }, .shards = 4});
  for (int key = 0; key != 100; ++key) ks.set(key, key);
  int visits = 0;
  CHECK_THROWS_AS(ks.erase_if([&](int, int, auto) {
    if (visits++ == 50) throw std::runtime_error("no");
    return true;
  }),
                  std::runtime_error);
  CHECK(removed == 0);
  const std::size_t size = ks.size();
  CHECK(size == 50);
  const int key = 1000;  // in one of the shards
  ks.set(key, 0);
  CHECK(removed == 50);
  for (int other = key; other != key + 20; ++other) ks.set(other, 0);
  CHECK(removed == 51);  // the first of these was overwritten
}

TEST_CASE("erase_if discards the computations of the keys that it erases") {
  ConcurrentKeyspace<int, int, ManualClock> ks;
  ks.set(1, 1, 10ms);
  ks.set(2, 1, 10ms);
  const auto refresh = [&](int key) {
    return ks.get_or_compute(
        key, 10ms,
        [&] {
          CHECK(ks.erase_if([](int erased, int, auto) { return erased == 1; }) ==
                (key == 1 ? 1U : 0U));
          return 2;
        },
        /*refresh_ahead=*/10ms);
  };
  CHECK(refresh(1) == 2);
  CHECK_FALSE(ks.contains(1));
  CHECK(refresh(2) == 2);
  CHECK(ks.get(2) == 2);
}

TEST_CASE("erase_if loses no value that another thread writes", "[threads]") {
  struct Generation {
    int generation;
  };
  constexpr int kKeys = 20'000;
  ConcurrentKeyspace<int, Generation> ks;
  for (int key = 0; key != kKeys; ++key) ks.set(key, Generation{1});
  std::atomic<bool> is_done = false;
  std::thread writer([&] {
    for (int key = 0; key != kKeys; ++key) ks.set(key, Generation{2});
    is_done = true;
  });
  while (!is_done) {
    ks.erase_if([](int, const Generation& value, auto) { return value.generation == 1; });
  }
  writer.join();
  CHECK(ks.size() == kKeys);
  ks.for_each([](int, const Generation& value, auto) { REQUIRE(value.generation == 2); });
}

}  // namespace
}  // namespace keyspace::testing
