#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("erase_expired erases expired entries and no others") {
  Ints ks;
  for (int i = 1; i <= 1000; ++i) ks.set(i, i, Millis{i});
  ks.set(0, 0);
  CHECK(ks.erase_expired() == 0);
  ks.clock().set(at(400));
  CHECK(ks.erase_expired() == 400);
  CHECK(ks.size() == 601);
  CHECK(ks.volatile_size() == 600);
  CHECK(see(ks, 400) == std::nullopt);
  CHECK(see(ks, 401) == entry(401, at(401)));
  CHECK(ks.erase_expired() == 0);
  ks.clock().set(at(100'000));
  CHECK(ks.erase_expired() == 600);
  CHECK(ks.size() == 1);
  CHECK(see(ks, 0) == entry(0));
}

TEST_CASE("erase_expired is exact to the millisecond at every distance") {
  // The distances cover all levels of the timer wheel. Some starts are not at the boundary of a
  // slot.
  std::vector<Millis> distances;
  for (int bit = 0; bit < 42; ++bit) {
    for (const int off : {-1, 0, 1}) distances.emplace_back((std::int64_t{1} << bit) + off);
  }
  for (const Instant start : {at(0), at(255), at(1'700'000'000'123), at(-1000)}) {
    for (const Millis distance : distances) {
      if (distance <= 0ms) continue;
      CAPTURE(start.time_since_epoch().count(), distance.count());
      ManualClock clock;
      clock.set(start);
      Ints ks(clock);
      ks.set(1, 1, distance);
      ks.set(2, 2, distance + 1ms);
      clock.set(start + distance - 1ms);
      REQUIRE(ks.erase_expired() == 0);
      REQUIRE(ks.contains(1));
      clock.advance(1ms);
      REQUIRE(ks.erase_expired() == 1);
      REQUIRE(ks.contains(2));
      clock.advance(1ms);
      REQUIRE(ks.erase_expired() == 1);
      REQUIRE(ks.empty());
    }
  }
}

TEST_CASE("erase_expired erases in steps what it would erase at once") {
  for (const std::int64_t step : {1, 7, 255, 256, 257, 1000, 65'536, 100'000}) {
    CAPTURE(step);
    Ints ks;
    for (int i = 1; i <= 2000; ++i) ks.set(i, i, Millis{i * 50});
    std::size_t erased = 0;
    while (ks.clock().now() < at(100'000)) {
      ks.clock().advance(Millis{step});
      erased += ks.erase_expired();
      const std::int64_t now = ks.clock().now().time_since_epoch().count();
      REQUIRE(erased == static_cast<std::size_t>(std::min<std::int64_t>(now / 50, 2000)));
      REQUIRE(ks.size() == 2000 - erased);
    }
    CHECK(ks.empty());
  }
}

TEST_CASE("erase_expired erases at most its limit") {
  Ints ks;
  for (int i = 0; i < 100; ++i) ks.set(i, i, 10ms);
  ks.clock().set(at(10));
  CHECK(ks.erase_expired(0) == 0);
  CHECK(ks.size() == 100);
  std::size_t erased = 0;
  for (int calls = 0; ks.next_deadline() && *ks.next_deadline() <= at(10); ++calls) {
    REQUIRE(calls < 10'000);
    const std::size_t before = ks.size();
    const std::size_t n = ks.erase_expired(7);
    CHECK(n <= 7);
    CHECK(ks.size() == before - n);
    erased += n;
  }
  CHECK(erased == 100);
  CHECK(ks.empty());
}

TEST_CASE("erase_expired with a limit of one erases what is due at every distance") {
  // Moves inside the timer wheel count against the limit. So a call may erase nothing and still
  // make progress. next_deadline() shows when nothing is left to do.
  Ints ks;
  for (int i = 0; i < 300; ++i) ks.set(i, i, Millis{std::int64_t{1} << (i % 40)});
  ks.set(-1, -1, Millis{std::int64_t{1} << 50});
  ks.clock().set(at(std::int64_t{1} << 41));
  std::size_t erased = 0;
  for (int calls = 0; ks.next_deadline() && *ks.next_deadline() <= ks.clock().now(); ++calls) {
    REQUIRE(calls < 100'000);
    const std::size_t n = ks.erase_expired(1);
    REQUIRE(n <= 1);
    erased += n;
  }
  CHECK(erased == 300);
  CHECK(ks.size() == 1);
  CHECK(see(ks, -1) == entry(-1, at(std::int64_t{1} << 50)));
}

TEST_CASE("no entry is lost if entries change after erase_expired has stopped at its limit") {
  Ints ks;
  for (int i = 0; i < 500; ++i) ks.set(i, i, Millis{1000 + i % 5});
  ks.clock().set(at(1002));
  ks.erase_expired(50);
  // Half of the entries that are still live get a later deadline.
  for (int i = 0; i < 500; ++i) {
    if (ks.contains(i) && i % 2 == 0) REQUIRE(ks.pexpireat(i, at(5000 + i)));
  }
  ks.erase_expired(50);
  ks.erase_expired();
  for (int i = 0; i < 500; ++i) {
    CAPTURE(i);
    if (i % 5 <= 2) {
      CHECK_FALSE(ks.contains(i));
    } else {
      CHECK(see(ks, i) == entry(i, i % 2 == 0 ? at(5000 + i) : at(1000 + i % 5)));
    }
  }
  CHECK(ks.size() == 200);
  ks.clock().set(at(1004));
  CHECK(ks.erase_expired() == 100);
  ks.clock().set(at(5499));
  CHECK(ks.erase_expired() == 100);
  CHECK(ks.empty());
}

TEST_CASE("erase_expired follows a deadline that moved later or sooner") {
  Ints ks;
  ks.set(1, 1, 100ms);
  ks.set(2, 2, 100ms);
  ks.set(3, 3, 100ms);
  CHECK(ks.pexpire(1, 300ms));
  CHECK(ks.pexpire(2, 50ms));
  ks.clock().set(at(50));
  CHECK(ks.erase_expired() == 1);
  CHECK_FALSE(ks.contains(2));
  ks.clock().set(at(100));
  CHECK(ks.erase_expired() == 1);
  CHECK_FALSE(ks.contains(3));
  ks.clock().set(at(299));
  CHECK(ks.erase_expired() == 0);
  ks.clock().set(at(300));
  CHECK(ks.erase_expired() == 1);
  CHECK(ks.empty());
}

TEST_CASE("erase_expired follows a deadline that moved back and forth") {
  // Later, sooner than the first, later again: some of the changes leave a stale record.
  Ints ks;
  ks.set(1, 1, 100ms);
  for (const int ttl : {300, 80, 80, 400, 300, 90, 1000, 70'000, 95, 500}) {
    REQUIRE(ks.pexpire(1, Millis{ttl}));
    REQUIRE(ks.volatile_size() == 1);
  }
  for (int now = 0; now < 500; ++now) {
    ks.clock().set(at(now));
    REQUIRE(ks.erase_expired() == 0);
    REQUIRE(see(ks, 1) == entry(1, at(500)));
  }
  ks.clock().set(at(500));
  CHECK(ks.erase_expired() == 1);
}

TEST_CASE("erase_expired finds nothing in an empty or persistent keyspace") {
  Ints ks;
  CHECK(ks.erase_expired() == 0);
  CHECK(ks.erase_expired(5) == 0);
  ks.set(1, 1);
  ks.clock().set(kLastDeadline);
  CHECK(ks.erase_expired() == 0);
  CHECK(ks.contains(1));
}

}  // namespace
}  // namespace keyspace::testing
