#include <keyspace/cache.h>
#include <keyspace/keyspace.h>

#include <chrono>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using IdleStore = Keyspace<std::string, std::string, WithExpireAfterAccess, ManualClock>;

struct IdleFixture {
  ManualClock clock;
  IdleStore store{{.clock = clock, .expire_after_access = 10s}};
};

TEST_CASE("a value that is stored without an expiry has the ttl expire_after_access") {
  IdleFixture f;
  f.store.set("a", "1");
  f.store.insert("b", "2");
  f.store.set("c", "3", 1s);
  f.store.replace("c", "3");
  for (const char* const key : {"a", "b", "c"}) CHECK(f.store.pexpiretime(key) == at(10'000));
  f.store.set("d", "4", 1s);
  CHECK(f.store.pexpiretime("d") == at(1'000));
  f.clock.advance(10s);
  CHECK(f.store.erase_expired() == 4);
}

TEST_CASE("a request postpones the expiry, and peek and contains do not") {
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
  CHECK(deadline_after([&] {
          std::vector<std::string*> found(1);
          f.store.mget(std::vector<std::string>{"a"}, found.begin());
        }) == at(19'999));
  CHECK(deadline_after([&] { f.store.getex("a", 1s); }) == at(10'999));
  CHECK(deadline_after([&] { static_cast<void>(f.store.peek("a")); }) == at(10'000));
  CHECK(deadline_after([&] { static_cast<void>(f.store.contains("a")); }) == at(10'000));
  CHECK(deadline_after([&] { static_cast<void>(view.peek("a")); }) == at(10'000));
  CHECK(deadline_after([&] { static_cast<void>(view.contains("a")); }) == at(10'000));
}

TEST_CASE("a request makes no deadline sooner, and no persistent key volatile") {
  IdleFixture f;
  f.store.set("later", "1", 1min);
  f.store.set("sooner", "2", 1s);
  f.store.set("persistent", "3");
  f.store.persist("persistent");
  for (const char* const key : {"later", "sooner", "persistent"}) {
    static_cast<void>(f.store.find(key));
  }
  CHECK(f.store.pexpiretime("later") == at(60'000));
  CHECK(f.store.pexpiretime("sooner") == at(10'000));
  CHECK(f.store.pexpiretime("persistent") == kNoDeadline);
}

TEST_CASE("a request does not make an expired key live again") {
  IdleFixture f;
  f.store.set("a", "1");
  f.clock.set(at(10'000));
  CHECK(f.store.find("a") == nullptr);
  CHECK_FALSE(f.store.contains("a"));
}

TEST_CASE("an empty expiry is the ttl of an access, and kNever and a deadline override it") {
  IdleFixture f;
  f.clock.set(at(500));
  f.store.set("k", "default", {});
  CHECK(see(f.store, "k") == entry("default", at(10'500)));
  f.store.set("k", "never", kNever);
  CHECK(see(f.store, "k") == entry("never"));
  f.store.set("k", "default", {});
  CHECK(see(f.store, "k") == entry("default", at(10'500)));
  f.store.set("k", "max", Instant::max());
  CHECK(see(f.store, "k") == entry("max"));
  f.store.set("k", "soon", f.clock.now() + 2s);
  CHECK(see(f.store, "k") == entry("soon", at(2'500)));
  CHECK(f.store.insert("inserted", "v", {}));
  CHECK(see(f.store, "inserted") == entry("v", at(10'500)));
  CHECK(f.store.insert("persistent", "v", kNever));
  CHECK(see(f.store, "persistent") == entry("v"));
  CHECK(f.store.replace("inserted", "w", kNever));
  CHECK(see(f.store, "inserted") == entry("w"));
  CHECK(f.store.replace("inserted", "x", {}));
  CHECK(see(f.store, "inserted") == entry("x", at(10'500)));

  // A request does not change a persistent key.
  CHECK(*f.store.find("persistent") == "v");
  CHECK(see(f.store, "persistent") == entry("v"));
}

TEST_CASE("getex with an empty expiry gives the ttl of an access, sooner or later") {
  IdleFixture f;
  f.clock.set(at(500));
  f.store.set("later", "v", 1min);
  f.store.set("sooner", "v", 1s);
  f.store.set("persistent", "v", kNever);
  for (const char* const key : {"later", "sooner", "persistent"}) {
    REQUIRE(f.store.getex(key, {}) != nullptr);
    CHECK(see(f.store, key) == entry("v", at(10'500)));
  }
  REQUIRE(f.store.getex("later", kNever) != nullptr);
  CHECK(see(f.store, "later") == entry("v"));
}

TEST_CASE("kKeep keeps the expiry, also where a request would postpone it") {
  IdleFixture f;
  f.store.set("k", "v", 1s);
  f.store.set("k", "w", kKeep);
  CHECK(see(f.store, "k") == entry("w", at(1'000)));
  CHECK(f.store.replace("k", "x", kKeep));
  CHECK(see(f.store, "k") == entry("x", at(1'000)));
  REQUIRE(f.store.getex("k", kKeep) != nullptr);
  CHECK(see(f.store, "k") == entry("x", at(1'000)));
  f.store.set("persistent", "v", kNever);
  f.store.set("persistent", "w", kKeep);
  CHECK(see(f.store, "persistent") == entry("w"));

  // A key that is not live has no expiry to keep.
  f.clock.set(at(1'000));
  f.store.set("k", "new", kKeep);
  CHECK(see(f.store, "k") == entry("new"));
  CHECK(f.store.insert("missing", "new", kKeep));
  CHECK(see(f.store, "missing") == entry("new"));
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
