// The members of Config: each shard uses the object that the keyspace got.

#include <keyspace/concurrent_keyspace.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <set>
#include <utility>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

// Returns the shards of the keys 0 to count - 1.
template <class Ks>
std::set<const void*> shards_of(const Ks& ks, int count) {
  std::set<const void*> shards;
  for (int key = 0; key != count; ++key) shards.insert(internal::TestPeer::shard_of(ks, key));
  return shards;
}

constexpr int kConfigKeys = 100;
constexpr std::size_t kConfigShards = 8;

TEST_CASE("a ManualClock that moves after the construction moves the time of all shards") {
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> ks({.clock = clock, .shards = kConfigShards});
  REQUIRE(shards_of(ks, kConfigKeys).size() == kConfigShards);
  for (int key = 0; key != kConfigKeys; ++key) ks.set(key, key, 10ms);
  clock.advance(9ms);
  CHECK(live_count(ks) == kConfigKeys);
  ks.clock().advance(1ms);
  CHECK(clock.now() == at(10));
  CHECK(live_count(ks) == 0);
  for (int key = 0; key != kConfigKeys; ++key) CHECK_FALSE(ks.contains(key));
  CHECK(ks.erase_expired() == kConfigKeys);
}

// A clock that records which clock objects are read.
struct WatchedClock {
  explicit WatchedClock(std::set<const void*>& its_reads) : reads(&its_reads) {}
  Instant now() const {
    reads->insert(this);
    return at(0);
  }
  std::set<const void*>* reads;
};

TEST_CASE("all calls read the clock that clock() returns") {
  std::set<const void*> reads;
  ConcurrentKeyspace<int, int, WatchedClock> ks(
      {.clock = WatchedClock(reads), .shards = kConfigShards});
  for (int key = 0; key != kConfigKeys; ++key) {
    const int other = key + kConfigKeys;
    ks.set(key, key, 10ms);
    CHECK(ks.get(key) == key);
    CHECK(ks.peek(key) == key);
    CHECK(ks.pttl(key) == 10ms);
    CHECK(ks.pexpire(key, 20ms));
    CHECK(ks.update(key, [](int& value) { ++value; }));
    CHECK(ks.rename(key, other));
    CHECK(ks.copy(other, key));
    CHECK(ks.get_or_compute(-key - 1, 10ms, [] { return 1; }) == 1);
  }
  ks.erase_expired();
  CHECK(live_count(ks) == 3 * kConfigKeys);
  internal::TestPeer::run_step(ks);
  ks.clear();
  CHECK(reads == std::set<const void*>{&ks.clock()});
}

// Counts the calls of the members of a Config.
struct Calls {
  int hash = 0;
  int equal = 0;
  int weigher = 0;
  int listener = 0;
};
// A default-constructed StatefulHash crashes at its first call.
struct StatefulHash {
  std::size_t operator()(int key) const noexcept {
    ++calls->hash;
    return static_cast<std::size_t>(key) * 0x9e3779b97f4a7c15U;
  }
  Calls* calls = nullptr;
};
struct StatefulEqual {
  bool operator()(int a, int b) const noexcept {
    ++calls->equal;
    return a == b;
  }
  Calls* calls = nullptr;
};
// Move-only, as is the listener.
struct StatefulWeigher {
  std::size_t operator()(int, int) const {
    ++(*calls)->weigher;
    return 1;
  }
  std::unique_ptr<Calls*> calls;
};
struct StatefulListener {
  void operator()(int, int, RemovalCause) const { ++(*calls)->listener; }
  std::unique_ptr<Calls*> calls;
};

TEST_CASE("all shards use the listener, weigher, hash, equality and allocator of the Config") {
  Calls calls;
  Ledger ledger;
  {
    using Ks = ConcurrentCache<int, int, ManualClock, WithHash<StatefulHash, StatefulEqual>,
                               WithAllocator<LedgerAllocator<std::pair<const int, int>>>,
                               WithWeigher<StatefulWeigher>, WithListener<StatefulListener>>;
    Ks ks({.capacity = 1'000'000,
           .weigher = {std::make_unique<Calls*>(&calls)},
           .listener = {std::make_unique<Calls*>(&calls)},
           .hash = {&calls},
           .equal = {&calls},
           .allocator = LedgerAllocator<std::pair<const int, int>>(ledger),
           .shards = kConfigShards});
    REQUIRE(shards_of(ks, kConfigKeys).size() == kConfigShards);
    for (int key = 0; key != kConfigKeys; ++key) {
      CAPTURE(key);
      const std::size_t bytes = ledger.bytes;
      calls = {};
      ks.set(key, key, 1h);
      CHECK(calls.hash >= 1);
      CHECK(calls.weigher == 1);
      CHECK(ledger.bytes >= bytes);
      calls = {};
      CHECK(ks.get(key) == key);
      CHECK(calls.equal >= 1);
      // The equality compares the erased key with that of the computation.
      CHECK(ks.get_or_compute(-key - 1, 1h, [&] {
        calls = {};
        ks.erase(-key - 1);
        return calls.equal;
      }) >= 1);
    }
    CHECK(ledger.allocations >= kConfigShards);
    calls = {};
    for (int key = 0; key != kConfigKeys; ++key) CHECK(ks.erase(key));
    CHECK(calls.listener == kConfigKeys);
  }
  CHECK(ledger.allocations == ledger.deallocations);
  CHECK(ledger.bytes == 0);
}

// Records which object is called.
struct WatchedWeigher {
  std::size_t operator()(int, int) const {
    objects->insert(this);
    return 1;
  }
  std::set<const void*>* objects;
};

TEST_CASE("one weigher weighs the entries of all shards") {
  std::set<const void*> objects;
  SharedCache<Lru, WithWeigher<WatchedWeigher>> ks(
      {.capacity = 80, .weigher = {&objects}, .shards = kConfigShards});
  REQUIRE(shards_of(ks, kConfigKeys).size() == kConfigShards);
  for (int key = 0; key != kConfigKeys; ++key) {
    ks.set(key, key);
    ks.update(key, [](int& value) { ++value; });
    ks.rename(key, key + kConfigKeys);
  }
  CHECK(objects.size() == 1);
}

TEST_CASE("a shard count alone is a Config, and so is a clock alone") {
  const ManualClock clock(at(7));
  CHECK(ConcurrentKeyspace<int, int, ManualClock>({.shards = 2}).shards() == 2);
  CHECK(ConcurrentKeyspace<int, int, ManualClock>({.clock = clock}).clock().now() == at(7));
  CHECK(ConcurrentKeyspace<int, int, ManualClock>(clock).clock().now() == at(7));
}

}  // namespace
}  // namespace keyspace::testing
