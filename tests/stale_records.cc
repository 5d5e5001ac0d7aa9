#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "invariants.h"
#include "keyspace/keyspace.h"
#include "probe.h"
#include "support.h"

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

// How many records there are beyond three for each volatile entry.
template <class Store>
std::size_t excess(const Store& ks) {
  return records(ks) - std::min(records(ks), 3 * ks.volatile_size());
}

// Makes so many records stale that all others are scrubbed.
void churn(TwinKs& ks) {
  for (std::uint64_t key = 100; key < 20'000; ++key) {
    ks.set(key, key, 10s);
    ks.erase(key);
  }
  check_invariants(ks);
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

// Where the deadlines of some keys lie.
struct Layout {
  const char* name;
  std::uint64_t keys;
  std::function<milliseconds(std::uint64_t)> ttl;  // of a key
  bool is_opened;  // whether the slot of all of them is the open one
};
const Layout kLayouts[] = {
    {"one far slot", 20'000, [](auto) { return 1h; }, false},
    {"the open slot", 12'000, [](auto key) { return 1h + milliseconds(key % 4000); }, true},
    {"apart", 12'000, [](auto key) { return milliseconds(1 + key * 977); }, false},
    {"a slot for each, in all levels", 2'000,
     [](auto key) { return milliseconds((1 + key % 256) << (key / 256 * 7)); }, false},
    {"few", 1'000, [](auto key) { return milliseconds((1 + key % 250) << (key / 250 * 8)); },
     false},
};

// Where what becomes stale lies for the scrub under way: where it has been; where it has yet to
// come; anywhere.
enum class Next { kSeen, kUnseen, kAny };
const std::pair<const char*, std::function<void(NumbersByNumber&, std::uint64_t)>> kWaysToGo[] = {
    {"erased", [](auto& ks, auto key) { ks.erase(key); }},
    {"persistent", [](auto& ks, auto key) { ks.persist(key); }},
    {"sooner, then erased",
     [](auto& ks, auto key) {
       const auto ttl = *ks.pttl(key);
       if (ttl > 100ms && key % 7 != 0) {
         ks.pexpire(key, ttl / 2);
       } else {
         ks.erase(key);
       }
     }},
    {"erased, and all moved",
     [](auto& ks, auto key) {
       ks.erase(key);
       if (key % 16 != 0) return;
       NumbersByNumber moved = std::move(ks);
       ks = std::move(moved);
     }},
};

TEST_CASE("the bound on stale records holds wherever they lie, and in whatever order they come") {
  for (const Layout& layout : kLayouts) {
    for (const auto& [way, go] : kWaysToGo) {
      for (const Next next : {Next::kSeen, Next::kUnseen, Next::kAny}) {
        CAPTURE(layout.name, way, static_cast<int>(next));
        NumbersByNumber ks;
        ks.set(layout.keys, 0, 1ms);
        for (std::uint64_t key = 0; key != layout.keys; ++key) ks.set(key, key, layout.ttl(key));
        if (layout.is_opened) {
          ks.clock().advance(1h - 1ms);
          REQUIRE(ks.erase_expired(1) == 1);
          REQUIRE(internal::TestPeer::records_by_slot(ks).empty());
        }
        std::size_t most = 0;
        std::vector<std::uint64_t> keys;
        while (ks.volatile_size() != 0) {
          std::vector<bool> is_seen(layout.keys + 1);
          for (const std::uint64_t key : internal::TestPeer::scrubbed_keys(ks)) is_seen[key] = true;
          keys.clear();
          std::vector<std::uint64_t> others;
          ks.for_each([&](std::uint64_t key, std::uint64_t, Instant deadline) {
            if (deadline == kNoDeadline) return;
            const bool is_next = next == Next::kAny || is_seen[key] == (next == Next::kSeen);
            (is_next ? keys : others).push_back(key);
          });
          if (keys.empty()) keys = others;
          // Soon the scrub will have seen more.
          if (next != Next::kAny && keys.size() > 500) keys.resize(500);
          for (const std::uint64_t key : keys) {
            go(ks, key);
            most = std::max(most, excess(ks));
          }
        }
        CHECK(most <= 2048);
        check_invariants(ks);
      }
    }
  }
}

TEST_CASE("a round of scrubbing sees what moves down the levels while it lasts") {
  constexpr std::uint64_t kKeys = 20'000;
  NumbersByNumber ks;
  std::int64_t far = 0;
  for (int level = 1; level != 6; ++level) far += std::int64_t{1} << 8 * level;
  ks.set(kKeys, 0, 1ms);
  for (std::uint64_t key = 0; key != kKeys; ++key) {
    ks.set(key, key, milliseconds(far + 1 + static_cast<std::int64_t>(key % 250)));
  }
  std::uint64_t next = 0;
  std::size_t most = 0;
  const auto erase_one = [&] {
    if (next != kKeys) ks.erase(next++);
    most = std::max(most, excess(ks));
  };
  // The next but one begins to scrub.
  while (records(ks) <= (ks.volatile_size() - 2) * 5 / 2 + 1024) erase_one();
  std::int64_t start = 0;
  for (int level = 5; level != 0; --level) {
    for (int i = 0; i != 2000 && internal::TestPeer::is_scrubbing(ks); ++i) erase_one();
    // Opens the slot of all of them, and moves some; then the round begins, and then the others
    // move.
    start += std::int64_t{1} << 8 * level;
    ks.clock().set(at(start));
    ks.erase_expired(1);
    erase_one();
    ks.erase_expired();
    erase_one();
    erase_one();
  }
  while (next != kKeys) erase_one();
  CHECK(most <= 2048);
  check_invariants(ks);
}

TEST_CASE("entries that share a hash leave no more stale records than the bound allows") {
  struct OneHash {
    std::size_t operator()(std::uint64_t) const noexcept { return 7; }
  };
  constexpr std::uint64_t kKeys = 1500;
  // So far apart that the tags of records are the same.
  constexpr milliseconds kApart{std::int64_t{256} << 17};
  Keyspace<std::uint64_t, std::uint64_t, ManualClock, OneHash> ks;
  const auto put_off_until = [&](std::int64_t time) {
    for (std::uint64_t key = 0; key != kKeys; ++key) {
      const Instant deadline = at(time) + (key == 0 ? 0ms : kApart);
      if (!ks.pexpireat(key, deadline)) ks.set(key, key, deadline);
    }
  };
  put_off_until(1024);
  for (int cycle = 1; cycle != 5; ++cycle) {
    put_off_until(1024 * (cycle + 1));
    ks.clock().set(at(1024 * cycle));
    ks.erase_expired();
    CHECK(records(ks) <= 3 * ks.volatile_size() + 2048);
  }
  check_invariants(ks);
}

TEST_CASE("a call scrubs a few dozen records and no more, however many are stale") {
  constexpr std::uint64_t kKeys = 20'000;
  NumbersByNumber ks;
  for (std::uint64_t key = 0; key != kKeys; ++key) ks.set(key, key, 10h);
  std::uint64_t read = 0;
  std::uint64_t most = 0;
  for (int hours = 5; hours != 0; --hours) {
    for (std::uint64_t key = 0; key != kKeys; ++key) {
      const Probed probed([&] { ks.pexpire(key, std::chrono::hours(hours)); });
      read += probed[Probe::kRecordsRead];
      most = std::max(most, probed[Probe::kRecordsRead]);
      REQUIRE(probed[Probe::kKeysLookedUp] <= 150);
    }
  }
  CHECK(most >= 31);
  CHECK(most <= 150);
  // It does what is needed: to drop one of five, three are read.
  CHECK(read <= 4 * 5 * kKeys);
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
  churn(ks);
  ks.clock().advance(1015ms);
  CHECK(ks.erase_expired() == 2);
  CHECK(ks.contains(1));
}

TEST_CASE("a scrub gives a record at an entry's deadline to no other entry") {
  // Both in one period of 256 ms, so that all of their records have one tag.
  const std::uint64_t exact = GENERATE(as<std::uint64_t>{}, 0, 1);
  TwinKs ks;
  const bool is_exact_first = GENERATE(true, false);
  ks.set(9, 0, 1ms);
  if (is_exact_first) ks.set(exact, 0, 1020ms);
  ks.set(1 - exact, 0, 1000ms);
  ks.pexpire(1 - exact, 5000ms);
  if (!is_exact_first) ks.set(exact, 0, 1020ms);
  churn(ks);
  ks.clock().advance(1020ms);
  CHECK(ks.erase_expired() == 2);
  CHECK(ks.size() == 1);
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
