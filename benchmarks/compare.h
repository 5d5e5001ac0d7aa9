#ifndef KEYSPACE_BENCHMARKS_COMPARE_H_
#define KEYSPACE_BENCHMARKS_COMPARE_H_

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "listener.h"
#include "results.h"
#include "support/catch.hpp"

// The number of rounds, and of turns in a round. In each turn the baseline runs, and then our work.
// A round has enough turns to do all parts of the work. Its figure is the mean time of its turns.
struct Schedule {
  int rounds;
  int turns;
};

// Returns one round of one turn without optimization. The figures then mean nothing, and one turn
// shows that the suite runs.
inline Schedule in_optimized_build(Schedule schedule) {
#ifdef NDEBUG
  return schedule;
#else
  static_cast<void>(schedule);
  return {1, 1};
#endif
}

// Returns the schedule for work that is the same in every turn.
inline Schedule usual_schedule(std::size_t keys) {
  return in_optimized_build({keys <= 1'000 ? 9 : keys <= 1'000'000 ? 5 : 3, 1});
}

// Runs the work as a benchmark. Returns the time of one run in nanoseconds; nullopt if Catch2 skips
// benchmarks. The work takes a chronometer, or is timed as a whole.
template <class Work>
std::optional<double> time_of(const std::string& name, Work& work) {
  BENCHMARK_ADVANCED(std::string(name))(Catch::Benchmark::Chronometer meter) {
    if constexpr (std::invocable<Work&, Catch::Benchmark::Chronometer>) {
      work(meter);
    } else {
      meter.measure(work);
    }
  };
  return listener::time_of(name);
}

// Measures the baseline and our work in turns, so that a disturbance of the machine affects both.
// Stores the result. A run consists of `operations` operations. The figure is the time of one
// operation in nanoseconds. If the row's unit is "M/s", it is millions of operations in a second.
template <class Base, class Ours>
void compare(const results::Row& row, std::size_t operations, Base base, Ours ours,
             Schedule schedule) {
  const std::string work = row.work + ", " + results::short_count(row.keys) + " keys, " + row.types;
  listener::show_progress(work);

  const auto figure = [&](double nanoseconds) {
    const double each = nanoseconds / static_cast<double>(operations) / schedule.turns;
    return row.unit == "M/s" ? 1'000 / each : each;
  };
  std::vector<results::Round> rounds;
  for (int round = 1; round <= schedule.rounds; ++round) {
    double base_time = 0;
    double our_time = 0;
    for (int turn = 1; turn <= schedule.turns; ++turn) {
      const std::string name =
          work + ", round " + std::to_string(round) + ", turn " + std::to_string(turn);
      const auto base_turn = time_of(name + ", " + row.baseline, base);
      const auto our_turn = time_of(name, ours);
      if (!base_turn || !our_turn) FAIL("The benchmark failed, or was left out: " << name);
      base_time += *base_turn;
      our_time += *our_turn;
    }
    rounds.push_back({figure(base_time), figure(our_time)});
  }
  results::add({row, std::move(rounds)});
}
template <class Base, class Ours>
void compare(const results::Row& row, std::size_t operations, Base base, Ours ours) {
  compare(row, operations, std::move(base), std::move(ours), usual_schedule(row.keys));
}

#endif  // KEYSPACE_BENCHMARKS_COMPARE_H_
