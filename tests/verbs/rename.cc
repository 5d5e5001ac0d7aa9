#include <chrono>
#include <optional>
#include <string>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

// The state of a key before the call. expired_entries.cc covers expired keys.
enum class SourceState { kMissing, kPersistent, kVolatile };

void put(Strings& ks, const char* key, SourceState state, Millis ttl) {
  if (state == SourceState::kPersistent) ks.set(key, key);
  if (state == SourceState::kVolatile) ks.set(key, key, ttl);
}

TEST_CASE("rename gives the new name the value and the expiry of the old one") {
  const SourceState from = GENERATE(SourceState::kPersistent, SourceState::kVolatile);
  const SourceState to =
      GENERATE(SourceState::kMissing, SourceState::kPersistent, SourceState::kVolatile);
  const Millis from_ttl = GENERATE(10ms, 20ms, 30ms);
  Strings ks;
  put(ks, "from", from, from_ttl);
  put(ks, "to", to, 20ms);
  ks.set("other", "kept", 15ms);
  const Instant deadline = from == SourceState::kVolatile ? at(from_ttl.count()) : kNoDeadline;

  CHECK(ks.rename("from", "to"));

  CHECK(see(ks, "from") == std::nullopt);
  CHECK(see(ks, "to") == entry("from", deadline));
  CHECK(see(ks, "other") == entry("kept", at(15)));
  CHECK(ks.size() == 2);
  CHECK(ks.volatile_size() == (from == SourceState::kVolatile ? 2 : 1));
  if (from == SourceState::kVolatile) {
    ks.clock().set(deadline - 1ms);
    ks.erase_expired();
    CHECK(see(ks, "to") == entry("from", deadline));
    ks.clock().set(deadline);
    ks.erase_expired();
    CHECK(ks.size() == (deadline < at(15) ? 1 : 0));
  } else {
    ks.clock().set(at(1000));
    CHECK(ks.erase_expired() == 1);
    CHECK(see(ks, "to") == entry("from"));
  }
}

TEST_CASE("rename of a missing key changes nothing and returns false") {
  Strings ks;
  ks.set("to", "kept", 10ms);
  CHECK_FALSE(ks.rename("from", "to"));
  CHECK_FALSE(ks.rename("from", "from"));
  CHECK_FALSE(ks.rename("from", "nowhere"));
  CHECK(see(ks, "to") == entry("kept", at(10)));
  CHECK(ks.size() == 1);
}

TEST_CASE("rename of a live key to itself returns true and changes nothing") {
  Strings ks;
  ks.set("persistent", "p");
  ks.set("volatile", "v", 10ms);
  CHECK(ks.rename("persistent", "persistent"));
  CHECK(ks.rename("volatile", "volatile"));
  CHECK(see(ks, "persistent") == entry("p"));
  CHECK(see(ks, "volatile") == entry("v", at(10)));
}

TEST_CASE("rename moves the value") {
  Strings ks;
  ks.set("from", "a value too long to be stored inside a string object");
  const char* const buffer = ks.find("from")->data();
  CHECK(ks.rename("from", "to"));
  CHECK(ks.find("to")->data() == buffer);
}

TEST_CASE("rename back and forth keeps the deadline") {
  Strings ks;
  ks.set("a", "v", 1000ms);
  for (int i = 0; i < 500; ++i) {
    REQUIRE(ks.rename(i % 2 == 0 ? "a" : "b", i % 2 == 0 ? "b" : "a"));
    ks.clock().advance(1ms);
  }
  CHECK(see(ks, "a") == entry("v", at(1000)));
  CHECK(ks.size() == 1);
  ks.clock().set(at(999));
  CHECK(ks.erase_expired() == 0);
  ks.clock().set(at(1000));
  CHECK(ks.erase_expired() == 1);
}

}  // namespace
}  // namespace keyspace::testing
