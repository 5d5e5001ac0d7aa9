// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_PROBE_H_
#define KEYSPACE_INTERNAL_PROBE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace keyspace::internal {

// Counts units of work, so that tests can assert how much work a call does. All threads share the
// counters. Counts nothing unless KEYSPACE_INTERNAL_PROBE is defined. Define it in all source files
// of a program or in none (the one-definition rule).
class Probe {
 public:
  enum Counter : std::size_t {
    kRecordsRead,   // records that the timer wheel has read, for any purpose
    kRecordsFiled,  // records that were filed: new ones, and those that moved to another slot
    kKeysLookedUp,  // look-ups in hash maps, also those for a record
    kLocksTaken,    // locks by ReaderLock or WriterLock, counted before they wait
    kReaperSleeps,  // sleeps of a reaper's thread, counted under the lock that a sleep releases
    kCounters
  };

#ifdef KEYSPACE_INTERNAL_PROBE
  static void count(Counter counter, std::size_t more = 1) noexcept {
    counts[counter].fetch_add(more, std::memory_order_relaxed);
  }
  // Returns the count of all threads since the program began.
  static std::uint64_t read(Counter counter) noexcept {
    return counts[counter].load(std::memory_order_relaxed);
  }

 private:
  static inline std::array<std::atomic<std::uint64_t>, kCounters> counts = {};
#else
  static constexpr void count(Counter, std::size_t = 1) noexcept {}
#endif
};

// How much a step of an IncrementalMap does. If KEYSPACE_INTERNAL_PROBE is defined, tests can make
// the steps so small that small maps take many of them.
struct StepSize {
#ifdef KEYSPACE_INTERNAL_PROBE
  static inline std::size_t moves = 32;
  static inline std::size_t large_table = std::size_t{512} << 10;
#else
  static constexpr std::size_t moves = 32;  // elements that a step moves to another table
  // Tables of at least this many bytes are allocated and released in steps.
  static constexpr std::size_t large_table = std::size_t{512} << 10;
#endif
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_PROBE_H_
