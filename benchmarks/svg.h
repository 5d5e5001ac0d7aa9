#ifndef KEYSPACE_BENCHMARKS_SVG_H_
#define KEYSPACE_BENCHMARKS_SVG_H_

#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace svg {

// Returns text with the escapes that it needs between tags.
inline std::string escaped(std::string_view text) {
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

// Writes a drawing for light and dark pages. Lengths are in pixels. A style is a class in `light`
// and `dark`, or a common one: quiet for text, line for lines.
class Drawing {
 public:
  Drawing(std::ostream& out, int width, int height, std::string_view light, std::string_view dark)
      : out_(out) {
    out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width << "\" height=\""
         << height << "\" viewBox=\"0 0 " << width << ' ' << height << "\">\n"
         << R"(<style>
  .page { fill: #ffffff; }
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .quiet { font-size: 11px; fill: #59636e; }
  .line { stroke: #d1d9e0; }
)" << light
         << R"(  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; }
    text { fill: #f0f6fc; }
    .quiet { fill: #9198a1; }
    .line { stroke: #3d444d; }
)" << dark
         << "  }\n</style>\n<rect width=\"100%\" height=\"100%\" class=\"page\"/>\n";
  }
  Drawing(const Drawing&) = delete;
  Drawing& operator=(const Drawing&) = delete;
  ~Drawing() { out_ << "</svg>\n"; }

  void text(double x, double y, std::string_view style, std::string_view content) {
    out_ << "<text x=\"" << x << "\" y=\"" << y << "\" class=\"" << style << "\">"
         << escaped(content) << "</text>\n";
  }
  void bar(double x, double y, double width, double height, std::string_view style) {
    out_ << "<rect x=\"" << x << "\" y=\"" << y << "\" width=\"" << width << "\" height=\""
         << height << "\" class=\"" << style << "\"/>\n";
  }
  void line(double x1, double y1, double x2, double y2, std::string_view style) {
    out_ << "<line x1=\"" << x1 << "\" x2=\"" << x2 << "\" y1=\"" << y1 << "\" y2=\"" << y2
         << "\" class=\"" << style << "\"/>\n";
  }
  void path(const std::vector<std::pair<double, double>>& points, std::string_view style) {
    out_ << "<polyline class=\"" << style << "\" points=\"";
    for (const auto& [x, y] : points) out_ << x << ',' << y << ' ';
    out_ << "\"/>\n";
  }

 private:
  std::ostream& out_;
};

}  // namespace svg

#endif  // KEYSPACE_BENCHMARKS_SVG_H_
