#include <keyspace/concurrent_keyspace.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/length.h"
#include "support/probe.h"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using SharedStrings = ConcurrentKeyspace<std::string, std::string, ManualClock>;

// Two keys of which each has a shard of its own, or which share one.
std::pair<std::string, std::string> two_keys(std::size_t shards, bool apart) {
  // With that many keys both kinds are certain to be among them.
  for (int i = 1; i < 1000; ++i) {
    const std::string other = "b" + std::to_string(i);
    if (are_apart<SharedStrings>(shards, std::string("a"), other) == apart) return {"a", other};
  }
  throw std::logic_error("no such keys");
}

TEST_CASE("the calls of a shared keyspace return what those of a Keyspace return", "[long]") {
  const auto shards = GENERATE(1, 4, 64);
  CAPTURE(shards);
  ManualClock clock(at(GENERATE(0, -5000)));
  Strings plain(clock);
  SharedStrings shared(clock, {.shards = static_cast<std::size_t>(shards)});
  std::mt19937 random(static_cast<unsigned>(shards));
  const auto pick = [&](auto count) {
    return static_cast<unsigned>(random()) % static_cast<unsigned>(count);
  };
  const auto ttl_of = [&]() -> Millis {
    static constexpr std::array kTtls = {-1, 0, 1, 2, 50, 1000};
    return pick(8) == 0 ? Strings::kNever : Millis(kTtls[pick(kTtls.size())]);
  };

  const auto do_both = [&](auto&& call) {
    const auto expected = call(plain);
    const auto result = call(shared);
    REQUIRE(result == expected);
  };
  const int steps = shortened(30'000);
  for (int step = 0; step != steps; ++step) {
    const std::string key = "k" + std::to_string(pick(12));
    const std::string other = "k" + std::to_string(pick(12));
    const std::string value = "v" + std::to_string(step);
    const Millis ttl = ttl_of();
    const Instant deadline = clock.now() + Millis(static_cast<int>(pick(20)) - 5);
    const auto condition = static_cast<Condition>(pick(6));
    const unsigned kind = pick(24);
    CAPTURE(step, kind, key, other, ttl);
    switch (kind) {
      case 0:
        do_both([&](auto& ks) {
          ks.set(key, value);
          return true;
        });
        break;
      case 1:
        do_both([&](auto& ks) {
          ks.set(key, value, ttl);
          return true;
        });
        break;
      case 2:
        do_both([&](auto& ks) {
          ks.set(key, value, deadline);
          return true;
        });
        break;
      case 3:
        do_both([&](auto& ks) { return ks.insert(key, value); });
        break;
      case 4:
        do_both([&](auto& ks) { return ks.insert(key, value, ttl); });
        break;
      case 5:
        do_both([&](auto& ks) { return ks.insert(key, value, deadline); });
        break;
      case 6:
        do_both([&](auto& ks) { return ks.replace(key, value); });
        break;
      case 7:
        do_both([&](auto& ks) { return ks.replace(key, value, ttl); });
        break;
      case 8:
        do_both([&](auto& ks) { return ks.replace(key, value, deadline); });
        break;
      case 9:
        do_both([&](auto& ks) { return ks.getdel(key); });
        break;
      case 10:
        do_both([&](auto& ks) { return ks.erase(key); });
        break;
      case 11:
        do_both([&](auto& ks) { return ks.pexpire(key, ttl, condition); });
        break;
      case 12:
        do_both([&](auto& ks) { return ks.pexpireat(key, deadline, condition); });
        break;
      case 13:
        do_both([&](auto& ks) { return ks.persist(key); });
        break;
      case 14:
      case 15:
        do_both([&](auto& ks) { return ks.rename(key, other); });
        break;
      case 16:
      case 17:
        do_both([&](auto& ks) { return ks.copy(key, other); });
        break;
      case 18: {
        const std::string* const found = plain.getex(key, ttl);
        CHECK(shared.getex(key, ttl) ==
              (found == nullptr ? std::nullopt : std::optional<std::string>(*found)));
        break;
      }
      case 19: {
        std::string* const found = plain.find(key);
        if (found != nullptr) *found += "!";
        CHECK(shared.update(key, [](std::string& stored) { stored += "!"; }) == (found != nullptr));
        break;
      }
      case 20:
        if (pick(50) == 0)
          do_both([&](auto& ks) {
            ks.clear();
            return ks.size();
          });
        break;
      case 21: {
        plain.erase_expired();
        shared.erase_expired();
        CHECK(shared.size() == plain.size());
        CHECK(shared.volatile_size() == plain.volatile_size());
        CHECK(shared.next_deadline().has_value() == plain.next_deadline().has_value());
        break;
      }
      default:
        clock.advance(Millis(pick(4)));
    }
    for (const std::string_view k : {std::string_view(key), std::string_view(other)}) {
      do_both([&](const auto& ks) { return ks.get(k); });
      do_both([&](const auto& ks) { return ks.contains(k); });
      do_both([&](const auto& ks) { return ks.pttl(k); });
      do_both([&](const auto& ks) { return ks.pexpiretime(k); });
    }
    CHECK(live_count(shared) == live_count(plain));
  }
}

TEST_CASE("a rename moves value and expiry also to another shard") {
  const bool apart = GENERATE(false, true);
  ManualClock clock;
  SharedStrings ks(clock, {.shards = 8});
  const auto [a, b] = two_keys(8, apart);
  ks.set(a, "value", 10ms);
  ks.set(b, "other");
  CHECK(ks.rename(a, b));
  CHECK(ks.get(a) == std::nullopt);
  CHECK(ks.get(b) == "value");
  CHECK(ks.pttl(b) == 10ms);
  CHECK(ks.size() == 1);
  CHECK(ks.volatile_size() == 1);
  clock.advance(10ms);
  CHECK_FALSE(ks.rename(b, a));
  CHECK(ks.erase_expired() == 1);
  CHECK(ks.empty());
}

TEST_CASE("renaming to another shard leaves no more stale records than the bound allows") {
  ConcurrentKeyspace<int, int, ManualClock> ks({.shards = 2});
  const void* const source = internal::TestPeer::shard_of(ks, 0);
  const int target = key_apart_from(ks, 0);
  std::vector<int> keys;
  for (int key = target + 1; keys.size() != 20'000; ++key) {
    if (internal::TestPeer::shard_of(ks, key) == source) keys.push_back(key);
  }
  for (const int key : keys) ks.set(key, key, 1h);
  // Nothing else is done to their shard.
  for (const int key : keys) REQUIRE(ks.rename(key, target));
  CHECK(internal::TestPeer::broken_in_shards(ks).empty());
}

TEST_CASE("move-only values can be shared") {
  ConcurrentKeyspace<int, std::unique_ptr<int>, ManualClock> ks(ManualClock(), {.shards = 8});
  for (int key = 0; key != 20; ++key) ks.set(key, std::make_unique<int>(key), 1s);
  for (int key = 0; key != 20; ++key) CHECK(ks.rename(key, key + 100));
  for (int key = 100; key != 120; ++key) {
    CHECK(ks.visit(key, [&](const std::unique_ptr<int>& value) { CHECK(*value == key - 100); }));
    CHECK(**ks.getdel(key) == key - 100);
  }
  CHECK(ks.empty());
}

TEST_CASE("visit and update call their function for a live key alone, and update changes it") {
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> ks(clock);
  ks.set(1, 10, 5ms);
  CHECK(ks.update(1, [](int& value) { value += 1; }));
  int seen = 0;
  CHECK(std::as_const(ks).visit(1, [&](int value) { seen = value; }));
  CHECK(seen == 11);
  CHECK(ks.pttl(1) == 5ms);
  clock.advance(5ms);
  CHECK_FALSE(ks.update(1, [](int&) { FAIL("called for a dead key"); }));
  CHECK_FALSE(ks.visit(1, [](int) { FAIL("called for a dead key"); }));
  CHECK_FALSE(ks.update(2, [](int&) { FAIL("called for no key"); }));
}

TEST_CASE("what visit, update and for_each call may throw, and the keyspace goes on") {
  ConcurrentKeyspace<int, int, ManualClock> ks;
  ks.set(1, 10);
  CHECK_THROWS_AS(ks.visit(1, [](int) { throw Blown(); }), Blown);
  CHECK_THROWS_AS(ks.update(1, [](int&) { throw Blown(); }), Blown);
  CHECK_THROWS_AS(ks.for_each([](int, int, auto) { throw Blown(); }), Blown);
  ks.set(1, 11);
  CHECK(ks.get(1) == 11);
}

TEST_CASE("mget copies the values of keys in all shards") {
  ConcurrentKeyspace<int, int, ManualClock> ks;
  std::vector<int> keys;
  std::vector<std::optional<int>> expected;
  for (int key = 0; key != 100; ++key) {
    keys.push_back(key);
    expected.push_back(key % 3 == 0 ? std::nullopt : std::optional(key * 2));
    if (key % 3 != 0) ks.set(key, key * 2);
  }
  std::vector<std::optional<int>> values;
  ks.mget(keys, std::back_inserter(values));
  CHECK(values == expected);
}

TEST_CASE("erase_expired with a limit comes round to every shard") {
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> ks(clock, {.shards = 16});
  for (int key = 0; key != 3000; ++key) ks.set(key, key, 10ms);
  ks.set(-1, 1);
  CHECK(ks.next_deadline().has_value());
  clock.advance(10ms);
  std::size_t erased = 0;
  for (int calls = 0; ks.volatile_size() != 0; ++calls) {
    REQUIRE(calls < 10'000);
    const std::size_t count = ks.erase_expired(7);
    CHECK(count <= 7);
    erased += count;
  }
  CHECK(erased == 3000);
  CHECK(ks.size() == 1);
  CHECK_FALSE(ks.next_deadline());
}

TEST_CASE("erase_expired gives each shard its turn, however much dies in another") {
  const auto [a, b] = two_keys(2, /*apart=*/true);
  for (const auto& [busy, calm] : {std::pair(a, b), std::pair(b, a)}) {
    ManualClock clock;
    SharedStrings ks(clock, {.shards = 2});
    ks.set(calm, "", 1ms);
    for (int round = 0; round != 2; ++round) {
      ks.set(busy, "", 1ms);
      clock.advance(1ms);
      CHECK(ks.erase_expired(1) == 1);
    }
    ks.set(busy, "", 1ms);
    CHECK(ks.size() == 1);
  }
}

TEST_CASE("a limit of erase_expired is spent by what it erases, not by the shards it looks at") {
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> ks(clock, {.shards = 256});
  for (int key = 0; key != 1000; ++key) ks.set(key, key, 10ms);
  clock.advance(10ms);
  CHECK(ks.erase_expired(1000) == 1000);
}

struct Observing : DefaultFeatures {
  using Listener = std::function<void(int, int, RemovalCause)>;
};

TEST_CASE("a limit of erase_expired is also spent by what is put off, in steps under a lock") {
  constexpr std::uint64_t kLimit = 1000;
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> ks(clock, {.shards = 1});
  for (int key = 0; key != 20'000; ++key) {
    ks.set(key, key, 1s);
    ks.pexpire(key, 1h);
  }
  clock.advance(1s);
  const Probed erasing([&] { CHECK(ks.erase_expired(kLimit) == 0); });
  CHECK(erasing[Probe::kRecordsRead] >= kLimit / 2);  // two steps for each record that is put off
  CHECK(erasing[Probe::kRecordsRead] <= kLimit + 16);
  // One to look what is due, and one for each step.
  CHECK(erasing[Probe::kLocksTaken] >= 4);
  CHECK(erasing[Probe::kLocksTaken] <= 6);
}

TEST_CASE("a call takes one lock, and another only where it has to change what it read") {
  ManualClock clock;
  SharedCache<Sliding> ks(clock, {.expire_after_access = 1h, .shards = 4});
  const int other = key_apart_from(ks, 0);
  const auto locks = [](const auto& call) {
    return Probed([&] { static_cast<void>(call()); })[Probe::kLocksTaken];
  };
  CHECK(locks([&] { return ks.set(0, 0); }) == 1);
  CHECK(locks([&] { return ks.set(other, 0, ks.kNever); }) == 1);
  CHECK(locks([&] { return ks.get(0); }) == 1);
  CHECK(locks([&] { return ks.get(-1); }) == 1);
  CHECK(locks([&] { return ks.peek(0); }) == 1);
  CHECK(locks([&] { return ks.contains(0); }) == 1);
  CHECK(locks([&] { return ks.pttl(0); }) == 1);
  CHECK(locks([&] { return ks.pexpire(0, 2h); }) == 1);
  CHECK(locks([&] { return ks.update(0, [](int& value) { ++value; }); }) == 1);
  CHECK(locks([&] { return ks.get_or_compute(0, 1h, [] { return 1; }); }) == 1);
  CHECK(locks([&] { return ks.copy(0, other); }) == 2);
  CHECK(locks([&] { return ks.rename(0, other); }) == 2);
  CHECK(locks([&] { return ks.erase(other); }) == 1);
  CHECK(locks([&] { return ks.size(); }) == 4);
  // The deadline slides, which takes a lock of one's own.
  ks.set(1, 1);
  clock.advance(1ms);
  CHECK(locks([&] { return ks.get(1); }) == 2);
  CHECK(locks([&] { return ks.get(1); }) == 1);
}

TEST_CASE("erase_expired ends if the clock goes back meanwhile") {
  ManualClock clock;
  SharedCache<Observing> ks(
      clock, {.listener = [&](int, int, RemovalCause) { clock.set(at(0)); }, .shards = 1});
  for (int key = 0; key != 1000; ++key) ks.set(key, key, 10ms);
  clock.advance(10ms);
  const std::size_t erased = ks.erase_expired();
  CHECK(erased >= 1);
  CHECK(erased < 1000);
  CHECK(ks.size() == 1000 - erased);
}

TEST_CASE("getex leaves the ttl as it was if the value cannot be copied") {
  ManualClock clock;
  ConcurrentKeyspace<int, Fragile<Throws::kOnCopy>, ManualClock> ks(clock);
  ks.set(1, Fragile<Throws::kOnCopy>(7), 1h);
  Fuse::arm(0);
  CHECK_THROWS_AS(ks.getex(1, 10ms), Blown);
  Fuse::disarm();
  CHECK(ks.pttl(1) == 1h);
  CHECK(ks.getex(1, 10ms)->id() == 7);
  CHECK(ks.pttl(1) == 10ms);
}

using LedgeredPairs = LedgerAllocator<std::pair<const int, int>>;
using LedgeredCache = ConcurrentCache<int, int, Observing, ManualClock, internal::DefaultHash<int>,
                                      internal::DefaultEqual<int>, LedgeredPairs>;

// But clear(), which deals with one shard after the other.
TEST_CASE("a call that runs out of memory has no effect, also if a listener waits for it") {
  const std::vector<std::function<void(LedgeredCache&)>> calls = {
      [](auto& ks) { ks.set(1, 11); },      [](auto& ks) { ks.insert(3, 3); },
      [](auto& ks) { ks.replace(1, 11); },  [](auto& ks) { ks.erase(1); },
      [](auto& ks) { ks.getdel(1); },       [](auto& ks) { ks.getex(1, 0ms); },
      [](auto& ks) { ks.pexpire(1, 0ms); }, [](auto& ks) { ks.rename(1, 2); },
      [](auto& ks) { ks.rename(1, 3); },    [](auto& ks) { ks.copy(1, 3); },
  };
  for (const std::size_t shards : {1U, 8U}) {
    for (std::size_t call = 0; call != calls.size(); ++call) {
      bool has_thrown = true;
      for (int more = 0; has_thrown; ++more) {
        CAPTURE(shards, call, more);
        Ledger ledger;
        int told = 0;
        LedgeredCache ks(ManualClock(),
                         {.listener = [&](int, int, RemovalCause) { ++told; }, .shards = shards},
                         {}, {}, LedgeredPairs(ledger));
        ks.set(1, 10, 1h);
        ks.set(2, 20, 1h);
        ledger.fragile = true;
        Fuse::arm(more);
        try {
          calls[call](ks);
          has_thrown = false;
        } catch (const Blown&) {
        }
        Fuse::disarm();
        ledger.fragile = false;
        if (!has_thrown) break;
        CHECK(ks.get(1) == 10);
        CHECK(ks.get(2) == 20);
        CHECK(ks.size() == 2);
        ks.set(4, 4);
        CHECK(told == 0);
      }
    }
  }
}

TEST_CASE("what leaves is told of however soon memory runs out") {
  // The same calls again and again, of which each time a later allocation fails.
  for (int more = 0; more != 200; ++more) {
    Ledger ledger;
    int told = 0;
    {
      LedgeredCache ks(ManualClock(),
                       {.listener = [&](int, int, RemovalCause) { ++told; }, .shards = 4}, {}, {},
                       LedgeredPairs(ledger));
      for (int key = 0; key != 100; ++key) ks.set(key, key);
      ledger.fragile = true;
      Fuse::arm(more);
      try {
        ks.clear();
      } catch (const Blown&) {
      }
      Fuse::disarm();
      ledger.fragile = false;
      ks.clear();
      CHECK(ks.empty());
      ks.set(0, 0);
      ks.erase(0);
    }
    CHECK(told == 101);
    CHECK(ledger.bytes == 0);
  }
}

TEST_CASE("the ghosts of a shard are spread over all of its buckets") {
  SharedCache<CacheFeatures> ks({.capacity = 1 << 16, .shards = 64});
  for (int key = 0; key != 1 << 19; ++key) ks.set(key, key);
  CHECK(internal::TestPeer::ghost_buckets_in_use(ks) > 0.9);
}

TEST_CASE("a call hashes its key once") {
  using Counted = ConcurrentKeyspace<std::uint64_t, int, ManualClock, CountingHash<false>>;
  Counted ks;
  ks.reserve(1000);
  const auto hashes_of = [&](const auto& call) {
    take_work();
    call();
    return take_work().hashes;
  };
  CHECK(hashes_of([&] { ks.set(1, 2, 1h); }) == 1);
  CHECK(hashes_of([&] { (void)ks.get(1); }) == 1);
  CHECK(hashes_of([&] { ks.pexpire(1, 2h); }) == 1);
  CHECK(hashes_of([&] { ks.insert(1, 3); }) == 1);
}

// --- Features ---

using Told = std::vector<std::pair<int, RemovalCause>>;
template <class P>
struct Everything : DefaultFeatures {
  using Policy = P;
  using Listener = std::function<void(int, int, RemovalCause)>;
  static constexpr bool kStatistics = true;
};

TEST_CASE("a bound holds for all shards together, and the listener hears of what goes") {
  Told told;
  SharedCache<Everything<Lru>> ks(
      {.capacity = 100,
       .listener = [&](int key, int, RemovalCause cause) { told.emplace_back(key, cause); },
       .shards = 8});
  CHECK(ks.capacity() == 100);
  for (int key = 0; key != 1000; ++key) {
    ks.set(key, key);
    CHECK(ks.weight() <= 100);
  }
  CHECK(ks.size() == 100);
  CHECK(told.size() == 900);
  for (const auto& [key, cause] : told) CHECK(cause == RemovalCause::kEvicted);
  const Statistics counted = ks.statistics();
  CHECK(counted.inserts == 1000);
  CHECK(counted.removed(RemovalCause::kEvicted) == 900);
  CHECK(counted.size == 100);
}

TEST_CASE("one shard by default where a cache is small, so that Lru is exact") {
  SharedCache<Everything<Lru>> ks({.capacity = 3});
  for (int key = 0; key != 3; ++key) ks.set(key, key);
  CHECK(ks.get(0) == 0);  // a request, and so 1 is the oldest
  CHECK(std::as_const(ks).get(1) == 1);
  CHECK(ks.peek(1) == 1);
  ks.set(3, 3);
  CHECK(ks.contains(0));
  CHECK_FALSE(ks.contains(1));
  const Statistics counted = ks.statistics();
  CHECK(counted.hits == 1);
  CHECK(counted.misses == 0);
}

TEST_CASE("statistics agree after renames between shards") {
  SharedCache<Everything<Unbounded>> ks({.shards = 8});
  for (int key = 0; key != 100; ++key) ks.set(key, key);
  for (int key = 0; key != 100; ++key) CHECK(ks.rename(key, (key * 7 + 3) % 150));
  const Statistics counted = ks.statistics();
  std::uint64_t removed = 0;
  for (const auto count : counted.removals) removed += count;
  CHECK(counted.size == ks.size());
  CHECK(counted.inserts + counted.replacements - removed == counted.size);
  CHECK(counted.inserts == 100);
  CHECK(counted.replacements == 0);
}

TEST_CASE("an entry that is renamed to a shard without room for it is evicted") {
  using Ks = SharedCache<Everything<EarliestDeadline>>;
  Told told;
  Ks ks({.capacity = 2,
         .listener = [&](int key, int, RemovalCause cause) { told.emplace_back(key, cause); },
         .shards = 2});
  REQUIRE(ks.shards() == 2);
  // `stays` and `other` are in the shard that does not hold 0.
  const int stays = key_apart_from(ks, 0);
  const int other = key_apart_from(ks, key_apart_from(ks, stays));
  ks.set(0, 7, 1h);
  ks.set(stays, 8);  // persistent, so that nothing may take its place
  CHECK(ks.rename(0, other));
  CHECK(told == Told{{0, RemovalCause::kEvicted}});
  CHECK_FALSE(ks.contains(0));
  CHECK_FALSE(ks.contains(other));
  CHECK(ks.get(stays) == 8);
  CHECK(ks.size() == 1);
  CHECK(ks.weight() == 1);
  CHECK(internal::TestPeer::broken_in_shards(ks).empty());
}

struct CountedSliding : Sliding {
  static constexpr bool kStatistics = true;
};

TEST_CASE("get_or_compute counts one hit or one miss") {
  ManualClock clock;
  const auto check = [&](auto& ks, Statistics::Count hits, Statistics::Count misses) {
    const Statistics counted = ks.statistics();
    CHECK(counted.hits == hits);
    CHECK(counted.misses == misses);
    CHECK(counted.inserts == 1);
  };
  const auto get = [](auto& ks) { return ks.get_or_compute(1, 10ms, [] { return 1; }); };
  SharedCache<Everything<Unbounded>> ks(clock, {.shards = 1});
  get(ks);
  check(ks, 0, 1);
  get(ks);
  check(ks, 1, 1);
  ks.get_or_compute(
      1, 10ms, [] { return 2; }, 1h);  // a hit that computes
  check(ks, 2, 1);

  SharedCache<CountedSliding> sliding(clock, {.expire_after_access = 10ms, .shards = 1});
  get(sliding);
  check(sliding, 0, 1);
  clock.advance(5ms);
  get(sliding);  // which moves the deadline
  check(sliding, 1, 1);
  CHECK(sliding.pttl(1) == 10ms);
}

TEST_CASE(
    "erase_expired leaves entries that expire after it began, if the listener advances the clock") {
  ManualClock clock;
  SharedCache<Everything<Unbounded>>* self = nullptr;
  int told = 0;
  const auto make_more = [&](int, int, RemovalCause) {
    if (++told != 1) return;
    for (int key = 100; key != 200; ++key) self->set(key, 0, 1ms);
    clock.advance(1ms);
  };
  SharedCache<Everything<Unbounded>> ks(clock, {.listener = make_more, .shards = 4});
  self = &ks;
  for (int key = 0; key != 10; ++key) ks.set(key, 0, 1ms);
  clock.advance(1ms);
  ks.erase_expired();
  CHECK(told == 10);
  CHECK(ks.size() == 100);
  CHECK(ks.erase_expired() == 100);
}

TEST_CASE("a listener may call the keyspace, and is told in a loop of what leaves by that") {
  Told told;
  int depth = 0;
  SharedCache<Everything<Unbounded>>* self = nullptr;
  SharedCache<Everything<Unbounded>> ks({.listener =
                                             [&](int key, int value, RemovalCause cause) {
                                               CHECK(++depth == 1);
                                               told.emplace_back(key, cause);
                                               if (value != 0) self->set(key, value - 1);
                                               self->erase(key + 1);
                                               --depth;
                                             },
                                         .shards = 4});
  self = &ks;
  ks.set(1, 3);
  ks.set(2, 0);
  ks.erase(1);
  CHECK(told == Told{{1, RemovalCause::kErased}, {2, RemovalCause::kErased}});
  CHECK(ks.get(1) == 2);
}

TEST_CASE("what a throwing listener was not told of is told by the next call") {
  Told told;
  bool throws = true;
  SharedCache<Everything<Unbounded>> ks({.listener =
                                             [&](int key, int, RemovalCause cause) {
                                               told.emplace_back(key, cause);
                                               if (throws) throw Blown();
                                             },
                                         .shards = 1});
  for (int key = 0; key != 3; ++key) ks.set(key, key);
  CHECK_THROWS_AS(ks.clear(), Blown);
  CHECK(ks.empty());
  CHECK(told.size() == 1);
  throws = false;
  ks.set(7, 7);
  CHECK(told.size() == 3);
  ks.erase(7);
  CHECK(told.size() == 4);
}

TEST_CASE("removals that are still queued after a listener threw are reported before later ones") {
  ManualClock clock;
  Told told;
  bool throws = true;
  SharedCache<Everything<Unbounded>> ks(clock, {.listener =
                                                    [&](int key, int, RemovalCause cause) {
                                                      told.emplace_back(key, cause);
                                                      if (throws) throw Blown();
                                                    },
                                                .shards = 1});
  for (int key = 0; key != 3; ++key) ks.set(key, 0, Millis(1 + key));
  ks.set(7, 7);
  clock.advance(3ms);
  CHECK_THROWS_AS(ks.erase_expired(), Blown);
  throws = false;
  ks.erase(7);
  CHECK(told == Told{{0, RemovalCause::kExpired},
                     {1, RemovalCause::kExpired},
                     {2, RemovalCause::kExpired},
                     {7, RemovalCause::kErased}});
}

TEST_CASE("clear() clears all shards, also if the listener throws") {
  std::size_t told = 0;
  SharedCache<Everything<Unbounded>> ks({.listener =
                                             [&](int, int, RemovalCause) {
                                               ++told;
                                               throw Blown();
                                             },
                                         .shards = 16});
  for (int key = 0; key != 100; ++key) ks.set(key, key);
  CHECK_THROWS_AS(ks.clear(), Blown);
  CHECK(ks.empty());
  while (told != 100) CHECK_THROWS_AS(ks.clear(), Blown);
  ks.clear();
  CHECK(told == 100);
}

TEST_CASE("the number of shards is rounded up to a power of two, within limits") {
  CHECK(ConcurrentKeyspace<int, int>({.shards = 5}).shards() == 8);
  constexpr std::size_t kTooMany = std::numeric_limits<std::size_t>::max();
  CHECK(SharedCache<Everything<Lru>>({.capacity = 1000, .shards = kTooMany}).shards() == 512);
}

// A clock that throws.
struct Broken {
  Instant now() const {
    Fuse::burn();
    return Instant();
  }
};

TEST_CASE("clear() tells of each entry once, also if the clock throws") {
  int told = 0;
  ConcurrentCache<int, int, Everything<Unbounded>, Broken> ks(
      {.listener = [&](int, int, RemovalCause) { ++told; }, .shards = 1});
  for (int key = 0; key != 10; ++key) ks.set(key, key);
  ks.set(10, 10, 1s);
  Fuse::arm(0);
  CHECK_THROWS_AS(ks.clear(), Blown);
  Fuse::disarm();
  CHECK(ks.size() == 11);
  ks.clear();
  CHECK(told == 11);
}

TEST_CASE("by default there are 32 shards for each processor, and 256 at most") {
  const std::size_t processors = std::max(std::thread::hardware_concurrency(), 1u);
  CHECK(ConcurrentKeyspace<int, int>().shards() ==
        std::min<std::size_t>(std::bit_ceil(32 * processors), 256));
}

TEST_CASE("keys are spread over all shards, whichever bits of their hashes differ") {
  struct Identity {
    std::size_t operator()(std::uint64_t key) const noexcept { return key; }
  };
  using Ks = ConcurrentKeyspace<std::uint64_t, int, ManualClock, Identity>;
  constexpr std::size_t kShards = 64;
  const Ks ks({.shards = kShards});
  for (const int shift : {0, 4, 16, 32, 48}) {
    std::map<const void*, int> counts;
    for (std::uint64_t key = 0; key != 100 * kShards; ++key) {
      ++counts[internal::TestPeer::shard_of(ks, key << shift)];
    }
    CAPTURE(shift);
    CHECK(counts.size() == kShards);
    for (const auto& [shard, count] : counts) CHECK(count <= 200);
  }
}

TEST_CASE("a hit reads the clock once, also in get_or_compute") {
  const CountingClock clock;
  ConcurrentKeyspace<int, int, CountingClock> ks(clock);
  ks.set(1, 1, 1s);
  static_cast<void>(clock.take_reads());
  CHECK(ks.get(1) == 1);
  CHECK(clock.take_reads() == 1);
  CHECK(ks.get_or_compute(1, 1s, [] { return 2; }) == 1);
  CHECK(clock.take_reads() == 1);
}

TEST_CASE("there are no more shards than the capacity has room for") {
  SharedCache<Everything<Lru>> ks({.capacity = 3, .shards = 64});
  for (int key = 0; key != 100; ++key) {
    ks.set(key, key);
    CHECK(ks.peek(key) == key);
  }
  CHECK(ks.size() == 3);
  SharedCache<Everything<Lru>> none({.capacity = 0, .shards = 64});
  none.set(1, 1);
  CHECK(none.empty());
}

TEST_CASE("an expiry slides with requests") {
  ManualClock clock;
  SharedCache<Sliding> ks(clock, {.expire_after_access = 10ms});
  ks.set(1, 1);
  clock.advance(9ms);
  CHECK(ks.get(1) == 1);
  CHECK(ks.pttl(1) == 10ms);
  clock.advance(9ms);
  CHECK(std::as_const(ks).get(1) == 1);
  CHECK(ks.pttl(1) == 1ms);
  CHECK(ks.get_or_compute(1, 1h, [] { return 2; }) == 1);
  CHECK(ks.pttl(1) == 10ms);
  clock.advance(1ms);
  int seen = 0;
  CHECK(ks.visit(1, [&](int value) { seen = value; }));
  CHECK(seen == 1);
  CHECK(ks.pttl(1) == 10ms);
  clock.advance(10ms);
  CHECK(ks.get(1) == std::nullopt);
}

struct WeighedLru : Everything<Lru> {
  struct Weigher {
    std::size_t operator()(int, int value) const { return static_cast<std::size_t>(value); }
  };
};

TEST_CASE("update weighs again, and evicts what there is no room for") {
  Told told;
  SharedCache<WeighedLru> ks(
      {.capacity = 40,
       .listener = [&](int key, int, RemovalCause cause) { told.emplace_back(key, cause); },
       .shards = 1});
  for (int key = 1; key != 5; ++key) ks.set(key, 10);
  CHECK(ks.update(4, [](int& value) { value = 15; }));
  CHECK(ks.weight() == 35);
  CHECK(told == Told{{1, RemovalCause::kEvicted}});
  CHECK(ks.update(3, [](int& value) { value = 1; }));
  CHECK(ks.weight() == 26);
  CHECK(ks.update(2, [](int& value) { value = 41; }));
  CHECK_FALSE(ks.contains(2));
  CHECK(ks.weight() == 16);
  CHECK(told == Told{{1, RemovalCause::kEvicted}, {2, RemovalCause::kEvicted}});
  const Statistics counted = ks.statistics();
  CHECK(counted.inserts - counted.removed(RemovalCause::kEvicted) == ks.size());
}

TEST_CASE("the number of shards does not leave an entry without room") {
  CHECK(SharedCache<WeighedLru>({.capacity = 1 << 20}).shards() <= 8);
  CHECK(SharedCache<WeighedLru>({.capacity = 1 << 20, .shards = 33}).shards() == 64);
  CHECK(SharedCache<Everything<Lru>>({.capacity = 1000}).shards() == 2);
  CHECK(SharedCache<Everything<Lru>>({.capacity = 100, .shards = 512}).shards() == 64);
  CHECK(SharedStrings().shards() <= 256);
  CHECK(SharedStrings().shards() >= 32);
}

TEST_CASE("weights count, and an entry heavier than its shard's part is refused") {
  SharedCache<WeighedLru> ks({.capacity = 40, .shards = 4});
  ks.set(1, 10);
  CHECK(ks.weight() == 10);
  ks.set(1, 11);
  CHECK(ks.empty());
  CHECK(ks.statistics().refusals == 1);
}

TEST_CASE("a shared keyspace stays where it is") {
  STATIC_REQUIRE_FALSE(std::is_move_constructible_v<SharedStrings>);
  STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<SharedStrings>);
}

}  // namespace
}  // namespace keyspace::testing
