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

TEST_CASE("getex keeps a key alive as long as it is asked for in time") {
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

TEST_CASE("getex finds neither a missing key nor a dead one") {
  Strings ks;
  ks.set("dead", "v", 10ms);
  ks.clock().advance(10ms);
  for (const Millis ttl : {-1ms, 0ms, 1ms, Strings::kNever}) {
    CHECK(ks.getex("missing", ttl) == nullptr);
    CHECK(ks.getex("dead", ttl) == nullptr);
    CHECK(see(ks, "missing") == std::nullopt);
    CHECK(see(ks, "dead") == std::nullopt);
  }
}

}  // namespace
}  // namespace keyspace::testing
