#include <keyspace/keyspace.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/probe.h"
#include "support/support.h"

// Growth in steps. For shrinking, see shrinking.cc. The model (tests/model) and the throwing types
// (tests/types/throwing.cc) also run with small steps.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using Pairs = LedgerAllocator<std::pair<const std::uint64_t, std::uint64_t>>;
template <class... Options>
using Growing =
    Keyspace<std::uint64_t, std::uint64_t, ManualClock, WithAllocator<Pairs>, Options...>;

// A value that counts how often values are moved.
class CountedGrowth {
 public:
  explicit CountedGrowth(std::uint64_t number) noexcept : number_(number) {}
  CountedGrowth(CountedGrowth&& other) noexcept : number_(other.number_) { ++moves; }
  CountedGrowth& operator=(CountedGrowth&& other) noexcept {
    number_ = other.number_;
    ++moves;
    return *this;
  }
  ~CountedGrowth() = default;
  std::uint64_t number() const { return number_; }
  static inline std::size_t moves = 0;

 private:
  std::uint64_t number_;
};

// Returns the most moves of values that one call of call(i) makes, for i < n.
template <class Call>
std::size_t most_moves(std::uint64_t n, const Call& call) {
  std::size_t most = 0;
  for (std::uint64_t i = 0; i != n; ++i) {
    CountedGrowth::moves = 0;
    call(i);
    most = std::max<std::size_t>(most, CountedGrowth::moves);
  }
  return most;
}

