// Rates from a service that fails at times. A rate is fetched again when it is a minute old. If
// that fails, callers get the old rate, for up to ten minutes. (HTTP calls this stale-if-error.)
// While another thread fetches the first rate, a caller waits for at most 200 ms. The thread that
// fetches waits as long as the service takes.

#include <keyspace/concurrent_keyspace.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

using namespace std::chrono_literals;

template <class Clock = keyspace::SteadyClock>
class Rates {
 public:
  explicit Rates(std::function<double(const std::string&)> fetch, Clock clock = {})
      : fetch_(std::move(fetch)), rates_(std::move(clock)) {}

  // Throws what `fetch` throws if there is no rate of the last ten minutes.
  double get(const std::string& currency) {
    return rates_.get_or_compute(
        currency, {.expiry = 10min, .refresh_ahead = 9min, .max_wait = 200ms}, fetch_);
  }
  std::uint64_t failures() const { return rates_.statistics().failed_computations; }

 private:
  std::function<double(const std::string&)> fetch_;
  keyspace::ConcurrentKeyspace<std::string, double, keyspace::WithStatistics, Clock> rates_;
};

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "not true: " << what << '\n';
  std::exit(1);
}

int main() {  // NOLINT(bugprone-exception-escape)
  bool is_down = false;
  double rate = 1.25;
  const auto fetch = [&](const std::string&) {
    if (is_down) throw std::runtime_error("the service is down");
    return rate;
  };
  const keyspace::ManualClock clock;
  Rates rates(fetch, clock);
  expect(rates.get("EUR") == 1.25, "the first call fetches the rate");
  clock.advance(2min);
  is_down = true;
  for (int i = 0; i != 100; ++i) expect(rates.get("EUR") == 1.25, "the old rate is still good");
  expect(rates.failures() == 100, "each call has tried");
  is_down = false;
  rate = 1.5;
  expect(rates.get("EUR") == 1.5, "the service is back");
  is_down = true;
  clock.advance(10min);
  try {
    rates.get("EUR");
    expect(false, "a rate older than ten minutes is not used");
  } catch (const std::runtime_error&) {
    std::cout << "no rate\n";
  }
}
