#include <keyspace/cache.h>
#include <keyspace/keyspace.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/probe.h"
#include "support/support.h"

// Interrupts every call at every point at which a user's type, hash, equality or allocator can
// throw: arms the fuse with 0, 1, 2, ... until the call returns. After each interruption only the
// keys of the call may have changed, and the keyspace must still be usable.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

// A hash that cannot throw. A map may call it again while the map grows.
struct SteadyHash {
  template <Throws kThrows>
  std::size_t operator()(const Fragile<kThrows>& key) const noexcept {
    return static_cast<std::size_t>(key.id()) * 0x9e3779b97f4a7c15u;
  }
};

template <Throws kKey, Throws kValue, class Hash, class Equal>
struct Setup {
  using Key = Fragile<kKey>;
  using Value = Fragile<kValue>;
  using Allocator = LedgerAllocator<std::pair<const Key, Value>>;
  using Ks = Keyspace<Key, Value, ManualClock, WithHash<Hash, Equal>, WithAllocator<Allocator>>;
  static Ks make(Ledger& ledger) { return Ks({.allocator = Allocator(ledger)}); }
};

// A cache that has room for all entries. Its weigher throws too.
template <Throws kKey, Throws kValue, class Hash, class Policy>
struct CacheSetup {
  using Key = Fragile<kKey>;
  using Value = Fragile<kValue>;
  using Allocator = LedgerAllocator<std::pair<const Key, Value>>;
  struct Weigher {
    std::size_t operator()(const Key& key, const Value& value) const {
      Fuse::burn();
      return static_cast<std::size_t>(key.id() % 2 + value.id() % 3);
    }
  };
  struct Listener {
    void operator()(const Key&, const Value&, RemovalCause) const {}
  };
  using Ks = Cache<Key, Value, Policy, WithWeigher<Weigher>, WithListener<Listener>, WithStatistics,
                   ManualClock, WithHash<Hash, FragileEq>, WithAllocator<Allocator>>;
  static Ks make(Ledger& ledger) {
    return Ks({.capacity = 10'000, .allocator = Allocator(ledger)});
  }
};

using EverythingThrows =
    Setup<Throws::kOnCopyOrMove, Throws::kOnCopyOrMove, FragileHash, FragileEq>;
using OnlyMovesAreSafe = Setup<Throws::kOnCopy, Throws::kOnCopy, FragileHash, FragileEq>;
using OnlyHashAndMovesAreSafe = Setup<Throws::kOnCopy, Throws::kOnCopy, SteadyHash, FragileEq>;
using KeysThrow = Setup<Throws::kOnCopyOrMove, Throws::kNever, SteadyHash, FragileEq>;
using ValuesThrow = Setup<Throws::kNever, Throws::kOnCopyOrMove, SteadyHash, std::equal_to<>>;
using SoonestThrow =
    CacheSetup<Throws::kOnCopy, Throws::kOnCopyOrMove, SteadyHash, EarliestDeadline>;
using LruThrows = CacheSetup<Throws::kOnCopyOrMove, Throws::kOnCopy, FragileHash, Lru>;
using ScanResistantThrows = CacheSetup<Throws::kOnCopy, Throws::kOnCopy, SteadyHash, ScanResistant>;

// The values and deadlines of all live entries, by the number of the key.
using Contents = std::map<int, std::pair<int, Instant>>;

template <class Ks>
Contents state_of(const Ks& ks) {
  Contents state;
  ks.for_each([&](const auto& key, const auto& value, Instant deadline) {
    if (!state.emplace(key.id(), std::pair(value.id(), deadline)).second) {
      throw std::logic_error("for_each shows an entry twice");
    }
  });
  return state;
}

// The arguments of calls. They are constructed before the fuse is armed.
template <class S>
struct Arguments {
  using Key = typename S::Key;
  using Value = typename S::Value;
  Key persistent{0}, soon{1}, postponed{2}, expired{3}, absent{1000};
  Value value{7777};
};

constexpr Instant kNow = at(50);
constexpr Instant kFar = at(std::int64_t{1} << 61);  // too far for an entry to keep in few bits

// A keyspace with `size` entries, of four kinds in turn.
template <class S>
struct FilledKeyspace {
  explicit FilledKeyspace(int size) : ks(S::make(ledger)) {
    for (int i = 0; i < size; ++i) {
      const typename S::Key key(i);
      const typename S::Value value(100 + i);
      switch (i % 4) {
        case 0:
          ks.set(key, value);
          break;
        case 1:
          ks.set(key, value, at(100 + i));
          break;
        case 2:
          ks.set(key, value, at(10 + i));
          ks.pexpireat(key, at(200 + i));
          break;
        default:
          ks.set(key, value, at(5));
          break;
      }
    }
    ks.clock().set(kNow);
    ledger.fragile = true;
  }

  Ledger ledger;
  typename S::Ks ks;
};

template <class S>
struct Case {
  const char* name;
  std::function<void(typename S::Ks&, Arguments<S>&)> call;
  std::set<int> about;  // the keys it may change
};

template <class S>
std::vector<Case<S>> cases() {
  using Ks = typename S::Ks;
  using A = Arguments<S>;
  return {
      {"set absent", [](Ks& ks, A& a) { ks.set(a.absent, a.value); }, {1000}},
      {"set absent, moved",
       [](Ks& ks, A& a) { ks.set(std::move(a.absent), std::move(a.value)); },
       {1000}},
      {"set absent ttl", [](Ks& ks, A& a) { ks.set(a.absent, a.value, 70ms); }, {1000}},
      {"set absent ttl, moved",
       [](Ks& ks, A& a) { ks.set(std::move(a.absent), std::move(a.value), 70ms); },
       {1000}},
      {"set absent far", [](Ks& ks, A& a) { ks.set(a.absent, a.value, kFar); }, {1000}},
      {"set persistent", [](Ks& ks, A& a) { ks.set(a.persistent, a.value); }, {0}},
      {"set persistent ttl", [](Ks& ks, A& a) { ks.set(a.persistent, a.value, 70ms); }, {0}},
      {"set persistent far", [](Ks& ks, A& a) { ks.set(a.persistent, a.value, kFar); }, {0}},
      {"set persistent over", [](Ks& ks, A& a) { ks.set(a.persistent, a.value, 0ms); }, {0}},
      {"set volatile", [](Ks& ks, A& a) { ks.set(a.soon, a.value); }, {1}},
      {"set volatile sooner", [](Ks& ks, A& a) { ks.set(a.soon, a.value, 1ms); }, {1}},
      {"set volatile sooner, moved",
       [](Ks& ks, A& a) { ks.set(a.soon, std::move(a.value), 1ms); },
       {1}},
      {"set volatile later", [](Ks& ks, A& a) { ks.set(a.soon, a.value, 900ms); }, {1}},
      {"set postponed", [](Ks& ks, A& a) { ks.set(a.postponed, a.value, 70ms); }, {2}},
      {"set expired", [](Ks& ks, A& a) { ks.set(a.expired, a.value); }, {3}},
      {"set expired ttl", [](Ks& ks, A& a) { ks.set(a.expired, a.value, 70ms); }, {3}},
      {"set expired ttl, moved",
       [](Ks& ks, A& a) { ks.set(std::move(a.expired), std::move(a.value), 70ms); },
       {3}},
      {"insert absent", [](Ks& ks, A& a) { ks.insert(a.absent, a.value, 70ms); }, {1000}},
      {"insert expired", [](Ks& ks, A& a) { ks.insert(a.expired, a.value, 70ms); }, {3}},
      {"insert present", [](Ks& ks, A& a) { ks.insert(a.soon, a.value, 70ms); }, {}},
      {"replace absent", [](Ks& ks, A& a) { ks.replace(a.absent, a.value, 70ms); }, {}},
      {"replace volatile", [](Ks& ks, A& a) { ks.replace(a.soon, a.value, 1ms); }, {1}},
      {"set absent keep", [](Ks& ks, A& a) { ks.set(a.absent, a.value, kKeep); }, {1000}},
      {"set persistent keep", [](Ks& ks, A& a) { ks.set(a.persistent, a.value, kKeep); }, {0}},
      {"set volatile keep", [](Ks& ks, A& a) { ks.set(a.soon, a.value, kKeep); }, {1}},
      {"set volatile keep, moved",
       [](Ks& ks, A& a) { ks.set(std::move(a.soon), std::move(a.value), kKeep); },
       {1}},
      {"set postponed keep", [](Ks& ks, A& a) { ks.set(a.postponed, a.value, kKeep); }, {2}},
      {"set expired keep", [](Ks& ks, A& a) { ks.set(a.expired, a.value, kKeep); }, {3}},
      {"insert absent keep", [](Ks& ks, A& a) { ks.insert(a.absent, a.value, kKeep); }, {1000}},
      {"insert expired keep", [](Ks& ks, A& a) { ks.insert(a.expired, a.value, kKeep); }, {3}},
      {"insert present keep", [](Ks& ks, A& a) { ks.insert(a.soon, a.value, kKeep); }, {}},
      {"replace volatile keep", [](Ks& ks, A& a) { ks.replace(a.soon, a.value, kKeep); }, {1}},
      {"find", [](Ks& ks, A& a) { static_cast<void>(ks.find(a.soon)); }, {}},
      {"get", [](Ks& ks, A& a) { static_cast<void>(ks.get(a.soon)); }, {}},
      {"pttl", [](Ks& ks, A& a) { static_cast<void>(ks.pttl(a.soon)); }, {}},
      {"getex sooner", [](Ks& ks, A& a) { ks.getex(a.soon, 1ms); }, {1}},
      {"getex later", [](Ks& ks, A& a) { ks.getex(a.soon, 900ms); }, {1}},
      {"getex over", [](Ks& ks, A& a) { ks.getex(a.soon, 0ms); }, {1}},
      {"getex never", [](Ks& ks, A& a) { ks.getex(a.soon, Ks::kNever); }, {1}},
      {"getex deadline sooner", [](Ks& ks, A& a) { ks.getex(a.soon, at(51)); }, {1}},
      {"getex keep", [](Ks& ks, A& a) { ks.getex(a.soon, kKeep); }, {}},
      {"getdel", [](Ks& ks, A& a) { ks.getdel(a.postponed); }, {2}},
      {"erase", [](Ks& ks, A& a) { ks.erase(a.postponed); }, {2}},
      {"erase expired", [](Ks& ks, A& a) { ks.erase(a.expired); }, {3}},
      {"pexpire persistent", [](Ks& ks, A& a) { ks.pexpire(a.persistent, 70ms); }, {0}},
      {"pexpire sooner", [](Ks& ks, A& a) { ks.pexpire(a.soon, 1ms); }, {1}},
      {"pexpire later", [](Ks& ks, A& a) { ks.pexpire(a.soon, 900ms); }, {1}},
      {"pexpire over", [](Ks& ks, A& a) { ks.pexpire(a.soon, 0ms); }, {1}},
      {"pexpire never", [](Ks& ks, A& a) { ks.pexpire(a.postponed, Ks::kNever); }, {2}},
      {"pexpire postponed sooner", [](Ks& ks, A& a) { ks.pexpire(a.postponed, 1ms); }, {2}},
      {"pexpireat far", [](Ks& ks, A& a) { ks.pexpireat(a.soon, kFar); }, {1}},
      {"persist", [](Ks& ks, A& a) { ks.persist(a.soon); }, {1}},
      {"rename to absent", [](Ks& ks, A& a) { ks.rename(a.persistent, a.absent); }, {0, 1000}},
      {"rename volatile to absent",
       [](Ks& ks, A& a) { ks.rename(a.soon, std::move(a.absent)); },
       {1, 1000}},
      {"rename to volatile", [](Ks& ks, A& a) { ks.rename(a.persistent, a.soon); }, {0, 1}},
      {"rename to persistent", [](Ks& ks, A& a) { ks.rename(a.soon, a.persistent); }, {0, 1}},
      {"rename sooner to later", [](Ks& ks, A& a) { ks.rename(a.soon, a.postponed); }, {1, 2}},
      {"rename to expired", [](Ks& ks, A& a) { ks.rename(a.soon, a.expired); }, {1, 3}},
      {"rename to itself", [](Ks& ks, A& a) { ks.rename(a.soon, a.soon); }, {}},
      {"copy to absent", [](Ks& ks, A& a) { ks.copy(a.soon, a.absent); }, {1000}},
      {"copy to expired", [](Ks& ks, A& a) { ks.copy(a.persistent, a.expired); }, {3}},
      {"copy to present", [](Ks& ks, A& a) { ks.copy(a.persistent, a.soon); }, {}},
      {"compute, read",
       [](Ks& ks, A& a) { ks.compute(a.soon, [](auto& e) { static_cast<void>(e.value()); }); },
       {}},
      {"compute, store absent",
       [](Ks& ks, A& a) { ks.compute(a.absent, [&](auto& e) { e.store(a.value, 70ms); }); },
       {1000}},
      {"compute, store sooner",
       [](Ks& ks, A& a) { ks.compute(a.soon, [&](auto& e) { e.store(a.value, 1ms); }); },
       {1}},
      {"compute, store over expired",
       [](Ks& ks, A& a) { ks.compute(a.expired, [&](auto& e) { e.store(a.value); }); },
       {3}},
      {"compute, expire sooner",
       [](Ks& ks, A& a) { ks.compute(a.soon, [](auto& e) { e.expire(1ms); }); },
       {1}},
      {"compute, expire far",
       [](Ks& ks, A& a) { ks.compute(a.postponed, [](auto& e) { e.expire(kFar); }); },
       {2}},
      {"compute, erase",
       [](Ks& ks, A& a) { ks.compute(a.postponed, [](auto& e) { e.erase(); }); },
       {2}},
      {"get_or_compute live",
       [](Ks& ks, A& a) {
         static_cast<void>(ks.get_or_compute(
             a.soon, 70ms, [&]() -> auto& { return a.value; }));
       },
       {}},
      {"get_or_compute, failing refresh",
       [](Ks& ks, A& a) {
         static_cast<void>(ks.get_or_compute(a.soon, {.expiry = 70ms, .refresh_ahead = 1h},
                                             []() -> typename S::Value { throw Blown(); }));
       },
       {}},
      {"erase_expired", [](Ks& ks, A&) { ks.erase_expired(); }, {}},
      {"erase_expired(2)", [](Ks& ks, A&) { ks.erase_expired(2); }, {}},
      {"erase_expired later",
       [](Ks& ks, A&) {
         ks.erase_expired();
         ks.clock().set(at(99));  // postponed entries are filed again
         ks.erase_expired();
       },
       {}},
      {"for_each_until",
       [](Ks& ks, A&) { ks.for_each_until(kFar, [](const auto&, const auto&, Instant) {}); },
       {}},
      {"next_deadline", [](Ks& ks, A&) { static_cast<void>(ks.next_deadline()); }, {}},
      {"reserve", [](Ks& ks, A&) { ks.reserve(500); }, {}},
      {"shrink_to_fit", [](Ks& ks, A&) { ks.shrink_to_fit(); }, {}},
      {"move",
       [](Ks& ks, A&) {
         Ks other(std::move(ks));
         ks = std::move(other);
       },
       {}},
  };
}

// Only entries in `about` have changed, and of these only the value.
void check_interrupted(const Contents& before, const Contents& after, const Contents& now,
                       const std::set<int>& about) {
  for (const auto& [key, entry] : before) {
    CAPTURE(key);
    const auto it = now.find(key);
    REQUIRE(it != now.end());
    REQUIRE(it->second.second == entry.second);
    if (about.contains(key) && after.contains(key)) {
      REQUIRE((it->second.first == entry.first || it->second.first == after.at(key).first));
    } else {
      REQUIRE(it->second.first == entry.first);
    }
  }
  REQUIRE(now.size() == before.size());
}

// Every entry expires at its deadline, and new entries can be added.
template <class S>
void check_usable(FilledKeyspace<S>& fixture, Contents state) {
  auto& ks = fixture.ks;
  for (const int key : {0, 1, 2, 3, 1000, 2000, 2001}) {
    ks.set(typename S::Key(key), typename S::Value(key + 1), at(300 + key));
    state[key] = {key + 1, at(300 + key)};
  }
  REQUIRE(state_of(ks) == state);
  std::set<Instant> deadlines;
  for (const auto& [key, entry] : state) deadlines.insert(entry.second);
  for (const Instant deadline : deadlines) {
    ks.clock().set(std::max(ks.clock().now(), deadline - 1ms));
    ks.erase_expired();
    REQUIRE(state_of(ks) == state);
    REQUIRE(ks.size() == state.size());
    if (deadline == kNoDeadline) break;
    ks.clock().set(deadline);
    std::erase_if(state, [&](const auto& e) { return e.second.second == deadline; });
    ks.erase_expired();
    REQUIRE(state_of(ks) == state);
    REQUIRE(ks.size() == state.size());
  }
  REQUIRE(ks.volatile_size() == 0);
}

template <class S>
int interrupt_everywhere(const Case<S>& test, int size) {
  const auto before = state_of(FilledKeyspace<S>(size).ks);
  Contents after;
  {
    FilledKeyspace<S> fixture(size);
    Arguments<S> arguments;
    test.call(fixture.ks, arguments);
    fixture.ks.clock().set(kNow);
    after = state_of(fixture.ks);
  }
  for (int interruptions = 0;; ++interruptions) {
    CAPTURE(test.name, size, interruptions);
    REQUIRE(interruptions < 10'000);
    std::optional<FilledKeyspace<S>> fixture(std::in_place, size);
    Arguments<S> arguments;
    bool passed = true;
    Fuse::arm(interruptions);
    try {
      test.call(fixture->ks, arguments);
    } catch (const Blown&) {
      passed = false;
    }
    Fuse::disarm();
    fixture->ledger.fragile = false;
    check_invariants(fixture->ks);
    fixture->ks.clock().set(kNow);
    const Contents now = state_of(fixture->ks);
    if (passed) {
      REQUIRE(now == after);
    } else {
      check_interrupted(before, after, now, test.about);
    }
    check_usable(*fixture, now);
    check_invariants(fixture->ks);
    if (passed) return interruptions;
  }
}

TEMPLATE_TEST_CASE("an exception at any point of any call loses no entry and no deadline", "",
                   EverythingThrows, OnlyMovesAreSafe, OnlyHashAndMovesAreSafe, KeysThrow,
                   ValuesThrow, SoonestThrow, LruThrows, ScanResistantThrows) {
  int interruptions = 0;
  for (const bool is_small : {false, true}) {
    const SmallSteps small_steps(is_small);
    for (const Case<TestType>& test : cases<TestType>()) {
      // Every size up to a few dozen. Some are about to grow. With small steps, most are growing.
      for (int size = 4; size <= 28; ++size) interruptions += interrupt_everywhere(test, size);
    }
  }
  CHECK(interruptions > 1000);
}

TEMPLATE_TEST_CASE("an exception leaks no memory", "", EverythingThrows, OnlyMovesAreSafe,
                   SoonestThrow, LruThrows, ScanResistantThrows) {
  for (const Case<TestType>& test : cases<TestType>()) {
    for (int point = 0; point < 12; ++point) {
      Ledger ledger;
      {
        typename TestType::Ks ks = TestType::make(ledger);
        for (int i = 0; i < 11; ++i) {
          ks.set(typename TestType::Key(i), typename TestType::Value(i), Millis{10 * i + 5});
        }
        ks.clock().set(kNow);
        ledger.fragile = true;
        Arguments<TestType> arguments;
        Fuse::arm(point);
        try {
          test.call(ks, arguments);
        } catch (const Blown&) {
        }
        Fuse::disarm();
      }
      CAPTURE(test.name, point);
      CHECK(ledger.bytes == 0);
    }
  }
}

TEST_CASE("a keyspace filled under constant interruption holds what was stored") {
  // Growth and rehashing are interrupted many times. A call is repeated until it returns.
  using S = EverythingThrows;
  FilledKeyspace<S> fixture(0);
  Contents expected;
  for (int i = 0; i < 1500; ++i) {
    const S::Key key(i % 500);
    const S::Value value(i);
    const Instant deadline = at(1000 + i * 7 % 1000);
    for (int more = i % 5;; ++more) {
      Fuse::arm(more);
      try {
        if (i % 11 == 0) {
          fixture.ks.erase(key);
          expected.erase(key.id());
        } else {
          fixture.ks.set(key, value, deadline);
          expected[key.id()] = {value.id(), deadline};
        }
        break;
      } catch (const Blown&) {
      }
    }
    Fuse::disarm();
  }
  fixture.ledger.fragile = false;
  CHECK(state_of(fixture.ks) == expected);
  check_invariants(fixture.ks);
  check_usable(fixture, expected);
}

TEST_CASE("a number is stored with its deadline or not at all when memory runs out") {
  using Allocator = LedgerAllocator<std::pair<const std::uint64_t, std::uint64_t>>;
  using Numbers = Keyspace<std::uint64_t, std::uint64_t, ManualClock, WithAllocator<Allocator>>;
  Ledger ledger;
  Numbers ks({.allocator = Allocator(ledger)});
  ledger.fragile = true;
  int failures = 0;
  for (std::uint64_t key = 0; key != 3000; ++key) {
    const Instant deadline = at(static_cast<std::int64_t>(1 + key * key % 100'000'007));
    for (int more = 0;; ++more) {
      Fuse::arm(more);
      try {
        ks.set(key, key, deadline);
        break;
      } catch (const Blown&) {
        ++failures;
        REQUIRE(ks.size() == key);
        REQUIRE(ks.volatile_size() == key);
        REQUIRE_FALSE(ks.contains(key));
      }
    }
    Fuse::disarm();
    REQUIRE(ks.pexpiretime(key) == deadline);
    if (key % 100 == 0) check_invariants(ks);
  }
  CHECK(failures > 200);  // mostly to allocate a chunk of records, sometimes a larger map
  check_invariants(ks);
}

TEST_CASE("calls that throw again and again take no more memory") {
  // An interrupted call may have filed a deadline that no entry has.
  using S = ValuesThrow;
  FilledKeyspace<S> fixture(8);
  fixture.ledger.fragile = false;
  const S::Key present(0), absent(1000), other(1);
  const S::Value value(1);
  fixture.ks.set(present, value, at(1'000'000));
  fixture.ks.set(other, value, at(2'000'000));
  const std::size_t start = fixture.ledger.bytes;
  std::size_t most = start;
  int thrown = 0;
  for (int i = 0; i < 100'000; ++i) {
    const Instant deadline = at(100 + i * 7 % 900'000);
    for (const S::Key* const key : {&present, &absent}) {
      Fuse::arm(0);
      try {
        fixture.ks.set(*key, value, deadline);
      } catch (const Blown&) {
        ++thrown;
      }
    }
    most = std::max(most, fixture.ledger.bytes);
  }
  Fuse::disarm();
  CHECK(thrown == 200'000);
  CHECK(most - start <= 512 * 1024);
  check_invariants(fixture.ks);
}

// The exception changes nothing in the keyspace.
TEST_CASE("an exception from the function given to for_each passes through") {
  Strings ks;
  ks.set("a", "1", 10ms);
  ks.set("b", "2");
  CHECK_THROWS_AS(
      ks.for_each([](const std::string&, const std::string&, Instant) { throw Blown{}; }), Blown);
  CHECK(see(ks, "a") == entry("1", at(10)));
  CHECK(see(ks, "b") == entry("2"));
}

}  // namespace
}  // namespace keyspace::testing
