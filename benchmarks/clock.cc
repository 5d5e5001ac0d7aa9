#include <keyspace/clock.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "compare.h"
#include "results.h"
#include "support/catch.hpp"

namespace {

using results::Goal;

template <class Clock>
std::uint64_t read_often() {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i != 100'000; ++i) {
    sum += static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
  }
  return sum;
}

template <class Ours, class Exact>
void compare_clocks(const char* work, const char* baseline, Goal goal) {
  compare({work, baseline, 1'000, "now()", goal}, 100'000, read_often<Exact>, read_often<Ours>);
}

TEST_CASE("clock", "[1k]") {
  compare_clocks<keyspace::SteadyClock, std::chrono::steady_clock>(
      "SteadyClock", "std::chrono::steady_clock", Goal::ratio_at_most(0.5));
  compare_clocks<keyspace::SystemClock, std::chrono::system_clock>("SystemClock",
                                                                   "std::chrono::system_clock", {});
  compare_clocks<keyspace::CoarseClock, std::chrono::steady_clock>("CoarseClock",
                                                                   "std::chrono::steady_clock", {});
}

}  // namespace
