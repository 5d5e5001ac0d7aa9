#include "number.h"

#include <cassert>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <system_error>

namespace redis {

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.starts_with('0') && text != "0") return std::nullopt;
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

std::optional<std::int64_t> checked_add(std::int64_t a, std::int64_t b) {
  using Limits = std::numeric_limits<std::int64_t>;
  if (b > 0 ? a > Limits::max() - b : a < Limits::min() - b) return std::nullopt;
  return a + b;
}

std::optional<long double> parse_float(std::string_view text) {
  constexpr std::size_t kLengthLimit = std::size_t{5} * 1024;
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  if (text.empty() || text.size() >= kLengthLimit) return std::nullopt;
  if (kBlanks.find(text.front()) != std::string_view::npos) return std::nullopt;

  const std::string terminated(text);
  char* stop = nullptr;
  errno = 0;
  const long double number = std::strtold(terminated.c_str(), &stop);
  if (stop != terminated.c_str() + terminated.size() || std::isnan(number)) return std::nullopt;
  // strtold() reports ERANGE for a subnormal number too, which Redis accepts.
  if (errno == ERANGE && (number == 0 || std::isinf(number))) return std::nullopt;
  return number;
}

std::string format_float(long double number) {
  assert(std::isfinite(number));
  const int length = std::snprintf(nullptr, 0, "%.17Lf", number);
  std::string text(static_cast<std::size_t>(length), '\0');
  std::snprintf(text.data(), text.size() + 1, "%.17Lf", number);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

}  // namespace redis
