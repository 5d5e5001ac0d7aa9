#include <keyspace/cache.h>
#include <keyspace/keyspace.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/probe.h"
#include "support/support.h"

// compute() of a Keyspace. For ConcurrentKeyspace see threads/compute.cc.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("compute shows a key that is missing, persistent, volatile or expired") {
  Ints ks;
  ks.set(1, 10);
  ks.set(2, 20, 5ms);
  const auto look = [&](int key) {
    return ks.compute(key, [](auto& entry) {
      int* const value = entry.value();
      return std::tuple(value == nullptr ? std::nullopt : std::optional(*value), entry.deadline(),
                        entry.ttl());
    });
  };
  using Look = decltype(look(0));
  CHECK(look(0) == Look(std::nullopt, std::nullopt, std::nullopt));
  CHECK(look(1) == Look(10, kNoDeadline, kNever));
  CHECK(look(2) == Look(20, at(5), 5ms));
  ks.clock().set(at(4));
  CHECK(look(2) == Look(20, at(5), 1ms));
  ks.clock().set(at(5));
  CHECK(look(2) == Look(std::nullopt, std::nullopt, std::nullopt));
  CHECK_FALSE(ks.contains(0));
}

TEST_CASE("compute stores a value, with the expiry of set") {
  Strings ks;
  const auto store = [&](const char* key, const char* value, Strings::Expiry expiry) {
    ks.compute(key, [&](auto& entry) { entry.store(value, expiry); });
    return see(ks, key);
  };
  CHECK(store("new", "v", {}) == entry("v"));
  CHECK(store("new", "w", 5ms) == entry("w", at(5)));
  CHECK(store("new", "x", kKeep) == entry("x", at(5)));
  CHECK(store("new", "y", at(7)) == entry("y", at(7)));
  CHECK(store("new", "z", kNever) == entry("z"));
  CHECK(store("new", "", 0ms) == std::nullopt);
  CHECK(store("other", "v", kKeep) == entry("v"));
  CHECK(store("absent", "v", -1ms) == std::nullopt);
  ks.set("expired", "old", 5ms);
  ks.clock().set(at(5));
  CHECK(store("expired", "new", kKeep) == entry("new"));
  check_invariants(ks);
}

TEST_CASE("compute sets an expiry, and erases") {
  Strings ks;
  ks.set("key", "v");
  const auto expire = [&](Strings::Expiry expiry) {
    return ks.compute("key", [&](auto& entry) { return entry.expire(expiry); });
  };
  CHECK(expire(5ms));
  CHECK(see(ks, "key") == entry("v", at(5)));
  CHECK(expire(2ms));
  CHECK(see(ks, "key") == entry("v", at(2)));
  CHECK(expire(kKeep));
  CHECK(see(ks, "key") == entry("v", at(2)));
  CHECK(expire(kNever));
  CHECK(see(ks, "key") == entry("v"));
  CHECK(expire(3ms));
  CHECK(expire({}));
  CHECK(see(ks, "key") == entry("v"));
  CHECK(expire(0ms));
  CHECK(see(ks, "key") == std::nullopt);
  CHECK(ks.empty());
  CHECK_FALSE(expire(5ms));
  const auto erase = [&] { return ks.compute("key", [](auto& entry) { return entry.erase(); }); };
  CHECK_FALSE(erase());
  ks.set("key", "v", 5ms);
  CHECK(erase());
  CHECK(ks.empty());
  ks.set("key", "v", 5ms);
  ks.clock().advance(5ms);
  CHECK_FALSE(erase());
  CHECK(ks.empty());
  check_invariants(ks);
}

