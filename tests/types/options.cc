#include <keyspace/cache.h>
#include <keyspace/options.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/support.h"

// The options of a keyspace and its Config: their order, their state, and the required members.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

// --- Constructors ---

template <class Ks>
constexpr bool kIsMadeOfNothing = std::is_default_constructible_v<Ks>;
template <class Ks>
constexpr bool kIsMadeOfAClock = std::is_constructible_v<Ks, typename Ks::clock_type>;
template <class Ks>
constexpr bool kIsMadeOfAConfig = std::is_constructible_v<Ks, typename Ks::Config>;

TEST_CASE(
    "a keyspace without a capacity and an idle time is made of nothing, a clock or a Config") {
  const auto check = [](auto type) {
    using Ks = typename decltype(type)::type;
    STATIC_REQUIRE(kIsMadeOfNothing<Ks>);
    STATIC_REQUIRE(kIsMadeOfAClock<Ks>);
    STATIC_REQUIRE(kIsMadeOfAConfig<Ks>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<typename Ks::clock_type, Ks>);
  };
  check(std::type_identity<Keyspace<int, int>>());
  check(std::type_identity<Keyspace<int, int, Unbounded>>());
  check(std::type_identity<Keyspace<std::string, std::unique_ptr<int>, ManualClock>>());
  check(std::type_identity<Keyspace<int, int, WithStatistics, WithHash<std::hash<int>>>>());
  check(std::type_identity<Keyspace<int, int, WithListener<void (*)(int, int, RemovalCause)>>>());
  check(std::type_identity<Cache<int, int, Unbounded>>());
}

TEST_CASE("a keyspace with a capacity or an idle time is made of a Config only") {
  const auto check = [](auto type) {
    using Ks = typename decltype(type)::type;
    STATIC_REQUIRE_FALSE(kIsMadeOfNothing<Ks>);
    STATIC_REQUIRE_FALSE(kIsMadeOfAClock<Ks>);
    STATIC_REQUIRE(kIsMadeOfAConfig<Ks>);
  };
  check(std::type_identity<Cache<int, int>>());
  check(std::type_identity<Cache<int, int, Lru, ManualClock>>());
  check(std::type_identity<Keyspace<int, int, EarliestDeadline>>());
  check(std::type_identity<Keyspace<int, int, WithExpireAfterAccess>>());
  check(std::type_identity<Cache<int, int, Unbounded, WithExpireAfterAccess>>());
}

template <class Config>
concept HasACapacity = requires(Config config) {
  config.capacity = 10;
};
template <class Config>
concept HasAnIdleTime = requires(Config config) {
  config.expire_after_access = 1s;
};
template <class Config>
concept HasShards = requires(Config config) {
  config.shards = 2;
};

TEST_CASE("a Config has the members that the options call for, and no others") {
  using Plain = Keyspace<int, int>::Config;
  STATIC_REQUIRE_FALSE(HasACapacity<Plain>);
  STATIC_REQUIRE_FALSE(HasAnIdleTime<Plain>);
  STATIC_REQUIRE_FALSE(HasShards<Plain>);
  STATIC_REQUIRE(HasACapacity<Cache<int, int>::Config>);
  STATIC_REQUIRE_FALSE(HasAnIdleTime<Cache<int, int>::Config>);
  STATIC_REQUIRE(HasAnIdleTime<Keyspace<int, int, WithExpireAfterAccess>::Config>);
  STATIC_REQUIRE_FALSE(HasACapacity<Keyspace<int, int, WithExpireAfterAccess>::Config>);
  STATIC_REQUIRE(std::is_aggregate_v<Plain>);
  STATIC_REQUIRE(std::is_aggregate_v<Cache<int, int, WithExpireAfterAccess>::Config>);
}

// --- The order of options ---

struct ValueWeigher {
  std::size_t operator()(int, int value) const noexcept { return static_cast<std::size_t>(value); }
};
struct TimesSeven {
  std::size_t operator()(int key) const noexcept { return static_cast<std::size_t>(key) * 7; }
};
using RemovedKeys = WithListener<std::function<void(int, int, RemovalCause)>>;
using LedgerOption = WithAllocator<LedgerAllocator<std::pair<const int, int>>>;

