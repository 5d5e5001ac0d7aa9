#include <keyspace/cache.h>
#include <keyspace/keyspace.h>

#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/invariants.h"
#include "support/support.h"

// get_or_compute() where one thread suffices: what the function may return, the options, and many
// keys. Both doors must agree. For several threads see threads/get_or_compute.cc.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using SharedPages = ConcurrentKeyspace<std::string, std::string, ManualClock, WithStatistics>;
using LonePages = Keyspace<std::string, std::string, ManualClock, WithStatistics>;
using Page = Computed<std::string>;

struct Unavailable : std::runtime_error {
  Unavailable() : std::runtime_error("failure") {}
};
std::string unavailable() { throw Unavailable(); }
std::string unexpected() {
  FAIL("no computation was expected");
  return "";
}

TEMPLATE_TEST_CASE("get_or_compute computes a missing or expired value once, and stores it", "",
                   LonePages, SharedPages) {
  ManualClock clock;
  TestType ks(clock);
  int calls = 0;
  const auto compute = [&] { return std::to_string(++calls); };
  CHECK(ks.get_or_compute("a", 10ms, compute) == "1");
  CHECK(ks.get_or_compute("a", 10ms, compute) == "1");
  CHECK(ks.pttl("a") == 10ms);
  clock.advance(9ms);
  CHECK(ks.get_or_compute("a", 10ms, unexpected) == "1");
  clock.advance(1ms);
  CHECK(ks.get_or_compute("a", TestType::kNever, compute) == "2");
  CHECK(ks.pttl("a") == TestType::kNever);
  CHECK(ks.get_or_compute("b", {}, compute) == "3");
  CHECK(ks.pttl("b") == TestType::kNever);
  CHECK(ks.get_or_compute("c", 0ms, compute) == "4");
  CHECK_FALSE(ks.contains("c"));
  CHECK(ks.get_or_compute("d", clock.now() + 7ms, compute) == "5");
  CHECK(ks.pttl("d") == 7ms);
  CHECK(ks.get_or_compute(std::string_view("e"), {.expiry = 5ms},
                          [](const std::string& key) { return key + "!"; }) == "e!");
  CHECK(ks.pttl("e") == 5ms);
  typename TestType::ComputeOptions options{.expiry = 3ms};
  CHECK(ks.get_or_compute("f", options, [] { return "literal"; }) == "literal");
  CHECK(ks.pttl("f") == 3ms);
}

TEMPLATE_TEST_CASE("a ttl counts from the end of the computation", "", LonePages, SharedPages) {
  ManualClock clock;
  TestType ks(clock);
  const auto slow = [&] {
    clock.advance(4ms);
    return "v";
  };
  CHECK(ks.get_or_compute("a", 10ms, slow) == "v");
  CHECK(ks.pexpiretime("a") == at(14));
  CHECK(ks.get_or_compute("b", at(8), slow) == "v");  // the deadline is over when it ends
  CHECK_FALSE(ks.contains("b"));
}

TEMPLATE_TEST_CASE("a function may return the expiry with the value", "", LonePages, SharedPages) {
  ManualClock clock;
  TestType ks(clock);
  CHECK(ks.get_or_compute("a", 1h, [] { return Page{"v", 5ms}; }) == "v");
  CHECK(ks.pttl("a") == 5ms);
  CHECK(ks.get_or_compute("b", {}, [] { return Computed{"v", 2min}; }) == "v");
  CHECK(ks.pttl("b") == 2min);
  CHECK(ks.get_or_compute("c", 1h, [&] {
    return Computed{std::string("v"), clock.now() + 8ms};
  }) == "v");
  CHECK(ks.pttl("c") == 8ms);
  CHECK(ks.get_or_compute("d", 1h, [] { return Page{"v", kNever}; }) == "v");
  CHECK(ks.pttl("d") == TestType::kNever);
  CHECK(ks.get_or_compute("e", 1h, [] { return Page{"v", 0ms}; }) == "v");
  CHECK_FALSE(ks.contains("e"));
  // The expiry that came with the value also decides on the next refresh.
  clock.advance(3ms);
  CHECK(ks.get_or_compute("a", {.expiry = 1h, .refresh_ahead = 1ms}, unexpected) == "v");
  CHECK(ks.get_or_compute("a", {.expiry = 1h, .refresh_ahead = 2ms}, [] {
    return Page{"w", 9ms};
  }) == "w");
  CHECK(ks.pttl("a") == 9ms);
}

