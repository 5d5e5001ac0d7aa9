#include <keyspace/cache.h>
#include <keyspace/features.h>

#include <cstddef>
#include <utility>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/support.h"

// How ScanResistant decides, at its boundaries: what internal/scan_resistant.h says, with numbers.

namespace keyspace::testing {
namespace {

using BoundedInts = Cache<int, int, CacheFeatures, ManualClock>;

std::size_t room_for_new(const BoundedInts& cache) {
  return internal::TestPeer::room_for_new(cache);
}

// A full cache for 1000 entries. The keys to 989 were kept, until the last insertion let go of 0;
// those from 990 are new, one more than the ten that there is room for. A key's time is one more
// than itself.
class Full {
 public:
  Full() { scan(1001); }

  // Stores as many keys that were never there. Each makes the first new one go.
  void scan(int count) {
    for (int i = 0; i != count; ++i) cache.set(next_++, 0);
  }
  // Stores a key again once it had to go.
  void bring_back(int key) {
    while (cache.contains(key)) scan(1);
    cache.set(key, 0);
  }
  [[nodiscard]] int newest() const { return next_ - 1; }
  [[nodiscard]] int first_kept() const {
    int key = 0;
    while (!cache.contains(key)) ++key;
    return key;
  }

  BoundedInts cache{{.capacity = 1000}};

 private:
  int next_ = 0;
};

TEST_CASE(
    "a key that comes back is kept if it was away for less than two thirds of the idle time") {
  const bool is_soon = GENERATE(true, false);
  Full full;
  REQUIRE(full.first_kept() == 1);          // idle since 2
  full.scan(1);                             // the time is 1002
  REQUIRE_FALSE(full.cache.contains(990));  // away since 991
  // Time passes, and nothing else has to go.
  full.cache.erase(1000);
  for (int time = 1002; time != (is_soon ? 2967 : 2968); ++time) {
    full.cache.set(-1, 0);
    full.cache.erase(-1);
  }
  full.cache.set(990, 0);  // at 2968, away for 1977 and idle for 2966; or one more
  full.scan(50);
  CHECK(full.cache.contains(990) == is_soon);
}

TEST_CASE("new keys get more room when one comes back that went lately") {
  const bool is_lately = GENERATE(true, false);
  Full full;
  REQUIRE(room_for_new(full.cache) == 10);
  full.scan(1);
  REQUIRE_FALSE(full.cache.contains(990));
  full.scan(is_lately ? 9 : 10);
  full.cache.set(990, 0);
  CHECK(room_for_new(full.cache) == (is_lately ? 11 : 10));

  // It is no ghost any more.
  full.cache.erase(990);
  full.cache.set(990, 0);
  CHECK(room_for_new(full.cache) == (is_lately ? 11 : 10));
}

TEST_CASE("what is lately depends on the room that new keys have, if that is not the least") {
  const bool is_lately = GENERATE(true, false);
  Full full;
  int key = 990;
  while (room_for_new(full.cache) != 24) full.bring_back(key++);
  while (full.cache.contains(key)) full.scan(1);
  full.scan(is_lately ? 11 : 12);
  full.cache.set(key, 0);
  CHECK(room_for_new(full.cache) == (is_lately ? 25 : 24));
}

TEST_CASE("new keys get up to nineteen twentieths of the room, and never less than a hundredth") {
  Full full;
  for (int i = 0; i != 1000; ++i) full.bring_back(full.newest());
  CHECK(room_for_new(full.cache) == 950);
  check_invariants(full.cache);
}

TEST_CASE("the room for new keys moves with the cache") {
  Full full;
  for (int i = 0; i != 50; ++i) full.bring_back(full.newest());
  const std::size_t room = room_for_new(full.cache);
  REQUIRE(room > 10);
  const BoundedInts moved = std::move(full.cache);
  CHECK(room_for_new(moved) == room);
  CHECK(room_for_new(full.cache) == 10);
}

TEST_CASE("new keys get less room, twice as fast, when one comes back that was kept") {
  Full full;
  for (int key = 990; key != 993; ++key) full.bring_back(key);
  REQUIRE(room_for_new(full.cache) == 13);
  const int first = full.first_kept();
  full.cache.set(first - 1, 0);
  CHECK(room_for_new(full.cache) == 11);
  full.cache.set(first - 2, 0);
  CHECK(room_for_new(full.cache) == 10);
  full.cache.set(first - 3, 0);
  CHECK(room_for_new(full.cache) == 10);
  CHECK(full.cache.size() == 1000);
  check_invariants(full.cache);
}

TEST_CASE("when all were asked for, a new key goes after a number of others was spared") {
  BoundedInts cache({.capacity = 10'000});
  for (int key = 0; key != 10'001; ++key) cache.set(key, 0);  // from 9900 on they are new
  for (int key = 1; key != 10'001; ++key) static_cast<void>(cache.find(key));
  cache.set(10'001, 0);
  CHECK_FALSE(cache.contains(9964));
  CHECK(cache.contains(9963));
  CHECK(cache.contains(9965));
  CHECK(cache.size() == 10'000);
  check_invariants(cache);
}

TEST_CASE("a kept key is spared once for each of up to two visits") {
  BoundedInts cache({.capacity = 100});
  for (int key = 0; key != 100; ++key) cache.set(key, 0);
  for (int visits = 0; visits != 3; ++visits) static_cast<void>(cache.find(0));
  static_cast<void>(cache.find(1));
  // A key that is asked for while it is new moves to those that are kept, of which the first goes:
  // with 98 of them a round is over.
  int key = 100;
  const auto stored_until_gone = [&](int wanted) {
    for (; cache.contains(wanted); ++key) {
      cache.set(key, 0);
      static_cast<void>(cache.find(key));
    }
    return key - 100;
  };
  CHECK(stored_until_gone(2) == 1);
  CHECK(stored_until_gone(1) == 99);
  CHECK(stored_until_gone(0) == 197);
}

}  // namespace
}  // namespace keyspace::testing
