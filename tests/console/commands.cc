#include "redis/commands.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "console/lines.h"
#include "support/catch.hpp"

namespace redis {
namespace {

using namespace std::chrono_literals;

// --- Dispatch ------------------------------------------------------------------------------------

TEST_CASE("A command is found in any case") {
  check({{"SET k v", "OK"}, {"set k w", "OK"}, {"gEt k", "\"w\""}});
}

TEST_CASE("Every command refuses a wrong number of words") {
  for (const Command& command : commands()) {
    CAPTURE(command.name);
    const std::string name(command.name);
    const std::string refusal = "(error) ERR wrong number of arguments for '" + name + "' command";
    std::string words_of_name = name;
    std::ranges::replace(words_of_name, '|', ' ');
    const int name_size = words_of_name == name ? 1 : 2;
    const auto line_of = [&](int words) {
      std::string line = words_of_name;
      for (int i = name_size; i < words; ++i) line += " 1";
      return line;
    };
    const int least = std::abs(command.arity);
    Client session;
    if (least > name_size) CHECK(session(line_of(least - 1)) == refusal);
    if (command.arity > 0) CHECK(session(line_of(least + 1)) == refusal);
    CHECK(session(line_of(least)) != refusal);
  }
}

TEST_CASE("An error names the command in lower case") {
  check({
      {"GeT", "(error) ERR wrong number of arguments for 'get' command"},
      {"SETEX k 0 v", "(error) ERR invalid expire time in 'setex' command"},
  });
}

TEST_CASE("find_command finds only the rows of the table") {
  for (const Command& command : commands()) CHECK(find_command(command.name) == &command);
  CHECK(find_command("PExpireAt") != nullptr);
  CHECK(find_command("") == nullptr);
  CHECK(find_command("aaa") == nullptr);
  CHECK(find_command("zzz") == nullptr);
  CHECK(find_command("get ") == nullptr);
}

TEST_CASE("The error quotes an unknown command and its arguments") {
  check({
      {"foo", "(error) ERR unknown command 'foo', with args beginning with: "},
      {"Foo a 'b c'", "(error) ERR unknown command 'Foo', with args beginning with: 'a' 'b c' "},
      {"''", "(error) ERR unknown command '', with args beginning with: "},
      {R"("f\no" "\r\n" "")",
       "(error) ERR unknown command 'f o', with args beginning with: '  ' '' "},
      {R"("get\x00" "a\x00b" c)",
       "(error) ERR unknown command 'get', with args beginning with: 'a' 'c' "},
  });
}

TEST_CASE("The error quotes 128 bytes of an unknown command, and 128 bytes of all its arguments") {
  const std::string long_word(150, 'x');
  const std::string quoted_word = "'" + std::string(128, 'x') + "'";
  Client session;
  CHECK(session(long_word + " a") ==
        "(error) ERR unknown command " + quoted_word + ", with args beginning with: 'a' ");
  CHECK(session("foo " + long_word + " a") ==
        "(error) ERR unknown command 'foo', with args beginning with: " + quoted_word + " ");
  // 'y...y' and a blank take 103 bytes. The next word gets the other 25 bytes, and later words get
  // none.
  const std::string word(100, 'y');
  CHECK(session("foo " + word + " " + word + " a") ==
        "(error) ERR unknown command 'foo', with args beginning with: '" + word + "' '" +
            std::string(25, 'y') + "' ");
}

// --- SET and GET ---------------------------------------------------------------------------------

TEST_CASE("SET stores any bytes and GET returns them") {
  check({
      {"GET k", "(nil)"},
      {R"(SET "" "")", "OK"},
      {R"(GET "")", R"("")"},
      {R"(SET "\x00\xff" "\x00\r\n\x00")", "OK"},
      {R"(GET "\x00\xff")", R"("\x00\r\n\x00")"},
  });
}

TEST_CASE("SET clears the ttl") {
  check({{"SET k v EX 10", "OK"}, {"SET k w", "OK"}, {"TTL k", "(integer) -1"}});
}

TEST_CASE("SET takes an expiry in each of four forms") {
  check({
      {"SET k v EX 10", "OK"},
      {"PEXPIRETIME k", "(integer) 1700000010000"},
      {"SET k v px 1500", "OK"},
      {"PEXPIRETIME k", "(integer) 1700000001500"},
      {"SET k v ExAt 1700000100", "OK"},
      {"PEXPIRETIME k", "(integer) 1700000100000"},
      {"SET k v PXAT 1700000100001", "OK"},
      {"PEXPIRETIME k", "(integer) 1700000100001"},
      {"SET k v EX 10 EX 20 ex 30", "OK"},
      {"TTL k", "(integer) 30"},
  });
}

TEST_CASE("SET with a Unix time in the past leaves the key absent") {
  check({
      {"SET k old", "OK"},
      {"SET k v EXAT 1", "OK"},
      {"GET k", "(nil)"},
      {"DBSIZE", "(integer) 0"},
      {"SET k v PXAT 1700000000000", "OK"},
      {"EXISTS k", "(integer) 0"},
      {"SET k v PXAT 1700000000001", "OK"},
      {"PTTL k", "(integer) 1"},
  });
}

TEST_CASE("SET NX stores only under an absent key, SET XX only under a present key") {
  check({
      {"SET k v XX", "(nil)"},
      {"EXISTS k", "(integer) 0"},
      {"SET k v NX", "OK"},
      {"SET k w nx NX EX 10", "(nil)"},
      {"GET k", "\"v\""},
      {"TTL k", "(integer) -1"},
      {"SET k w XX PX 500 XX", "OK"},
      {"GET k", "\"w\""},
      {"PTTL k", "(integer) 500"},
  });
}

TEST_CASE("SET NX stores under an expired key, SET XX does not") {
  Client session;
  check(session, {{"SET a v PX 10", "OK"}, {"SET b v PX 10", "OK"}});
  session.advance(10ms);
  check(session, {
                     {"SET a w XX", "(nil)"},
                     {"GET a", "(nil)"},
                     {"SET b w NX", "OK"},
                     {"TTL b", "(integer) -1"},
                 });
}

TEST_CASE("SET GET returns the old value, whether it stores the new one or not") {
  check({
      {"SET k a GET", "(nil)"},
      {"SET k b GET", "\"a\""},
      {"SET k c GET NX", "\"b\""},
      {"SET k d XX GET EX 10", "\"b\""},
      {"GET k", "\"d\""},
      {"TTL k", "(integer) 10"},
      {"SET m x XX GET", "(nil)"},
      {"EXISTS m", "(integer) 0"},
      {"SET m x NX GET GET", "(nil)"},
      {"GET m", "\"x\""},
  });
}

TEST_CASE("SET KEEPTTL keeps the ttl of a live key") {
  Client session;
  check(session, {
                     {"SET k v PX 100", "OK"},
                     {"SET k w KEEPTTL keepttl", "OK"},
                     {"GET k", "\"w\""},
                     {"PTTL k", "(integer) 100"},
                     {"SET k x KEEPTTL NX", "(nil)"},
                     {"SET k y KEEPTTL XX GET", "\"w\""},
                     {"PTTL k", "(integer) 100"},
                     {"SET new v KEEPTTL XX", "(nil)"},
                     {"SET new v KEEPTTL NX", "OK"},
                     {"TTL new", "(integer) -1"},
                 });
  session.advance(100ms);
  check(session, {
                     {"SET k z KEEPTTL XX", "(nil)"},
                     {"SET k z KEEPTTL", "OK"},
                     {"TTL k", "(integer) -1"},
                 });
}

TEST_CASE("SET refuses options that exclude each other, before it parses a number") {
  check({
      {"SET k v NX XX", kSyntaxError},
      {"SET k v XX NX", kSyntaxError},
      {"SET k v EX 10 PX 10", kSyntaxError},
      {"SET k v EXAT 10 PXAT 10", kSyntaxError},
      {"SET k v KEEPTTL EX 10", kSyntaxError},
      {"SET k v EX 10 KEEPTTL", kSyntaxError},
      {"SET k v EX", kSyntaxError},
      {"SET k v EX 10 EX", kSyntaxError},
      {"SET k v EX x FOO", kSyntaxError},
      {"SET k v 10", kSyntaxError},
      {"SET k v ''", kSyntaxError},
      {"SET k v PERSIST", kSyntaxError},
      {"SET k v EX EX", kNotAnInteger},
      {"SET k v EX 1.5", kNotAnInteger},
      {"SET k v EX 10 EX x", kNotAnInteger},
      {"EXISTS k", "(integer) 0"},
  });
}

TEST_CASE("SET, SETEX, PSETEX and GETEX refuse a time that is below one or overflows") {
  struct Row {
    std::string_view form;
    std::string_view number;
  };
  const auto row = GENERATE(values<Row>({
      {"EX", "0"},
      {"PX", "0"},
      {"EXAT", "0"},
      {"PXAT", "0"},
      {"EX", "-1"},
      {"PXAT", "-9223372036854775808"},
      {"EX", "9223372036854776"},
      {"EX", "9223372036854775"},
      {"EXAT", "9223372036854776"},
      {"EXAT", "9223372036854775807"},
      {"PX", "9223372036854775807"},
  }));
  const std::string option = std::string(row.form) + " " + std::string(row.number);
  CAPTURE(option);
  Client session;
  CHECK(session("SET k v " + option) == "(error) ERR invalid expire time in 'set' command");
  CHECK(session("EXISTS k") == "(integer) 0");
  CHECK(session("SET k v EX 10") == "OK");
  CHECK(session("GETEX k " + option) == "(error) ERR invalid expire time in 'getex' command");
  CHECK(session("TTL k") == "(integer) 10");
  if (row.form == "EX" || row.form == "PX") {
    const std::string name = row.form == "EX" ? "setex" : "psetex";
    CHECK(session(name + " k " + std::string(row.number) + " v") ==
          "(error) ERR invalid expire time in '" + name + "' command");
  }
}

TEST_CASE("SETEX and PSETEX store a value with a ttl") {
  check({
      {"SETEX k 10 v", "OK"},
      {"PTTL k", "(integer) 10000"},
      {"PSETEX k 10 w", "OK"},
      {"PTTL k", "(integer) 10"},
      {"GET k", "\"w\""},
      {"SETEX k x v", kNotAnInteger},
      {"PSETEX k '' v", kNotAnInteger},
  });
}

TEST_CASE("GETEX returns the value and sets or removes the expiry") {
  check({
      {"GETEX k EX 10", "(nil)"},
      {"SET k v", "OK"},
      {"GETEX k", "\"v\""},
      {"TTL k", "(integer) -1"},
      {"GETEX k ex 10 EX 20", "\"v\""},
      {"PTTL k", "(integer) 20000"},
      {"GETEX k", "\"v\""},
      {"PTTL k", "(integer) 20000"},
      {"GETEX k PX 15", "\"v\""},
      {"PTTL k", "(integer) 15"},
      {"GETEX k EXAT 1700000100", "\"v\""},
      {"PEXPIRETIME k", "(integer) 1700000100000"},
      {"GETEX k PXAT 1700000100001", "\"v\""},
      {"PEXPIRETIME k", "(integer) 1700000100001"},
      {"GETEX k PERSIST persist", "\"v\""},
      {"TTL k", "(integer) -1"},
      {"GETEX k PERSIST", "\"v\""},
      {"GETEX k PXAT 1700000000000", "\"v\""},
      {"GET k", "(nil)"},
  });
}

TEST_CASE("GETEX checks its options, then the key, then the number") {
  check({
      {"GETEX k EX", kSyntaxError},
      {"GETEX k PERSIST EX 10", kSyntaxError},
      {"GETEX k EX 10 PERSIST", kSyntaxError},
      {"GETEX k EX 10 PX 10", kSyntaxError},
      {"GETEX k KEEPTTL", kSyntaxError},
      {"GETEX k NX", kSyntaxError},
      {"GETEX k EX x", "(nil)"},
      {"GETEX k EX 0", "(nil)"},
      {"SET k v", "OK"},
      {"GETEX k EX x", kNotAnInteger},
      {"GETEX k EX 0", "(error) ERR invalid expire time in 'getex' command"},
      {"TTL k", "(integer) -1"},
  });
}

TEST_CASE("GETDEL returns the value and deletes the key") {
  check({{"GETDEL k", "(nil)"}, {"SET k v", "OK"}, {"GETDEL k", "\"v\""}, {"GET k", "(nil)"}});
}

// --- Changing a value ----------------------------------------------------------------------------

TEST_CASE("The INCR family counts from zero and keeps the ttl") {
  check({
      {"INCR k", "(integer) 1"},
      {"EXPIRE k 10", "(integer) 1"},
      {"INCRBY k 41", "(integer) 42"},
      {"DECR k", "(integer) 41"},
      {"DECRBY k -9", "(integer) 50"},
      {"INCRBY k -100", "(integer) -50"},
      {"GET k", "\"-50\""},
      {"TTL k", "(integer) 10"},
      {"DECR m", "(integer) -1"},
      {"DECRBY n 5", "(integer) -5"},
  });
}

TEST_CASE("The INCR family refuses a step or a value that is no integer") {
  check({
      {"INCRBY k 1.5", kNotAnInteger},
      {"INCRBY k +1", kNotAnInteger},
      {"DECRBY k ''", kNotAnInteger},
      {"DECRBY k -0", kNotAnInteger},
      {"INCRBY k 9223372036854775808", kNotAnInteger},
      {"EXISTS k", "(integer) 0"},
      {"SET k ' 1'", "OK"},
      {"INCR k", kNotAnInteger},
      {"SET k 007", "OK"},
      {"DECR k", kNotAnInteger},
      {"SET k ''", "OK"},
      {"INCRBY k 1", kNotAnInteger},
      {"GET k", R"("")"},
  });
}

TEST_CASE("The INCR family refuses to overflow") {
  constexpr std::string_view kOverflow = "(error) ERR increment or decrement would overflow";
  check({
      {"SET k 9223372036854775807", "OK"},
      {"INCR k", kOverflow},
      {"INCRBY k 9223372036854775807", kOverflow},
      {"DECRBY k -1", kOverflow},
      {"INCRBY k -9223372036854775808", "(integer) -1"},
      {"SET k -9223372036854775808", "OK"},
      {"DECR k", kOverflow},
      {"INCRBY k -1", kOverflow},
      {"DECRBY k 9223372036854775807", kOverflow},
      {"DECRBY k -9223372036854775808", "(error) ERR decrement would overflow"},
      {"GET k", "\"-9223372036854775808\""},
  });
}

TEST_CASE("INCRBYFLOAT adds numbers and writes the shortest form") {
  check({
      {"INCRBYFLOAT k 0.1", "\"0.1\""},
      {"INCRBYFLOAT k 0.2", "\"0.3\""},
      {"INCRBYFLOAT k -0.3", "\"0\""},
      {"SET k 3.0e3", "OK"},
      {"PEXPIRE k 10", "(integer) 1"},
      {"INCRBYFLOAT k 200", "\"3200\""},
      {"PTTL k", "(integer) 10"},
      {"SET k 10.50", "OK"},
      {"INCRBYFLOAT k 0x10", "\"26.5\""},
      {"GET k", "\"26.5\""},
      {"INCRBYFLOAT k -1e-20", "\"26.5\""},
      {"SET k 5", "OK"},
      {"INCRBYFLOAT k -1e1", "\"-5\""},
      {"INCR k", "(integer) -4"},
  });
}

TEST_CASE("INCRBYFLOAT refuses a step or a value that is no number") {
  check({
      {"INCRBYFLOAT k abc", kNotAFloat},
      {"INCRBYFLOAT k ''", kNotAFloat},
      {"INCRBYFLOAT k ' 1'", kNotAFloat},
      {"INCRBYFLOAT k nan", kNotAFloat},
      {"INCRBYFLOAT k 1e5000", kNotAFloat},
      {"EXISTS k", "(integer) 0"},
      {"SET k '1 '", "OK"},
      {"INCRBYFLOAT k 1", kNotAFloat},
      {"GET k", "\"1 \""},
  });
}

TEST_CASE("INCRBYFLOAT refuses a sum that is not finite") {
  constexpr std::string_view kNotFinite = "(error) ERR increment would produce NaN or Infinity";
  check({
      {"INCRBYFLOAT k inf", kNotFinite},
      {"INCRBYFLOAT k -INF", kNotFinite},
      {"EXISTS k", "(integer) 0"},
      {"SET k inf", "OK"},
      {"INCRBYFLOAT k -inf", kNotFinite},
      {"INCRBYFLOAT k 1", kNotFinite},
  });
}

TEST_CASE("APPEND extends a value and keeps the ttl") {
  check({
      {"APPEND k Hello", "(integer) 5"},
      {"TTL k", "(integer) -1"},
      {"EXPIRE k 10", "(integer) 1"},
      {R"(APPEND k "\x00 W")", "(integer) 8"},
      {"APPEND k ''", "(integer) 8"},
      {"GET k", R"("Hello\x00 W")"},
      {"TTL k", "(integer) 10"},
      {"APPEND empty ''", "(integer) 0"},
      {"EXISTS empty", "(integer) 1"},
  });
}

TEST_CASE("STRLEN counts bytes") {
  check({
      {"STRLEN k", "(integer) 0"},
      {R"(SET k "a\x00\xff")", "OK"},
      {"STRLEN k", "(integer) 3"},
  });
}

// --- Expiry --------------------------------------------------------------------------------------

TEST_CASE("Conditions decide whether an expiry is set, even if it is in the past") {
  struct Row {
    std::string_view flags;
    // First the replies for a persistent key and a time in the past and in the future. Then the
    // replies for a key with a ttl of 100000 ms and a time in the past, a sooner, an equal and a
    // later time.
    std::string_view replies;
  };
  const auto row = GENERATE(values<Row>({
      {"", "111111"},
      {"NX", "110000"},
      {"nx NX", "110000"},
      {"XX", "001111"},
      {"GT", "000001"},
      {"LT", "111100"},
      {"XX GT", "000001"},
      {"gt xx GT", "000001"},
      {"LT XX", "001100"},
      {"Xx lT xX", "001100"},
  }));
  CAPTURE(row.flags);
  const std::string_view ttls[] = {"0", "500", "-1", "99999", "100000", "100001"};
  for (std::size_t i = 0; i < std::size(ttls); ++i) {
    CAPTURE(i);
    const bool holds = row.replies[i] == '1';
    const bool is_past = i == 0 || i == 2;
    const std::string ttl(ttls[i]);
    const std::string before = i < 2 ? "-1" : "100000";
    const std::string after = !holds ? before : is_past ? "-2" : ttl;
    Client session;
    session("SET k v");
    if (i >= 2) session("PEXPIRE k 100000");
    CHECK(session("PEXPIRE k " + ttl + " " + std::string(row.flags)) ==
          std::string("(integer) ") + row.replies[i]);
    CHECK(session("PTTL k") == "(integer) " + after);
  }
}

TEST_CASE("The EXPIRE family counts in seconds or milliseconds, from now or from the epoch") {
  check({
      {"EXPIRE k 10", "(integer) 0"},
      {"SET k v", "OK"},
      {"EXPIRE k 10", "(integer) 1"},
      {"PEXPIRETIME k", "(integer) 1700000010000"},
      {"PEXPIRE k 10", "(integer) 1"},
      {"PEXPIRETIME k", "(integer) 1700000000010"},
      {"EXPIREAT k 1700000020", "(integer) 1"},
      {"PEXPIRETIME k", "(integer) 1700000020000"},
      {"PEXPIREAT k 1700000020001", "(integer) 1"},
      {"PEXPIRETIME k", "(integer) 1700000020001"},
      {"EXPIREAT k 1700000000", "(integer) 1"},
      {"EXISTS k", "(integer) 0"},
      {"SET k v", "OK"},
      {"PEXPIREAT k -9223372036854775808", "(integer) 1"},
      {"EXISTS k", "(integer) 0"},
  });
}

TEST_CASE("The EXPIRE family checks each option, then all options together, then the number") {
  constexpr std::string_view kNxWithOthers =
      "(error) ERR NX and XX, GT or LT options at the same time are not compatible";
  constexpr std::string_view kGtWithLt =
      "(error) ERR GT and LT options at the same time are not compatible";
  const auto name = GENERATE(values<std::string>({"EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"}));
  Client session;
  const auto run = [&](std::string_view rest) { return session(name + " k " + std::string(rest)); };
  CHECK(run("x NX XX Foo") == "(error) ERR Unsupported option Foo");
  CHECK(run("x Foo BAR") == "(error) ERR Unsupported option Foo");
  CHECK(run("10 ''") == "(error) ERR Unsupported option ");
  CHECK(run(R"(10 "a\nb\n")") == "(error) ERR Unsupported option a b");
  CHECK(run(R"(10 "a\x00b")") == "(error) ERR Unsupported option a");
  CHECK(run("x NX XX") == kNxWithOthers);
  CHECK(run("x GT LT NX") == kNxWithOthers);
  CHECK(run("x lt nx") == kNxWithOthers);
  CHECK(run("x GT LT XX") == kGtWithLt);
  CHECK(run("x GT") == kNotAnInteger);
  CHECK(run("1.5") == kNotAnInteger);
  CHECK(run("'' XX") == kNotAnInteger);
}

TEST_CASE("The EXPIRE family refuses times that overflow, before it looks up the key") {
  const auto refusal = [](std::string_view name) {
    return "(error) ERR invalid expire time in '" + std::string(name) + "' command";
  };
  check({
      {"EXPIRE k 9223372036854776", refusal("expire")},
      {"EXPIRE k 9223372036854775", refusal("expire")},
      {"EXPIRE k -9223372036854776", refusal("expire")},
      {"EXPIRE k -9223372036854775", "(integer) 0"},
      {"PEXPIRE k 9223372036854775807", refusal("pexpire")},
      {"PEXPIRE k 9223370336854775808", refusal("pexpire")},
      {"PEXPIRE k 9223370336854775807", "(integer) 0"},
      {"PEXPIRE k -9223372036854775808", "(integer) 0"},
      {"EXPIREAT k 9223372036854776", refusal("expireat")},
      {"EXPIREAT k -9223372036854776", refusal("expireat")},
      {"EXPIREAT k 9223372036854775", "(integer) 0"},
      {"PEXPIREAT k 9223372036854775807", "(integer) 0"},
      {"PEXPIREAT k 9223372036854775808", kNotAnInteger},
  });
}

TEST_CASE("The latest deadline is finite") {
  check({
      {"SET k v PXAT 9223372036854775807", "OK"},
      {"PEXPIRETIME k", "(integer) 9223372036854775806"},
      {"EXPIRETIME k", "(integer) 9223372036854776"},
      {"PTTL k", "(integer) 9223370336854775806"},
      {"TTL k", "(integer) 9223370336854776"},
      {"PERSIST k", "(integer) 1"},
      {"PEXPIREAT k 9223372036854775807 GT", "(integer) 0"},
      {"PEXPIREAT k 9223372036854775807 LT", "(integer) 1"},
      {"PEXPIRE k 9223370336854775807 XX", "(integer) 1"},
      {"PEXPIRETIME k", "(integer) 9223372036854775806"},
  });
}

TEST_CASE("A persistent key and a missing key have special replies") {
  const auto name = GENERATE(values<std::string>({"TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"}));
  Client session;
  CHECK(session(name + " k") == "(integer) -2");
  CHECK(session("SET k v") == "OK");
  CHECK(session(name + " k") == "(integer) -1");
}

TEST_CASE("TTL and EXPIRETIME round to the nearest second") {
  struct Row {
    std::string_view millis;
    std::string_view seconds;
  };
  const auto row = GENERATE(values<Row>({
      {"1", "0"},
      {"499", "0"},
      {"500", "1"},
      {"1499", "1"},
      {"1500", "2"},
      {"2000", "2"},
  }));
  CAPTURE(row.millis);
  Client session;
  session("SET k v PX " + std::string(row.millis));
  CHECK(session("TTL k") == "(integer) " + std::string(row.seconds));
  CHECK(session("EXPIRETIME k") == "(integer) 170000000" + std::string(row.seconds));
}

TEST_CASE("PERSIST removes an expiry once") {
  check({
      {"PERSIST k", "(integer) 0"},
      {"SET k v EX 10", "OK"},
      {"PERSIST k", "(integer) 1"},
      {"TTL k", "(integer) -1"},
      {"PERSIST k", "(integer) 0"},
  });
}

TEST_CASE("A key is live before its deadline and absent from then on, for every command") {
  Client session;
  check(session, {{"SET k 5 PX 1500", "OK"}, {"SET other v", "OK"}});
  session.advance(1499ms);
  check(session, {
                     {"GET k", "\"5\""},
                     {"PTTL k", "(integer) 1"},
                     {"TTL k", "(integer) 0"},
                     {"KEYS *", "1) \"k\"\n2) \"other\""},
                     {"DBSIZE", "(integer) 2"},
                 });
  session.advance(1ms);
  check(session, {
                     {"GET k", "(nil)"},
                     {"GETEX k EX 10", "(nil)"},
                     {"GETDEL k", "(nil)"},
                     {"EXISTS k", "(integer) 0"},
                     {"DEL k", "(integer) 0"},
                     {"TTL k", "(integer) -2"},
                     {"PEXPIRETIME k", "(integer) -2"},
                     {"PERSIST k", "(integer) 0"},
                     {"EXPIRE k 10", "(integer) 0"},
                     {"STRLEN k", "(integer) 0"},
                     {"RENAME k m", kNoSuchKey},
                     {"COPY k m", "(integer) 0"},
                     {"KEYS *", "1) \"other\""},
                     {"DBSIZE", "(integer) 1"},
                     {"INCR k", "(integer) 1"},
                     {"TTL k", "(integer) -1"},
                 });
}

TEST_CASE("A write to an expired key does not use the old value or expiry") {
  for (const std::string_view line : {"APPEND k x", "INCRBYFLOAT k 2", "COPY from k", "INCR k",
                                      "RENAME from k", "RENAMENX from k", "SET k x"}) {
    CAPTURE(line);
    Client session;
    check(session, {{"SET k 5 PX 10", "OK"}, {"SET from v", "OK"}});
    session.advance(10ms);
    session(line);
    CHECK(session("STRLEN k") == "(integer) 1");
    CHECK(session("TTL k") == "(integer) -1");
  }
}

TEST_CASE("Deadlines count whole milliseconds of the instance's time, TIME microseconds") {
  Client session;
  session.advance(1999us);
  check(session, {
                     {"TIME", "1) \"1700000000\"\n2) \"1999\""},
                     {"SET k v PX 10", "OK"},
                     {"PEXPIRETIME k", "(integer) 1700000000011"},
                 });
}

// --- Keys ----------------------------------------------------------------------------------------

TEST_CASE("DEL and EXISTS count keys, and EXISTS counts a repeated key again") {
  check({
      {"SET a 1", "OK"},
      {"SET b 2", "OK"},
      {"EXISTS a b c a", "(integer) 3"},
      {"DEL a a b c", "(integer) 2"},
      {"EXISTS a b", "(integer) 0"},
  });
}

TEST_CASE(
    "RENAME moves the value and the ttl, and makes the new key persistent if there is no ttl") {
  check({
      {"RENAME a b", kNoSuchKey},
      {"RENAME a a", kNoSuchKey},
      {"SET a 1 EX 10", "OK"},
      {"SET b 2 EX 20", "OK"},
      {"RENAME a a", "OK"},
      {"TTL a", "(integer) 10"},
      {"RENAME a b", "OK"},
      {"EXISTS a", "(integer) 0"},
      {"GET b", "\"1\""},
      {"TTL b", "(integer) 10"},
      {"SET c 3", "OK"},
      {"RENAME c b", "OK"},
      {"TTL b", "(integer) -1"},
  });
}

TEST_CASE("RENAMENX does not change a key that exists") {
  check({
      {"RENAMENX a b", kNoSuchKey},
      {"SET a 1", "OK"},
      {"RENAMENX a a", "(integer) 0"},
      {"SET b 2", "OK"},
      {"RENAMENX a b", "(integer) 0"},
      {"GET b", "\"2\""},
      {"RENAMENX a c", "(integer) 1"},
      {"GET c", "\"1\""},
      {"EXISTS a", "(integer) 0"},
  });
}

TEST_CASE("COPY copies the value and the ttl, and overwrites a key only with REPLACE") {
  check({
      {"COPY a b", "(integer) 0"},
      {"SET a 1 EX 10", "OK"},
      {"COPY a b", "(integer) 1"},
      {"GET b", "\"1\""},
      {"TTL b", "(integer) 10"},
      {"SET a 2", "OK"},
      {"COPY a b", "(integer) 0"},
      {"COPY a b DB 0", "(integer) 0"},
      {"GET b", "\"1\""},
      {"COPY a b replace Db 0 REPLACE", "(integer) 1"},
      {"GET b", "\"2\""},
      {"TTL b", "(integer) -1"},
      {"COPY missing b REPLACE", "(integer) 0"},
      {"GET b", "\"2\""},
      {"GET a", "\"2\""},
  });
}

TEST_CASE("COPY checks its options, then that the keys differ, then the keys") {
  constexpr std::string_view kNoSuchDatabase = "(error) ERR DB index is out of range";
  constexpr std::string_view kOutOfRange =
      "(error) ERR value is out of range, value must between -2147483648 and 2147483647";
  check({
      {"COPY a a FOO", kSyntaxError},
      {"COPY a a DB", kSyntaxError},
      {"COPY a a REPLACE DB", kSyntaxError},
      {"COPY a a DB 16", kNoSuchDatabase},
      {"COPY a a DB -1", kNoSuchDatabase},
      {"COPY a a DB 16 FOO", kNoSuchDatabase},
      {"COPY a a DB 2147483648", kOutOfRange},
      {"COPY a a DB -2147483649", kOutOfRange},
      {"COPY a a DB x", kNotAnInteger},
      {"COPY a a DB 99999999999999999999", kNotAnInteger},
      {"COPY a a", "(error) ERR source and destination objects are the same"},
      {"COPY a a DB 0 REPLACE", "(error) ERR source and destination objects are the same"},
  });
}

TEST_CASE("KEYS lists the keys that match, in the order of their insertion if none was removed") {
  check({
      {"KEYS *", "(empty array)"},
      {"SET one 1", "OK"},
      {"SET two 2", "OK"},
      {"SET three 3", "OK"},
      {R"(SET "\x00\xff" 4)", "OK"},
      {"KEYS *", "1) \"one\"\n2) \"two\"\n3) \"three\"\n4) \"\\x00\\xff\""},
      {"KEYS t[^h]?", "1) \"two\""},
      {"KEYS *e", "1) \"one\"\n2) \"three\""},
      {"KEYS four", "(empty array)"},
  });
}

TEST_CASE("FLUSHALL deletes every key") {
  for (const std::string_view line : {"FLUSHALL", "FLUSHALL async", "flushall SYNC"}) {
    CAPTURE(line);
    check({
        {"SET a 1", "OK"},
        {"SET b 1 EX 10", "OK"},
        {"DBSIZE", "(integer) 2"},
        {line, "OK"},
        {"DBSIZE", "(integer) 0"},
    });
  }
  check({
      {"SET a 1", "OK"},
      {"FLUSHALL now", kSyntaxError},
      {"FLUSHALL ASYNC SYNC", kSyntaxError},
      {"DBSIZE", "(integer) 1"},
  });
}

// --- The server ----------------------------------------------------------------------------------

TEST_CASE("PING and ECHO answer") {
  check({
      {"PING", "PONG"},
      {"PING hello", "\"hello\""},
      {"PING a b", "(error) ERR wrong number of arguments for 'ping' command"},
      {R"(ECHO "a\x00b")", R"("a\x00b")"},
  });
}

}  // namespace
}  // namespace redis