TEMPLATE_TEST_CASE("a function may find nothing", "", LonePages, SharedPages) {
  ManualClock clock;
  TestType ks(clock);
  using Maybe = std::optional<std::string>;
  using MaybePage = std::optional<Page>;
  const auto nothing = [] { return Maybe(); };
  static_assert(std::is_same_v<decltype(ks.get_or_compute("a", 1ms, nothing)), Maybe>);
  static_assert(std::is_same_v<decltype(ks.get_or_compute("a", 1ms, unexpected)), std::string>);
  CHECK(ks.get_or_compute("a", 10ms, nothing) == std::nullopt);
  CHECK(ks.get_or_compute("a", 10ms, [] { return MaybePage(); }) == std::nullopt);
  CHECK(ks.size() == 0);
  CHECK(ks.get_or_compute("a", 10ms, [] { return Maybe("v"); }) == "v");
  CHECK(ks.pttl("a") == 10ms);
  CHECK(ks.get_or_compute("a", 10ms, nothing) == "v");
  CHECK(ks.get_or_compute("b", 10ms, [] { return MaybePage(Page{"w", 3ms}); }) == "w");
  CHECK(ks.pttl("b") == 3ms);
  // A refresh that finds nothing erases the old value.
  CHECK(ks.get_or_compute("a", {.expiry = 10ms, .refresh_ahead = 10ms}, nothing) == std::nullopt);
  CHECK_FALSE(ks.contains("a"));
  CHECK(ks.statistics().removed(RemovalCause::kErased) == 1);
}

TEMPLATE_TEST_CASE("an optional that is the value type is a value", "",
                   (Keyspace<int, std::optional<int>>),
                   (ConcurrentKeyspace<int, std::optional<int>>)) {
  TestType ks;
  const auto nullopt = [] { return std::optional<int>(); };
  static_assert(std::is_same_v<decltype(ks.get_or_compute(1, 1h, nullopt)), std::optional<int>>);
  CHECK(ks.get_or_compute(1, 1h, nullopt) == std::nullopt);
  CHECK(ks.contains(1));
  const auto nothing = [] { return std::optional<std::optional<int>>(); };
  CHECK(ks.get_or_compute(2, 1h, nothing) == std::nullopt);
  CHECK_FALSE(ks.contains(2));
  CHECK(ks.get_or_compute(3, 1h, [] { return 5; }) == 5);
}

TEMPLATE_TEST_CASE("a failed computation throws, stores nothing, and the next call tries again", "",
                   LonePages, SharedPages) {
  ManualClock clock;
  TestType ks(clock);
  CHECK_THROWS_AS(ks.get_or_compute("a", 10ms, unavailable), Unavailable);
  CHECK_FALSE(ks.contains("a"));
  CHECK(ks.get_or_compute("a", 10ms, [] { return "v"; }) == "v");
  clock.advance(10ms);
  // An expired value does not help.
  CHECK_THROWS_AS(ks.get_or_compute("a", {.expiry = 10ms, .refresh_ahead = 9ms}, unavailable),
                  Unavailable);
}

TEMPLATE_TEST_CASE("a failed refresh returns the old value while it is live", "", LonePages,
                   SharedPages) {
  ManualClock clock;
  TestType ks(clock);
  ks.set("a", "old", 10min);
  clock.advance(2min);
  int calls = 0;
  const auto failing = [&]() -> std::string {
    ++calls;
    throw Unavailable();
  };
  for (int i = 0; i != 100; ++i) {
    CHECK(ks.get_or_compute("a", {.expiry = 10min, .refresh_ahead = 9min}, failing) == "old");
  }
  CHECK(calls == 100);  // each call tries again
  CHECK(ks.pttl("a") == 8min);
  CHECK(ks.statistics().failed_computations == 100);
  CHECK(ks.statistics().hits == 100);
  // If the value expires during the computation, the call throws.
  CHECK_THROWS_AS(ks.get_or_compute("a", {.expiry = 10min, .refresh_ahead = 9min},
                                    [&]() -> std::string {
                                      clock.advance(8min);
                                      throw Unavailable();
                                    }),
                  Unavailable);
  CHECK_FALSE(ks.contains("a"));
}

