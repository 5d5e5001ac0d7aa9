#include <chrono>
#include <cstdint>
#include <string>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("set stores a persistent key") {
  Strings ks;
  ks.set("k", "v");
  CHECK(see(ks, "k") == entry("v"));
  CHECK(ks.size() == 1);
  CHECK(ks.volatile_size() == 0);
}

TEST_CASE("set replaces the value and clears the ttl") {
  Strings ks;
  ks.set("k", "old", 10ms);
  ks.set("k", "new");
  CHECK(see(ks, "k") == entry("new"));
  CHECK(ks.size() == 1);
  CHECK(ks.volatile_size() == 0);
  ks.clock().advance(10ms);
  CHECK(see(ks, "k") == entry("new"));
  CHECK(ks.erase_expired() == 0);
}

TEST_CASE("set with a ttl stores a key that is live exactly that long") {
  Strings ks;
  ks.clock().set(at(1000));
  ks.set("k", "v", 10ms);
  CHECK(see(ks, "k") == entry("v", at(1010)));
  CHECK(ks.volatile_size() == 1);
  ks.clock().advance(9ms);
  CHECK(see(ks, "k") == entry("v", at(1010)));
  ks.clock().advance(1ms);
  CHECK(see(ks, "k") == std::nullopt);
}

TEST_CASE("set with a deadline stores a key that is expired at that deadline") {
  Strings ks;
  ks.set("k", "v", at(10));
  CHECK(see(ks, "k") == entry("v", at(10)));
  ks.clock().set(at(9));
  CHECK(ks.contains("k"));
  ks.clock().set(at(10));
  CHECK_FALSE(ks.contains("k"));
}

