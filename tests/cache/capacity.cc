#include <keyspace/cache.h>
#include <keyspace/options.h>
#include <keyspace/policy.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/probe.h"
#include "support/support.h"

// Tests which entries a keyspace with a capacity stores and evicts. The model also checks the order
// in which the policies evict, and the weights that they count.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

template <class Policy, class... More>
using Bounded = Cache<int, int, Policy, ManualClock, More...>;

// Weighs a string by its length.
struct Length {
  std::size_t operator()(int, const std::string& value) const noexcept { return value.size(); }
};
template <class Policy>
using Weighed = Cache<int, std::string, Policy, WithWeigher<Length>, ManualClock>;

template <class Ks>
std::set<int> keys_of(const Ks& ks) {
  std::set<int> keys;
  ks.for_each([&](int key, const auto&, auto) { keys.insert(key); });
  return keys;
}
using Keys = std::set<int>;

TEMPLATE_TEST_CASE("a keyspace with a policy holds no more than its capacity", "", EarliestDeadline,
                   Lru, ScanResistant) {
  for (const std::size_t capacity : {0U, 1U, 2U, 3U, 10U, 100U}) {
    CAPTURE(capacity);
    Bounded<TestType> cache({.capacity = capacity});
    CHECK(cache.capacity() == capacity);
    for (int i = 0; i != 300; ++i) {
      cache.set(i, i, 1h);
      REQUIRE(cache.size() == std::min<std::size_t>(capacity, static_cast<std::size_t>(i) + 1));
      REQUIRE(cache.weight() == cache.size());
      REQUIRE(cache.contains(i) == (capacity != 0));
    }
    check_invariants(cache);
    cache.clear();
    CHECK(cache.weight() == 0);
    cache.set(1, 1);
    CHECK(cache.size() == std::min<std::size_t>(capacity, 1));
  }
}

TEMPLATE_TEST_CASE("a policy with a capacity of one evicts that one entry", "", EarliestDeadline,
                   Lru, ScanResistant) {
  Bounded<TestType> cache({.capacity = 1});
  for (int i = 0; i != 20; ++i) {
    CHECK(cache.insert(i / 2, i, 1h) == (i % 2 == 0));
    static_cast<void>(cache.find(i / 2));
    CHECK(keys_of(cache) == Keys{i / 2});
  }
}

