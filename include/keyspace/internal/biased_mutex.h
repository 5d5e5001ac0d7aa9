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

// The number of the mutex that a thread has locked for reading by this slot; 0 if none. Each slot
// has a cache line of its own.
template <class Threading>
struct alignas(ABSL_CACHELINE_SIZE) ReaderSlot {
  typename Threading::template Atomic<std::uint32_t> mutex{0};
};

// A SharedMutex for data that is read far more often than written. After enough reads it becomes
// biased: a reader then writes only to a slot, so readers on several processors do not wait for the
// cache line of the mutex, and to unlock takes no atomic read-modify-write. The next writer ends
// the bias, and the reads are counted anew. (BRAVO: Dice and Kogan, "Biased Locking for
// Reader-Writer Locks", 2019.)
//
//   a reader  stores the mutex in its slot; then checks that the mutex is still biased. If not, or
//             if the slot is in use, it locks the SharedMutex
//   a writer  locks the SharedMutex; ends the bias; then waits until no slot holds the mutex
//
// Each loads what the other stores after its own store, so at least one of them sees the other. For
// that, all four operations must be sequentially consistent. (No test would notice if they were
// not.)
//
// Neither readers nor writers are starved. But the order is not quite that of a SharedMutex: while
// a writer waits for readers that have locked the SharedMutex, others may still enter by slots.
//
// Besides what a SharedMutex needs, `Threading` has kReadsPerSlot, thread_number() and
// wait_a_while().
template <class Threading>
class ABSL_LOCKABLE BiasedMutex {
 public:
  using Slot = ReaderSlot<Threading>;

  // Mutexes may share slots. A thread uses one of the slots, so for one mutex at a time.
  // REQUIRES: there are 1, 2, 4, ... slots, which outlive the mutex; `number` is not 0, and no
  // other mutex that shares the slots has it.
  BiasedMutex(std::span<Slot> slots, std::uint32_t number) noexcept
      : number_(number), reads_until_bias_(reads_before_bias(slots)), slots_(slots) {
    assert(std::has_single_bit(slots.size()) && number != 0);
  }
  BiasedMutex(const BiasedMutex&) = delete;
  BiasedMutex& operator=(const BiasedMutex&) = delete;

  // Returns what unlock_shared() has to be given: the slot, or null if none was used.
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
      const bool is_awaited = !is_biased_.load(std::memory_order_relaxed);
      slot->mutex.store(0, std::memory_order_release);
      if (is_awaited) [[unlikely]]
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

  // Tells the compiler's analysis that this thread holds the lock.
  void assert_held() const ABSL_ASSERT_EXCLUSIVE_LOCK() {}

  // Returns what Threading::before_wait() gets of this mutex, also by the SharedMutex inside.
  [[nodiscard]] const void* id() const noexcept { return &mutex_; }

 private:
  template <class T>
  using Atomic = typename Threading::template Atomic<T>;

  // So many reads pay for a writer's look at all slots.
  static std::uint32_t reads_before_bias(std::span<const Slot> slots) noexcept {
    return static_cast<std::uint32_t>(slots.size()) * Threading::kReadsPerSlot;
  }

  // REQUIRES: the caller has locked the SharedMutex for reading. Readers may overwrite each other's
  // counts, which only delays the bias.
  void count_read() {
    const std::uint32_t left = reads_until_bias_.load(std::memory_order_relaxed);
    if (left != 0) {
      reads_until_bias_.store(left - 1, std::memory_order_relaxed);
    } else if (!is_biased_.load(std::memory_order_relaxed)) {
      is_biased_.store(true, std::memory_order_release);
    }
  }

  ABSL_ATTRIBUTE_NOINLINE void end_bias() {
    is_biased_.exchange(false, std::memory_order_seq_cst);
    reads_until_bias_.store(reads_before_bias(slots_), std::memory_order_relaxed);
    for (Slot& slot : slots_) wait_for(slot);
  }
  // A reader that leaves its slot at the moment when the bias ends may not wake this thread. (To
  // rule that out, each reader would need one more read-modify-write.) So it sleeps with a limit.
  void wait_for(Slot& slot) {
    int tries = Threading::kTries;
    while (slot.mutex.load(std::memory_order_seq_cst) == number_) {
      Threading::before_wait(id());
      if (tries != 0) {
        --tries;
        Threading::pause();
      } else {
        Threading::wait_a_while(slot.mutex, number_);
      }
    }
  }

  SharedMutex<Threading> mutex_;
  std::uint32_t number_;
  Atomic<bool> is_biased_{false};  // set by readers and cleared by writers that have locked mutex_
  Atomic<std::uint32_t> reads_until_bias_;
  std::span<Slot> slots_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_BIASED_MUTEX_H_
