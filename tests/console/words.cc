#include "redis/words.h"

#include <string>
#include <string_view>

#include "support/catch.hpp"

namespace redis {
namespace {

using namespace std::string_view_literals;

TEST_CASE("split_words splits a line at blanks") {
  CHECK(split_words("") == Words{});
  CHECK(split_words(" \t\r\n\v\f ") == Words{});
  CHECK(split_words("PING") == Words{"PING"});
  CHECK(split_words("  SET\tkey \r value\r\n") == Words{"SET", "key", "value"});
}

TEST_CASE("split_words keeps a vertical tab or a form feed inside a word") {
  CHECK(split_words("a\vb c\fd") == Words{"a\vb", "c\fd"});
  CHECK(split_words("\va \fb") == Words{"a", "b"});
}

TEST_CASE("split_words keeps blanks and single quotes inside double quotes") {
  CHECK(split_words(R"(SET key "two words")") == Words{"SET", "key", "two words"});
  CHECK(split_words(R"("it's" "")") == Words{"it's", ""});
}

TEST_CASE("split_words replaces escapes inside double quotes") {
  struct Row {
    std::string_view line;
    std::string_view word;
  };
  const auto row = GENERATE(values<Row>({
      {R"("\n\r\t\b\a")", "\n\r\t\b\a"},
      {R"("\"\\\'")", "\"\\'"},
      {R"("\x41\x7a\xfF\x00")", "Az\xff\0"sv},
      {R"("\x4")", "x4"},
      {R"("\x4g")", "x4g"},
      {R"("\xg4")", "xg4"},
      {R"("\X41\q\0")", "X41q0"},
  }));
  CAPTURE(row.line);
  CHECK(split_words(row.line) == Words{std::string(row.word)});
}

TEST_CASE("split_words replaces only an escaped quote inside single quotes") {
  CHECK(split_words(R"('it\'s')") == Words{"it's"});
  CHECK(split_words(R"('\n "x" \\ \x41')") == Words{R"(\n "x" \\ \x41)"});
  CHECK(split_words("''") == Words{""});
}

TEST_CASE("split_words does not replace escapes outside quotes") {
  CHECK(split_words(R"(a\nb \x41)") == Words{R"(a\nb)", R"(\x41)"});
}

TEST_CASE("split_words opens a quote in the middle of a word") {
  CHECK(split_words(R"(a"b c" d'e f')") == Words{"ab c", "de f"});
}

TEST_CASE("split_words refuses quotes that do not balance") {
  const auto line = GENERATE(values<std::string_view>({
      R"(")",
      R"(')",
      R"(SET key "open)",
      R"(SET key 'open)",
      R"("open\")",
      R"("open\)",
      R"('open\')",
      R"("a"b)",
      R"('a'b)",
      R"("a""b")",
      R"('a'"b")",
      R"(ok "a"b ok)",
  }));
  CAPTURE(line);
  CHECK(split_words(line) == std::nullopt);
}

TEST_CASE("split_words accepts any blank after a closing quote") {
  for (const char blank : " \t\n\v\f\r"sv) {
    CAPTURE(static_cast<int>(blank));
    CHECK(split_words(std::string("\"a\"") + blank + "'b'") == Words{"a", "b"});
  }
}

TEST_CASE("split_words ends a line at a NUL byte") {
  CHECK(split_words("GET a\0b c"sv) == Words{"GET", "a"});
  CHECK(split_words("\"a\0\""sv) == std::nullopt);
}

TEST_CASE("split_words keeps every other byte") {
  for (int byte = 1; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (" \t\n\v\f\r\"'"sv.find(c) != std::string_view::npos) continue;
    CAPTURE(byte);
    CHECK(split_words(std::string("a ") + c) == Words{"a", std::string(1, c)});
  }
}

TEST_CASE("is_option compares in any case and stops at a NUL byte") {
  CHECK(is_option("keepttl", "keepttl"));
  CHECK(is_option("KeepTTL", "keepttl"));
  CHECK(is_option("NX\0more"sv, "nx"));
  CHECK_FALSE(is_option("n", "nx"));
  CHECK_FALSE(is_option("nxx", "nx"));
  CHECK_FALSE(is_option("", "nx"));
  CHECK_FALSE(is_option("\0nx"sv, "nx"));
  CHECK_FALSE(is_option("e@", "e`"));
}

TEST_CASE("lower_case changes only A to Z") {
  CHECK(lower_case("PEXPIRE @[`{ 09 \xC4\xE4") == "pexpire @[`{ 09 \xC4\xE4");
}

}  // namespace
}  // namespace redis
