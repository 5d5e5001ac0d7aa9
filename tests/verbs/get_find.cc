#include <chrono>
#include <string>
#include <utility>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("find returns null for a missing key and for a dead one") {
  Strings ks;
  ks.set("k", "v", 10ms);
  CHECK(ks.find("missing") == nullptr);
  CHECK(std::as_const(ks).find("missing") == nullptr);
  ks.clock().advance(10ms);
  CHECK(ks.find("k") == nullptr);
  CHECK(std::as_const(ks).find("k") == nullptr);
}

TEST_CASE("find gives the stored value, not a copy") {
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

TEST_CASE("find through a const keyspace gives a const value") {
  STATIC_REQUIRE(std::is_same_v<decltype(std::declval<const Strings&>().find(std::string())),
                                const std::string*>);
  STATIC_REQUIRE(
      std::is_same_v<decltype(std::declval<Strings&>().find(std::string())), std::string*>);
}

TEST_CASE("get returns a copy that outlives the key") {
  Strings ks;
  ks.set("k", "v", 10ms);
  const std::optional<std::string> got = ks.get("k");
  ks.clock().advance(10ms);
  ks.erase_expired();
  CHECK(got == "v");
  CHECK(ks.get("k") == std::nullopt);
  CHECK(ks.get("missing") == std::nullopt);
}

TEST_CASE("contains tells the live from the missing and the dead") {
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

TEST_CASE("a read never removes a dead entry") {
  // Const calls mutate nothing, and find through a non-const keyspace is a read too as far as
  // pointers to other values are concerned.
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

TEST_CASE("find distinguishes values that compare equal to a default") {
  Keyspace<std::string, int, ManualClock> ks;
  ks.set("", 0);
  REQUIRE(ks.find("") != nullptr);
  CHECK(*ks.find("") == 0);
  CHECK(ks.get("") == 0);
}

}  // namespace
}  // namespace keyspace::testing
