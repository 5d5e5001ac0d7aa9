#ifndef KEYSPACE_INTERNAL_SHARED_MUTEX_H_
#define KEYSPACE_INTERNAL_SHARED_MUTEX_H_

#include <atomic>
#include <cstdint>

#include "absl/base/attributes.h"
#include "absl/base/thread_annotations.h"

namespace keyspace::internal {

// A lock that a writer holds alone, or readers hold together. Uncontended, each call is one atomic
// read-modify-write.
//
// Readers and writers take turns, so that neither can starve the other (a phase-fair lock):
//
//   a reader that arrives while a writer holds the lock   goes before the next writer
//   a reader that arrives while a writer waits for        goes after that writer
//   other readers
//
// A waiting thread spins for a few microseconds, and then sleeps. Writers have no order among
// themselves: one that has just come may overtake others that wait.
//
// Unlike a std::mutex, it must not be destroyed as soon as its last holder has unlocked it: an
// earlier unlock() on another thread may still read it.
//
// `Threading` has Atomic, kTries, pause(), before_wait(), wait(), wake_one() and wake_all(): see
// StdThreading in lock.h. The tests have another one, with which they try all schedules.
template <class Threading>
class ABSL_LOCKABLE SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void lock_shared() ABSL_SHARED_LOCK_FUNCTION() {
    const State before = state_.fetch_add(kReader, std::memory_order_acquire);
    if ((before & (kWriter | kWaitingWriters)) != 0) [[unlikely]]
      wait_for_turn_of_readers(before);
  }
  void unlock_shared() ABSL_UNLOCK_FUNCTION() {
    const State before = state_.fetch_sub(kReader, std::memory_order_release);
    if ((before & kWaitingWriters) != 0 && (before & kReaders) == kReader) [[unlikely]]
      wake_writer();
  }

  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    State state = state_.load(std::memory_order_relaxed);
    if ((state & ~kTurn) != 0 ||
        !state_.compare_exchange_strong(state, state | kWriter, std::memory_order_acquire,
                                        std::memory_order_relaxed)) [[unlikely]] {
      wait_for_turn_of_writer();
    }
  }
  void unlock() ABSL_UNLOCK_FUNCTION() {
    const State before = state_.fetch_sub(kWriter, std::memory_order_release);
    if ((before & (kReaders | kWaitingWriters)) != 0) [[unlikely]] {
      (before & kReaders) != 0 ? wake_readers() : wake_writer();
    }
  }

 private:
  //   bits 0 to 19    readers: hold the lock, or will when the writer that holds it unlocks
  //   bits 20 to 39   late readers: will be readers when the next writer has locked it
  //   bits 40 to 59   writers that wait
  //   bit 60          a writer holds the lock
  //   bit 61          the turn: flipped when late readers become readers, so that they notice
  using State = std::uint64_t;
  static constexpr int kBits = 20;
  static constexpr State kReader = 1;
  static constexpr State kReaders = (State{1} << kBits) - 1;
  static constexpr State kLateReader = kReader << kBits;
  static constexpr State kLateReaders = kReaders << kBits;
  static constexpr State kWaitingWriter = kLateReader << kBits;
  static constexpr State kWaitingWriters = kLateReaders << kBits;
  static constexpr State kWriter = kWaitingWriter << kBits;
  static constexpr State kTurn = kWriter << 1;

  ABSL_ATTRIBUTE_NOINLINE void wait_for_turn_of_readers(State before) {
    Threading::before_wait(this);
    const bool is_late = (before & kWriter) == 0;
    if (is_late) {
      // No writer can have locked it since then, as this thread was counted as a reader.
      before = state_.fetch_add(kLateReader - kReader, std::memory_order_release);
      if ((before & kReaders) == kReader) wake_writer();
    }
    const auto is_turn = [&] {
      const State state = state_.load(std::memory_order_acquire);
      return (state & kWriter) == 0 && (!is_late || ((state ^ before) & kTurn) != 0);
    };
    wait(
        readers_woken_, [] {}, is_turn);
  }

  ABSL_ATTRIBUTE_NOINLINE void wait_for_turn_of_writer() {
    Threading::before_wait(this);
    state_.fetch_add(kWaitingWriter, std::memory_order_relaxed);
    const auto try_lock = [&] {
      State state = state_.load(std::memory_order_relaxed);
      while ((state & (kWriter | kReaders)) == 0) {
        const State late = (state & kLateReaders) >> kBits;
        const State locked = ((state & (kTurn | kWaitingWriters)) ^ kTurn) - kWaitingWriter +
                             kWriter + late * kReader;
        if (state_.compare_exchange_strong(state, locked, std::memory_order_acquire,
                                           std::memory_order_relaxed)) {
          return true;
        }
      }
      return false;
    };
    // From here on, another writer may be woken.
    const auto begin = [&] { is_waking_.exchange(0, std::memory_order_acq_rel); };
    wait(writers_woken_, begin, try_lock);
  }

  using Word = typename Threading::template Atomic<std::uint32_t>;

  // Returns when is_over() is true. The thread that makes it true increments `woken`. Calls begin()
  // before it looks, and again after each sleep.
  template <class Begin, class IsOver>
  void wait(const Word& woken, const Begin& begin, const IsOver& is_over) {
    for (;;) {
      const std::uint32_t seen = woken.load(std::memory_order_acquire);
      begin();
      for (int tries = Threading::kTries; tries != 0; --tries) {
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
  // Does nothing while a writer that was woken before has yet to look.
  void wake_writer() {
    if (is_waking_.exchange(1, std::memory_order_acq_rel) != 0) return;
    writers_woken_.fetch_add(1, std::memory_order_release);
    Threading::wake_one(writers_woken_);
  }

  typename Threading::template Atomic<State> state_{0};
  Word readers_woken_{0};
  Word writers_woken_{0};
  Word is_waking_{0};
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_SHARED_MUTEX_H_
