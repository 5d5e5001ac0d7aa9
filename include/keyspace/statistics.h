// SPDX-License-Identifier: Apache-2.0

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

#include "keyspace/internal/millis.h"
#include "keyspace/removal.h"

namespace keyspace {

// The counts of a keyspace with the option WithStatistics, since its construction.
//
//   keyspace::Keyspace<std::string, Page, keyspace::WithStatistics> pages;
//   ...
//   std::cout << to_string(pages.statistics());
//
// Invariant: size == inserts + replacements - the sum of removals.
struct Statistics {
  using Count = std::uint64_t;

  // Requests that found a live key (hits), and requests whose key was missing or expired (misses).
  // A request is a call of find(), get(), getex(), getdel(), visit(), update(), compute() or
  // get_or_compute() on a keyspace that is not const, and each key of an mget() or of a
  // get_or_compute() of many keys. peek() and contains() are not requests. A new value for a live
  // key is not counted.
  //
  // In get_or_compute(), each thread that waits for a missing value counts a miss, and a thread
  // that refreshes a live value counts a hit.
  Count hits = 0;
  Count misses = 0;
  // In get_or_compute(): calls of the function that have ended, and those of them that threw. A
  // call for several keys counts once.
  Count computations = 0;
  Count failed_computations = 0;
  // The sum of the times that these calls took, by the clock of the keyspace.
  std::chrono::milliseconds computation_time{0};
  // How often a call needed a value that another call was computing.
  Count waits = 0;
  // Values that were stored under a key that was not live.
  Count inserts = 0;
  // Values that overwrote the value of a live key.
  Count replacements = 0;
  // Values that were not stored: they were too heavy for the capacity, or no entry could be evicted
  // for them.
  Count refusals = 0;
  // Entries that were removed, by cause. The index is a RemovalCause.
  std::array<Count, kRemovalCauses> removals = {};
  // Returns the number of entries that were removed for `cause`.
  [[nodiscard]] Count removed(RemovalCause cause) const noexcept {
    return removals[static_cast<std::size_t>(cause)];
  }

  // The number of stored entries now, and the largest number so far. Both include expired entries
  // that are not erased yet. For a ConcurrentKeyspace, peak_size is the sum of the peaks of its
  // shards.
  std::size_t size = 0;
  std::size_t peak_size = 0;

  // The lag of an entry is the time from its deadline to its removal. Only entries that were
  // removed as kExpired count. These are the largest lag and the sum of all lags.
  std::chrono::milliseconds longest_lag{0};
  std::chrono::milliseconds total_lag{0};

  // Returns hits / (hits + misses), from 0 to 1; 0 if there were no requests.
  [[nodiscard]] double hit_ratio() const noexcept {
    const Count requests = hits + misses;
    return requests == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(requests);
  }
  // Returns total_lag divided by the number of expired entries, rounded down; 0 if there are none.
  [[nodiscard]] std::chrono::milliseconds mean_lag() const noexcept {
    const Count expired = removed(RemovalCause::kExpired);
    return expired == 0 ? std::chrono::milliseconds(0)
                        : total_lag / static_cast<std::chrono::milliseconds::rep>(expired);
  }

  // Adds the counts of another keyspace. Of longest_lag it keeps the greater one. total_lag and
  // computation_time saturate.
  Statistics& operator+=(const Statistics& other) noexcept {
    hits += other.hits;
    misses += other.misses;
    computations += other.computations;
    failed_computations += other.failed_computations;
    computation_time = std::chrono::milliseconds(
        internal::saturating_add(computation_time.count(), other.computation_time.count()));
    waits += other.waits;
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

// Returns the counts as five lines of text for people, each with a newline at its end. If
// get_or_compute() has computed values, there is one more line. The first is, for example:
//
//   requests  1000: 950 hits (95.0 %), 50 misses
[[nodiscard]] inline std::string to_string(const Statistics& s) {
  const auto text = [](auto number) { return std::to_string(number); };
  const auto removed = [&](RemovalCause cause) { return text(s.removed(cause)); };
  const auto per_mille = std::lround(s.hit_ratio() * 1000);
  std::string computed;
  if (s.computations != 0 || s.waits != 0) {
    computed = "computed  " + text(s.computations) + " times, " + text(s.failed_computations) +
               " failed, " + text(s.computation_time.count()) + " ms in all, " + text(s.waits) +
               " waits\n";
  }
  return "requests  " + text(s.hits + s.misses) + ": " + text(s.hits) + " hits (" +
         text(per_mille / 10) + '.' + text(per_mille % 10) + " %), " + text(s.misses) +
         " misses\n" + computed + "stored    " + text(s.inserts) + " new, " + text(s.replacements) +
         " in place of others, " + text(s.refusals) + " refused\nremoved   " +
         removed(RemovalCause::kExpired) + " expired, " + removed(RemovalCause::kErased) +
         " erased, " + removed(RemovalCause::kReplaced) + " replaced, " +
         removed(RemovalCause::kEvicted) + " evicted\nentries   " + text(s.size) + ", at most " +
         text(s.peak_size) + "\nlag       " + text(s.mean_lag().count()) +
         " ms after the deadline in the mean, " + text(s.longest_lag.count()) + " ms at most\n";
}

}  // namespace keyspace

#endif  // KEYSPACE_STATISTICS_H_
