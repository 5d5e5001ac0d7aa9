#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

// --- One tick ---

TEST_CASE("a key is live one tick before its deadline and expired at it") {
  const Instant start =
      GENERATE(at(0), at(-1), at(-1000), at(1'700'000'000'000), at(kMin), at(kMax - 300));
  for (const Millis ttl : {1ms, 2ms, 3ms, 100ms, 255ms, 256ms, 257ms}) {
    CAPTURE(start.time_since_epoch().count(), ttl.count());
    ManualClock clock;
    clock.set(start);
    Ints ks(clock);
    ks.set(1, 1, ttl);
    CHECK(see(ks, 1) == entry(1, start + ttl));
    CHECK(ks.pttl(1) == ttl);
    clock.set(start + ttl - 1ms);
    CHECK(see(ks, 1) == entry(1, start + ttl));
    CHECK(ks.pttl(1) == 1ms);
    CHECK(ks.erase_expired() == 0);
    clock.set(start + ttl);
    CHECK(see(ks, 1) == std::nullopt);
    CHECK(ks.erase_expired() == 1);
  }
}

// --- Sums that are out of range ---

struct Sum {
  std::int64_t now;
  std::int64_t ttl;
  std::int64_t deadline;  // kMax: persistent; kOver: not after now
  std::int64_t pttl;      // kMax: persistent
};
constexpr std::int64_t kOver = kMin;

constexpr Sum kSums[] = {
    // At the time zero, each ttl equals its deadline.
    {0, kMin, kOver, 0},
    {0, kMin + 1, kOver, 0},
    {0, -1, kOver, 0},
    {0, 0, kOver, 0},
    {0, 1, 1, 1},
    {0, kMax - 2, kMax - 2, kMax - 2},
    {0, kMax - 1, kMax - 1, kMax - 1},
    {0, kMax, kMax, kMax},
    // After zero the sum saturates one tick before never.
    {1, kMax - 3, kMax - 2, kMax - 3},
    {1, kMax - 2, kMax - 1, kMax - 2},
    {1, kMax - 1, kMax - 1, kMax - 2},
    {1, kMax, kMax, kMax},
    {1, kMin, kOver, 0},
    {1'700'000'000'000, kMax - 1, kMax - 1, kMax - 1 - 1'700'000'000'000},
    {1'700'000'000'000, kMin, kOver, 0},
    {kMax - 2, 1, kMax - 1, 1},
    {kMax - 2, 2, kMax - 1, 1},
    {kMax - 2, kMax - 1, kMax - 1, 1},
    {kMax - 2, kMax, kMax, kMax},
    {kMax - 2, 0, kOver, 0},
    {kMax - 2, kMin, kOver, 0},
    // One tick before never, the largest finite deadline is not after now.
    {kMax - 1, 1, kOver, 0},
    {kMax - 1, kMax - 1, kOver, 0},
    {kMax - 1, kMax, kMax, kMax},
    // Below zero.
    {-1, 0, kOver, 0},
    {-1, 1, 0, 1},
    {-1, 2, 1, 2},
    {-1, kMax - 1, kMax - 2, kMax - 1},
    {-1, kMax, kMax, kMax},
    {-1, kMin, kOver, 0},
    {-1'000'000, 1'000'000, 0, 1'000'000},
    {-1'000'000, 999'999, -1, 999'999},
    {kMin, 0, kOver, 0},
    {kMin, -1, kOver, 0},
    {kMin, kMin, kOver, 0},
    {kMin, 1, kMin + 1, 1},
    {kMin, 2, kMin + 2, 2},
    {kMin, kMax - 1, -2, kMax - 1},
    {kMin, kMax, kMax, kMax},
    {kMin + 1, 1, kMin + 2, 1},
    {kMin + 1, kMax - 1, -1, kMax - 1},
    {kMin / 2, kMax - 1, kMax / 2 - 1, kMax - 1},
};

// The four calls that take a ttl agree on the sum.
template <class SetTtl>
void check_sums(const SetTtl& set_ttl) {
  for (const Sum& row : kSums) {
    CAPTURE(row.now, row.ttl);
    ManualClock clock;
    clock.set(at(row.now));
    Ints ks(clock);
    set_ttl(ks, Millis{row.ttl});
    if (row.deadline == kOver) {
      CHECK(see(ks, 1) == std::nullopt);
      CHECK(ks.volatile_size() == 0);
    } else {
      CHECK(see(ks, 1) == entry(1, at(row.deadline)));
      CHECK(ks.pttl(1) == Millis{row.pttl});
      CHECK(ks.volatile_size() == (row.deadline == kMax ? 0 : 1));
      CHECK(ks.erase_expired() == 0);
      if (row.deadline == kMax) continue;
      REQUIRE(ks.next_deadline().has_value());
      CHECK(*ks.next_deadline() <= at(row.deadline));
      clock.set(at(row.deadline - 1));
      CHECK(ks.erase_expired() == 0);
      CHECK(ks.contains(1));
      clock.set(at(row.deadline));
      CHECK(ks.erase_expired() == 1);
    }
  }
}