TEMPLATE_TEST_CASE("expired entries are evicted before live ones", "", EarliestDeadline, Lru,
                   ScanResistant) {
  // One slot of the timer wheel has more expired entries than a call usually erases.
  ManualClock clock;
  Bounded<TestType> cache({.capacity = 3000, .clock = clock});
  for (int i = 0; i != 3000; ++i) {
    cache.set(i, i, Millis(70'000 + (i * 7919) % 60'000));
    static_cast<void>(cache.find(i));
  }
  int next = 3000;
  for (const std::int64_t time : {65'536, 70'000, 99'000, 129'972, 129'973}) {
    clock.set(at(time));
    Keys live = keys_of(cache);
    const std::size_t expired = cache.size() - live.size();
    CHECK((expired != 0) == (time >= 70'000));
    for (std::size_t i = 0; i != expired; ++i) cache.set(next++, 0, 1h);
    for (const int key : live) REQUIRE(cache.contains(key));
    CHECK(cache.size() <= 3000);
  }
  CHECK(cache.size() == 3000);
}

TEST_CASE("EarliestDeadline evicts the soonest deadline, whichever call has set it") {
  ManualClock clock;
  Bounded<EarliestDeadline> cache({.capacity = 4, .clock = clock});
  cache.set(1, 0, 40s);
  cache.set(2, 0, 30s);
  cache.set(3, 0, 20s);
  cache.set(4, 0);
  cache.set(5, 0, 50s);
  CHECK(keys_of(cache) == Keys{1, 2, 4, 5});
  cache.pexpire(5, 10s);
  cache.set(6, 0);
  CHECK(keys_of(cache) == Keys{1, 2, 4, 6});
  cache.getex(2, 60s);
  cache.set(7, 0);
  CHECK(keys_of(cache) == Keys{2, 4, 6, 7});
  CHECK(cache.rename(2, 8));
  cache.set(9, 0, 61s);
  CHECK(keys_of(cache) == Keys{4, 6, 7, 9});
  // The new entry is not a victim: the soonest of the other entries is evicted.
  cache.set(10, 0, 1s);
  CHECK(keys_of(cache) == Keys{4, 6, 7, 10});
}

TEST_CASE("EarliestDeadline evicts no persistent entry and refuses new ones instead") {
  ManualClock clock;
  Bounded<EarliestDeadline> cache({.capacity = 2, .clock = clock});
  cache.set(1, 10);
  cache.set(2, 20);
  cache.set(3, 30);
  CHECK_FALSE(cache.insert(3, 30, 1h));
  CHECK_FALSE(cache.copy(1, 3));
  CHECK(keys_of(cache) == Keys{1, 2});
  cache.set(1, 11);  // overwrites a stored key
  CHECK(see(cache, 1) == Seen<int, Instant>{11, kNoDeadline});
  CHECK(cache.rename(1, 3));
  CHECK(keys_of(cache) == Keys{2, 3});
  cache.pexpire(2, 1h);
  CHECK(cache.insert(4, 40));
  CHECK(keys_of(cache) == Keys{3, 4});
}

TEST_CASE("EarliestDeadline finds the soonest among many deadlines that lie together") {
  ManualClock clock;
  Bounded<EarliestDeadline> cache({.capacity = 900, .clock = clock});
  for (int i = 0; i != 900; ++i) cache.set(i, 0, 100h + Millis((i * 7919) % 900));
  for (int i = 0; i != 500; ++i) {
    const int soonest = [&] {
      int key = 0;
      while ((key * 7919) % 900 != i) ++key;
      return key;
    }();
    REQUIRE(cache.contains(soonest));
    cache.set(1000 + i, 0, 200h);
    REQUIRE_FALSE(cache.contains(soonest));
  }
  // All deadlines are postponed, so all records are filed early.
  for (int i = 0; i != 500; ++i) cache.pexpire(1000 + i, 300h - Millis(i));
  for (int key = 0; key != 900; ++key) cache.persist(key);
  cache.set(2000, 0);
  for (int i = 1; i != 400; ++i) {
    const Keys keys = keys_of(cache);
    const int soonest = *std::prev(keys.lower_bound(2000));
    cache.set(2000 + i, 0);
    REQUIRE_FALSE(cache.contains(soonest));
  }
}

TEST_CASE("each entry with a postponed deadline keeps its own record, however many share a slot") {
  for (int size = 2; size != 130; ++size) {
    CAPTURE(size);
    ManualClock clock;
    Bounded<EarliestDeadline> cache({.capacity = static_cast<std::size_t>(size), .clock = clock});
    cache.set(-1, 0, 1ms);  // the wheel starts far before the others, so that they share a slot
    cache.erase(-1);
    for (int i = 0; i != size; ++i) cache.set(i, 0, 100h);
    for (int i = 0; i != size; ++i) cache.pexpire(i, 100h + Millis(i));
    cache.set(size, 0, 200h);
    CHECK_FALSE(cache.contains(0));
    check_invariants(cache);
  }
}

TEST_CASE("an eviction looks up each stale record once, however many come before the victim") {
  constexpr int kSize = 20'000;
  ManualClock clock;
  Bounded<EarliestDeadline> cache({.capacity = kSize, .clock = clock});
  for (int i = 0; i != kSize - 1; ++i) cache.set(i, 0, 2h);
  for (int i = 0; i != kSize; ++i) {
    cache.set(-1, 0, 1h);
    cache.erase(-1);
  }
  cache.set(-1, 0, 3h);
  const std::size_t stale = internal::TestPeer::records(cache) - cache.size();
  REQUIRE(stale >= kSize - 1);
  const Probed evicting([&] { cache.set(-2, 0, 3h); });
  CHECK(cache.size() == kSize);
  CHECK(cache.contains(-1));
  check_invariants(cache);
  // The call reads and looks up each stale record once, to collect it. It reads a few thousand
  // records to find the soonest.
  CHECK(evicting[Probe::kRecordsRead] <= stale + 5000);
  CHECK(evicting[Probe::kKeysLookedUp] <= stale + 1000);
}

TEST_CASE("an eviction finds the soonest in the open slot too, as after the clock went back") {
  constexpr int kEntries = 200;
  ManualClock clock;
  Bounded<EarliestDeadline> cache({.capacity = kEntries, .clock = clock});
  cache.set(-1, 0, 1ms);  // the wheel starts here: the others share a slot
  for (int i = 0; i != kEntries - 1; ++i) cache.set(i, 0, 10h + Millis(i));
  clock.advance(1ms);
  CHECK(cache.erase_expired() == 1);
  // Opens the slot of the others, and moves a few of the later ones until its limit is spent.
  clock.set(at(0) + 10h - 1ms);
  CHECK(cache.erase_expired(1) == 0);
  clock.set(at(0) + 1h);
  cache.set(1000, 0, 20h);
  cache.set(1001, 0, 20h);
  CHECK(cache.size() == kEntries);
  CHECK_FALSE(cache.contains(0));
  CHECK(cache.contains(1));
  check_invariants(cache);
}

TEMPLATE_TEST_CASE("clear() leaves no records of what was stored", "", EarliestDeadline, Lru) {
  ManualClock clock;
  Bounded<TestType> cache({.capacity = 10'000, .clock = clock});
  for (int i = 0; i != 10'000; ++i) cache.set(i, 0, 1h);
  cache.clear();
  CHECK(internal::TestPeer::policy_records(cache) == 0);
  CHECK(cache.weight() == 0);
  check_invariants(cache);
}

TEST_CASE("an eviction looks for the soonest in the slots that may have it, and in no other") {
  constexpr int kSlots = 200;
  constexpr int kEach = 31;
  ManualClock clock;
  Bounded<EarliestDeadline> cache({.capacity = kSlots * kEach, .clock = clock});
  cache.set(-1, 0, 1ms);  // the wheel starts here: each 256 ms from 256 ms on are a slot
  for (int i = 0; i != kSlots * kEach - 1; ++i) cache.set(i, 0, Millis(256 * (1 + i % kSlots)));
  const Probed evicting([&] {
    cache.set(-2, 0, 10h);  // evicts -1
    cache.set(-3, 0, 10h);
  });
  CHECK(cache.size() == kSlots * kEach);
  CHECK_FALSE(cache.contains(-1));
  CHECK(evicting[Probe::kRecordsRead] <= 2 * 3 * kEach);
}

TEMPLATE_TEST_CASE("the records of entries that were erased are collected, and no others", "",
                   EarliestDeadline, Lru) {
  ManualClock clock;
  constexpr int kCapacity = 30'000;
  Bounded<TestType> cache({.capacity = kCapacity, .clock = clock});
  for (int i = 0; i != kCapacity; ++i) cache.set(i, 0, 1h + Millis(i % 1500));
  for (int i = 0; i != kCapacity; ++i) {
    if (i % 1500 < 1000) cache.erase(i);
  }
  for (int i = 0; cache.size() != kCapacity; ++i) cache.set(kCapacity + i, 0, 2h + Millis(i % 10));
  check_invariants(cache);
  for (int i = 0; i != 5000; ++i) cache.set(-1 - i, 0, 3h);
  CHECK(cache.size() == kCapacity);
  check_invariants(cache);
  // An entry whose record was collected by mistake would never be erased.
  clock.advance(3h);
  CHECK(cache.erase_expired() == kCapacity);
}

TEST_CASE("Lru evicts the least recently used entry") {
  ManualClock clock;
  Bounded<Lru> cache({.capacity = 3, .clock = clock});
  const auto refill = [&] {
    cache.clear();
    for (const int key : {1, 2, 3}) cache.set(key, key);
  };
  const auto survivors = [&](const auto& request) {
    refill();
    request();
    cache.set(4, 4);
    return keys_of(cache);
  };
  const Keys without_1 = {2, 3, 4};
  const Keys without_2 = {1, 3, 4};
  CHECK(survivors([&] {}) == without_1);

  // Requests
  CHECK(survivors([&] { static_cast<void>(cache.find(1)); }) == without_2);
  CHECK(survivors([&] { static_cast<void>(cache.get(1)); }) == without_2);
  CHECK(survivors([&] { cache.getex(1, 1h); }) == without_2);
  CHECK(survivors([&] { cache.set(1, 0); }) == without_2);
  CHECK(survivors([&] { cache.replace(1, 0); }) == without_2);
  CHECK(survivors([&] {
          std::vector<int*> found(1);
          cache.mget(std::vector<int>{1}, found.begin());
        }) == without_2);

  // No requests
  const Bounded<Lru>& view = cache;
  CHECK(survivors([&] { CHECK(*cache.peek(1) == 1); }) == without_1);
  CHECK(survivors([&] { CHECK(*view.peek(1) == 1); }) == without_1);
  CHECK(survivors([&] { CHECK(view.contains(1)); }) == without_1);
  CHECK(survivors([&] { static_cast<void>(cache.contains(1)); }) == without_1);
  CHECK(survivors([&] { static_cast<void>(cache.pttl(1)); }) == without_1);
  CHECK(survivors([&] { cache.pexpire(1, 1h); }) == without_1);
  CHECK(survivors([&] { cache.insert(1, 0); }) == without_1);
  CHECK(survivors([&] { cache.for_each([](int, int, auto) {}); }) == without_1);
  CHECK(survivors([&] {
          for (const int key : {3, 1, 2, 1}) CHECK(*view.peek(key) == key);
        }) == without_1);

  // A rename is not a request.
  refill();
  cache.rename(1, 5);
  cache.set(4, 4);
  CHECK(keys_of(cache) == without_1);
}

TEST_CASE("Lru keeps the order of requests over more entries than it looks at in one call") {
  Bounded<Lru> cache({.capacity = 20'000});
  for (int i = 0; i != 20'000; ++i) cache.set(i, 0);
  for (int i = 0; i != 20'000; i += 2) static_cast<void>(cache.find(i));
  for (int i = 0; i != 10'000; ++i) {
    cache.set(20'000 + i, 0);
    REQUIRE_FALSE(cache.contains(2 * i + 1));
  }
  check_invariants(cache);
}

// The records of the other entries are in one slot of the wheel, and not sorted yet.
TEST_CASE("Lru keeps the one entry that is requested, however many others share a slot") {
  const bool are_many = GENERATE(true, false);
  const int size = are_many ? 20'000 : 1000;
  Bounded<Lru> cache({.capacity = static_cast<std::size_t>(size)});
  const auto request = [&] { REQUIRE(cache.find(-1) != nullptr); };
  cache.set(-1, 0);
  for (int i = 0; i != 65'536 + 512; ++i) request();
  int first = 0;
  int next = 0;
  for (; next != size - 1; ++next) cache.set(next, 0);
  if (!are_many) {
    for (int i = 0; i != 3000; ++i) {
      cache.erase(first++);
      cache.set(next++, 0);
    }
  }
  request();
  for (int i = 0; i != 100; ++i) {
    cache.set(next++, 0);
    REQUIRE(cache.contains(-1));
    if (!are_many) REQUIRE_FALSE(cache.contains(first++));
  }
  check_invariants(cache);
}

TEST_CASE("Lru evicts the first of the requested entries if all were requested") {
  Bounded<Lru> cache({.capacity = 20'000});
  for (int i = 0; i != 20'000; ++i) cache.set(i, 0);
  for (int i = 19'999; i >= 0; --i) static_cast<void>(cache.find(i));
  // Each of the first calls looks at only a part of the records, and may evict another entry.
  constexpr int kFirst = 20;
  for (int i = 0; i != 19'000; ++i) {
    cache.set(20'000 + i, 0);
    REQUIRE(cache.size() == 20'000);
    REQUIRE(cache.contains(20'000 + i));
    if (i > kFirst) REQUIRE_FALSE(cache.contains(19'999 - (i - kFirst)));
  }
  check_invariants(cache);
}

TEST_CASE(
    "a policy evicts the first of the entries that it compares, although all were postponed") {
  ManualClock clock;
  Bounded<EarliestDeadline> soonest({.capacity = 1000, .clock = clock});
  for (int i = 0; i != 1000; ++i) soonest.set(i, 0, 1h + Millis(i));
  for (int i = 0; i != 1000; ++i) soonest.pexpire(i, 2h + Millis(i));
  soonest.set(-1, 0, 3h);
  CHECK_FALSE(soonest.contains(0));

  Bounded<Lru> lru({.capacity = 10'000});
  for (int i = 0; i != 10'000; ++i) lru.set(i, 0);
  for (int i = 0; i != 10'000; ++i) static_cast<void>(lru.find(i));
  lru.set(-1, 0);
  CHECK_FALSE(lru.contains(0));
}

TEST_CASE("Lru and EarliestDeadline are exact for a thousand entries, whatever was erased before") {
  constexpr int kCapacity = 1000;
  ManualClock clock;
  Bounded<Lru> lru({.capacity = kCapacity});
  Bounded<EarliestDeadline> soonest({.capacity = kCapacity, .clock = clock});
  // Each erased entry leaves a stale record, up to the bound.
  for (int i = 0; i != 4 * kCapacity; ++i) {
    lru.erase(i - kCapacity);
    lru.set(i, 0);
    soonest.erase(i - kCapacity);
    soonest.set(i, 0, 1h);
  }
  for (int i = 4 * kCapacity; i-- != 3 * kCapacity;) {
    REQUIRE(lru.find(i) != nullptr);
    REQUIRE(soonest.pexpire(i, 2h - Millis(i)));
  }
  for (int i = 4 * kCapacity; i-- != 3 * kCapacity;) {
    lru.set(-1 - i, 0);
    soonest.set(-1 - i, 0, 3h);
    REQUIRE_FALSE(lru.contains(i));
    REQUIRE_FALSE(soonest.contains(i));
  }
  CHECK(lru.size() == kCapacity);
  CHECK(soonest.size() == kCapacity);
}

TEST_CASE("Lru leaves no more stale records than the bound when entries are stored and erased") {
  Bounded<Lru> cache({.capacity = 5000});
  for (int i = 0; i != 200'000; ++i) {
    cache.set(i % 3000, i);
    if (i % 3 == 0) cache.erase((i * 7) % 3000);
  }
  check_invariants(cache);
}

TEST_CASE("Lru leaves no more stale records than the bound when entries expire") {
  ManualClock clock;
  Bounded<Lru> cache({.capacity = 20'000, .clock = clock});
  for (int i = 0; i != 20'000; ++i) cache.set(i, i, 1ms);
  clock.advance(1ms);
  for (const std::size_t limit : {1U, 5000U}) {
    CHECK(cache.erase_expired(limit) == limit);
    check_invariants(cache);
  }
  for (int i = 0; i != 5000; ++i) {  // erases two expired ones each time
    cache.set(-1 - i, i);
    if (i % 500 == 0) check_invariants(cache);
  }
  cache.erase_expired();
  CHECK(cache.size() == 5000);
  check_invariants(cache);
}

TEST_CASE("ScanResistant keeps requested entries through a scan") {
  Bounded<ScanResistant> cache({.capacity = 1000});
  const auto request = [&](int key) {
    if (cache.find(key) == nullptr) cache.set(key, key);
  };
  for (int round = 0; round != 5; ++round) {
    for (int key = 0; key != 500; ++key) request(key);
  }
  for (int key = 1'000'000; key != 1'100'000; ++key) request(key);
  int kept = 0;
  for (int key = 0; key != 500; ++key) kept += cache.contains(key);
  CHECK(kept >= 495);

  // They are evicted when other keys are requested.
  for (int round = 0; round != 20; ++round) {
    for (int key = 2'000'000; key != 2'000'900; ++key) request(key);
  }
  int old = 0;
  int current = 0;
  for (int key = 0; key != 500; ++key) old += cache.contains(key);
  for (int key = 2'000'000; key != 2'000'900; ++key) current += cache.contains(key);
  CHECK(old <= 150);
  CHECK(current >= 800);
  check_invariants(cache);
}

TEST_CASE(
    "ScanResistant evicts no requested entry while another was not requested, however many they "
    "are") {
  Bounded<ScanResistant> cache({.capacity = 1000});
  for (int key = 0; key != 1000; ++key) cache.set(key, key);
  for (int key = 0; key != 985; ++key) static_cast<void>(cache.find(key));
  for (int key = 1000; key != 1010; ++key) {
    cache.set(key, key);
    for (int old = 0; old != 985; ++old) REQUIRE(cache.contains(old));
  }
  CHECK(cache.size() == 1000);
  check_invariants(cache);
}

TEST_CASE("ScanResistant keeps requested entries although each weighs more than a hundredth") {
  ManualClock clock;
  Weighed<ScanResistant> cache({.capacity = 64'000, .clock = clock});
  const auto request = [&](int key) {
    if (cache.find(key) == nullptr) {
      cache.set(key, std::string(static_cast<std::size_t>(1000 + key * 31 % 50), 'x'));
    }
  };
  for (int round = 0; round != 5; ++round) {
    for (int key = 0; key != 30; ++key) request(key);
  }
  for (int key = 1000; key != 20'000; ++key) request(key);
  int kept = 0;
  for (int key = 0; key != 30; ++key) kept += cache.contains(key);
  CHECK(kept == 30);
  CHECK(cache.weight() > 60'000);
}

TEMPLATE_TEST_CASE("a weigher says what an entry takes of the capacity", "", EarliestDeadline, Lru,
                   ScanResistant) {
  ManualClock clock;
  Weighed<TestType> cache({.capacity = 10, .clock = clock});
  cache.set(1, "1234", 1h);
  cache.set(2, "12345", 2h);
  CHECK(cache.weight() == 9);
  cache.set(1, "12345", 1h);
  CHECK(cache.weight() == 10);
  CHECK(cache.size() == 2);
  cache.set(2, "", 2h);  // lighter
  CHECK(cache.weight() == 5);
  cache.set(3, "", 3h);
  CHECK(cache.size() == 3);
  cache.set(4, "1234567890", 4h);
  CHECK(cache.weight() == 10);
  CHECK(cache.contains(4));
  CHECK_FALSE(cache.contains(1));

  // Too heavy: the old value is erased, because it would be outdated.
  const bool had_2 = cache.contains(2);
  cache.set(4, "12345678901", 4h);
  CHECK_FALSE(cache.contains(4));
  CHECK(cache.weight() == 0);
  CHECK(cache.contains(2) == had_2);
  CHECK_FALSE(cache.insert(5, "12345678901"));
  cache.set(5, "5");
  CHECK_FALSE(cache.replace(5, "12345678901"));
  CHECK_FALSE(cache.contains(5));

  // A change in place does not count until the value is stored again.
  cache.set(6, "6", 1h);
  *cache.find(6) = "666666";
  CHECK(cache.weight() == 1);
  cache.set(6, std::string(*cache.peek(6)), 1h);
  CHECK(cache.weight() == 6);
  CHECK(cache.getdel(6) == "666666");
  CHECK(cache.weight() == 0);
  check_invariants(cache);
}

TEMPLATE_TEST_CASE("an overwritten entry that becomes heavier evicts others, not itself", "",
                   EarliestDeadline, Lru, ScanResistant) {
  ManualClock clock;
  Weighed<TestType> cache({.capacity = 10, .clock = clock});
  for (int key = 1; key != 6; ++key) cache.set(key, "12", 1h);
  cache.set(1, "12345678", 1min);
  CHECK(see(cache, 1) == entry("12345678", at(60'000)));
  CHECK(cache.size() == 2);
  CHECK(cache.weight() == 10);
  check_invariants(cache);
}

TEMPLATE_TEST_CASE("an entry is weighed again when it is renamed or copied", "", EarliestDeadline,
                   Lru, ScanResistant) {
  struct KeyWeight {
    std::size_t operator()(int key, int) const noexcept { return static_cast<std::size_t>(key); }
  };
  ManualClock clock;
  Bounded<TestType, WithWeigher<KeyWeight>> cache({.capacity = 10, .clock = clock});
  cache.set(1, 0, 1h);
  cache.set(2, 0, 3h);
  CHECK(cache.rename(1, 7));
  CHECK(cache.weight() == 9);
  CHECK(cache.rename(2, 1));
  CHECK(cache.weight() == 8);
  CHECK(cache.copy(1, 2));
  CHECK(cache.weight() == 10);
  CHECK(cache.rename(2, 7));  // in place of what was there
  CHECK(cache.weight() == 8);
  CHECK(cache.rename(7, 9));
  CHECK(cache.weight() == 10);
  CHECK(cache.rename(1, 11));  // too heavy under this name, so no other entry is evicted
  CHECK(keys_of(cache) == Keys{9});
  CHECK(cache.weight() == 9);
  cache.set(1, 0, 1h);
  CHECK(cache.rename(1, -1));  // the largest weight
  CHECK(cache.weight() == 9);
  cache.clear();
  cache.set(5, 0);
  CHECK(cache.rename(5, 11));  // persistent, so EarliestDeadline would not evict it
  CHECK(cache.empty());
  CHECK_FALSE(cache.copy(1, 11));
  check_invariants(cache);
}

// Allocations fail in the middle of two renames. Then only one entry may be evicted: the entry that
// the third rename renames.
TEST_CASE("a rename may evict the renamed entry if others became too heavy before") {
  struct LastDigits {
    std::size_t operator()(int key, int) const noexcept {
      return static_cast<std::size_t>(key % 100);
    }
  };
  using Listener = std::function<void(int, int, RemovalCause)>;
  using Allocator = LedgerAllocator<std::pair<const int, int>>;
  Keys evicted;
  Ledger ledger;
  Bounded<EarliestDeadline, WithWeigher<LastDigits>, WithListener<Listener>,
          WithAllocator<Allocator>>
      cache({.capacity = 10,
             .listener = [&](int key, int, RemovalCause) { evicted.insert(key); },
             .allocator = Allocator(ledger)});
  cache.set(104, 0);
  cache.set(201, 0);
  cache.set(301, 0, 1h);
  ledger.fragile = true;
  for (const auto& [from, to] : {std::pair(104, 109), std::pair(201, 205)}) {
    Fuse::arm(0);
    CHECK_THROWS_AS(cache.rename(from, to), Blown);
    CHECK(cache.contains(to));
  }
  CHECK(cache.weight() == 15);
  CHECK(cache.rename(301, 401));
  CHECK(evicted == Keys{401});
  CHECK(keys_of(cache) == Keys{109, 205});
  CHECK(cache.weight() == 14);
  check_invariants(cache);

  // The next insertion evicts the entries that the interrupted renames did not evict, if it can.
  cache.set(501, 0, 1h);
  CHECK(keys_of(cache) == Keys{109, 205});
  CHECK(cache.rename(109, 104));
  cache.set(501, 0, 1h);
  CHECK(keys_of(cache) == Keys{104, 205, 501});
  check_invariants(cache);
}

TEST_CASE("a weigher may be a lambda with captures, and may throw") {
  std::size_t each = 3;
  auto weigh = [&each](int key, int) {
    if (key < 0) throw std::invalid_argument("key");
    return each;
  };
  Bounded<Lru, WithWeigher<decltype(weigh)>> cache({.capacity = 10, .weigher = weigh});
  for (int key = 0; key != 5; ++key) cache.set(key, key);
  CHECK(keys_of(cache) == Keys{2, 3, 4});
  CHECK_THROWS_AS(cache.set(-1, 0), std::invalid_argument);
  CHECK_THROWS_AS(cache.rename(2, -1), std::invalid_argument);
  CHECK(keys_of(cache) == Keys{2, 3, 4});
  CHECK(cache.weight() == 9);
  each = 10;  // the weights of the other entries are kept
  cache.set(5, 0);
  CHECK(keys_of(cache) == Keys{5});
  each = std::numeric_limits<std::size_t>::max();
  CHECK_FALSE(cache.insert(6, 0));
  CHECK(keys_of(cache) == Keys{5});
}

TEMPLATE_TEST_CASE("a moved-from cache is empty and keeps its capacity", "", EarliestDeadline, Lru,
                   ScanResistant) {
  ManualClock clock;
  Bounded<TestType> cache({.capacity = 3, .clock = clock});
  for (int key = 0; key != 5; ++key) cache.set(key, key, 1h);
  Bounded<TestType> other = std::move(cache);
  CHECK(other.size() == 3);
  CHECK(cache.weight() == 0);
  for (int key = 10; key != 15; ++key) cache.set(key, key, 1h);
  CHECK(cache.size() == 3);
  check_invariants(cache);
  for (int key = 20; key != 25; ++key) other.set(key, key, 1h);
  CHECK(other.size() == 3);
  check_invariants(other);
  cache = std::move(other);
  CHECK(cache.contains(24));
  check_invariants(cache);
}

TEMPLATE_TEST_CASE("a cache that was moved evicts the same entries as one that was not", "",
                   EarliestDeadline, Lru, ScanResistant) {
  ManualClock clock;
  Bounded<TestType> stays({.capacity = 200, .clock = clock});
  Bounded<TestType> moves({.capacity = 200, .clock = clock});
  std::uint32_t random = 1;
  for (int i = 0; i != 20'000; ++i) {
    random = random * 1664525 + 1013904223;
    // Requests some keys often, and others once.
    const int key = static_cast<int>(random >> 24 < 100 ? random >> 25 : random >> 12);
    const Millis ttl(1 + (random >> 16));
    for (Bounded<TestType>* const cache : {&stays, &moves}) {
      if (cache->find(key) == nullptr) cache->set(key, key, ttl);
    }
    if (i % 100 == 99) {
      Bounded<TestType> moved = std::move(moves);
      CHECK(moves.empty());
      moves = std::move(moved);
      REQUIRE(keys_of(moves) == keys_of(stays));
    }
  }
  check_invariants(moves);
}

TEST_CASE("an option takes no space if it is not chosen, and little if it is") {
  using Plain = Keyspace<std::uint64_t, std::uint64_t>;
  CHECK(internal::TestPeer::entry_size<Plain>() == 24);
  CHECK(internal::TestPeer::entry_size<Cache<std::uint64_t, std::uint64_t, EarliestDeadline>>() ==
        24);
  CHECK(internal::TestPeer::entry_size<Cache<std::uint64_t, std::uint64_t>>() == 32);
  CHECK(internal::TestPeer::entry_size<Cache<std::uint64_t, std::uint64_t, Lru>>() == 32);
  struct Unweighed {
    internal::EntryMap<int, int, internal::DefaultHash<int>, internal::DefaultEqual<int>,
                       std::allocator<int>, std::true_type>
        entries;
    internal::TimerWheel<std::allocator<int>> wheel;
  };
  CHECK(sizeof(Keyspace<int, int>) == sizeof(Unweighed));
}

}  // namespace
}  // namespace keyspace::testing
