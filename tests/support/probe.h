#ifndef KEYSPACE_TESTS_SUPPORT_PROBE_H_
#define KEYSPACE_TESTS_SUPPORT_PROBE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "keyspace/internal/probe.h"

namespace keyspace::testing {

using internal::Probe;

// Makes a call, and holds by how much each counter grew meanwhile, on all threads.
class Probed {
 public:
  template <class Call>
  explicit Probed(const Call& call) {
    for (std::size_t i = 0; i != Probe::kCounters; ++i) counts_[i] = 0 - Probe::read(counter(i));
    call();
    for (std::size_t i = 0; i != Probe::kCounters; ++i) counts_[i] += Probe::read(counter(i));
  }
  std::uint64_t operator[](Probe::Counter counter) const { return counts_[counter]; }

 private:
  static Probe::Counter counter(std::size_t i) { return static_cast<Probe::Counter>(i); }
  std::array<std::uint64_t, Probe::kCounters> counts_ = {};
};

// Makes the hash map move two entries in each step, and treat each table as a large one, so that
// small maps take many steps. Create it before the keyspaces, and destroy it after them.
class SmallSteps {
 public:
  explicit SmallSteps(bool is_small = true) {
    if (!is_small) return;
    StepSize::moves = 2;
    StepSize::large_table = 1;
  }
  SmallSteps(const SmallSteps&) = delete;
  SmallSteps& operator=(const SmallSteps&) = delete;
  ~SmallSteps() {
    StepSize::moves = moves_;
    StepSize::large_table = large_table_;
  }

 private:
  using StepSize = internal::StepSize;
  std::size_t moves_ = StepSize::moves;
  std::size_t large_table_ = StepSize::large_table;
};

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_SUPPORT_PROBE_H_
