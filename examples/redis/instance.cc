#include "instance.h"

#include <algorithm>

namespace redis {

Instance::Instance() {
  for (std::size_t i = 0; i != kDatabases; ++i) databases_.emplace_back(clock_);
}

void Instance::set_time(Time now) {
  now_ = now;
  clock_.set(Instant(std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch())));
}

void Instance::erase_expired(std::size_t limit) {
  for (Database& database : databases_) database.erase_expired(limit);
}

std::optional<Instant> Instance::next_deadline() const {
  std::optional<Instant> next;
  for (const Database& database : databases_) {
    if (const auto deadline = database.next_deadline())
      next = std::min(next.value_or(*deadline), *deadline);
  }
  return next;
}

}  // namespace redis
