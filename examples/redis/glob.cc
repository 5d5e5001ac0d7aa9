#include "glob.h"

#include <cstddef>
#include <utility>

namespace redis {
namespace {

// Matches `c` against a set, and moves `pattern` behind the set. `pattern` starts behind the
// bracket that opens the set. Bytes are compared as `char`, as in a Redis for the same machine.
bool take_set(std::string_view& pattern, char c) {
  const bool negated = pattern.starts_with('^');
  if (negated) pattern.remove_prefix(1);
  bool found = false;
  while (!pattern.empty() && pattern[0] != ']') {
    if (pattern.size() >= 2 && pattern[0] == '\\') {
      found |= pattern[1] == c;
      pattern.remove_prefix(2);
    } else if (pattern.size() >= 3 && pattern[1] == '-') {
      char first = pattern[0];
      char last = pattern[2];
      if (first > last) std::swap(first, last);
      found |= first <= c && c <= last;
      pattern.remove_prefix(3);
    } else {
      found |= pattern[0] == c;
      pattern.remove_prefix(1);
    }
  }
  if (!pattern.empty()) pattern.remove_prefix(1);
  return found != negated;
}

// Matches `c` against the first element of `pattern`, and moves `pattern` behind that element.
// REQUIRES: `pattern` is not empty and does not start with *.
bool take_one(std::string_view& pattern, char c) {
  const char element = pattern[0];
  pattern.remove_prefix(1);
  if (element == '?') return true;
  if (element == '[') return take_set(pattern, c);
  if (element != '\\' || pattern.empty()) return element == c;
  const char literal = pattern[0];
  pattern.remove_prefix(1);
  return literal == c;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  if (text.empty()) return pattern.empty() || pattern == "*";

  // Every element but * matches exactly one byte. So after a mismatch it is enough that the last *
  // matches one more byte. A longer match of an earlier * finds nothing more.
  bool star_seen = false;
  std::string_view after_star;
  std::string_view retry;
  while (!text.empty()) {
    if (pattern.starts_with('*')) {
      pattern.remove_prefix(1);
      star_seen = true;
      after_star = pattern;
      retry = text;
      continue;
    }
    if (!pattern.empty() && take_one(pattern, text[0])) {
      text.remove_prefix(1);
      continue;
    }
    if (!star_seen) return false;
    if (after_star.empty()) return true;
    retry.remove_prefix(1);
    pattern = after_star;
    text = retry;
  }
  return pattern.find_first_not_of('*') == std::string_view::npos;
}

}  // namespace redis
