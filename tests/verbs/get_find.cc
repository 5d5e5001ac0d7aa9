#include <keyspace/cache.h>

#include <chrono>
#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("find returns null for a missing key and for an expired one") {
  Strings ks;
  ks.set("k", "v", 10ms);
  CHECK(ks.find("missing") == nullptr);
  CHECK(std::as_const(ks).find("missing") == nullptr);
  ks.clock().advance(10ms);
  CHECK(ks.find("k") == nullptr);
  CHECK(std::as_const(ks).find("k") == nullptr);
}

TEST_CASE("find returns a pointer to the stored value, not to a copy") {
  Strings ks;
  ks.set("k", "v");
  std::string* const found = ks.find("k");
  REQUIRE(found != nullptr);
  CHECK(found == std::as_const(ks).find("k"));
  *found += "!";
  CHECK(see(ks, "k") == entry("v!"));
}

TEST_CASE("a change in place keeps the ttl") {
  Strings ks;
  ks.set("k", "v", 10ms);
  *ks.find("k") = "w";
  CHECK(see(ks, "k") == entry("w", at(10)));
  ks.clock().advance(10ms);
  CHECK_FALSE(ks.contains("k"));
}

TEST_CASE("find through a const keyspace returns a pointer to a const value") {
  STATIC_REQUIRE(std::is_same_v<decltype(std::declval<const Strings&>().find(std::string())),
                                const std::string*>);
  STATIC_REQUIRE(
      std::is_same_v<decltype(std::declval<Strings&>().find(std::string())), std::string*>);
}

TEST_CASE("get returns a copy that is valid after the key has expired") {
  Strings ks;
  ks.set("k", "v", 10ms);
  const std::optional<std::string> got = ks.get("k");
  ks.clock().advance(10ms);
  ks.erase_expired();
  CHECK(got == "v");
  CHECK(ks.get("k") == std::nullopt);
  CHECK(ks.get("missing") == std::nullopt);
}

TEST_CASE("contains returns true for live keys, and false for missing and expired ones") {
  Strings ks;
  ks.set("persistent", "v");
  ks.set("volatile", "v", 10ms);
  CHECK(ks.contains("persistent"));
  CHECK(ks.contains("volatile"));
  CHECK_FALSE(ks.contains("missing"));
  ks.clock().advance(10ms);
  CHECK(ks.contains("persistent"));
  CHECK_FALSE(ks.contains("volatile"));
}

TEST_CASE("a read never erases an expired entry") {
  // Const calls change nothing. A find through a keyspace that is not const invalidates no pointer
  // to another value either.
  Strings ks;
  ks.set("k", "v", 10ms);
  ks.clock().advance(10ms);
  const Strings& reader = ks;
  CHECK_FALSE(reader.contains("k"));
  CHECK(reader.find("k") == nullptr);
  CHECK(reader.get("k") == std::nullopt);
  CHECK(reader.pttl("k") == std::nullopt);
  CHECK(reader.pexpiretime("k") == std::nullopt);
  CHECK(live_count(reader) == 0);
  CHECK(reader.size() == 1);
  CHECK(reader.volatile_size() == 1);
}

TEST_CASE("find distinguishes a default value from a missing key") {
  Keyspace<std::string, int, ManualClock> ks;
  ks.set("", 0);
  REQUIRE(ks.find("") != nullptr);
  CHECK(*ks.find("") == 0);
  CHECK(ks.get("") == 0);
}

// --- Requests through a const keyspace ---

template <class Ks>
concept FindsThroughConst = requires(const Ks& ks) {
  { ks.find(1) } -> std::same_as<const int*>;
};
template <class Ks>
concept GetsThroughConst = requires(const Ks& ks) {
  { ks.get(1) } -> std::same_as<std::optional<int>>;
};
template <class Ks>
concept MgetsThroughConst = requires(const Ks& ks, const std::vector<int>& keys, const int** out) {
  ks.mget(keys, out);
};
template <class Ks>
concept Requests = requires(Ks& ks, const std::vector<int>& keys, int** out) {
  { ks.find(1) } -> std::same_as<int*>;
  { ks.get(1) } -> std::same_as<std::optional<int>>;
  ks.mget(keys, out);
};
template <class Ks>
concept PeeksThroughConst = requires(const Ks& ks) {
  { ks.peek(1) } -> std::same_as<const int*>;
  { ks.contains(1) } -> std::same_as<bool>;
  { ks.pttl(1) } -> std::same_as<std::optional<typename Ks::duration>>;
  { ks.pexpiretime(1) } -> std::same_as<std::optional<typename Ks::time_point>>;
};

TEMPLATE_TEST_CASE("a const keyspace has find, get and mget if requests change nothing", "",
                   (Keyspace<int, int>), (Keyspace<int, int, Unbounded, ManualClock>),
                   (Cache<int, int, EarliestDeadline>), (Cache<int, int, Unbounded>)) {
  STATIC_REQUIRE(FindsThroughConst<TestType>);
  STATIC_REQUIRE(GetsThroughConst<TestType>);
  STATIC_REQUIRE(MgetsThroughConst<TestType>);
  STATIC_REQUIRE(PeeksThroughConst<TestType>);
  STATIC_REQUIRE(Requests<TestType>);
}

TEMPLATE_TEST_CASE("a const keyspace has only peek and contains if requests change it", "",
                   (Cache<int, int>), (Cache<int, int, Lru>), (Keyspace<int, int, ScanResistant>),
                   (Keyspace<int, int, WithStatistics>),
                   (Keyspace<int, int, WithExpireAfterAccess>),
                   (Keyspace<int, int, EarliestDeadline, WithStatistics>),
                   (Cache<int, int, Lru, WithStatistics, WithExpireAfterAccess, ManualClock>)) {
  STATIC_REQUIRE_FALSE(FindsThroughConst<TestType>);
  STATIC_REQUIRE_FALSE(GetsThroughConst<TestType>);
  STATIC_REQUIRE_FALSE(MgetsThroughConst<TestType>);
  STATIC_REQUIRE(PeeksThroughConst<TestType>);
  STATIC_REQUIRE(Requests<TestType>);
}

TEST_CASE("peek returns what find returns, for each kind of key") {
  Keyspace<int, int, Lru, WithStatistics, ManualClock> ks({.capacity = 10});
  ks.set(1, 10);
  ks.set(2, 20, 20ms);
  ks.set(3, 30, 10ms);
  ks.clock().set(at(10));
  for (const int key : {1, 2, 3, 4}) {
    CAPTURE(key);
    CHECK(std::as_const(ks).peek(key) == ks.find(key));
    CHECK(ks.contains(key) == (key <= 2));
  }
}

}  // namespace
}  // namespace keyspace::testing
