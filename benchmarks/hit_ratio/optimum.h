#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_OPTIMUM_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_OPTIMUM_H_

#include <cstddef>

#include "hit_ratio/trace.h"

namespace hit_ratio {

// Returns the most hits that any cache of that many keys can have: those of Belady's, which knows
// the future and always lets go of the key that is asked for last, be it the newest.
std::size_t optimal_hits(const Trace& trace, std::size_t capacity);

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_OPTIMUM_H_
