#include <chrono>
#include <string>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("persist removes a deadline and returns true once") {
  Strings ks;
  ks.set("k", "v", 10ms);
  CHECK(ks.persist("k"));
  CHECK(see(ks, "k") == entry("v"));
  CHECK(ks.volatile_size() == 0);
  CHECK(ks.next_deadline() == std::nullopt);
  CHECK_FALSE(ks.persist("k"));
  ks.clock().advance(10ms);
  CHECK(ks.erase_expired() == 0);
  CHECK(see(ks, "k") == entry("v"));
}

TEST_CASE("persist returns false where there is no deadline to remove") {
  Strings ks;
  ks.set("persistent", "v");
  ks.set("expired", "v", 10ms);
  ks.clock().advance(10ms);
  CHECK_FALSE(ks.persist("missing"));
  CHECK_FALSE(ks.persist("persistent"));
  CHECK_FALSE(ks.persist("expired"));
  CHECK(see(ks, "expired") == std::nullopt);
}

TEST_CASE("a key that gets a deadline again after persist expires at that deadline") {
  struct Ttls {
    Millis first, second;
  };
  for (const Ttls ttl : {Ttls{10ms, 20ms}, Ttls{20ms, 10ms}, Ttls{10ms, 10ms}}) {
    CAPTURE(ttl.first.count(), ttl.second.count());
    Strings ks;
    ks.set("k", "v", ttl.first);
    CHECK(ks.persist("k"));
    CHECK(ks.pexpire("k", ttl.second));
    ks.clock().set(at(ttl.second.count() - 1));
    CHECK(ks.erase_expired() == 0);
    CHECK(see(ks, "k") == entry("v", at(ttl.second.count())));
    ks.clock().advance(1ms);
    CHECK(ks.erase_expired() == 1);
  }
}

}  // namespace
}  // namespace keyspace::testing
