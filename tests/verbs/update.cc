#include <keyspace/cache.h>
#include <keyspace/keyspace.h>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/support.h"

// update() of a Keyspace. For ConcurrentKeyspace see threads/concurrent_keyspace.cc.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("update changes the value of a live key and keeps its expiry") {
  Keyspace<std::string, int, ManualClock> ks;
  ks.set("key", 1, 5ms);
  CHECK(ks.update("key", [](int& value) { ++value; }));
  CHECK(ks.get("key") == 2);
  CHECK(ks.pttl("key") == 5ms);
  CHECK_FALSE(ks.update("absent", [](int& value) { ++value; }));
  CHECK_FALSE(ks.contains("absent"));
  ks.clock().advance(5ms);
  CHECK_FALSE(ks.update("key", [](int&) { FAIL("the key is expired"); }));
}

struct StringLength {
  std::size_t operator()(int, const std::string& value) const { return value.size(); }
};
using WeighedStrings =
    Cache<int, std::string, Lru, ManualClock, WithWeigher<StringLength>, WithStatistics>;

TEST_CASE("update weighs the entry again") {
  WeighedStrings cache({.capacity = 100});
  cache.set(1, "a");
  cache.set(2, "b");
  CHECK(cache.update(1, [](std::string& value) { value.resize(99, 'a'); }));
  CHECK(cache.weight() == 100);
  CHECK(cache.size() == 2);
  // One more evicts the least recently used entry.
  CHECK(cache.update(1, [](std::string& value) { value += 'a'; }));
  CHECK(cache.weight() == 100);
  CHECK_FALSE(cache.contains(2));
  // The entry itself is too heavy now.
  CHECK(cache.update(1, [](std::string& value) { value.resize(5001); }));
  CHECK(cache.weight() == 0);
  CHECK(cache.empty());
  check_invariants(cache);
}

TEST_CASE("update is a request") {
  WeighedStrings cache({.capacity = 10});
  cache.set(1, "aaaaa");
  cache.set(2, "bbbbb");
  CHECK(cache.update(1, [](std::string&) {}));
  cache.set(3, "c");
  CHECK(cache.contains(1));
  CHECK_FALSE(cache.contains(2));
  CHECK(cache.statistics().hits == 1);
  CHECK_FALSE(cache.update(2, [](std::string&) {}));
  CHECK(cache.statistics().misses == 1);
}

TEST_CASE("update that throws keeps the change and the weight") {
  WeighedStrings cache({.capacity = 100});
  cache.set(1, "a");
  CHECK_THROWS_AS(cache.update(1,
                               [](std::string& value) {
                                 value = "long";
                                 throw std::runtime_error("no");
                               }),
                  std::runtime_error);
  CHECK(cache.get(1) == "long");
  CHECK(cache.weight() == 1);
}

}  // namespace
}  // namespace keyspace::testing
