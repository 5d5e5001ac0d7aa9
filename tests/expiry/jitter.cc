#include <keyspace/clock.h>
#include <keyspace/jitter.h>
#include <keyspace/keyspace.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <type_traits>

#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;
using keyspace::Jitter;
using std::chrono::milliseconds;

TEST_CASE("Jitter returns each possible ttl about equally often") {
  Jitter jitter(0.5);
  std::map<milliseconds, int> counts;
  for (int i = 0; i != 60'000; ++i) ++counts[jitter(10ms)];
  REQUIRE(counts.size() == 6);
  CHECK(counts.begin()->first == 5ms);
  CHECK(counts.rbegin()->first == 10ms);
  for (const auto& [ttl, count] : counts) {
    INFO(ttl.count());
    CHECK(count > 9'500);
    CHECK(count < 10'500);
  }
}

TEST_CASE("A part of 0 returns the same ttl, and a part of 1 returns at least a millisecond") {
  Jitter none(0);
  Jitter all(1);
  std::map<milliseconds, int> counts;
  for (int i = 0; i != 1'000; ++i) {
    CHECK(none(10min) == 10min);
    CHECK(all(1ms) == 1ms);
    ++counts[all(3ms)];
  }
  REQUIRE(counts.size() == 3);
  CHECK(counts.begin()->first == 1ms);
  CHECK(counts.rbegin()->first == 3ms);
}

TEST_CASE("Jitter does not change kNever, nor a ttl of zero or less") {
  Jitter jitter(1);
  CHECK(jitter(milliseconds::max()) == milliseconds::max());
  CHECK(jitter(0ms) == 0ms);
  CHECK(jitter(-5ms) == -5ms);
  CHECK(jitter(milliseconds::min()) == milliseconds::min());
}

TEST_CASE("A ttl that is too long for milliseconds saturates before it is shortened") {
  CHECK(Jitter(0)(std::chrono::hours::max()) == milliseconds::max() - 1ms);
  Jitter jitter(1);
  for (int i = 0; i != 1'000; ++i) {
    const milliseconds ttl = jitter(std::chrono::hours::max());
    CHECK(ttl > 0ms);
    CHECK(ttl < milliseconds::max());
  }
  CHECK(Jitter(0)(std::chrono::hours::min()) == milliseconds::min());
}

TEST_CASE("A seed always gives the same ttls, and another seed gives others") {
  // SplitMix64 with the seed 0 begins with 0xe220a8397b1dcdaf and 0x6e789e6aa1b965f4.
  Jitter jitter(1);
  CHECK(jitter(1h) == 1h - milliseconds(0xe220a8397b1dcdaf % 3'600'000));
  CHECK(jitter(1h) == 1h - milliseconds(0x6e789e6aa1b965f4 % 3'600'000));
  CHECK(Jitter(1, 7)(1h) == Jitter(1, 7)(1h));
  CHECK(Jitter(1, 7)(1h) != Jitter(1, 8)(1h));
}

TEST_CASE("Entries that are stored together with jitter expire a few at a time") {
  keyspace::ManualClock clock;
  keyspace::Keyspace<int, int, keyspace::ManualClock> store(clock);
  Jitter jitter(0.1);
  for (int key = 0; key != 10'000; ++key) store.set(key, key, jitter(10s));
  clock.advance(9s - 1ms);
  CHECK(store.erase_expired() == 0);
  std::size_t most = 0;
  for (int i = 0; i <= 1'000; ++i) {
    clock.advance(1ms);
    most = std::max(most, store.erase_expired());
  }
  CHECK(store.empty());
  CHECK(most < 40);  // the mean is 10
}

TEST_CASE("Jitter works at compile time, and refuses finer units") {
  constexpr milliseconds ttl = Jitter(0.25, 3)(1s);
  STATIC_REQUIRE(ttl >= 750ms);
  STATIC_REQUIRE(ttl <= 1s);
  STATIC_REQUIRE_FALSE(std::is_invocable_v<Jitter&, std::chrono::microseconds>);
  STATIC_REQUIRE_FALSE(std::is_invocable_v<Jitter&, std::chrono::duration<double>>);
}

}  // namespace
