#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_WORKLOADS_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_WORKLOADS_H_

#include <cstddef>
#include <vector>

#include "hit_ratio/trace.h"

namespace hit_ratio {

// Returns synthetic traces of about `requests` requests each, from a fixed seed.
//
//   zipf           random keys, the n-th most popular with a probability in proportion to n^-s
//   scans          zipf 0.9, and at times a sequence of keys that are requested only once
//   loop           the same keys in the same order, again and again
//   loop + scans   the same, and after each turn half as many keys that are requested only once
//   mixed          zipf 0.9, a loop, and keys that are requested only once, in random order
//   drift          zipf 0.9, where the popular keys change all the time
//   phases         zipf 0.9, where all keys are new after every tenth of the trace
//   bursts         zipf 0.8, and keys that are requested a few times within a short time
std::vector<Trace> workloads(std::size_t requests);

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_WORKLOADS_H_