TEST_CASE("each step of a compute sees what the step before did") {
  Strings ks;
  ks.set("key", "v", 5ms);
  ks.compute("key", [&](auto& entry) {
    entry.value()->append("w");
    CHECK(*entry.value() == "vw");
    CHECK(entry.expire(1ms));
    CHECK(entry.deadline() == at(1));
    CHECK(entry.expire(9ms));
    CHECK(entry.ttl() == 9ms);
    entry.store("x", 3ms);
    CHECK(*entry.value() == "x");
    CHECK(entry.deadline() == at(3));
    CHECK(entry.erase());
    CHECK_FALSE(entry.erase());
    CHECK(entry.value() == nullptr);
    CHECK(entry.deadline() == std::nullopt);
    CHECK_FALSE(entry.expire(1ms));
    entry.store("y", kKeep);
    CHECK(entry.ttl() == kNever);
    entry.store("z", 0ms);
    CHECK(entry.value() == nullptr);
    entry.store("end", 4ms);
    CHECK(entry.expire(kKeep));
  });
  CHECK(see(ks, "key") == entry("end", at(4)));
  CHECK(ks.size() == 1);
  check_invariants(ks);
}

TEST_CASE("compute returns what the function returns, also nothing and move-only values") {
  Keyspace<int, std::unique_ptr<int>> ks;
  ks.compute(1, [](auto& entry) { entry.store(std::make_unique<int>(5)); });
  auto taken = ks.compute(1, [](auto& entry) { return std::move(*entry.value()); });
  REQUIRE(taken != nullptr);
  CHECK(*taken == 5);
  static_assert(std::is_void_v<decltype(ks.compute(1, [](auto&) {}))>);
  const auto reference = [](auto& entry) -> decltype(auto) { return *entry.value(); };
  static_assert(std::is_same_v<decltype(Keyspace<int, int>().compute(1, reference)), int>);
}

TEST_CASE("compute finds and stores a string key by a string_view") {
  Strings ks;
  const std::string_view key = "key";
  ks.compute(key, [](auto& entry) { entry.store("v"); });
  ks.compute("key", [](auto& entry) { entry.value()->append("w"); });
  CHECK(see(ks, "key") == entry("vw"));
  CHECK(ks.size() == 1);
}

TEST_CASE("compute looks up once to read, to overwrite, to set an expiry and to erase") {
  Ints ks;
  ks.set(1, 1, 5ms);
  const auto look_ups = [&](const auto& f) {
    return Probed([&] { ks.compute(1, f); })[Probe::kKeysLookedUp];
  };
  CHECK(look_ups([](auto& entry) { static_cast<void>(entry.value()); }) == 1);
  CHECK(look_ups([](auto& entry) { entry.store(2, 6ms); }) == 1);
  CHECK(look_ups([](auto& entry) { entry.expire(9ms); }) == 1);
  CHECK(look_ups([](auto& entry) {
          if (entry.ttl() < 1s) *entry.value() = 3;
        }) == 1);
  CHECK(look_ups([](auto& entry) { entry.erase(); }) == 2);  // one to find, one to erase
}

TEST_CASE("compute reads the clock at most once, and only if a deadline matters") {
  CountingClock clock;
  Keyspace<int, int, CountingClock> ks(clock);
  ks.set(1, 1);
  const auto reads = [&](int key, const auto& f) {
    clock.take_reads();
    ks.compute(key, f);
    return clock.take_reads();
  };
  CHECK(reads(1, [](auto& entry) { static_cast<void>(entry.value()); }) == 0);
  CHECK(reads(1, [](auto& entry) { entry.store(2); }) == 0);
  CHECK(reads(2, [](auto& entry) { entry.store(2, 1s); }) == 1);
  CHECK(reads(2, [](auto& entry) {
          if (entry.ttl() > 1ms) entry.store(3, 1h);
          entry.erase();
        }) == 1);
}

struct ValueLength {
  std::size_t operator()(int, const std::string& value) const { return value.size(); }
};
using WeighedTexts =
    Cache<int, std::string, Lru, ManualClock, WithWeigher<ValueLength>, WithStatistics>;

