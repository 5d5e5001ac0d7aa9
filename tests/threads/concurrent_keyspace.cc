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

// Returns two keys in different shards if `apart`, else two keys in the same shard.
std::pair<std::string, std::string> two_keys(std::size_t shards, bool apart) {
  // Among 1,000 keys there are certainly both kinds.
  for (int i = 1; i < 1000; ++i) {
    const std::string other = "b" + std::to_string(i);
    if (are_apart<SharedStrings>(shards, std::string("a"), other) == apart) return {"a", other};
  }
  throw std::logic_error("no such keys");
}

TEST_CASE("calls of a ConcurrentKeyspace return what those of a Keyspace return", "[long]") {
  const auto shards = GENERATE(1, 4, 64);
  CAPTURE(shards);
  ManualClock clock(at(GENERATE(0, -5000)));
  Strings plain(clock);
  SharedStrings shared({.clock = clock, .shards = static_cast<std::size_t>(shards)});
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
    const unsigned kind = pick(28);
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
      case 22:
        do_both([&](auto& ks) {
          ks.set(key, value, kKeep);
          return true;
        });
        break;
      case 23:
        do_both([&](auto& ks) { return ks.insert(key, value, kKeep); });
        break;
      case 24:
        do_both([&](auto& ks) { return ks.replace(key, value, kKeep); });
        break;
      case 25: {
        const SharedStrings::Expiry expiry =
            pick(2) == 0 ? SharedStrings::Expiry(kKeep) : SharedStrings::Expiry(deadline);
        const std::string* const found = plain.getex(key, expiry);
        CHECK(shared.getex(key, expiry) ==
              (found == nullptr ? std::nullopt : std::optional<std::string>(*found)));
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

TEST_CASE("rename moves the value and the expiry, also to another shard") {
  const bool apart = GENERATE(false, true);
  ManualClock clock;
  SharedStrings ks({.clock = clock, .shards = 8});
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

// A deadline before the epoch, or more than 500 years after it, is kept beside the entries.
TEST_CASE("copy does not replace a live key in another shard, however far the deadlines are") {
  const bool apart = GENERATE(false, true);
  const ManualClock clock(at(-5000));
  const auto [a, b] = two_keys(8, apart);
  for (const Instant deadline : {at(-4000), at(4000), kLastDeadline, kNoDeadline}) {
    for (const Instant other_deadline : {at(-4999), at(-4000), at(1), kLastDeadline, kNoDeadline}) {
      CAPTURE(apart, deadline.time_since_epoch().count(),
              other_deadline.time_since_epoch().count());
      SharedStrings ks({.clock = clock, .shards = 8});
      ks.set(a, "value", deadline);
      ks.set(b, "other", other_deadline);
      CHECK_FALSE(ks.copy(a, b));
      CHECK(ks.get(b) == "other");
      CHECK(ks.pexpiretime(b) == other_deadline);
      if (other_deadline != at(-4999)) continue;
      clock.advance(1ms);
      CHECK(ks.copy(a, b));
      CHECK(ks.get(b) == "value");
      CHECK(ks.pexpiretime(b) == deadline);
      clock.advance(-1ms);
    }
  }
}

TEST_CASE("kKeep keeps the deadline of a live key, and gives another key none") {
  ManualClock clock;
  SharedStrings ks({.clock = clock, .shards = 8});
  for (int i = 0; i != 50; ++i) {
    const std::string key = "volatile " + std::to_string(i);
    ks.set(key, "old", 10ms);
    ks.set("persistent " + std::to_string(i), "old");
  }
  clock.advance(4ms);
  for (int i = 0; i != 50; ++i) {
    const std::string number = std::to_string(i);
    CAPTURE(number);
    ks.set("volatile " + number, "new", kKeep);
    CHECK(ks.get("volatile " + number) == "new");
    CHECK(ks.pttl("volatile " + number) == 6ms);
    CHECK(ks.replace("volatile " + number, "newer", kKeep));
    CHECK(ks.get("volatile " + number) == "newer");
    CHECK(ks.pttl("volatile " + number) == 6ms);
    CHECK(ks.getex("volatile " + number, kKeep) == "newer");
    CHECK(ks.pttl("volatile " + number) == 6ms);
    CHECK_FALSE(ks.insert("volatile " + number, "newest", kKeep));
    CHECK(ks.get("volatile " + number) == "newer");

    ks.set("persistent " + number, "new", kKeep);
    CHECK(ks.replace("persistent " + number, "newer", kKeep));
    CHECK(ks.get("persistent " + number) == "newer");
    CHECK(ks.pttl("persistent " + number) == ks.kNever);

    CHECK_FALSE(ks.replace("missing " + number, "new", kKeep));
    CHECK(ks.getex("missing " + number, kKeep) == std::nullopt);
    CHECK(ks.insert("missing " + number, "new", kKeep));
    CHECK(ks.pttl("missing " + number) == ks.kNever);
  }
  clock.advance(6ms);
  for (int i = 0; i != 50; ++i) {
    const std::string number = std::to_string(i);
    CAPTURE(number);
    CHECK_FALSE(ks.replace("volatile " + number, "late", kKeep));
    CHECK(ks.getex("volatile " + number, kKeep) == std::nullopt);
    ks.set("volatile " + number, "late", kKeep);
    CHECK(ks.get("volatile " + number) == "late");
    CHECK(ks.pttl("volatile " + number) == ks.kNever);
  }
}

TEST_CASE("a rename to another shard leaves no more stale records than the bound allows") {
  ConcurrentKeyspace<int, int, ManualClock> ks({.shards = 2});
  const void* const source = internal::TestPeer::shard_of(ks, 0);
  const int target = key_apart_from(ks, 0);
  std::vector<int> keys;
  for (int key = target + 1; keys.size() != 20'000; ++key) {
    if (internal::TestPeer::shard_of(ks, key) == source) keys.push_back(key);
  }
  for (const int key : keys) ks.set(key, key, 1h);
  // No other call changes their shard.
  for (const int key : keys) REQUIRE(ks.rename(key, target));
  CHECK(internal::TestPeer::broken_in_shards(ks).empty());
}

TEST_CASE("a ConcurrentKeyspace stores move-only values") {
  ConcurrentKeyspace<int, std::unique_ptr<int>, ManualClock> ks({.shards = 8});
  for (int key = 0; key != 20; ++key) ks.set(key, std::make_unique<int>(key), 1s);
  for (int key = 0; key != 20; ++key) CHECK(ks.rename(key, key + 100));
  for (int key = 100; key != 120; ++key) {
    CHECK(ks.visit(key, [&](const std::unique_ptr<int>& value) { CHECK(*value == key - 100); }));
    CHECK(**ks.getdel(key) == key - 100);
  }
  CHECK(ks.empty());
}

TEST_CASE(
    "visit and update call their function only for a live key, and update changes its value") {
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> ks(clock);
  ks.set(1, 10, 5ms);
  CHECK(ks.update(1, [](int& value) { value += 1; }));
  int seen = 0;
  CHECK(std::as_const(ks).visit(1, [&](int value) { seen = value; }));
  CHECK(seen == 11);
  CHECK(ks.pttl(1) == 5ms);
  clock.advance(5ms);
  CHECK_FALSE(ks.update(1, [](int&) { FAIL("called for an expired key"); }));
  CHECK_FALSE(ks.visit(1, [](int) { FAIL("called for an expired key"); }));
  CHECK_FALSE(ks.update(2, [](int&) { FAIL("called for a missing key"); }));
}

TEST_CASE("the functions of visit, update and for_each may throw, and the keyspace stays usable") {
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

TEST_CASE("calls of erase_expired with a limit reach every shard") {
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> ks({.clock = clock, .shards = 16});
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

TEST_CASE("erase_expired with a limit serves the shards in turn, however busy one of them is") {
  const auto [a, b] = two_keys(2, /*apart=*/true);
  for (const auto& [busy, calm] : {std::pair(a, b), std::pair(b, a)}) {
    ManualClock clock;
    SharedStrings ks({.clock = clock, .shards = 2});
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

TEST_CASE("the limit of erase_expired counts erased entries, and not the shards that it checks") {
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> ks({.clock = clock, .shards = 256});
  for (int key = 0; key != 1000; ++key) ks.set(key, key, 10ms);
  clock.advance(10ms);
  CHECK(ks.erase_expired(1000) == 1000);
}

using IntListener = std::function<void(int, int, RemovalCause)>;
using ObservedInts = ConcurrentKeyspace<int, int, ManualClock, WithListener<IntListener>>;

TEST_CASE("the limit of erase_expired also counts postponed entries, and each step takes a lock") {
  constexpr std::uint64_t kLimit = 1000;
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> ks({.clock = clock, .shards = 1});
  for (int key = 0; key != 20'000; ++key) {
    ks.set(key, key, 1s);
    ks.pexpire(key, 1h);
  }
  clock.advance(1s);
  const Probed erasing([&] { CHECK(ks.erase_expired(kLimit) == 0); });
  CHECK(erasing[Probe::kRecordsRead] >= kLimit / 2);  // a postponed entry counts twice
  CHECK(erasing[Probe::kRecordsRead] <= kLimit + 16);
  // The call takes one lock to check whether entries are due, and one lock for each step.
  CHECK(erasing[Probe::kLocksTaken] >= 4);
  CHECK(erasing[Probe::kLocksTaken] <= 6);
}

TEST_CASE("a call takes one lock, and a second one only to postpone the expiry that it read") {
  ManualClock clock;
  SlidingInts ks({.clock = clock, .expire_after_access = 1h, .shards = 4});
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
  // The request postpones the deadline, so it also takes the lock as a writer.
  ks.set(1, 1);
  clock.advance(1ms);
  CHECK(locks([&] { return ks.get(1); }) == 2);
  CHECK(locks([&] { return ks.get(1); }) == 1);
}

TEST_CASE("erase_expired ends if the clock goes back during the call") {
  ManualClock clock;
  ObservedInts ks(
      {.clock = clock, .listener = [&](int, int, RemovalCause) { clock.set(at(0)); }, .shards = 1});
  for (int key = 0; key != 1000; ++key) ks.set(key, key, 10ms);
  clock.advance(10ms);
  const std::size_t erased = ks.erase_expired();
  CHECK(erased >= 1);
  CHECK(erased < 1000);
  CHECK(ks.size() == 1000 - erased);
}

TEST_CASE("getex leaves the ttl as it was if copying the value throws") {
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
using LedgeredInts = ConcurrentKeyspace<int, int, ManualClock, WithListener<IntListener>,
                                        WithAllocator<LedgeredPairs>>;

// clear() is an exception: it clears one shard after the other.
TEST_CASE("a call that runs out of memory has no effect, and its listener is not called") {
  const std::vector<std::function<void(LedgeredInts&)>> calls = {
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
        int received = 0;
        LedgeredInts ks({.listener = [&](int, int, RemovalCause) { ++received; },
                         .allocator = LedgeredPairs(ledger),
                         .shards = shards});
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
        CHECK(received == 0);
      }
    }
  }
}

TEST_CASE("the listener is called once for each removed entry, wherever memory runs out") {
  // Each round makes the same calls. In each round a later allocation fails.
  for (int more = 0; more != 200; ++more) {
    Ledger ledger;
    int received = 0;
    {
      LedgeredInts ks({.listener = [&](int, int, RemovalCause) { ++received; },
                       .allocator = LedgeredPairs(ledger),
                       .shards = 4});
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
    CHECK(received == 101);
    CHECK(ledger.bytes == 0);
  }
}

TEST_CASE("the ghosts of a shard are spread over all of its buckets") {
  SharedCache<> ks({.capacity = 1 << 16, .shards = 64});
  for (int key = 0; key != 1 << 19; ++key) ks.set(key, key);
  CHECK(internal::TestPeer::ghost_buckets_in_use(ks) > 0.9);
}

TEST_CASE("a call hashes its key once") {
  using Counted =
      ConcurrentKeyspace<std::uint64_t, int, ManualClock, WithHash<CountingHash<false>>>;
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

// --- Policies, listeners, statistics and weighers

using Received = std::vector<std::pair<int, RemovalCause>>;
template <class Policy, class... Options>
using CountedInts = SharedCache<Policy, WithListener<IntListener>, WithStatistics, Options...>;

TEST_CASE("the capacity bounds all shards together, and the listener receives evicted entries") {
  Received received;
  CountedInts<Lru> ks(
      {.capacity = 100,
       .listener = [&](int key, int, RemovalCause cause) { received.emplace_back(key, cause); },
       .shards = 8});
  CHECK(ks.capacity() == 100);
  for (int key = 0; key != 1000; ++key) {
    ks.set(key, key);
    CHECK(ks.weight() <= 100);
  }
  CHECK(ks.size() == 100);
  CHECK(received.size() == 900);
  for (const auto& [key, cause] : received) CHECK(cause == RemovalCause::kEvicted);
  const Statistics counted = ks.statistics();
  CHECK(counted.inserts == 1000);
  CHECK(counted.removed(RemovalCause::kEvicted) == 900);
  CHECK(counted.size == 100);
}

TEST_CASE("a small cache has one shard by default, so that Lru is exact") {
  CountedInts<Lru> ks({.capacity = 3});
  for (int key = 0; key != 3; ++key) ks.set(key, key);
  CHECK(ks.get(0) == 0);  // a request, so 1 is the least recently used
  CHECK(std::as_const(ks).peek(1) == 1);
  CHECK(ks.peek(1) == 1);
  ks.set(3, 3);
  CHECK(ks.contains(0));
  CHECK_FALSE(ks.contains(1));
  const Statistics counted = ks.statistics();
  CHECK(counted.hits == 1);
  CHECK(counted.misses == 0);
}

TEST_CASE("statistics agree after renames between shards") {
  CountedInts<Unbounded> ks({.shards = 8});
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
  using Ks = CountedInts<EarliestDeadline>;
  Received received;
  Ks ks({.capacity = 2,
         .listener = [&](int key, int, RemovalCause cause) { received.emplace_back(key, cause); },
         .shards = 2});
  REQUIRE(ks.shards() == 2);
  // `stays` and `other` are in the shard that does not hold 0.
  const int stays = key_apart_from(ks, 0);
  const int other = key_apart_from(ks, key_apart_from(ks, stays));
  ks.set(0, 7, 1h);
  ks.set(stays, 8);  // persistent, so that it is never evicted
  CHECK(ks.rename(0, other));
  CHECK(received == Received{{0, RemovalCause::kEvicted}});
  CHECK_FALSE(ks.contains(0));
  CHECK_FALSE(ks.contains(other));
  CHECK(ks.get(stays) == 8);
  CHECK(ks.size() == 1);
  CHECK(ks.weight() == 1);
  CHECK(internal::TestPeer::broken_in_shards(ks).empty());
}

TEST_CASE("get_or_compute counts one hit or one miss") {
  ManualClock clock;
  const auto check = [&](auto& ks, Statistics::Count hits, Statistics::Count misses) {
    const Statistics counted = ks.statistics();
    CHECK(counted.hits == hits);
    CHECK(counted.misses == misses);
    CHECK(counted.inserts == 1);
  };
  const auto get = [](auto& ks) { return ks.get_or_compute(1, 10ms, [] { return 1; }); };
  CountedInts<Unbounded> ks({.clock = clock, .shards = 1});
  get(ks);
  check(ks, 0, 1);
  get(ks);
  check(ks, 1, 1);
  ks.get_or_compute(
      1, 10ms, [] { return 2; }, 1h);  // a hit that computes
  check(ks, 2, 1);

  ConcurrentKeyspace<int, int, ManualClock, WithStatistics, WithExpireAfterAccess> sliding(
      {.clock = clock, .expire_after_access = 10ms, .shards = 1});
  get(sliding);
  check(sliding, 0, 1);
  clock.advance(5ms);
  get(sliding);  // postpones the idle deadline
  check(sliding, 1, 1);
  CHECK(sliding.pttl(1) == 5ms);  // until the deadline that was set
  CHECK(sliding.persist(1));
  CHECK(sliding.pttl(1) == 10ms);
}

TEST_CASE(
    "erase_expired leaves entries that expire after it began, if the listener advances the clock") {
  ManualClock clock;
  CountedInts<Unbounded>* self = nullptr;
  int received = 0;
  const auto make_more = [&](int, int, RemovalCause) {
    if (++received != 1) return;
    for (int key = 100; key != 200; ++key) self->set(key, 0, 1ms);
    clock.advance(1ms);
  };
  CountedInts<Unbounded> ks({.clock = clock, .listener = make_more, .shards = 4});
  self = &ks;
  for (int key = 0; key != 10; ++key) ks.set(key, 0, 1ms);
  clock.advance(1ms);
  ks.erase_expired();
  CHECK(received == 10);
  CHECK(ks.size() == 100);
  CHECK(ks.erase_expired() == 100);
}

TEST_CASE("a listener may call the keyspace, and later receives what these calls remove") {
  Received received;
  int depth = 0;
  CountedInts<Unbounded>* self = nullptr;
  CountedInts<Unbounded> ks({.listener =
                                 [&](int key, int value, RemovalCause cause) {
                                   CHECK(++depth == 1);
                                   received.emplace_back(key, cause);
                                   if (value != 0) self->set(key, value - 1);
                                   self->erase(key + 1);
                                   --depth;
                                 },
                             .shards = 4});
  self = &ks;
  ks.set(1, 3);
  ks.set(2, 0);
  ks.erase(1);
  CHECK(received == Received{{1, RemovalCause::kErased}, {2, RemovalCause::kErased}});
  CHECK(ks.get(1) == 2);
}

TEST_CASE("after a listener has thrown, the next call passes it the remaining entries") {
  Received received;
  bool throws = true;
  CountedInts<Unbounded> ks({.listener =
                                 [&](int key, int, RemovalCause cause) {
                                   received.emplace_back(key, cause);
                                   if (throws) throw Blown();
                                 },
                             .shards = 1});
  for (int key = 0; key != 3; ++key) ks.set(key, key);
  CHECK_THROWS_AS(ks.clear(), Blown);
  CHECK(ks.empty());
  CHECK(received.size() == 1);
  throws = false;
  ks.set(7, 7);
  CHECK(received.size() == 3);
  ks.erase(7);
  CHECK(received.size() == 4);
}

TEST_CASE("removals that are still queued after a listener threw are reported before later ones") {
  ManualClock clock;
  Received received;
  bool throws = true;
  CountedInts<Unbounded> ks({.clock = clock,
                             .listener =
                                 [&](int key, int, RemovalCause cause) {
                                   received.emplace_back(key, cause);
                                   if (throws) throw Blown();
                                 },
                             .shards = 1});
  for (int key = 0; key != 3; ++key) ks.set(key, 0, Millis(1 + key));
  ks.set(7, 7);
  clock.advance(3ms);
  CHECK_THROWS_AS(ks.erase_expired(), Blown);
  throws = false;
  ks.erase(7);
  CHECK(received == Received{{0, RemovalCause::kExpired},
                             {1, RemovalCause::kExpired},
                             {2, RemovalCause::kExpired},
                             {7, RemovalCause::kErased}});
}

TEST_CASE("clear() clears all shards, also if the listener throws") {
  std::size_t received = 0;
  CountedInts<Unbounded> ks({.listener =
                                 [&](int, int, RemovalCause) {
                                   ++received;
                                   throw Blown();
                                 },
                             .shards = 16});
  for (int key = 0; key != 100; ++key) ks.set(key, key);
  CHECK_THROWS_AS(ks.clear(), Blown);
  CHECK(ks.empty());
  while (received != 100) CHECK_THROWS_AS(ks.clear(), Blown);
  ks.clear();
  CHECK(received == 100);
}

TEST_CASE("the number of shards is rounded up to a power of two, within limits") {
  CHECK(ConcurrentKeyspace<int, int>({.shards = 5}).shards() == 8);
  constexpr std::size_t kTooMany = std::numeric_limits<std::size_t>::max();
  CHECK(CountedInts<Lru>({.capacity = 1000, .shards = kTooMany}).shards() == 512);
}

// A clock that throws when the Fuse burns.
struct ThrowingClock {
  Instant now() const {
    Fuse::burn();
    return Instant();
  }
};

TEST_CASE("clear() passes each entry to the listener once, also if the clock throws") {
  int received = 0;
  ConcurrentKeyspace<int, int, ThrowingClock, WithListener<IntListener>, WithStatistics> ks(
      {.listener = [&](int, int, RemovalCause) { ++received; }, .shards = 1});
  for (int key = 0; key != 10; ++key) ks.set(key, key);
  ks.set(10, 10, 1s);
  Fuse::arm(0);
  CHECK_THROWS_AS(ks.clear(), Blown);
  Fuse::disarm();
  CHECK(ks.size() == 11);
  ks.clear();
  CHECK(received == 11);
}

using ThrowingTime = ConcurrentKeyspace<int, int, ThrowingClock, WithExpireAfterAccess>;

TEST_CASE("a clock that throws leaves no lock held, and the call without effect") {
  const std::pair<const char*, std::function<void(ThrowingTime&, int)>> calls[] = {
      {"set", [](auto& ks, int) { ks.set(0, 7, 1s); }},
      {"set with kKeep", [](auto& ks, int) { ks.set(0, 7, kKeep); }},
      {"insert", [](auto& ks, int) { ks.insert(0, 7, 1s); }},
      {"replace", [](auto& ks, int) { ks.replace(0, 7, 1s); }},
      {"get", [](auto& ks, int) { static_cast<void>(ks.get(0)); }},
      {"peek", [](auto& ks, int) { static_cast<void>(ks.peek(0)); }},
      {"visit", [](auto& ks, int) { ks.visit(0, [](int) { FAIL("called"); }); }},
      {"update", [](auto& ks, int) { ks.update(0, [](int&) { FAIL("called"); }); }},
      {"contains", [](auto& ks, int) { static_cast<void>(ks.contains(0)); }},
      {"getex", [](auto& ks, int) { ks.getex(0, 2h); }},
      {"getdel", [](auto& ks, int) { ks.getdel(0); }},
      {"erase", [](auto& ks, int) { ks.erase(0); }},
      {"pexpire", [](auto& ks, int) { ks.pexpire(0, 2h); }},
      {"pttl", [](auto& ks, int) { static_cast<void>(ks.pttl(0)); }},
      {"pexpiretime", [](auto& ks, int) { static_cast<void>(ks.pexpiretime(0)); }},
      {"persist", [](auto& ks, int) { ks.persist(0); }},
      {"rename", [](auto& ks, int other) { ks.rename(0, other); }},
      {"copy", [](auto& ks, int other) { ks.copy(0, other); }},
      {"get_or_compute", [](auto& ks, int) { ks.get_or_compute(0, 1s, [] { return 7; }); }},
      {"for_each", [](auto& ks, int) { ks.for_each([](int, int, auto) { FAIL("called"); }); }},
      {"erase_expired", [](auto& ks, int) { ks.erase_expired(); }},
  };
  for (const auto& [name, call] : calls) {
    CAPTURE(name);
    ThrowingTime ks({.expire_after_access = 1h, .shards = 2});
    const int other = key_apart_from(ks, 0);
    ks.set(0, 1);
    ks.set(other, 2);
    Fuse::arm(0);
    CHECK_THROWS_AS(call(ks, other), Blown);
    Fuse::disarm();
    // If a lock were held, these calls would wait forever.
    CHECK(ks.update(0, [](int& value) { ++value; }));
    CHECK(ks.update(other, [](int& value) { ++value; }));
    CHECK(ks.get(0) == 2);
    CHECK(ks.get(other) == 3);
    CHECK(ks.pttl(0) == 1h);
    CHECK(ks.pttl(other) == 1h);
    CHECK(ks.size() == 2);
  }
}

TEST_CASE("get_or_compute ends its computation wherever the clock throws") {
  int throws = 0;
  for (int more = 0;; ++more) {
    CAPTURE(more);
    ConcurrentKeyspace<int, int, ThrowingClock> ks;
    ks.set(1, 1, 1s);
    bool has_thrown = false;
    Fuse::arm(more);
    try {
      ks.get_or_compute(
          1, 1s, [] { return 2; }, 2s);  // a refresh
    } catch (const Blown&) {
      has_thrown = true;
    }
    Fuse::disarm();
    CHECK(ks.peek(1) == (has_thrown ? 1 : 2));
    // If the computation were still registered, this call would throw RecursiveComputation or
    // return the old value.
    CHECK(ks.get_or_compute(
              1, 1s, [] { return 3; }, 2s) == 3);
    if (!has_thrown) break;
    ++throws;
  }
  CHECK(throws == 3);  // the first look-up, the second one, and the store
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
  using Ks = ConcurrentKeyspace<std::uint64_t, int, ManualClock, WithHash<Identity>>;
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

TEST_CASE("a call reads the clock at most once under each lock, and not if no deadline matters") {
  const CountingClock clock;
  ConcurrentKeyspace<int, int, CountingClock> ks({.clock = clock, .shards = 4});
  const int other = key_apart_from(ks, 0);
  const auto reads = [&](const auto& call) {
    static_cast<void>(clock.take_reads());
    static_cast<void>(call());
    return clock.take_reads();
  };
  // No entry is volatile.
  CHECK(reads([&] { return ks.set(0, 0); }) == 0);
  CHECK(reads([&] { return ks.get(0); }) == 0);
  CHECK(reads([&] { return ks.set(0, 1, kKeep); }) == 0);
  CHECK(reads([&] { return ks.update(0, [](int& value) { ++value; }); }) == 0);
  CHECK(reads([&] { return ks.pttl(0); }) == 0);
  CHECK(reads([&] { return ks.rename(0, other); }) == 0);
  CHECK(reads([&] { return ks.copy(other, 0); }) == 0);
  CHECK(reads([&] {
          return ks.get_or_compute(
              0, 1s, [] { return 2; }, 1h);
        }) == 0);
  CHECK(reads([&] { return live_count(ks); }) == 0);
  CHECK(reads([&] { return ks.erase(other); }) == 0);
  CHECK(reads([&] { return ks.clear(); }) == 0);

  CHECK(reads([&] { return ks.set(0, 0, 1s); }) == 1);
  CHECK(reads([&] { return ks.set(0, 1, kKeep); }) == 1);
  CHECK(reads([&] { return ks.get(0); }) == 1);
  CHECK(reads([&] { return ks.peek(0); }) == 1);
  CHECK(reads([&] { return ks.pttl(0); }) == 1);
  CHECK(reads([&] { return ks.update(0, [](int& value) { ++value; }); }) == 1);
  CHECK(reads([&] { return ks.getex(0, 2s); }) == 1);
  CHECK(reads([&] { return ks.pexpire(0, 3s); }) == 1);
  CHECK(reads([&] { return ks.rename(0, other); }) == 1);
  CHECK(reads([&] { return ks.copy(other, 0); }) == 1);
  // A refresh: the first look-up, the second one, and the store.
  CHECK(reads([&] {
          return ks.get_or_compute(
              0, 1s, [] { return 2; }, 1h);
        }) == 3);
  CHECK(reads([&] { return ks.getdel(0); }) == 1);
}

TEST_CASE("there are no more shards than the capacity has room for") {
  CountedInts<Lru> ks({.capacity = 3, .shards = 64});
  for (int key = 0; key != 100; ++key) {
    ks.set(key, key);
    CHECK(ks.peek(key) == key);
  }
  CHECK(ks.size() == 3);
  CountedInts<Lru> none({.capacity = 0, .shards = 64});
  none.set(1, 1);
  CHECK(none.empty());
}

TEST_CASE("a request postpones the expiry, and peek() does not") {
  ManualClock clock;
  SlidingInts ks({.clock = clock, .expire_after_access = 10ms});
  ks.set(1, 1);
  clock.advance(9ms);
  CHECK(ks.get(1) == 1);
  CHECK(ks.pttl(1) == 10ms);
  clock.advance(9ms);
  CHECK(std::as_const(ks).peek(1) == 1);
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

struct WeighsItsValue {
  std::size_t operator()(int, int value) const { return static_cast<std::size_t>(value); }
};
using WeighedLru = CountedInts<Lru, WithWeigher<WeighsItsValue>>;

TEST_CASE("update weighs the entry again, and evicts entries that have no room") {
  Received received;
  WeighedLru ks(
      {.capacity = 40,
       .listener = [&](int key, int, RemovalCause cause) { received.emplace_back(key, cause); },
       .shards = 1});
  for (int key = 1; key != 5; ++key) ks.set(key, 10);
  CHECK(ks.update(4, [](int& value) { value = 15; }));
  CHECK(ks.weight() == 35);
  CHECK(received == Received{{1, RemovalCause::kEvicted}});
  CHECK(ks.update(3, [](int& value) { value = 1; }));
  CHECK(ks.weight() == 26);
  CHECK(ks.update(2, [](int& value) { value = 41; }));
  CHECK_FALSE(ks.contains(2));
  CHECK(ks.weight() == 16);
  CHECK(received == Received{{1, RemovalCause::kEvicted}, {2, RemovalCause::kEvicted}});
  const Statistics counted = ks.statistics();
  CHECK(counted.inserts - counted.removed(RemovalCause::kEvicted) == ks.size());
}

TEST_CASE("the number of shards does not leave an entry without room") {
  CHECK(WeighedLru({.capacity = 1 << 20}).shards() <= 8);
  CHECK(WeighedLru({.capacity = 1 << 20, .shards = 33}).shards() == 64);
  CHECK(CountedInts<Lru>({.capacity = 1000}).shards() == 2);
  CHECK(CountedInts<Lru>({.capacity = 100, .shards = 512}).shards() == 64);
  CHECK(SharedStrings().shards() <= 256);
  CHECK(SharedStrings().shards() >= 32);
}

TEST_CASE("the capacity bounds weights, and an entry heavier than its shard's part is refused") {
  WeighedLru ks({.capacity = 40, .shards = 4});
  ks.set(1, 10);
  CHECK(ks.weight() == 10);
  ks.set(1, 11);
  CHECK(ks.empty());
  CHECK(ks.statistics().refusals == 1);
}

TEST_CASE("a ConcurrentKeyspace can be neither moved nor copied") {
  STATIC_REQUIRE_FALSE(std::is_move_constructible_v<SharedStrings>);
  STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<SharedStrings>);
}

}  // namespace
}  // namespace keyspace::testing
