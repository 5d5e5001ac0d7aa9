// How to test code that uses expiry: make the clock a template parameter. The program uses a real
// clock, and the test uses a ManualClock. The test never sleeps, and can try every boundary.

#include <keyspace/clock.h>
#include <keyspace/keyspace.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;

// --- The code under test: a session expires thirty minutes after its last request ---

template <class Clock = keyspace::SteadyClock>
class Sessions {
 public:
  static constexpr auto kIdle = 30min;

  explicit Sessions(Clock clock = {}) : users_({.clock = std::move(clock)}) {}

  void log_in(const std::string& token, const std::string& user) { users_.set(token, user, kIdle); }
  void log_out(std::string_view token) { users_.erase(token); }

  // Returns the user of a session and prolongs the session. Returns null if the session is unknown
  // or expired.
  const std::string* authenticate(std::string_view token) { return users_.getex(token, kIdle); }

 private:
  keyspace::Keyspace<std::string, std::string, Clock> users_;
};

// --- Its test ---

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "not true: " << what << '\n';
  std::exit(1);
}

int main() {
  const keyspace::ManualClock clock;  // its copy in `sessions` shows the same time
  Sessions sessions(clock);

  sessions.log_in("t1", "ada");
  clock.advance(30min - 1ms);
  const std::string* user = sessions.authenticate("t1");
  expect(user != nullptr && *user == "ada", "a session is live in its last millisecond");

  clock.advance(30min - 1ms);
  expect(sessions.authenticate("t1") != nullptr, "a request prolongs a session");

  clock.advance(30min);
  expect(sessions.authenticate("t1") == nullptr, "a session expires after exactly thirty minutes");

  sessions.log_in("t2", "bob");
  sessions.log_out("t2");
  expect(sessions.authenticate("t2") == nullptr, "a logout ends a session");

  // A real clock rarely shows these cases: it is set back, or its time is before the epoch.
  sessions.log_in("t3", "cy");
  clock.advance(-24h);
  expect(sessions.authenticate("t3") != nullptr, "a clock that is set back ends no session");
  clock.set(keyspace::ManualClock::time_point(-1ms));
  sessions.log_in("t4", "di");
  expect(sessions.authenticate("t4") != nullptr, "sessions work before the epoch");

  std::cout << "all tests passed\n";
}
