#include "model/model.h"

#include <cstdint>
#include <random>
#include <vector>

#include "model/kinds.h"
#include "model/random_streams.h"
#include "support/catch.hpp"
#include "support/length.h"

namespace keyspace::testing {
namespace {

TEST_CASE("numbers by number agree with the model", "[long]") {
  run_random_streams<Numbers>(1'000'000);
}
TEST_CASE("texts by text agree with the model", "[long]") { run_random_streams<Texts>(400'000); }
TEST_CASE("move-only values under a hash that may throw agree with the model", "[long]") {
  run_random_streams<MoveOnly>(250'000);
}
TEST_CASE("keys and values whose moves may throw agree with the model", "[long]") {
  run_random_streams<Boxed>(250'000);
}
TEST_CASE("keys that share three hashes agree with the model", "[long]") {
  run_random_streams<Colliding>(150'000);
}

TEST_CASE("caches that evict the soonest deadline agree with the model", "[long]") {
  run_random_streams<Cached<Numbers, EarliestDeadline>>(150'000);
  run_random_streams<Cached<Texts, EarliestDeadline, true>>(100'000);
  run_random_streams<Cached<Colliding, EarliestDeadline>>(50'000);
}
TEST_CASE("caches that evict the least recently used entry agree with the model", "[long]") {
  run_random_streams<Cached<Numbers, Lru>>(150'000);
  run_random_streams<Cached<Boxed, Lru, true>>(100'000);
  run_random_streams<Cached<Colliding, Lru>>(50'000);
}
TEST_CASE("scan-resistant caches agree with the model", "[long]") {
  run_random_streams<Cached<Numbers, ScanResistant>>(150'000);
  run_random_streams<Cached<Texts, ScanResistant, true>>(100'000);
  run_random_streams<Cached<MoveOnly, ScanResistant>>(50'000);
  run_random_streams<Cached<Colliding, ScanResistant, true>>(50'000);
}

TEST_CASE("short streams agree with the model if everything is checked at every step", "[long]") {
  std::mt19937_64 random(7);
  const int streams = shortened(300);
  for (int stream = 0; stream < streams; ++stream) {
    std::vector<std::uint8_t> bytes(random() % 600);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    CAPTURE(stream);
    try {
      Model<Numbers>(bytes, {.whole_state = 1, .invariants = 1}).run();
      Model<Colliding>(bytes, {.whole_state = 1, .invariants = 1}).run();
      Model<Cached<Numbers, EarliestDeadline, true>>(bytes, {.whole_state = 1, .invariants = 1})
          .run();
      Model<Cached<Colliding, Lru, true>>(bytes, {.whole_state = 1, .invariants = 1}).run();
      Model<Cached<Texts, ScanResistant>>(bytes, {.whole_state = 1, .invariants = 1}).run();
    } catch (const Mismatch& mismatch) {
      FAIL(mismatch.what());
    }
  }
}

}  // namespace
}  // namespace keyspace::testing
