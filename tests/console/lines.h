#ifndef KEYSPACE_TESTS_CONSOLE_LINES_H_
#define KEYSPACE_TESTS_CONSOLE_LINES_H_

#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "redis/commands.h"
#include "redis/instance.h"
#include "redis/render.h"
#include "redis/words.h"
#include "support/catch.hpp"

namespace redis {

// A client of an instance. Its time changes only by advance().
class Client {
 public:
  Client() { instance.set_time(Instance::Time{std::chrono::seconds(1'700'000'000)}); }

  // Returns the reply to a line as the console shows it, without the last line break.
  std::string operator()(std::string_view line) {
    const Words words = split_words(line).value();
    std::string reply =
        render(run(instance, session, std::vector<std::string_view>(words.begin(), words.end())));
    reply.pop_back();
    return reply;
  }

  void advance(std::chrono::microseconds step) { instance.set_time(instance.now() + step); }

  Instance instance;
  Session session;
};

struct Step {
  std::string_view line;
  std::string_view reply;
};

inline void check(Client& session, std::initializer_list<Step> steps) {
  for (const Step& step : steps) {
    CAPTURE(step.line);
    CHECK(session(step.line) == step.reply);
  }
}

// Runs the steps on a new instance.
inline void check(std::initializer_list<Step> steps) {
  Client session;
  check(session, steps);
}

inline constexpr std::string_view kSyntaxError = "(error) ERR syntax error";
inline constexpr std::string_view kNotAnInteger =
    "(error) ERR value is not an integer or out of range";
inline constexpr std::string_view kNotAFloat = "(error) ERR value is not a valid float";
inline constexpr std::string_view kNoSuchKey = "(error) ERR no such key";

}  // namespace redis

#endif  // KEYSPACE_TESTS_CONSOLE_LINES_H_
