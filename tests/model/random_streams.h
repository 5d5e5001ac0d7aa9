#ifndef KEYSPACE_TESTS_MODEL_RANDOM_STREAMS_H_
#define KEYSPACE_TESTS_MODEL_RANDOM_STREAMS_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>
#include <vector>

#include "model/model.h"
#include "support/catch.hpp"
#include "support/length.h"

namespace keyspace::testing {

// Checks a kind of keyspace with random streams of 50 to 100,000 bytes, until at least
// shortened(full) steps are done. In long streams, stale records pile up and are collected.
template <class Kind>
void run_random_streams(std::size_t full) {
  static constexpr std::size_t kLengths[] = {50, 400, 3000, 20'000, 100'000};
  const std::size_t least = shortened(full);
  std::mt19937_64 random(20'240'229);
  std::size_t steps = 0;
  for (std::size_t stream = 0; steps < least; ++stream) {
    std::vector<std::uint8_t> bytes(kLengths[stream % std::size(kLengths)]);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    CAPTURE(stream);
    try {
      // The checks are slow, so they are rare. The periods are primes, so that they rarely coincide
      // with other periods.
      steps += Model<Kind>(bytes, {.whole_state = 67, .invariants = 131}).run();
    } catch (const Mismatch& mismatch) {
      FAIL(mismatch.what());
    }
  }
  CHECK(steps >= least);
}

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_MODEL_RANDOM_STREAMS_H_
