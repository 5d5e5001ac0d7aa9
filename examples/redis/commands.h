#ifndef EXAMPLES_REDIS_COMMANDS_H_
#define EXAMPLES_REDIS_COMMANDS_H_

#include <keyspace/clock.h>
#include <keyspace/keyspace.h>

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "reply.h"
#include "words.h"

namespace redis {

// A database of strings that carries out Redis commands: a list of words in, a reply out. Replies,
// error texts and the order of checks are those of Redis 7.0 with a single database.
//
// It never asks for the time; the caller says when each command runs, and that moment holds for
// every step of the command. One thread at a time.
class Database {
 public:
  using Store = keyspace::Keyspace<std::string, std::string, keyspace::ManualClock>;
  using Time = std::chrono::sys_time<std::chrono::microseconds>;

  Database() : store_(clock_) {}

  // Runs one command, its name in words[0], in any case. A command that is unknown, misspelt or
  // refused changes nothing and gets an Error.
  // REQUIRES: !words.empty()
  Reply run(Words words, Time now);

 private:
  keyspace::ManualClock clock_;
  Store store_;
};

struct Call;

// A row of the command table.
struct Command {
  std::string_view name;       // in lower case
  int arity;                   // how many words, the name included; -n means n or more
  Reply (*handler)(Call&);     // called with a number of words that fits
  std::string_view arguments;  // for people
};

// Returns the command table, ordered by name.
[[nodiscard]] std::span<const Command> commands();

// Returns the command with that name, in any case, or null.
[[nodiscard]] const Command* find_command(std::string_view name);

}  // namespace redis

#endif  // EXAMPLES_REDIS_COMMANDS_H_
