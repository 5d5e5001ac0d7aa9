#ifndef KEYSPACE_BENCHMARKS_PARTS_H_
#define KEYSPACE_BENCHMARKS_PARTS_H_

#include <cstddef>
#include <cstdlib>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "compare.h"
#include "support/catch.hpp"

// Works that use a container up: that fill it or empty it. Large containers take long to prepare,
// so a run of the benchmark does a part of the work, and the next run goes on from there; small
// ones are done too soon to be timed, so a run does the whole work on many.
//
// The parts are not alike: to erase the last keys may take longer than the first. Before Catch2
// measures a run it makes one that it does not count, so five turns see ten parts and measure every
// second.

inline std::size_t parts(std::size_t keys) { return keys <= 1'000 ? 1 : 10; }
inline std::size_t containers(std::size_t keys) { return keys <= 1'000 ? 64 : 1; }

inline Schedule schedule_in_parts(std::size_t keys) {
  return in_optimized_build({keys <= 1'000       ? 9
                             : keys <= 1'000'000 ? 3
                                                 : 1,
                             static_cast<int>((parts(keys) + 1) / 2)});
}

inline std::size_t operations_per_run(std::size_t keys) {
  return keys / parts(keys) * containers(keys);
}

template <class Id>
std::span<const Id> part_of(const std::vector<Id>& ids, std::size_t part) {
  const std::size_t size = ids.size() / parts(ids.size());
  return std::span(ids).subspan(part * size, size);
}

// Has glibc's allocator join the blocks that were freed so far, which it puts off until the next
// large request or release. Each work pays for its own: without this, a baseline that frees small
// blocks left that to the keyspace, which now and then frees a larger one.
inline void settle_heap() {
  void* volatile block = std::malloc(4096);
  std::free(block);
}

// A benchmark of work(container, part), with part from 0 to parts(keys) - 1, on containers that
// come from make(). Neither make() nor destruction is measured. The work returns how many keys it
// has dealt with; all parts together must deal with all keys.
template <class Make, class Work>
class InParts {
 public:
  InParts(std::size_t keys, Make make, Work work)
      : keys_(keys), make_(std::move(make)), work_(std::move(work)) {}

  void operator()(Catch::Benchmark::Chronometer meter) {
    std::vector<Step> steps;
    for (int run = 0; run != meter.runs(); ++run) steps.push_back(next_step());

    auto step = steps.begin();
    meter.measure([&] {
      const auto [herd, part] = *step++;
      for (auto& container : herd->containers) herd->done += work_(container, part);
      settle_heap();
      return herd->done;
    });
    while (herds_.size() > 1) finish_first();
    if (next_part_ == parts(keys_)) finish_first();
  }

 private:
  struct Herd {
    std::vector<decltype(std::declval<Make&>()())> containers;
    std::size_t done = 0;
  };
  struct Step {
    Herd* herd;
    std::size_t part;
  };

  Step next_step() {
    if (herds_.empty() || next_part_ == parts(keys_)) {
      Herd& herd = herds_.emplace_back();
      herd.containers.reserve(containers(keys_));
      while (herd.containers.size() != containers(keys_)) herd.containers.push_back(make_());
      next_part_ = 0;
    }
    return {&herds_.back(), next_part_++};
  }

  void finish_first() {
    REQUIRE(herds_.front().done == keys_ * containers(keys_));
    herds_.pop_front();
  }

  const std::size_t keys_;
  Make make_;
  Work work_;
  std::deque<Herd> herds_;
  std::size_t next_part_ = 0;
};

#endif  // KEYSPACE_BENCHMARKS_PARTS_H_
