#ifndef KEYSPACE_STATISTICS_H_
#define KEYSPACE_STATISTICS_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "keyspace/features.h"
#include "keyspace/internal/millis.h"

namespace keyspace {

// What a keyspace whose Features have kStatistics has counted since it was made. The numbers agree:
// size == inserts + replacements - the sum of removals.
struct Statistics {
  using Count = std::uint64_t;

  // Requests that found their key, and that did not. Requests are find(), get(), mget() (each key),
  // getex() and getdel(), on a keyspace that is not const; peek() and contains() are none, nor is
  // an overwrite, though to a policy it is one.
  Count hits = 0;
  Count misses = 0;
  // Values that were stored under a key that was not live, and in place of one that was.
  Count inserts = 0;
  Count replacements = 0;
  // Entries that were not stored, for they were too heavy or nothing could be evicted for them.
  Count refusals = 0;
  // Entries that left, by cause.
  std::array<Count, kRemovalCauses> removals = {};
  [[nodiscard]] Count removed(RemovalCause cause) const noexcept {
    return removals[static_cast<std::size_t>(cause)];
  }

  // Stored entries, dead ones included: now, and the most there ever were.
  std::size_t size = 0;
  std::size_t peak_size = 0;

  // How long after their deadlines the entries that left as kExpired did so: the longest such time,
  // and the sum of all.
  std::chrono::milliseconds longest_lag{0};
  std::chrono::milliseconds total_lag{0};

  // Returns hits / (hits + misses); 0 if there were no requests.
  [[nodiscard]] double hit_ratio() const noexcept {
    const Count requests = hits + misses;
    return requests == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(requests);
  }
  [[nodiscard]] std::chrono::milliseconds mean_lag() const noexcept {
    const Count expired = removed(RemovalCause::kExpired);
    return expired == 0 ? std::chrono::milliseconds(0)
                        : total_lag / static_cast<std::chrono::milliseconds::rep>(expired);
  }

  // Adds what another keyspace has counted.
  Statistics& operator+=(const Statistics& other) noexcept {
    hits += other.hits;
    misses += other.misses;
    inserts += other.inserts;
    replacements += other.replacements;
    refusals += other.refusals;
    for (std::size_t i = 0; i != kRemovalCauses; ++i) removals[i] += other.removals[i];
    size += other.size;
    peak_size += other.peak_size;
    longest_lag = std::max<std::chrono::milliseconds>(longest_lag, other.longest_lag);
    total_lag = std::chrono::milliseconds(
        internal::saturating_add(total_lag.count(), other.total_lag.count()));
    return *this;
  }

  friend bool operator==(const Statistics&, const Statistics&) = default;
};

// Returns the numbers as text for people, a line for each kind, as in
//
//   requests  1000: 950 hits (95.0 %), 50 misses
[[nodiscard]] inline std::string to_string(const Statistics& s) {
  const auto text = [](auto number) { return std::to_string(number); };
  const auto removed = [&](RemovalCause cause) { return text(s.removed(cause)); };
  const auto per_mille = std::lround(s.hit_ratio() * 1000);
  return "requests  " + text(s.hits + s.misses) + ": " + text(s.hits) + " hits (" +
         text(per_mille / 10) + '.' + text(per_mille % 10) + " %), " + text(s.misses) +
         " misses\nstored    " + text(s.inserts) + " new, " + text(s.replacements) +
         " in place of others, " + text(s.refusals) + " refused\nremoved   " +
         removed(RemovalCause::kExpired) + " expired, " + removed(RemovalCause::kErased) +
         " erased, " + removed(RemovalCause::kReplaced) + " replaced, " +
         removed(RemovalCause::kEvicted) + " evicted\nentries   " + text(s.size) + ", at most " +
         text(s.peak_size) + "\nlag       " + text(s.mean_lag().count()) +
         " ms after the deadline in the mean, " + text(s.longest_lag.count()) + " ms at most\n";
}

}  // namespace keyspace

#endif  // KEYSPACE_STATISTICS_H_
