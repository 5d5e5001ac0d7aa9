// A cache for a slow function. A result expires ten minutes after its last request.

#include <keyspace/clock.h>
#include <keyspace/keyspace.h>
#include <keyspace/options.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <utility>

using namespace std::chrono_literals;

template <class Clock = keyspace::SteadyClock>
class Memo {
 public:
  Memo(std::function<std::uint64_t(std::uint64_t)> slow, std::chrono::milliseconds idle,
       Clock clock = {})
      : slow_(std::move(slow)),
        results_({.clock = std::move(clock), .expire_after_access = idle}) {}

  std::uint64_t operator()(std::uint64_t argument) {
    // One look-up finds the result and postpones its expiry.
    if (const std::uint64_t* const known = results_.find(argument)) return *known;
    const std::uint64_t result = slow_(argument);
    results_.set(argument, result);  // also erases up to two expired results
    return result;
  }

  // Returns the number of stored results. Expired ones count until they are erased.
  std::size_t size() const { return results_.size(); }

 private:
  std::function<std::uint64_t(std::uint64_t)> slow_;
  keyspace::Keyspace<std::uint64_t, std::uint64_t, Clock, keyspace::WithExpireAfterAccess> results_;
};

// Returns the number of steps from `n` to 1 by Collatz's rule.
std::uint64_t collatz_steps(std::uint64_t n) {
  std::uint64_t steps = 0;
  for (; n > 1; ++steps) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
  return steps;
}

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "not true: " << what << '\n';
  std::exit(1);
}

int main() {
  int computed = 0;
  const auto slow = [&](std::uint64_t n) {
    ++computed;
    return collatz_steps(n);
  };

  // With a ManualClock an hour passes at once. A program leaves the clock out.
  const keyspace::ManualClock clock;
  Memo memo(slow, 10min, clock);

  expect(memo(27) == 111, "27 takes 111 steps");
  expect(memo(27) == 111 && computed == 1, "the second result comes from the cache");

  for (int i = 0; i < 6; ++i) {
    clock.advance(9min);
    memo(27);
  }
  expect(computed == 1, "a result that is requested every nine minutes is live for an hour");

  clock.advance(10min);
  expect(memo(27) == 111 && computed == 2, "a result expires ten minutes after its last request");

  for (std::uint64_t n = 1; n <= 1000; ++n) {
    memo(n);
    clock.advance(1min);
  }
  expect(memo.size() < 50, "insertions alone keep expired results from filling the memory");

  std::cout << "computed " << computed << " results, " << memo.size() << " still stored\n";
}
