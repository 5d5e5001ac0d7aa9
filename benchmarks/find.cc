#include "catch.hpp"
#include "workload.h"

using namespace workload;

TEST_CASE("find, ten thousand of a million keys") {
  const Bare bare = filled_bare();
  const Store persistent = filled_store(Store::kNever);
  const Store expiring = filled_store(kTtl);

  const auto sum_of_bare = [&](const std::vector<std::uint64_t>& wanted) {
    std::uint64_t sum = 0;
    for (const std::uint64_t key : wanted) {
      if (const auto it = bare.find(key); it != bare.end()) sum += it->second;
    }
    return sum;
  };
  const auto sum_of = [](const Store& store, const std::vector<std::uint64_t>& wanted) {
    std::uint64_t sum = 0;
    for (const std::uint64_t key : wanted) {
      if (const std::uint64_t* const value = store.find(key)) sum += *value;
    }
    return sum;
  };

  BENCHMARK("baseline: flat_hash_map::find") { return sum_of_bare(picks()); };
  BENCHMARK("find, persistent keys") { return sum_of(persistent, picks()); };
  BENCHMARK("find, volatile keys") { return sum_of(expiring, picks()); };
  BENCHMARK("baseline: flat_hash_map::find, absent keys") { return sum_of_bare(strangers()); };
  BENCHMARK("find, absent keys") { return sum_of(expiring, strangers()); };
}
