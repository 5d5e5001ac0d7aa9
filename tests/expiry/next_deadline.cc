#include <algorithm>
#include <chrono>
#include <string>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("next_deadline is empty exactly when nothing is volatile") {
  Ints ks;
  CHECK(ks.next_deadline() == std::nullopt);
  ks.set(1, 1);
  CHECK(ks.next_deadline() == std::nullopt);
  ks.set(2, 2, 10ms);
  CHECK(ks.next_deadline().has_value());
  CHECK(ks.persist(2));
  CHECK(ks.next_deadline() == std::nullopt);
  CHECK(ks.pexpire(1, 10ms));
  CHECK(ks.next_deadline().has_value());
  CHECK(ks.erase(1));
  CHECK(ks.next_deadline() == std::nullopt);
  ks.set(3, 3, 10ms);
  ks.clock().advance(10ms);
  CHECK(ks.next_deadline().has_value());  // expired, but stored
  CHECK(ks.erase_expired() == 1);
  CHECK(ks.next_deadline() == std::nullopt);
}

TEST_CASE("next_deadline is exact where few deadlines lie together, however far away") {
  for (const Millis ttl : {10ms, 300ms, 70'000ms, 20'000'000ms, 5'000'000'000ms}) {
    Ints ks;
    ks.clock().set(at(1000));
    for (int key = 0; key != 3; ++key) ks.set(key, 0, ttl + Millis(key));
    CHECK(ks.next_deadline() == at(1000) + ttl);
    // After the soonest entry is erased, the timer wheel must find the next one.
    ks.clock().advance(ttl);
    CHECK(ks.erase_expired() == 1);
    CHECK(ks.next_deadline() == at(1001) + ttl);
    ks.set(4, 0, ttl);
    ks.clock().advance(2ms);
    CHECK(ks.erase_expired() == 2);
    CHECK(ks.next_deadline() == at(1000) + 2 * ttl);
  }
}

TEST_CASE("next_deadline is never later than the earliest deadline") {
  Ints ks;
  ks.clock().set(at(1000));
  for (const int ttl : {100'000, 5'000, 70'000, 300, 256, 400, 100, 99, 101, 1}) {
    ks.set(ttl, 0, Millis{ttl});
    Instant earliest = kNoDeadline;
    ks.for_each([&](int, int, Instant deadline) { earliest = std::min(earliest, deadline); });
    REQUIRE(ks.next_deadline().has_value());
    CHECK(*ks.next_deadline() <= earliest);
  }
  ks.clock().set(at(1050));
  REQUIRE(ks.next_deadline().has_value());
  CHECK(*ks.next_deadline() <= at(1001));  // key 1 is expired but stored
}

// Sleeps until next_deadline and erases, over and over, as an event loop does. Returns how often it
// woke. Checks that each key is erased at its own deadline.
template <class Ks>
std::size_t run_until_nothing_is_volatile(Ks& ks, std::size_t most_wakes) {
  std::size_t wakes = 0;
  while (const auto next = ks.next_deadline()) {
    REQUIRE(++wakes <= most_wakes);
    Instant earliest = kNoDeadline;
    ks.for_each([&](int, int, Instant deadline) { earliest = std::min(earliest, deadline); });
    REQUIRE(*next <= earliest);
    ks.clock().set(std::max(*next, ks.clock().now()));
    ks.erase_expired();
    REQUIRE(ks.size() == live_count(ks));
  }
  return wakes;
}

TEST_CASE("a loop that wakes at next_deadline erases every key on time and ends") {
  Ints ks;
  const Instant start = GENERATE(at(0), at(-70'000), at(1'700'000'000'123));
  ks.clock().set(start);
  ks.set(-1, 0);
  for (int i = 0; i < 200; ++i) ks.set(i, i, Millis{1 + (std::int64_t{1} << (i % 40)) + i});
  // A lower bound may wake early, but only a bounded number of times for each key.
  run_until_nothing_is_volatile(ks, 200 * 10);
  CHECK(ks.size() == 1);
}

TEST_CASE("a loop that wakes at next_deadline ends although there are stale records") {
  Ints ks;
  for (int i = 0; i < 100; ++i) ks.set(i, i, Millis{10 + i});
  for (int i = 0; i < 100; ++i) {
    if (i % 4 == 0) CHECK(ks.erase(i));
    if (i % 4 == 1) CHECK(ks.pexpire(i, Millis{100'000 + i}));
    if (i % 4 == 2) CHECK(ks.persist(i));
    if (i % 4 == 3) CHECK(ks.pexpire(i, 5ms));
  }
  run_until_nothing_is_volatile(ks, 2000);
  CHECK(ks.size() == 25);
}

TEST_CASE("a loop that wakes at next_deadline reaches the latest deadline") {
  Ints ks;
  ks.set(1, 1, Millis::max() - 1ms);
  ks.set(2, 2, std::chrono::hours::max());
  ks.set(3, 3, at(std::int64_t{1} << 62));
  run_until_nothing_is_volatile(ks, 100);
  CHECK(ks.clock().now() == kLastDeadline);
  CHECK(ks.empty());
}

TEST_CASE("next_deadline becomes sooner when a call gives a sooner deadline") {
  Ints ks;
  ks.set(1, 1, 1000ms);
  ks.set(2, 2, 1000ms);
  CHECK(ks.pexpire(2, 10ms));
  REQUIRE(ks.next_deadline().has_value());
  CHECK(*ks.next_deadline() <= at(10));
  ks.set(3, 3, 5ms);
  CHECK(*ks.next_deadline() <= at(5));
  CHECK(ks.copy(3, 4));
  CHECK(ks.erase(3));
  CHECK(*ks.next_deadline() <= at(5));
  CHECK(ks.rename(4, 5));
  CHECK(*ks.next_deadline() <= at(5));
}

}  // namespace
}  // namespace keyspace::testing
