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
  // Which of the arguments are keys.
  enum class Keys : std::uint8_t { kNone, kFirst, kTwo, kAll, kPairs };

  std::string_view name;       // in lower case; "a|b" is subcommand b of a
  int arity;                   // the number of words with the name; -n means n or more
  Reply (*handler)(Call&);     // REQUIRES: the number of words fits the arity
  std::string_view arguments;  // for the help
  Keys keys = Keys::kNone;
  bool writes = false;
};

// Returns the command table, ordered by name.
[[nodiscard]] std::span<const Command> commands();

// Returns the command with that name, in any case, or null.
[[nodiscard]] const Command* find_command(std::string_view name);

// Runs one command at the instance's time. Its name is words[0], in any case. Replies, error texts
// and the order of checks are those of Redis 7.0. A command that returns an Error changed nothing.
// REQUIRES: !words.empty()
Reply run(Instance& instance, Session& session, WordViews words);

}  // namespace redis

#endif  // EXAMPLES_REDIS_COMMANDS_H_
