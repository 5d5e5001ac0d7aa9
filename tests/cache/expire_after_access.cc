#include <keyspace/cache.h>
#include <keyspace/features.h>

#include <chrono>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using SlidingStore = Cache<std::string, std::string, Sliding, ManualClock>;

struct BoundedAndSliding : CacheFeatures {
  static constexpr bool kExpireAfterAccess = true;
};

struct SlidingFixture {
  ManualClock clock;
  SlidingStore store{clock, {.expire_after_access = 10s}};
};

TEST_CASE("what is stored without an expiry has the ttl of an access") {
  SlidingFixture f;
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

TEST_CASE("a request puts off the expiry, and a look does not") {
  SlidingFixture f;
  const SlidingStore& view = f.store;
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
  CHECK(deadline_after([&] { static_cast<void>(view.find("a")); }) == at(10'000));
  CHECK(deadline_after([&] { static_cast<void>(view.get("a")); }) == at(10'000));
}

TEST_CASE("a request makes no deadline sooner, and no persistent key volatile") {
  SlidingFixture f;
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

TEST_CASE("a request does not bring back what is dead") {
  SlidingFixture f;
  f.store.set("a", "1");
  f.clock.set(at(10'000));
  CHECK(f.store.find("a") == nullptr);
  CHECK_FALSE(f.store.contains("a"));
}

TEST_CASE("a cache may have a bound and an expiry that slides") {
  ManualClock clock;
  Cache<int, int, BoundedAndSliding, ManualClock> cache(
      clock, {.capacity = 100, .expire_after_access = 1min});
  for (int i = 0; i != 200; ++i) cache.set(i, i);
  CHECK(cache.size() == 100);
  CHECK(cache.volatile_size() == 100);
  clock.advance(1min);
  cache.erase_expired();
  CHECK(cache.empty());
}

}  // namespace
}  // namespace keyspace::testing