TEST_CASE("set replaces one ttl with another, sooner or later or equal") {
  for (const Millis ttl : {1ms, 99ms, 100ms, 101ms, 100'000ms}) {
    CAPTURE(ttl.count());
    Strings ks;
    ks.set("k", "old", 100ms);
    ks.set("k", "new", ttl);
    CHECK(see(ks, "k") == entry("new", at(ttl.count())));
    CHECK(ks.volatile_size() == 1);
    ks.clock().advance(ttl - 1ms);
    CHECK(ks.erase_expired() == 0);
    CHECK(see(ks, "k") == entry("new", at(ttl.count())));
    ks.clock().advance(1ms);
    CHECK(ks.erase_expired() == 1);
    CHECK(ks.empty());
  }
}

TEST_CASE("set gives a persistent key a ttl") {
  Strings ks;
  ks.set("k", "old");
  ks.set("k", "new", 10ms);
  CHECK(see(ks, "k") == entry("new", at(10)));
  CHECK(ks.volatile_size() == 1);
}

TEST_CASE("set with a ttl that is already over leaves the key absent") {
  const Millis ttl = GENERATE(Millis::min(), -1ms, 0ms);
  Strings ks;
  SECTION("a missing key") {}
  SECTION("a persistent key") { ks.set("k", "old"); }
  SECTION("a volatile key") { ks.set("k", "old", 10ms); }
  ks.set("k", "new", ttl);
  CHECK(see(ks, "k") == std::nullopt);
  CHECK(ks.empty());
  CHECK(ks.next_deadline() == std::nullopt);
}

TEST_CASE("set with a deadline that is already over leaves the key absent") {
  const Instant deadline = GENERATE(Instant::min(), at(-1), at(0), at(499), at(500));
  Strings ks;
  ks.clock().set(at(500));
  SECTION("a missing key") {}
  SECTION("a persistent key") { ks.set("k", "old"); }
  SECTION("a volatile key") { ks.set("k", "old", 10ms); }
  ks.set("k", "new", deadline);
  CHECK(see(ks, "k") == std::nullopt);
  CHECK(ks.empty());
}

TEST_CASE("set with kNever or the last time point stores a persistent key") {
  Strings ks;
  ks.set("ttl", "v", Strings::kNever);
  ks.set("deadline", "v", Strings::time_point::max());
  ks.set("was volatile", "v", 10ms);
  ks.set("was volatile", "v", Strings::kNever);
  CHECK(see(ks, "ttl") == entry("v"));
  CHECK(see(ks, "deadline") == entry("v"));
  CHECK(see(ks, "was volatile") == entry("v"));
  CHECK(ks.volatile_size() == 0);
}

TEST_CASE("set with an empty expiry stores a persistent key") {
  Strings ks;
  ks.set("k", "v", {});
  CHECK(see(ks, "k") == entry("v"));
  ks.set("k", "v", 10ms);
  ks.set("k", "w", {});
  CHECK(see(ks, "k") == entry("w"));
  ks.set("k", "v", 10ms);
  ks.set("k", "w", Strings::Expiry());
  CHECK(see(ks, "k") == entry("w"));
  CHECK(ks.volatile_size() == 0);
}

TEST_CASE("set accepts a deadline that is computed from the time of the keyspace's clock") {
  Strings ks;
  for (const std::int64_t now : {0, 5'000, -5'000, -1'999}) {
    CAPTURE(now);
    ks.clock().set(at(now));
    ks.set("k", "v", ks.clock().now() + 2s);
    CHECK(see(ks, "k") == entry("v", at(now + 2'000)));
    ks.set("k", "v", ks.clock().now() + 1ms);
    CHECK(see(ks, "k") == entry("v", at(now + 1)));
    ks.set("k", "v", ks.clock().now());
    CHECK(see(ks, "k") == std::nullopt);
  }
  Keyspace<std::string, int> steady;
  steady.set("k", 1, steady.clock().now() + 2s);
  CHECK(steady.pttl("k") <= 2s);
  CHECK(steady.pttl("k") > 0ms);
  Keyspace<std::string, int, SystemClock> system;
  system.set("k", 1, system.clock().now() + 1h);
  CHECK(system.pttl("k") <= 1h);
  CHECK(system.pttl("k") > 59min);
}

TEST_CASE("set accepts every unit from a millisecond up") {
  Strings ks;
  ks.set("s", "v", 2s);
  ks.set("min", "v", 2min);
  ks.set("h", "v", 2h);
  ks.set("days", "v", std::chrono::days{2});
  CHECK(ks.pttl("s") == 2000ms);
  CHECK(ks.pttl("min") == 120'000ms);
  CHECK(ks.pttl("h") == 7'200'000ms);
  CHECK(ks.pttl("days") == 172'800'000ms);
}

TEST_CASE("set changes no other key") {
  Strings ks;
  ks.set("persistent", "p");
  ks.set("volatile", "v", 50ms);
  ks.set("k", "1", 10ms);
  ks.set("k", "2");
  ks.set("k", "3", 0ms);
  CHECK(see(ks, "persistent") == entry("p"));
  CHECK(see(ks, "volatile") == entry("v", at(50)));
}

TEST_CASE("set copies an lvalue and moves from an rvalue") {
  Strings ks;
  const std::string key = "a key too long to be stored inside a string object";
  std::string value = "a value too long to be stored inside a string object";
  ks.set(key, value);
  CHECK(value == "a value too long to be stored inside a string object");
  CHECK(see(ks, key) == entry(value));
  const char* const buffer = value.data();
  ks.set("other", std::move(value));
  REQUIRE(ks.find("other") != nullptr);
  CHECK(ks.find("other")->data() == buffer);
}

TEST_CASE("set accepts a value that is stored in the keyspace itself") {
  Strings ks;
  ks.set("k", "a value too long to be stored inside a string object");
  ks.set("k", *ks.find("k"), 5ms);
  CHECK(see(ks, "k") == entry("a value too long to be stored inside a string object", at(5)));
  // There are enough insertions to make the map grow while the argument points into it.
  for (int i = 0; i < 100; ++i) ks.set(std::to_string(i), *ks.find("k"));
  CHECK(see(ks, "99") == entry("a value too long to be stored inside a string object"));
}

TEST_CASE("set accepts a number that is stored in the keyspace itself while the map is rebuilt") {
  // At a constant size the map sometimes rebuilds itself in place, and its entries move.
  constexpr std::uint64_t kKeys = 780;
  Keyspace<std::uint64_t, std::uint64_t, ManualClock> ks;
  const auto value_of = [](std::uint64_t key) { return key * 7 + 3; };
  ks.reserve(kKeys);
  for (std::uint64_t key = 0; key != kKeys; ++key) ks.set(key, value_of(key), 1h);
  for (std::uint64_t key = kKeys; key != 100 * kKeys; ++key) {
    ks.erase(key - kKeys);
    const std::uint64_t other = key - 1 - key % (kKeys - 1);
    ks.set(key, *ks.find(other), 1h);
    REQUIRE(*ks.find(key) == value_of(other));
    ks.set(key, value_of(key), 1h);
  }
}

TEST_CASE("a write erases two expired entries before it adds one") {
  // A keyspace that is only written must not fill with expired entries.
  Ints ks;
  for (int key = 0; key < 10; ++key) ks.set(key, 0, 1ms);
  ks.clock().advance(1ms);
  REQUIRE(ks.size() == 10);
  ks.set(100, 0, 1ms);
  CHECK(ks.size() == 9);
  ks.set(101, 0);
  CHECK(ks.size() == 8);
  CHECK(ks.insert(102, 0));
  CHECK(ks.size() == 7);
}

}  // namespace
}  // namespace keyspace::testing
