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

// How often the baseline and our work take turns: a round is as many turns as it takes to see all
// of a work, and has the mean of their times.
struct Schedule {
  int rounds;
  int turns;
};

// Without optimization the figures say nothing, and one turn shows that the suite runs.
inline Schedule in_optimized_build(Schedule schedule) {
#ifdef NDEBUG
  return schedule;
#else
  static_cast<void>(schedule);
  return {1, 1};
#endif
}

// For a work that is the same in every turn.
inline Schedule usual_schedule(std::size_t keys) {
  return in_optimized_build({keys <= 1'000 ? 9 : keys <= 1'000'000 ? 5 : 3, 1});
}

// Runs the work as a benchmark, and returns how many nanoseconds one run takes; nullopt if Catch2
// has been told to skip benchmarks. The work takes a chronometer, or else is timed as a whole.
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

// Measures the baseline and our work in turns, so that what disturbs the machine disturbs both, and
// takes down the result. A run consists of so many operations, of which the figure is the time of
// one: in nanoseconds, or how many million there are in a second if that is the row's unit.
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
