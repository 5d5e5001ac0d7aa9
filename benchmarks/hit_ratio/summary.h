#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_SUMMARY_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_SUMMARY_H_

#include <cstddef>
#include <iosfwd>
#include <span>
#include <vector>

#include "hit_ratio/row.h"

namespace hit_ratio {

// How a policy compares with the others. All rows have the same weight, so a trace with more sizes
// counts more. Points are percent of the requests.
struct Summary {
  double removed = 0;         // how many of the misses of LRU it avoids, in percent; the mean
  double mean_regret = 0;     // the hits of the best other policy, minus its own, in points
  double largest_regret = 0;  // the same in the worst row
  std::size_t below_lru = 0;  // the number of rows where it is more than 0.5 points below LRU
};

// Returns a summary for each of policies(). A regret is at least 0.
// REQUIRES: the first policy is LRU and has misses.
std::vector<Summary> summarize(std::span<const Row> rows);

// Prints the summaries of rows as a table.
void print_summary(std::ostream& out, std::span<const Row> rows);

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_SUMMARY_H_
