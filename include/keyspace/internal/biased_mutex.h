// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_BIASED_MUTEX_H_
#define KEYSPACE_INTERNAL_BIASED_MUTEX_H_

#include <atomic>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/base/thread_annotations.h"
#include "keyspace/internal/shared_mutex.h"

namespace keyspace::internal {

// A slot in which a reader records that it holds a BiasedMutex. It contains the number of that
// mutex, or 0 if it is free. Each slot has a cache line of its own.
template <class Threading>
struct alignas(ABSL_CACHELINE_SIZE) ReaderSlot {
  typename Threading::template Atomic<std::uint32_t> mutex{0};
};

// A reader-writer lock for data that is read far more often than written.
//
// The problem. In a SharedMutex every reader changes the same counter. Readers on several
// processors then wait for one cache line, although they do not exclude each other.
//
// The solution. Each thread uses one of several slots. Other threads seldom touch the cache line of
// that slot. The lock has two modes:
//
//   not biased   Readers and writers lock the SharedMutex inside. After enough reads, the lock
//                becomes biased (towards readers).
//   biased       A reader writes the number of the lock into its slot, and does not touch the
//                SharedMutex. To unlock, it clears the slot, which takes no atomic
//                read-modify-write. The next writer ends this mode, and the count of reads begins
//                again.
//
// The protocol
//   reader   1. Stores the number of the lock in its slot.
//            2. Loads the mode, and holds the lock if it is still biased.
//            If the lock is not biased, or if the slot is in use, locks the SharedMutex instead.
//   writer   Locks the SharedMutex.
//            1. Stores that the mode is not biased, if it is biased.
//            2. Loads all slots, and waits until none contains the number of the lock.
//
// The reader and the writer each store first, and then load what the other stores. So at least one
// of them sees the other's store, if all four operations are sequentially consistent. Weaker memory
// orders would break the lock, and no test would fail.
//
// Invariants
//   1. While a writer holds the lock, no other thread holds it.
//   2. The mode changes only while the SharedMutex is locked. A reader begins the biased mode, and
//      a writer ends it.
//   3. Neither readers nor writers are starved. Unlike with a SharedMutex, a reader with a slot may
//      overtake a writer that waits for readers of the SharedMutex.
//
// Source: Dice and Kogan, "BRAVO - Biased Locking for Reader-Writer Locks", 2019.
//
// In addition to what a SharedMutex needs, `Threading` provides kReadsPerSlot, thread_number() and
// wait_with_limit().
template <class Threading>
class ABSL_LOCKABLE BiasedMutex {
 public:
  using Slot = ReaderSlot<Threading>;

  // Several mutexes may share the slots. A thread always uses the same slot, for one mutex at a
  // time.
  // REQUIRES: the number of slots is a power of two. The slots outlive the mutex. `number` is not
  // 0, and no other mutex that shares the slots has the same number.
  BiasedMutex(std::span<Slot> slots, std::uint32_t number) noexcept
      : number_(number), reads_until_bias_(reads_before_bias(slots)), slots_(slots) {
    assert(std::has_single_bit(slots.size()) && number != 0);
  }
  BiasedMutex(const BiasedMutex&) = delete;
  BiasedMutex& operator=(const BiasedMutex&) = delete;

  // Locks for reading. Returns the slot that was used, or null if none was. The caller passes it to
  // unlock_shared().
  [[nodiscard]] Slot* lock_shared() ABSL_SHARED_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (is_biased_.load(std::memory_order_relaxed)) [[likely]] {
      Slot& slot = slots_[Threading::thread_number() & (slots_.size() - 1)];
      std::uint32_t held = 0;
      if (slot.mutex.compare_exchange_strong(held, number_, std::memory_order_seq_cst,
                                             std::memory_order_relaxed)) [[likely]] {
        if (is_biased_.load(std::memory_order_seq_cst)) [[likely]]
          return &slot;
        slot.mutex.store(0, std::memory_order_release);
      }
    }
    mutex_.lock_shared();
    return nullptr;
  }
  void unlock_shared(Slot* slot) ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (slot != nullptr) [[likely]] {
      const bool is_writer_waiting = !is_biased_.load(std::memory_order_relaxed);
      slot->mutex.store(0, std::memory_order_release);
      if (is_writer_waiting) [[unlikely]]
        Threading::wake_one(slot->mutex);
    } else {
      count_read();
      mutex_.unlock_shared();
    }
  }

  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex_.lock();
    if (is_biased_.load(std::memory_order_relaxed)) [[unlikely]]
      end_bias();
  }
  void unlock() ABSL_UNLOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }

  // Tells the thread safety analysis of the compiler that this thread holds the lock for writing.
  // Checks nothing.
  void assert_held() const ABSL_ASSERT_EXCLUSIVE_LOCK() {}

  // Returns the address that identifies this mutex in Threading::before_wait(). It is the address
  // of the SharedMutex inside, which calls before_wait() too.
  [[nodiscard]] const void* id() const noexcept { return &mutex_; }

 private:
  template <class T>
  using Atomic = typename Threading::template Atomic<T>;

  // Returns the number of reads after which the lock becomes biased. It grows with the number of
  // slots, because the next writer has to check all of them.
  static std::uint32_t reads_before_bias(std::span<const Slot> slots) noexcept {
    return static_cast<std::uint32_t>(slots.size()) * Threading::kReadsPerSlot;
  }

  // Counts a read, and makes the lock biased after enough reads. Readers may overwrite each other's
  // counts. That only delays the biased mode.
  // REQUIRES: the caller has locked the SharedMutex for reading.
  void count_read() {
    const std::uint32_t left = reads_until_bias_.load(std::memory_order_relaxed);
    if (left != 0) {
      reads_until_bias_.store(left - 1, std::memory_order_relaxed);
    } else if (!is_biased_.load(std::memory_order_relaxed)) {
      is_biased_.store(true, std::memory_order_release);
    }
  }

  // Ends the biased mode, and waits for all readers that hold the lock by a slot.
  // REQUIRES: the caller has locked the SharedMutex for writing.
  ABSL_ATTRIBUTE_NOINLINE void end_bias() {
    is_biased_.exchange(false, std::memory_order_seq_cst);
    reads_until_bias_.store(reads_before_bias(slots_), std::memory_order_relaxed);
    for (Slot& slot : slots_) wait_for(slot);
  }
  // Waits until a slot does not contain the number of this lock. A reader that clears its slot just
  // when the biased mode ends may not see that a writer waits, and then does not wake it. (To
  // prevent that, each reader would need one more read-modify-write.) So each sleep has a time
  // limit.
  void wait_for(Slot& slot) {
    int spins = Threading::kSpins;
    while (slot.mutex.load(std::memory_order_seq_cst) == number_) {
      Threading::before_wait(id());
      if (spins != 0) {
        --spins;
        Threading::pause();
      } else {
        Threading::wait_with_limit(slot.mutex, number_);
      }
    }
  }

  SharedMutex<Threading> mutex_;
  std::uint32_t number_;
  Atomic<bool> is_biased_{false};  // set by readers and cleared by writers, with mutex_ locked
  Atomic<std::uint32_t> reads_until_bias_;
  std::span<Slot> slots_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_BIASED_MUTEX_H_
