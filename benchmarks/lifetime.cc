#include "catch.hpp"
#include "workload.h"

using namespace workload;

// From the insertion to the end of a million keys, as ratios of whole lives.
TEST_CASE("a million keys come and go") {
  BENCHMARK("baseline: flat_hash_map, emplace and erase by key") {
    Bare bare = filled_bare();
    for (const std::uint64_t key : keys()) bare.erase(key);
    return bare.size();
  };
  BENCHMARK("set with a ttl, and erase by key") {
    Store store = filled_store(kTtl);
    for (const std::uint64_t key : keys()) store.erase(key);
    return store.size();
  };
  BENCHMARK("set with ttls over ten minutes, and erase_expired every millisecond") {
    Store store;
    store.reserve(kKeys);
    for (const std::uint64_t key : keys()) {
      store.set(key, key, std::chrono::milliseconds(1 + key % 600'000));
    }
    while (const auto next = store.next_deadline()) {
      store.clock().set(*next);
      store.erase_expired();
    }
    return store.size();
  };
}
