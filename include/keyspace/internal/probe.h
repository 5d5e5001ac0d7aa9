#ifndef KEYSPACE_INTERNAL_PROBE_H_
#define KEYSPACE_INTERNAL_PROBE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace keyspace::internal {

// Counts work, so that tests can assert how much of it a call does. Does nothing unless
// KEYSPACE_INTERNAL_PROBE is defined, which must be so in all source files of a program or in none
// (the one-definition rule).
class Probe {
 public:
  enum Counter : std::size_t {
    kRecordsRead,   // by expiry tables: to settle, compare, sweep or scrub them
    kRecordsFiled,  // new ones, and those that move to another slot
    kKeysLookedUp,  // in maps, also on behalf of a record
    kLocksTaken,    // by a ReaderLock or WriterLock, counted before it waits
    kReaperSleeps,  // of a reaper's thread, counted under the lock that it releases to sleep
    kCounters
  };

#ifdef KEYSPACE_INTERNAL_PROBE
  static void count(Counter counter, std::size_t more = 1) noexcept {
    counts[counter].fetch_add(more, std::memory_order_relaxed);
  }
  // Returns the sum since the program began, of all threads.
  static std::uint64_t read(Counter counter) noexcept {
    return counts[counter].load(std::memory_order_relaxed);
  }

 private:
  static inline std::array<std::atomic<std::uint64_t>, kCounters> counts = {};
#else
  static constexpr void count(Counter, std::size_t = 1) noexcept {}
#endif
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_PROBE_H_
