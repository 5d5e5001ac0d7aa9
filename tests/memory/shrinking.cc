#include <keyspace/cache.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/probe.h"
#include "support/support.h"

// The memory of a keyspace follows the number of its entries. Growth is in growth.cc.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using ShrinkingPairs = LedgerAllocator<std::pair<const std::uint64_t, std::uint64_t>>;
struct IgnoreRemovals {
  void operator()(std::uint64_t, std::uint64_t, RemovalCause) const {}
};
template <class... Options>
using Shrinking =
    Keyspace<std::uint64_t, std::uint64_t, ManualClock, WithAllocator<ShrinkingPairs>, Options...>;
template <class Policy>
using ShrinkingCache = Cache<std::uint64_t, std::uint64_t, Policy, ManualClock,
                             WithAllocator<ShrinkingPairs>, WithListener<IgnoreRemovals>>;

template <class Ks>
Ks make_shrinking(Ledger& ledger) {
  if constexpr (requires(const Ks& ks) { ks.capacity(); }) {
    return Ks({.capacity = 1'000'000, .allocator = ShrinkingPairs(ledger)});
  } else {
    return Ks({.allocator = ShrinkingPairs(ledger)});
  }
}

// Returns the bytes of a keyspace that never had more than `size` entries.
template <class Ks>
std::size_t bytes_of_new(std::uint64_t size) {
  Ledger ledger;
  Ks ks = make_shrinking<Ks>(ledger);
  for (std::uint64_t i = 0; i != size; ++i) ks.set(i, i, 2h);
  while (ks.erase_expired(1000) != 0) {
  }
  return ledger.bytes;
}

TEMPLATE_TEST_CASE("memory follows the entries that expire", "", Shrinking<>,
                   ShrinkingCache<EarliestDeadline>, ShrinkingCache<Lru>,
                   ShrinkingCache<ScanResistant>) {
  for (const bool is_small : {true, false}) {
    const SmallSteps small_steps(is_small);
    Ledger ledger;
    auto ks = make_shrinking<TestType>(ledger);
    constexpr std::uint64_t kLive = 100;
    for (std::uint64_t i = 0; i != 40'000; ++i) {
      ks.set(i, i, i < kLive ? 2h : std::chrono::milliseconds(1 + i % 1000));
    }
    REQUIRE(ledger.bytes > 1'000'000);
    for (int i = 0; i != 1000; ++i) {
      ks.clock().advance(1ms);
      while (ks.erase_expired(64) != 0) {
      }
    }
    REQUIRE(ks.size() == kLive);
    check_invariants(ks);
    for (int i = 0; i != 200; ++i) ks.erase_expired(64);
    CHECK(ledger.bytes <= 96 * 1024 + 2 * bytes_of_new<TestType>(kLive));
    for (std::uint64_t i = 0; i != kLive; ++i) REQUIRE(ks.get(i) == i);
    ks.clock().advance(2h);
    while (ks.erase_expired(64) != 0) {
    }
    CHECK(ledger.bytes <= 96 * 1024);
  }
}

