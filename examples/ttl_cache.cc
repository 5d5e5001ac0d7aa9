// A cache for a slow function: each result is kept until it has not been asked for in ten minutes.

#include <keyspace/clock.h>
#include <keyspace/keyspace.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>
#include <utility>

using namespace std::chrono_literals;

template <class Clock = keyspace::SteadyClock>
class Memo {
 public:
  Memo(std::function<std::uint64_t(std::uint64_t)> slow, std::chrono::milliseconds idle,
       Clock clock = {})
      : slow_(std::move(slow)), idle_(idle), results_(std::move(clock)) {}

  std::uint64_t operator()(std::uint64_t argument) {
    // One look-up finds the result and starts its ten minutes anew.
    if (const std::uint64_t* const known = results_.getex(argument, idle_)) return *known;
    const std::uint64_t result = slow_(argument);
    results_.set(argument, result, idle_);  // also erases up to two results that are over
    return result;
  }

  std::size_t size() const { return results_.size(); }

 private:
  std::function<std::uint64_t(std::uint64_t)> slow_;
  std::chrono::milliseconds idle_;
  keyspace::Keyspace<std::uint64_t, std::uint64_t, Clock> results_;
};

// Returns the number of steps in which `n` comes down to 1 by Collatz's rule.
std::uint64_t collatz_steps(std::uint64_t n) {
  std::uint64_t steps = 0;
  for (; n > 1; ++steps) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
  return steps;
}

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "surprise: " << what << '\n';
  std::exit(1);
}

int main() {
  int computed = 0;
  const auto slow = [&](std::uint64_t n) {
    ++computed;
    return collatz_steps(n);
  };

  // A clock that is moved by hand shows an hour in no time; a program leaves it out.
  const keyspace::ManualClock clock;
  Memo memo(slow, 10min, clock);

  expect(memo(27) == 111, "27 takes 111 steps");
  expect(memo(27) == 111 && computed == 1, "the second answer comes from the cache");

  for (int i = 0; i < 6; ++i) {
    clock.advance(9min);
    memo(27);
  }
  expect(computed == 1, "what is asked for every nine minutes stays for an hour");

  clock.advance(10min);
  expect(memo(27) == 111 && computed == 2, "what nobody asked for in ten minutes is gone");

  for (std::uint64_t n = 1; n <= 1000; ++n) {
    memo(n);
    clock.advance(1min);
  }
  expect(memo.size() < 50, "writing alone keeps the cache from filling with results that are over");

  std::cout << "computed " << computed << " results, " << memo.size() << " still stored\n";
}
