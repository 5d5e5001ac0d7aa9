#ifndef KEYSPACE_INTERNAL_LOCK_H_
#define KEYSPACE_INTERNAL_LOCK_H_

#include "keyspace/internal/config.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <thread>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/thread_annotations.h"
#include "keyspace/internal/biased_mutex.h"
#include "keyspace/internal/probe.h"
#include "keyspace/internal/shared_mutex.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(_MSC_VER)
#include <intrin.h>
#endif

namespace keyspace::internal {

// While it lives, this thread calls a function of the user with a mutex locked. If that function
// waits for the same mutex, it would wait for ever: check() ends the program instead. (Visible, so
// that all shared libraries of a program have one list for each thread.)
class KEYSPACE_INTERNAL_VISIBLE CallUnderLock {
 public:
  explicit CallUnderLock(const void* mutex) noexcept
      : mutex_(mutex), outer_(std::exchange(innermost_, this)) {}
  CallUnderLock(const CallUnderLock&) = delete;
  CallUnderLock& operator=(const CallUnderLock&) = delete;
  ~CallUnderLock() { innermost_ = outer_; }

  // Called before a thread waits for a mutex.
  static void check(const void* mutex) noexcept {
    for (const CallUnderLock* call = innermost_; call != nullptr; call = call->outer_) {
      if (call->mutex_ != mutex) continue;
      std::fputs(
          "keyspace: a function that visit(), update() or for_each() calls must not call the"
          " same ConcurrentKeyspace: its shard is locked.\n",
          stderr);
      std::abort();
    }
  }

 private:
  const void* mutex_;
  const CallUnderLock* outer_;
  static inline constinit thread_local const CallUnderLock* innermost_ = nullptr;
};

// What SharedMutex and BiasedMutex are made of.
struct StdThreading {
  template <class T>
  using Atomic = std::atomic<T>;

  // How often a waiting thread looks before it sleeps: for a few microseconds. Most of what is done
  // under a lock takes a tenth of one, and to be woken takes more than ten.
  static constexpr int kTries = 100;
  static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#elif defined(_M_IX86) || defined(_M_X64)
    _mm_pause();
#elif defined(_M_ARM64)
    __yield();
#endif
  }
  static void before_wait(const void* mutex) noexcept { CallUnderLock::check(mutex); }

  // A number that few other threads have.
  static std::size_t thread_number() noexcept {
    if (number_ == 0) [[unlikely]]
      number_ = 1 + threads_.fetch_add(1, std::memory_order_relaxed);
    return number_;
  }

  // How many reads that write to the mutex pay for a writer's look at one slot. With fewer, a mix
  // of one write for 20 reads was slower than without the slots.
  static constexpr std::uint32_t kReadsPerSlot = 32;

  // Returns after a while.
  template <class T>
  static void sleep(const Atomic<T>&, T) noexcept {
    const int error = errno;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
    errno = error;
  }

  // Sleeps until woken, if the word still has that value. Not std::atomic::wait, for which some
  // libraries count the sleeping threads in a table of which a shared library may have its own.
#ifdef __linux__
  static void wait(const Atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
    futex(word, FUTEX_WAIT_PRIVATE, value);
  }
  static void wake_one(Atomic<std::uint32_t>& word) noexcept { futex(word, FUTEX_WAKE_PRIVATE, 1); }
  static void wake_all(Atomic<std::uint32_t>& word) noexcept {
    futex(word, FUTEX_WAKE_PRIVATE, (std::numeric_limits<int>::max)());
  }

 private:
  static void futex(const Atomic<std::uint32_t>& word, int operation,
                    std::uint32_t value) noexcept {
    static_assert(sizeof word == sizeof value);
    const int error = errno;
    syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
    errno = error;
  }
#else
  static void wait(const Atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
    word.wait(value, std::memory_order_relaxed);
  }
  static void wake_one(Atomic<std::uint32_t>& word) noexcept { word.notify_one(); }
  static void wake_all(Atomic<std::uint32_t>& word) noexcept { word.notify_all(); }

 private:
#endif
  static inline std::atomic<std::size_t> threads_ = 0;
  static inline constinit thread_local std::size_t number_ = 0;
};

using Mutex = SharedMutex<StdThreading>;
using ReadMostlyMutex = BiasedMutex<StdThreading>;

// Holds a mutex alone.
template <class Mutex>
class ABSL_SCOPED_LOCKABLE WriterLock {
 public:
  explicit WriterLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    Probe::count(Probe::kLocksTaken);
    mutex.lock();
  }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;
  ~WriterLock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  Mutex& mutex_;
};

// Holds a mutex beside other readers.
class ABSL_SCOPED_LOCKABLE ReaderLock {
 public:
  explicit ReaderLock(ReadMostlyMutex& mutex) ABSL_SHARED_LOCK_FUNCTION(mutex)
      : mutex_(mutex), slot_((Probe::count(Probe::kLocksTaken), mutex.lock_shared())) {}
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;
  ~ReaderLock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock_shared(slot_); }

 private:
  ReadMostlyMutex& mutex_;
  ReadMostlyMutex::Slot* slot_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_LOCK_H_
