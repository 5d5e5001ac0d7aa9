#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "keyspace/keyspace.h"
#include "lags.h"

namespace expiration_lag {

Lags lags_of_keyspace(const Plan& plan) {
  using Clock = std::chrono::steady_clock;
  // Deadlines are whole milliseconds. With a period of 1 ms, all calls would come at the same point
  // of a millisecond. With this period, a second has calls at all points of a millisecond.
  constexpr std::chrono::microseconds kPeriod{1'001};

  keyspace::Keyspace<Key, Key, Clock> store;
  store.reserve(plan.lasting + plan.deadlines.size());
  for (Key key = 0; key != plan.lasting; ++key) store.set(key, key, Plan::ttl(key));
  auto deadlines = set_expiring_keys<Clock>(
      plan, [&](Key key, auto deadline) { store.set(key, key, deadline); });

  // A call removes all expired keys. So keys are removed in the order of their deadlines. The time
  // after the call is an upper bound of the time of their removal.
  std::sort(deadlines.begin(), deadlines.end());
  std::vector<Lag> lags;
  auto tick = Clock::now();
  for (auto next = deadlines.begin(); next != deadlines.end();) {
    std::this_thread::sleep_until(tick += kPeriod);
    const std::size_t erased = store.erase_expired();
    const auto now = Clock::now();
    for (std::size_t i = 0; i != erased; ++i) lags.emplace_back(now - *next++);
  }
  return {"Keyspace", deadlines.size(), std::move(lags)};
}

}  // namespace expiration_lag
