#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "console/lines.h"
#include "support/catch.hpp"

namespace redis {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kInvalidCursor = "(error) ERR invalid cursor";

TEST_CASE("TYPE, TOUCH and UNLINK find only live keys") {
  Client client;
  check(client, {{"MSET a 1 b 2", "OK"},
                 {"SET c 3 PX 5", "OK"},
                 {"TYPE a", "string"},
                 {"TYPE nosuch", "none"},
                 {"TOUCH a b c a nosuch", "(integer) 4"}});
  client.advance(5ms);
  check(client, {{"TYPE c", "none"},
                 {"TOUCH a b c", "(integer) 2"},
                 {"UNLINK a c nosuch", "(integer) 1"},
                 {"EXISTS a b", "(integer) 1"}});
}

TEST_CASE("Each of the sixteen databases has its own keys") {
  check({
      {"SET a 1", "OK"},
      {"SELECT 15", "OK"},
      {"GET a", "(nil)"},
      {"SET a 2", "OK"},
      {"DBSIZE", "(integer) 1"},
      {"SELECT 16", "(error) ERR DB index is out of range"},
      {"SELECT -1", "(error) ERR DB index is out of range"},
      {"SELECT x", kNotAnInteger},
      {"GET a", "\"2\""},
      {"FLUSHDB", "OK"},
      {"DBSIZE", "(integer) 0"},
      {"SELECT 0", "OK"},
      {"GET a", "\"1\""},
      {"SELECT 1", "OK"},
      {"FLUSHDB now", kSyntaxError},
      {"FLUSHALL", "OK"},
      {"SELECT 0", "OK"},
      {"DBSIZE", "(integer) 0"},
  });
}

TEST_CASE("COPY copies the value and the ttl to another database") {
  check({
      {"SET a 1 EX 10", "OK"},
      {"COPY a a DB 3", "(integer) 1"},
      {"COPY a a DB 3", "(integer) 0"},
      {"SET a 2", "OK"},
      {"COPY a a DB 3 REPLACE", "(integer) 1"},
      {"COPY a b DB 15", "(integer) 1"},
      {"SELECT 3", "OK"},
      {"GET a", "\"2\""},
      {"TTL a", "(integer) -1"},
      {"PEXPIRE a 1000", "(integer) 1"},
      {"COPY a c DB 0", "(integer) 1"},
      {"SELECT 0", "OK"},
      {"PTTL c", "(integer) 1000"},
      {"EXISTS b", "(integer) 0"},
  });
}

TEST_CASE("RANDOMKEY returns any live key") {
  Client client;
  check(client, {{"RANDOMKEY", "(nil)"}, {"MSET a 1 b 2 c 3", "OK"}});
  std::set<std::string> seen;
  for (int i = 0; i != 200; ++i) seen.insert(client("RANDOMKEY"));
  CHECK(seen == std::set<std::string>{"\"a\"", "\"b\"", "\"c\""});

  check(client, {{"PEXPIRE a 5", "(integer) 1"}, {"PEXPIRE c 5", "(integer) 1"}});
  client.advance(5ms);
  for (int i = 0; i != 50; ++i) CHECK(client("RANDOMKEY") == "\"b\"");
  check(client, {{"DEL b", "(integer) 1"}, {"RANDOMKEY", "(nil)"}});
}

// One step of an iteration: the keys, and the cursor of the next step.
struct Part {
  std::string cursor;
  std::vector<std::string> keys;
};

Part scan(Client& client, const std::string& cursor,
          const std::vector<std::string_view>& more = {}) {
  std::vector<std::string_view> words = {"SCAN", cursor};
  words.insert(words.end(), more.begin(), more.end());
  const Reply reply = run(client.instance, client.session, words);
  const Array& parts = std::get<Array>(reply.value);
  Part part{std::get<Bulk>(parts.at(0).value), {}};
  for (const Reply& key : std::get<Array>(parts.at(1).value)) {
    part.keys.emplace_back(std::get<View>(key.value));
  }
  return part;
}

TEST_CASE("SCAN returns every key once, about COUNT at a time") {
  Client client;
  for (int i = 0; i != 95; ++i) client("SET key:" + std::to_string(i) + " 1");
  const auto [count, calls] =
      GENERATE(table<std::string, int>({{"", 10}, {"1", 95}, {"94", 2}, {"95", 1}, {"1000", 1}}));
  std::set<std::string> seen;
  std::string cursor = "0";
  int parts = 0;
  do {
    const Part part = count.empty() ? scan(client, cursor) : scan(client, cursor, {"COUNT", count});
    for (const std::string& key : part.keys) CHECK(seen.insert(key).second);
    cursor = part.cursor;
    ++parts;
  } while (cursor != "0");
  CHECK(seen.size() == 95);
  CHECK(parts == calls);
}

TEST_CASE("SCAN omits keys that do not match, and expired keys") {
  Client client;
  check(client, {{"MSET a1 1 a2 2 b1 3", "OK"}, {"SET a3 4 PX 5", "OK"}});
  const auto keys = [&](const std::vector<std::string_view>& options) {
    auto found = scan(client, "0", options).keys;
    std::ranges::sort(found);
    return found;
  };
  using Keys = std::vector<std::string>;
  CHECK(keys({}) == Keys{"a1", "a2", "a3", "b1"});
  CHECK(keys({"match", "a*"}) == Keys{"a1", "a2", "a3"});
  CHECK(keys({"TYPE", "String"}) == Keys{"a1", "a2", "a3", "b1"});
  CHECK(keys({"TYPE", "list"}).empty());
  CHECK(keys({"MATCH", "b*", "MATCH", "*2", "COUNT", "100"}) == Keys{"a2"});
  client.advance(5ms);
  CHECK(keys({}) == Keys{"a1", "a2", "b1"});
}

TEST_CASE("SCAN takes cursors and options as Redis does") {
  check({
      {"SCAN 0", "1) \"0\"\n2) (empty array)"},
      {"SCAN 12345", "1) \"0\"\n2) (empty array)"},
      {"SCAN -1", "1) \"0\"\n2) (empty array)"},
      {"SCAN +1", "1) \"0\"\n2) (empty array)"},
      {"SCAN ''", "1) \"0\"\n2) (empty array)"},
      {"SCAN 18446744073709551615", "1) \"0\"\n2) (empty array)"},
      {"SCAN 18446744073709551616", kInvalidCursor},
      {"SCAN x", kInvalidCursor},
      {"SCAN 1x", kInvalidCursor},
      {"SCAN ' 1'", kInvalidCursor},
      {"SCAN x COUNT 0", kInvalidCursor},
      {"SCAN 0 COUNT 0", kSyntaxError},
      {"SCAN 0 COUNT -1", kSyntaxError},
      {"SCAN 0 COUNT x", kNotAnInteger},
      {"SCAN 0 COUNT", kSyntaxError},
      {"SCAN 0 MATCH", kSyntaxError},
      {"SCAN 0 FOO 1", kSyntaxError},
  });
}

TEST_CASE(
    "SCAN returns the keys that are stored throughout, while others are inserted and erased") {
  Client client;
  for (int i = 0; i != 300; ++i) {
    client("SET stays" + std::to_string(i) + " 1");
    client("SET goes" + std::to_string(i) + " 1 PX " + std::to_string(i + 1));
  }
  std::set<std::string> seen;
  std::string cursor = "0";
  int came = 0;
  do {
    const Part part = scan(client, cursor, {"COUNT", "5"});
    seen.insert(part.keys.begin(), part.keys.end());
    cursor = part.cursor;
    client.advance(7ms);
    client.instance.erase_expired(1000);
    for (int i = 0; i != 3; ++i) client("SET comes" + std::to_string(++came) + " 1");
  } while (cursor != "0");
  for (int i = 0; i != 300; ++i) CHECK(seen.contains("stays" + std::to_string(i)));
}

}  // namespace
}  // namespace redis
