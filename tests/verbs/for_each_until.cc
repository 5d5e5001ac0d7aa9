#include <keyspace/cache.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/invariants.h"
#include "support/probe.h"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

// Records whose times are this far apart have the same tag.
constexpr Millis kOneTag{std::int64_t{256} << 17};

using CollidingInts = Keyspace<int, int, ManualClock, WithHash<OneHash>>;
using SharedDeadlines = ConcurrentKeyspace<int, int, ManualClock>;
using Visits = std::vector<std::pair<Instant, int>>;

// Returns the deadlines and keys in the order of the visits.
template <class Ks>
Visits visits_until(const Ks& ks, Instant until) {
  Visits visits;
  ks.for_each_until(until,
                    [&](int key, int, Instant deadline) { visits.emplace_back(deadline, key); });
  return visits;
}

// Does for_each_until() with for_each(). Sorts entries with the same deadline by their keys.
template <class Ks>
Visits expected_until(const Ks& ks, Instant until) {
  Visits visits;
  ks.for_each([&](int key, int, Instant deadline) {
    if (deadline != kNoDeadline && deadline <= until) visits.emplace_back(deadline, key);
  });
  std::sort(visits.begin(), visits.end());
  return visits;
}

// Compares the visits with what for_each() shows.
template <class Ks>
void check_until(const Ks& ks, Instant until) {
  CAPTURE(until.time_since_epoch().count());
  Visits visits = visits_until(ks, until);
  REQUIRE(std::is_sorted(visits.begin(), visits.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; }));
  std::sort(visits.begin(), visits.end());
  REQUIRE(visits == expected_until(ks, until));
}

template <class Ks>
void check_all(const Ks& ks) {
  const Visits all = expected_until(ks, Instant::max());
  check_until(ks, Instant::max());
  check_until(ks, Instant::min());
  for (std::size_t i = 0; i < all.size(); i += 1 + all.size() / 8) {
    const Instant deadline = all[i].first;
    if (deadline != Instant::min()) check_until(ks, deadline - 1ms);
    check_until(ks, deadline);
    check_until(ks, deadline + 1ms);
  }
}

TEMPLATE_TEST_CASE("for_each_until visits the entries that expire until then, the soonest first",
                   "", Ints, CollidingInts, SharedDeadlines) {
  TestType ks;
  CHECK(visits_until(ks, Instant::max()).empty());
  ks.set(0, 0);
  CHECK(visits_until(ks, Instant::max()).empty());
  for (const int key : {3, 1, 4, 5, 2}) ks.set(key, 10 * key, Millis{100 * key});
  const Visits all = {{at(100), 1}, {at(200), 2}, {at(300), 3}, {at(400), 4}, {at(500), 5}};
  CHECK(visits_until(ks, at(99)).empty());
  CHECK(visits_until(ks, at(100)) == Visits(all.begin(), all.begin() + 1));
  CHECK(visits_until(ks, at(299)) == Visits(all.begin(), all.begin() + 2));
  CHECK(visits_until(ks, at(300)) == Visits(all.begin(), all.begin() + 3));
  CHECK(visits_until(ks, at(301)) == Visits(all.begin(), all.begin() + 3));
  CHECK(visits_until(ks, at(500)) == all);
  CHECK(visits_until(ks, Instant::max()) == all);
  ks.for_each_until(at(500),
                    [](const int& key, const int& value, Instant) { CHECK(value == 10 * key); });
}

TEMPLATE_TEST_CASE("for_each_until visits no expired entry although it is stored", "", Ints,
                   SharedDeadlines) {
  TestType ks;
  for (int i = 1; i <= 20; ++i) ks.set(i, i, at(i));
  ks.set(0, 0);
  for (int now = 0; now <= 21; ++now) {
    ks.clock().set(at(now));
    const Visits visits = visits_until(ks, at(15));
    REQUIRE(visits.size() == static_cast<std::size_t>(std::max(15 - now, 0)));
    if (now < 15) REQUIRE(visits.front() == std::pair(at(now + 1), now + 1));
  }
  CHECK(ks.size() == 21);
}