TEST_CASE("compute is a request, and weighs the entry again") {
  WeighedTexts cache({.capacity = 100});
  cache.set(1, "a");
  cache.set(2, "b");
  cache.compute(1, [](auto& entry) { entry.value()->assign(50, 'x'); });
  CHECK(cache.weight() == 51);
  CHECK(cache.statistics().hits == 1);
  cache.compute(3, [](auto& entry) { CHECK(entry.value() == nullptr); });
  CHECK(cache.statistics().misses == 1);
  // 1 was requested after 2.
  cache.compute(3, [](auto& entry) { entry.store(std::string(50, 'y')); });
  CHECK_FALSE(cache.contains(2));
  CHECK(cache.weight() == 100);
  cache.compute(3, [](auto& entry) {
    entry.store("s");
    entry.value()->append("t");
  });
  CHECK(cache.weight() == 52);
  cache.compute(3, [](auto& entry) {
    entry.value()->append(90, 'z');
    entry.store("short");
  });
  CHECK(cache.weight() == 55);
  cache.compute(1, [](auto& entry) { entry.value()->assign(101, 'x'); });
  CHECK_FALSE(cache.contains(1));
  CHECK(cache.weight() == 5);
  cache.compute(4, [](auto& entry) {
    entry.store(std::string(101, 'x'));
    CHECK(entry.value() == nullptr);
  });
  CHECK(cache.statistics().refusals == 1);
  check_invariants(cache);
}

TEST_CASE("the listener is called after the function of compute") {
  struct Removal {
    int key;
    std::string value;
    RemovalCause cause;
    bool operator==(const Removal&) const = default;
  };
  std::vector<Removal> removals;
  bool is_computing = false;
  const auto listen = [&](int key, std::string&& value, RemovalCause cause) {
    CHECK_FALSE(is_computing);
    removals.push_back({key, std::move(value), cause});
  };
  Keyspace<int, std::string, ManualClock, WithListener<decltype(listen)>> ks({.listener = listen});
  ks.set(1, "a", 5ms);
  const auto compute = [&](const auto& f) {
    ks.compute(1, [&](auto& entry) {
      is_computing = true;
      f(entry);
      is_computing = false;
    });
    return std::exchange(removals, {});
  };
  using Removals = std::vector<Removal>;
  CHECK(compute([](auto& entry) { entry.store("b", 5ms); }) ==
        Removals{{1, "a", RemovalCause::kReplaced}});
  CHECK(compute([](auto& entry) { entry.erase(); }) == Removals{{1, "b", RemovalCause::kErased}});
  CHECK(compute([](auto& entry) {
          entry.store("c");
          entry.expire(0ms);
          entry.store("d", 5ms);
        }) == Removals{{1, "c", RemovalCause::kErased}});
  ks.clock().advance(5ms);
  CHECK(compute([](auto& entry) { entry.store("e"); }) ==
        Removals{{1, "d", RemovalCause::kExpired}});
  // After an exception, the next call passes on what was removed.
  CHECK_THROWS_AS(ks.compute(1,
                             [](auto& entry) {
                               entry.erase();
                               throw std::runtime_error("");
                             }),
                  std::runtime_error);
  CHECK(removals.empty());
  ks.erase(2);
  CHECK(removals == Removals{{1, "e", RemovalCause::kErased}});
}

TEST_CASE("what the function of compute did before an exception stays") {
  WeighedTexts cache({.capacity = 100});
  cache.set(1, "a");
  const auto fail = [&](const auto& f) {
    CHECK_THROWS_AS(cache.compute(1,
                                  [&](auto& entry) {
                                    f(entry);
                                    throw std::runtime_error("");
                                  }),
                    std::runtime_error);
    check_invariants(cache);
  };
  fail([](auto& entry) { entry.value()->append("b"); });
  CHECK(cache.get(1) == "ab");
  CHECK(cache.weight() == 1);
  fail([](auto& entry) { entry.store("abc", 5ms); });
  CHECK(cache.get(1) == "abc");
  CHECK(cache.pttl(1) == 5ms);
  CHECK(cache.weight() == 3);
  fail([](auto& entry) { entry.erase(); });
  CHECK(cache.empty());
}

