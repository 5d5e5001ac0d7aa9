#include "chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "svg.h"

namespace results {
namespace {

// Lengths are in pixels.
constexpr int kWidth = 800;
constexpr int kLeft = 240;   // the left end of the bars, right of the labels
constexpr int kRight = 740;  // the right end of the longest bar, left of the ratios
constexpr int kTop = 48;     // the top of the first group, below the legend
constexpr int kBottom = 24;  // the space below the last group, for the numbers of the axis
constexpr int kBarHeight = 10;
constexpr int kBarStep = 13;
constexpr int kGroupGap = 14;

constexpr std::string_view kLight = R"(  .goal { stroke: #cf222e; stroke-width: 2; }
  .few { fill: #6cb0f5; }
  .some { fill: #4393e6; }
  .many { fill: #0a4d9c; }
)";
constexpr std::string_view kDark = R"(    .goal { stroke: #ff7b72; }
    .few { fill: #2f66a6; }
    .some { fill: #3b82d0; }
    .many { fill: #a5d0ff; }
)";

// The color of the bars for at most this number of keys.
struct Size {
  std::size_t keys;
  std::string_view color;
};
constexpr std::array<Size, 3> kSizes = {
    {{1'000, "few"}, {1'000'000, "some"}, {10'000'000, "many"}}};

std::string_view color_of(std::size_t keys) {
  const auto is_large_enough = [&](const Size& size) { return keys <= size.keys; };
  const auto size = std::find_if(kSizes.begin(), kSizes.end(), is_large_enough);
  return size == kSizes.end() ? kSizes.back().color : size->color;
}

// The results of one work with one pair of types. They have one label and one goal.
struct Group {
  const Row& row;
  std::vector<const Result*> bars;
};

std::vector<Group> groups_of(const std::vector<Result>& results) {
  std::vector<Group> groups;
  for (const Result& result : results) {
    const Row& row = result.row();
    if (!row.goal.ratio() || row.unit != "ns") continue;
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& other) {
      return other.row.work == row.work && other.row.types == row.types;
    });
    if (group == groups.end()) {
      groups.push_back({row, {&result}});
    } else {
      group->bars.push_back(&result);
    }
  }
  return groups;
}

int height_of(const Group& group) {
  // A label takes the height of two bars.
  const auto bars = static_cast<int>(std::max<std::size_t>(group.bars.size(), 2));
  return bars * kBarStep + kGroupGap;
}

// Maps ratios to positions between kLeft and kRight.
class Scale {
 public:
  explicit Scale(const std::vector<Group>& groups) {
    for (const Group& group : groups) {
      greatest_ = std::max(greatest_, *group.row.goal.ratio());
      for (const Result* const bar : group.bars) greatest_ = std::max(greatest_, *bar->ratio());
    }
  }
  [[nodiscard]] double position(double ratio) const {
    return kLeft + (kRight - kLeft) * ratio / greatest_;
  }
  [[nodiscard]] double greatest() const { return greatest_; }

 private:
  double greatest_ = 1;
};

class Chart {
 public:
  Chart(std::ostream& out, const std::vector<Group>& groups, int bottom)
      : groups_(groups),
        scale_(groups),
        bottom_(bottom),
        drawing_(out, kWidth, bottom + kBottom, kLight, kDark) {}

  void draw() {
    draw_legend();
    draw_axis();
    int y = kTop;
    for (const Group& group : groups_) {
      draw_group(group, y);
      y += height_of(group);
    }
  }

 private:
  void draw_legend() {
    drawing_.text(0, 16, "", "Time in Keyspace, as a multiple of the baseline's");
    double x = kLeft;
    for (const Size& size : kSizes) {
      drawing_.bar(x, 28, 10, kBarHeight, size.color);
      drawing_.text(x + 15, 37, "quiet", short_count(size.keys) + " keys");
      x += 85;
    }
    drawing_.line(x, 26, x, 40, "goal");
    drawing_.text(x + 8, 37, "quiet", "goal");
  }

  // Draws a line at each whole ratio, and writes the ratio below the line.
  void draw_axis() {
    for (int ratio = 0; ratio <= scale_.greatest(); ++ratio) {
      const double x = scale_.position(ratio);
      drawing_.line(x, kTop, x, bottom_, "line");
      drawing_.text(x - 3, bottom_ + 14, "quiet", std::to_string(ratio));
    }
  }

  void draw_group(const Group& group, int top) {
    drawing_.text(0, top + 10, "", group.row.work);
    drawing_.text(0, top + 24, "quiet", group.row.types + ", to " + group.row.baseline);
    int y = top;
    for (const Result* const result : group.bars) {
      const double ratio = *result->ratio();
      drawing_.bar(kLeft, y, scale_.position(ratio) - kLeft, kBarHeight,
                   color_of(result->row().keys));
      drawing_.text(kRight + 12, y + 9, "quiet", short_number(ratio));
      y += kBarStep;
    }
    const double goal = scale_.position(*group.row.goal.ratio());
    drawing_.line(goal, top - 3, goal, y, "goal");
  }

  const std::vector<Group>& groups_;
  const Scale scale_;
  const int bottom_;
  svg::Drawing drawing_;
};

}  // namespace

void write_chart(std::ostream& out, const std::vector<Result>& results) {
  const std::vector<Group> groups = groups_of(results);
  int bottom = kTop;
  for (const Group& group : groups) bottom += height_of(group);
  Chart(out, groups, bottom).draw();
}

}  // namespace results
