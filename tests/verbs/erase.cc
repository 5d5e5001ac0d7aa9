#include <chrono>
#include <string>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("erase removes a live key and returns true") {
  Strings ks;
  ks.set("persistent", "v");
  ks.set("volatile", "v", 10ms);
  ks.set("other", "kept", 20ms);
  CHECK(ks.erase("persistent"));
  CHECK(ks.erase("volatile"));
  CHECK(see(ks, "persistent") == std::nullopt);
  CHECK(see(ks, "volatile") == std::nullopt);
  CHECK(ks.size() == 1);
  CHECK(ks.volatile_size() == 1);
  CHECK(see(ks, "other") == entry("kept", at(20)));
}

TEST_CASE("erase returns false for a missing key and for a dead one") {
  Strings ks;
  ks.set("dead", "v", 10ms);
  ks.clock().advance(10ms);
  CHECK_FALSE(ks.erase("missing"));
  CHECK_FALSE(ks.erase("dead"));
  CHECK_FALSE(ks.erase("dead"));
  CHECK(see(ks, "dead") == std::nullopt);
}

TEST_CASE("a key set again after erase lives by its own deadline") {
  // What the first life left in the expiry table must not end the second.
  struct Life {
    Millis first, second;
  };
  for (const Life life : {Life{10ms, 20ms}, Life{20ms, 10ms}, Life{10ms, 10ms},
                          Life{10ms, 100'000ms}, Life{100'000ms, 10ms}}) {
    CAPTURE(life.first.count(), life.second.count());
    Strings ks;
    ks.set("k", "old", life.first);
    CHECK(ks.erase("k"));
    ks.set("k", "new", life.second);
    CHECK(ks.volatile_size() == 1);
    ks.clock().set(at(life.second.count() - 1));
    CHECK(ks.erase_expired() == 0);
    CHECK(see(ks, "k") == entry("new", at(life.second.count())));
    ks.clock().advance(1ms);
    CHECK(ks.erase_expired() == 1);
    CHECK(ks.empty());
    ks.clock().advance(200'000ms);
    CHECK(ks.erase_expired() == 0);
  }
}

TEST_CASE("erasing every volatile key leaves nothing that could be due") {
  Strings ks;
  for (int i = 0; i < 100; ++i) ks.set(std::to_string(i), "v", Millis{i + 1});
  for (int i = 0; i < 100; ++i) CHECK(ks.erase(std::to_string(i)));
  CHECK(ks.empty());
  CHECK(ks.volatile_size() == 0);
  CHECK(ks.next_deadline() == std::nullopt);
  ks.clock().advance(1000ms);
  CHECK(ks.erase_expired() == 0);
}

}  // namespace
}  // namespace keyspace::testing
