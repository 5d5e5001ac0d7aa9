#include "absl/hash/hash.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <type_traits>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

struct ConstantHash {
  std::size_t operator()(std::uint64_t) const noexcept { return 42; }
};
struct ZeroHash {
  std::size_t operator()(std::uint64_t) const { return 0; }
};
struct IdentityHash {
  std::size_t operator()(std::uint64_t key) const noexcept { return key; }
};
// Only the top bits differ.
struct HighHash {
  std::size_t operator()(std::uint64_t key) const noexcept {
    return static_cast<std::size_t>(key << 56);
  }
};
struct AllOnesHash {
  std::size_t operator()(std::uint64_t) const noexcept { return ~std::size_t{0}; }
};

template <class Hash>
using Hashed = Keyspace<std::uint64_t, int, ManualClock, WithHash<Hash>>;

TEMPLATE_TEST_CASE("any hash is correct", "", ConstantHash, ZeroHash, IdentityHash, HighHash,
                   AllOnesHash) {
  // The keys share hashes and deadlines, so that nothing in the timer wheel distinguishes them.
  // Then each key of seven changes in another way.
  constexpr std::uint64_t kKeys = 120;
  constexpr std::uint64_t kStride = 1'000'003;
  Hashed<TestType> ks;
  std::map<std::uint64_t, Instant> expected;
  for (std::uint64_t i = 0; i < kKeys; ++i) {
    const Instant deadline = at(100 + static_cast<std::int64_t>(i % 4));
    ks.set(i * kStride, static_cast<int>(i), deadline);
    expected[i * kStride] = deadline;
  }
  std::uint64_t turn = 0;
  for (auto it = expected.begin(); it != expected.end(); ++turn) {
    const auto& [key, deadline] = *it;
    switch (turn % 7) {
      case 0:
        REQUIRE(ks.erase(key));
        it = expected.erase(it);
        continue;
      case 1:
        REQUIRE(ks.persist(key));
        it->second = kNoDeadline;
        break;
      case 2:
        REQUIRE(ks.pexpireat(key, at(103)));
        it->second = at(103);
        break;
      case 3:
        REQUIRE(ks.pexpireat(key, at(100)));
        it->second = at(100);
        break;
      case 4:
        REQUIRE(ks.erase(key));
        ks.set(key, static_cast<int>(turn), at(102));
        it->second = at(102);
        break;
      case 5:
        REQUIRE(ks.pexpireat(key, at(300)));
        it->second = at(300);
        break;
      default:
        break;
    }
    ++it;
  }
  for (const std::int64_t now : {99, 100, 101, 102, 103, 104, 299, 300}) {
    CAPTURE(now);
    ks.clock().set(at(now));
    const auto expiring =
        std::erase_if(expected, [&](const auto& e) { return e.second <= at(now); });
    REQUIRE(ks.erase_expired() == expiring);
    REQUIRE(ks.size() == expected.size());
    for (std::uint64_t i = 0; i < kKeys; ++i) {
      const auto it = expected.find(i * kStride);
      const auto want = it == expected.end() ? std::nullopt : std::optional(it->second);
      REQUIRE(ks.pexpiretime(i * kStride) == want);
    }
  }
}

struct StdHash : std::hash<std::uint64_t> {};
struct SaysFalse : StdHash {
  using is_avalanching = std::false_type;
};
struct SaysFalseByATrait : StdHash {
  using is_avalanching = std::is_same<int, long>;
};
struct SaysTrue : StdHash {
  using is_avalanching = std::true_type;
};
struct SaysVoid : StdHash {
  using is_avalanching = void;
};

// Returns the number of comparisons for each key that is inserted and found again. All keys have
// the same low bits.
template <class Hash>
double comparisons_of_high_keys() {
  constexpr std::uint64_t kKeys = 4000;
  Keyspace<std::uint64_t, int, ManualClock, WithHash<Hash, CountingEq>> ks;
  take_work();
  for (std::uint64_t key = 0; key != kKeys; ++key) ks.set(key << 32, 1);
  for (std::uint64_t key = 0; key != kKeys; ++key) REQUIRE(ks.contains(key << 32));
  return static_cast<double>(take_work().equals) / kKeys;
}

