// Threads meet at latches and futures, never by waiting for time to pass.

#include <keyspace/concurrent_keyspace.h>

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "concurrent_support.h"
#include "support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using SharedInts = ConcurrentKeyspace<std::string, int, ManualClock>;

// A computation that begins on a thread of its own, and ends when it is told to.
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

TEST_CASE("get_or_compute computes what is not there, and stores it with its ttl", "[threads]") {
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

TEST_CASE("the ttl counts from when the value is there", "[threads]") {
  ManualClock clock;
  SharedInts ks(clock);
  ks.get_or_compute("a", 10ms, [&] {
    clock.advance(5ms);
    return 1;
  });
  CHECK(ks.pttl("a") == 10ms);
}

TEST_CASE("of many threads that ask for a key one computes", "[threads]") {
  constexpr int kThreads = 4;
  for (int round = 0; round != 50; ++round) {
    SharedInts ks;
    std::atomic<int> calls = 0;
    std::atomic<int> agreed = 0;
    on_threads(kThreads,
               [&](int) { agreed += ks.get_or_compute("a", 1s, [&] { return ++calls; }) == 1; });
    CHECK(calls == 1);
    CHECK(agreed == kThreads);
  }
}

TEST_CASE("who asks during a computation gets its value", "[threads]") {
  SharedInts ks;
  Slow slow(ks, "a", 1);
  std::future<int> other = std::async(std::launch::async, [&] {
    return ks.get_or_compute("a", 1s, []() -> int { throw std::logic_error("computed twice"); });
  });
  CHECK(slow.finish() == 1);
  CHECK(other.get() == 1);
}

TEST_CASE("an exception reaches all who wait, and nothing is stored", "[threads]") {
  SharedInts ks;
  std::latch has_begun(1);
  std::latch may_end(1);
  const auto ask = [&] {
    return std::async(std::launch::async, [&] {
      return ks.get_or_compute("a", 1s, [&]() -> int {
        has_begun.count_down();
        may_end.wait();
        throw Blown();
      });
    });
  };
  std::future<int> first = ask();
  has_begun.wait();
  // Whether it comes in time to join the first, or has to compute itself.
  std::future<int> second = std::async(std::launch::async, [&] {
    return ks.get_or_compute("a", 1s, []() -> int { throw Blown(); });
  });
  may_end.count_down();
  CHECK_THROWS_AS(first.get(), Blown);
  CHECK_THROWS_AS(second.get(), Blown);
  CHECK_FALSE(ks.contains("a"));
  CHECK(ks.get_or_compute("a", 1s, [] { return 2; }) == 2);
}

TEST_CASE("a computation does not overwrite what happened to its key meanwhile", "[threads]") {
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
  SECTION("set, and erased") {
    Slow slow(ks, "a", 1);
    ks.set("a", 2);
    ks.erase("a");
    CHECK(slow.finish() == 1);
    CHECK_FALSE(ks.contains("a"));
  }
  SECTION("erased, though it was not there") {
    Slow slow(ks, "a", 1);
    CHECK_FALSE(ks.erase("a"));
    CHECK(ks.get_or_compute("a", 1s, [] { return 3; }) == 3);
    CHECK(slow.finish() == 1);
    CHECK(ks.get("a") == 3);
  }
  SECTION("taken, though it was not there") {
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

TEST_CASE("nor does it overwrite what is stored under a key that was moved from", "[threads]") {
  SharedInts ks;
  ks.set("other", 7);
  // Computes a value for "a", and calls `change` meanwhile.
  const auto change_meanwhile = [&](const auto& change) {
    ks.get_or_compute(
        "a", 1s,
        [&] {
          change(std::string("a"));
          return 1;
        },
        /*refresh_ahead=*/1h);
    return ks.get("a");
  };
  CHECK(change_meanwhile([&](std::string&& a) { ks.set(std::move(a), 2); }) == 2);
  ks.erase("a");
  CHECK(change_meanwhile([&](std::string&& a) { ks.insert(std::move(a), 3); }) == 3);
  ks.pexpire("a", 1s);
  CHECK(change_meanwhile([&](std::string&& a) { ks.replace(std::move(a), 4); }) == 4);
  ks.erase("a");
  CHECK(change_meanwhile([&](std::string&& a) { ks.copy("other", std::move(a)); }) == 7);
  ks.erase("a");
  CHECK(change_meanwhile([&](std::string&& a) { ks.rename("other", std::move(a)); }) == 7);
}

TEST_CASE("a superseded value is not stored while another computation is under way", "[threads]") {
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

TEST_CASE("an update that throws has changed the key all the same", "[threads]") {
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

TEST_CASE("who got what a computation threw does not get it again", "[threads]") {
  for (int round = 0; round != 300; ++round) {
    SharedInts ks;
    std::atomic<bool> has_begun = false;
    std::atomic<int> again = 0;
    on_threads(2, [&](int thread) {
      if (thread == 1) has_begun.wait(false);
      try {
        ks.get_or_compute("a", 1s, [&]() -> int {
          if (thread == 1) return 3;  // it came too late
          has_begun = true;
          has_begun.notify_all();
          for (int i = 0; i != 100; ++i) std::this_thread::yield();
          throw Blown();
        });
      } catch (const Blown&) {
        try {
          ks.get_or_compute("a", 1s, [] { return 2; });
        } catch (const Blown&) {
          ++again;
        }
      }
    });
    CHECK(again == 0);
  }
}

TEST_CASE("a ttl of zero stores nothing, and erases what was to be refreshed", "[threads]") {
  SharedInts ks;
  CHECK(ks.get_or_compute("a", 0ms, [] { return 1; }) == 1);
  CHECK_FALSE(ks.contains("a"));
  ks.set("a", 1, 1s);
  CHECK(ks.get_or_compute(
            "a", 0ms, [] { return 2; }, 1s) == 2);
  CHECK_FALSE(ks.contains("a"));
}

TEST_CASE("what did nothing to a key does not keep a computation from being stored", "[threads]") {
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

TEST_CASE("a call that throws without effect does not keep a computation from being stored",
          "[threads]") {
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

TEST_CASE("a value near its deadline is computed anew by one, and others get the old one",
          "[threads]") {
  ManualClock clock;
  SharedInts ks(clock);
  ks.set("a", 1, 10ms);
  const auto never = []() -> int { throw std::logic_error("computed"); };
  clock.advance(4ms);
  CHECK(ks.get_or_compute("a", 10ms, never, 5ms) == 1);  // 6 ms are left
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

TEST_CASE("a value is refreshed by what was left of it, also where the expiry slides",
          "[threads]") {
  ManualClock clock;
  SharedCache<Sliding> ks(clock, {.expire_after_access = 10ms});
  ks.set(1, 1);
  int computed = 0;
  const auto get = [&] {
    return ks.get_or_compute(
        1, 10ms, [&] { return 10 + ++computed; }, 2ms);
  };
  clock.advance(7ms);
  CHECK(get() == 1);
  CHECK(ks.pttl(1) == 10ms);
  clock.advance(8ms);
  CHECK(get() == 11);
  CHECK(ks.pttl(1) == 10ms);
  CHECK(get() == 11);
}

TEST_CASE("a refresh that fails leaves the old value, and one that comes late does not overwrite",
          "[threads]") {
  ManualClock clock;
  SharedInts ks(clock);
  ks.set("a", 1, 10ms);
  CHECK_THROWS_AS(ks.get_or_compute(
                      "a", 10ms, []() -> int { throw Blown(); }, 10ms),
                  Blown);
  CHECK(ks.get("a") == 1);
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
  SECTION("erased by a ttl that is over") {
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
  SECTION("given another ttl, which is not another value") {
    Slow slow(ks, "a", 2, 10ms, 10ms);
    CHECK(ks.pexpire("a", 1h));
    CHECK_FALSE(ks.insert("a", 4));
    slow.finish();
    CHECK(ks.get("a") == 2);
    CHECK(ks.pttl("a") == 10ms);
  }
}

// A clock that is a millisecond later at each look.
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

TEST_CASE("an insertion just when the old value dies is not overwritten by its refresh",
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

TEST_CASE("a computation may ask for another key, and for its own it is told", "[threads]") {
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

TEST_CASE("computations of keys that share a hash are kept apart", "[threads]") {
  struct OneHash {
    std::size_t operator()(int) const noexcept { return 7; }
  };
  ConcurrentKeyspace<int, int, ManualClock, OneHash> ks;
  CHECK(ks.get_or_compute(1, 1s, [&] {
    return 10 + ks.get_or_compute(2, 1s,
                                  [&] { return 10 + ks.get_or_compute(3, 1s, [] { return 3; }); });
  }) == 23);
  CHECK(ks.get(1) == 23);
  CHECK(ks.get(2) == 13);
  CHECK(ks.get(3) == 3);
}

TEST_CASE("who stops to wait does not make others forget that they wait", "[threads]") {
  SharedInts ks;
  const auto until_waiting = [](std::thread::id thread) {
    while (!internal::TestPeer::is_waiting(thread)) std::this_thread::yield();
  };
  Slow first(ks, "a", 1);
  int got = 0;
  std::jthread waits_for_first([&] { got = ks.get_or_compute("a", 1s, [] { return 9; }); });
  const std::thread::id waiter = waits_for_first.get_id();
  until_waiting(waiter);

  // One thread computes "y" and then asks for "x"; another computes "x" and asks for "y".
  std::latch y_has_begun(1);
  std::latch y_may_ask(1);
  std::thread::id computes_x;
  std::future<bool> is_told = std::async(std::launch::async, [&] {
    bool told = false;
    ks.get_or_compute("y", 1s, [&] {
      y_has_begun.count_down();
      y_may_ask.wait();
      // If that were forgotten, this would wait for ever.
      if (!internal::TestPeer::is_waiting(computes_x)) return 0;
      try {
        return ks.get_or_compute("x", 1s, [] { return 9; });
      } catch (const RecursiveComputation&) {
        told = true;
        return 2;
      }
    });
    return told;
  });
  y_has_begun.wait();
  std::jthread other([&] {
    ks.get_or_compute("x", 1s, [&] { return ks.get_or_compute("y", 1s, [] { return 9; }); });
  });
  computes_x = other.get_id();
  until_waiting(computes_x);

  CHECK(first.finish() == 1);
  waits_for_first.join();
  CHECK(got == 1);
  CHECK_FALSE(internal::TestPeer::is_waiting(waiter));
  CHECK(internal::TestPeer::is_waiting(computes_x));
  y_may_ask.count_down();
  CHECK(is_told.get());
  other.join();
  CHECK(ks.get("x") == 2);
  CHECK_FALSE(internal::TestPeer::is_waiting(computes_x));
}

TEST_CASE("computations that wait for each other across threads and keyspaces are told",
          "[threads]") {
  SharedInts ks;
  ConcurrentKeyspace<int, int> other;
  std::barrier both(2);
  std::atomic<int> told = 0;
  std::atomic<int> finished = 0;
  // Each holds what the other asks for.
  const auto ask = [&](auto& first, auto first_key, auto& second, auto second_key) {
    try {
      first.get_or_compute(first_key, 1s, [&] {
        both.arrive_and_wait();
        return second.get_or_compute(second_key, 1s, [] { return 1; });
      });
      ++finished;
    } catch (const RecursiveComputation&) {
      ++told;
    }
  };
  on_threads(2, [&](int i) {
    if (i == 0) ask(ks, "a", other, 1);
    if (i == 1) ask(other, 1, ks, "a");
  });
  CHECK(told == 2);  // the one who was, and who waited for it
  CHECK(finished == 0);
}

TEST_CASE("who has computed may wait for those who waited for it", "[threads]") {
  std::atomic<int> refused = 0;
  for (int round = 0; round != 500; ++round) {
    SharedInts ks;
    std::barrier both(2);
    on_threads(2, [&](int thread) {
      try {
        if (thread == 0) {
          // Waits for "b" while it computes "a".
          ks.get_or_compute("a", 1s, [&] {
            both.arrive_and_wait();
            return ks.get_or_compute("b", 1s, [] { return 1; });
          });
        } else {
          ks.get_or_compute("b", 1s, [&] {
            both.arrive_and_wait();
            return 1;
          });
          // The other may not have noticed yet that "b" is there.
          ks.get_or_compute("a", 1s, [] { return 1; });
        }
      } catch (const RecursiveComputation&) {
        ++refused;
      }
    });
  }
  CHECK(refused == 0);
}

TEST_CASE("a listener that throws does not spoil a computation for others", "[threads]") {
  struct Observed : DefaultFeatures {
    using Listener = std::function<void(int, int, Cause)>;
  };
  ManualClock clock;
  SharedCache<Observed> ks(clock, {.listener = [](int, int, Cause) { throw Blown(); }});
  ks.set(1, 1, 5ms);
  clock.advance(5ms);
  CHECK_THROWS_AS(ks.get_or_compute(1, 1s, [] { return 2; }), Blown);
  CHECK(ks.get(1) == 2);
}

}  // namespace
}  // namespace keyspace::testing
