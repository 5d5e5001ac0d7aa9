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

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_SUPPORT_PROBE_H_
