#ifndef KEYSPACE_BENCHMARKS_EXPIRATION_LAG_LAGS_H_
#define KEYSPACE_BENCHMARKS_EXPIRATION_LAG_LAGS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace expiration_lag {

using Key = std::uint64_t;
using Lag = std::chrono::duration<double, std::milli>;

// How long the measurement waits for the removal of a key after its deadline.
inline constexpr std::chrono::seconds kPatience{60};

// The keys of a measurement. Keys below `lasting` do not expire during the measurement. All other
// keys expire during it.
struct Plan {
  Key lasting;
  std::vector<std::chrono::milliseconds> deadlines;  // after the start, in the order of the keys

  // Returns the ttl of a key that does not expire during the measurement. It is random, and the
  // same in every run.
  [[nodiscard]] static std::chrono::milliseconds ttl(Key key);
};

// Returns a plan in which `expiring` keys expire at random times within `duration`. The times are
// the same in every run.
Plan make_plan(Key lasting, std::size_t expiring, std::chrono::seconds duration);

// Calls set(key, deadline) for each key that expires, well before the first deadline. Returns the
// deadlines, in the order of the keys.
template <class Clock, class Set>
auto set_expiring_keys(const Plan& plan, Set set) {
  using std::chrono::milliseconds;
  const auto lead =
      std::chrono::seconds(1) + plan.deadlines.size() * std::chrono::microseconds(100);
  const auto start = std::chrono::ceil<milliseconds>(Clock::now() + lead);
  std::vector<std::chrono::time_point<Clock, milliseconds>> deadlines;
  deadlines.reserve(plan.deadlines.size());
  for (const milliseconds deadline : plan.deadlines) {
    set(plan.lasting + deadlines.size(), start + deadline);
    deadlines.push_back(start + deadline);
  }
  if (Clock::now() >= start) throw std::runtime_error("The keys that expire were set too slowly");
  return deadlines;
}

// The times from deadline to removal in one store.
class Lags {
 public:
  // `removed` has the lags of the keys that were removed within kPatience, among `expiring` keys.
  Lags(std::string store, std::size_t expiring, std::vector<Lag> removed);

  [[nodiscard]] const std::string& store() const { return store_; }
  [[nodiscard]] std::size_t expiring() const { return expiring_; }
  [[nodiscard]] std::size_t removed() const { return removed_.size(); }

  // Returns the lag that `share` of the expiring keys do not exceed; nullopt if it is longer than
  // kPatience.
  [[nodiscard]] std::optional<Lag> percentile(double share) const;

 private:
  std::string store_;
  std::size_t expiring_;
  std::vector<Lag> removed_;  // sorted
};

// Measures a Keyspace whose erase_expired() is called every millisecond.
Lags lags_of_keyspace(const Plan& plan);

// Measures a redis-server with its defaults; nullopt if there is none on the PATH.
std::optional<Lags> lags_of_redis(const Plan& plan);

}  // namespace expiration_lag

#endif  // KEYSPACE_BENCHMARKS_EXPIRATION_LAG_LAGS_H_
