#include "render.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace redis {
namespace {

void append_quoted(std::string& out, std::string_view bytes) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  out += '"';
  for (const char c : bytes) {
    switch (c) {
      case '\\':
      case '"':
        out += {'\\', c};
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\a':
        out += "\\a";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        if (c >= ' ' && c <= '~') {
          out += c;
        } else {
          const auto byte = static_cast<unsigned char>(c);
          out += {'\\', 'x', kHexDigits[byte / 16], kHexDigits[byte % 16]};
        }
    }
  }
  out += '"';
}

// Appends a reply to `out`. Indents every line but the first by `indent` columns. The first line
// follows the numbers of the arrays around it.
class Renderer {
 public:
  Renderer(std::string& out, std::size_t indent) : out_(out), indent_(indent) {}

  void operator()(const Nil&) const { out_ += "(nil)\n"; }
  void operator()(const Status& status) const { out_.append(status.text) += '\n'; }
  void operator()(const Error& error) const { out_ += "(error) " + error.text + '\n'; }
  void operator()(std::int64_t number) const {
    out_ += "(integer) " + std::to_string(number) + '\n';
  }
  void operator()(const Bulk& bytes) const { (*this)(View(bytes)); }
  void operator()(View bytes) const {
    append_quoted(out_, bytes);
    out_ += '\n';
  }
  void operator()(const Text& text) const {
    out_ += text.text;
    if (!text.text.ends_with('\n')) out_ += '\n';
  }
  void operator()(const Map& map) const { (*this)(map.elements); }

  void operator()(const Array& elements) const {
    if (elements.empty()) {
      out_ += "(empty array)\n";
      return;
    }
    const std::size_t width = std::to_string(elements.size()).size();
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const std::string number = std::to_string(i + 1);
      out_.append((i == 0 ? 0 : indent_) + width - number.size(), ' ');
      out_ += number + ") ";
      std::visit(Renderer(out_, indent_ + width + 2), elements[i].value);
    }
  }

 private:
  std::string& out_;
  std::size_t indent_;
};

}  // namespace

std::string render(const Reply& reply) {
  std::string out;
  std::visit(Renderer(out, 0), reply.value);
  return out;
}

std::string quoted(std::string_view bytes) {
  std::string out;
  append_quoted(out, bytes);
  return out;
}

}  // namespace redis