TEST_CASE("a call that adds an entry moves only a few others") {
  Keyspace<std::uint64_t, CountedGrowth, ManualClock> ks;
  const std::size_t moves =
      most_moves(200'000, [&](std::uint64_t i) { ks.set(i, CountedGrowth(i), 1h); });
  CHECK(moves > 2);
  CHECK(moves <= 100);
  for (std::uint64_t i = 0; i != 200'000; ++i) REQUIRE(ks.find(i)->number() == i);
}

TEST_CASE("a call that erases expired entries moves a bounded number of others") {
  Keyspace<std::uint64_t, CountedGrowth, ManualClock> ks;
  for (std::uint64_t i = 0; i != 100'000; ++i) {
    ks.set(i, CountedGrowth(i), std::chrono::milliseconds(1 + i % 1000));
  }
  const std::size_t moves = most_moves(8'000, [&](std::uint64_t) {
    ks.erase_expired(16);
    ks.clock().advance(std::chrono::milliseconds(ks.erase_expired(16) == 0 ? 1 : 0));
  });
  CHECK(moves > 2);
  CHECK(moves <= 2'000);
  CHECK(ks.size() < 20'000);
}

TEST_CASE("insertions and erasures at a steady size move only a few entries each") {
  for (const std::uint64_t size : {26'000U, 39'321U, 50'000U, 76'000U, 98'000U, 102'390U}) {
    CAPTURE(size);
    Keyspace<std::uint64_t, CountedGrowth, ManualClock> ks;
    for (std::uint64_t i = 0; i != size; ++i) ks.set(i, CountedGrowth(i), 1h);
    const std::size_t moves = most_moves(4 * size, [&](std::uint64_t i) {
      ks.erase(i);
      ks.set(size + i, CountedGrowth(i), 1h);
    });
    CHECK(moves <= 100);
    CHECK(ks.size() == size);
    check_invariants(ks);
  }
}

TEST_CASE("renames move only a few entries each") {
  Keyspace<std::uint64_t, CountedGrowth, ManualClock> ks;
  for (std::uint64_t i = 0; i != 80'000; ++i) ks.set(i, CountedGrowth(i));
  const std::size_t moves = most_moves(300'000, [&](std::uint64_t i) { ks.rename(i, 80'000 + i); });
  CHECK(moves > 10);
  CHECK(moves <= 100);
  CHECK(ks.size() == 80'000);
  check_invariants(ks);
}

TEST_CASE("insertions move only a few entries each, whatever was erased before") {
  enum class Order { kRandom, kOldest, kNewest, kOfWalk };
  struct Case {
    std::size_t high;  // the size before entries are erased
    std::size_t low;   // and after it
    Order order;       // of the erasures
  };
  // With 65,535 buckets.
  const Case c =
      GENERATE(Case{39'000, 19'000, Order::kOldest}, Case{51'000, 13'000, Order::kRandom},
               Case{51'000, 20'000, Order::kNewest}, Case{50'000, 26'000, Order::kOfWalk},
               Case{40'000, 39'000, Order::kOfWalk}, Case{49'000, 48'900, Order::kOfWalk});
  CAPTURE(c.high, c.low, static_cast<int>(c.order));
  Keyspace<std::uint64_t, CountedGrowth, ManualClock> ks;
  std::minstd_rand random;
  std::uint64_t next = 0;
  std::size_t most = 0;
  for (int turn = 0; turn != 40; ++turn) {
    most = std::max<std::size_t>(most, most_moves(c.high - ks.size(), [&](std::uint64_t) {
                                   ks.set(next, CountedGrowth(next));
                                   ++next;
                                 }));
    std::vector<std::uint64_t> keys;
    ks.for_each([&](std::uint64_t key, const CountedGrowth&, auto) { keys.push_back(key); });
    if (c.order != Order::kOfWalk) std::sort(keys.begin(), keys.end());
    if (c.order == Order::kNewest) std::reverse(keys.begin(), keys.end());
    if (c.order == Order::kRandom) std::shuffle(keys.begin(), keys.end(), random);
    for (std::size_t i = 0; i != c.high - c.low; ++i) REQUIRE(ks.erase(keys[i]));
  }
  CHECK(most <= 100);
  check_invariants(ks);
}

TEST_CASE("a growing keyspace finds, changes and erases all entries") {
  const SmallSteps small_steps;
  Ledger ledger;
  Growing<> ks({.allocator = Pairs(ledger)});
  for (std::uint64_t i = 0; i != 300; ++i) {
    ks.set(i, i, 1h);
    REQUIRE(ks.size() == i + 1);
    std::size_t seen = 0;
    ks.for_each(
        [&](std::uint64_t key, std::uint64_t value, auto) { seen += key == value ? 1 : 0; });
    REQUIRE(seen == i + 1);
    for (std::uint64_t j = 0; j <= i; ++j) {
      REQUIRE(ks.find(j) != nullptr);
      REQUIRE(*ks.find(j) == j);
      REQUIRE(ks.pexpire(j, 2h));
    }
    REQUIRE(ks.find(i + 1) == nullptr);
    REQUIRE(ks.erase(i / 2));
    REQUIRE(ks.find(i / 2) == nullptr);
    REQUIRE(ks.insert(i / 2, i / 2, 1h));
    check_invariants(ks);
  }
}

TEST_CASE("renames while the map grows lose nothing") {
  const SmallSteps small_steps;
  Ledger ledger;
  Growing<> ks({.allocator = Pairs(ledger)});
  for (std::uint64_t i = 0; i != 100; ++i) {
    ks.set(i, i);
    for (std::uint64_t turn = 0; turn != 20; ++turn) {
      REQUIRE(ks.rename(i, 1000 + turn));
      REQUIRE(ks.rename(1000 + turn, i));
    }
    check_invariants(ks);
    for (std::uint64_t j = 0; j <= i; ++j) REQUIRE(ks.get(j) == j);
  }
}

TEST_CASE("erase leaves pointers to other entries valid while the map grows") {
  const SmallSteps small_steps;
  Ledger ledger;
  Growing<> ks({.allocator = Pairs(ledger)});
  for (std::uint64_t size = 8; size != 120; ++size) {
    ks.clear();
    for (std::uint64_t i = 0; i != size; ++i) ks.set(i, i, 1h);
    const std::uint64_t* const kept = ks.find(size / 2);
    for (std::uint64_t i = 0; i != size; ++i) {
      if (i == size / 2) continue;
      REQUIRE(ks.erase(i));
      REQUIRE(ks.find(size / 2) == kept);
      REQUIRE(*kept == size / 2);
    }
  }
}

TEST_CASE("a growth without memory has no effect, and succeeds later") {
  for (const bool is_small : {true, false}) {
    const SmallSteps small_steps(is_small);
    Ledger ledger;
    ledger.fragile = true;
    Growing<> ks({.allocator = Pairs(ledger)});
    int interruptions = 0;
    for (std::uint64_t i = 0; i != 400; ++i) {
      for (int point = 0;; ++point) {
        Fuse::arm(point);
        try {
          ks.set(i, i, 1h);
          break;
        } catch (const Blown&) {
          ++interruptions;
        }
        Fuse::disarm();
        REQUIRE(ks.size() == i);
        REQUIRE(!ks.contains(i));
        check_invariants(ks);
      }
      Fuse::disarm();
      for (std::uint64_t j = 0; j <= i; ++j) REQUIRE(ks.get(j) == j);
    }
    CHECK(interruptions > 10);
  }
}

TEST_CASE("a growing map uses the memory that it has prepared, and has at most two tables") {
  Ledger ledger;
  {
    Growing<> ks({.allocator = Pairs(ledger)});
    for (std::uint64_t i = 0; i != 400'000; ++i) ks.set(i, i);
    // Only the tables are large: those of 2^15 to 2^19 buckets with 25 bytes each.
    CHECK(ledger.large_allocations == 5);
    CHECK(ledger.most_large_blocks == 2);
    CHECK(ledger.large_blocks == 1);
    for (std::uint64_t i = 0; i != 400'000; ++i) REQUIRE(ks.get(i) == i);
  }
  CHECK(ledger.large_blocks == 0);
}

TEST_CASE("a reserved map of large values does not grow") {
  using Value = std::array<char, 1024>;
  Ledger ledger;
  Keyspace<std::uint64_t, Value, ManualClock, WithAllocator<Pairs>> ks(
      {.allocator = Pairs(ledger)});
  for (const std::size_t size : {398U, 399U, 400U, 797U, 798U, 799U, 800U}) {
    CAPTURE(size);
    ks.clear();
    ks.reserve(size);
    const std::size_t allocations = ledger.allocations;
    for (std::uint64_t i = 0; i != size; ++i) ks.set(i, Value());
    CHECK(ledger.allocations == allocations);
  }
}

TEST_CASE("only a crowded table becomes larger while the number of entries stays the same") {
  constexpr std::size_t kBuckets = 65'535;
  constexpr std::uint64_t kCrowded = kBuckets / 16 * 10;
  for (const bool is_crowded : {false, true}) {
    for (const std::uint64_t more : {1U, 9'000U}) {
      // One more, because each insertion follows an erasure.
      const std::uint64_t size = (is_crowded ? kCrowded + more : kCrowded + 1 - more) + 1;
      CAPTURE(size);
      Ledger ledger;
      Growing<> ks({.allocator = Pairs(ledger)});
      for (std::uint64_t i = 0; i != size; ++i) ks.set(i, i);
      const std::size_t bytes = ledger.bytes;
      ledger.large_allocations = 0;
      for (std::uint64_t i = 0; i != 20 * size; ++i) {
        REQUIRE(ks.erase(i));
        ks.set(size + i, i);
      }
      CHECK(ledger.large_allocations != 0);  // otherwise the test is too short
      CHECK(ledger.bytes / (bytes - bytes / 100) == (is_crowded ? 2 : 1));
      CHECK(ks.size() == size);
      check_invariants(ks);
    }
  }
}

TEST_CASE("keys and values with a large alignment stay aligned in large tables") {
  struct alignas(64) Aligned {
    std::uint64_t number;
  };
  Keyspace<std::uint64_t, Aligned, ManualClock> ks;
  for (std::uint64_t i = 0; i != 40'000; ++i) ks.set(i, Aligned{i});
  for (std::uint64_t i = 0; i != 40'000; ++i) {
    REQUIRE(reinterpret_cast<std::uintptr_t>(ks.find(i)) % 64 == 0);
    REQUIRE(ks.find(i)->number == i);
  }
}

TEST_CASE("a moved keyspace continues to grow") {
  const SmallSteps small_steps;
  Ledger ledger;
  {
    Growing<> ks({.allocator = Pairs(ledger)});
    for (std::uint64_t i = 0; i != 200; ++i) {
      ks.set(i, i, 1h);
      Growing<> other = std::move(ks);
      check_invariants(other);
      check_invariants(ks);
      ks.set(1, 1);
      REQUIRE(other.size() == i + 1);
      ks = std::move(other);
      for (std::uint64_t j = 0; j <= i; ++j) REQUIRE(ks.get(j) == j);
    }
  }
  CHECK(ledger.bytes == 0);
}

}  // namespace
}  // namespace keyspace::testing