TEST_CASE("memory follows large values that expire") {
  using Value = std::array<char, 8192>;
  Ledger ledger;
  Keyspace<std::uint64_t, Value, ManualClock, WithAllocator<ShrinkingPairs>> ks(
      {.allocator = ShrinkingPairs(ledger)});
  for (std::uint64_t i = 0; i != 3000; ++i) ks.set(i, Value(), 1h);
  ks.clock().advance(1h);
  while (ks.erase_expired(64) != 0) {
  }
  CHECK(ks.empty());
  CHECK(ledger.bytes < 300'000);
}

TEST_CASE("erase moves no entry, and the next insertions give back the memory") {
  for (const bool is_small : {true, false}) {
    const SmallSteps small_steps(is_small);
    Ledger ledger;
    auto ks = make_shrinking<Shrinking<>>(ledger);
    constexpr std::uint64_t kKeys = 60'000;
    for (std::uint64_t i = 0; i != kKeys; ++i) ks.set(i, i);
    const std::size_t full = ledger.bytes;
    const std::uint64_t* const kept = ks.find(kKeys - 1);
    for (std::uint64_t i = 0; i != kKeys - 100; ++i) REQUIRE(ks.erase(i));
    CHECK(ks.find(kKeys - 1) == kept);
    CHECK(*kept == kKeys - 1);
    for (std::uint64_t i = 0; i != 2000; ++i) {
      ks.set(kKeys + i, i);
      ks.erase(kKeys + i);
    }
    CHECK(ledger.bytes < full / 10);
    check_invariants(ks);
    for (std::uint64_t i = kKeys - 100; i != kKeys; ++i) REQUIRE(ks.get(i) == i);
  }
}

TEST_CASE("overwriting and renaming shrink the map too") {
  const SmallSteps small_steps;
  for (const bool renames : {true, false}) {
    Ledger ledger;
    auto ks = make_shrinking<Shrinking<>>(ledger);
    for (std::uint64_t i = 0; i != 10'000; ++i) ks.set(i, i);
    const std::size_t full = ledger.bytes;
    for (std::uint64_t i = 10; i != 10'000; ++i) REQUIRE(ks.erase(i));
    for (int i = 0; i != 1000; ++i) {
      if (renames) {
        REQUIRE(ks.rename(0, 20'000));
        REQUIRE(ks.rename(20'000, 0));
      } else {
        ks.set(0, 1);
      }
    }
    CHECK(ledger.bytes < full / 10);
    check_invariants(ks);
  }
}

TEST_CASE("the map shrinks after renames over one entry") {
  const SmallSteps small_steps;
  Ledger ledger;
  auto ks = make_shrinking<Shrinking<>>(ledger);
  for (std::uint64_t i = 0; i != 10'000; ++i) ks.set(i, i);
  const std::size_t full = ledger.bytes;
  for (std::uint64_t i = 1; i != 10'000; ++i) REQUIRE(ks.rename(i, 0));
  check_invariants(ks);
  for (int i = 0; i != 1000; ++i) ks.erase_expired();
  CHECK(ks.size() == 1);
  CHECK(ledger.bytes < full / 10);
  check_invariants(ks);
}

TEST_CASE("a keyspace whose last entry is erased gives back its table") {
  Ledger ledger;
  auto ks = make_shrinking<Shrinking<>>(ledger);
  for (std::uint64_t i = 0; i != 5000; ++i) ks.set(i, i);
  for (std::uint64_t i = 0; i != 5000; ++i) REQUIRE(ks.erase(i));
  CHECK(ledger.bytes <= 1024);
  ks.set(1, 1);
  CHECK(ks.size() == 1);
  check_invariants(ks);
}

TEST_CASE("insertions and erasures around one size do not move the map back and forth") {
  for (std::uint64_t size = 1; size < 3000; size += 1 + size / 9) {
    CAPTURE(size);
    Ledger ledger;
    auto ks = make_shrinking<Shrinking<>>(ledger);
    for (std::uint64_t i = 0; i != 6000; ++i) ks.set(i, i);
    for (std::uint64_t i = size; i != 6000; ++i) ks.erase(i);
    const auto go_around = [&] {
      for (std::uint64_t turn = 0; turn != 400; ++turn) {
        for (const std::uint64_t i : {turn % 7, turn % 3}) ks.set(10'000 + i, i);
        for (std::uint64_t i = 0; i != 7; ++i) ks.erase(10'000 + i);
      }
    };
    go_around();  // the map reaches its size
    const std::size_t allocations = ledger.allocations;
    go_around();
    CHECK(ledger.allocations == allocations);
  }
}

TEST_CASE("a reserved map does not become smaller until clear or shrink_to_fit") {
  Ledger ledger;
  auto ks = make_shrinking<Shrinking<>>(ledger);
  ks.reserve(10'000);
  const std::size_t reserved = ledger.bytes;
  const auto fill_and_erase = [&] {
    for (std::uint64_t i = 0; i != 30'000; ++i) ks.set(i, i, 1s);
    ks.clock().advance(1s);
    ks.erase_expired();
    for (std::uint64_t i = 0; i != 100; ++i) ks.set(i, i, 1s);
    ks.clock().advance(1s);
    ks.erase_expired();
    return ledger.bytes;
  };
  CHECK(fill_and_erase() >= reserved);
  CHECK(fill_and_erase() < 2 * reserved);
  const std::size_t allocations = ledger.allocations;
  for (std::uint64_t i = 0; i != 10'000; ++i) ks.set(i, i);
  CHECK(ledger.allocations == allocations);
  for (std::uint64_t i = 0; i != 10'000; ++i) ks.erase(i);
  CHECK(ledger.bytes >= reserved);

  SECTION("clear") {
    ks.clear();
    CHECK(ledger.bytes < 1024);
    CHECK(fill_and_erase() < reserved / 4);
  }
  SECTION("shrink_to_fit") {
    ks.set(1, 1);
    ks.shrink_to_fit();
    CHECK(ks.get(1) == 1);
    CHECK(ledger.bytes < 32 * 1024);
    CHECK(fill_and_erase() < reserved / 4);
  }
}

TEMPLATE_TEST_CASE("shrink_to_fit gives back what the entries do not need", "", Shrinking<>,
                   ShrinkingCache<EarliestDeadline>, ShrinkingCache<Lru>,
                   ShrinkingCache<ScanResistant>) {
  for (const bool is_small : {true, false}) {
    const SmallSteps small_steps(is_small);
    for (std::uint64_t left = 0; left < 700; left = 2 * left + 1) {
      Ledger ledger;
      auto ks = make_shrinking<TestType>(ledger);
      for (std::uint64_t i = 0; i != 9'000; ++i) ks.set(i, i);
      for (std::uint64_t i = left; i != 9'000; ++i) REQUIRE(ks.erase(i));
      ks.shrink_to_fit();
      check_invariants(ks);
      CHECK(ledger.bytes <= 96 * 1024 + 2 * bytes_of_new<TestType>(left));
      REQUIRE(ks.size() == left);
      for (std::uint64_t i = 0; i != left; ++i) REQUIRE(ks.get(i) == i);
    }
  }
}

TEST_CASE("the shards of a ConcurrentKeyspace become smaller") {
  Ledger ledger;
  using Ks =
      ConcurrentKeyspace<std::uint64_t, std::uint64_t, ManualClock, WithAllocator<ShrinkingPairs>>;
  Ks ks({.allocator = ShrinkingPairs(ledger), .shards = 4});
  const std::size_t empty = ledger.bytes;
  for (std::uint64_t i = 0; i != 40'000; ++i) ks.set(i, i, 1s);
  const std::size_t full = ledger.bytes;
  const auto check_smaller = [&] {
    CHECK(ledger.bytes - empty < full / 20);
    CHECK(internal::TestPeer::broken_in_shards(ks).empty());
  };
  SECTION("by erase alone") {
    for (std::uint64_t i = 0; i != 40'000 - 10; ++i) REQUIRE(ks.erase(i));
    check_smaller();
    CHECK(ks.size() == 10);
  }
  SECTION("by getdel alone") {
    for (std::uint64_t i = 0; i != 40'000 - 10; ++i) REQUIRE(ks.getdel(i) == i);
    check_smaller();
  }
  SECTION("by the steps of a reaper") {
    ks.set(0, 0);
    ks.clock().advance(1s);
    for (int i = 0; i != 200; ++i) internal::TestPeer::run_step(ks);
    check_smaller();
    CHECK(ks.get(0) == 0);
  }
  SECTION("by shrink_to_fit") {
    ks.set(0, 0);
    ks.clock().advance(1s);
    ks.erase_expired();
    ks.shrink_to_fit();
    check_smaller();
    CHECK(ks.get(0) == 0);
  }
}

TEST_CASE("expired entries are erased when there is no memory for a smaller map") {
  const SmallSteps small_steps;
  Ledger ledger;
  auto ks = make_shrinking<Shrinking<>>(ledger);
  for (std::uint64_t i = 0; i != 1000; ++i) ks.set(i, i, i < 5 ? 2h : 1h);
  ks.clock().advance(1h);
  ledger.fragile = true;
  std::size_t erased = 0;
  for (int i = 0; i != 500; ++i) {
    Fuse::arm(0);  // the next allocation fails
    erased += ks.erase_expired(10);
    Fuse::disarm();
    check_invariants(ks);
  }
  CHECK(erased == 995);
  CHECK(ks.size() == 5);
}

TEST_CASE("the last entry of many can be renamed") {
  for (const bool is_small : {true, false}) {
    const SmallSteps small_steps(is_small);
    Ledger ledger;
    auto ks = make_shrinking<Shrinking<>>(ledger);
    for (std::uint64_t i = 0; i != 100; ++i) ks.set(i, i, 1h);
    for (std::uint64_t i = 1; i != 100; ++i) REQUIRE(ks.erase(i));
    REQUIRE(ks.rename(0, 1));
    CHECK(ks.get(1) == 0);
    CHECK(ks.size() == 1);
    check_invariants(ks);
  }
}

TEST_CASE("the last of many far deadlines can be changed") {
  constexpr std::chrono::milliseconds kFar = std::chrono::hours(24 * 365 * 600);
  Ledger ledger;
  auto ks = make_shrinking<Shrinking<>>(ledger);
  for (std::uint64_t i = 0; i != 2000; ++i) ks.set(i, i, kFar);
  for (std::uint64_t i = 1; i != 2000; ++i) REQUIRE(ks.persist(i));
  REQUIRE(ks.pexpire(0, kFar + 1h));
  CHECK(ks.pttl(0) == kFar + 1h);
  REQUIRE(ks.rename(0, 3000));
  REQUIRE(ks.rename(3000, 2));  // over a persistent key
  CHECK(ks.pttl(2) == kFar + 1h);
  REQUIRE(ks.rename(2, 3000));
  CHECK(ks.pttl(3000) == kFar + 1h);
  REQUIRE(ks.erase(3000));
  REQUIRE(ks.pexpire(1, kFar));
  CHECK(ks.pttl(1) == kFar);
  check_invariants(ks);
}

TEST_CASE("reserve while the map shrinks keeps the room") {
  const SmallSteps small_steps;
  for (int steps = 0; steps != 40; ++steps) {
    Ledger ledger;
    auto ks = make_shrinking<Shrinking<>>(ledger);
    for (std::uint64_t i = 0; i != 300; ++i) ks.set(i, i, 1s);
    ks.clock().advance(1s);
    ks.erase_expired(280);
    for (int i = 0; i != steps; ++i) ks.erase_expired(1);
    ks.reserve(150);
    for (int i = 0; i != 100; ++i) ks.erase_expired(1);
    check_invariants(ks);
  }
}

TEST_CASE("a rename to a heavier key evicts others while the map moves its entries") {
  struct Weight {
    std::size_t operator()(std::uint64_t key, std::uint64_t) const { return key < 1000 ? 1 : 60; }
  };
  using Weighed =
      Cache<std::uint64_t, std::uint64_t, EarliestDeadline, ManualClock, WithWeigher<Weight>>;
  const SmallSteps small_steps;
  for (std::uint64_t size = 61; size != 200; ++size) {
    Weighed cache({.capacity = size});
    for (std::uint64_t i = 0; i != size; ++i) {
      const auto ttl = i % 3 == 0 ? 1ms : std::chrono::milliseconds(1h);
      cache.set(i, i, i % 4 == 1 ? keyspace::kNever : ttl);
    }
    cache.clock().advance(1ms);
    REQUIRE(cache.rename(1, 1000));
    REQUIRE(cache.weight() <= size);
    check_invariants(cache);
    if (cache.contains(1000)) REQUIRE(cache.get(1000) == 1);
  }
}

TEST_CASE("an exception while the map shrinks loses no entry") {
  const SmallSteps small_steps;
  int interruptions = 0;
  for (int point = 0; point != 12; ++point) {
    Ledger ledger;
    auto ks = make_shrinking<Shrinking<>>(ledger);
    for (std::uint64_t i = 0; i != 300; ++i)
      ks.set(i, i, std::chrono::milliseconds(i < 5 ? 9000 : i));
    ledger.fragile = true;
    for (int i = 0; i != 400; ++i) {
      ks.clock().advance(1ms);
      Fuse::arm(point);
      try {
        ks.erase_expired(3);
      } catch (const Blown&) {
        ++interruptions;
      }
      Fuse::disarm();
      check_invariants(ks);
      for (std::uint64_t j = 0; j != 5; ++j) REQUIRE(ks.get(j) == j);
    }
    ks.erase_expired();
    CHECK(ks.size() == 5);
  }
  CHECK(interruptions > 0);
}

TEST_CASE("far deadlines and removed entries give back their memory") {
  Ledger ledger;
  auto ks = make_shrinking<ShrinkingCache<Lru>>(ledger);
  constexpr std::chrono::milliseconds kFar = std::chrono::hours(24 * 365 * 600);
  for (std::uint64_t i = 0; i != 20'000; ++i) ks.set(i, i, kFar + std::chrono::milliseconds(i));
  ks.set(1, 1);
  ks.clock().advance(kFar + 1h);
  ks.erase_expired();
  for (int i = 0; i != 100; ++i) ks.erase_expired(1000);
  CHECK(ks.size() == 1);
  CHECK(ledger.bytes <= 64 * 1024);
}

TEST_CASE("an eviction with many stale records reads a bounded number of them") {
  constexpr std::uint64_t kKeys = 30'000;
  Cache<std::uint64_t, std::uint64_t, EarliestDeadline, ManualClock> cache({.capacity = kKeys});
  for (std::uint64_t i = 0; i != kKeys; ++i) cache.set(i, i, 10h);
  for (std::uint64_t i = 0; i != kKeys; ++i) {
    cache.pexpire(i, 1h + std::chrono::milliseconds(i));
    cache.persist(i);
    cache.pexpire(i, 20h + std::chrono::milliseconds(i));
  }
  for (std::uint64_t i = 0; i != 200; ++i) {
    const Probed work([&] { cache.set(kKeys + i, i, 30h); });
    REQUIRE(work[Probe::kRecordsRead] <= 300'000);
    REQUIRE(work[Probe::kKeysLookedUp] <= 25'000);
    REQUIRE(cache.size() == kKeys);
  }
  check_invariants(cache);
}

TEST_CASE("EarliestDeadline is exact when stale records lie in many slots") {
  Cache<std::uint64_t, std::uint64_t, EarliestDeadline, ManualClock> cache({.capacity = 40});
  for (std::uint64_t i = 0; i != 40; ++i) cache.set(i, i, 3h - std::chrono::milliseconds(i));
  for (int left = 240; left != 100; --left) cache.pexpire(0, std::chrono::milliseconds(left));
  cache.persist(0);
  for (std::uint64_t i = 39; i != 20; --i) {
    cache.set(100 + i, 1, 5h);
    REQUIRE(!cache.contains(i));  // the soonest deadline
  }
}

TEST_CASE("an eviction after many stale records takes a volatile entry with a soon deadline") {
  constexpr std::uint64_t kKeys = 12'000;
  Cache<std::uint64_t, std::uint64_t, EarliestDeadline, ManualClock> cache({.capacity = 2 * kKeys});
  for (std::uint64_t i = 0; i != kKeys; ++i) cache.set(i, i);
  for (std::uint64_t i = kKeys; i != 2 * kKeys; ++i) {
    cache.set(i, i, 1h + std::chrono::milliseconds(i));
    cache.persist(i);
    cache.pexpire(i, (i % 2 == 0 ? 20h : 40h) + std::chrono::milliseconds(i));
  }
  std::size_t early = 0;
  for (std::uint64_t i = 0; i != 20; ++i) {
    const std::size_t before = cache.volatile_size();
    std::size_t far = 0;
    cache.for_each([&](auto, auto, auto deadline) {
      far += deadline != decltype(deadline)::max() && deadline > at(30 * 3600 * 1000) ? 1 : 0;
    });
    cache.set(3 * kKeys + i, i);
    REQUIRE(cache.volatile_size() == before - 1);
    std::size_t far_left = 0;
    cache.for_each([&](auto, auto, auto deadline) {
      far_left += deadline != decltype(deadline)::max() && deadline > at(30 * 3600 * 1000) ? 1 : 0;
    });
    early += far_left == far ? 1 : 0;
  }
  CHECK(early == 20);
}

TEST_CASE("an expired victim that the search did not find counts as expired") {
  std::size_t expired = 0;
  std::size_t evicted = 0;
  const auto count = [&](std::uint64_t, std::uint64_t, RemovalCause cause) {
    expired += cause == RemovalCause::kExpired ? 1 : 0;
    evicted += cause == RemovalCause::kEvicted ? 1 : 0;
  };
  Cache<std::uint64_t, std::uint64_t, Lru, ManualClock, WithListener<decltype(count)>> cache(
      {.capacity = 6001, .listener = count});
  cache.set(0, 0, 2s);
  for (std::uint64_t i = 1; i != 6001; ++i) cache.set(i, i, 1s);
  for (std::uint64_t i = 1; i != 6001; ++i) cache.pexpire(i, 1h);  // their records stay at 1 s
  cache.clock().advance(3s);
  cache.set(7000, 1, 1h);
  CHECK(cache.size() == 6001);
  CHECK(expired == 1);
  CHECK(evicted == 0);
}

TEST_CASE("a full cache searches a bounded number of records for an expired entry") {
  constexpr std::uint64_t kKeys = 60'000;
  Cache<std::uint64_t, std::uint64_t, Lru, ManualClock> cache({.capacity = kKeys});
  for (std::uint64_t i = 0; i != kKeys; ++i) cache.set(i, i, 1h);
  for (std::uint64_t i = 0; i != kKeys; ++i) cache.pexpire(i, 50h);  // their records stay at 1h
  cache.clock().advance(2h);
  for (std::uint64_t i = 0; i != 100; ++i) {
    const Probed work([&] { cache.set(kKeys + i, i); });
    REQUIRE(work[Probe::kRecordsRead] <= 20'000);
    REQUIRE(cache.size() == kKeys);
  }
  check_invariants(cache);
}

}  // namespace
}  // namespace keyspace::testing