TEST_CASE("set adds a ttl to any time of the clock without an overflow") {
  check_sums([](Ints& ks, Millis ttl) { ks.set(1, 1, ttl); });
}
TEST_CASE("insert and replace add a ttl to any time of the clock without an overflow") {
  check_sums([](Ints& ks, Millis ttl) {
    CHECK(ks.insert(1, 0));
    CHECK(ks.replace(1, 1, ttl));
  });
  check_sums([](Ints& ks, Millis ttl) { CHECK(ks.insert(1, 1, ttl)); });
}
TEST_CASE("pexpire adds a ttl to any time of the clock without an overflow") {
  check_sums([](Ints& ks, Millis ttl) {
    ks.set(1, 1);
    CHECK(ks.pexpire(1, ttl));
  });
}
TEST_CASE("getex adds a ttl to any time of the clock without an overflow") {
  check_sums([](Ints& ks, Millis ttl) {
    ks.set(1, 1);
    static_cast<void>(ks.getex(1, ttl));
  });
}

TEST_CASE("a ttl too large for milliseconds is the largest finite one, not kNever") {
  const auto check = [](auto ttl) {
    Ints ks;
    ks.set(1, 1, ttl);
    CHECK(see(ks, 1) == entry(1, kLastDeadline));
    ks.set(2, 2);
    CHECK(ks.pexpire(2, ttl));
    CHECK(see(ks, 2) == entry(2, kLastDeadline));
    CHECK(ks.insert(3, 3, ttl));
    CHECK(ks.replace(3, 3, ttl));
    CHECK(ks.getex(3, ttl) != nullptr);
    CHECK(see(ks, 3) == entry(3, kLastDeadline));
    ks.clock().set(at(1'000'000));
    CHECK(ks.pexpire(1, ttl));
    CHECK(see(ks, 1) == entry(1, kLastDeadline));
    CHECK(ks.volatile_size() == 3);
    CHECK(ks.erase_expired() == 0);
  };
  check(std::chrono::seconds::max());
  check(std::chrono::minutes::max());
  check(std::chrono::hours::max());
  check(std::chrono::days::max());
  check(std::chrono::seconds{kMax / 1000 + 1});
  check(std::chrono::years{std::numeric_limits<std::chrono::years::rep>::max()});
}

TEST_CASE("the largest ttl that fits is exact in coarser units too") {
  Ints ks;
  ks.set(1, 1, std::chrono::seconds{kMax / 1000});
  CHECK(see(ks, 1) == entry(1, at(kMax / 1000 * 1000)));
}

TEST_CASE("a ttl too small for milliseconds is over") {
  Ints ks;
  ks.clock().set(at(-1'000'000));
  ks.set(1, 1);
  CHECK(ks.pexpire(1, std::chrono::hours::min()));
  CHECK_FALSE(ks.contains(1));
  ks.set(1, 1, std::chrono::seconds::min());
  CHECK_FALSE(ks.contains(1));
  ks.clock().set(at(kMin));
  ks.set(1, 1, std::chrono::days::min());
  CHECK_FALSE(ks.contains(1));
}

TEST_CASE("a deadline too large for milliseconds is the largest finite one") {
  using HourPoint = std::chrono::time_point<Instant::clock, std::chrono::hours>;
  Ints ks;
  ks.set(1, 1, HourPoint::max());
  CHECK(see(ks, 1) == entry(1, kLastDeadline));
  ks.set(2, 2);
  CHECK(ks.pexpireat(2, HourPoint::max()));
  CHECK(see(ks, 2) == entry(2, kLastDeadline));
  CHECK(ks.pexpireat(2, HourPoint::min()));
  CHECK_FALSE(ks.contains(2));
  CHECK(ks.insert(3, 3, HourPoint{1h}));
  CHECK(see(ks, 3) == entry(3, at(3'600'000)));
}

TEST_CASE("the conditions compare saturated deadlines") {
  Ints ks;
  ks.clock().set(at(100));
  ks.set(1, 1, std::chrono::hours::max());
  CHECK_FALSE(ks.pexpire(1, Millis::max() - 1ms, Condition::kGt));
  CHECK_FALSE(ks.pexpire(1, Millis::max() - 1ms, Condition::kLt));
  CHECK_FALSE(ks.pexpireat(1, kLastDeadline, Condition::kGt));
  CHECK(ks.pexpireat(1, Instant::max(), Condition::kGt));
  CHECK(see(ks, 1) == entry(1));
  CHECK(ks.pexpire(1, std::chrono::hours::max(), Condition::kLt));
  CHECK(see(ks, 1) == entry(1, kLastDeadline));
}

