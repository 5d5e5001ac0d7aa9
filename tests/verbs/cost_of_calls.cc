#include <keyspace/cache.h>
#include <keyspace/keyspace.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/support.h"

// The work of a call and the memory of a keyspace. The tests count the calls of the user's hash,
// equality and allocator. They measure no time.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kOne = 1;
constexpr std::uint64_t kTwo = 2;

using PairAllocator = LedgerAllocator<std::pair<const std::uint64_t, std::uint64_t>>;
template <bool kNoexceptHash, class... More>
using Counted = Keyspace<std::uint64_t, std::uint64_t, ManualClock,
                         WithHash<CountingHash<kNoexceptHash>, CountingEq>,
                         WithAllocator<PairAllocator>, More...>;

template <bool kNoexceptHash>
Counted<kNoexceptHash> counted(Ledger& ledger) {
  return Counted<kNoexceptHash>({.allocator = PairAllocator(ledger)});
}

// --- Work per call ---

struct Cost {
  std::size_t hashes = 0;
  std::size_t equals = 0;
  std::size_t allocations = 0;
};

template <class Call>
Cost cost_of(const Ledger& ledger, const Call& call) {
  take_work();
  const std::size_t allocations = ledger.allocations + ledger.deallocations;
  call();
  const Work work = take_work();
  return {work.hashes, work.equals, ledger.allocations + ledger.deallocations - allocations};
}

template <bool kNoexceptHash>
struct CountedCall {
  const char* name;
  std::function<void(Counted<kNoexceptHash>&, std::uint64_t)> call;
};

