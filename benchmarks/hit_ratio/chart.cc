#include "hit_ratio/chart.h"

#include <algorithm>
#include <cstddef>
#include <ostream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hit_ratio/models.h"
#include "svg.h"

namespace hit_ratio {
namespace {

// Lengths are in pixels.
constexpr int kWidth = 800;
constexpr int kTop = 56;   // the top of the first chart, below the legend
constexpr int kLeft = 34;  // the left end of the lines in a chart, right of the numbers
constexpr int kGap = 22;   // the space right of the lines
constexpr int kChartHeight = 120;
constexpr int kStepDown = 185;

constexpr std::string_view kLight = R"(  polyline { fill: none; stroke-width: 1.5; }
  .policy0 { stroke: #8c959f; }
  .policy1 { stroke: #bf8700; }
  .policy2 { stroke: #2da44e; }
  .policy3 { stroke: #0969da; }
  .policy4 { stroke: #1b7c83; }
  .policy5 { stroke: #8250df; }
  .policy6 { stroke: #cf222e; stroke-width: 3; }
  .optimum { stroke: #1f2328; stroke-dasharray: 3 3; }
)";
constexpr std::string_view kDark = R"(    .policy1 { stroke: #d29922; }
    .policy2 { stroke: #3fb950; }
    .policy3 { stroke: #58a6ff; }
    .policy4 { stroke: #39c5cf; }
    .policy5 { stroke: #a371f7; }
    .policy6 { stroke: #ff7b72; }
    .optimum { stroke: #f0f6fc; }
)";

std::string style(std::size_t policy) { return "policy" + std::to_string(policy); }

class Chart {
 public:
  Chart(std::ostream& out, std::size_t traces)
      : in_a_line_(traces == 4 ? 2 : 3),
        drawing_(out, kWidth, kTop + lines(traces) * kStepDown, kLight, kDark) {}

  void draw_legend() {
    drawing_.text(0, 16, "", "Hits in percent of requests, by what percentage of the keys fits");
    double x = 0;
    const auto draw_name = [&](std::string_view name, std::string_view line) {
      drawing_.path({{x, 33}, {x + 24, 33}}, line);
      drawing_.text(x + 30, 37, "quiet", name);
      x += 98;
    };
    for (std::size_t i = 0; i != policies().size(); ++i) draw_name(policies()[i].name, style(i));
    draw_name("optimum", "optimum");
  }

  // Draws the chart of a trace. `place` counts the charts from 0, line by line.
  void draw_trace(std::span<const Row> rows, std::size_t place) {
    const double step_right = kWidth / static_cast<double>(in_a_line_);
    const double width = step_right - kLeft - kGap;
    const double left = kLeft + static_cast<double>(place % in_a_line_) * step_right;
    const double top = kTop + 12 + static_cast<double>(place / in_a_line_) * kStepDown;
    const double bottom = top + kChartHeight;
    const double most = greatest(rows);
    drawing_.text(left, top - 8, "", rows.front().trace);
    for (const double part : {0.0, 0.5, 1.0}) {
      const double y = bottom - part * kChartHeight;
      drawing_.line(left, y, left + width, y, "line");
      drawing_.text(left - kLeft, y + 4, "quiet", std::to_string(static_cast<int>(part * most)));
    }
    const auto x = [&](std::size_t i) {
      const auto steps = static_cast<double>(std::max<std::size_t>(rows.size() - 1, 1));
      return left + static_cast<double>(i) * width / steps;
    };
    for (std::size_t i = 0; i != rows.size(); ++i) {
      std::ostringstream percent;
      percent << rows[i].percent;
      drawing_.text(x(i) - 6, bottom + 15, "quiet", percent.str());
    }
    const auto draw_line = [&](const auto& ratio, std::string_view line) {
      std::vector<std::pair<double, double>> points;
      for (std::size_t i = 0; i != rows.size(); ++i) {
        points.emplace_back(x(i), bottom - 100 * ratio(rows[i]) / most * kChartHeight);
      }
      drawing_.path(points, line);
    };
    draw_line([](const Row& row) { return row.optimum; }, "optimum");
    for (std::size_t policy = 0; policy != policies().size(); ++policy) {
      draw_line([&](const Row& row) { return row.ratios[policy]; }, style(policy));
    }
  }

 private:
  // Returns the number of lines of charts.
  [[nodiscard]] int lines(std::size_t traces) const {
    return static_cast<int>((traces + in_a_line_ - 1) / in_a_line_);
  }

  // Returns the greatest number of the axis, in percent. It is a multiple of 20.
  static double greatest(std::span<const Row> rows) {
    int most = 20;
    for (const Row& row : rows) {
      while (most < 100 * row.optimum) most += 20;
    }
    return most;
  }

  std::size_t in_a_line_;
  svg::Drawing drawing_;
};

// Returns the number of rows of the first trace.
std::size_t first_trace(std::span<const Row> rows) {
  const auto end = std::find_if(rows.begin(), rows.end(),
                                [&](const Row& row) { return row.trace != rows.front().trace; });
  return static_cast<std::size_t>(end - rows.begin());
}

}  // namespace

void write_chart(std::ostream& out, const std::vector<Row>& rows) {
  std::vector<std::span<const Row>> traces;
  for (std::span<const Row> rest = rows; !rest.empty(); rest = rest.subspan(first_trace(rest))) {
    traces.push_back(rest.first(first_trace(rest)));
  }
  Chart chart(out, traces.size());
  chart.draw_legend();
  for (std::size_t i = 0; i != traces.size(); ++i) chart.draw_trace(traces[i], i);
}

}  // namespace hit_ratio
