#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/probe.h"
#include "support/support.h"

// Counts the records that the timer wheel holds and files.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;
using internal::TestPeer;
using internal::TimerRecord;

using NumberKs = Keyspace<std::uint64_t, std::uint64_t, ManualClock>;

TEST_CASE("a tag bounds the time of its record from above, to a period within nine hours") {
  constexpr std::int64_t kPeriod = 256;
  constexpr std::int64_t kWindow = kPeriod << 17;
  std::mt19937_64 random(1);
  for (int i = 0; i != 100'000; ++i) {
    const auto time = static_cast<std::int64_t>(1 + (random() >> (20 + random() % 44)));
    const auto ahead = static_cast<std::int64_t>(random() >> (24 + random() % 40));
    const bool gc_color = i % 2 == 0;
    const std::int64_t latest =
        TimerRecord::latest_time(TimerRecord::tag(gc_color, time), time + ahead);
    CAPTURE(time, ahead);
    REQUIRE(latest >= time);
    REQUIRE(latest < time + ahead + kPeriod);
    if (ahead <= kWindow - kPeriod) REQUIRE(latest < time + kPeriod);
    REQUIRE(TimerRecord(0, gc_color, time).tag() == TimerRecord::tag(gc_color, time));
    REQUIRE(TimerRecord::tag(gc_color, time) != TimerRecord::tag(!gc_color, time));
  }
}

TEST_CASE("a deadline after the record of its entry files no other record") {
  NumberKs ks;
  ks.set(1, 1, 1h);
  REQUIRE(TestPeer::records(ks) == 1);
  ks.pexpire(1, 8h);
  CHECK(TestPeer::records(ks) == 1);
  ks.pexpire(1, 2h);  // sooner, but not before the record
  CHECK(TestPeer::records(ks) == 1);
  ks.set(1, 2, 1h + 256ms);
  CHECK(TestPeer::records(ks) == 1);
  ks.getex(1, 1h - 1ms);
  CHECK(TestPeer::records(ks) == 2);
  check_invariants(ks);
  ks.clock().advance(1h - 2ms);
  CHECK(ks.erase_expired() == 0);
  ks.clock().advance(1ms);
  CHECK(ks.erase_expired() == 1);
}

TEST_CASE("a sooner deadline is kept although the tag of the old record has wrapped") {
  // Nine hours after its time, the tag of a record looks like that of a later record.
  const auto ahead = GENERATE(9h, 10h, 19h, 1000h);
  NumberKs ks;
  ks.set(1, 1, 1s);
  ks.pexpire(1, ahead);
  for (auto sooner = ahead - 1h; sooner > 2s; sooner /= 2) {
    ks.pexpire(1, sooner);
    check_invariants(ks);
    REQUIRE(ks.next_deadline() <= ks.clock().now() + sooner);
  }
  ks.pexpire(1, 2s);
  ks.clock().advance(2s);
  CHECK(ks.erase_expired() == 1);
}

TEST_CASE("a deadline is exact on both sides of the latest one that an entry itself can keep") {
  constexpr std::int64_t kEnd = std::int64_t{1} << 44;
  constexpr std::int64_t kEdges[] = {-256,     -1,       0,        1,    2,        kEnd / 2 - 1,
                                     kEnd / 2, kEnd - 2, kEnd - 1, kEnd, kEnd + 1, kEnd * 2};
  for (const std::int64_t first : kEdges) {
    for (const std::int64_t second : kEdges) {
      CAPTURE(first, second);
      NumberKs ks(ManualClock(at(-1000)));
      ks.set(1, 1, at(first));
      REQUIRE(ks.pexpiretime(1) == at(first));
      ks.pexpireat(1, at(second));
      REQUIRE(ks.pexpiretime(1) == at(second));
      check_invariants(ks);
      ks.set(1, 2, at(first));
      REQUIRE(ks.pexpiretime(1) == at(first));
      ks.getex(1, Millis{second + 1000});
      REQUIRE(ks.pexpiretime(1) == at(second));
      check_invariants(ks);
      ks.clock().set(at(second - 1));
      REQUIRE(ks.erase_expired() == 0);
      REQUIRE(ks.contains(1));
      ks.clock().set(at(second));
      REQUIRE_FALSE(ks.contains(1));
      REQUIRE(ks.erase_expired() == 1);
    }
  }
}

TEST_CASE("random deadlines of the same keys file few records") {
  constexpr std::uint64_t kKeys = 100;
  NumberKs ks;
  std::mt19937_64 random(2);
  for (std::uint64_t key = 0; key != kKeys; ++key) ks.set(key, key, 10min);
  for (std::uint64_t i = 0; i != 2000; ++i) {
    ks.pexpire(i % kKeys, Millis{1 + random() % 600'000});
  }
  // Each key gets twenty random deadlines. The n-th files a record only if it is the soonest so
  // far. The probability of that is 1/n. So each key files 3.6 records on average.
  CHECK(TestPeer::records(ks) <= kKeys * 5);
  check_invariants(ks);
}

TEST_CASE("erase_expired files no more records than its limit and a few") {
  // The deadlines are a tick apart and far away, so many records share the slots of high levels.
  constexpr std::uint64_t kKeys = 3000;
  const std::size_t limit = GENERATE(as<std::size_t>{}, 0, 1, 7, 64);
  const bool postponed = GENERATE(false, true);
  NumberKs ks;
  ks.set(kKeys, kKeys, 1ms);
  for (std::uint64_t key = 0; key != kKeys; ++key) {
    ks.set(key, key, postponed ? 40min : Millis{2'400'000 + key});
    if (postponed) ks.pexpire(key, Millis{2'400'000 + key});
  }
  ks.clock().advance(40min);
  std::size_t calls = 0;
  while (ks.next_deadline() <= ks.clock().now() && ++calls < 200) {
    std::size_t erased = 0;
    const Probed erasing([&] { erased = ks.erase_expired(limit); });
    REQUIRE(erased <= limit);
    REQUIRE(erasing[Probe::kRecordsFiled] <= limit + 16);
    if (limit == 0) break;
  }
  check_invariants(ks);
}

}  // namespace
}  // namespace keyspace::testing