TEST_CASE("compute changes the deadline that was set, and starts the idle time") {
  ManualClock clock;
  Keyspace<int, int, WithExpireAfterAccess, ManualClock> ks(
      {.clock = clock, .expire_after_access = 10s});
  ks.set(1, 1, 12s);
  clock.set(at(3'000));
  ks.compute(1, [](auto& entry) { CHECK(entry.deadline() == at(12'000)); });
  CHECK(ks.pexpiretime(1) == at(12'000));
  ks.compute(1, [](auto& entry) {
    CHECK(entry.expire(1h));
    CHECK(entry.deadline() == at(13'000));
    entry.expire(1s);
    CHECK(entry.deadline() == at(4'000));
    entry.expire({});
    CHECK(entry.deadline() == at(13'000));
    entry.store(2, 20s);
  });
  CHECK(ks.pexpiretime(1) == at(13'000));
  clock.set(at(12'000));
  CHECK(ks.get(1) == 2);
  CHECK(ks.pexpiretime(1) == at(22'000));
  CHECK_FALSE(ks.pexpire(1, 11s, Condition::kGt));  // 20 s after 3 s were set
  CHECK(ks.pexpire(1, 11'001ms, Condition::kGt));
  check_invariants(ks);
}

TEST_CASE("a map that grows by compute moves its entries, and shrinks by compute") {
  const SmallSteps small_steps(true);
  Ints ks;
  for (int key = 0; key != 5'000; ++key) {
    ks.compute(key, [&](auto& entry) {
      entry.store(key, Millis{1 + key % 7});
      CHECK(*entry.value() == key);
      entry.expire(1s);
    });
  }
  for (int key = 0; key != 5'000; ++key) CHECK(ks.get(key) == key);
  check_invariants(ks);
  for (int key = 10; key != 5'000; ++key) {
    ks.compute(key, [](auto& entry) { CHECK(entry.erase()); });
  }
  for (int i = 0; i != 5'000; ++i) ks.compute(i % 10, [](auto&) {});
  CHECK(ks.size() == 10);
  check_invariants(ks);
}

TEST_CASE("the key of a compute may belong to an entry") {
  const SmallSteps small_steps(true);
  Strings ks;
  const std::string long_name(40, 'n');
  for (int i = 0; i != 1'000; ++i) {
    const std::string key = long_name + std::to_string(i);
    ks.set("next", key);
    ks.compute(*ks.find("next"), [&](auto& entry) {
      entry.store("1");
      CHECK(*entry.value() == "1");
      CHECK(entry.erase());
      entry.store("2", 5ms);
      CHECK(entry.ttl() == 5ms);
    });
    CHECK(ks.get(key) == "2");
  }
  int erased = 0;
  const std::string* own = nullptr;
  ks.for_each([&](const std::string& key, const std::string&, Instant) { own = &key; });
  ks.compute(*own, [&](auto& entry) {
    erased += entry.erase() ? 1 : 0;
    entry.store("3");
    CHECK(*entry.value() == "3");
  });
  CHECK(erased == 1);
  check_invariants(ks);
}

TEST_CASE("compute weighs the entry again if a store() fails and the function goes on") {
  struct WeighsAll {
    std::size_t operator()(int, const Fragile<Throws::kOnCopy>& value) const {
      return static_cast<std::size_t>(value.id());
    }
  };
  Cache<int, Fragile<Throws::kOnCopy>, Lru, ManualClock, WithWeigher<WeighsAll>> cache(
      {.capacity = 100});
  const Fragile<Throws::kOnCopy> other(3);
  cache.set(1, Fragile<Throws::kOnCopy>(1));
  cache.compute(1, [&](auto& entry) {
    *entry.value() = Fragile<Throws::kOnCopy>(90);
    Fuse::arm(0);
    CHECK_THROWS_AS(entry.store(other), Blown);
    Fuse::disarm();
  });
  CHECK(cache.weight() == 90);
  check_invariants(cache);
}

TEST_CASE("a counter with a window sets its ttl at the first call") {
  Keyspace<std::string, int, ManualClock> calls;
  const auto count = [&] {
    return calls.compute("user", [](auto& entry) {
      if (int* const value = entry.value()) return ++*value;
      entry.store(1, 1s);
      return 1;
    });
  };
  CHECK(count() == 1);
  calls.clock().advance(999ms);
  CHECK(count() == 2);
  CHECK(calls.pttl("user") == 1ms);
  calls.clock().advance(1ms);
  CHECK(count() == 1);
  CHECK(calls.pttl("user") == 1s);
}

}  // namespace
}  // namespace keyspace::testing
