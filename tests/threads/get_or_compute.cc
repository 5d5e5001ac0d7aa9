// Threads synchronize by latches and futures, and never by the passing of time.

#include <keyspace/concurrent_keyspace.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using SharedInts = ConcurrentKeyspace<std::string, int, ManualClock>;

// A call of get_or_compute() on a thread of its own, whose computation runs until finish().
class Slow {
 public:
  Slow(SharedInts& ks, const std::string& key, int value, Millis ttl = 1s,
       Millis refresh_ahead = Millis::zero())
      : result_(std::async(std::launch::async, [this, &ks, key, value, ttl, refresh_ahead] {
          return ks.get_or_compute(
              key, ttl,
              [&] {
                has_begun_.count_down();
                may_end_.wait();
                return value;
              },
              refresh_ahead);
        })) {
    has_begun_.wait();
  }
  int finish() {
    may_end_.count_down();
    return result_.get();
  }

 private:
  std::latch has_begun_{1};
  std::latch may_end_{1};
  std::future<int> result_;
};

TEST_CASE("get_or_compute computes a missing value, and stores it with its ttl", "[threads]") {
  ManualClock clock;
  SharedInts ks(clock);
  int calls = 0;
  const auto compute = [&] { return ++calls; };
  CHECK(ks.get_or_compute("a", 10ms, compute) == 1);
  CHECK(ks.get_or_compute("a", 10ms, compute) == 1);
  CHECK(ks.get("a") == 1);
  CHECK(ks.pttl("a") == 10ms);
  clock.advance(10ms);
  CHECK(ks.get_or_compute("a", SharedInts::kNever, compute) == 2);
  CHECK(ks.pttl("a") == SharedInts::kNever);
  CHECK(ks.get_or_compute("b", 0ms, compute) == 3);
  CHECK_FALSE(ks.contains("b"));
  CHECK(ks.get_or_compute(
            "key", 1s, [](const std::string& key) { return static_cast<int>(key.size()); }) == 3);
}

TEST_CASE("a computed value may get a deadline, or the default expiry", "[threads]") {
  ManualClock clock(at(1000));
  SharedInts ks(clock);
  const auto advance = [&] {
    clock.advance(5ms);
    return 1;
  };
  CHECK(ks.get_or_compute("a", at(1010), advance) == 1);
  CHECK(ks.pexpiretime("a") == at(1010));
  CHECK(ks.pttl("a") == 5ms);
  // The deadline has passed when the computation ends.
  CHECK(ks.get_or_compute("b", at(1010), advance) == 1);
  CHECK_FALSE(ks.contains("b"));
  CHECK_FALSE(ks.contains("a"));
  CHECK(ks.get_or_compute("c", {}, advance) == 1);
  CHECK(ks.pttl("c") == SharedInts::kNever);

  SlidingInts sliding({.clock = clock, .expire_after_access = 10ms});
  CHECK(sliding.get_or_compute(1, {}, advance) == 1);
  CHECK(sliding.pttl(1) == 10ms);
  CHECK(sliding.get_or_compute(2, SlidingInts::kNever, advance) == 1);
  CHECK(sliding.pttl(2) == 10ms);
}

TEST_CASE("a refresh with kKeep keeps the deadline of the old value", "[threads]") {
  ManualClock clock;
  SharedInts ks(clock);
  ks.set("a", 1, 10ms);
  clock.advance(6ms);
  const auto refresh = [&](const char* key, Millis time) {
    return ks.get_or_compute(
        key, kKeep,
        [&] {
          clock.advance(time);
          return 2;
        },
        5ms);
  };
  CHECK(refresh("a", 1ms) == 2);
  CHECK(ks.get("a") == 2);
  CHECK(ks.pttl("a") == 3ms);
  SECTION("or the deadline that it got during the computation") {
    CHECK(ks.get_or_compute(
              "a", kKeep,
              [&] {
                ks.pexpire("a", 1h);
                return 3;
              },
              5ms) == 3);
    CHECK(ks.pttl("a") == 1h);
  }
  SECTION("but not if the old value expires during the computation") {
    CHECK(refresh("a", 3ms) == 2);
    CHECK(ks.pttl("a") == SharedInts::kNever);
  }
  SECTION("and a missing key gets no expiry") {
    CHECK(refresh("b", 0ms) == 2);
    CHECK(ks.pttl("b") == SharedInts::kNever);
  }
}

