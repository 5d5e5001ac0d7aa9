// How to test code that lets things expire: give it the clock as a template parameter, a real one
// in the program and a ManualClock in the test. Nothing sleeps, and every boundary can be tried.

#include <keyspace/clock.h>
#include <keyspace/keyspace.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

// --- The code under test: a session ends thirty minutes after its last request ---

template <class Clock = keyspace::SteadyClock>
class Sessions {
 public:
  static constexpr auto kIdle = 30min;

  explicit Sessions(Clock clock = {}) : users_(clock) {}

  void log_in(const std::string& token, const std::string& user) { users_.set(token, user, kIdle); }
  void log_out(std::string_view token) { users_.erase(token); }

  // Returns whose request this is; null if the session is unknown or over.
  const std::string* authenticate(std::string_view token) { return users_.getex(token, kIdle); }

 private:
  keyspace::Keyspace<std::string, std::string, Clock> users_;
};

// --- Its test ---

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "failed: " << what << '\n';
  std::exit(1);
}

int main() {
  const keyspace::ManualClock clock;  // a handle: the copy in `sessions` shows the same time
  Sessions sessions(clock);

  sessions.log_in("t1", "ada");
  clock.advance(30min - 1ms);
  const std::string* user = sessions.authenticate("t1");
  expect(user != nullptr && *user == "ada", "a session lives until its last millisecond");

  clock.advance(30min - 1ms);
  expect(sessions.authenticate("t1") != nullptr, "a request starts the thirty minutes anew");

  clock.advance(30min);
  expect(sessions.authenticate("t1") == nullptr, "a session is over after exactly thirty minutes");

  sessions.log_in("t2", "bob");
  sessions.log_out("t2");
  expect(sessions.authenticate("t2") == nullptr, "who logged out is out");

  // What no machine shows on demand: a clock that someone sets back, and one before its epoch.
  sessions.log_in("t3", "cy");
  clock.advance(-24h);
  expect(sessions.authenticate("t3") != nullptr, "a clock set back ends no session");
  clock.set(keyspace::ManualClock::time_point(-1ms));
  sessions.log_in("t4", "di");
  expect(sessions.authenticate("t4") != nullptr, "sessions work before the epoch");

  std::cout << "all tests passed\n";
}
