#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "compare.h"
#include "results.h"
#include "support/catch.hpp"
#include "workload.h"

namespace {

using namespace workload;

constexpr std::size_t kBatch = 256;
using Found = std::array<std::uint64_t*, kBatch>;

// Calls look_up(keys, found) for each batch of the picks, and reads the values that were found.
template <class LookUp>
std::uint64_t in_batches(std::span<const Numbers::Id> picks, LookUp look_up) {
  Found found;
  std::uint64_t sum = 0;
  for (; picks.size() >= kBatch; picks = picks.subspan(kBatch)) {
    look_up(picks.first(kBatch), found);
    for (const std::uint64_t* const value : found) sum += *value;
  }
  return sum;
}

void look_up_batches(std::size_t keys) {
  const Ids<Numbers> ids = random_ids<Numbers>(keys);
  Rotation<Numbers> picks(picks_of<Numbers>(ids));
  Store<Numbers> store = filled_store<Numbers>(ids, same_ttl);

  compare(
      {"mget of 256 keys", "find in a loop", keys, Numbers::kName,
       results::Goal::ratio_at_least(1.5), "M/s"},
      Rotation<Numbers>::kSize / kBatch * kBatch,
      [&] {
        return in_batches(picks.next(), [&](std::span<const Numbers::Id> batch, Found& found) {
          auto out = found.begin();
          for (const Numbers::Id id : batch) *out++ = store.find(id);
        });
      },
      [&] {
        return in_batches(picks.next(), [&](std::span<const Numbers::Id> batch, Found& found) {
          store.mget(batch, found.begin());
        });
      });
}

TEST_CASE("look up batches with 1 M keys", "[1M]") { look_up_batches(1'000'000); }
TEST_CASE("look up batches with 10 M keys", "[10M]") { look_up_batches(10'000'000); }

}  // namespace
