#include "catch.hpp"
#include "workload.h"

using namespace workload;

TEST_CASE("change, ten thousand of a million keys") {
  Bare bare = filled_bare();
  Store store = filled_store(kTtl);
  std::uint64_t round = 0;
  // Later each time, as under a clock that moves.
  const auto later = [&] { return kTtl + std::chrono::milliseconds(++round); };

  BENCHMARK("baseline: flat_hash_map::find and store") {
    ++round;
    for (const std::uint64_t key : picks()) bare.find(key)->second = round;
    return round;
  };
  BENCHMARK("pexpire to a later deadline") {
    const auto ttl = later();
    std::size_t set = 0;
    for (const std::uint64_t key : picks()) set += store.pexpire(key, ttl);
    return set;
  };
  BENCHMARK("getex") {
    const auto ttl = later();
    std::uint64_t sum = 0;
    for (const std::uint64_t key : picks()) sum += *store.getex(key, ttl);
    return sum;
  };
  BENCHMARK("pexpire to a random deadline") {
    ++round;
    std::size_t set = 0;
    for (const std::uint64_t key : picks()) {
      const std::uint64_t ttl = 1 + (key + round * 7919) % 600'000;
      set += store.pexpire(key, std::chrono::milliseconds(ttl));
    }
    return set;
  };

  BENCHMARK("baseline: flat_hash_map::insert_or_assign over existing keys") {
    ++round;
    for (const std::uint64_t key : picks()) bare.insert_or_assign(key, round);
    return round;
  };
  BENCHMARK("set with a ttl over existing keys") {
    const auto ttl = later();
    for (const std::uint64_t key : picks()) store.set(key, round, ttl);
    return round;
  };
}
