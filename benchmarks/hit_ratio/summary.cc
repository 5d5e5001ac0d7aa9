#include "hit_ratio/summary.h"

#include <algorithm>
#include <iomanip>
#include <ostream>
#include <string_view>

#include "hit_ratio/models.h"

namespace hit_ratio {
namespace {

// Returns the greatest ratio of the policies other than `policy`.
double best_other(const Row& row, std::size_t policy) {
  double best = 0;
  for (std::size_t other = 0; other != row.ratios.size(); ++other) {
    if (other != policy) best = std::max(best, row.ratios[other]);
  }
  return best;
}

}  // namespace

std::vector<Summary> summarize(std::span<const Row> rows) {
  std::vector<Summary> summaries(policies().size());
  const auto count = static_cast<double>(rows.size());
  for (std::size_t policy = 0; policy != summaries.size(); ++policy) {
    Summary& summary = summaries[policy];
    for (const Row& row : rows) {
      const double lru = row.ratios[0];
      const double ratio = row.ratios[policy];
      const double regret = std::max(100 * (best_other(row, policy) - ratio), 0.0);
      summary.removed += 100 * (ratio - lru) / (1 - lru) / count;
      summary.mean_regret += regret / count;
      summary.largest_regret = std::max(summary.largest_regret, regret);
      summary.below_lru += 100 * (lru - ratio) > 0.5;
    }
  }
  return summaries;
}

void print_summary(std::ostream& out, std::span<const Row> rows) {
  const std::vector<Summary> summaries = summarize(rows);
  const auto print_line = [&](std::string_view name, const auto& value) {
    out << std::left << std::setw(28) << name << std::right;
    for (std::size_t i = 0; i != summaries.size(); ++i) out << std::setw(11) << value(i);
    out << '\n';
  };
  out << "traces of files, " << rows.size() << " rows; points are percent of requests\n\n"
      << std::fixed << std::setprecision(2);
  print_line("", [](std::size_t i) { return policies()[i].name; });
  print_line("misses of LRU removed, in %", [&](std::size_t i) { return summaries[i].removed; });
  print_line("mean regret, in points", [&](std::size_t i) { return summaries[i].mean_regret; });
  print_line("largest regret", [&](std::size_t i) { return summaries[i].largest_regret; });
  print_line("rows 0.5 points below LRU", [&](std::size_t i) { return summaries[i].below_lru; });
}

}  // namespace hit_ratio
