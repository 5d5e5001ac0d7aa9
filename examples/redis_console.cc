// A console for Redis commands on an embedded keyspace. It reads commands from standard input, one
// in each line. It prints replies as redis-cli does on a terminal.
//
//   $ printf 'SET mykey "Hello"\nPEXPIRE mykey 1500\nGET mykey\n' | redis_console
//   OK
//   (integer) 1
//   "Hello"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "redis/commands.h"
#include "redis/render.h"
#include "redis/words.h"

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace {

// Returns whether the program runs at a terminal.
bool at_terminal() {
#if __has_include(<unistd.h>)
  return isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
#else
  return false;
#endif
}

void print_usage(const redis::Command& command) {
  std::string name(command.name);
  std::ranges::replace(name, '|', ' ');  // between a command and its subcommand
  std::cout << "  " << name;
  if (!command.arguments.empty()) std::cout << ' ' << command.arguments;
  std::cout << '\n';
}

// HELP lists all commands, HELP <command> shows one.
void print_help(const redis::Words& words) {
  if (words.size() < 2) {
    for (const redis::Command& command : redis::commands()) print_usage(command);
    std::cout << "  help [command]\n";
    return;
  }
  if (const redis::Command* const command = redis::find_command(words[1])) {
    print_usage(*command);
  } else {
    std::cout << "No such command.\n";
  }
}

redis::Instance::Time now() {
  return std::chrono::floor<redis::Instance::Time::duration>(std::chrono::system_clock::now());
}

// Answers one line. Returns false if the program should end.
bool answer(redis::Instance& instance, redis::Session& session, std::string_view line) {
  const std::optional<redis::Words> words = redis::split_words(line);
  if (!words) {
    std::cout << "Invalid argument(s)\n";
    return true;
  }
  if (words->empty()) return true;
  const std::string first = redis::lower_case(words->front());
  if (first == "exit") return false;
  if (first == "help" || first == "?") {
    print_help(*words);
    return true;
  }
  instance.set_time(now());
  const redis::Reply reply =
      redis::run(instance, session, std::vector<std::string_view>(words->begin(), words->end()));
  if (session.is_over || instance.shutdown_asked) return false;
  std::cout << redis::render(reply);
  return true;
}

}  // namespace

int main(int argc, char**) {
  if (argc > 1) {
    std::cerr << "redis_console takes no arguments: it reads commands from standard input.\n";
    return EXIT_FAILURE;
  }
  const std::string_view prompt = at_terminal() ? "keyspace> " : "";
  redis::Instance instance;
  instance.host.start = now();
  redis::Session session;
  std::string line;
  bool more = true;
  while (more && std::cout << prompt && std::getline(std::cin, line))
    more = answer(instance, session, line);
  if (more && !prompt.empty()) std::cout << '\n';
  return std::cout.flush() ? EXIT_SUCCESS : EXIT_FAILURE;
}
