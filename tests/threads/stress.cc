// Many threads make all calls at once. Afterwards no entry is lost, and the listener has received
// each entry that was removed exactly once.

#include <keyspace/concurrent_keyspace.h>
#include <keyspace/reaper.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

constexpr int kStressThreads = 4;
constexpr int kStressKeys = 64;

template <class Policy>
using StressedCache =
    ConcurrentCache<int, std::uint64_t, Policy, ManualClock, WithStatistics,
                    WithListener<std::function<void(int, std::uint64_t, RemovalCause)>>>;

// No value is stored twice, so that each removed entry can be identified.
template <class Policy>
void stress(typename StressedCache<Policy>::Config config, unsigned seed) {
  std::mutex mutex;
  std::map<std::uint64_t, int> removals;  // by value
  config.shards = 8;
  config.listener = [&](int, std::uint64_t value, RemovalCause) {
    const std::lock_guard lock(mutex);
    ++removals[value];
  };
  ManualClock clock;
  config.clock = clock;
  StressedCache<Policy> ks(std::move(config));
  Reaper reaper({.step = 8}, ks);

  std::atomic<std::uint64_t> next = 1;
  on_threads(kStressThreads, [&](int thread) {
    std::mt19937 random(seed * 10 + static_cast<unsigned>(thread));
    const auto pick = [&](int count) {
      return static_cast<int>(random() % static_cast<unsigned>(count));
    };
    const auto value = [&] { return next++; };
    for (int i = 0; i != 4000; ++i) {
      const int key = pick(kStressKeys);
      switch (pick(15)) {
        case 0:
        case 1:
          ks.set(key, value(), Millis(1 + pick(20)));
          break;
        case 2:
          ks.set(key, value());
          break;
        case 3:
          ks.insert(key, value(), 5ms);
          break;
        case 4:
          ks.replace(key, value());
          break;
        case 5:
          ks.erase(key);
          break;
        case 6:
          static_cast<void>(ks.getdel(key));
          break;
        case 7:
          ks.pexpire(key, Millis(pick(30)), static_cast<Condition>(pick(6)));
          break;
        case 8:
          ks.rename(key, pick(kStressKeys));
          break;
        case 9:
          clock.advance(1ms);
          if (pick(10) == 0) reaper.wake();
          break;
        case 10:
          ks.get_or_compute(key, 10ms, value);
          break;
        case 11:
          static_cast<void>(ks.erase_expired(4));
          break;
        case 12:
          if (pick(100) == 0) ks.clear();
          break;
        case 13:
          if (pick(2) == 0) {
            ks.set(key, value(), kKeep);
          } else {
            ks.replace(key, value(), kKeep);
          }
          break;
        default:
          static_cast<void>(ks.get(key));
      }
    }
  });
  reaper.remove(ks);
  clock.advance(1h);
  ks.erase_expired();
  CHECK(internal::TestPeer::broken_in_shards(ks).empty());

  const Statistics counted = ks.statistics();
  std::uint64_t removed = 0;
  for (const auto count : counted.removals) removed += count;
  CHECK(counted.size == ks.size());
  CHECK(counted.inserts + counted.replacements - removed == counted.size);
  CHECK(removals.size() == removed);

  // The listener receives the entries that are left from clear(), and not before.
  std::vector<std::uint64_t> left;
  ks.for_each([&](int, std::uint64_t value, auto) { left.push_back(value); });
  CHECK(left.size() == ks.size());
  for (const std::uint64_t value : left) CHECK(removals.count(value) == 0);
  ks.clear();
  CHECK(removals.size() == counted.inserts + counted.replacements);
  for (const auto& [value, times] : removals) REQUIRE(times == 1);
}

TEST_CASE("under stress no entry is lost, and the listener receives each removed entry once",
          "[threads]") {
  for (unsigned seed = 0; seed != 3; ++seed) {
    stress<Unbounded>({}, seed);
    stress<Lru>({.capacity = 40}, seed);
    stress<ScanResistant>({.capacity = 40}, seed);
    stress<EarliestDeadline>({.capacity = 40}, seed);
  }
}

TEST_CASE("updates by many threads add up", "[threads]") {
  ConcurrentKeyspace<int, std::uint64_t> ks({.shards = 4});
  constexpr std::uint64_t kEach = 20'000;
  for (int key = 0; key != 4; ++key) ks.set(key, 0U);
  on_threads(kStressThreads, [&](int thread) {
    for (std::uint64_t i = 0; i != kEach; ++i) {
      ks.update((thread + static_cast<int>(i)) % 4, [](std::uint64_t& value) { ++value; });
    }
  });
  std::uint64_t sum = 0;
  ks.for_each([&](int, std::uint64_t value, auto) { sum += value; });
  CHECK(sum == kStressThreads * kEach);
}

TEST_CASE("each request by many threads to an Lru cache gets a number of its own", "[threads]") {
  SharedCache<Lru> ks({.capacity = 4096, .shards = 2});
  for (int key = 0; key != 10; ++key) ks.set(key, key);
  on_threads(kStressThreads, [&](int) {
    for (int i = 0; i != 10'000; ++i) static_cast<void>(ks.get(i % 10));
  });
  CHECK(internal::TestPeer::numbered_requests(ks) == 10 + kStressThreads * 10'000);
}

TEST_CASE("requests by many threads are all counted", "[threads]") {
  SharedCache<WithStatistics> ks({.capacity = 4096, .shards = 2});
  for (int key = 0; key != 10; ++key) ks.set(key, key);
  on_threads(kStressThreads, [&](int) {
    for (int i = 0; i != 10'000; ++i) static_cast<void>(ks.get(i % 20));
  });
  CHECK(ks.statistics().hits == kStressThreads * 5'000);
  CHECK(ks.statistics().misses == kStressThreads * 5'000);
}

}  // namespace
}  // namespace keyspace::testing
