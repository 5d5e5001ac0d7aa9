#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <variant>

#include "console/lines.h"
#include "support/catch.hpp"

namespace redis {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kNoProtocol = "(error) NOPROTO unsupported protocol version";
constexpr std::string_view kWrongPassword =
    "(error) WRONGPASS invalid username-password pair or user is disabled.";
constexpr std::string_view kBadName =
    "(error) ERR Client names cannot contain spaces, newlines or special characters.";

TEST_CASE("AUTH accepts any password of the only user") {
  check({
      {"AUTH default secret", "OK"},
      {"AUTH other secret",
       "(error) WRONGPASS invalid username-password pair or user is disabled."},
      {"AUTH secret",
       "(error) ERR AUTH <password> called without any password configured for the default user. "
       "Are you sure your configuration is correct?"},
      {"AUTH a b c", kSyntaxError},
  });
}

TEST_CASE("HELLO sets the protocol and the name, and refuses unknown options") {
  Client client;
  client.session.id = 7;
  check(client, {{"HELLO 1", kNoProtocol},
                 {"HELLO 4", kNoProtocol},
                 {"HELLO x", "(error) ERR Protocol version is not an integer or out of range"},
                 {"HELLO 3 AUTH other secret", kWrongPassword},
                 {"HELLO 3 AUTH default", "(error) ERR Syntax error in HELLO option 'AUTH'"},
                 {"HELLO 3 FOO", "(error) ERR Syntax error in HELLO option 'FOO'"},
                 {"HELLO 3 SETNAME 'a b'", kBadName}});
  CHECK(client.session.protocol == 2);
  CHECK(client("HELLO 3 AUTH default secret SETNAME me").find("\"proto\"\n 6) (integer) 3\n") !=
        std::string::npos);
  CHECK(client.session.protocol == 3);
  CHECK(client.session.name == "me");
  CHECK(client("HELLO").find("\"id\"\n 8) (integer) 7\n") != std::string::npos);
  CHECK(client.session.protocol == 3);
  client("HELLO 2");
  CHECK(client.session.protocol == 2);
}

TEST_CASE("A client has an id, and may have a name") {
  Client client;
  client.session.id = 5;
  check(client, {{"CLIENT ID", "(integer) 5"},
                 {"CLIENT GETNAME", "(nil)"},
                 {"CLIENT SETNAME me", "OK"},
                 {"CLIENT GETNAME", "\"me\""},
                 {"CLIENT SETNAME 'a b'", kBadName},
                 {"CLIENT GETNAME", "\"me\""},
                 {"CLIENT INFO", "id=5 name=me db=0 resp=2"},
                 {"CLIENT SETNAME ''", "OK"},
                 {"CLIENT GETNAME", "(nil)"}});
}

TEST_CASE("An unknown subcommand is refused") {
  check({
      {"CLIENT", "(error) ERR wrong number of arguments for 'client' command"},
      {"CLIENT foo", "(error) ERR unknown subcommand 'foo'. Try CLIENT HELP."},
      {"client ID x", "(error) ERR wrong number of arguments for 'client|id' command"},
      {"client|id", "(error) ERR unknown command 'client|id', with args beginning with: "},
      {"COMMAND foo", "(error) ERR unknown subcommand 'foo'. Try COMMAND HELP."},
      {"CONFIG SET a b", "(error) ERR unknown subcommand 'SET'. Try CONFIG HELP."},
      {"DEBUG foo",
       "(error) ERR unknown subcommand or wrong number of arguments for 'foo'. Try DEBUG HELP."},
      {"FUNCTION LIST", "(error) ERR unknown subcommand 'LIST'. Try FUNCTION HELP."},
  });
}

TEST_CASE("COMMAND describes each command: its name, arity, flags and keys") {
  check({
      {"COMMAND INFO get nosuch MSET",
       "1) 1) \"get\"\n   2) (integer) 2\n   3) 1) readonly\n   4) (integer) 1\n   5) (integer) 1\n"
       "   6) (integer) 1\n"
       "2) (nil)\n"
       "3) 1) \"mset\"\n   2) (integer) -3\n   3) 1) write\n   4) (integer) 1\n   5) (integer) -1\n"
       "   6) (integer) 2"},
      {"COMMAND INFO ping del",
       "1) 1) \"ping\"\n   2) (integer) -1\n   3) 1) readonly\n   4) (integer) 0\n   5) (integer) "
       "0\n"
       "   6) (integer) 0\n"
       "2) 1) \"del\"\n   2) (integer) -2\n   3) 1) write\n   4) (integer) 1\n   5) (integer) -1\n"
       "   6) (integer) 1"},
  });
  Client client;
  const auto rows = run(client.instance, client.session, std::vector<std::string_view>{"COMMAND"});
  const auto size = std::get<Array>(rows.value).size();
  CHECK(client("COMMAND COUNT") == "(integer) " + std::to_string(size));
  std::size_t names = 0;
  for (const Command& command : commands()) names += command.name.find('|') == std::string::npos;
  CHECK(size == names);
}

TEST_CASE("CONFIG GET returns the parameters that match any of the patterns") {
  check({
      {"CONFIG GET save", "1) \"save\"\n2) \"\""},
      {"CONFIG GET APPEND*", "1) \"appendonly\"\n2) \"no\""},
      {"CONFIG GET databases save", "1) \"databases\"\n2) \"16\"\n3) \"save\"\n4) \"\""},
      {"CONFIG GET nosuch", "(empty array)"},
  });
}

TEST_CASE("DEBUG SET-ACTIVE-EXPIRE tells the program whether to erase expired keys") {
  Client client;
  CHECK(client.instance.active_expire);
  check(client, {{"DEBUG SET-ACTIVE-EXPIRE 0", "OK"}});
  CHECK_FALSE(client.instance.active_expire);
  check(client, {{"SET a 1 PX 5", "OK"}});
  client.advance(5ms);
  check(client, {{"DBSIZE", "(integer) 1"}, {"debug set-active-expire 1", "OK"}});
  CHECK(client.instance.active_expire);
  check(client, {{"DBSIZE", "(integer) 0"}, {"DEBUG SET-ACTIVE-EXPIRE x", "OK"}});
  CHECK_FALSE(client.instance.active_expire);
}

TEST_CASE("FUNCTION FLUSH does nothing") {
  check({
      {"FUNCTION FLUSH", "OK"},
      {"FUNCTION FLUSH async", "OK"},
      {"FUNCTION FLUSH now", "(error) ERR FUNCTION FLUSH only supports SYNC|ASYNC option"},
  });
}

TEST_CASE("SHUTDOWN asks the program to end, if its options are right") {
  Client client;
  check(client, {
                    {"SHUTDOWN now please", kSyntaxError},
                    {"SHUTDOWN save nosave", kSyntaxError},
                    {"SHUTDOWN abort now", kSyntaxError},
                    {"SHUTDOWN save abort", kSyntaxError},
                    {"SHUTDOWN save", "(error) ERR Errors trying to SHUTDOWN. Check logs."},
                    {"SHUTDOWN abort", "(error) ERR No shutdown in progress."},
                });
  CHECK_FALSE(client.instance.shutdown_asked);
  client("SHUTDOWN nosave now force abort");
  CHECK_FALSE(client.instance.shutdown_asked);
  client("SHUTDOWN save force");
  CHECK(client.instance.shutdown_asked);
}

TEST_CASE("INFO reports the keys, the expired keys, and the numbers of the program") {
  Client client;
  client.instance.host = {client.instance.now() - 90s, 7000, 3, 12};
  check(client, {{"SET a 1", "OK"},
                 {"SET b 1 PX 5", "OK"},
                 {"SET c 1 PX 50", "OK"},
                 {"SELECT 2", "OK"},
                 {"SET d 1 PX 5", "OK"}});
  client.advance(5ms);
  client.instance.erase_expired(100);
  const std::string info = client("INFO");
  for (const std::string_view line :
       {"# Server\r\nredis_version:7.0.15\r\n", "uptime_in_seconds:90\r\n", "tcp_port:7000\r\n",
        "connected_clients:3\r\n", "total_connections_received:12\r\n",
        "total_commands_processed:6\r\n", "expired_keys:2\r\n", "loading:0\r\n", "role:master\r\n",
        "# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=0\r"}) {
    CAPTURE(line);
    CHECK(info.find(line) != std::string::npos);
  }
  CHECK(info.find("db2") == std::string::npos);
}

TEST_CASE("INFO returns the sections of its arguments") {
  check({
      {"INFO persistence", "# Persistence\r\nloading:0\r"},
      {"INFO nosuch", ""},
      {"INFO KEYSPACE nosuch persistence", "# Persistence\r\nloading:0\r\n\r\n# Keyspace\r"},
  });
  Client client;
  CHECK(client("INFO all").starts_with("# Server"));
  CHECK(client("INFO memory").starts_with("# Memory\r\nused_memory:"));
}

TEST_CASE("TIME returns seconds and microseconds") {
  Client client;
  client.advance(1'000'042us);
  CHECK(client("TIME") == "1) \"1700000001\"\n2) \"42\"");
}

TEST_CASE("An instance knows when the next key of any database expires, and erases it then") {
  Client client;
  CHECK(client.instance.next_deadline() == std::nullopt);
  client("SET a 1 PX 500");
  client("SELECT 9");
  client("SET b 1 PX 300");
  const auto next = client.instance.next_deadline();
  CHECK(next.has_value());
  CHECK(*next <= client.instance.instant() + 300ms);
  CHECK(*next > client.instance.instant());
  client.advance(500ms);
  client.instance.erase_expired(100);
  CHECK(client.instance.next_deadline() == std::nullopt);
}

}  // namespace
}  // namespace redis
