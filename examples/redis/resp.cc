#include "resp.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <variant>

namespace redis {
namespace {

constexpr std::string_view kEnd = "\r\n";

class Writer {
 public:
  Writer(std::string& out, int protocol) : out_(out), protocol_(protocol) {}

  void operator()(const Reply& reply) { std::visit(*this, reply.value); }

  void operator()(Nil) { out_ += protocol_ == 3 ? "_\r\n" : "$-1\r\n"; }
  void operator()(const Status& status) { line('+', status.text); }
  void operator()(const Error& error) { line('-', error.text); }
  void operator()(std::int64_t number) { head(':', number); }
  void operator()(const Bulk& bytes) { bulk('$', bytes); }
  void operator()(View bytes) { bulk('$', bytes); }
  void operator()(const Text& text) {
    if (protocol_ == 3) {
      bulk('=', "txt:" + text.text);
    } else {
      bulk('$', text.text);
    }
  }
  void operator()(const Array& elements) {
    head('*', static_cast<std::int64_t>(elements.size()));
    for (const Reply& element : elements) (*this)(element);
  }
  void operator()(const Map& map) {
    const auto size = static_cast<std::int64_t>(map.elements.size());
    if (protocol_ != 3) return (*this)(map.elements);
    head('%', size / 2);
    for (const Reply& element : map.elements) (*this)(element);
  }

 private:
  void line(char type, std::string_view text) { (out_ += type).append(text).append(kEnd); }

  void head(char type, std::int64_t number) {
    std::array<char, 20> digits;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    line(type, {digits.data(), end});
  }

  void bulk(char type, std::string_view bytes) {
    head(type, static_cast<std::int64_t>(bytes.size()));
    out_.append(bytes).append(kEnd);
  }

  std::string& out_;
  int protocol_;
};

// An upper bound of the bytes of the type, the number and the line ends of one value.
constexpr std::size_t kFrame = 32;

struct Bound {
  std::size_t operator()(const Reply& reply) const { return std::visit(*this, reply.value); }

  std::size_t operator()(Nil) const { return kFrame; }
  std::size_t operator()(const Status& status) const { return kFrame + status.text.size(); }
  std::size_t operator()(const Error& error) const { return kFrame + error.text.size(); }
  std::size_t operator()(std::int64_t) const { return kFrame; }
  std::size_t operator()(const Bulk& bytes) const { return kFrame + bytes.size(); }
  std::size_t operator()(View bytes) const { return kFrame + bytes.size(); }
  std::size_t operator()(const Text& text) const { return kFrame + text.text.size(); }
  std::size_t operator()(const Array& elements) const {
    return std::transform_reduce(elements.begin(), elements.end(), kFrame, std::plus<>(), *this);
  }
  std::size_t operator()(const Map& map) const { return (*this)(map.elements); }
};

}  // namespace

void append_resp(std::string& out, const Reply& reply, int protocol) {
  Writer(out, protocol)(reply);
}

std::size_t resp_size_bound(const Reply& reply) { return Bound()(reply); }

}  // namespace redis
