#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_CHART_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_CHART_H_

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

namespace hit_ratio {

// The hit ratios of a trace, in a cache for `percent` of all keys: for each of policies(), and the
// greatest possible one.
struct Row {
  std::string trace;
  std::size_t percent;
  std::vector<double> ratios;
  double optimum;
};

// Draws a small chart for each trace, in an SVG: the ratios over the sizes, with a line for each
// policy. REQUIRES: the rows of a trace are adjacent, in the order of their sizes.
void write_chart(std::ostream& out, const std::vector<Row>& rows);

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_CHART_H_
