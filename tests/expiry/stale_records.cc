#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "keyspace/cache.h"
#include "keyspace/internal/record_chunks.h"
#include "keyspace/internal/timer_record.h"
#include "keyspace/keyspace.h"
#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/probe.h"
#include "support/support.h"

// There are at most 2048 stale records plus two for each volatile entry, whatever made them stale.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// Gives the keys 0 and 1 the same hash.
struct TwinHash {
  std::size_t operator()(std::uint64_t key) const noexcept {
    return key < 2 ? 7 : static_cast<std::size_t>(key * 0x9e3779b97f4a7c15u);
  }
};

// Records whose times are this far apart have the same tag.
constexpr milliseconds kSameTag{std::int64_t{256} << 17};

using NumbersByNumber = Keyspace<std::uint64_t, std::uint64_t, ManualClock>;
using TwinKs = Keyspace<std::uint64_t, std::uint64_t, ManualClock, WithHash<TwinHash>>;

template <class Store>
std::size_t records(const Store& ks) {
  return internal::TestPeer::records(ks);
}

constexpr std::size_t most_records(std::size_t needed) {
  return internal::TestPeer::most_records(needed);
}

// Returns the number of records in excess of three for each volatile entry.
template <class Store>
std::size_t excess(const Store& ks) {
  return records(ks) - std::min(records(ks), 3 * ks.volatile_size());
}

// Makes so many records stale that the collector checks all other records.
void make_many_stale(TwinKs& ks) {
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
    REQUIRE(records(ks) <= most_records(ks.volatile_size()));
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
    REQUIRE(records(ks) <= most_records(ks.volatile_size()));
  }
  check_invariants(ks);
}

