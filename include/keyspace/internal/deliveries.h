#ifndef KEYSPACE_INTERNAL_DELIVERIES_H_
#define KEYSPACE_INTERNAL_DELIVERIES_H_

#include "keyspace/internal/config.h"

#include <atomic>
#include <cstddef>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "keyspace/features.h"
#include "keyspace/internal/lock.h"
#include "keyspace/internal/outbox.h"

namespace keyspace::internal {

// Tells a listener of what left the shards, on the thread of the call in which it left, when that
// holds no lock; but what an exception kept from being told, on that of the next call. What leaves
// by what the listener does is told when it has returned, in a loop: the calls in it only add to
// what the call around them has to tell.
template <class Key, class Value, class Listener, class Allocator>
class Deliveries {
  using Batches = internal::Batches<Key, Value, Allocator>;

 public:
  Deliveries(Listener listener, const Allocator& allocator)
      : listener_(std::move(listener)), allocator_(allocator), unfinished_(allocator) {}

  // What one call has to tell.
  class Delivery {
   public:
    explicit Delivery(Deliveries& all) : all_(all), batches_(all.allocator_) {}

    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;
    ~Delivery() {
      if (!batches_.empty()) all_.leave_unfinished(batches_);
    }

    // Takes what has left a shard, of which the caller holds the lock.
    template <class Outbox>
    void take(Outbox& outbox) noexcept {
      outbox.move_to(batches_);
    }

    // Tells the listener. What it throws ends that; the rest is told by the next call that changes
    // something, as is all where a call ends before it comes to this.
    void deliver() { all_.deliver(batches_); }

   private:
    Deliveries& all_;
    Batches batches_;
  };

 private:
  // A call that tells its listener, on this thread.
  struct Frame {
    Frame(const Deliveries* of, Batches& to_tell) noexcept
        : deliveries(of), batches(to_tell), outer(std::exchange(innermost, this)) {}
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;
    ~Frame() { innermost = outer; }

    const Deliveries* deliveries;
    Batches& batches;
    Frame* outer;
    static inline thread_local Frame* innermost = nullptr;
  };

  void deliver(Batches& batches) {
    take_unfinished(batches);
    if (batches.empty()) return;
    for (Frame* frame = Frame::innermost; frame != nullptr; frame = frame->outer) {
      if (frame->deliveries != this) continue;
      frame->batches.splice(frame->batches.end(), batches);
      return;
    }
    const Frame frame(this, batches);
    while (!batches.empty()) {
      auto& batch = batches.front();
      while (batch.next != batch.letters.size()) {
        auto letter = std::move(batch.letters[batch.next++]);
        internal::deliver(listener_, letter);
      }
      batches.pop_front();
    }
  }

  void take_unfinished(Batches& batches) {
    if (!has_unfinished_.load(std::memory_order_relaxed)) return;
    const WriterLock lock(mutex_);
    batches.splice(batches.begin(), unfinished_);
    has_unfinished_.store(false, std::memory_order_relaxed);
  }
  void leave_unfinished(Batches& batches) noexcept {
    const WriterLock lock(mutex_);
    unfinished_.splice(unfinished_.end(), batches);
    has_unfinished_.store(true, std::memory_order_relaxed);
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Listener listener_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Allocator allocator_;
  std::atomic<bool> has_unfinished_ = false;
  Mutex mutex_;
  Batches unfinished_ ABSL_GUARDED_BY(mutex_);
};

// Where nobody listens.
template <class Key, class Value, class Allocator>
class Deliveries<Key, Value, NoListener, Allocator> {
 public:
  Deliveries(NoListener, const Allocator&) noexcept {}

  class Delivery {
   public:
    explicit Delivery(Deliveries&) noexcept {}
    template <class Outbox>
    void take(Outbox&) noexcept {}
    void deliver() noexcept {}
  };
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_DELIVERIES_H_
