#include "commands.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <string>

#include "call.h"
#include "handlers.h"
#include "replies.h"

namespace redis {
namespace {

using enum Command::Keys;
constexpr bool kWrites = true;

namespace h = handlers;

constexpr auto kCommands = std::to_array<Command>({
    {"append", 3, h::append, "key value", kFirst, kWrites},
    {"auth", -2, h::auth, "[user] password"},
    {"client", -2, h::unknown_subcommand, ""},
    {"client|getname", 2, h::client_getname, ""},
    {"client|id", 2, h::client_id, ""},
    {"client|info", 2, h::client_info, ""},
    {"client|setname", 3, h::client_setname, "name"},
    {"command", -1, h::command, ""},
    {"command|count", 2, h::command_count, ""},
    {"command|info", -2, h::command_info, "[command ...]"},
    {"config", -2, h::unknown_subcommand, ""},
    {"config|get", -3, h::config_get, "pattern [pattern ...]"},
    {"copy", -3, h::copy, "key newkey [DB index] [REPLACE]", kTwo, kWrites},
    {"dbsize", 1, h::dbsize, ""},
    {"debug", -2, h::debug, "SET-ACTIVE-EXPIRE 0|1"},
    {"decr", 2, h::decr, "key", kFirst, kWrites},
    {"decrby", 3, h::decrby, "key integer", kFirst, kWrites},
    {"del", -2, h::del, "key [key ...]", kAll, kWrites},
    {"echo", 2, h::echo, "message"},
    {"exists", -2, h::exists, "key [key ...]", kAll},
    {"expire", -3, h::expire, "key seconds [NX|XX] [GT|LT]", kFirst, kWrites},
    {"expireat", -3, h::expireat, "key unix-seconds [NX|XX] [GT|LT]", kFirst, kWrites},
    {"expiretime", 2, h::expiretime, "key", kFirst},
    {"flushall", -1, h::flushall, "[ASYNC|SYNC]", kNone, kWrites},
    {"flushdb", -1, h::flushdb, "[ASYNC|SYNC]", kNone, kWrites},
    {"function", -2, h::unknown_subcommand, ""},
    {"function|flush", -2, h::function_flush, "[ASYNC|SYNC]", kNone, kWrites},
    {"get", 2, h::get, "key", kFirst},
    {"getdel", 2, h::getdel, "key", kFirst, kWrites},
    {"getex", -2, h::getex, "key [EX s|PX ms|EXAT unix-s|PXAT unix-ms|PERSIST]", kFirst, kWrites},
    {"getrange", 4, h::getrange, "key first last", kFirst},
    {"getset", 3, h::getset, "key value", kFirst, kWrites},
    {"hello", -1, h::hello, "[2|3 [AUTH user password] [SETNAME name]]"},
    {"incr", 2, h::incr, "key", kFirst, kWrites},
    {"incrby", 3, h::incrby, "key integer", kFirst, kWrites},
    {"incrbyfloat", 3, h::incrbyfloat, "key number", kFirst, kWrites},
    {"info", -1, h::info, "[section ...]"},
    {"keys", 2, h::keys, "pattern"},
    {"mget", -2, h::mget, "key [key ...]", kAll},
    {"mset", -3, h::mset, "key value [key value ...]", kPairs, kWrites},
    {"persist", 2, h::persist, "key", kFirst, kWrites},
    {"pexpire", -3, h::pexpire, "key milliseconds [NX|XX] [GT|LT]", kFirst, kWrites},
    {"pexpireat", -3, h::pexpireat, "key unix-milliseconds [NX|XX] [GT|LT]", kFirst, kWrites},
    {"pexpiretime", 2, h::pexpiretime, "key", kFirst},
    {"ping", -1, h::ping, "[message]"},
    {"psetex", 4, h::psetex, "key milliseconds value", kFirst, kWrites},
    {"pttl", 2, h::pttl, "key", kFirst},
    {"quit", -1, h::quit, ""},
    {"randomkey", 1, h::randomkey, ""},
    {"rename", 3, h::rename, "key newkey", kTwo, kWrites},
    {"renamenx", 3, h::renamenx, "key newkey", kTwo, kWrites},
    {"scan", -2, h::scan, "cursor [MATCH pattern] [COUNT n] [TYPE string]"},
    {"select", 2, h::select, "index"},
    {"set", -3, h::set, "key value [NX|XX] [GET] [EX s|PX ms|EXAT unix-s|PXAT unix-ms|KEEPTTL]",
     kFirst, kWrites},
    {"setex", 4, h::setex, "key seconds value", kFirst, kWrites},
    {"setnx", 3, h::setnx, "key value", kFirst, kWrites},
    {"setrange", 4, h::setrange, "key offset value", kFirst, kWrites},
    {"shutdown", -1, h::shutdown, "[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]"},
    {"strlen", 2, h::strlen, "key", kFirst},
    {"time", 1, h::time, ""},
    {"touch", -2, h::exists, "key [key ...]", kAll},
    {"ttl", 2, h::ttl, "key", kFirst},
    {"type", 2, h::type, "key", kFirst},
    {"unlink", -2, h::del, "key [key ...]", kAll, kWrites},
});
static_assert(std::ranges::is_sorted(kCommands, {}, &Command::name));

// Returns the row of the subcommand if the command has a subcommand of that name, else the row of
// the command.
const Command* find_row(WordViews words) {
  if (words[0].find('|') != std::string_view::npos) return nullptr;
  const Command* const row = find_command(words[0]);
  const bool has_subcommands =
      row != nullptr && (row->handler == h::unknown_subcommand || row->handler == h::command);
  if (!has_subcommands || words.size() == 1) return row;
  const Command* const subcommand =
      find_command(std::string(row->name).append("|").append(words[1]));
  return subcommand != nullptr ? subcommand : row;
}

bool fits(int arity, std::size_t words) {
  return arity < 0 ? words >= static_cast<std::size_t>(-arity)
                   : words == static_cast<std::size_t>(arity);
}

// Quotes as much of the command and its arguments as Redis does.
Error unknown_command(WordViews words) {
  constexpr std::size_t kQuoteLimit = 128;
  std::string arguments;
  for (const std::string_view word : words.subspan(1)) {
    if (arguments.size() >= kQuoteLimit) break;
    const std::size_t room = kQuoteLimit - arguments.size();
    arguments.append("'").append(before_nul(word).substr(0, room)).append("' ");
  }
  const std::string name(before_nul(words[0]).substr(0, kQuoteLimit));
  return Error("ERR unknown command '" + name + "', with args beginning with: " + arguments);
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

const Command* find_command(std::string_view name) {
  const std::string wanted = lower_case(name);
  const auto* const row = std::ranges::lower_bound(kCommands, wanted, {}, &Command::name);
  return row != kCommands.end() && row->name == wanted ? row : nullptr;
}

Reply run(Instance& instance, Session& session, WordViews words) {
  assert(!words.empty());
  const Command* const command = find_row(words);
  if (command == nullptr) return unknown_command(words);
  if (!fits(command->arity, words.size())) return wrong_arity(command->name);
  ++instance.commands;
  Call call{command->name, instance, session, words};
  return command->handler(call);
}

}  // namespace redis
