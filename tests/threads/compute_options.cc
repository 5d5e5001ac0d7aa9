// max_wait, functions that find nothing, and batches, in get_or_compute() on several threads.
// Threads synchronize by latches and futures. Only max_wait itself measures real time.

#include <keyspace/concurrent_keyspace.h>

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using MeasuredInts = ConcurrentKeyspace<int, int, ManualClock, WithStatistics>;
using IntList = std::vector<int>;

struct Outage : std::runtime_error {
  Outage() : std::runtime_error("failure") {}
};

// Runs call(block) on a thread of its own. block() announces that it runs, and waits for finish().
template <class Result>
class Blocked {
 public:
  template <class Call>
  explicit Blocked(const Call& call)
      : result_(std::async(std::launch::async, [this, call] {
          return call([this] {
            has_begun_.count_down();
            may_end_.wait();
          });
        })) {
    has_begun_.wait();
  }
  Result finish() {
    may_end_.count_down();
    return result_.get();
  }

 private:
  std::latch has_begun_{1};
  std::latch may_end_{1};
  std::future<Result> result_;
};

// Computes `value` for `key` until finish().
Blocked<int> slow(MeasuredInts& ks, int key, int value) {
  return Blocked<int>([&ks, key, value](const auto& block) {
    return ks.get_or_compute(key, 1h, [&] {
      block();
      return value;
    });
  });
}

TEST_CASE("a call gives up after max_wait, and the computation goes on", "[threads]") {
  MeasuredInts ks;
  auto stuck = slow(ks, 1, 10);
  const auto get = [&](Millis max_wait) {
    return ks.get_or_compute(1, {.expiry = 1h, .max_wait = max_wait}, [] { return 20; });
  };
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(get(100ms), ComputationTimeout);
  const auto waited = std::chrono::steady_clock::now() - start;
  CHECK(waited >= 100ms);
  CHECK(waited < 10s);
  CHECK_THROWS_AS(get(0ms), ComputationTimeout);
  CHECK_THROWS_AS(get(-1ms), ComputationTimeout);
  CHECK_THROWS_AS(ks.get_or_compute(IntList{2, 1}, {.expiry = 1h, .max_wait = 1ms},
                                    [](const IntList& k) { return k; }),
                  ComputationTimeout);
  CHECK(ks.get(2) == 2);  // what the batch computed itself stays
  CHECK(ks.statistics().waits == 4);
  // A long wait does not overflow.
  std::vector<std::future<int>> waiting;
  for (const Millis max_wait :
       {kNever, kNever - 1ms, Millis{1h}, Millis{std::chrono::years(200)}}) {
    waiting.push_back(std::async(std::launch::async, [&get, max_wait] { return get(max_wait); }));
  }
  until_waiting(waiting.size());
  CHECK(stuck.finish() == 10);
  for (auto& call : waiting) CHECK(call.get() == 10);
  CHECK(ks.get(1) == 10);
}

TEST_CASE("max_wait limits all waits of a batch together", "[threads]") {
  MeasuredInts ks;
  IntList keys(40);
  std::iota(keys.begin(), keys.end(), 0);
  Blocked<IntList> stuck([&](const auto& block) {
    return ks.get_or_compute(keys, 1h, [&](const IntList& missing) {
      block();
      return missing;
    });
  });
  const auto start = std::chrono::steady_clock::now();
  auto batch = std::async(std::launch::async, [&] {
    return ks.get_or_compute(keys, {.expiry = 1h, .max_wait = 2s},
                             [](const IntList& missing) { return missing; });
  });
  until_waiting(1);
  // So the batch does not give up after its first wait. It waits for each key.
  for (const int key : keys) ks.set(key, 7);
  CHECK(batch.get() == IntList(40, 7));
  const auto waited = std::chrono::steady_clock::now() - start;
  CHECK(waited >= 2s);
  CHECK(waited < 40s);  // and not 80 s
  CHECK(stuck.finish() == keys);
}

TEST_CASE("after max_wait a call returns the value that was stored meanwhile", "[threads]") {
  MeasuredInts ks;
  auto stuck = slow(ks, 1, 10);
  auto waiting = std::async(std::launch::async, [&] {
    return ks.get_or_compute(1, {.expiry = 1h, .max_wait = 2s}, [] { return 20; });
  });
  until_waiting(1);
  ks.set(1, 30);
  CHECK(waiting.get() == 30);
  CHECK(stuck.finish() == 10);
  CHECK(ks.get(1) == 30);
}

TEST_CASE("while one call refreshes, the others get the old value, and do not wait", "[threads]") {
  ManualClock clock;
  MeasuredInts ks(clock);
  ks.set(1, 1, 10ms);
  clock.advance(5ms);
  Blocked<int> refresh([&ks](const auto& block) {
    return ks.get_or_compute(1, {.expiry = 10ms, .refresh_ahead = 5ms}, [&]() -> int {
      block();
      throw Outage();
    });
  });
  const MeasuredInts::ComputeOptions options{.expiry = 10ms, .refresh_ahead = 5ms, .max_wait = 0ms};
  CHECK(ks.get_or_compute(1, options, [] { return 2; }) == 1);
  CHECK(ks.get_or_compute(IntList{1}, options, [](const IntList& k) { return k; }) == IntList{1});
  CHECK(refresh.finish() == 1);
  CHECK(ks.get_or_compute(1, options, [] { return 2; }) == 2);  // the next call tries again
  CHECK(ks.statistics().failed_computations == 1);
  CHECK(ks.statistics().waits == 0);
}

