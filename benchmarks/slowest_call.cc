#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "listener.h"
#include "results.h"
#include "support/catch.hpp"
#include "workload.h"

namespace {

using namespace workload;

#ifdef NDEBUG
constexpr std::size_t kCalls = 1'000'000;
#else
constexpr std::size_t kCalls = 10'000;
#endif
constexpr std::size_t kLimit = 64;

// Returns the time left of a random entry in a keyspace that gets entries of random_ttl() at a
// steady rate. Short times are more likely than long ones, because the age of the entry is random
// too.
std::chrono::milliseconds left_of_random_ttl(Numbers::Id id) {
  const double longer = std::sqrt(static_cast<double>(id >> 32) / 0x1p32);
  return std::chrono::milliseconds(
      1 + static_cast<std::int64_t>((1 - longer) * static_cast<double>(kTtl.count() - 1)));
}

template <class Call>
double microseconds_of(Call call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

// Computes for about as long as a call takes, and uses no memory. If it sometimes takes longer, the
// machine interrupted it.
volatile std::uint64_t result_of_spin;
void spin() {
  std::uint64_t number = 1;
  for (int i = 0; i != 400; ++i) number = number * 6364136223846793005u + 1;
  result_of_spin = number;
}

// Inserts new keys at the rate at which keys expire, so that the size stays the same and the map
// does not grow. Erases expired keys in between.
void find_slowest_call(std::size_t keys) {
  listener::show_progress("slowest call, " + results::short_count(keys) + " keys");
  auto store = reserved<Store<Numbers>>(keys);
  // Every 65.5 s the timer wheel distributes the records of the next 65.5 s to finer slots. It does
  // so once during this measurement.
  store.clock().advance(std::chrono::milliseconds(65'536 - 3'000));
  fill<Numbers, keyspace::ManualClock>(store, random_ids<Numbers>(keys), left_of_random_ttl);
  // The mean ttl is half of kTtl.
  const std::size_t sets_per_millisecond = std::max<std::size_t>(1, 2 * keys / kTtl.count());

  std::vector<double> times;
  std::vector<double> spins;
  times.reserve(kCalls);
  spins.reserve(kCalls);
  std::size_t sets = 0;
  for (const Numbers::Id id : random_ids<Numbers>(kCalls / 2, /*seed=*/2)) {
    if (sets++ % sets_per_millisecond == 0) store.clock().advance(std::chrono::milliseconds(1));
    times.push_back(microseconds_of([&] { store.erase_expired(kLimit); }));
    spins.push_back(microseconds_of(spin));
    times.push_back(microseconds_of([&] { store.set(id, id, random_ttl(id)); }));
    spins.push_back(microseconds_of(spin));
  }
  std::sort(times.begin(), times.end());
  std::sort(spins.begin(), spins.end());

  const auto add_figure = [&](const char* name, double share, results::Goal goal) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(kCalls)));
    results::add_figure({std::string("erase_expired(64), set: ") + name, "a spin", keys,
                         Numbers::kName, goal, "us"},
                        spins[rank - 1], times[rank - 1]);
  };
  add_figure("p50", 0.5, {});
  add_figure("p99", 0.99, {});
  add_figure("p99.9", 0.999, {});
  add_figure("p99.99", 0.9999, results::Goal::at_most(20));
  add_figure("max", 1, {});
}

TEST_CASE("slowest call with 1 M keys", "[1M]") { find_slowest_call(1'000'000); }
TEST_CASE("slowest call with 10 M keys", "[10M]") { find_slowest_call(10'000'000); }

}  // namespace
