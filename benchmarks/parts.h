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

// Benchmarks that fill or empty a container. Preparing a large container takes long. So one run of
// the benchmark does a part of the work, and the next run continues. The work on a small container
// is too short to measure. So one run does the whole work on many containers.
//
// The parts differ: erasing the last keys may take longer than erasing the first. Before each run
// that Catch2 measures, Catch2 makes one run that it does not count. So five turns do ten parts,
// and measure every second part.

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

// Makes the allocator of glibc join the blocks that were freed so far. Otherwise it joins them at
// the next large allocation or release. With this call, each measurement includes the cost of its
// own blocks. A baseline that frees small blocks does not leave that cost to the keyspace.
inline void consolidate_heap() {
  void* volatile block = std::malloc(4096);
  std::free(block);
}

// A benchmark of work(container, part), with part from 0 to parts(keys) - 1, on containers from
// make(). Neither make() nor destruction is measured. work() returns the number of keys in the
// part. All parts together must have all keys.
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
      const auto [batch, part] = *step++;
      for (auto& container : batch->containers) batch->done += work_(container, part);
      consolidate_heap();
      return batch->done;
    });
    while (batches_.size() > 1) finish_first();
    if (next_part_ == parts(keys_)) finish_first();
  }

 private:
  struct Batch {
    std::vector<decltype(std::declval<Make&>()())> containers;
    std::size_t done = 0;
  };
  struct Step {
    Batch* batch;
    std::size_t part;
  };

  Step next_step() {
    if (batches_.empty() || next_part_ == parts(keys_)) {
      Batch& batch = batches_.emplace_back();
      batch.containers.reserve(containers(keys_));
      while (batch.containers.size() != containers(keys_)) batch.containers.push_back(make_());
      next_part_ = 0;
    }
    return {&batches_.back(), next_part_++};
  }

  void finish_first() {
    REQUIRE(batches_.front().done == keys_ * containers(keys_));
    batches_.pop_front();
  }

  const std::size_t keys_;
  Make make_;
  Work work_;
  std::deque<Batch> batches_;
  std::size_t next_part_ = 0;
};

#endif  // KEYSPACE_BENCHMARKS_PARTS_H_