TEST_CASE("a set with kKeep during a computation outdates it", "[threads]") {
  SharedInts ks;
  ks.set("a", 1, 10ms);
  CHECK(ks.get_or_compute(
            "a", 1h,
            [&] {
              ks.set("a", 2, kKeep);
              return 3;
            },
            10ms) == 3);
  CHECK(ks.get("a") == 2);
  CHECK(ks.pttl("a") == 10ms);
}

TEST_CASE("the ttl begins when the computation has returned", "[threads]") {
  ManualClock clock;
  SharedInts ks(clock);
  ks.get_or_compute("a", 10ms, [&] {
    clock.advance(5ms);
    return 1;
  });
  CHECK(ks.pttl("a") == 10ms);
}

TEST_CASE("one of several threads that miss a key computes its value", "[threads]") {
  constexpr int kThreads = 4;
  for (int round = 0; round != 10; ++round) {
    SharedInts ks;
    std::atomic<int> calls = 0;
    std::atomic<int> agreed = 0;
    on_threads(kThreads, [&](int) {
      agreed += ks.get_or_compute("a", 1s, [&] {
        until_waiting(kThreads - 1);
        return ++calls;
      }) == 1;
    });
    CHECK(calls == 1);
    CHECK(agreed == kThreads);
  }
}

TEST_CASE("a call during a computation of its key waits for the value", "[threads]") {
  SharedInts ks;
  Slow slow(ks, "a", 1);
  std::future<int> other = std::async(std::launch::async, [&] {
    return ks.get_or_compute("a", 1s, []() -> int { throw std::logic_error("computed twice"); });
  });
  until_waiting(1);
  CHECK(slow.finish() == 1);
  CHECK(other.get() == 1);
}

TEST_CASE("every waiting thread receives an exception, and nothing is stored", "[threads]") {
  SharedInts ks;
  std::latch has_begun(1);
  std::latch may_end(1);
  std::future<int> first = std::async(std::launch::async, [&] {
    return ks.get_or_compute("a", 1s, [&]() -> int {
      has_begun.count_down();
      may_end.wait();
      throw Blown();
    });
  });
  has_begun.wait();
  std::future<int> second = std::async(std::launch::async, [&] {
    return ks.get_or_compute("a", 1s, []() -> int { throw std::logic_error("computed twice"); });
  });
  until_waiting(1);
  may_end.count_down();
  CHECK_THROWS_AS(first.get(), Blown);
  CHECK_THROWS_AS(second.get(), Blown);
  CHECK_FALSE(ks.contains("a"));
  CHECK(ks.get_or_compute("a", 1s, [] { return 2; }) == 2);
}

TEST_CASE("a computation does not overwrite a change of its key since it began", "[threads]") {
  SharedInts ks;
  ks.set("other", 7);

  SECTION("set") {
    Slow slow(ks, "a", 1);
    ks.set("a", 2);
    CHECK(ks.get_or_compute("a", 1s, [] { return 3; }) == 2);
    CHECK(slow.finish() == 1);
    CHECK(ks.get("a") == 2);
    CHECK(ks.pttl("a") == SharedInts::kNever);
  }
  SECTION("set and erased") {
    Slow slow(ks, "a", 1);
    ks.set("a", 2);
    ks.erase("a");
    CHECK(slow.finish() == 1);
    CHECK_FALSE(ks.contains("a"));
  }
  SECTION("erased, although it was missing") {
    Slow slow(ks, "a", 1);
    CHECK_FALSE(ks.erase("a"));
    CHECK(ks.get_or_compute("a", 1s, [] { return 3; }) == 3);
    CHECK(slow.finish() == 1);
    CHECK(ks.get("a") == 3);
  }
  SECTION("getdel, although it was missing") {
    Slow slow(ks, "a", 1);
    CHECK(ks.getdel("a") == std::nullopt);
    slow.finish();
    CHECK_FALSE(ks.contains("a"));
  }
  SECTION("inserted") {
    Slow slow(ks, "a", 1);
    CHECK(ks.insert("a", 2));
    slow.finish();
    CHECK(ks.get("a") == 2);
  }
  SECTION("renamed to") {
    Slow slow(ks, "a", 1);
    CHECK(ks.rename("other", "a"));
    slow.finish();
    CHECK(ks.get("a") == 7);
  }
  SECTION("copied to") {
    Slow slow(ks, "a", 1);
    CHECK(ks.copy("other", "a"));
    slow.finish();
    CHECK(ks.get("a") == 7);
  }
  SECTION("all cleared") {
    Slow slow(ks, "a", 1);
    ks.clear();
    slow.finish();
    CHECK_FALSE(ks.contains("a"));
  }
}

