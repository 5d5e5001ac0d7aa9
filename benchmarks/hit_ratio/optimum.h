#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_OPTIMUM_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_OPTIMUM_H_

#include <cstddef>

#include "hit_ratio/trace.h"

namespace hit_ratio {

// Returns the greatest number of hits that any cache with this capacity can have. Belady's
// algorithm reaches it: it knows the future, and evicts the key whose next request is the latest.
// This may be the new key.
std::size_t optimal_hits(const Trace& trace, std::size_t capacity);

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_OPTIMUM_H_
