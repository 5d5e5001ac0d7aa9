// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_COUNTERS_H_
#define KEYSPACE_INTERNAL_COUNTERS_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "keyspace/internal/millis.h"
#include "keyspace/internal/relaxed.h"
#include "keyspace/removal.h"
#include "keyspace/statistics.h"

namespace keyspace::internal {

// Counts what a Store does, for statistics(). The Store calls a record function for each event,
// under the lock of its shard. Only record_shared_request() may run on several threads at once.
template <bool kCounts>
class Counters {
 public:
  Counters() = default;
  Counters(Counters&& other) noexcept
      : counted_(std::exchange(other.counted_, Statistics())),
        hits_(std::exchange(other.hits_, 0)),
        misses_(std::exchange(other.misses_, 0)) {}

  // Returns all counts. The member `size` is not set: the Store knows it.
  [[nodiscard]] Statistics counted() const noexcept {
    Statistics counted = counted_;
    counted.hits = hits_.get();
    counted.misses = misses_.get();
    return counted;
  }

  // REQUIRES: no other thread records a request.
  void record_request(bool is_hit) noexcept {
    auto& requests = is_hit ? hits_ : misses_;
    requests.set(requests.get() + 1);
  }
  // The same, but other threads may call this at the same time.
  void record_shared_request(bool is_hit) const noexcept { (is_hit ? hits_ : misses_).count(); }

  // `size` is the number of stored entries after the insertion.
  void record_insert(std::size_t size) noexcept {
    ++counted_.inserts;
    counted_.peak_size = std::max<std::size_t>(counted_.peak_size, size);
  }
  void record_replacement() noexcept { ++counted_.replacements; }
  // Undo one count, for an entry that moved here from another shard. That shard counted it when it
  // was stored.
  void undo_insert() noexcept { --counted_.inserts; }
  void undo_replacement() noexcept { --counted_.replacements; }
  void record_refusal() noexcept { ++counted_.refusals; }
  void record_removal(RemovalCause cause) noexcept {
    ++counted_.removals[static_cast<std::size_t>(cause)];
  }
  void record_computation(Millis time, bool is_failure) noexcept {
    ++counted_.computations;
    counted_.failed_computations += is_failure ? 1 : 0;
    counted_.computation_time =
        std::chrono::milliseconds(saturating_add(counted_.computation_time.count(), time));
  }
  void record_wait() noexcept { ++counted_.waits; }
  // Records that an expired entry was removed `lag` milliseconds after its deadline.
  void record_lag(Millis lag) noexcept {
    counted_.longest_lag =
        std::max<std::chrono::milliseconds>(counted_.longest_lag, std::chrono::milliseconds(lag));
    counted_.total_lag = std::chrono::milliseconds(saturating_add(counted_.total_lag.count(), lag));
  }

 private:
  Statistics counted_;  // without hits, misses and size
  mutable Relaxed<Statistics::Count> hits_;
  mutable Relaxed<Statistics::Count> misses_;
};

// The counters of a keyspace that counts nothing.
template <>
class Counters<false> {
 public:
  void record_request(bool) const noexcept {}
  void record_shared_request(bool) const noexcept {}
  void undo_insert() const noexcept {}
  void undo_replacement() const noexcept {}
  void record_insert(std::size_t) const noexcept {}
  void record_replacement() const noexcept {}
  void record_refusal() const noexcept {}
  void record_removal(RemovalCause) const noexcept {}
  void record_wait() const noexcept {}
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_COUNTERS_H_