TEST_CASE("a computation does not overwrite a change by a call that moves from the key",
          "[threads]") {
  SharedInts ks;
  ks.set("other", 7);
  // Computes a value for "a", and calls `change` during the computation.
  const auto change_during = [&](const auto& change) {
    ks.get_or_compute(
        "a", 1s,
        [&] {
          change(std::string("a"));
          return 1;
        },
        /*refresh_ahead=*/1h);
    return ks.get("a");
  };
  CHECK(change_during([&](std::string&& a) { ks.set(std::move(a), 2); }) == 2);
  ks.erase("a");
  CHECK(change_during([&](std::string&& a) { ks.insert(std::move(a), 3); }) == 3);
  ks.pexpire("a", 1s);
  CHECK(change_during([&](std::string&& a) { ks.replace(std::move(a), 4); }) == 4);
  ks.erase("a");
  CHECK(change_during([&](std::string&& a) { ks.copy("other", std::move(a)); }) == 7);
  ks.erase("a");
  CHECK(change_during([&](std::string&& a) { ks.rename("other", std::move(a)); }) == 7);
}

TEST_CASE("an outdated result is not stored, even if another computation is running", "[threads]") {
  ConcurrentKeyspace<int, int> ks({.shards = 1});
  CHECK(ks.get_or_compute(1, 1s, [&] {
    return 10 * ks.get_or_compute(2, 1s, [&] {
      ks.set(2, 5);
      return 3;
    });
  }) == 30);
  CHECK(ks.get(1) == 30);
  CHECK(ks.get(2) == 5);
}

TEST_CASE("an update that throws outdates a computation too", "[threads]") {
  SharedInts ks;
  ks.set("a", 1, 1s);
  const auto update = [](int& value) {
    value = 5;
    throw Blown();
  };
  CHECK(ks.get_or_compute(
            "a", 1s,
            [&] {
              CHECK_THROWS_AS(ks.update("a", update), Blown);
              return 2;
            },
            1h) == 2);
  CHECK(ks.get("a") == 5);
}

TEST_CASE("a call after an exception of a computation computes again", "[threads]") {
  for (int round = 0; round != 100; ++round) {
    SharedInts ks;
    std::atomic<int> calls = 0;
    std::atomic<int> caught = 0;
    std::atomic<int> computed_again = 0;
    on_threads(2, [&](int) {
      try {
        ks.get_or_compute("a", 1s, [&]() -> int {
          ++calls;
          until_waiting(1);
          throw Blown();
        });
      } catch (const Blown&) {
        ++caught;
        computed_again += ks.get_or_compute("a", 1s, [] { return 2; }) == 2;
      }
    });
    CHECK(calls == 1);
    CHECK(caught == 2);
    CHECK(computed_again == 2);
  }
}

TEST_CASE("a ttl of zero stores nothing, and erases a value that it refreshes", "[threads]") {
  SharedInts ks;
  CHECK(ks.get_or_compute("a", 0ms, [] { return 1; }) == 1);
  CHECK_FALSE(ks.contains("a"));
  ks.set("a", 1, 1s);
  CHECK(ks.get_or_compute(
            "a", 0ms, [] { return 2; }, 1s) == 2);
  CHECK_FALSE(ks.contains("a"));
}

