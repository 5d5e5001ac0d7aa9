#include <keyspace/cache.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/probe.h"
#include "support/support.h"

// kKeep stores a value with the expiry that its key has, as SET KEEPTTL does. A key that is missing
// or expired has none.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

// --- Keyspaces with each kind of option ---

// An int is stored with one look-up if no option needs to be informed.
template <class T>
T keep_value(int number) {
  if constexpr (std::is_same_v<T, int>) {
    return number;
  } else {
    return "a text too long to be stored inside a string object, " + std::to_string(number);
  }
}

struct KeepWeigher {
  std::size_t operator()(int, int value) const noexcept { return value < 0 ? 1 : 2; }
  std::size_t operator()(const std::string&, const std::string& value) const noexcept {
    return value.size();
  }
};
struct KeepListener {
  template <class Key, class Value>
  void operator()(const Key&, const Value&, RemovalCause) const noexcept {}
};
struct KeepHash {
  std::size_t operator()(int) const { return 7; }
};

template <class T, class... Options>
struct KeepIn {
  using Type = T;
  using Ks = Keyspace<T, T, ManualClock, Options...>;
  static Ks make() {
    if constexpr (requires(Ks ks) { ks.capacity(); }) {
      return Ks({.capacity = 100'000});
    } else {
      return Ks();
    }
  }
};

using KeepKinds =
    std::tuple<KeepIn<std::string>, KeepIn<int>, KeepIn<std::string, WithStatistics>,
               KeepIn<int, WithStatistics>, KeepIn<int, WithHash<KeepHash>>, KeepIn<int, Lru>,
               KeepIn<int, EarliestDeadline>, KeepIn<std::string, ScanResistant>,
               KeepIn<int, WithListener<KeepListener>>,
               KeepIn<std::string, WithListener<KeepListener>>,
               KeepIn<int, Lru, WithWeigher<KeepWeigher>>,
               KeepIn<std::string, ScanResistant, WithWeigher<KeepWeigher>,
                      WithListener<KeepListener>, WithStatistics>>;

enum class KeepState { kMissing, kExpired, kPersistent, kVolatile };

// A keyspace at the time 100, with a key in the given state and two other keys.
template <class Kind>
struct KeepFixture {
  using T = typename Kind::Type;
  explicit KeepFixture(KeepState state) {
    ks.clock().set(at(50));
    ks.set(keep_value<T>(2), keep_value<T>(20));
    ks.set(keep_value<T>(3), keep_value<T>(30), at(150));
    if (state == KeepState::kExpired) ks.set(key, before, at(100));
    if (state == KeepState::kPersistent) ks.set(key, before);
    if (state == KeepState::kVolatile) ks.set(key, before, at(200));
    ks.clock().set(at(100));
  }
  // Checks that the key expires at 200.
  void check_expires_at_its_deadline() {
    check_invariants(ks);
    ks.clock().set(at(199));
    CHECK(ks.erase_expired() == 1);  // one of the other keys
    CHECK(ks.contains(key));
    ks.clock().set(at(200));
    CHECK(ks.erase_expired() == 1);
    CHECK(ks.size() == 1);
  }
  void check_never_expires() {
    check_invariants(ks);
    ks.clock().set(at(1'000'000));
    CHECK(ks.erase_expired() == 1);  // one of the other keys
    CHECK(ks.contains(key));
    CHECK(ks.size() == 2);
  }

  const T key = keep_value<T>(1);
  const T before = keep_value<T>(10);
  const T after = keep_value<T>(11);
  typename Kind::Ks ks = Kind::make();
};

TEMPLATE_LIST_TEST_CASE("set with kKeep keeps the expiry of a live key", "", KeepKinds) {
  KeepFixture<TestType> persistent(KeepState::kPersistent);
  persistent.ks.set(persistent.key, persistent.after, kKeep);
  CHECK(see(persistent.ks, persistent.key) == entry(persistent.after));
  persistent.check_never_expires();

  KeepFixture<TestType> is_volatile(KeepState::kVolatile);
  is_volatile.ks.set(is_volatile.key, is_volatile.after, kKeep);
  CHECK(see(is_volatile.ks, is_volatile.key) == entry(is_volatile.after, at(200)));
  CHECK(is_volatile.ks.volatile_size() == 2);
  is_volatile.check_expires_at_its_deadline();
}

TEMPLATE_LIST_TEST_CASE("set with kKeep makes a missing or expired key persistent", "", KeepKinds) {
  const KeepState state = GENERATE(KeepState::kMissing, KeepState::kExpired);
  KeepFixture<TestType> f(state);
  REQUIRE(f.ks.size() == (state == KeepState::kExpired ? 3 : 2));  // an expired key is stored
  f.ks.set(f.key, f.after, kKeep);
  CHECK(see(f.ks, f.key) == entry(f.after));
  CHECK(f.ks.size() == 3);
  CHECK(f.ks.volatile_size() == 1);
  f.check_never_expires();
}

TEMPLATE_LIST_TEST_CASE("insert with kKeep stores a missing or expired key, and it is persistent",
                        "", KeepKinds) {
  const KeepState state = GENERATE(KeepState::kMissing, KeepState::kExpired);
  KeepFixture<TestType> f(state);
  CHECK(f.ks.insert(f.key, f.after, kKeep));
  CHECK(see(f.ks, f.key) == entry(f.after));
  CHECK(f.ks.size() == 3);
  CHECK(f.ks.volatile_size() == 1);
  f.check_never_expires();
}

TEMPLATE_LIST_TEST_CASE("insert with kKeep refuses a live key and changes nothing", "", KeepKinds) {
  KeepFixture<TestType> persistent(KeepState::kPersistent);
  auto key = persistent.key;
  auto value = persistent.after;
  CHECK_FALSE(persistent.ks.insert(std::move(key), std::move(value), kKeep));
  CHECK(key == persistent.key);  // not moved from
  CHECK(value == persistent.after);
  CHECK(see(persistent.ks, persistent.key) == entry(persistent.before));
  persistent.check_never_expires();

  KeepFixture<TestType> is_volatile(KeepState::kVolatile);
  CHECK_FALSE(is_volatile.ks.insert(is_volatile.key, is_volatile.after, kKeep));
  CHECK(see(is_volatile.ks, is_volatile.key) == entry(is_volatile.before, at(200)));
  is_volatile.check_expires_at_its_deadline();
}

TEMPLATE_LIST_TEST_CASE("replace with kKeep keeps the expiry of a live key", "", KeepKinds) {
  KeepFixture<TestType> persistent(KeepState::kPersistent);
  CHECK(persistent.ks.replace(persistent.key, persistent.after, kKeep));
  CHECK(see(persistent.ks, persistent.key) == entry(persistent.after));
  persistent.check_never_expires();

  KeepFixture<TestType> is_volatile(KeepState::kVolatile);
  CHECK(is_volatile.ks.replace(is_volatile.key, is_volatile.after, kKeep));
  CHECK(see(is_volatile.ks, is_volatile.key) == entry(is_volatile.after, at(200)));
  is_volatile.check_expires_at_its_deadline();
}

TEMPLATE_LIST_TEST_CASE("replace with kKeep refuses a missing or expired key", "", KeepKinds) {
  const KeepState state = GENERATE(KeepState::kMissing, KeepState::kExpired);
  KeepFixture<TestType> f(state);
  auto key = f.key;
  auto value = f.after;
  CHECK_FALSE(f.ks.replace(std::move(key), std::move(value), kKeep));
  CHECK(key == f.key);  // not moved from
  CHECK(value == f.after);
  CHECK(see(f.ks, f.key) == std::nullopt);
  check_invariants(f.ks);
}

TEMPLATE_LIST_TEST_CASE(
    "values that are stored with kKeep change no deadline, while a keyspace grows", "", KeepKinds) {
  using T = typename TestType::Type;
  constexpr int kKeys = 700;
  auto ks = TestType::make();
  const auto deadline_of = [](int key) { return key % 3 == 0 ? kNoDeadline : at(1000 + key); };
  for (int key = 0; key != kKeys; ++key) {
    if (key % 3 == 0) {
      ks.set(keep_value<T>(key), keep_value<T>(-1), kKeep);
    } else {
      ks.set(keep_value<T>(key), keep_value<T>(-1), deadline_of(key));
      ks.set(keep_value<T>(key), keep_value<T>(-2), kKeep);
    }
  }
  for (int key = 0; key != kKeys; ++key) {
    REQUIRE(ks.replace(keep_value<T>(key), keep_value<T>(key), kKeep));
    REQUIRE(ks.pexpiretime(keep_value<T>(key)) == deadline_of(key));
    REQUIRE(*ks.find(keep_value<T>(key)) == keep_value<T>(key));
  }
  CHECK(ks.size() == kKeys);
  check_invariants(ks);
  ks.clock().set(at(1000 + kKeys));
  const std::size_t persistent = (kKeys + 2) / 3;
  CHECK(ks.erase_expired() == kKeys - persistent);
  CHECK(ks.size() == persistent);
}

// --- kKeep and one kind of option ---

TEST_CASE("a value that is stored with kKeep over a live key files no record") {
  Ints ints;
  Strings strings;
  ints.set(1, 10, 1h);
  strings.set("k", "v", 1h);
  const Probed keeping([&] {
    for (int i = 0; i != 10; ++i) {
      ints.set(1, i, kKeep);
      strings.set("k", "w", kKeep);
      CHECK(ints.replace(1, i, kKeep));
      CHECK(strings.replace("k", "w", kKeep));
    }
  });
  CHECK(keeping[Probe::kRecordsFiled] == 0);
  CHECK(internal::TestPeer::records(ints) == 1);
  CHECK(internal::TestPeer::records(strings) == 1);
}

TEST_CASE("a deadline that was postponed or brought forward is the one that kKeep keeps") {
  Ints ks;
  ks.set(1, 10, 100ms);
  REQUIRE(ks.pexpire(1, 300ms));
  ks.set(1, 11, kKeep);
  CHECK(see(ks, 1) == entry(11, at(300)));
  REQUIRE(ks.pexpire(1, 50ms));
  ks.set(1, 12, kKeep);
  CHECK(see(ks, 1) == entry(12, at(50)));
  REQUIRE(ks.persist(1));
  ks.set(1, 13, kKeep);
  CHECK(see(ks, 1) == entry(13));
  REQUIRE(ks.pexpireat(1, kLastDeadline));
  ks.set(1, 14, kKeep);
  CHECK(see(ks, 1) == entry(14, kLastDeadline));
  check_invariants(ks);
}

TEST_CASE("set with kKeep accepts a value that is stored in the keyspace itself") {
  Strings ks;
  ks.set("k", "a value too long to be stored inside a string object", 5ms);
  ks.set("k", *ks.find("k"), kKeep);
  CHECK(see(ks, "k") == entry("a value too long to be stored inside a string object", at(5)));
  for (int i = 0; i < 100; ++i) ks.set(std::to_string(i), *ks.find("k"), kKeep);
  CHECK(see(ks, "99") == entry("a value too long to be stored inside a string object"));
}

TEST_CASE("set with kKeep over a live key is a request, and a refused insert is none") {
  Cache<int, int, Lru, ManualClock> cache({.capacity = 3});
  for (const int key : {1, 2, 3}) cache.set(key, key, 1h);
  cache.set(1, 10, kKeep);
  CHECK_FALSE(cache.insert(2, 20, kKeep));
  cache.set(4, 4, kKeep);  // evicts 2
  CHECK_FALSE(cache.contains(2));
  CHECK(see(cache, 1) == entry(10, at(3'600'000)));
  CHECK(see(cache, 4) == entry(4));
  CHECK(cache.replace(3, 30, kKeep));
  cache.set(5, 5, kKeep);  // evicts 1
  CHECK_FALSE(cache.contains(1));
  CHECK(see(cache, 3) == entry(30, at(3'600'000)));
  check_invariants(cache);
}

TEST_CASE("a value that is stored with kKeep is weighed again") {
  struct ByLength {
    std::size_t operator()(int, const std::string& value) const noexcept { return value.size(); }
  };
  Cache<int, std::string, Lru, WithWeigher<ByLength>, ManualClock> cache({.capacity = 10});
  cache.set(1, "12", 1h);
  cache.set(2, "34", 2h);
  cache.set(1, "123", kKeep);
  CHECK(cache.weight() == 5);
  CHECK(cache.replace(1, "1", kKeep));
  CHECK(cache.weight() == 3);
  CHECK(see(cache, 1) == entry("1", at(3'600'000)));

  // The old entry is erased to make room, but its deadline is kept.
  cache.set(2, "123456789", kKeep);
  CHECK(see(cache, 2) == entry("123456789", at(7'200'000)));
  cache.set(2, "1234567890", kKeep);
  CHECK(see(cache, 2) == entry("1234567890", at(7'200'000)));
  CHECK_FALSE(cache.contains(1));
  CHECK(cache.weight() == 10);

  // Too heavy: the key is absent afterwards.
  CHECK_FALSE(cache.replace(2, "12345678901", kKeep));
  CHECK(cache.empty());
  cache.set(3, "12345678901", kKeep);
  CHECK_FALSE(cache.insert(3, "12345678901", kKeep));
  CHECK(cache.empty());
  check_invariants(cache);
}

TEST_CASE("the listener learns what a value that is stored with kKeep has replaced") {
  struct Call {
    int key;
    std::string value;
    RemovalCause cause;
    bool operator==(const Call&) const = default;
  };
  std::vector<Call> calls;
  using Listener = std::function<void(int, std::string, RemovalCause)>;
  Keyspace<int, std::string, WithListener<Listener>, WithStatistics, ManualClock> ks(
      {.listener = [&](int key, std::string value, RemovalCause cause) {
        calls.push_back({key, std::move(value), cause});
      }});
  const auto take = [&] { return std::exchange(calls, {}); };
  ks.set(1, "a", kKeep);
  CHECK(take().empty());
  ks.set(1, "b", kKeep);
  CHECK((take() == std::vector<Call>{{1, "a", RemovalCause::kReplaced}}));
  CHECK(ks.replace(1, "c", kKeep));
  CHECK((take() == std::vector<Call>{{1, "b", RemovalCause::kReplaced}}));
  CHECK_FALSE(ks.insert(1, "d", kKeep));
  CHECK_FALSE(ks.replace(2, "d", kKeep));
  CHECK(take().empty());

  REQUIRE(ks.pexpire(1, 10ms));
  ks.clock().set(at(10));
  CHECK_FALSE(ks.replace(1, "d", kKeep));
  CHECK(take().empty());
  ks.set(1, "d", kKeep);
  CHECK((take() == std::vector<Call>{{1, "c", RemovalCause::kExpired}}));
  REQUIRE(ks.pexpire(1, 10ms));
  ks.clock().set(at(20));
  CHECK(ks.insert(1, "e", kKeep));
  CHECK((take() == std::vector<Call>{{1, "d", RemovalCause::kExpired}}));
  CHECK(see(ks, 1) == entry("e"));

  const Statistics counted = ks.statistics();
  CHECK(counted.inserts == 3);
  CHECK(counted.replacements == 2);
  CHECK(counted.removed(RemovalCause::kExpired) == 2);
  CHECK(counted.removed(RemovalCause::kReplaced) == 2);
}

}  // namespace
}  // namespace keyspace::testing
