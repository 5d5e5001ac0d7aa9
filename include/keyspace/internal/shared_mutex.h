// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_SHARED_MUTEX_H_
#define KEYSPACE_INTERNAL_SHARED_MUTEX_H_

#include <atomic>
#include <cstdint>

#include "absl/base/attributes.h"
#include "absl/base/thread_annotations.h"

namespace keyspace::internal {

// A lock that one writer holds alone, or several readers hold together. Without contention, each
// call is one atomic read-modify-write.
//
// Invariants
//   1. While a writer holds the lock, no other thread holds it.
//   2. Phases of readers and of writers alternate, so neither can starve the other (a phase-fair
//      lock):
//        - a reader that arrives while a writer holds the lock enters before the next writer;
//        - a reader that arrives while a writer waits for other readers enters after that writer.
//
// A waiting thread spins for a few microseconds, and then sleeps. Writers have no order among
// themselves: a writer that arrives may overtake writers that wait.
//
// Lifetime. A std::mutex may be destroyed as soon as its last holder has unlocked it. A SharedMutex
// may not: an earlier unlock() on another thread may still access it.
//
// `Threading` provides Atomic, kSpins, pause(), before_wait(), wait(), wake_one() and wake_all():
// see StdThreading in lock.h. tests/threads/shared_mutex_schedules.cc provides another one, and
// checks all schedules of a few threads.
template <class Threading>
class ABSL_LOCKABLE SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void lock_shared() ABSL_SHARED_LOCK_FUNCTION() {
    const State before = state_.fetch_add(kReader, std::memory_order_acquire);
    if ((before & (kWriter | kWaitingWriters)) != 0) [[unlikely]]
      wait_to_read(before);
  }
  void unlock_shared() ABSL_UNLOCK_FUNCTION() {
    const State before = state_.fetch_sub(kReader, std::memory_order_release);
    if ((before & kWaitingWriters) != 0 && (before & kReaders) == kReader) [[unlikely]]
      wake_writer();
  }

  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    State state = state_.load(std::memory_order_relaxed);
    if ((state & ~kPhase) != 0 ||
        !state_.compare_exchange_strong(state, state | kWriter, std::memory_order_acquire,
                                        std::memory_order_relaxed)) [[unlikely]] {
      wait_to_write();
    }
  }
  void unlock() ABSL_UNLOCK_FUNCTION() {
    const State before = state_.fetch_sub(kWriter, std::memory_order_release);
    if ((before & (kReaders | kWaitingWriters)) != 0) [[unlikely]] {
      (before & kReaders) != 0 ? wake_readers() : wake_writer();
    }
  }

 private:
  //   bits 0 to 19    number of readers: they hold the lock, or will hold it when the writer that
  //                   holds it unlocks
  //   bits 20 to 39   number of deferred readers: they become readers when the next writer locks
  //   bits 40 to 59   number of waiting writers
  //   bit 60          a writer holds the lock
  //   bit 61          the phase: flipped when deferred readers become readers, to tell them so
  using State = std::uint64_t;
  static constexpr int kCountBits = 20;
  static constexpr State kReader = 1;
  static constexpr State kReaders = (State{1} << kCountBits) - 1;
  static constexpr State kDeferredReader = kReader << kCountBits;
  static constexpr State kDeferredReaders = kReaders << kCountBits;
  static constexpr State kWaitingWriter = kDeferredReader << kCountBits;
  static constexpr State kWaitingWriters = kDeferredReaders << kCountBits;
  static constexpr State kWriter = kWaitingWriter << kCountBits;
  static constexpr State kPhase = kWriter << 1;

  ABSL_ATTRIBUTE_NOINLINE void wait_to_read(State before) {
    Threading::before_wait(this);
    const bool is_deferred = (before & kWriter) == 0;
    if (is_deferred) {
      // No writer can have locked it since `before`, because this thread was counted as a reader.
      before = state_.fetch_add(kDeferredReader - kReader, std::memory_order_release);
      if ((before & kReaders) == kReader) wake_writer();
    }
    const auto may_enter = [&] {
      const State state = state_.load(std::memory_order_acquire);
      return (state & kWriter) == 0 && (!is_deferred || ((state ^ before) & kPhase) != 0);
    };
    wait(
        readers_woken_, [] {}, may_enter);
  }

  ABSL_ATTRIBUTE_NOINLINE void wait_to_write() {
    Threading::before_wait(this);
    state_.fetch_add(kWaitingWriter, std::memory_order_relaxed);
    const auto try_lock = [&] {
      State state = state_.load(std::memory_order_relaxed);
      while ((state & (kWriter | kReaders)) == 0) {
        const State deferred = (state & kDeferredReaders) >> kCountBits;
        const State locked = ((state & (kPhase | kWaitingWriters)) ^ kPhase) - kWaitingWriter +
                             kWriter + deferred * kReader;
        if (state_.compare_exchange_strong(state, locked, std::memory_order_acquire,
                                           std::memory_order_relaxed)) {
          return true;
        }
      }
      return false;
    };
    // From here on, wake_writer() may wake another writer.
    const auto begin = [&] { is_writer_woken_.exchange(0, std::memory_order_acq_rel); };
    wait(writers_woken_, begin, try_lock);
  }

  using Word = typename Threading::template Atomic<std::uint32_t>;

  // Waits until is_over() returns true. The thread that makes it true increments `woken`. Calls
  // begin() before the first call of is_over(), and again after each sleep.
  template <class Begin, class IsOver>
  void wait(const Word& woken, const Begin& begin, const IsOver& is_over) {
    for (;;) {
      const std::uint32_t seen = woken.load(std::memory_order_acquire);
      begin();
      for (int spins = Threading::kSpins; spins != 0; --spins) {
        if (is_over()) return;
        Threading::pause();
      }
      if (is_over()) return;
      Threading::wait(woken, seen);
    }
  }
  void wake_readers() {
    readers_woken_.fetch_add(1, std::memory_order_release);
    Threading::wake_all(readers_woken_);
  }
  // Wakes a writer. Does nothing while a writer that was woken before has not tried to lock yet.
  void wake_writer() {
    if (is_writer_woken_.exchange(1, std::memory_order_acq_rel) != 0) return;
    writers_woken_.fetch_add(1, std::memory_order_release);
    Threading::wake_one(writers_woken_);
  }

  typename Threading::template Atomic<State> state_{0};
  Word readers_woken_{0};
  Word writers_woken_{0};
  Word is_writer_woken_{0};
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_SHARED_MUTEX_H_