TEST_CASE("a call without effect on a key does not outdate its computation", "[threads]") {
  SharedInts ks;
  ks.set("other", 7);
  Slow slow(ks, "a", 1);
  CHECK_FALSE(ks.replace("a", 2));
  CHECK_FALSE(ks.update("a", [](int&) {}));
  CHECK_FALSE(ks.pexpire("a", 0ms));
  CHECK(ks.getex("a", 1s) == std::nullopt);
  CHECK_FALSE(ks.persist("a"));
  CHECK_FALSE(ks.rename("a", "b"));
  CHECK_FALSE(ks.rename("b", "a"));
  CHECK_FALSE(ks.copy("a", "b"));
  ks.set("b", 1);
  ks.erase("b");
  CHECK(ks.get("a") == std::nullopt);
  CHECK(slow.finish() == 1);
  CHECK(ks.get("a") == 1);
}

TEST_CASE("a rename of a key to itself does not outdate its refresh", "[threads]") {
  SharedInts ks;
  ks.set("a", 1, 1s);
  CHECK(ks.get_or_compute(
            "a", 1s,
            [&] {
              CHECK(ks.rename("a", "a"));
              return 2;
            },
            1h) == 2);
  CHECK(ks.get("a") == 2);
}

TEST_CASE("a call that throws without effect does not outdate a computation", "[threads]") {
  ConcurrentKeyspace<int, Fragile<Throws::kOnCopy>> ks;
  const Fragile<Throws::kOnCopy> two(2);
  CHECK(ks.get_or_compute(1, 1s, [&] {
            Fuse::arm(0);
            CHECK_THROWS_AS(ks.set(1, two), Blown);
            Fuse::disarm();
            return Fragile<Throws::kOnCopy>(1);
          }).id() == 1);
  CHECK(ks.contains(1));
}

TEST_CASE("one call refreshes a value near its deadline, and others return the old value",
          "[threads]") {
  ManualClock clock;
  SharedInts ks(clock);
  ks.set("a", 1, 10ms);
  const auto never = []() -> int { throw std::logic_error("computed"); };
  clock.advance(4ms);
  CHECK(ks.get_or_compute("a", 10ms, never, 5ms) == 1);  // the ttl left is 6 ms
  clock.advance(1ms);
  {
    Slow slow(ks, "a", 2, 10ms, 5ms);
    CHECK(ks.get_or_compute("a", 10ms, never, 5ms) == 1);
    CHECK(ks.get_or_compute("a", 10ms, never) == 1);
    CHECK(slow.finish() == 2);
    CHECK(ks.get("a") == 2);
    CHECK(ks.pttl("a") == 10ms);
  }
  CHECK(ks.get_or_compute(
            "a", 10ms, [] { return 3; }, std::chrono::hours::max()) == 3);
  ks.persist("a");
  CHECK(ks.get_or_compute("a", 10ms, never, 1h) == 3);
}

TEST_CASE("the deadline that was set decides on a refresh, and not the idle time", "[threads]") {
  ManualClock clock;
  SlidingInts ks({.clock = clock, .expire_after_access = 10min});
  int computed = 0;
  for (int minute = 0; minute != 24 * 60; ++minute, clock.advance(1min)) {
    ks.get_or_compute(
        1, 5min, [&] { return ++computed; }, 2min);
  }
  // Computed every three minutes, when two of the five are left.
  CHECK(computed == 480);
  // The idle time alone causes no refresh.
  ks.set(2, 2);
  clock.advance(9min);
  CHECK(ks.get_or_compute(
            2, 5min, [&] { return 3; }, 2min) == 2);
  CHECK(ks.pttl(2) == 10min);
}

