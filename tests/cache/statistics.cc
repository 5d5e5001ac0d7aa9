#include <keyspace/cache.h>
#include <keyspace/keyspace.h>
#include <keyspace/statistics.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using CountedStore = Keyspace<std::string, int, WithStatistics, ManualClock>;

TEST_CASE("statistics count requests, and no other calls") {
  ManualClock clock;
  CountedStore store(clock);
  const CountedStore& view = store;
  store.set("a", 1, 10ms);
  const auto requests_of = [&](const auto& call) {
    const Statistics before = store.statistics();
    call();
    const Statistics after = store.statistics();
    return std::pair(after.hits - before.hits, after.misses - before.misses);
  };
  const std::pair<Statistics::Count, Statistics::Count> hit = {1, 0}, miss = {0, 1}, none = {0, 0};
  CHECK(requests_of([&] { static_cast<void>(store.find("a")); }) == hit);
  CHECK(requests_of([&] { static_cast<void>(store.find("b")); }) == miss);
  CHECK(requests_of([&] { static_cast<void>(store.get("a")); }) == hit);
  CHECK(requests_of([&] { static_cast<void>(store.get("b")); }) == miss);
  CHECK(requests_of([&] { store.getex("a", 10ms); }) == hit);
  CHECK(requests_of([&] { store.getex("b", 10ms); }) == miss);
  CHECK(requests_of([&] { store.getdel("b"); }) == miss);
  CHECK(requests_of([&] {
          std::vector<int*> found(3);
          store.mget(std::vector<std::string>{"a", "b", "a"}, found.begin());
        }) == std::pair<Statistics::Count, Statistics::Count>{2, 1});
  CHECK(requests_of([&] {
          static_cast<void>(store.peek("a"));
          static_cast<void>(store.contains("a"));
          static_cast<void>(view.peek("a"));
          static_cast<void>(view.contains("b"));
          static_cast<void>(store.pttl("a"));
          store.pexpire("a", 10ms);
          store.insert("a", 2);
          store.erase("b");
        }) == none);
  clock.advance(10ms);
  CHECK(requests_of([&] { static_cast<void>(store.find("a")); }) == miss);
  store.set("a", 1);
  CHECK(requests_of([&] { store.getdel("a"); }) == hit);
}

TEST_CASE("statistics count insertions and removals, which add up to the size") {
  ManualClock clock;
  CountedStore store(clock);
  for (const char* const key : {"a", "b", "c", "d", "e"}) store.set(key, 1, 10ms);
  store.set("a", 2, 20ms);
  store.replace("b", 2, 10ms);
  store.insert("b", 3);
  store.rename("c", "a");
  store.copy("a", "c");
  store.erase("d");
  store.set("f", 1, 0ms);
  clock.advance(17ms);
  store.set("e", 9);  // expired
  store.erase("b");   // expired
  Statistics s = store.statistics();
  CHECK(s.inserts == 7);
  CHECK(s.replacements == 2);
  CHECK(s.refusals == 0);
  CHECK(s.removed(RemovalCause::kExpired) == 4);  // set("e") erases two of them
  CHECK(s.removed(RemovalCause::kErased) == 1);
  CHECK(s.removed(RemovalCause::kReplaced) == 3);
  CHECK(s.removed(RemovalCause::kEvicted) == 0);
  CHECK(s.size == store.size());
  CHECK(s.size == s.inserts + s.replacements - 4 - 1 - 3);
  CHECK(s.peak_size == 5);
  CHECK(s.longest_lag == 7ms);
  CHECK(s.total_lag == 28ms);
  CHECK(s.mean_lag() == 7ms);
}

TEST_CASE("statistics count evictions and refusals") {
  Cache<int, int, EarliestDeadline, WithStatistics, ManualClock> cache({.capacity = 2});
  cache.set(1, 1);
  cache.set(2, 2, 1h);
  cache.set(3, 3);
  cache.set(4, 4);
  CHECK_FALSE(cache.insert(5, 5, 1h));
  const Statistics s = cache.statistics();
  CHECK(s.inserts == 3);
  CHECK(s.removed(RemovalCause::kEvicted) == 1);
  CHECK(s.refusals == 2);
  CHECK(s.peak_size == 2);
}

TEST_CASE("statistics move with the keyspace") {
  CountedStore store{ManualClock()};
  store.set("a", 1);
  static_cast<void>(store.find("a"));
  static_cast<void>(store.find("a"));
  static_cast<void>(store.find("b"));
  const Statistics before = store.statistics();
  CountedStore other = std::move(store);
  CHECK(other.statistics() == before);
  CHECK(before.hits == 2);
  CHECK(before.misses == 1);
  CHECK(store.statistics() == Statistics());
  store = std::move(other);
  CHECK(store.statistics() == before);
  CHECK(other.statistics() == Statistics());
}

TEST_CASE("to_string prints statistics as text for people") {
  Statistics s;
  CHECK(s.hit_ratio() == 0);
  CHECK(s.mean_lag() == 0ms);
  CHECK(to_string(s).substr(0, 44) == "requests  0: 0 hits (0.0 %), 0 misses\nstored");
  s = {.hits = 9996,
       .misses = 4,
       .inserts = 20,
       .replacements = 3,
       .refusals = 1,
       .removals = {4, 5, 3, 6},
       .size = 5,
       .peak_size = 11,
       .longest_lag = 70ms,
       .total_lag = 102ms};
  CHECK(to_string(s) ==
        "requests  10000: 9996 hits (100.0 %), 4 misses\n"
        "stored    20 new, 3 in place of others, 1 refused\n"
        "removed   4 expired, 5 erased, 3 replaced, 6 evicted\n"
        "entries   5, at most 11\n"
        "lag       25 ms after the deadline in the mean, 70 ms at most\n");
  s.computations = 7;
  s.failed_computations = 2;
  s.computation_time = 31ms;
  s.waits = 3;
  const std::string line = "computed  7 times, 2 failed, 31 ms in all, 3 waits\n";
  const std::string text = to_string(s);
  CHECK(text.substr(text.find('\n') + 1, line.size()) == line);
  s.computations = 0;
  CHECK(to_string(s).find("computed  0 times") != std::string::npos);
}

}  // namespace
}  // namespace keyspace::testing
