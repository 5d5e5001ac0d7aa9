#include "reply.h"

#include <algorithm>

namespace redis {
namespace {

constexpr std::string_view kLineBreaks = "\r\n";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(kLineBreaks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kLineBreaks) + 1 - begin);
}

}  // namespace

Error::Error(std::string_view message) : text(trimmed(message)) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return kLineBreaks.find(c) != std::string_view::npos; }, ' ');
}

}  // namespace redis
