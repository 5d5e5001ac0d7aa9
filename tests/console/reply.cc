#include "redis/reply.h"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "redis/render.h"
#include "redis/words.h"
#include "support/catch.hpp"

namespace redis {
namespace {

using namespace std::string_literals;

TEST_CASE("A reply is rendered as redis-cli shows it") {
  CHECK(render(Nil()) == "(nil)\n");
  CHECK(render(Status{"OK"}) == "OK\n");
  CHECK(render(Error("ERR syntax error")) == "(error) ERR syntax error\n");
  CHECK(render(std::int64_t{-1}) == "(integer) -1\n");
  CHECK(render(std::numeric_limits<std::int64_t>::min()) == "(integer) -9223372036854775808\n");
  CHECK(render("Hello"s) == "\"Hello\"\n");
  CHECK(render(""s) == "\"\"\n");
}

TEST_CASE("A bulk reply escapes bytes that do not print") {
  CHECK(render("a\"b\\c"s) == R"("a\"b\\c")"
                              "\n");
  CHECK(render("\n\r\t\a\b"s) == R"("\n\r\t\a\b")"
                                 "\n");
  CHECK(render("\0\x1f\x7f\x80\xff ~'"s) == R"("\x00\x1f\x7f\x80\xff ~'")"
                                            "\n");
}

TEST_CASE("An array numbers its elements, aligned to the right") {
  CHECK(render(Array()) == "(empty array)\n");
  CHECK(render(Array{"a"s, std::int64_t{2}, Nil()}) == "1) \"a\"\n2) (integer) 2\n3) (nil)\n");

  Array ten;
  for (int i = 0; i < 10; ++i) ten.emplace_back(""s);
  const std::string rendered = render(ten);
  CHECK(rendered.substr(0, 14) == " 1) \"\"\n 2) \"\"\n");
  CHECK(rendered.substr(rendered.size() - 14) == " 9) \"\"\n10) \"\"\n");
}

TEST_CASE("An array in an array is indented behind its number") {
  CHECK(render(Array{Array{"a"s, Array{"b"s, "c"s}}, Array(), "d"s}) ==
        "1) 1) \"a\"\n"
        "   2) 1) \"b\"\n"
        "      2) \"c\"\n"
        "2) (empty array)\n"
        "3) \"d\"\n");
}

TEST_CASE("An error contains no line break") {
  CHECK(Error("ERR a\r\nb\n\nc").text == "ERR a  b  c");
  CHECK(Error("\r\nERR a\n\r").text == "ERR a");
  CHECK(Error("\n\r").text.empty());
}

TEST_CASE("split_words undoes quoted for every byte") {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  CHECK(split_words(redis::quoted(bytes)) == Words{bytes});
}

}  // namespace
}  // namespace redis
