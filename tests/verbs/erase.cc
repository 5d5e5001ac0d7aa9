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

TEST_CASE("erase returns false for a missing key and for an expired one") {
  Strings ks;
  ks.set("expired", "v", 10ms);
  ks.clock().advance(10ms);
  CHECK_FALSE(ks.erase("missing"));
  CHECK_FALSE(ks.erase("expired"));
  CHECK_FALSE(ks.erase("expired"));
  CHECK(see(ks, "expired") == std::nullopt);
}

TEST_CASE("a key that is set again after erase expires at its new deadline") {
  // The stale record of the erased entry must not erase the new one.
  struct Ttls {
    Millis first, second;
  };
  for (const Ttls ttl : {Ttls{10ms, 20ms}, Ttls{20ms, 10ms}, Ttls{10ms, 10ms},
                         Ttls{10ms, 100'000ms}, Ttls{100'000ms, 10ms}}) {
    CAPTURE(ttl.first.count(), ttl.second.count());
    Strings ks;
    ks.set("k", "old", ttl.first);
    CHECK(ks.erase("k"));
    ks.set("k", "new", ttl.second);
    CHECK(ks.volatile_size() == 1);
    ks.clock().set(at(ttl.second.count() - 1));
    CHECK(ks.erase_expired() == 0);
    CHECK(see(ks, "k") == entry("new", at(ttl.second.count())));
    ks.clock().advance(1ms);
    CHECK(ks.erase_expired() == 1);
    CHECK(ks.empty());
    ks.clock().advance(200'000ms);
    CHECK(ks.erase_expired() == 0);
  }
}

TEST_CASE("after every volatile key is erased nothing is due") {
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
