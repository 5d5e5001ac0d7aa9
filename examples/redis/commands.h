#ifndef EXAMPLES_REDIS_COMMANDS_H_
#define EXAMPLES_REDIS_COMMANDS_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "instance.h"
#include "reply.h"
#include "words.h"

namespace redis {

struct Call;

// A row of the command table.
struct Command {
  enum class Keys : std::uint8_t { kNone, kFirst, kTwo, kAll, kPairs };  // which words are keys

  std::string_view name;       // in lower case; "a|b" is subcommand b of a
  int arity;                   // how many words, the name included; -n means n or more
  Reply (*handler)(Call&);     // called with a number of words that fits
  std::string_view arguments;  // for people
  Keys keys = Keys::kNone;
  bool writes = false;
};

// Returns the command table, ordered by name.
[[nodiscard]] std::span<const Command> commands();

// Returns the command with that name, in any case, or null.
[[nodiscard]] const Command* find_command(std::string_view name);

// Runs one command, its name in words[0], in any case, at the instance's time. Replies, error texts
// and the order of checks are those of Redis 7.0. A command that is unknown, misspelt or refused
// changes nothing and gets an Error.
// REQUIRES: !words.empty()
Reply run(Instance& instance, Session& session, WordViews words);

}  // namespace redis

#endif  // EXAMPLES_REDIS_COMMANDS_H_
