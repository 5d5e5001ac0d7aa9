#include "redis/glob.h"

#include <string>
#include <string_view>

#include "support/catch.hpp"

namespace redis {
namespace {

using namespace std::string_view_literals;

struct GlobRow {
  std::string_view pattern;
  std::string_view text;
  bool matches;
};

void check_glob(const GlobRow& row) {
  CAPTURE(row.pattern, row.text);
  CHECK(glob_matches(row.pattern, row.text) == row.matches);
}

TEST_CASE("A pattern without wildcards matches only itself") {
  check_glob(GENERATE(values<GlobRow>({
      {"hello", "hello", true},
      {"hello", "hell", false},
      {"hello", "hellos", false},
      {"hello", "Hello", false},
      {"", "", true},
      {"", "a", false},
      {"a\0b"sv, "a\0b"sv, true},
      {"a\0b"sv, "a\0c"sv, false},
      {"\xff", "\xff", true},
  })));
}

TEST_CASE("A ? matches any one byte") {
  check_glob(GENERATE(values<GlobRow>({
      {"h?llo", "hello", true},
      {"h?llo", "h\0llo"sv, true},
      {"h?llo", "hllo", false},
      {"?", "", false},
      {"??", "a", false},
      {"??", "\xc3\xa4", true},
  })));
}

TEST_CASE("A * matches any number of bytes, including none") {
  check_glob(GENERATE(values<GlobRow>({
      {"*", "anything", true},
      {"*", "\0\xff"sv, true},
      {"h*llo", "hllo", true},
      {"h*llo", "heeeello", true},
      {"h*llo", "hell", false},
      {"*llo", "hello", true},
      {"he*", "he", true},
      {"he*", "h", false},
      {"he***", "he", true},
      {"*a*b*", "xaxbx", true},
      {"*a*b*", "xbxax", false},
      {"*ab", "aab", true},
      {"*aab", "aaab", true},
      {"a*a", "a", false},
      {"*?", "a", true},
      {"?*?", "a", false},
      {"*abc*abd", "abcabcabd", true},
  })));
}

TEST_CASE("The empty text matches only the empty pattern and a single *") {
  check_glob(GENERATE(values<GlobRow>({
      {"*", "", true},
      {"**", "", false},
      {"a", "", false},
      {"[^a]", "", false},
      {"[", "", false},
      {"\\", "", false},
  })));
}

TEST_CASE("A set matches one of its bytes") {
  check_glob(GENERATE(values<GlobRow>({
      {"h[ae]llo", "hello", true},
      {"h[ae]llo", "hallo", true},
      {"h[ae]llo", "hillo", false},
      {"h[ae]llo", "hllo", false},
      {"h[^e]llo", "hallo", true},
      {"h[^e]llo", "hello", false},
      {"h[^e]llo", "hllo", false},
      {"[a^]", "^", true},
      {"[*?]", "*", true},
      {"[*?]", "a", false},
      {"*[0-9]", "key7", true},
      {"*[0-9]*", "k7y", true},
      {"*[^0-9]", "777", false},
  })));
}

TEST_CASE("The ends of a range in a set may come in either order") {
  check_glob(GENERATE(values<GlobRow>({
      {"[a-c]", "a", true},
      {"[a-c]", "c", true},
      {"[a-c]", "d", false},
      {"[c-a]", "b", true},
      {"[a-cx-z]", "y", true},
      {"[a-cx-z]", "m", false},
      {"[^a-c]", "b", false},
      {"[^a-c]", "d", true},
      {"[-a]", "-", true},
      {"[!-~]", "A", true},
      {"[\x80-\xff]", "\xc3", true},
      {"[\x80-\xff]", "a", false},
      {"[a-]", "b", false},  // a range to ], so the set is not closed
      {"[a-]", "]", true},
      {"[a-]]", "_", true},
  })));
}

TEST_CASE("A backslash takes the next byte literally") {
  check_glob(GENERATE(values<GlobRow>({
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"\\?x", "?x", true},
      {"\\[a]", "[a]", true},
      {"\\\\", "\\", true},
      {"\\a", "a", true},
      {"\\", "\\", true},
      {"a\\", "a\\", true},
      {"[\\]]", "]", true},
      {"[\\^a]", "^", true},
      {"[a\\-c]", "-", true},
      {"[a\\-c]", "b", false},
      {"[\\\\]", "\\", true},
  })));
}

TEST_CASE("A set that is not closed ends with the pattern") {
  check_glob(GENERATE(values<GlobRow>({
      {"[abc", "b", true},
      {"[abc", "d", false},
      {"[abc", "bx", false},
      {"[a-", "a", true},
      {"[a-", "-", true},
      {"[a\\", "\\", true},
      {"[", "[", false},
      {"[^", "x", true},
      {"[^", "xy", false},
      {"[]", "]", false},
      {"[]", "x", false},
      {"[^]", "x", true},
      {"*[abc", "xxc", true},
  })));
}

TEST_CASE(
    "A hostile pattern takes at most time proportional to its length times the text's length") {
  const std::string text(3000, 'a');
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "a*";
  CHECK(glob_matches(pattern, text));
  CHECK_FALSE(glob_matches(pattern + "b", text));
  CHECK_FALSE(glob_matches(std::string(5000, '*') + "b", text));
  CHECK_FALSE(glob_matches("*" + std::string(1000, '?') + "b", text));
}

}  // namespace
}  // namespace redis
