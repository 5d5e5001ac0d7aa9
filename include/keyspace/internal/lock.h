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
// waited for the same mutex, it would wait for ever: check() aborts the program instead. (Visible,
// so that a program and the shared libraries that it is linked with have one list for each thread.
// A library that is loaded by dlopen() may have a list of its own.)
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

// The Threading of all mutexes but those that the tests run by schedules.
struct StdThreading {
  template <class T>
  using Atomic = std::atomic<T>;
  using Word = Atomic<std::uint32_t>;

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

  // How many reads pay for a writer's look at one slot. With one, two threads that write one time
  // in 20 were a fifth slower than without slots; with 16, no slower.
  static constexpr std::uint32_t kReadsPerSlot = 32;

  // Returns a number that no other thread has, but in another shared library with hidden symbols.
  static std::size_t thread_number() noexcept {
    if (thread_number_ == 0) [[unlikely]] {
      thread_number_ = 1 + last_thread_number_.fetch_add(1, std::memory_order_relaxed);
    }
    return thread_number_;
  }

  // Sleeps until woken, if the word still has that value. Not std::atomic::wait, for which some
  // standard libraries have a table of waiting threads, of which a shared library may have its own.
  static void wait(const Word& word, std::uint32_t value) noexcept {
#ifdef __linux__
    futex(word, FUTEX_WAIT_PRIVATE, value);
#else
    word.wait(value, std::memory_order_relaxed);
#endif
  }
  // The same, but for a limited time. (On Linux it is no cancellation point of POSIX, as it would
  // be to sleep: a thread that ended there would leave the mutex locked.)
  static void wait_a_while(const Word& word, std::uint32_t value) noexcept {
#ifdef __linux__
    const KernelTime limit = {0, 1'000'000};  // a millisecond
    futex(word, FUTEX_WAIT_PRIVATE, value, &limit);
#else
    static_cast<void>(word);
    static_cast<void>(value);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
#endif
  }
  static void wake_one(Word& word) noexcept {
#ifdef __linux__
    futex(word, FUTEX_WAKE_PRIVATE, 1);
#else
    word.notify_one();
#endif
  }
  static void wake_all(Word& word) noexcept {
#ifdef __linux__
    futex(word, FUTEX_WAKE_PRIVATE, (std::numeric_limits<int>::max)());
#else
    word.notify_all();
#endif
  }

 private:
#ifdef __linux__
  // As SYS_futex takes it, which on 32 bits is not what a timespec may be.
  struct KernelTime {
    long seconds;
    long nanoseconds;
  };
  static void futex(const Word& word, int operation, std::uint32_t value,
                    const KernelTime* limit = nullptr) noexcept {
    static_assert(sizeof word == sizeof value);
    const int error = errno;
    syscall(SYS_futex, &word, operation, value, limit, nullptr, 0);
    errno = error;
  }
#endif

  static inline std::atomic<std::size_t> last_thread_number_ = 0;
  static inline constinit thread_local std::size_t thread_number_ = 0;
};

using Mutex = SharedMutex<StdThreading>;
using ReadMostlyMutex = BiasedMutex<StdThreading>;

// Locks a mutex of either kind for writing, as long as it lives.
template <class AnyMutex>
class ABSL_SCOPED_LOCKABLE WriterLock {
 public:
  explicit WriterLock(AnyMutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    Probe::count(Probe::kLocksTaken);
    mutex.lock();
  }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;
  ~WriterLock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock(); }

 private:
  AnyMutex& mutex_;
};

// Locks a mutex for reading, as long as it lives.
class ABSL_SCOPED_LOCKABLE ReaderLock {
 public:
  explicit ReaderLock(ReadMostlyMutex& mutex) ABSL_SHARED_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    Probe::count(Probe::kLocksTaken);
    slot_ = mutex.lock_shared();
  }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;
  ~ReaderLock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock_shared(slot_); }

 private:
  ReadMostlyMutex& mutex_;
  ReadMostlyMutex::Slot* slot_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_LOCK_H_
