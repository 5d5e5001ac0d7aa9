#include "hit_ratio/trace.h"

#include <algorithm>
#include <charconv>
#include <istream>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace hit_ratio {
namespace {

// Numbers objects in the order of their first use.
template <class T>
class Numbers {
 public:
  template <class U>
  Key number(const U& thing) {
    if (numbers_.size() == std::numeric_limits<Key>::max()) {
      throw std::runtime_error("There are too many keys");
    }
    return numbers_.try_emplace(thing, static_cast<Key>(numbers_.size())).first->second;
  }
  [[nodiscard]] std::size_t size() const { return numbers_.size(); }

 private:
  absl::flat_hash_map<T, Key> numbers_;
};

// Removes blanks and a number from the start of a line. Returns the number.
std::optional<std::uint64_t> take_number(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc()) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  return number;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

// Adds the requests of a line. Returns false if the line has another form.
bool add_blocks(std::string_view line, Form form, Numbers<std::uint64_t>& blocks, Trace& trace) {
  const auto first = take_number(line);
  const auto count = form == Form::kArc ? take_number(line) : 1;
  if (!first || !count) return false;
  if (form == Form::kArc && (!take_number(line) || !take_number(line))) return false;
  if (!is_blank(line)) return false;
  for (std::uint64_t i = 0; i != *count; ++i) trace.requests.push_back(blocks.number(*first + i));
  return true;
}

}  // namespace

Trace read_trace(std::istream& in, Form form, std::string name) {
  Trace trace{std::move(name), {}, 0};
  Numbers<std::string> keys;
  Numbers<std::uint64_t> blocks;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (form == Form::kKeys) {
      trace.requests.push_back(keys.number(line));
    } else if (!is_blank(line) && !(form == Form::kLirs && line.starts_with('*')) &&
               !add_blocks(line, form, blocks, trace)) {
      throw std::runtime_error(trace.name + ", line " + std::to_string(number) +
                               ": this line does not have the form of such a trace");
    }
  }
  if (in.bad()) throw std::runtime_error(trace.name + " cannot be read");
  trace.keys = keys.size() + blocks.size();
  return trace;
}

Trace make_trace(std::string name, const std::vector<std::uint64_t>& numbers) {
  Trace trace{std::move(name), {}, 0};
  Numbers<std::uint64_t> keys;
  trace.requests.reserve(numbers.size());
  for (const std::uint64_t number : numbers) trace.requests.push_back(keys.number(number));
  trace.keys = keys.size();
  return trace;
}

}  // namespace hit_ratio
