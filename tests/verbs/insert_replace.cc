#include <chrono>
#include <string>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("insert stores a missing key and refuses a live one") {
  Strings ks;
  CHECK(ks.insert("k", "first"));
  CHECK(see(ks, "k") == entry("first"));
  CHECK_FALSE(ks.insert("k", "second"));
  CHECK_FALSE(ks.insert("k", "second", 10ms));
  CHECK_FALSE(ks.insert("k", "second", at(10)));
  CHECK(see(ks, "k") == entry("first"));
}

TEST_CASE("insert stores the ttl or the deadline it is given") {
  Strings ks;
  ks.clock().set(at(100));
  CHECK(ks.insert("ttl", "v", 10ms));
  CHECK(ks.insert("deadline", "v", at(120)));
  CHECK(ks.insert("never", "v", Strings::kNever));
  CHECK(ks.insert("max", "v", Instant::max()));
  CHECK(see(ks, "ttl") == entry("v", at(110)));
  CHECK(see(ks, "deadline") == entry("v", at(120)));
  CHECK(see(ks, "never") == entry("v"));
  CHECK(see(ks, "max") == entry("v"));
  CHECK(ks.volatile_size() == 2);
}

TEST_CASE("a refused insert does not change the ttl of a volatile key") {
  Strings ks;
  ks.set("k", "v", 10ms);
  CHECK_FALSE(ks.insert("k", "w"));
  CHECK_FALSE(ks.insert("k", "w", 99ms));
  CHECK_FALSE(ks.insert("k", "w", 0ms));
  CHECK_FALSE(ks.insert("k", "w", Strings::kNever));
  CHECK(see(ks, "k") == entry("v", at(10)));
}

TEST_CASE("a refused insert does not move from its arguments") {
  Strings ks;
  const std::string long_key = "a key too long to be stored inside a string object";
  const std::string long_value = "a value too long to be stored inside a string object";
  ks.set(long_key, "v");
  std::string key = long_key;
  std::string value = long_value;
  CHECK_FALSE(ks.insert(std::move(key), std::move(value)));
  CHECK(key == long_key);
  CHECK(value == long_value);
  CHECK_FALSE(ks.insert(std::move(key), std::move(value), 10ms));
  CHECK_FALSE(ks.insert(std::move(key), std::move(value), at(10)));
  CHECK_FALSE(ks.insert(std::move(key), std::move(value), 0ms));
  CHECK(key == long_key);
  CHECK(value == long_value);
}

TEST_CASE("insert with an expiry that is already over returns true and stores nothing") {
  Strings ks;
  ks.clock().set(at(100));
  CHECK(ks.insert("k", "v", 0ms));
  CHECK(ks.insert("k", "v", -1ms));
  CHECK(ks.insert("k", "v", Millis::min()));
  CHECK(ks.insert("k", "v", at(100)));
  CHECK(ks.insert("k", "v", Instant::min()));
  CHECK(see(ks, "k") == std::nullopt);
  CHECK(ks.empty());
}

TEST_CASE("insert stores over an expired entry and keeps nothing of it") {
  Strings ks;
  ks.set("k", "old", 10ms);
  ks.clock().advance(10ms);
  CHECK(ks.insert("k", "new"));
  CHECK(see(ks, "k") == entry("new"));
  CHECK(ks.size() == 1);
}

TEST_CASE("replace overwrites a live key and refuses a missing one") {
  Strings ks;
  CHECK_FALSE(ks.replace("k", "v"));
  CHECK_FALSE(ks.replace("k", "v", 10ms));
  CHECK_FALSE(ks.replace("k", "v", at(10)));
  CHECK_FALSE(ks.replace("k", "v", 0ms));
  CHECK(ks.empty());
  ks.set("k", "old");
  CHECK(ks.replace("k", "new"));
  CHECK(see(ks, "k") == entry("new"));
}

TEST_CASE("replace clears the ttl or sets the given one") {
  Strings ks;
  ks.clock().set(at(100));
  ks.set("k", "old", 10ms);
  CHECK(ks.replace("k", "1"));
  CHECK(see(ks, "k") == entry("1"));
  CHECK(ks.replace("k", "2", 20ms));
  CHECK(see(ks, "k") == entry("2", at(120)));
  CHECK(ks.replace("k", "3", at(110)));
  CHECK(see(ks, "k") == entry("3", at(110)));
  CHECK(ks.replace("k", "4", Strings::kNever));
  CHECK(see(ks, "k") == entry("4"));
  CHECK(ks.replace("k", "5", Instant::max()));
  CHECK(see(ks, "k") == entry("5"));
  CHECK(ks.volatile_size() == 0);
}

TEST_CASE("replace with an expiry that is already over erases the key and returns true") {
  Strings ks;
  ks.clock().set(at(100));
  ks.set("a", "v");
  ks.set("b", "v", 10ms);
  ks.set("c", "v");
  CHECK(ks.replace("a", "w", 0ms));
  CHECK(ks.replace("b", "w", at(100)));
  CHECK(ks.replace("c", "w", Instant::min()));
  CHECK(ks.empty());
  CHECK_FALSE(ks.replace("a", "w"));
}

TEST_CASE("replace refuses an expired entry") {
  Strings ks;
  ks.set("k", "old", 10ms);
  ks.clock().advance(10ms);
  CHECK_FALSE(ks.replace("k", "new"));
  CHECK_FALSE(ks.replace("k", "new", 10ms));
  CHECK_FALSE(ks.replace("k", "new", at(1000)));
  CHECK(see(ks, "k") == std::nullopt);
}

}  // namespace
}  // namespace keyspace::testing
