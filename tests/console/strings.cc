#include <string>
#include <string_view>

#include "console/lines.h"
#include "support/catch.hpp"

namespace redis {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kTooLong =
    "(error) ERR string exceeds maximum allowed size (proto-max-bulk-len)";

TEST_CASE("MGET returns the value of each key, and MSET sets each pair, in order") {
  check({
      {"MSET a 1 b 2 a 3", "OK"},
      {"MGET a nosuch b a", "1) \"3\"\n2) (nil)\n3) \"2\"\n4) \"3\""},
      {"MSET a 1 b", "(error) ERR wrong number of arguments for 'mset' command"},
      {"MSET a", "(error) ERR wrong number of arguments for 'mset' command"},
      {"PEXPIRE a 1000", "(integer) 1"},
      {"MSET a 4", "OK"},
      {"PTTL a", "(integer) -1"},
  });
}

TEST_CASE("MGET returns nil for an expired key") {
  Client client;
  check(client, {{"SET a 1 PX 5", "OK"}, {"MGET a", "1) \"1\""}});
  client.advance(5ms);
  check(client, {{"MGET a", "1) (nil)"}});
}

TEST_CASE("SETNX stores only under an absent key") {
  Client client;
  check(client, {{"SETNX a 1", "(integer) 1"},
                 {"SETNX a 2", "(integer) 0"},
                 {"GET a", "\"1\""},
                 {"TTL a", "(integer) -1"},
                 {"PEXPIRE a 5", "(integer) 1"}});
  client.advance(5ms);
  check(client, {{"SETNX a 3", "(integer) 1"}, {"GET a", "\"3\""}, {"TTL a", "(integer) -1"}});
}

TEST_CASE("GETSET returns the old value, and clears the ttl") {
  check({
      {"GETSET a 1", "(nil)"},
      {"PEXPIRE a 1000", "(integer) 1"},
      {"GETSET a 2", "\"1\""},
      {"PTTL a", "(integer) -1"},
      {"GET a", "\"2\""},
  });
}

TEST_CASE("SET GET returns the old value, also if the new one is not stored") {
  check({
      {"SET a 1 GET", "(nil)"},
      {"SET a a-longer-value-than-fits-in-place GET", "\"1\""},
      {"SET a 3 GET", "\"a-longer-value-than-fits-in-place\""},
      {"SET a 4 NX GET", "\"3\""},
      {"GET a", "\"3\""},
      {"SET b 1 XX GET", "(nil)"},
      {"EXISTS b", "(integer) 0"},
  });
}

TEST_CASE("GETRANGE counts from either end, and cuts off indices outside the value") {
  Client client;
  check(client, {{"SET a 0123456789", "OK"}});
  struct Row {
    std::string_view range;
    std::string_view part;
  };
  const auto row = GENERATE(values<Row>({
      {"0 0", "0"},
      {"0 -1", "0123456789"},
      {"2 4", "234"},
      {"-3 -1", "789"},
      {"-3 8", "78"},
      {"5 3", ""},
      {"-3 -5", ""},
      {"-1 -3", ""},
      {"9 9", "9"},
      {"9 10", "9"},
      {"10 20", ""},
      {"8 100", "89"},
      {"-100 1", "01"},
      {"-100 -100", "0"},
      {"-100 -90", "0"},
      {"-90 -100", ""},
      {"0 -100", "0"},
      {"1 -100", ""},
      {"-9223372036854775808 9223372036854775807", "0123456789"},
      {"9223372036854775807 -9223372036854775808", ""},
  }));
  CAPTURE(row.range);
  CHECK(client("GETRANGE a " + std::string(row.range)) == '"' + std::string(row.part) + '"');
}

TEST_CASE("GETRANGE parses its numbers before it looks up the key") {
  check({
      {"GETRANGE a 0 1", "\"\""},
      {"GETRANGE a x 1", kNotAnInteger},
      {"GETRANGE a 0 01", kNotAnInteger},
      {"SET a ''", "OK"},
      {"GETRANGE a 0 -1", "\"\""},
  });
}

TEST_CASE("SETRANGE overwrites a part, pads with zeros, and keeps the ttl") {
  check({
      {"SETRANGE a 3 ''", "(integer) 0"},
      {"EXISTS a", "(integer) 0"},
      {"SETRANGE a 2 xy", "(integer) 4"},
      {"GET a", R"("\x00\x00xy")"},
      {"PEXPIREAT a 1700000001000", "(integer) 1"},
      {"SETRANGE a 1 AB", "(integer) 4"},
      {"GET a", R"("\x00ABy")"},
      {"SETRANGE a 3 zz", "(integer) 5"},
      {"SETRANGE a 6 !", "(integer) 7"},
      {"GET a", R"("\x00ABzz\x00!")"},
      {"SETRANGE a 2 ''", "(integer) 7"},
      {"PEXPIRETIME a", "(integer) 1700000001000"},
  });
}

TEST_CASE("SETRANGE refuses an offset below zero or a value above 512 MiB") {
  check({
      {"SETRANGE a -1 x", "(error) ERR offset is out of range"},
      {"SETRANGE a x x", kNotAnInteger},
      {"SETRANGE a 536870912 x", kTooLong},
      {"SETRANGE a 536870911 xx", kTooLong},
      {"SETRANGE a 9223372036854775807 x", kTooLong},
      {"SETRANGE a 9223372036854775807 ''", "(integer) 0"},
      {"SETRANGE a -1 ''", "(error) ERR offset is out of range"},
      {"DBSIZE", "(integer) 0"},
  });
}

}  // namespace
}  // namespace redis
