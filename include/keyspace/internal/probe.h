#ifndef KEYSPACE_INTERNAL_PROBE_H_
#define KEYSPACE_INTERNAL_PROBE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace keyspace::internal {

// Counts work, so that tests can assert how much of it a call does. Only with
// KEYSPACE_INTERNAL_PROBE: else it costs nothing. All source files of a program must be compiled
// with it, or none.
class Probe {
 public:
  enum Counter : std::size_t {
    kRecordsRead,   // by expiry tables: to settle, compare, sweep or scrub them
    kRecordsFiled,  // new ones, and those that move to another slot
    kKeysLookedUp,  // in maps, also on behalf of a record
    kLocksTaken,    // by readers and writers
    kReaperRounds,  // looks of a reaper's thread at its keyspaces
    kReaperSleeps,  // of that thread, counted under the lock that it gives up when it sleeps
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
