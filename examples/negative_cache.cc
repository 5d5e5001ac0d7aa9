// A cache in front of a directory that also remembers what the directory does not have: for less
// time, as it may be added. Ttls get jitter, so that the directory is not asked for everything at
// once when the cache is filled in one go.

#include <keyspace/clock.h>
#include <keyspace/jitter.h>
#include <keyspace/keyspace.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;

// An address; nullopt: there is none.
using Answer = std::optional<std::string>;

template <class Clock = keyspace::SteadyClock>
class Directory {
 public:
  explicit Directory(std::function<Answer(const std::string&)> ask, Clock clock = {})
      : ask_(std::move(ask)), answers_(std::move(clock)) {}

  Answer find(const std::string& name) {
    // Null: not known. A nullopt: known not to be there.
    if (const Answer* const known = answers_.find(name)) return *known;
    Answer answer = ask_(name);
    answers_.set(name, answer, jitter_(answer ? 10min : 30s));
    return answer;
  }

 private:
  std::function<Answer(const std::string&)> ask_;
  keyspace::Jitter jitter_{0.2};
  keyspace::Keyspace<std::string, Answer, Clock> answers_;
};

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "surprise: " << what << '\n';
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
  expect(!directory.find("bob") && asked == 2, "it does not have Bob");
  expect(!directory.find("bob") && asked == 2, "which is remembered");

  source["bob"] = "bob@example.com";
  clock.advance(30s);
  expect(directory.find("bob") == "bob@example.com",
         "Bob is found half a minute after he was added");
  expect(directory.find("ada") == "ada@example.com" && asked == 3, "Ada is remembered for longer");

  clock.advance(10min);
  directory.find("ada");
  expect(asked == 4, "but not for more than ten minutes");

  std::cout << "asked the directory " << asked << " times\n";
}
