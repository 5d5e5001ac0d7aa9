#include "lags.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>

namespace expiration_lag {

std::chrono::milliseconds Plan::ttl(Key key) {
  using namespace std::chrono_literals;
  constexpr std::chrono::milliseconds kSpread = 24h;
  std::minstd_rand random(static_cast<std::uint32_t>(key));
  random.discard(2);  // the first numbers of neighbouring seeds are close to each other
  return 1h + std::chrono::milliseconds(random() % static_cast<std::uint64_t>(kSpread.count()));
}

Plan make_plan(Key lasting, std::size_t expiring, std::chrono::seconds duration) {
  const std::chrono::milliseconds last = duration;
  std::mt19937_64 generator;
  std::uniform_int_distribution<std::chrono::milliseconds::rep> instant(0, last.count());
  Plan plan{lasting, {}};
  for (std::size_t i = 0; i != expiring; ++i) plan.deadlines.emplace_back(instant(generator));
  return plan;
}

Lags::Lags(std::string store, std::size_t expiring, std::vector<Lag> removed)
    : store_(std::move(store)), expiring_(expiring), removed_(std::move(removed)) {
  std::sort(removed_.begin(), removed_.end());
}

std::optional<Lag> Lags::percentile(double share) const {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(expiring_)));
  if (rank > removed_.size()) return std::nullopt;
  return removed_[rank - 1];
}

}  // namespace expiration_lag
