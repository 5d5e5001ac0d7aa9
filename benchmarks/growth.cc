#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "counting_allocator.h"
#include "listener.h"
#include "results.h"
#include "support/catch.hpp"
#include "svg.h"
#include "workload.h"

// How long single calls take while a map grows from empty, and while it shrinks again.
//
// The measurements of time run five times, with the same keys in the same order. The time of a call
// is the least of the five. This removes most interruptions by the machine.
namespace {

using namespace workload;
using results::Goal;

constexpr int kRuns = 5;
constexpr std::size_t kLimit = 64;

using Growing = keyspace::Keyspace<
    std::uint64_t, std::uint64_t, keyspace::ManualClock,
    keyspace::WithAllocator<CountingAllocator<std::pair<const std::uint64_t, std::uint64_t>>>>;

// The time of each call, in microseconds: the least of all runs.
class Times {
 public:
  // Begins a run. The n-th calls of all runs do the same work.
  void begin_run() { next_ = 0; }

  template <class Call>
  void time(const Call& call) {
    const auto start = std::chrono::steady_clock::now();
    call();
    const auto time =
        std::chrono::duration<float, std::micro>(std::chrono::steady_clock::now() - start).count();
    if (next_ == times_.size()) {
      times_.push_back(time);
    } else {
      times_[next_] = std::min<float>(times_[next_], time);
    }
    ++next_;
  }

  const std::vector<float>& all() const { return times_; }
  double longest() const { return *std::max_element(times_.begin(), times_.end()); }
  double mean() const {
    double sum = 0;
    for (const float time : times_) sum += time;
    return sum / static_cast<double>(times_.size());
  }
  // Returns the time that this share of the calls does not exceed.
  double percentile(double share) const {
    std::vector<float> sorted = times_;
    std::sort(sorted.begin(), sorted.end());
    const auto rank = std::ceil(share * static_cast<double>(sorted.size()));
    return sorted[static_cast<std::size_t>(rank) - 1];
  }