TEST_CASE("a failed refresh keeps the old value, and an outdated refresh does not overwrite",
          "[threads]") {
  ManualClock clock;
  SharedInts ks(clock);
  ks.set("a", 1, 10ms);
  CHECK(ks.get_or_compute(
            "a", 10ms, []() -> int { throw Blown(); }, 10ms) == 1);
  CHECK(ks.get("a") == 1);
  CHECK(ks.pttl("a") == 10ms);
  SECTION("replaced") {
    Slow slow(ks, "a", 2, 10ms, 10ms);
    CHECK(ks.replace("a", 3));
    CHECK_FALSE(ks.insert("a", 4));
    slow.finish();
    CHECK(ks.get("a") == 3);
  }
  SECTION("updated") {
    Slow slow(ks, "a", 2, 10ms, 10ms);
    CHECK(ks.update("a", [](int& value) { value = 5; }));
    slow.finish();
    CHECK(ks.get("a") == 5);
  }
  SECTION("erased by a ttl of zero") {
    Slow slow(ks, "a", 2, 10ms, 10ms);
    CHECK(ks.pexpire("a", 0ms));
    slow.finish();
    CHECK_FALSE(ks.contains("a"));
  }
  SECTION("renamed") {
    Slow slow(ks, "a", 2, 10ms, 10ms);
    CHECK(ks.rename("a", "b"));
    slow.finish();
    CHECK_FALSE(ks.contains("a"));
  }
  SECTION("given another ttl, which does not outdate the refresh") {
    Slow slow(ks, "a", 2, 10ms, 10ms);
    CHECK(ks.pexpire("a", 1h));
    CHECK_FALSE(ks.insert("a", 4));
    slow.finish();
    CHECK(ks.get("a") == 2);
    CHECK(ks.pttl("a") == 10ms);
  }
}

// A clock that moves by a millisecond at each reading.
class Hasty {
 public:
  using time_point = ManualClock::time_point;
  time_point now() const {
    clock_.advance(1ms);
    return clock_.now();
  }

 private:
  ManualClock clock_;
};

TEST_CASE("a refresh does not overwrite an insertion at the deadline of the old value",
          "[threads]") {
  for (int ttl = 1; ttl != 30; ++ttl) {
    ConcurrentKeyspace<int, int, Hasty> ks;
    ks.set(1, 1, Millis(ttl));
    ks.set(2, 2);
    bool is_inserted = false;
    bool is_copied = false;
    const bool copies = ttl % 2 == 0;
    ks.get_or_compute(
        1, 1h,
        [&] {
          if (copies) {
            is_copied = ks.copy(2, 1);
          } else {
            is_inserted = ks.insert(1, 42);
          }
          return 3;
        },
        1h);
    CAPTURE(ttl);
    CHECK(ks.get(1) == (is_inserted ? 42 : is_copied ? 2 : 3));
  }
}

TEST_CASE("a computation may compute another key, and throws if it needs its own", "[threads]") {
  SharedInts ks;
  CHECK(ks.get_or_compute("a", 1s, [&] {
    return 1 + ks.get_or_compute("b", 1s,
                                 [&] { return 1 + ks.get_or_compute("c", 1s, [] { return 1; }); });
  }) == 3);
  CHECK(ks.size() == 3);

  CHECK_THROWS_AS(ks.get_or_compute("d", 1s,
                                    [&] {
                                      return ks.get_or_compute("e", 1s, [&] {
                                        return ks.get_or_compute("d", 1s, [] { return 1; });
                                      });
                                    }),
                  RecursiveComputation);
  CHECK(ks.size() == 3);
}

TEST_CASE("keys with equal hashes have separate computations", "[threads]") {
  ConcurrentKeyspace<int, int, ManualClock, WithHash<OneHash>> ks;
  CHECK(ks.get_or_compute(1, 1s, [&] {
    return 10 + ks.get_or_compute(2, 1s,
                                  [&] { return 10 + ks.get_or_compute(3, 1s, [] { return 3; }); });
  }) == 23);
  CHECK(ks.get(1) == 23);
  CHECK(ks.get(2) == 13);
  CHECK(ks.get(3) == 3);
}

