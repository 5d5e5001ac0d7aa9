#ifndef KEYSPACE_INTERNAL_LOCK_H_
#define KEYSPACE_INTERNAL_LOCK_H_

#include <type_traits>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace keyspace::internal {

// absl::MutexLock and absl::ReaderMutexLock, which take a pointer or, in newer releases, a
// reference.

template <class Lock>
decltype(auto) to_be_locked(absl::Mutex& mutex) noexcept {
  if constexpr (std::is_constructible_v<Lock, absl::Mutex&>) {
    return (mutex);
  } else {
    return &mutex;
  }
}

class ABSL_SCOPED_LOCKABLE WriterLock {
 public:
  explicit WriterLock(absl::Mutex& mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : lock_(to_be_locked<absl::MutexLock>(mutex)) {}
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;
  ~WriterLock() ABSL_UNLOCK_FUNCTION() = default;

 private:
  absl::MutexLock lock_;
};

class ABSL_SCOPED_LOCKABLE ReaderLock {
 public:
  explicit ReaderLock(absl::Mutex& mutex) ABSL_SHARED_LOCK_FUNCTION(mutex)
      : lock_(to_be_locked<absl::ReaderMutexLock>(mutex)) {}
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;
  ~ReaderLock() ABSL_UNLOCK_FUNCTION() = default;

 private:
  absl::ReaderMutexLock lock_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_LOCK_H_