TEST_CASE("a call that waits for a refresh of an expired value gets its exception", "[threads]") {
  ManualClock clock;
  MeasuredInts ks(clock);
  ks.set(1, 1, 10ms);
  Blocked<int> refresh([&ks](const auto& block) {
    return ks.get_or_compute(1, {.expiry = 10ms, .refresh_ahead = 10ms}, [&]() -> int {
      block();
      throw Outage();
    });
  });
  clock.advance(10ms);
  auto waiting =
      std::async(std::launch::async, [&] { return ks.get_or_compute(1, 10ms, [] { return 2; }); });
  until_waiting(1);
  CHECK_THROWS_AS(refresh.finish(), Outage);
  CHECK_THROWS_AS(waiting.get(), Outage);
  CHECK(ks.statistics().waits == 1);
  CHECK(ks.get_or_compute(1, 10ms, [] { return 2; }) == 2);
}

TEST_CASE("if a computation finds nothing, only callers that may find nothing return nothing",
          "[threads]") {
  MeasuredInts ks;
  using Maybe = std::optional<int>;
  Blocked<Maybe> nothing([&ks](const auto& block) {
    return ks.get_or_compute(1, 1h, [&] {
      block();
      return Maybe();
    });
  });
  auto may_be_nothing = std::async(
      std::launch::async, [&] { return ks.get_or_compute(1, 1h, [] { return Maybe(7); }); });
  until_waiting(1);
  auto batch = std::async(std::launch::async, [&] {
    return ks.get_or_compute(IntList{1}, 1h,
                             [](const IntList& k) { return std::vector<Maybe>(k.size(), 8); });
  });
  until_waiting(2);
  CHECK(nothing.finish() == std::nullopt);
  CHECK(may_be_nothing.get() == std::nullopt);
  CHECK(batch.get() == std::vector<Maybe>{std::nullopt});
  CHECK_FALSE(ks.contains(1));

  Blocked<Maybe> again([&ks](const auto& block) {
    return ks.get_or_compute(1, 1h, [&] {
      block();
      return Maybe();
    });
  });
  auto value =
      std::async(std::launch::async, [&] { return ks.get_or_compute(1, 1h, [] { return 9; }); });
  auto values = std::async(std::launch::async, [&] {
    return ks.get_or_compute(IntList{1, 2, 1}, 1h,
                             [](const IntList& k) { return IntList(k.size(), 9); });
  });
  until_waiting(2);
  CHECK(again.finish() == std::nullopt);
  CHECK(value.get() == 9);
  CHECK(values.get() == IntList{9, 9, 9});
  CHECK(ks.get(1) == 9);
  const Statistics s = ks.statistics();
  CHECK(s.hits + s.misses == 9);  // a second attempt is no second request
}

TEST_CASE("overlapping batches compute each key once, and do not wait for each other",
          "[threads]") {
  MeasuredInts ks;
  std::vector<IntList> asked(2);
  Blocked<IntList> first([&](const auto& block) {
    return ks.get_or_compute(IntList{1, 2, 3}, 1h, [&](const IntList& keys) {
      asked[0] = keys;
      block();
      return IntList{10, 20, 30};
    });
  });
  Blocked<IntList> second([&](const auto& block) {
    return ks.get_or_compute(IntList{4, 3, 2}, 1h, [&](const IntList& keys) {
      asked[1] = keys;
      block();
      return IntList{44};
    });
  });
  CHECK(asked == std::vector{IntList{1, 2, 3}, IntList{4}});
  CHECK(ks.peek(4) == std::nullopt);
  auto rest = std::async(std::launch::async, [&] { return second.finish(); });
  until_waiting(1);        // the second batch waits for 3
  CHECK(ks.get(4) == 44);  // what it computed is there already
  CHECK(first.finish() == IntList{10, 20, 30});
  CHECK(rest.get() == IntList{44, 30, 20});
  CHECK(ks.statistics().computations == 2);
}

TEST_CASE("batches in opposite orders end, and compute each key once", "[threads]") {
  MeasuredInts ks;
  std::atomic<int> computed = 0;
  constexpr int kKeys = 20;
  constexpr int kRounds = 200;
  for (int round = 0; round != kRounds; ++round) {
    on_threads(3, [&](int thread) {
      IntList keys;
      for (int i = 0; i != kKeys; ++i) {
        keys.push_back(round * kKeys + (thread % 2 == 0 ? i : kKeys - 1 - i));
      }
      const IntList values = ks.get_or_compute(keys, 1h, [&](const IntList& missing) {
        computed += static_cast<int>(missing.size());
        return missing;
      });
      if (values != keys) throw std::logic_error("a wrong value");
    });
  }
  CHECK(computed == kKeys * kRounds);
}

