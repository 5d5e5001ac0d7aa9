// Tells ThreadSanitizer of absl::Mutex and absl::CondVar, where abseil was compiled without it, as
// in Debian's packages: their members are defined here again, and call those of abseil's shared
// library. (An abseil that was compiled with ThreadSanitizer tells it by itself; and newer
// releases, in which members have other names, must be.)

#if defined(__SANITIZE_THREAD__)
#define KEYSPACE_TESTS_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KEYSPACE_TESTS_TSAN
#endif
#endif

#include "absl/base/config.h"

#if defined(KEYSPACE_TESTS_TSAN) && defined(ABSL_LTS_RELEASE_VERSION) && \
    ABSL_LTS_RELEASE_VERSION < 20250512

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace {

// Returns the member of the same name in abseil's library.
template <auto kMember, class Function>
Function next() {
  static const Function function = [] {
    const auto member = kMember;
    void* here = nullptr;
    std::memcpy(&here, &member, sizeof here);  // what a pointer to a member starts with
    Dl_info info;
    void* const found = dladdr(here, &info) != 0 && info.dli_sname != nullptr
                            ? dlsym(RTLD_NEXT, info.dli_sname)
                            : nullptr;
    if (found == nullptr) {
      std::fputs("abseil has to be a shared library, or be compiled with ThreadSanitizer\n",
                 stderr);
      std::abort();
    }
    return reinterpret_cast<Function>(found);
  }();
  return function;
}

using Lock = void (*)(absl::Mutex*);
using TryLock = bool (*)(absl::Mutex*);

// Calls a member that may fail to lock, and returns whether it did lock.
bool try_lock(absl::Mutex* mutex, unsigned flags, TryLock member) {
  flags |= __tsan_mutex_try_lock;
  __tsan_mutex_pre_lock(mutex, flags);
  const bool is_locked = member(mutex);
  __tsan_mutex_post_lock(mutex, is_locked ? flags : flags | __tsan_mutex_try_lock_failed, 0);
  return is_locked;
}

}  // namespace

void absl::Mutex::Lock() {
  __tsan_mutex_pre_lock(this, 0);
  next<&absl::Mutex::Lock, ::Lock>()(this);
  __tsan_mutex_post_lock(this, 0, 0);
}
void absl::Mutex::Unlock() {
  __tsan_mutex_pre_unlock(this, 0);
  next<&absl::Mutex::Unlock, ::Lock>()(this);
  __tsan_mutex_post_unlock(this, 0);
}
void absl::Mutex::ReaderLock() {
  __tsan_mutex_pre_lock(this, __tsan_mutex_read_lock);
  next<&absl::Mutex::ReaderLock, ::Lock>()(this);
  __tsan_mutex_post_lock(this, __tsan_mutex_read_lock, 0);
}
void absl::Mutex::ReaderUnlock() {
  __tsan_mutex_pre_unlock(this, __tsan_mutex_read_lock);
  next<&absl::Mutex::ReaderUnlock, ::Lock>()(this);
  __tsan_mutex_post_unlock(this, __tsan_mutex_read_lock);
}
bool absl::Mutex::TryLock() { return try_lock(this, 0, next<&absl::Mutex::TryLock, ::TryLock>()); }
bool absl::Mutex::ReaderTryLock() {
  return try_lock(this, __tsan_mutex_read_lock, next<&absl::Mutex::ReaderTryLock, ::TryLock>());
}
void absl::CondVar::Wait(Mutex* mutex) {
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  next<&absl::CondVar::Wait, void (*)(CondVar*, Mutex*)>()(this, mutex);
  __tsan_mutex_pre_lock(mutex, 0);
  __tsan_mutex_post_lock(mutex, 0, 0);
}
bool absl::CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  const bool is_over =
      next<&absl::CondVar::WaitWithTimeout, bool (*)(CondVar*, Mutex*, Duration)>()(this, mutex,
                                                                                    timeout);
  __tsan_mutex_pre_lock(mutex, 0);
  __tsan_mutex_post_lock(mutex, 0, 0);
  return is_over;
}

#endif