TEMPLATE_TEST_CASE("refresh_ahead counts the time left, and no persistent value is refreshed", "",
                   LonePages, SharedPages) {
  ManualClock clock;
  TestType ks(clock);
  ks.set("a", "old", 10ms);
  const auto fresh = [] { return "new"; };
  clock.advance(7ms);
  CHECK(ks.get_or_compute("a", {.expiry = 10ms, .refresh_ahead = 2ms}, fresh) == "old");
  CHECK(ks.get_or_compute("a", 10ms, fresh, 2ms) == "old");
  CHECK(ks.get_or_compute("a", {.expiry = 10ms, .refresh_ahead = 0ms}, fresh) == "old");
  CHECK(ks.get_or_compute("a", {.expiry = 10ms, .refresh_ahead = -5ms}, fresh) == "old");
  CHECK(ks.get_or_compute("a", 10ms, fresh, 3ms) == "new");
  CHECK(ks.pttl("a") == 10ms);
  CHECK(ks.get_or_compute("a", {.expiry = kKeep, .refresh_ahead = 1h}, fresh) == "new");
  CHECK(ks.pttl("a") == 10ms);
  ks.persist("a");
  CHECK(ks.get_or_compute("a", {.expiry = 1ms, .refresh_ahead = 1h}, unexpected) == "new");
  CHECK(ks.get_or_compute("a", {.expiry = 1ms, .refresh_ahead = kNever}, unexpected) == "new");
}

TEMPLATE_TEST_CASE("the deadline that was set decides on a refresh, and not the idle time", "",
                   (Keyspace<int, int, ManualClock, WithExpireAfterAccess>), SlidingInts) {
  ManualClock clock;
  TestType ks({.clock = clock, .expire_after_access = 10min});
  int computed = 0;
  for (int minute = 0; minute != 24 * 60; ++minute, clock.advance(1min)) {
    ks.get_or_compute(1, {.expiry = 5min, .refresh_ahead = 2min}, [&] { return ++computed; });
  }
  CHECK(computed == 480);
}

TEMPLATE_TEST_CASE("statistics count computations, failures and their time", "", LonePages,
                   SharedPages) {
  ManualClock clock;
  TestType ks(clock);
  const auto take = [&](Millis time, bool fails) {
    return [&clock, time, fails] {
      clock.advance(time);
      return fails ? unavailable() : "v";
    };
  };
  ks.get_or_compute("a", 1h, take(5ms, false));
  ks.get_or_compute("a", 1h, take(5ms, false));
  CHECK_THROWS_AS(ks.get_or_compute("b", 1h, take(7ms, true)), Unavailable);
  ks.get_or_compute("a", {.expiry = 1h, .refresh_ahead = 1h}, take(11ms, true));
  const Statistics s = ks.statistics();
  CHECK(s.computations == 3);
  CHECK(s.failed_computations == 2);
  CHECK(s.computation_time == 23ms);
  CHECK(s.waits == 0);
  CHECK(s.hits == 2);
  CHECK(s.misses == 2);
}

TEST_CASE("the counts of computations add up") {
  Statistics sum;
  for (int i = 1; i != 3; ++i) {
    Statistics one;
    one.computations = static_cast<Statistics::Count>(10 * i);
    one.failed_computations = static_cast<Statistics::Count>(3 * i);
    one.computation_time = Millis{7 * i};
    one.waits = static_cast<Statistics::Count>(5 * i);
    sum += one;
  }
  CHECK(sum.computations == 30);
  CHECK(sum.failed_computations == 9);
  CHECK(sum.computation_time == 21ms);
  CHECK(sum.waits == 15);
}

// Computes values of several keys, and keeps what it was asked for.
struct AskedKeys {
  std::vector<std::vector<std::string>> asked;
  auto computing() {
    return [this](const std::vector<std::string>& keys) {
      asked.push_back(keys);
      std::vector<std::string> values;
      for (const std::string& key : keys) values.push_back(key + "!");
      return values;
    };
  }
};
using Names = std::vector<std::string>;