// The deadlines of some keys.
struct Layout {
  const char* name;
  std::uint64_t keys;
  std::function<milliseconds(std::uint64_t)> ttl;  // of a key
  bool is_opened;                                  // whether the slot of all keys is the open one
};
const Layout kLayouts[] = {
    {"one far slot", 20'000, [](auto) { return 1h; }, false},
    {"the open slot", 12'000, [](auto key) { return 1h + milliseconds(key % 4000); }, true},
    {"apart", 12'000, [](auto key) { return milliseconds(1 + key * 977); }, false},
    {"spread over all levels", 2'000,
     [](auto key) { return milliseconds((1 + key % 256) << (key / 256 * 7)); }, false},
    {"a slot for each key", 1'000,
     [](auto key) { return milliseconds((1 + key % 250) << (key / 250 * 8)); }, false},
};

// Which records become stale next: those that the current round has checked, those that it has
// not, or any.
enum class Next { kSeen, kUnseen, kAny };
const std::pair<const char*, std::function<void(NumbersByNumber&, std::uint64_t)>>
    kWaysToMakeStale[] = {
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

TEST_CASE("the bound on stale records holds for any slots and any order") {
  for (const Layout& layout : kLayouts) {
    for (const auto& [way, make_stale] : kWaysToMakeStale) {
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
          for (const std::uint64_t key : internal::TestPeer::checked_keys(ks)) is_seen[key] = true;
          keys.clear();
          std::vector<std::uint64_t> others;
          ks.for_each([&](std::uint64_t key, std::uint64_t, Instant deadline) {
            if (deadline == kNoDeadline) return;
            const bool is_next = next == Next::kAny || is_seen[key] == (next == Next::kSeen);
            (is_next ? keys : others).push_back(key);
          });
          if (keys.empty()) keys = others;
          // Chooses again after 500 keys, because the round has checked more records by then.
          if (next != Next::kAny && keys.size() > 500) keys.resize(500);
          for (const std::uint64_t key : keys) {
            make_stale(ks, key);
            most = std::max(most, excess(ks));
          }
        }
        // The excess stays far below the bound of 2048, unless rounds miss records.
        CHECK(most <= 1100);
        check_invariants(ks);
      }
    }
  }
}

TEST_CASE("a round of the collector checks every record, also those that move down meanwhile") {
  constexpr std::uint64_t kKeys = 20'000;
  const int level = GENERATE(1, 2, 3, 4, 5);
  NumbersByNumber ks;
  const std::int64_t start = std::int64_t{1} << 8 * level;
  ks.set(kKeys, 0, 1ms);
  for (std::uint64_t key = 0; key != kKeys; ++key) {
    // All records are first in one slot of the level, which is more than one slot ahead of the
    // cursor, and then in many slots of the level below.
    ks.set(key, key,
           milliseconds(start + ((1 + static_cast<std::int64_t>(key % 250)) << 8 * (level - 1))));
  }
  std::uint64_t next = 0;
  const auto erase_one = [&] { ks.erase(next++); };
  // The next removal but one starts a round.
  while (records(ks) <= (ks.volatile_size() - 2) * 5 / 2 + 1024) erase_one();
  ks.clock().advance(1ms);
  CHECK(ks.erase_expired() == 1);
  REQUIRE_FALSE(internal::TestPeer::is_collecting(ks));
  // This call opens the slot that holds all records, and moves some of them. The next removal
  // starts a round, which checks the moved records. Then the other records move.
  ks.clock().set(at(start));
  ks.erase_expired(1);
  REQUIRE(internal::TestPeer::records_by_slot(ks).size() > 10);
  erase_one();
  REQUIRE(internal::TestPeer::is_collecting(ks));
  ks.erase_expired();
  while (internal::TestPeer::is_collecting(ks)) erase_one();
  CHECK(next < kKeys);
  CHECK(internal::TestPeer::checked_keys(ks).size() == ks.volatile_size());
  check_invariants(ks);
}

TEST_CASE("clear() ends a round of the collector") {
  NumbersByNumber ks;
  for (std::uint64_t key = 0; key != 5000; ++key) ks.set(key, key, 1h);
  for (std::uint64_t key = 0; !internal::TestPeer::is_collecting(ks); ++key) ks.erase(key);
  ks.clear();
  CHECK_FALSE(internal::TestPeer::is_collecting(ks));
}

TEST_CASE("entries that share a hash leave no more stale records than the bound allows") {
  constexpr std::uint64_t kKeys = 1500;
  Keyspace<std::uint64_t, std::uint64_t, ManualClock, WithHash<OneHash>> ks;
  const auto postpone_until = [&](std::int64_t time) {
    for (std::uint64_t key = 0; key != kKeys; ++key) {
      const Instant deadline = at(time) + (key == 0 ? 0ms : kSameTag);
      if (!ks.pexpireat(key, deadline)) ks.set(key, key, deadline);
    }
  };
  postpone_until(1024);
  for (int cycle = 1; cycle != 5; ++cycle) {
    postpone_until(1024 * (cycle + 1));
    ks.clock().set(at(1024 * cycle));
    ks.erase_expired();
    CHECK(records(ks) <= most_records(ks.volatile_size()));
  }
  check_invariants(ks);
}

// A quarter of the keys share each hash.
struct FourHashes {
  std::size_t operator()(std::uint64_t key) const noexcept { return key % 4; }
};

TEMPLATE_TEST_CASE("evicting entries that share a hash leaves no more stale records than the bound",
                   "", EarliestDeadline, Lru) {
  constexpr std::uint64_t kKeys = 4000;
  Cache<std::uint64_t, std::uint64_t, TestType, ManualClock, WithHash<FourHashes>> cache(
      {.capacity = kKeys});
  for (std::uint64_t key = 0; key != kKeys; ++key) cache.set(key, 0, 1h);
  for (std::uint64_t i = 0; i != 20; ++i) {
    const Millis ttl = 1h + kSameTag * static_cast<int>(i + 1);
    // The record of each entry is filed early.
    for (std::uint64_t key = i; key != kKeys + i; ++key) cache.getex(key, ttl);
    cache.set(kKeys + i, 0, ttl);
    REQUIRE(internal::TestPeer::policy_records(cache) <= most_records(kKeys));
    REQUIRE(records(cache) <= most_records(kKeys));
  }
  check_invariants(cache);
}

TEST_CASE("entries that share a hash expire and leave no more stale records than the bound") {
  constexpr std::uint64_t kKeys = 1500;
  const std::uint64_t one_of = GENERATE(as<std::uint64_t>{}, 2, 5, 50);
  Keyspace<std::uint64_t, std::uint64_t, ManualClock, WithHash<FourHashes>> ks;
  for (std::int64_t cycle = 1; cycle != 6; ++cycle) {
    for (std::uint64_t key = 0; key != kKeys; ++key) {
      ks.set(key, key, at(1024 * cycle));
      if (key % one_of != 0) ks.pexpireat(key, at(1024 * cycle) + kSameTag);
    }
    ks.clock().set(at(1024 * cycle));
    CHECK(ks.erase_expired() == kKeys / one_of);
    CHECK(records(ks) <= most_records(ks.volatile_size()));
  }
  check_invariants(ks);
}

TEST_CASE("a step of the collector reads a chunk of records, and no other if that is full") {
  // Chunks of 3, 7 and 15, and then full ones: the last one is the first to be read.
  constexpr std::uint64_t kKeys = 3 + 7 + 15 + 200 * 31;
  NumbersByNumber ks;
  ks.set(kKeys, 0, 1ms);  // so that the others share a slot
  for (std::uint64_t key = 0; key != kKeys; ++key) ks.set(key, key, 10h);
  std::uint64_t read = 0;
  for (std::uint64_t key = 0; read == 0; ++key) {
    read = Probed([&] { ks.erase(key); })[Probe::kRecordsRead];
  }
  CHECK(read == 31);
}

TEST_CASE("a chunk whose records just fit into another one is merged into it") {
  const internal::TimerRecord record(7, false, 1);
  internal::ChunkPool<std::allocator<int>> pool{std::allocator<int>()};
  internal::RecordList list;
  for (int i = 0; i != 3 + 4; ++i) list.push(record, pool);
  REQUIRE(list.front().capacity == 7);
  REQUIRE(list.front().size == 4);
  list.rotate(pool);
  REQUIRE(list.front().size == 3);
  list.rotate(pool);
  CHECK(list.has_one_chunk());
  CHECK(list.front().size == 7);
  list.clear(pool);

  for (int i = 0; i != 3 + 5; ++i) list.push(record, pool);
  list.rotate(pool);
  list.rotate(pool);
  CHECK_FALSE(list.has_one_chunk());
  list.clear(pool);
}

TEST_CASE("a call reads a few dozen records to drop stale ones, however many there are") {
  constexpr std::uint64_t kKeys = 20'000;
  constexpr std::uint64_t kMost = 2 * (30 + 31);  // two steps, each of a chunk and a part of one
  NumbersByNumber ks;
  for (std::uint64_t key = 0; key != kKeys; ++key) ks.set(key, key, 10h);
  std::uint64_t read = 0;
  std::uint64_t most = 0;
  for (int hours = 5; hours != 0; --hours) {
    for (std::uint64_t key = 0; key != kKeys; ++key) {
      const Probed probed([&] { ks.pexpire(key, std::chrono::hours(hours)); });
      read += probed[Probe::kRecordsRead];
      most = std::max(most, probed[Probe::kRecordsRead]);
      REQUIRE(probed[Probe::kKeysLookedUp] <= kMost);
    }
  }
  CHECK(most >= 31);
  CHECK(most <= kMost);
  // A call reads at most four records on average.
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

TEST_CASE(
    "a deadline that is changed back and forth leaves no more stale records than the bound "
    "allows") {
  NumbersByNumber ks;
  ks.set(1, 1, 1h);
  for (int i = 0; i < 20'000; ++i) {
    ks.pexpire(1, i % 2 == 0 ? 10s : 20s);
    REQUIRE(records(ks) <= 4096);
  }
  check_invariants(ks);
}

// Can be constructed from an int. To assign an int throws.
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

TEST_CASE(
    "after a round of the collector each of two entries that share a hash has its own record") {
  TwinKs ks;
  ks.set(9, 0, 1ms);
  ks.set(1, 0, 1020ms);
  ks.set(0, 0, 1000ms);
  ks.pexpire(0, 1010ms);
  ks.pexpire(1, 5000ms);
  make_many_stale(ks);
  ks.clock().advance(1015ms);
  CHECK(ks.erase_expired() == 2);
  CHECK(ks.contains(1));
}

TEST_CASE("a round of the collector gives a record at an entry's deadline to no other entry") {
  // The records at 1000 ms and 1020 ms lie in one period of 256 ms, so they have the same tag.
  const std::uint64_t exact = GENERATE(as<std::uint64_t>{}, 0, 1);
  TwinKs ks;
  const bool is_exact_first = GENERATE(true, false);
  ks.set(9, 0, 1ms);
  if (is_exact_first) ks.set(exact, 0, 1020ms);
  ks.set(1 - exact, 0, 1000ms);
  ks.pexpire(1 - exact, 5000ms);
  if (!is_exact_first) ks.set(exact, 0, 1020ms);
  make_many_stale(ks);
  ks.clock().advance(1020ms);
  CHECK(ks.erase_expired() == 2);
  CHECK(ks.size() == 1);
}

TEST_CASE("entries that share a hash are filed again within the limit") {
  Keyspace<std::uint64_t, std::uint64_t, ManualClock, WithHash<OneHash>> ks;
  constexpr std::uint64_t kKeys = 300;
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    ks.set(key, key, 1s);
    ks.pexpire(key, 1h);
  }
  ks.clock().advance(1s);
  // One step files an entry again, and another step drops its old record. A call makes at most as
  // many steps as its limit, and a constant number more.
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