TEST_CASE("what changes during a batch is not overwritten", "[threads]") {
  MeasuredInts ks;
  Blocked<IntList> batch([&ks](const auto& block) {
    return ks.get_or_compute(IntList{1, 2, 3, 4}, 1h, [&](const IntList& keys) {
      block();
      return keys;
    });
  });
  ks.erase(1);
  ks.set(2, 22);
  ks.compute(3, [](auto& entry) { entry.store(33, 5ms); });
  CHECK(batch.finish() == IntList{1, 2, 3, 4});
  CHECK_FALSE(ks.contains(1));
  CHECK(ks.get(2) == 22);
  CHECK(ks.get(3) == 33);
  CHECK(ks.get(4) == 4);
}

TEST_CASE("a batch that fails passes its exception to the calls that wait", "[threads]") {
  MeasuredInts ks;
  Blocked<IntList> batch([&ks](const auto& block) {
    return ks.get_or_compute(IntList{1, 2}, 1h, [&](const IntList&) -> IntList {
      block();
      throw Outage();
    });
  });
  auto one =
      std::async(std::launch::async, [&] { return ks.get_or_compute(2, 1h, [] { return 1; }); });
  until_waiting(1);
  auto several = std::async(std::launch::async, [&] {
    return ks.get_or_compute(IntList{3, 1}, 1h, [](const IntList& keys) { return keys; });
  });
  until_waiting(2);
  CHECK_THROWS_AS(batch.finish(), Outage);
  CHECK_THROWS_AS(one.get(), Outage);
  CHECK_THROWS_AS(several.get(), Outage);
  CHECK(ks.get(3) == 3);
  CHECK_FALSE(ks.contains(1));
  CHECK(ks.get_or_compute(IntList{1, 2}, 1h, [](const IntList& keys) { return keys; }) ==
        IntList{1, 2});
}

TEST_CASE("a batch that asks for its own keys throws", "[threads]") {
  MeasuredInts ks;
  const auto batch = [&](const IntList& inner) {
    return ks.get_or_compute(IntList{1, 2}, 1h, [&](const IntList&) {
      return ks.get_or_compute(inner, 1h, [](const IntList& keys) { return keys; });
    });
  };
  CHECK_THROWS_AS(batch({3, 2}), RecursiveComputation);
  CHECK_FALSE(ks.contains(1));
  CHECK(ks.get(3) == 3);
  CHECK_THROWS_AS(
      ks.get_or_compute(
          1, 1h,
          [&] { return ks.get_or_compute(1, {.expiry = 1h, .max_wait = 0ms}, [] { return 1; }); }),
      RecursiveComputation);
  CHECK(batch({4, 5}) == IntList{4, 5});
}

TEMPLATE_TEST_CASE("an exception at any point of a batch ends each computation", "[threads]",
                   Fragile<Throws::kOnCopy>, Fragile<Throws::kOnCopyOrMove>) {
  using Value = TestType;
  using Allocator = LedgerAllocator<std::pair<const Value, Value>>;
  using FragileKs = ConcurrentKeyspace<Value, Value, ManualClock, WithStatistics,
                                       WithAllocator<Allocator>, WithHash<FragileHash, FragileEq>>;
  const std::vector<Value> keys = [] {
    std::vector<Value> made;
    made.reserve(4);
    for (const int id : {1, 2, 3, 1}) made.emplace_back(id);
    return made;
  }();
  const auto compute = [](const std::vector<Value>& missing) { return missing; };
  int interruptions = 0;
  for (bool has_thrown = true; has_thrown; ++interruptions) {
    CAPTURE(interruptions);
    Ledger ledger;
    FragileKs ks({.allocator = Allocator(ledger), .shards = 2});
    ks.set(keys[1], keys[0], 5ms);
    ledger.fragile = true;
    has_thrown = false;
    Fuse::arm(interruptions);
    try {
      static_cast<void>(ks.get_or_compute(keys, {.expiry = 1h, .refresh_ahead = 5ms}, compute));
    } catch (const Blown&) {
      has_thrown = true;
    }
    Fuse::disarm();
    ledger.fragile = false;
    CHECK(internal::TestPeer::broken_in_shards(ks) == "");
    // A computation that has not ended would let this call throw.
    for (std::size_t i = 0; i != 3; ++i) ks.pexpire(keys[i], 1ms);
    const auto values =
        ks.get_or_compute(keys, {.expiry = 1h, .refresh_ahead = 5ms, .max_wait = 0ms}, compute);
    CHECK(values == keys);
  }
  CHECK(interruptions > 20);
}

TEST_CASE("100 missing keys take one call of the function", "[threads]") {
  MeasuredInts ks;
  IntList keys(100);
  for (int i = 0; i != 100; ++i) keys[static_cast<std::size_t>(i)] = i;
  int calls = 0;
  CHECK(ks.get_or_compute(keys, 1h, [&](const IntList& missing) {
    ++calls;
    return missing;
  }) == keys);
  CHECK(calls == 1);
  CHECK(ks.statistics().computations == 1);
  CHECK(ks.size() == 100);
}

}  // namespace
}  // namespace keyspace::testing