TEST_CASE("pttl saturates below kNever when the remaining time does not fit") {
  ManualClock clock;
  clock.set(at(0));
  Ints ks(clock);
  ks.set(1, 1, kLastDeadline);
  for (const std::int64_t now : {std::int64_t{-1}, std::int64_t{-1'000'000}, kMin / 2, kMin}) {
    CAPTURE(now);
    clock.set(at(now));
    CHECK(ks.pttl(1) == Millis{kMax - 1});
    CHECK(ks.pexpiretime(1) == kLastDeadline);
  }
}

// --- The whole range of deadlines ---

// Powers of two and their neighbours on both sides of zero, sorted.
std::vector<std::int64_t> spread() {
  std::vector<std::int64_t> deadlines = {kMin + 1, kMin + 2, kMin + 3, 0,
                                         kMax - 1, kMax - 2, kMax - 3};
  for (int bit = 0; bit <= 62; ++bit) {
    const std::int64_t power = std::int64_t{1} << bit;
    for (const std::int64_t off : {-1, 0, 1}) {
      deadlines.push_back(power + off);
      deadlines.push_back(-power + off);
      deadlines.push_back(kMin + power + off);
      deadlines.push_back(kMax - power + off);
    }
  }
  std::sort(deadlines.begin(), deadlines.end());
  deadlines.erase(std::unique(deadlines.begin(), deadlines.end()), deadlines.end());
  std::erase(deadlines, kMin);
  std::erase(deadlines, kMax);
  return deadlines;
}

TEST_CASE("every deadline is exact when the clock jumps straight to it") {
  for (const std::int64_t start : {kMin, std::int64_t{-1'000'000'007}, std::int64_t{0}}) {
    for (const std::int64_t deadline : spread()) {
      if (deadline <= start + 1) continue;
      CAPTURE(start, deadline);
      ManualClock clock;
      clock.set(at(start));
      Ints ks(clock);
      ks.set(1, 1, at(deadline));
      REQUIRE(ks.pexpiretime(1) == at(deadline));
      clock.set(at(deadline - 1));
      REQUIRE(ks.erase_expired() == 0);
      REQUIRE(ks.contains(1));
      clock.set(at(deadline));
      REQUIRE_FALSE(ks.contains(1));
      REQUIRE(ks.erase_expired() == 1);
    }
  }
}

TEST_CASE("every deadline is exact when the clock walks past all of them") {
  const std::vector<std::int64_t> deadlines = spread();
  const bool postponed = GENERATE(false, true);
  ManualClock clock;
  clock.set(at(kMin));
  Ints ks(clock);
  for (std::size_t i = 0; i < deadlines.size(); ++i) {
    const int key = static_cast<int>(i);
    if (postponed) {
      ks.set(key, key, at(kMin + 1));
      CHECK(ks.pexpireat(key, at(deadlines[i])));
    } else {
      ks.set(key, key, at(deadlines[i]));
    }
  }
  for (std::size_t i = 0; i < deadlines.size(); ++i) {
    const int key = static_cast<int>(i);
    CAPTURE(deadlines[i]);
    clock.set(at(deadlines[i] - 1));
    REQUIRE(ks.erase_expired() == 0);
    REQUIRE(ks.pexpiretime(key) == at(deadlines[i]));
    REQUIRE(ks.next_deadline().has_value());
    REQUIRE(*ks.next_deadline() <= at(deadlines[i]));
    clock.set(at(deadlines[i]));
    REQUIRE(ks.erase_expired() == 1);
  }
  CHECK(ks.empty());
}

TEST_CASE("a keyspace that was made at the latest time works at the earliest") {
  ManualClock clock;
  clock.set(kLastDeadline);
  Ints ks(clock);
  ks.set(1, 1);
  ks.set(2, 2, 1ms);
  CHECK_FALSE(ks.contains(2));
  clock.set(at(kMin));
  ks.set(2, 2, 1ms);
  ks.set(3, 3, at(kMin + 1'000'000));
  CHECK(ks.next_deadline().has_value());
  CHECK(*ks.next_deadline() <= at(kMin + 1));
  clock.set(at(kMin + 1));
  CHECK(ks.erase_expired() == 1);
  CHECK(see(ks, 3) == entry(3, at(kMin + 1'000'000)));
  clock.set(kLastDeadline);
  CHECK(ks.erase_expired() == 1);
  CHECK(see(ks, 1) == entry(1));
}

TEST_CASE("a persistent key is live at every time of the clock") {
  Ints ks;
  ks.set(1, 1);
  for (const std::int64_t now : {kMin, std::int64_t{-1}, std::int64_t{0}, kMax - 1}) {
    ks.clock().set(at(now));
    CHECK(ks.erase_expired() == 0);
    CHECK(see(ks, 1) == entry(1));
    CHECK(ks.pttl(1) == Ints::kNever);
  }
}

}  // namespace
}  // namespace keyspace::testing
