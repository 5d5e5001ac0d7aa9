// SPDX-License-Identifier: Apache-2.0

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

// Marks a call of a user's function with a mutex locked: create one before the call and destroy it
// after the call. If the function locked the same mutex, it would deadlock. check() detects that
// and aborts the program.
//
// The objects of a thread form a list, innermost first. The class is visible, so that a program and
// the shared libraries that it is linked with use the same list. A library that is loaded by
// dlopen() may have a list of its own; a deadlock across it is not detected.
class KEYSPACE_INTERNAL_VISIBLE CallUnderLock {
 public:
  explicit CallUnderLock(const void* mutex) noexcept
      : mutex_(mutex), outer_(std::exchange(innermost_, this)) {}
  CallUnderLock(const CallUnderLock&) = delete;
  CallUnderLock& operator=(const CallUnderLock&) = delete;
  ~CallUnderLock() { innermost_ = outer_; }

  // Aborts the program, with a message, if this thread is inside a call with `mutex` locked. Called
  // before a thread waits for a mutex.
  static void check(const void* mutex) noexcept {
    for (const CallUnderLock* call = innermost_; call != nullptr; call = call->outer_) {
      if (call->mutex_ != mutex) continue;
      std::fputs(
          "keyspace: a function that visit(), update(), compute(), erase_if(), for_each() or "
          "for_each_until() calls must not call the same ConcurrentKeyspace: its shard is locked. "
          "Call it afterwards.\n",
          stderr);
      std::abort();
    }
  }

 private:
  const void* mutex_;
  const CallUnderLock* outer_;
  static inline constinit thread_local const CallUnderLock* innermost_ = nullptr;
};

// The operations that SharedMutex and BiasedMutex use: atomic variables, sleeping and waking. The
// tests replace this class by one that runs threads in every possible order.
struct StdThreading {
  template <class T>
  using Atomic = std::atomic<T>;
  using Word = Atomic<std::uint32_t>;

  // How often a waiting thread checks a mutex before it sleeps. That takes a few microseconds. Most
  // locks are held for a tenth of a microsecond, and waking a thread takes more than ten.
  static constexpr int kSpins = 100;
  // Tells the processor that this thread spins.
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
  // Called by a thread before it waits for a mutex.
  static void before_wait(const void* mutex) noexcept { CallUnderLock::check(mutex); }

  // A BiasedMutex with n slots begins to use them after n * kReadsPerSlot reads. So the reads
  // outweigh the cost of the next writer, which checks all slots. Measured with two threads, one
  // write in 20 calls: with 1 the threads were a fifth slower than without slots; with 16 they were
  // no slower.
  static constexpr std::uint32_t kReadsPerSlot = 32;

  // Returns a number greater than 0 that no other thread has. Exception: in another shared library
  // with hidden symbols, another thread may have the same number.
  static std::size_t thread_number() noexcept {
    if (thread_number_ == 0) [[unlikely]] {
      thread_number_ = 1 + last_thread_number_.fetch_add(1, std::memory_order_relaxed);
    }
    return thread_number_;
  }

  // Sleeps until woken, if the word still has the value `value`; otherwise returns at once. May
  // also return early. On Linux it does not use std::atomic::wait(): some standard libraries
  // implement that with a table of waiting threads, and a shared library may have a table of its
  // own.
  static void wait(const Word& word, std::uint32_t value) noexcept {
#ifdef __linux__
    futex(word, FUTEX_WAIT_PRIVATE, value);
#else
    word.wait(value, std::memory_order_relaxed);
#endif
  }
  // The same, but sleeps no longer than a millisecond. On Linux it does not use a sleep function:
  // that is a POSIX cancellation point, and a thread that is cancelled there would leave the mutex
  // locked.
  static void wait_with_limit(const Word& word, std::uint32_t value) noexcept {
#ifdef __linux__
    const KernelTime limit = {0, 1'000'000};  // 1 ms
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
  // The time that SYS_futex takes. On 32 bits, a timespec may have another layout.
  struct KernelTime {
    long seconds;
    long nanoseconds;
  };
  // Makes a system call. Keeps errno.
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

// For data that is seldom locked, or mostly for writing.
using Mutex = SharedMutex<StdThreading>;
// For data that is mostly locked for reading. Each shard has one.
using ReadMostlyMutex = BiasedMutex<StdThreading>;

// Locks a mutex of either kind for writing in the constructor, and unlocks it in the destructor.
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

// Locks a mutex for reading in the constructor, and unlocks it in the destructor.
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
