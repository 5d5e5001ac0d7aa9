#include <chrono>
#include <cstddef>
#include <span>

#include "compare.h"
#include "parts.h"
#include "results.h"
#include "support/catch.hpp"
#include "workload.h"

namespace {

using namespace workload;
using results::Goal;

// Erases keys of a map or a keyspace. Returns how many were stored.
template <class Types, class Map>
std::size_t erase_all(Map& map, std::span<const typename Types::Id> order) {
  typename Types::Speller spell;
  return sum_over(order, [&](const auto& id) { return map.erase(spell.key(id)); });
}

// Compares work on full keyspaces with the erasure of every key, in random order, from full maps.
template <class Types, class Work>
void compare_to_erase(const char* name, std::size_t keys, double ratio, Work work) {
  const Ids<Types> ids = random_ids<Types>(keys);
  const Ids<Types> order = shuffled<Types>(ids);
  compare(
      {name, "erase", keys, Types::kName, Goal::ratio_at_most(ratio)}, operations_per_run(keys),
      InParts(
          keys, [&] { return filled_bare<Types>(ids); },
          [&](Bare<Types>& bare, std::size_t part) {
            return erase_all<Types>(bare, part_of(order, part));
          }),
      InParts(
          keys, [&] { return filled_store<Types>(ids, random_ttl); },
          [&](Store<Types>& store, std::size_t part) { return work(store, part_of(order, part)); }),
      schedule_in_parts(keys));
}

template <class Types>
void erase(std::size_t keys) {
  compare_to_erase<Types>("erase volatile", keys, 1.5, [](Store<Types>& store, auto order) {
    return erase_all<Types>(store, order);
  });
}

// Calls erase_expired() once in each millisecond in which keys expire.
template <class Types>
void erase_expired(std::size_t keys) {
  const auto time = kTtl / parts(keys);
  compare_to_erase<Types>("erase_expired every ms", keys, 2, [=](Store<Types>& store, auto) {
    std::size_t erased = 0;
    for (auto left = time; left.count() != 0; --left) {
      store.clock().advance(std::chrono::milliseconds(1));
      erased += store.erase_expired();
    }
    return erased;
  });
}

TEMPLATE_TEST_CASE("erase with 1 k keys", "[1k]", Numbers, Strings) { erase<TestType>(1'000); }
TEMPLATE_TEST_CASE("erase with 1 M keys", "[1M]", Numbers, Strings) { erase<TestType>(1'000'000); }
TEMPLATE_TEST_CASE("erase with 10 M keys", "[10M]", Numbers, Strings) {
  erase<TestType>(10'000'000);
}

// There is no row for 1 k keys, because most calls would find no expired entry.
TEMPLATE_TEST_CASE("erase_expired with 1 M keys", "[1M]", Numbers, Strings) {
  erase_expired<TestType>(1'000'000);
}
TEMPLATE_TEST_CASE("erase_expired with 10 M keys", "[10M]", Numbers, Strings) {
  erase_expired<TestType>(10'000'000);
}

}  // namespace