template <bool kNoexceptHash>
void check_work_per_call() {
  using Ks = Counted<kNoexceptHash>;
  constexpr std::uint64_t kKeys = 100'000;
  const std::vector<CountedCall<kNoexceptHash>> verbs = {
      {"find", [](Ks& ks, std::uint64_t k) { static_cast<void>(ks.find(k)); }},
      {"find missing", [](Ks& ks, std::uint64_t k) { static_cast<void>(ks.find(~k)); }},
      {"pttl", [](Ks& ks, std::uint64_t k) { static_cast<void>(ks.pttl(k)); }},
      {"set", [](Ks& ks, std::uint64_t k) { ks.set(k, k); }},
      {"set ttl", [](Ks& ks, std::uint64_t k) { ks.set(k, k, Millis{k % 5000 + 1}); }},
      {"set keep", [](Ks& ks, std::uint64_t k) { ks.set(k, k, kKeep); }},
      {"pexpire later", [](Ks& ks, std::uint64_t k) { ks.pexpire(k, Millis{900'000 + k}); }},
      {"pexpire sooner", [](Ks& ks, std::uint64_t k) { ks.pexpire(k, Millis{1000 + k}); }},
      {"getex", [](Ks& ks, std::uint64_t k) { ks.getex(k, Millis{500'000}); }},
      {"persist", [](Ks& ks, std::uint64_t k) { ks.persist(k); }},
      {"pexpire persistent", [](Ks& ks, std::uint64_t k) { ks.pexpire(k, Millis{2000 + k}); }},
      {"rename", [](Ks& ks, std::uint64_t k) { ks.rename(k, k + kKeys); }},
      {"copy", [](Ks& ks, std::uint64_t k) { ks.copy(k + kKeys, k); }},
      {"erase", [](Ks& ks, std::uint64_t k) { ks.erase(k); }},
      {"erase missing", [](Ks& ks, std::uint64_t k) { ks.erase(k); }},
      {"getdel", [](Ks& ks, std::uint64_t k) { ks.getdel(k + kKeys); }},
      {"insert ttl", [](Ks& ks, std::uint64_t k) { ks.insert(k, k, Millis{k % 700 + 1}); }},
      {"size", [](Ks& ks, std::uint64_t) { static_cast<void>(ks.size()); }},
      {"next_deadline", [](Ks& ks, std::uint64_t) { static_cast<void>(ks.next_deadline()); }},
      {"erase_expired(0)", [](Ks& ks, std::uint64_t) { ks.erase_expired(0); }},
      {"erase_expired(1)", [](Ks& ks, std::uint64_t) { ks.erase_expired(1); }},
  };
  const bool due = GENERATE(false, true);

  Ledger ledger;
  Ks ks = counted<kNoexceptHash>(ledger);
  ks.reserve(4 * kKeys);
  for (std::uint64_t k = 0; k < kKeys; ++k) ks.set(k, k, Millis{1 + k * 7});
  // In one of the two runs half of the keys are expired, so that each call meets many expired
  // entries.
  if (due) ks.clock().set(at(350'000));
  for (const CountedCall<kNoexceptHash>& verb : verbs) {
    Cost most;
    for (std::uint64_t k = due ? 48'000 : 0; k < (due ? 52'000 : 4000); ++k) {
      const Cost cost = cost_of(ledger, [&] { verb.call(ks, k); });
      most.hashes = std::max(most.hashes, cost.hashes);
      most.equals = std::max(most.equals, cost.equals);
      most.allocations = std::max(most.allocations, cost.allocations);
    }
    CAPTURE(verb.name, due);
    // A hash that may throw is called only for the keys of the call. A noexcept hash is also called
    // for the entries that the call erases and the records that it checks. Their number is bounded
    // by a constant.
    CHECK(most.hashes <= (kNoexceptHash ? 256 : 2));
    CHECK(most.equals <= 24);
    CHECK(most.allocations <= 64);
  }
}

TEST_CASE("the work of a call does not depend on the number of keys") {
  check_work_per_call<true>();
}
TEST_CASE("the work of a call does not depend on the number of keys under a hash that may throw") {
  check_work_per_call<false>();
}

TEMPLATE_TEST_CASE("the work of an eviction does not depend on the number of entries", "",
                   EarliestDeadline, Lru, ScanResistant) {
  constexpr std::uint64_t kKeys = 100'000;
  const bool are_erased = GENERATE(false, true);
  CAPTURE(are_erased);
  Ledger ledger;
  Counted<true, TestType> cache({.capacity = kKeys, .allocator = PairAllocator(ledger)});
  for (std::uint64_t k = 0; k < kKeys; ++k) cache.set(k, k, Millis{1'000'000 + k});
  for (std::uint64_t k = 0; k < kKeys; ++k) {
    if (are_erased && k % 3 != 0) {
      cache.erase(k);  // leaves a stale record
    } else {
      cache.getex(k, Millis{2'000'000 + k});  // leaves a record that is filed early
    }
  }
  std::uint64_t next = kKeys;
  while (cache.size() != kKeys) cache.set(next++, 0, Millis{3'000'000});
  Cost most, sum;
  for (int i = 0; i != 10'000; ++i) {
    const Cost cost = cost_of(ledger, [&] { cache.set(next++, 0, Millis{3'000'000}); });
    most.hashes = std::max(most.hashes, cost.hashes);
    most.equals = std::max(most.equals, cost.equals);
    most.allocations = std::max(most.allocations, cost.allocations);
    sum.hashes += cost.hashes;
  }
  CHECK(cache.size() == kKeys);
  // A few evictions may collect all stale records.
  const bool may_collect_all = are_erased && std::is_same_v<TestType, EarliestDeadline>;
  // Without SSE2, abseil's maps have groups of 8 slots instead of 16, and smaller groups keep more
  // marks of erased entries. To clear these marks, the map once hashes all its keys in this loop.
#ifdef __SSE2__
  constexpr bool kMayRehash = false;
#else
  constexpr bool kMayRehash = true;
#endif
  // EarliestDeadline gives at most 16 entries that were postponed a new record.
  constexpr std::size_t kMost = std::is_same_v<TestType, EarliestDeadline> ? 256 : 20'000;
  CHECK(most.hashes <= (may_collect_all || kMayRehash ? 2 * kKeys : kMost));
  CHECK(most.equals <= 24);
  CHECK(most.allocations <= 2500);
  CHECK(sum.hashes <= 100 * 10'000);
}

// 100,000 deadlines, and a time at which many records are due.
struct LayoutOfDeadlines {
  const char* name;
  std::function<Instant(std::uint64_t)> deadline;
  std::function<Instant(std::uint64_t)> postponed_to;  // empty if not postponed
  Instant now;
  bool all_expire;
};

TEST_CASE("the work of erase_expired depends on its limit, not on what is due") {
  const auto spread = [](std::int64_t from, std::int64_t apart) {
    return [=](std::uint64_t k) { return at(from + static_cast<std::int64_t>(k) * apart); };
  };
  const std::vector<LayoutOfDeadlines> layouts = {
      {"all at one time", spread(10'000'000, 0), {}, at(10'000'000), true},
      {"over hours", spread(2, 100), {}, at(10'000'000), true},
      {"postponed", spread(10'000'000, 0), spread(20'000'000, 100), at(15'000'000), false},
      // These are not due yet, but so near that the timer wheel moves them to a lower level.
      {"in the next minute", spread(10'000'000, 0), {}, at(9'990'000), false},
      {"over the next months", spread(8'589'934'592, 10), {}, at(8'589'934'591), false},
  };
  constexpr std::uint64_t kKeys = 100'000;
  const std::size_t limit = GENERATE(as<std::size_t>{}, 1, 10, 64, 1000);
  for (const LayoutOfDeadlines& layout : layouts) {
    Ledger ledger;
    auto ks = counted<true>(ledger);
    ks.reserve(kKeys + 1);
    ks.set(kKeys, kKeys, at(1));  // the cursor starts far from the other records
    for (std::uint64_t k = 0; k < kKeys; ++k) {
      ks.set(k, k, layout.deadline(k));
      if (layout.postponed_to) ks.pexpireat(k, layout.postponed_to(k));
    }
    const auto bounded = [&] {
      std::size_t n = 0;
      const Cost cost = cost_of(ledger, [&] { n = ks.erase_expired(limit); });
      CAPTURE(layout.name, limit);
      REQUIRE(n <= limit);
      REQUIRE(cost.hashes <= 8 * (limit + 64));
      REQUIRE(cost.equals <= 8 * (limit + 64));
      // Moves of records are visible as allocations. Each move may cause few of them.
      REQUIRE(cost.allocations <= 2 * limit + 64);
      return n;
    };
    ks.clock().set(layout.now);
    std::size_t erased = 0;
    std::size_t calls = 0;
    while (ks.next_deadline() && *ks.next_deadline() <= ks.clock().now()) {
      REQUIRE(++calls <= 20 * kKeys);
      erased += bounded();
    }
    CHECK(erased == (layout.all_expire ? kKeys + 1 : 1));
    CHECK(ks.size() == kKeys + 1 - erased);
    ks.clock().advance(1ms);
    bounded();
  }
}

TEST_CASE("look-ups, later deadlines and calls for missing keys allocate nothing") {
  Ledger ledger;
  auto ks = counted<true>(ledger);
  for (std::uint64_t k = 0; k < 1000; ++k) ks.set(k, k, Millis{1000 + k});
  const Cost cost = cost_of(ledger, [&] {
    for (std::uint64_t k = 0; k < 1000; ++k) {
      static_cast<void>(ks.find(k));
      static_cast<void>(ks.pttl(k));
      static_cast<void>(ks.contains(k + 5000));
      ks.pexpire(k, Millis{50'000});  // later, so it changes only the entry
      ks.getex(k, Millis{60'000});
      ks.persist(k + 5000);
      ks.erase(k + 5000);
    }
  });
  CHECK(cost.allocations == 0);
}

// --- Memory ---

// The most bytes that the timer wheel of a nearly empty keyspace may take. There may be a constant
// number of stale records. In the worst case, each is in another slot.
constexpr std::size_t kSmallWheel = 512 * 1024;

struct Loop {
  const char* name;
  std::function<void(Counted<true>&, std::uint64_t)> turn;
};

TEST_CASE("stale records of overwritten deadlines do not accumulate") {
  using Ks = Counted<true>;
  const auto span = [](std::uint64_t i) { return Millis{i * 7919 % 100'000 + 1}; };
  const std::vector<Loop> loops = {
      {"sooner and later", [](Ks& ks, std::uint64_t i) { ks.pexpire(1, i % 2 ? 50s : 10s); }},
      {"sooner by a tick, then far later",
       [](Ks& ks, std::uint64_t i) {
         ks.pexpire(1, i % 2 ? Millis{90'000'000 - i % 80'000'000} : Millis{100'000'000});
       }},
      {"anywhere", [span](Ks& ks, std::uint64_t i) { ks.pexpire(1, span(i)); }},
      {"anywhere at any distance",
       [](Ks& ks, std::uint64_t i) { ks.pexpire(1, Millis{(std::uint64_t{1} << i % 62) + i}); }},
      {"far deadlines",
       [](Ks& ks, std::uint64_t i) {
         ks.pexpireat(1, Instant{Millis{(std::uint64_t{1} << 62) - i * i % 1000}});
       }},
      {"overwriting", [span](Ks& ks, std::uint64_t i) { ks.set(1, i, span(i)); }},
      {"overwriting without a ttl in between",
       [](Ks& ks, std::uint64_t i) {
         ks.set(1, i, 10s);
         ks.set(1, i);
       }},
      {"persisting",
       [](Ks& ks, std::uint64_t) {
         ks.pexpire(1, 10s);
         ks.persist(1);
       }},
      {"getex", [](Ks& ks, std::uint64_t i) { ks.getex(1, i % 3 ? 10s : 1s); }},
      {"erasing",
       [](Ks& ks, std::uint64_t i) {
         ks.set(i, i, 10s);
         ks.erase(i);
       }},
      {"getdel",
       [](Ks& ks, std::uint64_t i) {
         ks.set(i, i, 10s);
         ks.getdel(i);
       }},
      {"erasing by a pexpire that is over",
       [](Ks& ks, std::uint64_t i) {
         ks.set(i, i, 10s);
         ks.pexpire(i, 0ms);
       }},
      {"erasing by a set that is over",
       [](Ks& ks, std::uint64_t i) {
         ks.set(i, i, 10s);
         ks.set(i, i, 0ms);
       }},
      {"renaming",
       [](Ks& ks, std::uint64_t i) {
         ks.set(i, i, 10s);
         ks.rename(i, 1);
       }},
      {"copying",
       [](Ks& ks, std::uint64_t i) {
         ks.copy(1, i + 2);
         ks.erase(i + 2);
       }},
      {"clearing",
       [](Ks& ks, std::uint64_t i) {
         ks.set(i, i, 10s);
         if (i % 5000 == 0) {
           ks.clear();
           ks.set(kOne, kOne, 10s);
         }
         if (i > 5) ks.erase(i);
       }},
  };
  const std::uint64_t ticks_apart =
      GENERATE(as<std::uint64_t>{}, 0, 1, 100);  // 0: time stands still
  for (const Loop& loop : loops) {
    Ledger ledger;
    auto ks = counted<true>(ledger);
    ks.set(kOne, kOne, 100s);
    const std::size_t start = ledger.bytes;
    std::size_t most = 0;
    for (std::uint64_t i = 2; i < 100'000; ++i) {
      loop.turn(ks, i);
      if (ticks_apart != 0 && i % ticks_apart == 0) ks.clock().advance(1ms);
      most = std::max(most, ledger.bytes);
    }
    CAPTURE(loop.name, ticks_apart, start);
    CHECK(most - start <= kSmallWheel);
  }
}

TEST_CASE("a million changes of one deadline take no more memory than ten thousand") {
  Ledger ledger;
  auto ks = counted<true>(ledger);
  ks.set(kOne, kOne);
  const auto most_during = [&](std::uint64_t turns) {
    std::size_t most = 0;
    for (std::uint64_t i = 0; i < turns; ++i) {
      ks.pexpire(1, i % 2 == 0 ? Millis{1'000'000 - i % 900'000} : Millis{2'000'000});
      most = std::max(most, ledger.bytes);
    }
    return most;
  };
  const std::size_t early = most_during(10'000);
  CHECK(most_during(1'000'000) <= early + kSmallWheel);
  CHECK(ks.size() == 1);
  CHECK(ks.volatile_size() == 1);
}

TEST_CASE("erasing every key returns the memory of the timer wheel") {
  // Compares with a twin without deadlines, whose map has the same table.
  constexpr std::uint64_t kKeys = 200'000;
  const int way = GENERATE(0, 1, 2, 3, 4, 5);
  Ledger with, without;
  auto ks = counted<true>(with);
  auto twin = counted<true>(without);
  for (std::uint64_t k = 0; k < kKeys; ++k) {
    ks.set(k, k, Millis{1 + k * 37 % 1'000'000});
    twin.set(k, k);
  }
  REQUIRE(with.bytes > without.bytes + kKeys * 8);
  for (std::uint64_t k = 0; k < kKeys; ++k) {
    if (way != 5) twin.erase(k);
    if (way == 0) ks.erase(k);
    if (way == 1) ks.getdel(k);
    if (way == 2) ks.persist(k);
    if (way == 3) ks.set(k, k);
  }
  if (way == 4) {
    ks.clock().set(at(2'000'000));
    CHECK(ks.erase_expired() == kKeys);
  }
  if (way == 5) {
    ks.clear();
    twin.clear();
  }
  CAPTURE(way);
  CHECK(ks.volatile_size() == 0);
  CHECK(with.bytes <= without.bytes + kSmallWheel);
}

TEST_CASE("random calls take memory for what is stored, not for what was stored before") {
  constexpr std::uint64_t kKeys = 2000;
  Ledger ledger;
  auto ks = counted<true>(ledger);
  std::size_t most = 0;
  std::uint64_t random = 1;
  for (std::uint64_t i = 0; i < 400'000; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const std::uint64_t key = (random >> 33) % kKeys;
    const Millis ttl{(random >> 40) % 100'000 + 1};
    switch ((random >> 60) % 4) {
      case 0:
        ks.set(key, i, ttl);
        break;
      case 1:
        ks.pexpire(key, ttl);
        break;
      case 2:
        ks.getex(key, ttl);
        break;
      default:
        ks.erase(key);
        break;
    }
    if (i % 50 == 0) ks.clock().advance(1ms);
    most = std::max(most, ledger.bytes);
  }
  // 2000 keys in a table of 4096 buckets with 33 bytes each, and three records for each key.
  CHECK(most <= 4096 * 33 + 3 * kKeys * 16 * 2 + kSmallWheel);
}

TEST_CASE("a keyspace that is only written to does not fill with expired entries") {
  struct Stream {
    std::int64_t ttl;        // of each key, in ticks
    std::uint64_t per_tick;  // keys written
    std::uint64_t ticks;
  };
  const Stream stream =
      GENERATE(Stream{10, 1, 50'000}, Stream{1000, 1, 50'000}, Stream{1000, 20, 10'000},
               Stream{70'000, 1, 250'000}, Stream{300, 3, 30'000});
  Ledger ledger;
  auto ks = counted<true>(ledger);
  const std::size_t live = static_cast<std::size_t>(stream.ttl) * stream.per_tick;
  std::size_t most = 0;
  std::uint64_t key = 0;
  for (std::uint64_t tick = 0; tick < stream.ticks; ++tick) {
    for (std::uint64_t i = 0; i < stream.per_tick; ++i, ++key) ks.set(key, key, Millis{stream.ttl});
    ks.clock().advance(1ms);
    most = std::max(most, ks.size());
  }
  CAPTURE(stream.ttl, stream.per_tick);
  CHECK(most <= live + live / 4 + 100);
}

TEST_CASE("a small keyspace is small") {
  Ledger ledger;
  auto ks = counted<true>(ledger);
  CHECK(ledger.bytes == 0);
  ks.set(kOne, kOne);
  CHECK(ledger.bytes <= 1024);
  ks.set(kTwo, kTwo, 1s);
  CHECK(ledger.bytes <= 8 * 1024);
}

TEMPLATE_TEST_CASE("a cache with a large capacity takes memory only for what is stored", "",
                   EarliestDeadline, Lru, ScanResistant) {
  Ledger ledger;
  Counted<true, TestType> cache({.capacity = 1'000'000'000, .allocator = PairAllocator(ledger)});
  cache.set(kOne, kOne, 1s);
  CHECK(ledger.bytes <= 16 * 1024);
}

TEST_CASE("a small cache that reserved room for many entries keeps few ghosts") {
  const auto bytes_after_reserve = [](std::size_t capacity) {
    Ledger ledger;
    Counted<true, ScanResistant> cache({.capacity = capacity, .allocator = PairAllocator(ledger)});
    cache.reserve(10'000);
    return ledger.bytes;
  };
  // Two ghosts of 12 bytes for each entry of the capacity.
  CHECK(bytes_after_reserve(10) + 9'900 * 2 * 12 <= bytes_after_reserve(10'000));
}

TEST_CASE("all memory comes from the given allocator and is returned to it") {
  Ledger ledger;
  {
    auto ks = counted<true>(ledger);
    for (std::uint64_t k = 0; k < 5000; ++k) ks.set(k, k, Millis{1 + k * k});
    auto moved = std::move(ks);
    ks = counted<true>(ledger);
    ks.set(kOne, kOne, 5ms);
    ks = std::move(moved);
    CHECK(ks.size() == 5000);
    CHECK(ledger.bytes > 0);
    ks.clear();
  }
  CHECK(ledger.bytes == 0);
}

}  // namespace
}  // namespace keyspace::testing
