#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_ROW_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_ROW_H_

#include <string>
#include <vector>

namespace hit_ratio {

// The hit ratios of a trace, in a cache for `percent` of all keys: for each of policies(), and the
// greatest possible one.
struct Row {
  std::string trace;
  double percent;
  std::vector<double> ratios;
  double optimum;
};

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_ROW_H_
