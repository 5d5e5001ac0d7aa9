#include <chrono>
#include <string>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("getdel returns the value and the key is gone") {
  Strings ks;
  ks.set("persistent", "p");
  ks.set("volatile", "v", 10ms);
  CHECK(ks.getdel("persistent") == "p");
  CHECK(ks.getdel("volatile") == "v");
  CHECK(see(ks, "persistent") == std::nullopt);
  CHECK(see(ks, "volatile") == std::nullopt);
  CHECK(ks.empty());
  CHECK(ks.volatile_size() == 0);
  CHECK(ks.getdel("persistent") == std::nullopt);
  CHECK(ks.getdel("volatile") == std::nullopt);
}

TEST_CASE("getdel moves the value out") {
  Strings ks;
  ks.set("k", "a value too long to be stored inside a string object");
  const char* const buffer = ks.find("k")->data();
  const std::optional<std::string> taken = ks.getdel("k");
  REQUIRE(taken.has_value());
  CHECK(taken->data() == buffer);
}

TEST_CASE("getdel returns nothing for a missing key and for a dead one") {
  Strings ks;
  ks.set("dead", "v", 10ms);
  ks.clock().advance(10ms);
  CHECK(ks.getdel("missing") == std::nullopt);
  CHECK(ks.getdel("dead") == std::nullopt);
}

TEST_CASE("a key set again after getdel does not inherit the ttl") {
  Strings ks;
  ks.set("k", "old", 10ms);
  CHECK(ks.getdel("k") == "old");
  ks.set("k", "new");
  ks.clock().advance(10ms);
  CHECK(ks.erase_expired() == 0);
  CHECK(see(ks, "k") == entry("new"));
}

}  // namespace
}  // namespace keyspace::testing
