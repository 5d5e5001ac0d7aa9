#include "table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>

namespace results {
namespace {

constexpr std::size_t kColumns = 11;
using Line = std::array<std::string, kColumns>;

const Line kTitles = {"work", "against", "keys",   "types", "base",   "ours",
                      "unit", "ratio",   "spread", "goal",  "verdict"};
// Aligns text to the left, and numbers to the right.
constexpr std::string_view kAlignment = "llrlrrlrlll";

Line line_of(const Result& result) {
  const auto number = [](std::optional<double> figure) {
    return figure ? short_number(*figure) : "-";
  };
  const Row& row = result.row();
  const auto spread = result.spread();
  return {row.work,
          row.baseline.empty() ? "-" : row.baseline,
          short_count(row.keys),
          row.types,
          number(result.base()),
          number(result.ours()),
          row.unit,
          number(result.ratio()),
          spread ? number(spread->least) + "-" + number(spread->greatest) : "-",
          row.goal.text(),
          result.verdict()};
}

}  // namespace

void write_table(std::ostream& out, const std::vector<Result>& results) {
  std::vector<Line> lines = {kTitles};
  for (const Result& result : results) lines.push_back(line_of(result));

  std::array<std::size_t, kColumns> widths = {};
  for (const Line& line : lines) {
    for (std::size_t i = 0; i != kColumns; ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const Line& line : lines) {
    std::string text;
    for (std::size_t i = 0; i != kColumns; ++i) {
      const std::string padding(widths[i] - line[i].size(), ' ');
      text += kAlignment[i] == 'r' ? padding + line[i] : line[i] + padding;
      text += "  ";
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out << text << '\n';
  }
}

}  // namespace results