using Orders = std::tuple<
    Keyspace<int, int, ManualClock, Lru, WithHash<TimesSeven>, LedgerOption,
             WithWeigher<ValueWeigher>, RemovedKeys, WithStatistics, WithExpireAfterAccess>,
    Keyspace<int, int, WithExpireAfterAccess, WithStatistics, RemovedKeys,
             WithWeigher<ValueWeigher>, LedgerOption, WithHash<TimesSeven>, Lru, ManualClock>,
    Keyspace<int, int, WithWeigher<ValueWeigher>, ManualClock, RemovedKeys, WithStatistics, Lru,
             LedgerOption, WithExpireAfterAccess, WithHash<TimesSeven>>,
    Cache<int, int, RemovedKeys, WithExpireAfterAccess, Lru, WithHash<TimesSeven>, ManualClock,
          WithWeigher<ValueWeigher>, WithStatistics, LedgerOption>>;

TEMPLATE_LIST_TEST_CASE("options may be given in any order", "", Orders) {
  using First = std::tuple_element_t<0, Orders>;
  STATIC_REQUIRE(std::is_same_v<typename TestType::clock_type, ManualClock>);
  STATIC_REQUIRE(std::is_same_v<typename TestType::hasher, TimesSeven>);
  STATIC_REQUIRE(std::is_same_v<typename TestType::key_equal, First::key_equal>);
  STATIC_REQUIRE(std::is_same_v<typename TestType::allocator_type, First::allocator_type>);
  STATIC_REQUIRE(std::is_same_v<typename TestType::Expiry, First::Expiry>);
  STATIC_REQUIRE(sizeof(TestType) == sizeof(First));
  STATIC_REQUIRE(sizeof(typename TestType::Config) == sizeof(First::Config));

  ManualClock clock;
  Ledger ledger;
  std::vector<int> evicted;
  TestType cache({.capacity = 10,
                  .clock = clock,
                  .weigher = {},
                  .listener = [&](int key, int, RemovalCause) { evicted.push_back(key); },
                  .expire_after_access = 10s,
                  .hash = {},
                  .equal = {},
                  .allocator = LedgerAllocator<std::pair<const int, int>>(ledger)});
  cache.set(1, 4);
  cache.set(2, 5, kNever);
  CHECK(*cache.find(1) == 4);
  cache.set(3, 3, 1s);
  CHECK(evicted == std::vector<int>{2});
  CHECK(cache.weight() == 7);
  CHECK(cache.pexpiretime(1) == at(10'000));
  CHECK(cache.pexpiretime(3) == at(1'000));
  CHECK(cache.statistics().hits == 1);
  CHECK(cache.statistics().removed(RemovalCause::kEvicted) == 1);
  CHECK(ledger.bytes > 0);
  clock.advance(10s);
  CHECK(cache.erase_expired() == 2);
  check_invariants(cache);
}

// --- The state of the objects in a Config ---

// How often objects were copied.
struct Copies {
  int clock = 0;
  int weigher = 0;
  int listener = 0;
  int hash = 0;
  int equal = 0;
  int allocator = 0;
};

// Counts its copies, and not its moves. Cannot be constructed without an argument.
template <int Copies::*kCount>
class CountsCopies {
 public:
  explicit CountsCopies(Copies& copies) : copies_(&copies) {}
  CountsCopies(const CountsCopies& other) noexcept : copies_(other.copies_) {
    ++(copies_->*kCount);
  }
  CountsCopies& operator=(const CountsCopies& other) noexcept {
    copies_ = other.copies_;
    ++(copies_->*kCount);
    return *this;
  }
  CountsCopies(CountsCopies&&) noexcept = default;
  CountsCopies& operator=(CountsCopies&&) noexcept = default;
  ~CountsCopies() = default;

 private:
  Copies* copies_;
};

struct StateClock : CountsCopies<&Copies::clock> {
  using time_point = ManualClock::time_point;
  StateClock(Copies& copies, const Instant& now) : CountsCopies(copies), now_(&now) {}
  [[nodiscard]] time_point now() const noexcept { return *now_; }
  const Instant* now_;
};
struct StateWeigher : CountsCopies<&Copies::weigher> {
  StateWeigher(Copies& copies, std::size_t each) : CountsCopies(copies), weight(each) {}
  std::size_t operator()(int, int) const noexcept { return weight; }
  std::size_t weight;
};
struct StateListener : CountsCopies<&Copies::listener> {
  StateListener(Copies& copies, std::vector<int>& keys) : CountsCopies(copies), removed(&keys) {}
  void operator()(int key, int, RemovalCause) const { removed->push_back(key); }
  std::vector<int>* removed;
};
struct StateHash : CountsCopies<&Copies::hash> {
  StateHash(Copies& copies, int m) : CountsCopies(copies), modulus(m) {}
  std::size_t operator()(int key) const noexcept { return static_cast<std::size_t>(key % modulus); }
  int modulus;
};
struct StateEqual : CountsCopies<&Copies::equal> {
  StateEqual(Copies& copies, int m) : CountsCopies(copies), modulus(m) {}
  bool operator()(int a, int b) const noexcept { return a % modulus == b % modulus; }
  int modulus;
};

using StateCache =
    Cache<int, int, Lru, StateClock, WithWeigher<StateWeigher>, WithListener<StateListener>,
          WithHash<StateHash, StateEqual>, LedgerOption>;

TEST_CASE("a keyspace uses the objects of its Config, with their state") {
  Copies copies;
  Ledger ledger;
  Instant now = at(100);
  std::vector<int> removed;
  StateCache cache({.capacity = 10,
                    .clock = StateClock(copies, now),
                    .weigher = StateWeigher(copies, 5),
                    .listener = StateListener(copies, removed),
                    .hash = StateHash(copies, 10),
                    .equal = StateEqual(copies, 10),
                    .allocator = LedgerAllocator<std::pair<const int, int>>(ledger)});
  // The clock, the weigher and the listener are moved. The map and the index of the policy have
  // copies of the hash and the equality.
  CHECK(copies.clock == 0);
  CHECK(copies.weigher == 0);
  CHECK(copies.listener == 0);
  CHECK(copies.hash <= 4);
  CHECK(copies.equal <= 4);
  CHECK(copies.hash >= 1);
  CHECK(copies.equal >= 1);

  cache.reserve(100);  // a map that grows copies the hash and the equality
  const int hash_copies = copies.hash;
  const int equal_copies = copies.equal;
  cache.set(1, 10, 1s);
  CHECK(cache.pexpiretime(1) == at(1'100));
  CHECK(cache.weight() == 5);
  cache.set(11, 11);  // the same key
  CHECK(cache.size() == 1);
  cache.set(2, 20, 1s);
  cache.set(3, 30, 1s);  // evicts 1
  CHECK(cache.weight() == 10);
  CHECK(cache.size() == 2);
  now = at(1'100);
  CHECK(cache.erase_expired() == 2);
  REQUIRE(removed.size() == 4);
  CHECK(removed[1] % 10 == 1);
  CHECK(ledger.bytes > 0);
  CHECK(ledger.allocations > ledger.deallocations);
  check_invariants(cache);

  // If the map does not grow, no call copies any of these objects. A move of the keyspace copies no
  // clock, no weigher and no listener.
  CHECK(copies.clock == 0);
  CHECK(copies.weigher == 0);
  CHECK(copies.listener == 0);
  CHECK(copies.hash == hash_copies);
  CHECK(copies.equal == equal_copies);
  StateCache moved = std::move(cache);
  moved.set(4, 40);
  CHECK(moved.weight() == 5);
  CHECK(copies.clock == 0);
  CHECK(copies.weigher == 0);
  CHECK(copies.listener == 0);
}

TEST_CASE("objects that are copied into a Config are copied once") {
  Copies copies;
  Ledger ledger;
  const Instant now = at(0);
  std::vector<int> removed;
  const StateClock clock(copies, now);
  const StateWeigher weigher(copies, 1);
  const StateListener listener(copies, removed);
  const StateHash hash(copies, 1000);
  const StateEqual equal(copies, 1000);
  const StateCache cache({.capacity = 10,
                          .clock = clock,
                          .weigher = weigher,
                          .listener = listener,
                          .hash = hash,
                          .equal = equal,
                          .allocator = LedgerAllocator<std::pair<const int, int>>(ledger)});
  CHECK(copies.clock == 1);
  CHECK(copies.weigher == 1);
  CHECK(copies.listener == 1);
  CHECK(cache.empty());
}

struct MoveOnlyWeigher {
  std::size_t operator()(int, int) const noexcept { return *weight; }
  std::unique_ptr<std::size_t> weight;
};
struct MoveOnlyListener {
  void operator()(int key, int, RemovalCause) { removed->push_back(key); }
  std::unique_ptr<std::vector<int>> removed;
};

TEST_CASE("a weigher and a listener may be move-only") {
  auto removed = std::make_unique<std::vector<int>>();
  const std::vector<int>& keys = *removed;
  using Ks = Cache<int, int, Lru, WithWeigher<MoveOnlyWeigher>, WithListener<MoveOnlyListener>>;
  Ks cache({.capacity = 6,
            .weigher = {std::make_unique<std::size_t>(2)},
            .listener = {std::move(removed)}});
  for (int key = 1; key != 5; ++key) cache.set(key, key);
  CHECK(cache.weight() == 6);
  CHECK(keys == std::vector<int>{1});
  Ks moved = std::move(cache);
  moved.set(5, 5);
  CHECK(keys == std::vector<int>{1, 2});
}

}  // namespace
}  // namespace keyspace::testing
