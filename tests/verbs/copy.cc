#include <chrono>
#include <string>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("copy gives the target the value and the expiry of the source") {
  Strings ks;
  ks.set("persistent", "p");
  ks.set("volatile", "v", 10ms);
  CHECK(ks.copy("persistent", "p2"));
  CHECK(ks.copy("volatile", "v2"));
  CHECK(see(ks, "persistent") == entry("p"));
  CHECK(see(ks, "p2") == entry("p"));
  CHECK(see(ks, "volatile") == entry("v", at(10)));
  CHECK(see(ks, "v2") == entry("v", at(10)));
  CHECK(ks.size() == 4);
  CHECK(ks.volatile_size() == 2);
  ks.clock().set(at(10));
  CHECK(ks.erase_expired() == 2);
}

TEST_CASE("a change of a copy does not change its source, nor the other way round") {
  Strings ks;
  ks.set("k", "v", 10ms);
  CHECK(ks.copy("k", "copy"));
  *ks.find("copy") = "w";
  CHECK(ks.pexpire("k", 20ms));
  CHECK(see(ks, "k") == entry("v", at(20)));
  CHECK(see(ks, "copy") == entry("w", at(10)));
  CHECK(ks.erase("k"));
  CHECK(see(ks, "copy") == entry("w", at(10)));
}

TEST_CASE("copy returns false when the source is missing") {
  Strings ks;
  ks.set("to", "kept", 10ms);
  CHECK_FALSE(ks.copy("from", "to"));
  CHECK_FALSE(ks.copy("from", "nowhere"));
  CHECK_FALSE(ks.copy("from", "from"));
  CHECK(see(ks, "to") == entry("kept", at(10)));
  CHECK(ks.size() == 1);
}

TEST_CASE("copy returns false when the target is live or the source itself") {
  Strings ks;
  ks.set("from", "v");
  ks.set("persistent", "p");
  ks.set("volatile", "w", 10ms);
  CHECK_FALSE(ks.copy("from", "persistent"));
  CHECK_FALSE(ks.copy("from", "volatile"));
  CHECK_FALSE(ks.copy("from", "from"));
  CHECK(see(ks, "from") == entry("v"));
  CHECK(see(ks, "persistent") == entry("p"));
  CHECK(see(ks, "volatile") == entry("w", at(10)));
}

TEST_CASE("copy works while the table grows") {
  Strings ks;
  ks.set("0", "a value too long to be stored inside a string object", 10ms);
  for (int i = 0; i < 200; ++i) REQUIRE(ks.copy(std::to_string(i), std::to_string(i + 1)));
  CHECK(see(ks, "200") == entry("a value too long to be stored inside a string object", at(10)));
  ks.clock().set(at(10));
  CHECK(ks.erase_expired() == 201);
}

}  // namespace
}  // namespace keyspace::testing
