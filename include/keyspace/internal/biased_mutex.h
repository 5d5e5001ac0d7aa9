#ifndef KEYSPACE_INTERNAL_BIASED_MUTEX_H_
#define KEYSPACE_INTERNAL_BIASED_MUTEX_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/base/attributes.h"
#include "absl/base/config.h"
#include "absl/base/optimization.h"
#include "absl/base/thread_annotations.h"
#include "keyspace/internal/shared_mutex.h"

namespace keyspace::internal {

// Where a thread notes which mutex it holds as a reader, in a cache line that others do not write.
template <class Threading>
struct alignas(ABSL_CACHELINE_SIZE) ReaderSlot {
  typename Threading::template Atomic<std::uintptr_t> mutex{0};  // or 0
};

// A SharedMutex for data that is read more often than written. Once readers have come often enough
// without a writer, it is biased: then a reader writes only to its own slot. So readers do not
// wait for the cache line of the mutex, which each of them would write otherwise; and to unlock,
// a reader needs no atomic read-modify-write. (BRAVO: Dice and Kogan, "Biased Locking for
// Reader-Writer Locks", 2019.)
//
// A reader notes the mutex in its slot, and then looks whether the mutex is biased still; if not,
// or if the slot is in use, it locks the SharedMutex. A writer locks the SharedMutex, ends the
// bias, and then looks at all slots. Each looks after it has written, so one sees the other.
//
// As for a SharedMutex, neither readers nor writers are starved. But while a writer waits for
// readers of the SharedMutex, others may go first by their slots.
template <class Threading>
class ABSL_LOCKABLE BiasedMutex {
 public:
  using Slot = ReaderSlot<Threading>;

  // Several mutexes may share the slots, of which a thread has one. REQUIRES: their number is a
  // power of two.
  explicit BiasedMutex(std::span<Slot> slots) noexcept
      : reads_until_bias_(cost(slots)), slots_(slots) {}
  BiasedMutex(const BiasedMutex&) = delete;
  BiasedMutex& operator=(const BiasedMutex&) = delete;

  // Returns what unlock_shared() has to be given.
  [[nodiscard]] Slot* lock_shared() ABSL_SHARED_LOCK_FUNCTION() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (is_biased_.load(std::memory_order_relaxed)) [[likely]] {
      Slot& slot = slots_[Threading::thread_number() & (slots_.size() - 1)];
      std::uintptr_t held = 0;
      if (slot.mutex.compare_exchange_strong(held, name(), std::memory_order_seq_cst,
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
      slot->mutex.store(0, std::memory_order_release);
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

  // What Threading::before_wait() gets.
  [[nodiscard]] const void* id() const noexcept { return &mutex_; }

 private:
  template <class T>
  using Atomic = typename Threading::template Atomic<T>;

  // To end the bias, a writer looks at each slot; and so many reads pay for that.
  static std::uint32_t cost(std::span<const Slot> slots) noexcept {
    return static_cast<std::uint32_t>(slots.size()) * Threading::kReadsPerSlot;
  }
  [[nodiscard]] std::uintptr_t name() const noexcept {
    return reinterpret_cast<std::uintptr_t>(&mutex_);
  }

  // Called by readers that hold the SharedMutex. They may overwrite each other's counts.
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
    reads_until_bias_.store(cost(slots_), std::memory_order_relaxed);
    for (const Slot& slot : slots_) wait_for(slot);
  }
  void wait_for(const Slot& slot) {
    for (int tries = 0; slot.mutex.load(std::memory_order_seq_cst) == name(); ++tries) {
      if (tries == 0) Threading::before_wait(id());
      if (tries < Threading::kTries) {
        Threading::pause();
      } else {
        Threading::sleep(slot.mutex,
                         name());  // for a while: a reader that leaves its slot wakes nobody
      }
    }
  }

  SharedMutex<Threading> mutex_;
  Atomic<bool> is_biased_{false};  // changed with the SharedMutex locked
  Atomic<std::uint32_t> reads_until_bias_;
  std::span<Slot> slots_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_BIASED_MUTEX_H_