TEMPLATE_TEST_CASE("for_each_until visits no persistent entry", "", Ints, CollidingInts,
                   SharedDeadlines) {
  TestType ks;
  for (int key = 0; key != 9; ++key) ks.set(key, 0);
  ks.set(3, 0, 10ms);
  ks.set(4, 0, TestType::kNever);
  ks.set(5, 0, 10ms);
  CHECK(ks.persist(5));  // its record is stale
  ks.set(6, 0, 10ms);
  ks.set(6, 0);
  ks.set(7, 0, 20ms);
  CHECK(ks.pexpireat(7, kNoDeadline));
  CHECK(visits_until(ks, kNoDeadline) == Visits{{at(10), 3}});
}

TEST_CASE("for_each_until visits deadlines on all levels of the timer wheel in their order") {
  std::mt19937_64 random(1);
  for (const Instant start :
       {at(0), at(-70'000), at(1'700'000'000'123), at(-(std::int64_t{1} << 62))}) {
    Ints ks;
    ks.clock().set(start);
    for (int key = 0; key != 3000; ++key) {
      const auto span = static_cast<std::int64_t>(random() >> (random() % 60 + 4));
      ks.set(key, key, Millis{1 + span});
      if (key % 10 == 0) ks.persist(key);
    }
    check_all(ks);
    for (int i = 0; i != 30; ++i) {
      const auto next = ks.next_deadline();
      REQUIRE(next.has_value());
      ks.clock().set(std::max(ks.clock().now(), *next) +
                     Millis{static_cast<std::int64_t>(random() >> (random() % 30 + 34))});
      if (i % 2 == 0) check_all(ks);  // the wheel is behind the clock
      ks.erase_expired(i % 3 == 0 ? 20 : ks.size());
      check_all(ks);
    }
    check_invariants(ks);
  }
}

TEST_CASE("for_each_until visits the earliest and the latest possible deadlines") {
  Ints ks;
  ks.clock().set(Instant::min());
  const std::array deadlines = {Instant::min() + 1ms,
                                Instant::min() + 2ms,
                                at(-1),
                                at(0),
                                at(1),
                                at(std::int64_t{1} << 44),
                                at(std::int64_t{1} << 62),
                                kLastDeadline - 1ms,
                                kLastDeadline};
  Visits all;
  for (const Instant deadline : deadlines) {
    const int key = static_cast<int>(all.size());
    ks.set(key, 0, deadline);
    all.emplace_back(deadline, key);
  }
  ks.set(100, 0);
  for (std::size_t now = 0; now != deadlines.size(); ++now) {
    for (std::size_t until = now; until != deadlines.size(); ++until) {
      CHECK(visits_until(ks, deadlines[until]) ==
            Visits(all.begin() + static_cast<std::ptrdiff_t>(now),
                   all.begin() + static_cast<std::ptrdiff_t>(until) + 1));
    }
    CHECK(visits_until(ks, Instant::max()).size() == all.size() - now);
    CHECK(visits_until(ks, Instant::min()).empty());
    ks.clock().set(deadlines[now]);
    if (now % 2 == 0) ks.erase_expired();
  }
  CHECK(visits_until(ks, Instant::max()).empty());
}

TEMPLATE_TEST_CASE("for_each_until uses the deadline that was set last", "", Ints, CollidingInts) {
  TestType ks;
  ks.clock().set(at(1000));
  for (int key = 0; key != 50; ++key) ks.set(key, key, Millis{10 + key});
  for (int key = 0; key != 50; ++key) {
    // Postponed entries keep their records, which are then before their deadlines.
    for (int i = 1; i != 20; ++i) REQUIRE(ks.pexpire(key, Millis{10 + key + i * (key % 7) * 100}));
  }
  check_all(ks);
  for (int key = 0; key < 50; key += 3) REQUIRE(ks.pexpire(key, Millis{60 - key}));
  check_all(ks);
  for (int i = 0; i != 40; ++i) {
    ks.clock().advance(50ms);
    check_all(ks);
    ks.erase_expired(5);
    check_all(ks);
    check_invariants(ks);
  }
}

TEMPLATE_TEST_CASE("for_each_until visits an entry once although several records match it", "",
                   Ints, CollidingInts) {
  TestType ks;
  for (int i = 0; i != 300; ++i) {
    for (const int key : {1, 2, 3}) {
      ks.set(key, 0, 300ms + Millis{i % 5});
      ks.set(key, 0, 200ms);
      ks.set(key, 0, 300ms);
      ks.pexpire(key, 310ms);  // filed early
    }
  }
  REQUIRE(internal::TestPeer::records(ks) > 500);
  check_all(ks);
  CHECK(visits_until(ks, Instant::max()).size() == 3);
}

TEMPLATE_TEST_CASE("for_each_until visits an entry that matches an early record with the same tag",
                   "", Ints, CollidingInts) {
  TestType ks;
  // The first deadlines leave stale records with the tags of the second.
  for (int key = 0; key != 4; ++key) ks.set(key, 0, 2 * kOneTag + 100ms);
  for (int key = 0; key != 4; ++key) ks.set(key, 0, kOneTag + 100ms);
  for (int key = 0; key != 4; ++key) ks.pexpire(key, kOneTag + Millis{200 - 10 * key});
  check_all(ks);
  ks.set(9, 0, 3 * kOneTag + 100ms);
  ks.set(9, 0, 100ms);
  ks.pexpire(9, 3 * kOneTag);
  check_all(ks);
  check_invariants(ks);
}

TEST_CASE("for_each_until visits entries with one hash and one deadline in little memory") {
  using Allocator = LedgerAllocator<std::pair<const int, int>>;
  Ledger ledger;
  Keyspace<int, int, ManualClock, WithHash<OneHash>, WithAllocator<Allocator>> ks(
      {.allocator = Allocator(ledger)});
  constexpr int kKeys = 400;
  for (int key = 0; key != kKeys; ++key) {
    ks.set(key, 0, 1s);
    ks.pexpire(key, 2s);
  }
  const std::size_t before = ledger.bytes;
  std::size_t most = 0;
  std::vector<int> seen;
  ks.for_each_until(at(2000), [&](int key, int, Instant deadline) {
    CHECK(deadline == at(2000));
    most = std::max(most, ledger.bytes - before);
    seen.push_back(key);
  });
  CHECK(most > 0);  // it uses the allocator of the keyspace
  CHECK(most < kKeys * 200);
  CHECK(ledger.bytes == before);
  std::sort(seen.begin(), seen.end());
  CHECK(seen.size() == kKeys);
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
}

TEST_CASE("for_each_until is right after the clock went back and sooner deadlines were set") {
  std::mt19937_64 random(2);
  for (const int back : {1, 300, 70'000, 20'000'000}) {
    CAPTURE(back);
    Ints ks;
    const Instant start = at(100'000'000'000);
    ks.clock().set(start);
    const auto fill = [&](int first) {
      for (int key = first; key != first + 300; ++key) {
        ks.set(key, 0, Millis{1 + static_cast<std::int64_t>(random() >> (random() % 30 + 34))});
      }
    };
    fill(0);
    ks.clock().advance(100ms);
    ks.erase_expired(30);  // a part of the open slot is left
    check_all(ks);
    ks.clock().set(start - Millis{back});
    check_all(ks);
    fill(1000);
    check_invariants(ks);
    check_all(ks);
    ks.clock().advance(Millis{back / 2});
    ks.erase_expired(10);
    check_all(ks);
    fill(2000);
    check_all(ks);
    check_invariants(ks);
  }
}

TEST_CASE("for_each_until shows the entries of the slots a turn after the cursor") {
  // 255 of 256 slots of a level come after the cursor, and those before it are of the next turn.
  for (const std::int64_t width : {1, 256, 65'536}) {
    Ints ks;
    ks.clock().set(at(width * 200 + width / 2));
    for (int key = 1; key < 256; key += 5) ks.set(key, 0, Millis{key * width});
    check_all(ks);
    ks.clock().advance(Millis{width * 100});
    ks.erase_expired();
    check_all(ks);
    check_invariants(ks);
  }
}

TEMPLATE_TEST_CASE("for_each_until ends when f returns false", "", Ints, SharedDeadlines) {
  TestType ks;
  for (int key = 1; key <= 100; ++key) ks.set(key, 0, Millis{key % 50 * 100 + 1});
  for (const std::size_t most : {1U, 2U, 49U, 50U, 99U, 100U, 101U}) {
    std::size_t visits = 0;
    ks.for_each_until(at(10'000), [&](int, int, Instant) { return ++visits != most; });
    CHECK(visits == std::min<std::size_t>(most, 100));
  }
}

TEMPLATE_TEST_CASE("for_each_until ends when f throws, and changes nothing", "", Ints,
                   SharedDeadlines) {
  TestType ks;
  for (int key = 1; key <= 20; ++key) ks.set(key, 0, Millis{key * 1000});
  const auto walk = [&](int last) {
    ks.for_each_until(at(100'000), [&](int key, int, Instant) {
      if (key == last) throw std::runtime_error("no");
    });
  };
  for (const int last : {1, 2, 20}) CHECK_THROWS_AS(walk(last), std::runtime_error);
  CHECK_NOTHROW(walk(21));
  CHECK(visits_until(ks, at(100'000)).size() == 20);
  ks.set(1, 2);
  CHECK(ks.size() == 20);
}

TEST_CASE("for_each_until changes nothing in a const keyspace, and f may call it") {
  Cache<int, int, Lru, ManualClock, WithStatistics> cache({.capacity = 100});
  for (int key = 0; key != 50; ++key) cache.set(key, key, Millis{1 + key});
  cache.clock().advance(10ms);
  const Statistics before = cache.statistics();
  const auto& view = cache;
  std::size_t visits = 0;
  view.for_each_until(at(30), [&](int key, int, Instant deadline) {
    CHECK(view.pexpiretime(key) == deadline);
    std::size_t inner = 0;
    view.for_each_until(deadline, [&](int, int, Instant) { ++inner; });
    CHECK(inner == ++visits);
  });
  CHECK(visits == 20);
  CHECK(cache.size() == 50);
  CHECK(cache.statistics() == before);
  check_invariants(cache);
}

TEST_CASE("for_each_until passes references to the stored value, also of a move-only type") {
  Keyspace<std::string, std::unique_ptr<int>, ManualClock> ks;
  ks.set("a", std::make_unique<int>(7), 10ms);
  const auto* const stored = ks.peek("a");
  int visits = 0;
  ks.for_each_until(at(10), [&](const std::string& key, const std::unique_ptr<int>& value, auto) {
    CHECK(key == "a");
    CHECK(&value == stored);
    ++visits;
  });
  CHECK(visits == 1);
}

TEST_CASE("for_each_until reads the clock at most once, and not without volatile entries") {
  Keyspace<int, int, CountingClock> ks;
  const auto walk = [&](Instant until) {
    int visits = 0;
    ks.clock().take_reads();
    ks.for_each_until(until, [&](int, int, Instant) {
      ks.clock().advance(10ms);
      ++visits;
    });
    return std::pair(visits, ks.clock().take_reads());
  };
  ks.set(1, 1);
  CHECK(walk(Instant::max()) == std::pair(0, 0));
  for (int key = 0; key != 20; ++key) ks.set(key, 0, Millis{10});
  // All visits use the time of the start.
  CHECK(walk(at(10)) == std::pair(20, 1));
  CHECK(walk(at(10)) == std::pair(0, 1));
}

TEST_CASE("for_each_until visits entries while the map moves them to another table") {
  const SmallSteps small_steps;
  Ints ks;
  for (int key = 0; key != 500; ++key) {
    ks.set(key, 0, Millis{1 + key * 37 % 1000});
    if (key % 10 == 0) check_all(ks);
  }
  for (int now = 0; now < 1000; now += 50) {
    ks.clock().set(at(now));
    ks.erase_expired(10);
    check_all(ks);
  }
}

TEST_CASE("for_each_until reads few records of entries that expire later") {
  constexpr int kEntries = 100'000;
  Ints ks;
  ks.clock().set(at(12'345'678));
  for (int key = 0; key != kEntries; ++key) ks.set(key, 0, Millis{1000 * (key + 1)});
  for (int step = 0; step != 3; ++step) {
    const Instant now = ks.clock().now();
    std::size_t visits = 0;
    const Probed all([&] { ks.for_each_until(now + 10s, [&](int, int, Instant) { ++visits; }); });
    CHECK(visits == 10);
    CHECK(all[Probe::kRecordsRead] < 150);
    CHECK(all[Probe::kKeysLookedUp] <= 2 * visits);
    CHECK(all[Probe::kRecordsFiled] == 0);

    const Probed first(
        [&] { ks.for_each_until(Instant::max(), [&](int, int, Instant) { return false; }); });
    CHECK(first[Probe::kRecordsRead] < 150);
    CHECK(first[Probe::kKeysLookedUp] == 2);

    const Probed none([&] { visits_until(ks, now + 1ms); });
    CHECK(none[Probe::kRecordsRead] < 150);
    CHECK(none[Probe::kKeysLookedUp] == 0);

    ks.clock().advance(20'000s);
    const Probed past([&] { visits_until(ks, ks.clock().now()); });  // all of these are expired
    CHECK(past[Probe::kRecordsRead] == 0);
    ks.erase_expired();
  }
}

TEST_CASE("for_each_until that ends early looks up only entries up to its end") {
  Ints ks;
  ks.set(-1, 0, 1ms);  // so that all others are in one slot
  for (int key = 0; key != 10'000; ++key) ks.set(key, 0, 1h + Millis{key % 5000});
  std::size_t visits = 0;
  const Probed early(
      [&] { ks.for_each_until(at(8'000'000), [&](int, int, Instant) { return ++visits != 10; }); });
  CHECK(visits == 10);
  CHECK(early[Probe::kKeysLookedUp] < 30);
}

// --- ConcurrentKeyspace ---

TEST_CASE("for_each_until visits the entries of all shards in one order") {
  for (const std::size_t shards : {1U, 2U, 64U}) {
    SharedDeadlines ks({.shards = shards});
    for (int key = 0; key != 3000; ++key) ks.set(key, key, Millis{1 + key * 7919 % 10'000});
    for (int key = 0; key < 3000; key += 5) ks.pexpire(key, Millis{20'000 - key});
    for (int key = 1; key < 3000; key += 5) ks.persist(key);
    check_all(ks);
    ks.clock().advance(500ms);
    check_all(ks);
  }
}

TEST_CASE("for_each_until of shared entries leaves out those that expire during the walk") {
  SharedDeadlines ks;
  for (int key = 1; key <= 20; ++key) ks.set(key, key, Millis{10 * key});
  std::vector<int> visited;
  ks.for_each_until(at(200), [&](int key, int, Instant) {
    visited.push_back(key);
    ks.clock().set(at(10 * key + 25));
  });
  CHECK(visited == std::vector{1, 4, 7, 10, 13, 16, 19});
}

TEST_CASE("for_each_until shows the changes that other threads make during the walk", "[threads]") {
  SharedDeadlines ks({.shards = 64});
  std::vector<int> keys = {1};  // in different shards
  while (keys.size() != 8) {
    int key = keys.back() + 1;
    const auto shares_shard = [&](int other) {
      return internal::TestPeer::shard_of(ks, other) == internal::TestPeer::shard_of(ks, key);
    };
    while (std::any_of(keys.begin(), keys.end(), shares_shard)) ++key;
    keys.push_back(key);
  }
  for (std::size_t i = 0; i != keys.size(); ++i) ks.set(keys[i], 0, at(100 + static_cast<int>(i)));
  std::vector<std::tuple<int, int, Instant>> visited;
  ks.for_each_until(at(200), [&](int key, int value, Instant deadline) {
    visited.emplace_back(key, value, deadline);
    if (key != keys[0]) return;
    std::thread([&] {  // f itself must not call the keyspace
      ks.erase(keys[1]);
      ks.set(keys[2], 7, kKeep);
      ks.pexpireat(keys[3], at(200));
      ks.pexpireat(keys[4], at(201));
      ks.persist(keys[5]);
      ks.erase(keys[6]);
      ks.set(keys[6], 8, at(50));
    })
        .join();
  });
  CHECK(visited == std::vector<std::tuple<int, int, Instant>>{{keys[0], 0, at(100)},
                                                              {keys[2], 7, at(102)},
                                                              {keys[3], 0, at(200)},
                                                              {keys[6], 8, at(50)},
                                                              {keys[7], 0, at(107)}});
  visited.clear();
  ks.persist(keys[7]);
  ks.for_each_until(Instant::max(), [&](int key, int value, Instant deadline) {
    if (visited.empty()) std::thread([&] { ks.persist(keys[4]); }).join();
    visited.emplace_back(key, value, deadline);
  });
  CHECK(visited.size() == 4);  // not keys[4], which is persistent now
}

TEST_CASE("for_each_until locks each shard once, and then once for each entry") {
  SharedDeadlines ks({.shards = 16});
  for (int key = 0; key != 100; ++key) ks.set(key, 0, Millis{1 + key});
  const Probed some([&] { visits_until(ks, at(30)); });
  CHECK(some[Probe::kLocksTaken] == 16 + 30);
  const Probed first([&] { ks.for_each_until(at(30), [](int, int, Instant) { return false; }); });
  CHECK(first[Probe::kLocksTaken] == 16 + 1);
}

TEST_CASE("for_each_until copies keys that cannot be assigned, and bool keys") {
  struct ConstKey {
    const int number;
    bool operator==(const ConstKey&) const = default;
  };
  struct ConstKeyHash {
    std::size_t operator()(const ConstKey& key) const {
      return static_cast<std::size_t>(key.number);
    }
  };
  ConcurrentKeyspace<ConstKey, int, ManualClock, WithHash<ConstKeyHash, std::equal_to<>>> ks;
  for (int i = 1; i != 10; ++i) ks.set(ConstKey{i}, i, Millis{10 - i});
  std::vector<int> visited;
  ks.for_each_until(at(3),
                    [&](const ConstKey& key, int, Instant) { visited.push_back(key.number); });
  CHECK(visited == std::vector{9, 8, 7});

  ConcurrentKeyspace<bool, int, ManualClock> flags;
  flags.set(true, 1, 1ms);
  flags.set(false, 2, 2ms);
  std::vector<int> values;
  flags.for_each_until(at(2), [&](bool, int value, Instant) { values.push_back(value); });
  CHECK(values == std::vector{1, 2});
}

TEST_CASE("for_each_until is consistent while another thread writes", "[threads]") {
  constexpr int kKeys = 2000;
  constexpr int kKept = kKeys / 4;  // keys that the writer does not change
  SharedDeadlines ks({.shards = 8});
  for (int key = 0; key != kKeys; ++key) ks.set(key, key, Millis{1000 + key});
  std::atomic<bool> is_done = false;
  std::thread writer([&] {
    for (int round = 0; round != 20; ++round) {
      for (int key = kKept; key != kKeys; ++key) {
        switch ((key + round) % 4) {
          case 0:
            ks.set(key, key, Millis{1000 + (key + round * 997) % kKeys});
            break;
          case 1:
            ks.pexpire(key, Millis{2000 + key});
            break;
          case 2:
            ks.persist(key);
            break;
          default:
            ks.erase(key);
        }
      }
    }
    is_done = true;
  });
  int walks = 0;
  while (!is_done || walks == 0) {
    ++walks;
    int next_kept = 0;
    std::vector<bool> seen(kKeys);
    bool is_right = true;
    ks.for_each_until(at(3000), [&](int key, int value, Instant deadline) {
      const auto i = static_cast<std::size_t>(key);
      is_right = is_right && key == value && deadline <= at(3000) && !seen[i];
      seen[i] = true;
      if (key < kKept) is_right = is_right && key == next_kept++;
    });
    CHECK(is_right);
    CHECK(next_kept == kKept);
  }
  writer.join();
}

}  // namespace
}  // namespace keyspace::testing
