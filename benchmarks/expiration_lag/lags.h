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

// How long after its deadline the removal of a key is waited for.
inline constexpr std::chrono::seconds kPatience{60};

// What a store is put through. The keys that stay are 0 and up; those that die come after them.
struct Plan {
  Key staying;
  std::vector<std::chrono::milliseconds> deaths;  // from the start, in the order of the keys

  // Returns the ttl of a key that stays: random, and the same in every run.
  [[nodiscard]] static std::chrono::milliseconds ttl(Key key);
};

// Returns a plan in which `dying` keys die at random instants of `duration`, the same in every run.
Plan make_plan(Key staying, std::size_t dying, std::chrono::seconds duration);

// Calls set(key, deadline) for each key that dies, well before the first does. Returns the
// deadlines, in the order of the keys.
template <class Clock, class Set>
auto set_dying_keys(const Plan& plan, Set set) {
  using std::chrono::milliseconds;
  const auto lead = std::chrono::seconds(1) + plan.deaths.size() * std::chrono::microseconds(100);
  const auto start = std::chrono::ceil<milliseconds>(Clock::now() + lead);
  std::vector<std::chrono::time_point<Clock, milliseconds>> deadlines;
  deadlines.reserve(plan.deaths.size());
  for (const milliseconds death : plan.deaths) {
    set(plan.staying + deadlines.size(), start + death);
    deadlines.push_back(start + death);
  }
  if (Clock::now() >= start) throw std::runtime_error("The keys that die were set too slowly");
  return deadlines;
}

// The delays from deadline to removal in one store.
class Lags {
 public:
  // `removed` has the lags of those of the `dying` keys that were removed within kPatience.
  Lags(std::string store, std::size_t dying, std::vector<Lag> removed);

  [[nodiscard]] const std::string& store() const { return store_; }
  [[nodiscard]] std::size_t dying() const { return dying_; }
  [[nodiscard]] std::size_t removed() const { return removed_.size(); }

  // Returns the least lag that a share of the dying keys, removed or not, does not exceed; nullopt
  // if it is longer than kPatience.
  [[nodiscard]] std::optional<Lag> percentile(double share) const;

 private:
  std::string store_;
  std::size_t dying_;
  std::vector<Lag> removed_;  // sorted
};

// Measures a Keyspace whose erase_expired() is called every millisecond.
Lags lags_of_keyspace(const Plan& plan);

// Measures a redis-server with its defaults; nullopt if there is none on the PATH.
std::optional<Lags> lags_of_redis(const Plan& plan);

}  // namespace expiration_lag

#endif  // KEYSPACE_BENCHMARKS_EXPIRATION_LAG_LAGS_H_