TEST_CASE("a hash is mixed, unless it declares is_avalanching") {
  CHECK(comparisons_of_high_keys<std::hash<std::uint64_t>>() < 3);
  CHECK(comparisons_of_high_keys<SaysFalse>() < 3);
  CHECK(comparisons_of_high_keys<SaysFalseByATrait>() < 3);
  CHECK(comparisons_of_high_keys<internal::HashedHash<std::uint64_t, StdHash>>() < 3);
  // Without mixing, the search for each key starts in the same slot of the map.
  CHECK(comparisons_of_high_keys<SaysTrue>() > 3);
  CHECK(comparisons_of_high_keys<SaysVoid>() > 3);
  STATIC_REQUIRE(internal::kIsAvalanching<internal::DefaultHash<int>>);
  STATIC_REQUIRE(internal::kIsAvalanching<internal::DefaultHash<std::string>>);
  STATIC_REQUIRE(internal::kIsAvalanching<absl::Hash<int>>);
  STATIC_REQUIRE_FALSE(internal::kIsAvalanching<std::hash<int>>);
  using Shared = internal::HashedHash<int, absl::Hash<int>>;
  STATIC_REQUIRE(internal::kIsAvalanching<Shared>);
}

TEST_CASE("two keys with one hash and one deadline are distinguished by equality alone") {
  Hashed<ConstantHash> ks;
  ks.set(1, 10, 100ms);
  ks.set(2, 20, 100ms);
  CHECK(ks.persist(1));
  ks.clock().set(at(100));
  CHECK(ks.erase_expired() == 1);
  CHECK(see(ks, 1u) == entry(10));
  CHECK(see(ks, 2u) == std::nullopt);
}

TEST_CASE("a stale record of one key does not hide the record of another with its hash") {
  Hashed<ConstantHash> ks;
  ks.set(1, 10, 100ms);
  CHECK(ks.erase(1));
  ks.set(2, 20, 100ms);
  ks.set(3, 30, 50ms);
  CHECK(ks.pexpire(3, 100ms));
  ks.clock().set(at(99));
  CHECK(ks.erase_expired() == 0);
  CHECK(ks.size() == 2);
  ks.clock().set(at(100));
  CHECK(ks.erase_expired() == 2);
  CHECK(ks.empty());
}

TEST_CASE("many postponed keys with one hash are each filed again") {
  Hashed<ConstantHash> ks;
  for (std::uint64_t i = 0; i < 60; ++i) ks.set(i, 0, 10ms);
  for (std::uint64_t i = 0; i < 60; ++i) {
    CHECK(ks.pexpireat(i, at(20 + static_cast<std::int64_t>(i))));
  }
  ks.clock().set(at(10));
  CHECK(ks.erase_expired() == 0);
  for (std::uint64_t i = 0; i < 60; ++i) {
    ks.clock().set(at(20 + static_cast<std::int64_t>(i)));
    CHECK(ks.erase_expired() == 1);
  }
}

// A hash of the first letter of a key.
struct FirstLetterHash {
  std::size_t operator()(const std::string& key) const noexcept {
    return key.empty() ? 0 : static_cast<unsigned char>(key.front());
  }
};

TEST_CASE("a poor hash over strings is correct") {
  Keyspace<std::string, int, ManualClock, WithHash<FirstLetterHash>> ks;
  for (int i = 0; i < 200; ++i) ks.set("key " + std::to_string(i), i, Millis{i + 1});
  for (int now = 0; now <= 200; ++now) {
    ks.clock().set(at(now));
    REQUIRE(ks.erase_expired() == (now == 0 ? 0 : 1));
  }
  CHECK(ks.empty());
}

// Functors with state.
struct SeededHash {
  explicit SeededHash(std::uint64_t s) : seed(s) {}
  std::size_t operator()(std::uint64_t key) const noexcept { return (key + seed) * 0x9e3779b9u; }
  std::uint64_t seed;
};
struct ModuloEq {
  explicit ModuloEq(std::uint64_t m) : modulus(m) {}
  bool operator()(std::uint64_t a, std::uint64_t b) const { return a % modulus == b % modulus; }
  std::uint64_t modulus;
};
struct ModuloHash {
  explicit ModuloHash(std::uint64_t m) : modulus(m) {}
  std::size_t operator()(std::uint64_t key) const { return key % modulus; }
  std::uint64_t modulus;
};

TEST_CASE("the hash and the equality are those of the Config") {
  Keyspace<std::uint64_t, int, ManualClock, WithHash<SeededHash>> seeded({.hash = SeededHash{7}});
  seeded.set(1, 1);
  CHECK(seeded.contains(1));

  Keyspace<std::uint64_t, int, ManualClock, WithHash<ModuloHash, ModuloEq>> modulo(
      {.hash = ModuloHash{10}, .equal = ModuloEq{10}});
  modulo.set(13, 1, 5ms);
  CHECK(modulo.contains(3));
  CHECK_FALSE(modulo.insert(23, 2));
  modulo.clock().advance(5ms);
  CHECK(modulo.erase_expired() == 1);
}

}  // namespace
}  // namespace keyspace::testing