TEMPLATE_TEST_CASE(
    "get_or_compute of many keys calls the function once with those that are missing", "",
    LonePages, SharedPages) {
  ManualClock clock;
  TestType ks(clock);
  ks.set("b", "stored");
  ks.set("expired", "old", 5ms);
  clock.advance(5ms);
  AskedKeys batches;
  const std::vector<std::string_view> keys = {"a", "b", "c", "expired", "a"};
  CHECK(ks.get_or_compute(keys, 10ms, batches.computing()) ==
        Names{"a!", "stored", "c!", "expired!", "a!"});
  CHECK(batches.asked == std::vector<Names>{Names{"a", "c", "expired"}});
  for (const char* const key : {"a", "c", "expired"}) CHECK(ks.pttl(key) == 10ms);
  CHECK(ks.pttl("b") == kNever);
  CHECK(ks.get_or_compute(keys, 10ms, batches.computing()).size() == 5);
  CHECK(batches.asked.size() == 1);
  CHECK(ks.statistics().computations == 1);
  // No keys.
  CHECK(ks.get_or_compute(Names(), 10ms, batches.computing()).empty());
  CHECK(batches.asked.size() == 1);
}

TEMPLATE_TEST_CASE("a batch accepts containers, spans and arrays, and any range of results", "",
                   LonePages, SharedPages) {
  TestType ks;
  const std::array<const char*, 2> array = {"a", "b"};
  CHECK(ks.get_or_compute(array, {}, [](const auto& keys) {
    return std::deque<const char*>(keys.size(), "v");
  }) == Names{"v", "v"});
  const Names strings = {"c", "a"};
  CHECK(
      ks.get_or_compute(std::span(strings), {.expiry = 1h}, [](std::span<const std::string> keys) {
        CHECK(keys.size() == 1);
        return Names{"w"};
      }) == Names{"w", "v"});
  const char* const plain[] = {"a", "d"};
  CHECK(ks.get_or_compute(plain, 1h, [](const Names& keys) {
    return std::vector<Page>(keys.size(), Page{"p", 3ms});
  }) == Names{"v", "p"});
  CHECK(ks.pttl("d") <= 3ms);
  using Bools = std::conditional_t<std::is_same_v<TestType, LonePages>, Keyspace<int, bool>,
                                   ConcurrentKeyspace<int, bool>>;
  Bools bools;
  CHECK(bools.get_or_compute(std::vector{1, 2}, 1h, [](const std::vector<int>&) {
    return std::vector<bool>{true, false};
  }) == std::vector{true, false});
}

TEMPLATE_TEST_CASE("a batch may find nothing for some keys", "", LonePages, SharedPages) {
  TestType ks;
  const auto some = [](const Names& keys) {
    std::vector<std::optional<Page>> found;
    for (const std::string& key : keys) {
      found.push_back(key == "no" ? std::nullopt : std::optional(Page{key, 1h}));
    }
    return found;
  };
  using Found = std::vector<std::optional<std::string>>;
  CHECK(ks.get_or_compute(Names{"a", "no", "b"}, {}, some) == Found{"a", std::nullopt, "b"});
  CHECK(ks.size() == 2);
  CHECK(ks.pttl("a") > 59min);
}

TEMPLATE_TEST_CASE("a batch that fails stores nothing, and returns only if all values are live", "",
                   LonePages, SharedPages) {
  ManualClock clock;
  TestType ks(clock);
  ks.set("a", "old", 10ms);
  ks.set("b", "old", 10ms);
  const auto failing = [](const Names&) -> Names { throw Unavailable(); };
  const typename TestType::ComputeOptions refresh{.expiry = 20ms, .refresh_ahead = 10ms};
  CHECK(ks.get_or_compute(Names{"a", "b"}, refresh, failing) == Names{"old", "old"});
  CHECK_THROWS_AS(ks.get_or_compute(Names{"a", "c"}, refresh, failing), Unavailable);
  CHECK_THROWS_AS(ks.get_or_compute(Names{"c", "a"}, refresh, failing), Unavailable);
  CHECK(ks.get("a") == "old");
  CHECK_FALSE(ks.contains("c"));
  CHECK(ks.statistics().failed_computations == 3);
  // Nothing is left of the failed computations.
  AskedKeys batches;
  CHECK(ks.get_or_compute(Names{"a", "c"}, refresh, batches.computing()) == Names{"a!", "c!"});
  CHECK(ks.pttl("a") == 20ms);
  for (const std::size_t wrong : {0U, 1U, 3U}) {
    CHECK_THROWS_WITH(ks.get_or_compute(Names{"x", "y"}, refresh,
                                        [&](const Names&) { return Names(wrong, "v"); }),
                      "get_or_compute(): the function returned " + std::to_string(wrong) +
                          " results for 2 keys: return one for each key, in the order of the keys");
  }
  CHECK_FALSE(ks.contains("x"));
}

