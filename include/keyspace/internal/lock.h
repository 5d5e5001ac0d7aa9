#ifndef KEYSPACE_INTERNAL_LOCK_H_
#define KEYSPACE_INTERNAL_LOCK_H_

#include <type_traits>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "keyspace/internal/probe.h"

namespace keyspace::internal {

// Gives an absl::Mutex the names of std::shared_mutex. Newer releases have them, and deprecate
// those that are called here.
template <class AbslMutex>
class ABSL_LOCKABLE WithStandardNames : public AbslMutex {
 public:
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { this->Lock(); }
  bool try_lock() ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true) { return this->TryLock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { this->Unlock(); }
  void lock_shared() ABSL_SHARED_LOCK_FUNCTION() { this->ReaderLock(); }
  bool try_lock_shared() ABSL_SHARED_TRYLOCK_FUNCTION(true) { return this->ReaderTryLock(); }
  void unlock_shared() ABSL_UNLOCK_FUNCTION() { this->ReaderUnlock(); }
};
template <class AbslMutex>
concept HasStandardNames = requires(AbslMutex& mutex) {
  mutex.try_lock_shared();
};

using Mutex =
    std::conditional_t<HasStandardNames<absl::Mutex>, absl::Mutex, WithStandardNames<absl::Mutex>>;

// How often a lock is tried before the thread goes to sleep: for about a microsecond. What is done
// under a shard's lock mostly takes a tenth of that, and to be woken takes ten. (absl::Mutex itself
// sleeps at once where a reader meets a writer. Its search for deadlocks learns of those locks
// alone that a thread goes to sleep for.)
inline constexpr int kLockTries = 200;

// Holds a mutex alone.
class ABSL_SCOPED_LOCKABLE WriterLock {
 public:
  explicit WriterLock(Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    Probe::count(Probe::kLocksTaken);
    for (int tries = 0; tries != kLockTries; ++tries) {
      if (mutex.try_lock()) return;
    }
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
    for (int tries = 0; tries != kLockTries; ++tries) {
      if (mutex.try_lock_shared()) return;
    }
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