 private:
  std::vector<float> times_;
  std::size_t next_ = 0;
};

// Calls put(map, id) for all ids, on a new map in each run. Returns the times.
template <class Map, class Put>
Times times_of_growth(const Ids<Numbers>& ids, const Put& put) {
  Times times;
  for (int run = 0; run != kRuns; ++run) {
    Map map;
    times.begin_run();
    for (const Numbers::Id id : ids) {
      times.time([&] { put(map, id); });
    }
  }
  return times;
}

void set(Growing& store, Numbers::Id id) { store.set(id, id, random_ttl(id)); }

void add_row(const std::string& work, std::size_t keys, Goal goal, const char* unit,
             std::optional<double> base, double ours) {
  results::add_figure({work, base ? "flat_hash_map" : "", keys, Numbers::kName, goal, unit}, base,
                      ours);
}

// Draws the longest call of each span, on logarithmic scales. A span is a twentieth as long as all
// calls before it.
void draw(const std::string& file,
          const std::array<std::pair<const char*, const Times*>, 3>& maps) {
  std::ofstream out(file);
  constexpr int kWidth = 860;
  constexpr int kHeight = 400;
  constexpr double kLeft = 70;
  constexpr double kBottom = 350;
  constexpr double kLeastKeys = 3;  // powers of ten
  constexpr double kLeastTime = -1;
  constexpr std::array<const char*, 3> kStyles = {"ours", "flat", "node"};
  svg::Drawing drawing(out, kWidth, kHeight,
                       "  polyline { fill: none; stroke-width: 2; }\n"
                       "  .ours { stroke: #0969da; }\n  .flat { stroke: #cf222e; }\n"
                       "  .node { stroke: #8250df; }\n",
                       "    .ours { stroke: #4493f8; }\n    .flat { stroke: #f85149; }\n"
                       "    .node { stroke: #ab7df8; }\n");
  const auto x_of = [](double keys) { return kLeft + (std::log10(keys) - kLeastKeys) * 185; };
  const auto y_of = [](double time) { return kBottom - (std::log10(time) - kLeastTime) * 42; };
  drawing.text(20, 24, "", "The longest insertion while a map grows, by the number of its keys");
  constexpr std::array<const char*, 8> kTimes = {"100 ns", "1 us",  "10 us",  "100 us",
                                                 "1 ms",   "10 ms", "100 ms", "1 s"};
  for (std::size_t i = 0; i != kTimes.size(); ++i) {
    const double y = y_of(std::pow(10, kLeastTime + static_cast<double>(i)));
    drawing.line(kLeft, y, kWidth - 40, y, "line");
    drawing.text(15, y + 4, "quiet", kTimes[i]);
  }
  for (const auto& [keys, name] :
       {std::pair(1e3, "1 k"), {1e4, "10 k"}, {1e5, "100 k"}, {1e6, "1 M"}, {1e7, "10 M"}}) {
    drawing.text(x_of(keys) - 10, kBottom + 20, "quiet", name);
  }
  for (std::size_t i = 0; i != maps.size(); ++i) {
    const std::vector<float>& times = maps[i].second->all();
    std::vector<std::pair<double, double>> points;
    for (std::size_t first = 1000; first < times.size();) {
      const std::size_t last = std::min<std::size_t>(first + first / 20, times.size());
      const auto longest = *std::max_element(times.begin() + static_cast<std::ptrdiff_t>(first),
                                             times.begin() + static_cast<std::ptrdiff_t>(last));
      points.emplace_back(x_of(static_cast<double>(first)), y_of(std::max<float>(longest, 0.1F)));
      first = last;
    }
    drawing.path(points, kStyles[i]);
    drawing.line(330 + 170 * static_cast<double>(i), 45, 350 + 170 * static_cast<double>(i), 45,
                 kStyles[i]);
    drawing.text(355 + 170 * static_cast<double>(i), 49, "", maps[i].first);
  }
}

void measure_growth(std::size_t keys, double longest_goal) {
  listener::show_progress("growth, " + results::short_count(keys) + " keys");
  const Ids<Numbers> ids = random_ids<Numbers>(keys);
  const Times bare = times_of_growth<Bare<Numbers>>(
      ids, [](auto& map, Numbers::Id id) { map.insert_or_assign(id, id); });
  const Times ours = times_of_growth<Growing>(ids, set);
  add_row("growing set: longest", keys, Goal::at_most(longest_goal), "us", bare.longest(),
          ours.longest());
  add_row("growing set: p99.99", keys, Goal::at_most(10), "us", bare.percentile(0.9999),
          ours.percentile(0.9999));
  add_row("growing set: mean", keys, {}, "ns", 1000 * bare.mean(), 1000 * ours.mean());

  const std::size_t before = counted_bytes;
  peak_of_counted_bytes = counted_bytes;
  Growing store;
  for (const Numbers::Id id : ids) set(store, id);
  add_row("growth: most bytes / bytes after it", keys, Goal::at_most(1.6), "", std::nullopt,
          static_cast<double>(peak_of_counted_bytes - before) /
              static_cast<double>(counted_bytes - before));
  store.clock().advance(kTtl);
  while (store.erase_expired(kLimit) != 0) {
  }
  add_row("bytes after all keys expired", keys, Goal::at_most(1 << 20), "B", std::nullopt,
          static_cast<double>(counted_bytes - before));

  const char* const file = std::getenv("KEYSPACE_GROWTH_SVG");
  if (file == nullptr || keys < 10'000'000) return;
  const Times nodes = times_of_growth<std::unordered_map<std::uint64_t, std::uint64_t>>(
      ids, [](auto& map, Numbers::Id id) { map.insert_or_assign(id, id); });
  draw(file, {{{"Keyspace::set with a ttl", &ours},
               {"flat_hash_map", &bare},
               {"std::unordered_map", &nodes}}});
}

// Erases all keys of a keyspace, by time and one by one.
void measure_shrinking(std::size_t keys, double goal) {
  listener::show_progress("shrinking, " + results::short_count(keys) + " keys");
  const Ids<Numbers> ids = random_ids<Numbers>(keys);
  Times expired;
  Times erased;
  for (int run = 0; run != kRuns; ++run) {
    Growing store;
    for (const Numbers::Id id : ids) set(store, id);
    expired.begin_run();
    while (!store.empty()) {
      store.clock().advance(std::chrono::milliseconds(1 + kTtl.count() * kLimit / (2 * keys)));
      expired.time([&] { store.erase_expired(kLimit); });
    }
    for (const Numbers::Id id : ids) set(store, id);
    erased.begin_run();
    for (const Numbers::Id id : ids) {
      erased.time([&] { store.erase(id); });
    }
  }
  add_row("shrinking: longest erase_expired(64)", keys, Goal::at_most(goal), "us", std::nullopt,
          expired.longest());
  add_row("shrinking: longest erase", keys, Goal::at_most(goal), "us", std::nullopt,
          erased.longest());
}

// Compares look-ups in the middle of a move with look-ups after it. A move begins at 819,200 keys,
// 25/32 of 2^20.
TEST_CASE("find while the map grows", "[1M]") {
  constexpr std::size_t kFull = 819'200;
  const Ids<Numbers> ids = random_ids<Numbers>(kFull + 50'000);
  listener::show_progress("find while the map grows");
  Growing store;
  std::size_t count = 0;
  const auto grow_to = [&](std::size_t size) {
    for (; count != size; ++count) set(store, ids[count]);
  };
  const auto nanoseconds_of_find = [&] {
    Random random(5);
    const Ids<Numbers> picks = picks_of<Numbers>({ids.begin(), ids.begin() + kFull});
    double least = std::numeric_limits<double>::max();
    for (int run = 0; run != kRuns; ++run) {
      const auto start = std::chrono::steady_clock::now();
      const std::uint64_t sum = sum_over(picks, [&](Numbers::Id id) { return *store.find(id); });
      const std::chrono::duration<double, std::nano> time =
          std::chrono::steady_clock::now() - start;
      REQUIRE(sum != 0);
      least = std::min<double>(least, time.count() / kPicks);
    }
    return least;
  };
  grow_to(kFull);
  std::vector<double> while_growing;
  for (const std::size_t moved : {1U, 2U, 3U}) {  // quarters of the move, of kFull / 32 insertions
    grow_to(kFull + moved * kFull / 128);
    while_growing.push_back(nanoseconds_of_find());
  }
  grow_to(ids.size());
  results::add_figure({"find while the map grows", "find later", kFull, Numbers::kName,
                       Goal::ratio_at_most(1.6), "ns"},
                      nanoseconds_of_find(),
                      (while_growing[0] + while_growing[1] + while_growing[2]) / 3);
}

TEST_CASE("growth to 1 M keys", "[1M]") { measure_growth(1'000'000, 200); }
TEST_CASE("growth to 10 M keys", "[10M]") { measure_growth(10'000'000, 2'000); }
TEST_CASE("shrinking from 1 M keys", "[1M]") { measure_shrinking(1'000'000, 2'000); }
TEST_CASE("shrinking from 10 M keys", "[10M]") { measure_shrinking(10'000'000, 2'000); }

}  // namespace
