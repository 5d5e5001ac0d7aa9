#include <chrono>
#include <string>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("pttl distinguishes a missing key, a persistent one and a volatile one") {
  Strings ks;
  ks.set("persistent", "v");
  ks.set("volatile", "v", 10ms);
  CHECK(ks.pttl("missing") == std::nullopt);
  CHECK(ks.pttl("persistent") == Strings::kNever);
  CHECK(ks.pttl("volatile") == 10ms);
}

TEST_CASE("pttl counts down to one millisecond, and is nullopt from the deadline on") {
  Strings ks;
  ks.clock().set(at(12'345));
  ks.set("k", "v", 300ms);
  for (int left = 300; left >= 1; --left) {
    CHECK(ks.pttl("k") == Millis{left});
    ks.clock().advance(1ms);
  }
  CHECK(ks.pttl("k") == std::nullopt);
}

TEST_CASE("pexpiretime distinguishes a missing key, a persistent one and a volatile one") {
  Strings ks;
  ks.clock().set(at(1000));
  ks.set("persistent", "v");
  ks.set("volatile", "v", 10ms);
  CHECK(ks.pexpiretime("missing") == std::nullopt);
  CHECK(ks.pexpiretime("persistent") == Instant::max());
  CHECK(ks.pexpiretime("volatile") == at(1010));
}

TEST_CASE(
    "pexpiretime does not change while the clock moves, and is nullopt from the deadline on") {
  Strings ks;
  ks.set("k", "v", at(10));
  for (int now = 0; now < 10; ++now) {
    ks.clock().set(at(now));
    CHECK(ks.pexpiretime("k") == at(10));
  }
  ks.clock().set(at(10));
  CHECK(ks.pexpiretime("k") == std::nullopt);
}

TEST_CASE("pttl returns the ttl that pexpire was given") {
  Strings ks;
  ks.clock().set(at(1'700'000'000'000));
  ks.set("k", "v");
  for (const Millis ttl : {1ms, 255ms, 256ms, 257ms, 65'535ms, 65'536ms, 65'537ms, 86'400'000ms,
                           16'777'216ms, 4'294'967'295ms, 4'294'967'296ms, 31'536'000'000ms}) {
    CHECK(ks.pexpire("k", ttl));
    CHECK(ks.pttl("k") == ttl);
  }
}

}  // namespace
}  // namespace keyspace::testing
