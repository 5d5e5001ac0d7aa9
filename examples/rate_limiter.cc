// A rate limiter: at most `limit` calls of each user in a window of time. The window begins with
// the first call. With Redis this takes INCR, and PEXPIRE after the first. Here it is one
// compute(): the counter sets its ttl when it is made, and expires by itself.

#include <keyspace/cache.h>
#include <keyspace/concurrent_keyspace.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;

template <class Clock = keyspace::SteadyClock>
class RateLimiter {
 public:
  RateLimiter(int limit, std::chrono::milliseconds window, Clock clock = {})
      : limit_(limit), window_(window), calls_({.capacity = 100'000, .clock = std::move(clock)}) {}

  // Returns nullopt if the user may make a call now; otherwise the time until the window ends.
  std::optional<std::chrono::milliseconds> try_call(std::string_view user) {
    using Wait = std::optional<std::chrono::milliseconds>;
    return calls_.compute(user, [&](auto& calls) -> Wait {
      int* const count = calls.value();
      if (count == nullptr) {
        calls.store(1, window_);
      } else if (*count >= limit_) {
        return calls.ttl();
      } else {
        ++*count;
      }
      return std::nullopt;
    });
  }

 private:
  int limit_;
  std::chrono::milliseconds window_;
  // The capacity bounds the memory. An evicted user starts a new window.
  keyspace::ConcurrentCache<std::string, int, Clock> calls_;
};

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "not true: " << what << '\n';
  std::exit(1);
}

int main() {
  const keyspace::ManualClock clock;
  RateLimiter limiter(2, 1s, clock);
  expect(!limiter.try_call("ada"), "the first call is allowed");
  clock.advance(400ms);
  expect(!limiter.try_call("ada"), "and the second");
  expect(limiter.try_call("ada") == 600ms, "the third has to wait until the window ends");
  expect(!limiter.try_call("bob"), "another user has another window");
  clock.advance(600ms);
  expect(!limiter.try_call("ada"), "a new window begins");
}
