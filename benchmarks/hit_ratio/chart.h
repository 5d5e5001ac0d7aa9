#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_CHART_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_CHART_H_

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

namespace hit_ratio {

// The part of a trace's requests that found their key, in a cache with room for `percent` of all
// keys: for each of policies(), and the most that is possible.
struct Row {
  std::string trace;
  std::size_t percent;
  std::vector<double> ratios;
  double optimum;
};

// Draws a small chart for each trace, as an SVG: the ratios over the sizes, a line for each policy.
// REQUIRES: the rows of a trace stand together, in the order of their sizes.
void write_chart(std::ostream& out, const std::vector<Row>& rows);

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_CHART_H_
