#include <keyspace/cache.h>

#include <cstddef>
#include <utility>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/support.h"

// The decisions of ScanResistant at their boundaries, as internal/scan_resistant.h describes them.

namespace keyspace::testing {
namespace {

using BoundedInts = Cache<int, int, ManualClock>;

std::size_t share_of_new(const BoundedInts& cache) {
  return internal::TestPeer::share_of_new(cache);
}

// A full cache for 1000 entries. The keys 1 to 989 are in the main queue; the last insertion
// evicted 0. The eleven keys from 990 are in the queue of new keys, one more than its share. The
// time of the last request of a key is the key plus one.
class Full {
 public:
  Full() { scan(1001); }

  // Stores `count` keys that were never stored. Each insertion evicts the first new key.
  void scan(int count) {
    for (int i = 0; i != count; ++i) cache.set(next_++, 0);
  }
  // Inserts other keys until `key` is evicted, and stores it again.
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
    "an evicted key returns to the main queue if it was absent for less than two thirds of the "
    "idle "
    "time") {
  const bool is_soon = GENERATE(true, false);
  Full full;
  REQUIRE(full.first_kept() == 1);          // idle since 2
  full.scan(1);                             // the time is 1002
  REQUIRE_FALSE(full.cache.contains(990));  // absent since 991
  // Lets time pass without evictions.
  full.cache.erase(1000);
  for (int time = 1002; time != (is_soon ? 2967 : 2968); ++time) {
    full.cache.set(-1, 0);
    full.cache.erase(-1);
  }
  full.cache.set(990, 0);  // at 2968: absent for 1977, idle for 2966. At 2969: each one more
  full.scan(50);
  CHECK(full.cache.contains(990) == is_soon);
}

TEST_CASE("the share of new keys grows when one of them returns soon after its eviction") {
  const bool is_soon = GENERATE(true, false);
  Full full;
  REQUIRE(share_of_new(full.cache) == 10);
  full.scan(1);
  REQUIRE_FALSE(full.cache.contains(990));
  full.scan(is_soon ? 9 : 10);
  full.cache.set(990, 0);
  CHECK(share_of_new(full.cache) == (is_soon ? 11 : 10));

  // The first return has removed the ghost, so a second return does not count.
  full.cache.erase(990);
  full.cache.set(990, 0);
  CHECK(share_of_new(full.cache) == (is_soon ? 11 : 10));
}

TEST_CASE(
    "the time in which a new key must return grows with the share of new keys, if that is not the "
    "least one") {
  const bool is_soon = GENERATE(true, false);
  Full full;
  int key = 990;
  while (share_of_new(full.cache) != 24) full.bring_back(key++);
  while (full.cache.contains(key)) full.scan(1);
  full.scan(is_soon ? 11 : 12);
  full.cache.set(key, 0);
  CHECK(share_of_new(full.cache) == (is_soon ? 25 : 24));
}

TEST_CASE("the share of new keys is between a hundredth and nineteen twentieths of the capacity") {
  Full full;
  for (int i = 0; i != 1000; ++i) full.bring_back(full.newest());
  CHECK(share_of_new(full.cache) == 950);
  check_invariants(full.cache);
}

TEST_CASE("the share of new keys moves with the cache") {
  Full full;
  for (int i = 0; i != 50; ++i) full.bring_back(full.newest());
  const std::size_t share = share_of_new(full.cache);
  REQUIRE(share > 10);
  const BoundedInts moved = std::move(full.cache);
  CHECK(share_of_new(moved) == share);
  CHECK(share_of_new(full.cache) == 10);
}

TEST_CASE(
    "the share of new keys shrinks twice as fast when an evicted key of the main queue returns") {
  Full full;
  for (int key = 990; key != 993; ++key) full.bring_back(key);
  REQUIRE(share_of_new(full.cache) == 13);
  const int first = full.first_kept();
  full.cache.set(first - 1, 0);
  CHECK(share_of_new(full.cache) == 11);
  full.cache.set(first - 2, 0);
  CHECK(share_of_new(full.cache) == 10);
  full.cache.set(first - 3, 0);
  CHECK(share_of_new(full.cache) == 10);
  CHECK(full.cache.size() == 1000);
  check_invariants(full.cache);
}

TEST_CASE("if all keys were requested, a new key is evicted after 64 others got a second chance") {
  BoundedInts cache({.capacity = 10'000});
  for (int key = 0; key != 10'001; ++key) cache.set(key, 0);  // those from 9900 are new
  for (int key = 1; key != 10'001; ++key) static_cast<void>(cache.find(key));
  cache.set(10'001, 0);
  CHECK_FALSE(cache.contains(9964));
  CHECK(cache.contains(9963));
  CHECK(cache.contains(9965));
  CHECK(cache.size() == 10'000);
  check_invariants(cache);
}

TEST_CASE("a key of the main queue gets a second chance for each of up to two requests") {
  BoundedInts cache({.capacity = 100});
  for (int key = 0; key != 100; ++key) cache.set(key, 0);
  for (int requests = 0; requests != 3; ++requests) static_cast<void>(cache.find(0));
  static_cast<void>(cache.find(1));
  // A new key that is requested moves to the main queue, and the first key of that is evicted. The
  // main queue holds 98 keys, so 98 insertions examine each of them once.
  int key = 100;
  const auto insertions_until_evicted = [&](int wanted) {
    for (; cache.contains(wanted); ++key) {
      cache.set(key, 0);
      static_cast<void>(cache.find(key));
    }
    return key - 100;
  };
  CHECK(insertions_until_evicted(2) == 1);
  CHECK(insertions_until_evicted(1) == 99);
  CHECK(insertions_until_evicted(0) == 197);
}

}  // namespace
}  // namespace keyspace::testing
