// A cache in front of a directory. It also remembers which names the directory does not have. These
// answers have a shorter ttl, because the names may be added. Jitter changes each ttl a little. So
// names that were stored together expire at different times, and the directory does not receive the
// requests for all of them at once.

#include <keyspace/cache.h>
#include <keyspace/clock.h>
#include <keyspace/jitter.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;

// An address; nullopt if the directory does not have the name.
using Answer = std::optional<std::string>;

template <class Clock = keyspace::SteadyClock>
class Directory {
 public:
  explicit Directory(std::function<Answer(const std::string&)> ask, Clock clock = {})
      : ask_(std::move(ask)), answers_({.capacity = 10'000, .clock = std::move(clock)}) {}

  Answer find(const std::string& name) {
    // `known` is null if the cache has no answer. The answer itself may be nullopt.
    if (const Answer* const known = answers_.find(name)) return *known;
    Answer answer = ask_(name);
    answers_.set(name, answer, jitter_(answer ? 10min : 30s));
    return answer;
  }

 private:
  std::function<Answer(const std::string&)> ask_;
  keyspace::Jitter jitter_{0.2};
  // Anyone can request names that do not exist. The capacity bounds the memory that they take.
  keyspace::Cache<std::string, Answer, Clock> answers_;
};

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "not true: " << what << '\n';
  std::exit(1);
}

int main() {
  std::map<std::string, std::string> source = {{"ada", "ada@example.com"}};
  int asked = 0;
  const auto ask = [&](const std::string& name) -> Answer {
    ++asked;
    const auto found = source.find(name);
    return found == source.end() ? Answer() : found->second;
  };

  const keyspace::ManualClock clock;
  Directory directory(ask, clock);

  expect(directory.find("ada") == "ada@example.com", "the directory has Ada");
  expect(!directory.find("bob") && asked == 2, "the directory does not have Bob");
  expect(!directory.find("bob") && asked == 2, "the cache remembers that");

  source["bob"] = "bob@example.com";
  clock.advance(30s);
  expect(directory.find("bob") == "bob@example.com",
         "Bob is found half a minute after he was added");
  expect(directory.find("ada") == "ada@example.com" && asked == 3, "Ada is remembered for longer");

  clock.advance(10min);
  directory.find("ada");
  expect(asked == 4, "but for at most ten minutes");

  std::cout << "asked the directory " << asked << " times\n";
}
