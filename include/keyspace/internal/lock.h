#ifndef KEYSPACE_INTERNAL_LOCK_H_
#define KEYSPACE_INTERNAL_LOCK_H_

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/thread_annotations.h"
#include "keyspace/internal/probe.h"
#include "keyspace/internal/shared_mutex.h"

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace keyspace::internal {

// While it lives, this thread calls a function of the user with a mutex locked. If that function
// waits for the same mutex, it would wait for ever: check() ends the program instead.
class CallUnderLock {
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

// What a SharedMutex is made of.
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
#elif defined(_MSC_VER)
    _mm_pause();
#endif
  }
  static void before_wait(const void* mutex) noexcept { CallUnderLock::check(mutex); }
};

using Mutex = SharedMutex<StdThreading>;

// Holds a mutex alone.
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
  explicit ReaderLock(Mutex& mutex) ABSL_SHARED_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    Probe::count(Probe::kLocksTaken);
    mutex.lock_shared();
  }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;
  ~ReaderLock() ABSL_UNLOCK_FUNCTION() { mutex_.unlock_shared(); }

 private:
  Mutex& mutex_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_LOCK_H_
