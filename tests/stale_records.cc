#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>

#include "catch.hpp"
#include "invariants.h"
#include "keyspace/keyspace.h"

// Records that no entry needs any more are at most a constant plus twice the volatile entries,
// whatever made them stale.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// Two keys share a hash.
struct TwinHash {
  std::size_t operator()(std::uint64_t key) const noexcept {
    return key < 2 ? 7 : static_cast<std::size_t>(key * 0x9e3779b97f4a7c15u);
  }
};

using NumbersByNumber = Keyspace<std::uint64_t, std::uint64_t, ManualClock>;
using TwinKs = Keyspace<std::uint64_t, std::uint64_t, ManualClock, TwinHash>;

template <class Store>
std::size_t records(const Store& ks) {
  return internal::TestPeer::records(ks);
}

TEST_CASE("entries that expire leave no more stale records than the bound allows") {
  constexpr std::uint64_t kKeys = 20'000;
  const std::size_t limit = GENERATE(std::size_t{7}, static_cast<std::size_t>(-1));
  NumbersByNumber ks;
  ks.set(kKeys, 0, 2h);
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    ks.set(key, key, 1h);
    ks.pexpire(key, 1s);
  }
  ks.clock().advance(1s);
  while (ks.volatile_size() > 1) {
    ks.erase_expired(limit);
    REQUIRE(records(ks) <= 3 * ks.volatile_size() + 2048);
  }
  check_invariants(ks);

  ks.persist(kKeys);
  CHECK(ks.erase_expired(1) == 0);
  CHECK(records(ks) == 0);
}

TEST_CASE("erasing and persisting leave no more stale records than the bound allows") {
  constexpr std::uint64_t kKeys = 20'000;
  NumbersByNumber ks;
  for (std::uint64_t key = 0; key < kKeys; ++key) ks.set(key, key, 1h);
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    if (key % 2 == 0) {
      ks.erase(key);
    } else {
      ks.persist(key);
    }
    REQUIRE(records(ks) <= 3 * ks.volatile_size() + 2048);
  }
  check_invariants(ks);
}

TEST_CASE("renaming leaves no more stale records than the bound allows") {
  NumbersByNumber ks;
  ks.set(0, 0, 1h);
  for (std::uint64_t key = 0; key < 20'000; ++key) {
    REQUIRE(ks.rename(key, key + 1));
    REQUIRE(records(ks) <= 4096);
  }
  check_invariants(ks);
}

TEST_CASE("a deadline that goes to and fro leaves no more stale records than the bound allows") {
  NumbersByNumber ks;
  ks.set(1, 1, 1h);
  for (int i = 0; i < 20'000; ++i) {
    ks.pexpire(1, i % 2 == 0 ? 10s : 20s);
    REQUIRE(records(ks) <= 4096);
  }
  check_invariants(ks);
}

// Is made of an int, but cannot be assigned one.
struct Refuses {
  explicit Refuses(int) {}
  Refuses& operator=(int) { throw std::bad_alloc(); }
};

TEST_CASE("calls that fail leave no more stale records than the bound allows") {
  Keyspace<std::uint64_t, Refuses, ManualClock> ks;
  ks.set(1, Refuses(1), 1h);
  for (int i = 0; i < 20'000; ++i) {
    CHECK_THROWS_AS(ks.set(1, 1, milliseconds(1'000'000 - i)), std::bad_alloc);
    REQUIRE(records(ks) <= 4096);
  }
  check_invariants(ks);
}

TEST_CASE("a scrub leaves each of two entries that share a hash a record of its own") {
  TwinKs ks;
  ks.set(9, 0, 1ms);
  ks.set(1, 0, 1020ms);
  ks.set(0, 0, 1000ms);
  ks.pexpire(0, 1010ms);
  ks.pexpire(1, 5000ms);
  for (std::uint64_t key = 100; key < 20'000; ++key) {
    ks.set(key, key, 10s);
    ks.erase(key);
  }
  check_invariants(ks);

  ks.clock().advance(1015ms);
  CHECK(ks.erase_expired() == 2);
  CHECK(ks.contains(1));
}

TEST_CASE("entries that share a hash are filed again within the limit") {
  struct OneHash {
    std::size_t operator()(std::uint64_t) const noexcept { return 7; }
  };
  Keyspace<std::uint64_t, std::uint64_t, ManualClock, OneHash> ks;
  constexpr std::uint64_t kKeys = 300;
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    ks.set(key, key, 1s);
    ks.pexpire(key, 1h);
  }
  ks.clock().advance(1s);
  // Each entry is filed again in one step, and its record dropped in another; a call does at most
  // its limit and a constant.
  int calls = 0;
  while (*ks.next_deadline() <= ks.clock().now()) {
    CHECK(ks.erase_expired(1) == 0);
    ++calls;
  }
  CHECK(calls > 20);
  check_invariants(ks);
}

}  // namespace
}  // namespace keyspace::testing
