// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_BUDGET_H_
#define KEYSPACE_INTERNAL_BUDGET_H_

#include <algorithm>
#include <cstddef>
#include <limits>

namespace keyspace::internal {

// A limit that no call reaches.
inline constexpr std::size_t kUnlimited = (std::numeric_limits<std::size_t>::max)();

// Limits the work of a call that erases expired or evicted entries.
struct Budget {
  // The steps that a call may take beyond its limit. They suffice for two records to move down
  // through all levels of the timer wheel and to be resolved.
  static constexpr std::size_t kSlack = 16;

  explicit Budget(std::size_t limit) noexcept
      : erasures(limit), steps(std::min<std::size_t>(limit, kUnlimited - kSlack) + kSlack) {}
  [[nodiscard]] bool is_spent() const noexcept { return erasures == 0 || steps == 0; }

  // Takes a part with at most `limit` erasures out of this budget, and returns the part. join()
  // gives back what is left of it.
  [[nodiscard]] Budget split(std::size_t limit) noexcept {
    Budget part(std::min<std::size_t>(limit, erasures));
    part.steps = std::min<std::size_t>(part.steps, steps);
    erasures -= part.erasures;
    steps -= part.steps;
    return part;
  }
  void join(const Budget& rest) noexcept {
    erasures += rest.erasures;
    steps += rest.steps;
  }

  std::size_t erasures;  // how many more entries the call may erase
  std::size_t steps;     // how many more records it may read, move or file
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_BUDGET_H_
