// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_SHARED_REMOVAL_QUEUE_H_
#define KEYSPACE_INTERNAL_SHARED_REMOVAL_QUEUE_H_

#include "keyspace/internal/config.h"

#include <atomic>
#include <cstddef>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "keyspace/internal/lock.h"
#include "keyspace/internal/removal_queue.h"
#include "keyspace/removal.h"

namespace keyspace::internal {

// Passes the entries that were removed from the shards of a ConcurrentKeyspace to its listener.
// Each call that changes a shard makes a Pending, takes the removed entries while it holds the
// shard's lock, and calls the listener after it has released the lock.
//
// Invariants
//   1. The listener is called without a lock, on the thread of the call that removed the entry.
//      Exception: if a call ends by an exception, its remaining entries are passed by the next
//      call that changes something, on that call's thread.
//   2. On one thread the listener is not called while it runs. The calls that it makes only append
//      to the Pending of the outermost call, which passes their entries in its loop.
//   3. Several threads may call the listener at once.
template <class Key, class Value, class Listener, class Allocator>
class SharedRemovalQueue {
  using Batches = internal::Batches<Key, Value, Allocator>;

 public:
  SharedRemovalQueue(Listener listener, const Allocator& allocator)
      : listener_(std::move(listener)), allocator_(allocator), unfinished_(allocator) {}

  // The removed entries that one call has to pass to the listener.
  class Pending {
   public:
    explicit Pending(SharedRemovalQueue& queue) : queue_(queue), batches_(queue.allocator_) {}

    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;
    // Leaves the entries that were not passed to the listener to the next call.
    ~Pending() {
      if (!batches_.empty()) queue_.keep_unfinished(batches_);
    }

    // Takes the entries that were removed from a shard. REQUIRES: the caller holds its lock.
    template <class Queue>
    void take(Queue& queue) noexcept {
      queue.move_to(batches_);
    }

    // Passes all entries to the listener. If the listener throws, the rest is passed by the next
    // call that changes something. Returns how many expired entries the listener's own calls
    // erased. REQUIRES: the caller holds no lock.
    std::size_t call_listener() { return queue_.call_listener(batches_); }

   private:
    SharedRemovalQueue& queue_;
    Batches batches_;
  };

 private:
  // A call on this thread that is calling the listener. The frames of a thread form a stack, which
  // holds frames of other queues too.
  struct Frame {
    Frame(const SharedRemovalQueue* its_queue, Batches& its_batches) noexcept
        : queue(its_queue), batches(its_batches), outer(std::exchange(innermost, this)) {}
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;
    ~Frame() { innermost = outer; }

    const SharedRemovalQueue* queue;
    Batches& batches;
    std::size_t expired = 0;  // how many expired entries the listener's own calls erased
    Frame* outer;
    static inline thread_local Frame* innermost = nullptr;
  };

  std::size_t call_listener(Batches& batches) {
    if (batches.empty() && !has_unfinished_.load(std::memory_order_relaxed)) return 0;
    // If the listener is running on this thread, leaves the entries to the call that called it.
    for (Frame* frame = Frame::innermost; frame != nullptr; frame = frame->outer) {
      if (frame->queue != this) continue;
      frame->expired += expired_in(batches);
      take_unfinished(batches);
      frame->batches.splice(frame->batches.end(), batches);
      return 0;
    }
    take_unfinished(batches);
    if (batches.empty()) return 0;
    Frame frame(this, batches);
    while (!batches.empty()) {
      auto& batch = batches.front();
      while (batch.next != batch.entries.size()) {
        auto removed = std::move(batch.entries[batch.next++]);
        internal::call_listener(listener_, removed);
      }
      // Destructors may call the keyspace, and then append to `batches`.
      Batches passed(allocator_);
      passed.splice(passed.end(), batches, batches.begin());
    }
    return frame.expired;
  }

  // Returns how many of the entries were expired when they were removed.
  static std::size_t expired_in(const Batches& batches) noexcept {
    std::size_t expired = 0;
    for (const auto& batch : batches) {
      for (const auto& removed : batch.entries) expired += removed.cause == RemovalCause::kExpired;
    }
    return expired;
  }

  // Moves the entries that other calls have left to the front of `batches`.
  void take_unfinished(Batches& batches) {
    if (!has_unfinished_.load(std::memory_order_relaxed)) return;
    const WriterLock lock(mutex_);
    batches.splice(batches.begin(), unfinished_);
    has_unfinished_.store(false, std::memory_order_relaxed);
  }
  void keep_unfinished(Batches& batches) noexcept {
    const WriterLock lock(mutex_);
    unfinished_.splice(unfinished_.end(), batches);
    has_unfinished_.store(true, std::memory_order_relaxed);
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Listener listener_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Allocator allocator_;
  // True if unfinished_ may hold entries. Most calls read only this.
  std::atomic<bool> has_unfinished_ = false;
  Mutex mutex_;
  Batches unfinished_ ABSL_GUARDED_BY(mutex_);
};

// The queue of a ConcurrentKeyspace without a listener. It keeps nothing.
template <class Key, class Value, class Allocator>
class SharedRemovalQueue<Key, Value, NoListener, Allocator> {
 public:
  SharedRemovalQueue(NoListener, const Allocator&) noexcept {}

  class Pending {
   public:
    explicit Pending(SharedRemovalQueue&) noexcept {}
    template <class Queue>
    void take(Queue&) noexcept {}
    std::size_t call_listener() noexcept { return 0; }
  };
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_SHARED_REMOVAL_QUEUE_H_
