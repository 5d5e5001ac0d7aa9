#ifndef KEYSPACE_BENCHMARKS_CHART_H_
#define KEYSPACE_BENCHMARKS_CHART_H_

#include <iosfwd>
#include <vector>

#include "results.h"

namespace results {

// Draws the ratios of times that have a goal as bars, in an SVG for light and dark pages.
void write_chart(std::ostream& out, const std::vector<Result>& results);

}  // namespace results

#endif  // KEYSPACE_BENCHMARKS_CHART_H_
