#include <keyspace/cache.h>
#include <keyspace/keyspace.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using IdleStore = Keyspace<std::string, std::string, WithExpireAfterAccess, ManualClock>;

struct IdleFixture {
  ManualClock clock;
  IdleStore store{{.clock = clock, .expire_after_access = 10s}};
};

TEST_CASE(
    "an entry expires at the sooner of the set deadline and the last request plus idle time") {
  IdleFixture f;
  f.store.set("a", "1");
  f.store.insert("b", "2");
  f.store.set("c", "3", 1s);
  f.store.replace("c", "3");
  f.store.set("d", "4", kNever);
  f.store.set("e", "5", Instant::max());
  f.store.set("f", "6", 10s);
  f.store.set("g", "7", 1h);
  for (const char* const key : {"a", "b", "c", "d", "e", "f", "g"}) {
    CHECK(f.store.pexpiretime(key) == at(10'000));
    CHECK(f.store.pttl(key) == 10s);
  }
  f.store.set("sooner", "8", 1s);
  CHECK(f.store.pexpiretime("sooner") == at(1'000));
  CHECK(f.store.volatile_size() == 8);
  f.clock.set(at(9'999));
  CHECK(live_count(f.store) == 7);
  f.clock.set(at(10'000));
  CHECK(live_count(f.store) == 0);
  CHECK(f.store.erase_expired() == 8);
}

TEST_CASE("a request postpones the idle deadline, and peek and contains do not") {
  IdleFixture f;
  const IdleStore& view = f.store;
  const auto deadline_after = [&](const auto& call) {
    f.clock.set(at(0));
    f.store.set("a", "1");
    f.clock.set(at(9'999));
    call();
    return f.store.pexpiretime("a");
  };
  CHECK(deadline_after([&] { static_cast<void>(f.store.find("a")); }) == at(19'999));
  CHECK(deadline_after([&] { static_cast<void>(f.store.get("a")); }) == at(19'999));
  CHECK(deadline_after([&] { f.store.update("a", [](std::string&) {}); }) == at(19'999));
  CHECK(deadline_after([&] {
          std::vector<std::string*> found(1);
          f.store.mget(std::vector<std::string>{"a"}, found.begin());
        }) == at(19'999));
  CHECK(deadline_after([&] { f.store.getex("a", 1s); }) == at(10'999));
  CHECK(deadline_after([&] { f.store.getex("a", 1h); }) == at(19'999));
  CHECK(deadline_after([&] { static_cast<void>(f.store.peek("a")); }) == at(10'000));
  CHECK(deadline_after([&] { static_cast<void>(f.store.contains("a")); }) == at(10'000));
  CHECK(deadline_after([&] { f.store.pexpire("a", 1h); }) == at(10'000));
  CHECK(deadline_after([&] { static_cast<void>(view.peek("a")); }) == at(10'000));
  CHECK(deadline_after([&] { static_cast<void>(view.contains("a")); }) == at(10'000));
}

TEST_CASE("requests do not extend a value beyond the deadline that was set") {
  IdleFixture f;
  f.store.set("a", "1", 25s);
  for (const int second : {9, 18, 24}) {
    f.clock.set(at(second * 1000));
    REQUIRE(f.store.find("a") != nullptr);
    CHECK(f.store.pexpiretime("a") == at(std::min(second * 1000 + 10'000, 25'000)));
  }
  f.clock.set(at(25'000));
  CHECK(f.store.find("a") == nullptr);
}

TEST_CASE("an idle value expires before the deadline that was set") {
  ManualClock clock;
  Keyspace<int, int, WithExpireAfterAccess, ManualClock> ks(
      {.clock = clock, .expire_after_access = 10min});
  ks.set(2, 0, 30min);
  REQUIRE(ks.find(2) != nullptr);
  clock.set(at(0) + 10min - 1ms);
  CHECK(ks.contains(2));
  clock.set(at(0) + 10min);
  CHECK_FALSE(ks.contains(2));
  CHECK(ks.erase_expired() == 1);
}

TEST_CASE("a request does not make an expired key live again") {
  IdleFixture f;
  f.store.set("a", "1");
  f.clock.set(at(10'000));
  CHECK(f.store.find("a") == nullptr);
  CHECK_FALSE(f.store.contains("a"));
}

TEST_CASE("pexpire, its conditions and persist see the deadline that was set, not the idle one") {
  IdleFixture f;
  f.store.set("none", "v");
  CHECK_FALSE(f.store.pexpire("none", 1h, Condition::kXx));
  CHECK_FALSE(f.store.pexpire("none", 1h, Condition::kGt));
  CHECK_FALSE(f.store.persist("none"));
  CHECK(f.store.pexpire("none", 1h, Condition::kNx));
  CHECK(f.store.pexpiretime("none") == at(10'000));
  CHECK_FALSE(f.store.pexpire("none", 1h, Condition::kNx));
  // The idle deadline is after 10 s, but the one that was set after an hour decides.
  CHECK_FALSE(f.store.pexpire("none", 30min, Condition::kGt));
  CHECK(f.store.pexpire("none", 30min, Condition::kLt));
  CHECK(f.store.pexpire("none", 2h, Condition::kGt));
  CHECK(f.store.pexpire("none", 4s, Condition::kLt));
  CHECK(f.store.pexpiretime("none") == at(4'000));
  // Now the idle deadline is the later one. It is not lost.
  f.clock.set(at(3'000));
  CHECK(f.store.persist("none"));
  CHECK_FALSE(f.store.persist("none"));
  CHECK(f.store.pexpiretime("none") == at(10'000));
  CHECK(f.store.pexpire("none", 2s));
  CHECK(f.store.pexpiretime("none") == at(5'000));
  REQUIRE(f.store.find("none") != nullptr);
  CHECK(f.store.pexpiretime("none") == at(5'000));
  CHECK(f.store.pexpire("none", kNever));
  CHECK(f.store.pexpiretime("none") == at(13'000));
  CHECK(f.store.pexpire("none", 0s));
  CHECK_FALSE(f.store.contains("none"));
}

TEST_CASE("getex sets the deadline, and also postpones the idle one") {
  IdleFixture f;
  f.clock.set(at(500));
  for (const auto ttl : {Millis{60'000}, Millis{1'000}, kNever}) {
    f.store.set("key", "v", ttl);
    f.clock.set(at(600));
    REQUIRE(f.store.getex("key", {}) != nullptr);
    CHECK(see(f.store, "key") == entry("v", at(10'600)));
    CHECK_FALSE(f.store.persist("key"));
    f.clock.set(at(500));
  }
  f.clock.set(at(700));
  REQUIRE(f.store.getex("key", kNever) != nullptr);
  CHECK(see(f.store, "key") == entry("v", at(10'700)));
  REQUIRE(f.store.getex("key", 2s) != nullptr);
  CHECK(see(f.store, "key") == entry("v", at(2'700)));
  CHECK(f.store.getex("key", 0s) == nullptr);
  CHECK_FALSE(f.store.contains("key"));
}

TEST_CASE("kKeep keeps the deadline that was set, and the idle time starts again") {
  IdleFixture f;
  f.store.set("k", "v", 12s);
  f.clock.set(at(1'000));
  f.store.set("k", "w", kKeep);
  CHECK(see(f.store, "k") == entry("w", at(11'000)));
  f.clock.set(at(5'000));
  CHECK(f.store.replace("k", "x", kKeep));
  CHECK(see(f.store, "k") == entry("x", at(12'000)));
  f.clock.set(at(6'000));
  REQUIRE(f.store.getex("k", kKeep) != nullptr);
  CHECK(see(f.store, "k") == entry("x", at(12'000)));
  f.store.set("persistent", "v", kNever);
  f.store.set("persistent", "w", kKeep);
  CHECK(see(f.store, "persistent") == entry("w", at(16'000)));

  // A key that is not live has no deadline to keep.
  f.clock.set(at(12'000));
  f.store.set("k", "new", kKeep);
  CHECK(see(f.store, "k") == entry("new", at(22'000)));
  CHECK_FALSE(f.store.persist("k"));
  CHECK(f.store.insert("missing", "new", kKeep));
  CHECK(see(f.store, "missing") == entry("new", at(22'000)));
}

TEST_CASE("rename keeps both deadlines, and a copy starts its idle time") {
  IdleFixture f;
  f.store.set("idle", "v", 1h);
  f.store.set("set", "v", 4s);
  f.clock.set(at(1'000));
  f.store.set("target", "t", 2s);
  CHECK(f.store.rename("idle", "target"));
  CHECK(f.store.pexpiretime("target") == at(10'000));
  CHECK_FALSE(f.store.pexpire("target", 30min, Condition::kGt));  // an hour was set
  CHECK(f.store.rename("set", "new"));
  CHECK(f.store.pexpiretime("new") == at(4'000));
  CHECK(f.store.copy("new", "copy"));
  CHECK(f.store.pexpiretime("copy") == at(4'000));
  CHECK(f.store.persist("new"));
  CHECK(f.store.pexpiretime("new") == at(10'000));
  CHECK(f.store.persist("copy"));
  CHECK(f.store.pexpiretime("copy") == at(11'000));
}

TEST_CASE("both deadlines are exact at the ends of the range") {
  for (const Instant start : {at(0), at(-5), at(5), Instant::min(), kLastDeadline - 20s}) {
    for (const auto idle : {Millis{10'000}, kNever - 1ms, kNever}) {
      ManualClock clock(start);
      Keyspace<int, int, WithExpireAfterAccess, ManualClock> ks(
          {.clock = clock, .expire_after_access = idle});
      const auto after = [&](Millis ttl) {
        if (ttl == kNever) return kNoDeadline;
        return start.time_since_epoch().count() > 0 && ttl > kLastDeadline - start ? kLastDeadline
                                                                                   : start + ttl;
      };
      for (const auto hard :
           {start + 1ms, start + 10'000ms, start + 10'001ms, kLastDeadline, kNoDeadline}) {
        CAPTURE(start.time_since_epoch().count(), idle.count(), hard.time_since_epoch().count());
        ks.set(1, 1, hard);
        CHECK(ks.pexpiretime(1) == std::min(hard, after(idle)));
        CHECK_FALSE(ks.pexpireat(1, hard, Condition::kGt));
        CHECK(ks.pexpireat(1, hard, Condition::kLt) == false);
        CHECK(ks.persist(1) == (hard != kNoDeadline));
        CHECK(ks.pexpiretime(1) == after(idle));
        CHECK(ks.pexpireat(1, hard));
        CHECK(ks.pexpiretime(1) == std::min(hard, after(idle)));
      }
    }
  }
}

TEST_CASE("an idle time of zero or less stores nothing, and kNever is none") {
  ManualClock clock;
  for (const auto idle : {Millis{0}, Millis{-1}}) {
    Keyspace<int, int, WithExpireAfterAccess, ManualClock> none(
        {.clock = clock, .expire_after_access = idle});
    none.set(1, 1, 1h);
    CHECK(none.empty());
  }
  Keyspace<int, int, WithExpireAfterAccess, ManualClock> ks(
      {.clock = clock, .expire_after_access = kNever});
  ks.set(1, 1);
  CHECK(ks.pexpiretime(1) == kNoDeadline);
  CHECK(ks.pexpire(1, 5s, Condition::kNx));
  REQUIRE(ks.find(1) != nullptr);
  CHECK(ks.pexpiretime(1) == at(5'000));
}

TEST_CASE("the second deadline takes eight bytes, with the option only") {
  using Plain = Keyspace<std::uint64_t, std::uint64_t, ManualClock>;
  using Idle = Keyspace<std::uint64_t, std::uint64_t, ManualClock, WithExpireAfterAccess>;
  CHECK(internal::TestPeer::entry_size<Plain>() == 24);
  CHECK(internal::TestPeer::entry_size<Idle>() == 32);
}

TEST_CASE("a cache may have a capacity and an expiry after access") {
  ManualClock clock;
  Cache<int, int, WithExpireAfterAccess, ManualClock> cache(
      {.capacity = 100, .clock = clock, .expire_after_access = 1min});
  for (int i = 0; i != 200; ++i) cache.set(i, i);
  CHECK(cache.size() == 100);
  CHECK(cache.volatile_size() == 100);
  clock.advance(1min);
  cache.erase_expired();
  CHECK(cache.empty());
}

}  // namespace
}  // namespace keyspace::testing
