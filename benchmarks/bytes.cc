#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "counting_allocator.h"
#include "listener.h"
#include "results.h"
#include "support/catch.hpp"
#include "workload.h"

namespace {

using namespace workload;
using results::Goal;

using Allocator = CountingAllocator<std::pair<const std::uint64_t, std::uint64_t>>;
using CountedBare = absl::flat_hash_map<std::uint64_t, std::uint64_t, Bare<Numbers>::hasher,
                                        Bare<Numbers>::key_equal, Allocator>;
using CountedStore = keyspace::Keyspace<std::uint64_t, std::uint64_t, keyspace::ManualClock,
                                        keyspace::WithAllocator<Allocator>>;

TEST_CASE("bytes with 1 M keys", "[1M]") {
  constexpr std::size_t kKeys = 1'000'000;
  const Ids<Numbers> ids = random_ids<Numbers>(kKeys);
  listener::show_progress("bytes, 1 M keys");

  const auto per_key = [](std::size_t count) { return static_cast<double>(count) / kKeys; };

  auto bare = reserved<CountedBare>(kKeys);
  for (const Numbers::Id id : ids) bare.try_emplace(id, id);
  const double base = per_key(counted_bytes);
  const double slots = per_key(bare.bucket_count());

  const auto add_figure = [&](const char* work, std::size_t before, Goal goal) {
    results::add_figure({work, "flat_hash_map", kKeys, Numbers::kName, goal, "B"}, base,
                        per_key(counted_bytes - before));
  };
  {
    const std::size_t before = counted_bytes;
    auto store = reserved<CountedStore>(kKeys);
    for (const Numbers::Id id : ids) store.set(id, id);
    add_figure("bytes per persistent key", before, Goal::at_most(base + 8 * slots));
  }
  const std::size_t before = counted_bytes;
  auto store = reserved<CountedStore>(kKeys);
  for (const Numbers::Id id : ids) store.set(id, id, random_ttl(id));
  add_figure("bytes per volatile key", before, Goal::at_most(base + 36));
  // Each sooner deadline leaves a stale record. There may be two stale records for each key.
  for (std::uint64_t run = 1; run <= 30; ++run) {
    for (const Numbers::Id id : ids) store.pexpire(id, random_ttl(id * (2 * run + 1)));
  }
  add_figure("bytes, after 30 random deadlines each", before, {});
}

}  // namespace
