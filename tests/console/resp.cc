#include "redis/resp.h"

#include <cstdint>
#include <limits>
#include <string>

#include "redis/reply.h"
#include "support/catch.hpp"

namespace redis {
namespace {

using namespace std::string_literals;

std::string resp(const Reply& reply, int protocol) {
  std::string out = "before";
  append_resp(out, reply, protocol);
  CHECK(out.starts_with("before"));
  CHECK(out.size() - 6 <= resp_size_bound(reply));
  return out.substr(6);
}

TEST_CASE("A reply other than nil, text and map is the same in both versions of the protocol") {
  for (const int protocol : {2, 3}) {
    CHECK(resp(Status{"OK"}, protocol) == "+OK\r\n");
    CHECK(resp(Error("ERR no such key"), protocol) == "-ERR no such key\r\n");
    CHECK(resp(std::int64_t{0}, protocol) == ":0\r\n");
    CHECK(resp(std::numeric_limits<std::int64_t>::min(), protocol) == ":-9223372036854775808\r\n");
    CHECK(resp(""s, protocol) == "$0\r\n\r\n");
    CHECK(resp("a\r\n\0b"s, protocol) == "$5\r\na\r\n\0b\r\n"s);
    CHECK(resp(View("view"), protocol) == "$4\r\nview\r\n");
    CHECK(resp(Array(), protocol) == "*0\r\n");
    CHECK(resp(Array{std::int64_t{1}, Array{"a"s}, Status{"OK"}}, protocol) ==
          "*3\r\n:1\r\n*1\r\n$1\r\na\r\n+OK\r\n");
  }
}

TEST_CASE("Version 3 of the protocol has types for nil, text and map") {
  CHECK(resp(Nil(), 2) == "$-1\r\n");
  CHECK(resp(Nil(), 3) == "_\r\n");
  CHECK(resp(Array{Nil()}, 3) == "*1\r\n_\r\n");
  CHECK(resp(Text{"some"}, 2) == "$4\r\nsome\r\n");
  CHECK(resp(Text{"some"}, 3) == "=8\r\ntxt:some\r\n");
  const Map map{{"key"s, std::int64_t{1}, "other"s, Nil()}};
  CHECK(resp(map, 2) == "*4\r\n$3\r\nkey\r\n:1\r\n$5\r\nother\r\n$-1\r\n");
  CHECK(resp(map, 3) == "%2\r\n$3\r\nkey\r\n:1\r\n$5\r\nother\r\n_\r\n");
}

}  // namespace
}  // namespace redis
