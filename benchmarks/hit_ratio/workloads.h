#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_WORKLOADS_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_WORKLOADS_H_

#include <cstddef>
#include <vector>

#include "hit_ratio/trace.h"

namespace hit_ratio {

// Returns synthetic traces of about that many requests each, drawn with a fixed seed.
//
//   zipf           keys at random, the n-th most popular with a probability in proportion to n^-s
//   scans          zipf 0.9, and now and then a run of keys that are never asked for again
//   loop           the same keys in the same order, over and over
//   loop + scans   the same, and after each turn half as many keys that are never asked for again
//   mixed          zipf 0.9, a loop, and keys that are asked for once, at random
//   drift          zipf 0.9, where the popular keys are ever new ones
//   phases         zipf 0.9, where all keys are new ones after every tenth of the trace
//   bursts         zipf 0.8, and keys that are asked for some times within a while, then never
//   again
std::vector<Trace> workloads(std::size_t requests);

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_WORKLOADS_H_
