// compute() of a ConcurrentKeyspace.

#include <keyspace/concurrent_keyspace.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <latch>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/probe.h"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using SharedScores = ConcurrentKeyspace<std::string, int, ManualClock>;

TEST_CASE("compute reads and changes an entry under one lock", "[threads]") {
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> ks({.clock = clock, .shards = 4});
  const auto locks = [&](const auto& f) {
    return Probed([&] { ks.compute(1, f); })[Probe::kLocksTaken];
  };
  CHECK(locks([](auto& entry) { entry.store(1, 5ms); }) == 1);
  CHECK(ks.compute(1, [](auto& entry) { return std::pair(*entry.value(), *entry.ttl()); }) ==
        std::pair(1, Millis{5}));
  CHECK(locks([](auto& entry) {
          ++*entry.value();
          entry.expire(7ms);
        }) == 1);
  CHECK(ks.get(1) == 2);
  CHECK(ks.pttl(1) == 7ms);
  CHECK(ks.compute(1, [](auto& entry) { return entry.erase(); }));
  CHECK_FALSE(ks.compute(1, [](auto& entry) { return entry.value() != nullptr; }));
  static_assert(std::is_void_v<decltype(ks.compute(1, [](auto&) {}))>);
}

TEST_CASE("no call comes between what compute reads and what it does", "[threads]") {
  ConcurrentKeyspace<std::string, int> ks;
  constexpr int kRounds = 20'000;
  on_threads(2, [&](int) {
    for (int i = 0; i != kRounds; ++i) {
      ks.compute("counter", [](auto& entry) {
        const int* const value = entry.value();
        entry.store(value == nullptr ? 1 : *value + 1);
      });
    }
  });
  CHECK(ks.get("counter") == 2 * kRounds);
}

TEST_CASE("a thread releases only its own lease", "[threads]") {
  ManualClock clock;
  ConcurrentKeyspace<std::string, int, ManualClock> leases(clock);
  constexpr int kRounds = 2'200;
  std::atomic<int> taken = 0;
  std::atomic<int> lost = 0;
  std::atomic<int> released_by_others = 0;
  on_threads(2, [&](int thread) {
    for (int round = 0; round != kRounds;) {
      const int token = 2 * round + thread;
      Instant deadline;
      const bool is_taken = leases.compute("lease", [&](auto& entry) {
        if (entry.value() != nullptr) return false;
        entry.store(token, 5ms);
        deadline = *entry.deadline();
        return true;
      });
      if (is_taken) ++taken;
      if ((round + thread) % 3 == 0) clock.advance(1ms);  // some leases expire while they are held
      if (!is_taken) {
        std::this_thread::yield();
        ++round;
        continue;
      }
      if (round % 64 == 0) clock.advance(5ms);
      const bool is_released = leases.compute("lease", [&](auto& entry) {
        const int* const value = entry.value();
        if (value == nullptr || *value != token) return false;
        return entry.erase();
      });
      if (!is_released) {
        ++lost;
        if (clock.now() < deadline) ++released_by_others;
      }
      ++round;
    }
  });
  CHECK(released_by_others == 0);
  CHECK(lost > 0);  // so the case was met
  CHECK(lost < taken);
}

TEST_CASE("compute wakes waiting readers of a new value, and keeps its changes after an exception",
          "[threads]") {
  ManualClock clock;
  SharedScores ks(clock);
  const auto fail = [&](const auto& f) {
    CHECK_THROWS_AS(ks.compute("a",
                               [&](auto& entry) {
                                 f(entry);
                                 throw std::runtime_error("");
                               }),
                    std::runtime_error);
  };
  fail([](auto& entry) { entry.store(1, 5ms); });
  CHECK(ks.get("a") == 1);
  fail([](auto& entry) { *entry.value() = 2; });
  CHECK(ks.get("a") == 2);
  fail([](auto& entry) { entry.expire(7ms); });
  CHECK(ks.pttl("a") == 7ms);
  fail([](auto& entry) { entry.erase(); });
  CHECK_FALSE(ks.contains("a"));
}

TEST_CASE("the listener is called after compute has released the lock", "[threads]") {
  using Listener = std::function<void(int, int, RemovalCause)>;
  using Ks = ConcurrentKeyspace<int, int, ManualClock, WithListener<Listener>>;
  Ks* self = nullptr;
  std::vector<int> removed;
  bool is_computing = false;
  Ks ks({.listener =
             [&](int, int value, RemovalCause) {
               CHECK_FALSE(is_computing);
               removed.push_back(value);
               if (value == 10) self->set(2, 5);  // the listener may call the keyspace
             },
         .shards = 1});
  self = &ks;
  ks.set(1, 10);
  ks.compute(1, [&](auto& entry) {
    is_computing = true;
    entry.store(20);
    entry.erase();
    is_computing = false;
  });
  CHECK(removed == std::vector{10, 20});
  CHECK(ks.get(2) == 5);
  // After an exception, the next call that changes something passes on what was removed.
  removed.clear();
  CHECK_THROWS_AS(ks.compute(2,
                             [](auto& entry) {
                               entry.erase();
                               throw std::runtime_error("");
                             }),
                  std::runtime_error);
  CHECK(removed.empty());
  ks.erase(3);
  CHECK_FALSE(removed.empty());
}

// Runs f(entry) of a compute() while get_or_compute() computes 2 for the same key, whose value is
// `before`. Returns the value afterwards.
template <class F>
std::optional<int> value_after(std::optional<int> before, const F& f) {
  ManualClock clock;
  SharedScores ks(clock);
  if (before) ks.set("a", *before, 10ms);
  std::latch has_begun(1);
  std::latch may_end(1);
  auto computed = std::async(std::launch::async, [&] {
    return ks.get_or_compute(
        "a", 10ms,
        [&] {
          has_begun.count_down();
          may_end.wait();
          return 2;
        },
        10ms);
  });
  has_begun.wait();
  ks.compute("a", f);
  may_end.count_down();
  CHECK(computed.get() == 2);
  return ks.get("a");
}

TEST_CASE("a computation is not stored if compute may have changed the value meanwhile",
          "[threads]") {
  // What changes the value, or may.
  CHECK(value_after(std::nullopt, [](auto& entry) { entry.store(3); }) == 3);
  CHECK(value_after(1, [](auto& entry) { entry.store(3); }) == 3);
  CHECK(value_after(1, [](auto& entry) { *entry.value() = 4; }) == 4);
  CHECK(value_after(1, [](auto& entry) { entry.erase(); }) == std::nullopt);
  CHECK(value_after(1, [](auto& entry) { entry.expire(0ms); }) == std::nullopt);
  CHECK(value_after(std::nullopt, [](auto& entry) { entry.erase(); }) == std::nullopt);
  // What does not.
  CHECK(value_after(std::nullopt, [](auto& entry) { CHECK(entry.value() == nullptr); }) == 2);
  CHECK(value_after(std::nullopt, [](auto& entry) { CHECK_FALSE(entry.expire(5ms)); }) == 2);
  CHECK(value_after(1, [](auto& entry) { entry.expire(5ms); }) == 2);
  CHECK(value_after(1, [](auto& entry) { CHECK(entry.ttl() == 10ms); }) == 2);
}

}  // namespace
}  // namespace keyspace::testing
