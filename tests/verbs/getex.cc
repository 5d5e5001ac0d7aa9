#include <chrono>
#include <string>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("getex returns the value and gives it a new ttl") {
  Strings ks;
  ks.clock().set(at(1000));
  ks.set("persistent", "p");
  ks.set("volatile", "v", 10ms);
  for (const Millis ttl : {100ms, 10ms, 5ms, 5ms, 1ms, 100'000ms}) {
    CAPTURE(ttl.count());
    for (const char* key : {"persistent", "volatile"}) {
      std::string* const value = ks.getex(key, ttl);
      REQUIRE(value != nullptr);
      CHECK(value == ks.find(key));
      CHECK(see(ks, key) == entry(std::string(1, key[0]), at(1000) + ttl));
    }
  }
}

TEST_CASE("getex keeps a key live as long as each call comes before the deadline") {
  Strings ks;
  ks.set("k", "v", 10ms);
  for (int i = 0; i < 1000; ++i) {
    ks.clock().advance(9ms);
    CHECK(ks.erase_expired() == 0);
    REQUIRE(ks.getex("k", 10ms) != nullptr);
  }
  ks.clock().advance(9ms);
  CHECK(ks.contains("k"));
  ks.clock().advance(1ms);
  CHECK(ks.getex("k", 10ms) == nullptr);
  CHECK(ks.erase_expired() <= 1);
  CHECK(ks.empty());
}

TEST_CASE("getex with kNever makes the key persistent") {
  Strings ks;
  ks.set("k", "v", 10ms);
  REQUIRE(ks.getex("k", Strings::kNever) != nullptr);
  CHECK(see(ks, "k") == entry("v"));
  CHECK(ks.volatile_size() == 0);
}

TEST_CASE("getex with a ttl that is already over deletes the key and returns null") {
  const Millis ttl = GENERATE(0ms, -1ms, Millis::min());
  Strings ks;
  ks.set("persistent", "v");
  ks.set("volatile", "v", 10ms);
  CHECK(ks.getex("persistent", ttl) == nullptr);
  CHECK(ks.getex("volatile", ttl) == nullptr);
  CHECK(see(ks, "persistent") == std::nullopt);
  CHECK(see(ks, "volatile") == std::nullopt);
  CHECK(ks.empty());
}

TEST_CASE("getex returns null for a missing key and for an expired one") {
  Strings ks;
  ks.set("expired", "v", 10ms);
  ks.clock().advance(10ms);
  for (const Millis ttl : {-1ms, 0ms, 1ms, Strings::kNever}) {
    CHECK(ks.getex("missing", ttl) == nullptr);
    CHECK(ks.getex("expired", ttl) == nullptr);
    CHECK(see(ks, "missing") == std::nullopt);
    CHECK(see(ks, "expired") == std::nullopt);
  }
}

TEST_CASE("getex with a deadline gives the key that deadline") {
  Strings ks;
  ks.clock().set(at(1000));
  ks.set("persistent", "v");
  ks.set("volatile", "v", 10ms);
  for (const Instant deadline : {at(1500), at(1010), at(1005), at(1001), at(100'000)}) {
    CAPTURE(deadline.time_since_epoch().count());
    for (const char* const key : {"persistent", "volatile"}) {
      std::string* const value = ks.getex(key, deadline);
      REQUIRE(value != nullptr);
      CHECK(value == ks.find(key));
      CHECK(see(ks, key) == entry("v", deadline));
    }
  }
  REQUIRE(ks.getex("volatile", ks.clock().now() + 2s) != nullptr);
  CHECK(see(ks, "volatile") == entry("v", at(3000)));
  REQUIRE(ks.getex("volatile", Instant::max()) != nullptr);
  CHECK(see(ks, "volatile") == entry("v"));
  CHECK(ks.getex("missing", at(2000)) == nullptr);
  CHECK(see(ks, "missing") == std::nullopt);
  CHECK(ks.volatile_size() == 1);
  ks.clock().set(at(99'999));
  CHECK(ks.erase_expired() == 0);
  ks.clock().set(at(100'000));
  CHECK(ks.erase_expired() == 1);
}

TEST_CASE("getex with a deadline that is already over deletes the key and returns null") {
  const Instant deadline = GENERATE(Instant::min(), at(-1), at(0), at(499), at(500));
  Strings ks;
  ks.clock().set(at(500));
  ks.set("persistent", "v");
  ks.set("volatile", "v", 10ms);
  CHECK(ks.getex("persistent", deadline) == nullptr);
  CHECK(ks.getex("volatile", deadline) == nullptr);
  CHECK(ks.empty());
}

TEST_CASE("getex with kKeep returns the value and keeps the expiry") {
  Strings ks;
  ks.set("persistent", "p");
  ks.set("volatile", "v", 10ms);
  ks.set("expired", "e", 5ms);
  ks.clock().set(at(5));
  for (const char* const key : {"persistent", "volatile"}) {
    std::string* const value = ks.getex(key, kKeep);
    REQUIRE(value != nullptr);
    CHECK(value == ks.find(key));
  }
  CHECK(see(ks, "persistent") == entry("p"));
  CHECK(see(ks, "volatile") == entry("v", at(10)));
  CHECK(ks.getex("expired", kKeep) == nullptr);
  CHECK(ks.getex("missing", kKeep) == nullptr);
  CHECK(ks.size() == 3);
  CHECK(ks.volatile_size() == 2);
}

TEST_CASE("getex with an empty expiry makes the key persistent") {
  Strings ks;
  ks.set("persistent", "v");
  ks.set("volatile", "v", 10ms);
  ks.set("expired", "v", 5ms);
  ks.clock().set(at(5));
  REQUIRE(ks.getex("persistent", {}) != nullptr);
  REQUIRE(ks.getex("volatile", {}) != nullptr);
  CHECK(see(ks, "persistent") == entry("v"));
  CHECK(see(ks, "volatile") == entry("v"));
  CHECK(ks.getex("expired", {}) == nullptr);
  CHECK(ks.getex("missing", {}) == nullptr);
}

TEST_CASE("getex is a request, also with kKeep") {
  Keyspace<int, int, Lru, WithStatistics, ManualClock> ks({.capacity = 2});
  ks.set(1, 10);
  ks.set(2, 20);
  REQUIRE(ks.getex(1, kKeep) != nullptr);
  CHECK(ks.getex(3, kKeep) == nullptr);
  CHECK(ks.statistics().hits == 1);
  CHECK(ks.statistics().misses == 1);
  ks.set(4, 40);  // evicts 2
  CHECK(ks.contains(1));
  CHECK_FALSE(ks.contains(2));
}

}  // namespace
}  // namespace keyspace::testing
