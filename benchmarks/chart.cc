#include "chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace results {
namespace {

// Lengths are in pixels.
constexpr int kWidth = 800;
constexpr int kLeft = 240;   // of the bars: to the left of it stand the labels
constexpr int kRight = 740;  // of the longest bar: to the right of it stand the ratios
constexpr int kTop = 48;     // of the first group: above it stands the legend
constexpr int kBottom = 24;  // below the last group: there stand the numbers of the axis
constexpr int kBarHeight = 10;
constexpr int kBarStep = 13;
constexpr int kGroupGap = 14;

constexpr std::string_view kStyle = R"(<style>
  .page { fill: #ffffff; }
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .quiet { font-size: 11px; fill: #59636e; }
  .line { stroke: #d1d9e0; }
  .goal { stroke: #cf222e; stroke-width: 2; }
  .few { fill: #6cb0f5; }
  .some { fill: #4393e6; }
  .many { fill: #0a4d9c; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; }
    text { fill: #f0f6fc; }
    .quiet { fill: #9198a1; }
    .line { stroke: #3d444d; }
    .goal { stroke: #ff7b72; }
    .few { fill: #2f66a6; }
    .some { fill: #3b82d0; }
    .many { fill: #a5d0ff; }
  }
</style>
)";

// Numbers of keys, up to which a bar has a color.
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

// The times of one work on keys and values of the same types: they have one label and one goal.
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

// Maps ratios to places between kLeft and kRight.
class Scale {
 public:
  explicit Scale(const std::vector<Group>& groups) {
    for (const Group& group : groups) {
      greatest_ = std::max(greatest_, *group.row.goal.ratio());
      for (const Result* const bar : group.bars) greatest_ = std::max(greatest_, *bar->ratio());
    }
  }
  [[nodiscard]] double place(double ratio) const {
    return kLeft + (kRight - kLeft) * ratio / greatest_;
  }
  [[nodiscard]] double greatest() const { return greatest_; }

 private:
  double greatest_ = 1;
};

// Text is plain here but for the characters that stand for tags.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else if (c == '&') {
      result += "&amp;";
    } else {
      result += c;
    }
  }
  return result;
}

class Chart {
 public:
  Chart(std::ostream& out, const std::vector<Result>& results)
      : out_(out), groups_(groups_of(results)), scale_(groups_) {}

  void draw() {
    int bottom = kTop;
    for (const Group& group : groups_) bottom += height_of(group);
    const int height = bottom + kBottom;

    out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << kWidth << "\" height=\""
         << height << "\" viewBox=\"0 0 " << kWidth << ' ' << height << "\">\n"
         << kStyle << "<rect width=\"100%\" height=\"100%\" class=\"page\"/>\n";
    draw_legend();
    draw_axis(bottom);
    int y = kTop;
    for (const Group& group : groups_) {
      draw_group(group, y);
      y += height_of(group);
    }
    out_ << "</svg>\n";
  }

 private:
  void draw_legend() {
    text(0, 16, "", "Time in Keyspace, as a multiple of the baseline's");
    double x = kLeft;
    for (const Size& size : kSizes) {
      bar(x, 28, 10, size.color);
      text(x + 15, 37, "quiet", short_count(size.keys) + " keys");
      x += 85;
    }
    line(x, 26, 40, "goal");
    text(x + 8, 37, "quiet", "goal");
  }

  // A line at each whole ratio, and its number below.
  void draw_axis(int bottom) {
    for (int ratio = 0; ratio <= scale_.greatest(); ++ratio) {
      const double x = scale_.place(ratio);
      line(x, kTop, bottom, "line");
      text(x - 3, bottom + 14, "quiet", std::to_string(ratio));
    }
  }

  void draw_group(const Group& group, int top) {
    text(0, top + 10, "", group.row.work);
    text(0, top + 24, "quiet", group.row.types + ", to " + group.row.baseline);
    int y = top;
    for (const Result* const result : group.bars) {
      const double ratio = *result->ratio();
      bar(kLeft, y, scale_.place(ratio) - kLeft, color_of(result->row().keys));
      text(kRight + 12, y + 9, "quiet", short_number(ratio));
      y += kBarStep;
    }
    const double goal = scale_.place(*group.row.goal.ratio());
    line(goal, top - 3, y, "goal");
  }

  void text(double x, double y, std::string_view style, std::string_view content) {
    out_ << "<text x=\"" << x << "\" y=\"" << y << "\" class=\"" << style << "\">"
         << escaped(content) << "</text>\n";
  }
  void bar(double x, double y, double width, std::string_view style) {
    out_ << "<rect x=\"" << x << "\" y=\"" << y << "\" width=\"" << width << "\" height=\""
         << kBarHeight << "\" class=\"" << style << "\"/>\n";
  }
  void line(double x, double y1, double y2, std::string_view style) {
    out_ << "<line x1=\"" << x << "\" x2=\"" << x << "\" y1=\"" << y1 << "\" y2=\"" << y2
         << "\" class=\"" << style << "\"/>\n";
  }

  std::ostream& out_;
  const std::vector<Group> groups_;
  const Scale scale_;
};

}  // namespace

void write_chart(std::ostream& out, const std::vector<Result>& results) {
  Chart(out, results).draw();
}

}  // namespace results
