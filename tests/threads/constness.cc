// Requests that change a ConcurrentKeyspace do not compile on a const ConcurrentKeyspace.

#include <keyspace/concurrent_keyspace.h>

#include <chrono>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

template <class Ks>
constexpr bool kGets = requires(Ks& ks) {
  ks.get(1);
};
template <class Ks>
constexpr bool kGetsMany = requires(Ks& ks, std::vector<int> keys, std::optional<int>* out) {
  ks.mget(keys, out);
};
template <class Ks>
constexpr bool kVisits = requires(Ks& ks, void (*f)(const int&)) {
  ks.visit(1, f);
};
template <class Ks>
constexpr bool kReads = requires(Ks& ks, void (*f)(const int&, const int&, Instant)) {
  ks.peek(1);
  ks.contains(1);
  ks.pttl(1);
  ks.pexpiretime(1);
  ks.for_each(f);
  ks.for_each_until(Instant(), f);
  ks.size();
  ks.volatile_size();
  ks.empty();
  ks.next_deadline();
  ks.shards();
  ks.clock();
};
// Each of the following constants is false for every kind of const keyspace.
template <class Ks>
constexpr bool kUpdates = requires(Ks& ks, void (*f)(int&)) {
  ks.update(1, f);
};
template <class Ks>
constexpr bool kComputes = requires(Ks& ks, int (*f)()) {
  ks.get_or_compute(1, 1s, f);
};
template <class Ks>
constexpr bool kGetsAndExpires = requires(Ks& ks) {
  ks.getex(1, 1s);
};
template <class Ks>
constexpr bool kGetsAndErases = requires(Ks& ks) {
  ks.getdel(1);
};
template <class Ks>
constexpr bool kSets = requires(Ks& ks) {
  ks.set(1, 1);
};
template <class Ks>
constexpr bool kErases = requires(Ks& ks) {
  ks.erase(1);
};

using PlainInts = ConcurrentKeyspace<int, int, ManualClock>;
using SoonestInts = SharedCache<EarliestDeadline>;
using ListenedInts = ConcurrentKeyspace<int, int, ManualClock,
                                        WithListener<std::function<void(int, int, RemovalCause)>>>;
using ScanResistantInts = SharedCache<>;
using LruInts = SharedCache<Lru>;
using StatisticsInts = ConcurrentKeyspace<int, int, ManualClock, WithStatistics>;

TEMPLATE_TEST_CASE("requests compile on a const ConcurrentKeyspace that they do not change", "",
                   PlainInts, SoonestInts, ListenedInts) {
  STATIC_REQUIRE(kGets<const TestType>);
  STATIC_REQUIRE(kGetsMany<const TestType>);
  STATIC_REQUIRE(kVisits<const TestType>);
}

TEMPLATE_TEST_CASE("requests do not compile on a const ConcurrentKeyspace that they would change",
                   "", ScanResistantInts, LruInts, StatisticsInts, SlidingInts) {
  STATIC_REQUIRE_FALSE(kGets<const TestType>);
  STATIC_REQUIRE_FALSE(kGetsMany<const TestType>);
  STATIC_REQUIRE_FALSE(kVisits<const TestType>);
}

TEMPLATE_TEST_CASE("a const ConcurrentKeyspace has all calls that only read", "", PlainInts,
                   SoonestInts, ListenedInts, ScanResistantInts, LruInts, StatisticsInts,
                   SlidingInts) {
  STATIC_REQUIRE(kReads<const TestType>);
  STATIC_REQUIRE_FALSE(kUpdates<const TestType>);
  STATIC_REQUIRE_FALSE(kComputes<const TestType>);
  STATIC_REQUIRE_FALSE(kGetsAndExpires<const TestType>);
  STATIC_REQUIRE_FALSE(kGetsAndErases<const TestType>);
  STATIC_REQUIRE_FALSE(kSets<const TestType>);
  STATIC_REQUIRE_FALSE(kErases<const TestType>);

  STATIC_REQUIRE(kGets<TestType>);
  STATIC_REQUIRE(kGetsMany<TestType>);
  STATIC_REQUIRE(kVisits<TestType>);
  STATIC_REQUIRE(kReads<TestType>);
  STATIC_REQUIRE(kUpdates<TestType>);
  STATIC_REQUIRE(kComputes<TestType>);
  STATIC_REQUIRE(kGetsAndExpires<TestType>);
  STATIC_REQUIRE(kGetsAndErases<TestType>);
  STATIC_REQUIRE(kSets<TestType>);
  STATIC_REQUIRE(kErases<TestType>);
}

TEST_CASE("peek() and contains() are no requests to statistics") {
  StatisticsInts ks;
  ks.set(1, 1);
  const Statistics before = ks.statistics();
  CHECK(std::as_const(ks).peek(1) == 1);
  CHECK(std::as_const(ks).peek(2) == std::nullopt);
  CHECK(ks.contains(1));
  CHECK_FALSE(ks.contains(2));
  CHECK(ks.statistics() == before);
  CHECK(ks.get(1) == 1);
  CHECK(ks.statistics().hits == before.hits + 1);
}

}  // namespace
}  // namespace keyspace::testing