TEST_CASE("when a thread stops waiting, the waits of other threads stay registered", "[threads]") {
  SharedInts ks;
  Slow first(ks, "a", 1);
  int got = 0;
  std::jthread waits_for_first([&] { got = ks.get_or_compute("a", 1s, [] { return 9; }); });
  const std::thread::id waiter = waits_for_first.get_id();
  until_waiting(1);

  // One thread computes "y" and then needs "x". Another computes "x" and needs "y".
  std::latch y_has_begun(1);
  std::latch y_may_ask(1);
  std::thread::id computes_x;
  std::future<bool> has_caught = std::async(std::launch::async, [&] {
    bool caught = false;
    ks.get_or_compute("y", 1s, [&] {
      y_has_begun.count_down();
      y_may_ask.wait();
      // If the wait of the other thread were not registered, this call would deadlock.
      if (!internal::TestPeer::is_waiting(computes_x)) return 0;
      try {
        return ks.get_or_compute("x", 1s, [] { return 9; });
      } catch (const RecursiveComputation&) {
        caught = true;
        return 2;
      }
    });
    return caught;
  });
  y_has_begun.wait();
  std::jthread other([&] {
    ks.get_or_compute("x", 1s, [&] { return ks.get_or_compute("y", 1s, [] { return 9; }); });
  });
  computes_x = other.get_id();
  until_waiting(2);

  CHECK(first.finish() == 1);
  waits_for_first.join();
  CHECK(got == 1);
  CHECK_FALSE(internal::TestPeer::is_waiting(waiter));
  CHECK(internal::TestPeer::is_waiting(computes_x));
  y_may_ask.count_down();
  CHECK(has_caught.get());
  other.join();
  CHECK(ks.get("x") == 2);
  CHECK_FALSE(internal::TestPeer::is_waiting(computes_x));
}

TEST_CASE("computations that wait for each other across threads and keyspaces throw", "[threads]") {
  SharedInts ks;
  ConcurrentKeyspace<int, int> other;
  std::barrier both(2);
  std::atomic<int> caught = 0;
  std::atomic<int> finished = 0;
  // Each thread computes the value that the other needs.
  const auto ask = [&](auto& first, auto first_key, auto& second, auto second_key) {
    try {
      first.get_or_compute(first_key, 1s, [&] {
        both.arrive_and_wait();
        return second.get_or_compute(second_key, 1s, [] { return 1; });
      });
      ++finished;
    } catch (const RecursiveComputation&) {
      ++caught;
    }
  };
  on_threads(2, [&](int i) {
    if (i == 0) ask(ks, "a", other, 1);
    if (i == 1) ask(other, 1, ks, "a");
  });
  CHECK(caught == 2);  // one detects the cycle, and the other waited for its result
  CHECK(finished == 0);
}

TEST_CASE("a finished owner may wait for a thread that waited for it", "[threads]") {
  using internal::WaitGraph;
  const std::thread::id here = std::this_thread::get_id();
  const std::atomic<bool> is_done = GENERATE(true, false);
  const std::atomic<bool> never = false;
  std::latch waits(1);
  std::latch may_stop(1);
  std::jthread other([&] {
    const WaitGraph::Wait wait(here, is_done);
    CHECK_FALSE(wait.is_circular());
    waits.count_down();
    may_stop.wait();
  });
  waits.wait();
  // The edge of the other thread still exists, although its computation may be done.
  CHECK(WaitGraph::Wait(other.get_id(), never).is_circular() == !is_done);
  may_stop.count_down();
}

TEST_CASE("a computed value is stored although a listener throws", "[threads]") {
  using Listener = std::function<void(int, int, RemovalCause)>;
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock, WithListener<Listener>> ks(
      {.clock = clock, .listener = [](int, int, RemovalCause) { throw Blown(); }});
  ks.set(1, 1, 5ms);
  clock.advance(5ms);
  CHECK_THROWS_AS(ks.get_or_compute(1, 1s, [] { return 2; }), Blown);
  CHECK(ks.get(1) == 2);
}

}  // namespace
}  // namespace keyspace::testing