TEMPLATE_TEST_CASE("a key that occurs twice in a batch is computed once, and gives one value", "",
                   LonePages, SharedPages) {
  ManualClock clock;
  TestType ks(clock);
  AskedKeys batches;
  CHECK(ks.get_or_compute(Names{"a", "b", "a"}, 10ms, batches.computing()) ==
        Names{"a!", "b!", "a!"});
  CHECK(ks.statistics().waits == 0);
  ks.set("a", "old", 10ms);
  const typename TestType::ComputeOptions refresh{.expiry = 20ms, .refresh_ahead = 10ms};
  CHECK(ks.get_or_compute(Names{"a", "a"}, refresh, [](const Names&) -> Names {
    throw Unavailable();
  }) == Names{"old", "old"});
  CHECK(ks.get_or_compute(Names{"a", "a"}, refresh, batches.computing()) == Names{"a!", "a!"});
  CHECK(ks.statistics().waits == 0);
  CHECK(ks.statistics().computations == 3);
  const auto nothing = [](const Names& keys) {
    return std::vector<std::optional<std::string>>(keys.size());
  };
  CHECK(ks.get_or_compute(Names{"c", "c"}, refresh, nothing) ==
        std::vector<std::optional<std::string>>(2));
}

TEST_CASE("a batch of a Keyspace copies values that cannot be assigned") {
  struct Unassignable {
    const int number;
  };
  Keyspace<int, Unassignable, ManualClock> ks;
  ks.set(1, Unassignable{10});
  const auto values = ks.get_or_compute(std::vector{1, 2, 2}, 1h, [](const std::vector<int>&) {
    return std::vector{Unassignable{20}};
  });
  REQUIRE(values.size() == 3);
  CHECK(values[0].number == 10);
  CHECK(values[1].number == 20);
  CHECK(values[2].number == 20);
}

TEMPLATE_TEST_CASE("a function may call the keyspace for other keys", "", LonePages, SharedPages) {
  TestType ks;
  CHECK(ks.get_or_compute("outer", 1h, [&] {
    return ks.get_or_compute("inner", 1h, [] { return "v"; }) + "w";
  }) == "vw");
  CHECK(ks.get("inner") == "v");
  CHECK(ks.get_or_compute(Names{"a", "b"}, 1h, [&](const Names&) {
    return ks.get_or_compute(Names{"c", "inner"}, 1h, [](const Names& inner) { return inner; });
  }) == Names{"c", "v"});
  CHECK(ks.get("b") == "v");
}

TEMPLATE_TEST_CASE("a cache may refuse the computed value", "",
                   (Cache<int, int, ManualClock, WithStatistics>),
                   (ConcurrentCache<int, int, ManualClock, WithStatistics>)) {
  TestType cache({.capacity = 0});
  CHECK(cache.get_or_compute(1, 1h, [] { return 2; }) == 2);
  CHECK(cache.get_or_compute(std::vector{1, 2}, 1h, [](const auto& keys) { return keys; }) ==
        std::vector{1, 2});
  CHECK(cache.empty());
}

TEMPLATE_TEST_CASE("a Keyspace reads the clock at most twice for a computation", "",
                   (Keyspace<int, int, CountingClock>),
                   (Keyspace<int, int, CountingClock, WithStatistics>)) {
  CountingClock clock;
  TestType ks(clock);
  const auto reads = [&](const auto& call) {
    clock.take_reads();
    call();
    return clock.take_reads();
  };
  ks.set(1, 1);
  CHECK(reads([&] { ks.get_or_compute(1, 1h, [] { return 1; }); }) == 0);
  ks.set(1, 1, 1h);
  CHECK(reads([&] { ks.get_or_compute(1, 1h, [] { return 1; }); }) == 1);
  CHECK(reads([&] { ks.get_or_compute(2, 1h, [] { return 1; }); }) <= 2);
  CHECK(reads([&] {
          ks.get_or_compute(
              1, 1h, [] { return 1; }, 1h);
        }) == 2);
}

}  // namespace
}  // namespace keyspace::testing
