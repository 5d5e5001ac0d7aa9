#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_CHART_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_CHART_H_

#include <iosfwd>
#include <vector>

#include "hit_ratio/row.h"

namespace hit_ratio {

// Draws a small chart for each trace, in an SVG: the ratios over the sizes, with a line for each
// policy. Four charts stand in two lines. Otherwise, each line has three.
// REQUIRES: the rows of a trace are adjacent, in the order of their sizes.
void write_chart(std::ostream& out, const std::vector<Row>& rows);

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_CHART_H_
