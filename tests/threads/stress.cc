// All calls at once, from many threads, and what must hold when they are done: nothing lost,
// nothing twice, and the listener told of each entry exactly once.

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

template <class P>
struct ObservedBy : DefaultFeatures {
  using Policy = P;
  using Listener = std::function<void(int, std::uint64_t, RemovalCause)>;
  static constexpr bool kStatistics = true;
};
template <class P>
using StressedCache = ConcurrentCache<int, std::uint64_t, ObservedBy<P>, ManualClock>;

// Every value that is stored is another one, so each that leaves can be told from all others.
template <class Policy, class Options>
void stress(Options options, unsigned seed) {
  std::mutex mutex;
  std::map<std::uint64_t, int> told;  // how often of each value
  options.shards = 8;
  options.listener = [&](int, std::uint64_t value, RemovalCause) {
    const std::lock_guard lock(mutex);
    ++told[value];
  };
  ManualClock clock;
  StressedCache<Policy> ks(clock, std::move(options));
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
      switch (pick(14)) {
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
  CHECK(told.size() == removed);

  // What is left is told of by clear(), and by nothing before.
  std::vector<std::uint64_t> left;
  ks.for_each([&](int, std::uint64_t value, auto) { left.push_back(value); });
  CHECK(left.size() == ks.size());
  for (const std::uint64_t value : left) CHECK(told.count(value) == 0);
  ks.clear();
  CHECK(told.size() == counted.inserts + counted.replacements);
  for (const auto& [value, times] : told) REQUIRE(times == 1);
}

TEST_CASE("under stress nothing is lost, and the listener is told of all once", "[threads]") {
  for (unsigned seed = 0; seed != 3; ++seed) {
    stress<Unbounded>(StressedCache<Unbounded>::Options{}, seed);
    stress<Lru>(StressedCache<Lru>::Options{.capacity = 40}, seed);
    stress<ScanResistant>(StressedCache<ScanResistant>::Options{.capacity = 40}, seed);
    stress<EarliestDeadline>(StressedCache<EarliestDeadline>::Options{.capacity = 40}, seed);
  }
}

TEST_CASE("additions by many threads add up", "[threads]") {
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

struct CountedCacheFeatures : CacheFeatures {
  static constexpr bool kStatistics = true;
};

struct LeastRecent : DefaultFeatures {
  using Policy = Lru;
};

TEST_CASE("requests by many threads are numbered upwards, each with a number of its own",
          "[threads]") {
  SharedCache<LeastRecent> ks({.capacity = 4096, .shards = 2});
  for (int key = 0; key != 10; ++key) ks.set(key, key);
  on_threads(kStressThreads, [&](int) {
    for (int i = 0; i != 10'000; ++i) static_cast<void>(ks.get(i % 10));
  });
  CHECK(internal::TestPeer::numbered_requests(ks) == 10 + kStressThreads * 10'000);
}

TEST_CASE("requests by many threads are all counted", "[threads]") {
  SharedCache<CountedCacheFeatures> ks({.capacity = 4096, .shards = 2});
  for (int key = 0; key != 10; ++key) ks.set(key, key);
  on_threads(kStressThreads, [&](int) {
    for (int i = 0; i != 10'000; ++i) static_cast<void>(ks.get(i % 20));
  });
  CHECK(ks.statistics().hits == kStressThreads * 5'000);
  CHECK(ks.statistics().misses == kStressThreads * 5'000);
}

}  // namespace
}  // namespace keyspace::testing
