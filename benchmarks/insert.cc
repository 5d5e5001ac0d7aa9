#include <cstddef>

#include "compare.h"
#include "parts.h"
#include "results.h"
#include "support/catch.hpp"
#include "workload.h"

namespace {

using namespace workload;

template <class Types>
void insert(std::size_t keys) {
  const Ids<Types> ids = random_ids<Types>(keys);
  compare({"insert with a random ttl", "try_emplace", keys, Types::kName,
           results::Goal::ratio_at_most(1.8)},
          operations_per_run(keys),
          InParts(
              keys, [&] { return reserved<Bare<Types>>(keys); },
              [&](Bare<Types>& bare, std::size_t part) {
                return fill<Types>(bare, part_of(ids, part));
              }),
          InParts(
              keys, [&] { return reserved<Store<Types>>(keys); },
              [&](Store<Types>& store, std::size_t part) {
                return fill<Types, keyspace::ManualClock>(store, part_of(ids, part), random_ttl);
              }),
          schedule_in_parts(keys));
}

TEMPLATE_TEST_CASE("insert with 1 k keys", "[1k]", Numbers, Strings) { insert<TestType>(1'000); }
TEMPLATE_TEST_CASE("insert with 1 M keys", "[1M]", Numbers, Strings) {
  insert<TestType>(1'000'000);
}
TEMPLATE_TEST_CASE("insert with 10 M keys", "[10M]", Numbers, Strings) {
  insert<TestType>(10'000'000);
}

}  // namespace
