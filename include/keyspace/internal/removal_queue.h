// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_REMOVAL_QUEUE_H_
#define KEYSPACE_INTERNAL_REMOVAL_QUEUE_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <list>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "keyspace/internal/nothrow_box.h"
#include "keyspace/removal.h"

namespace keyspace::internal {

// An entry that was removed, and the reason.
template <class Key, class Value, class Allocator>
struct RemovedEntry {
  NothrowBox<Key, Allocator> key;
  NothrowBox<Value, Allocator> value;
  RemovalCause cause;
};
template <class Key, class Value, class Allocator>
using RemovedEntries = std::vector<RemovedEntry<Key, Value, Allocator>,
                                   typename std::allocator_traits<Allocator>::template rebind_alloc<
                                       RemovedEntry<Key, Value, Allocator>>>;

// Returns true if the listener is a null pointer, or an object whose explicit conversion to bool
// yields false, such as an empty std::function.
template <class Listener>
bool is_empty_listener(const Listener& listener) noexcept {
  if constexpr (std::is_pointer_v<Listener> || (std::is_constructible_v<bool, const Listener&> &&
                                                !std::is_convertible_v<const Listener&, bool>)) {
    return !static_cast<bool>(listener);
  } else {
    return false;
  }
}

// Calls the listener with one removed entry. Does nothing if the listener is empty.
template <class Listener, class Removed>
void call_listener(Listener& listener, Removed& removed) {
  if (is_empty_listener(listener)) return;
  listener(std::move(removed.key.get()), std::move(removed.value.get()), removed.cause);
}

// The removed entries of a Store that the listener has not received yet, in the order of their
// removal. The Store enqueues each entry that it removes. At the end of each public call, when the
// tables are consistent, the keyspace calls call_listener().
//
// Invariants
//   1. reserve() does everything that can throw. It comes before the removal, so a removal cannot
//      fail halfway.
//   2. Each entry is passed to the listener at most once. An entry counts as passed when its call
//      begins, even if the call throws.
//   3. The listener is never called while it runs: nested calls only enqueue.
//
// There are three versions. This one calls the listener itself. With DeferredListener, the owner
// takes the entries. With NoListener, the queue keeps nothing.
template <class Key, class Value, class Listener, class Allocator>
class RemovalQueue {
 public:
  using KeyBox = NothrowBox<Key, Allocator>;
  using ValueBox = NothrowBox<Value, Allocator>;

  RemovalQueue(Listener listener, const Allocator& allocator)
      : listener_(std::move(listener)), entries_(allocator), passed_(allocator) {}
  RemovalQueue(RemovalQueue&& other) noexcept
      : listener_(std::move(other.listener_)),
        entries_(std::move(other.entries_)),
        next_(std::exchange(other.next_, 0)),
        passed_(std::move(other.passed_)) {}

  // Reserves memory for `count` more entries. Throws what the allocator throws; the queue is then
  // unchanged.
  void reserve(std::size_t count) {
    if (entries_.capacity() - entries_.size() >= count) return;
    // Moves only the pending entries: those before next_ were passed to the listener.
    Entries pending(entries_.get_allocator());
    pending.reserve(2 * (entries_.size() - next_) + count);
    for (std::size_t i = next_; i != entries_.size(); ++i) {
      pending.push_back(std::move(entries_[i]));
    }
    entries_.swap(pending);
    if (std::exchange(next_, 0) != 0) passed_.swap(pending);
  }
  // Appends a removed entry. REQUIRES: reserve() has reserved memory for it.
  void enqueue(KeyBox&& key, ValueBox&& value, RemovalCause cause) noexcept {
    assert(entries_.size() < entries_.capacity());
    entries_.push_back({std::move(key), std::move(value), cause});
    if (cause == RemovalCause::kExpired) ++expired_;
  }

  // Passes all pending entries to the listener, including those that calls of the listener remove.
  // If the listener throws, the other entries stay for the next call. Does nothing if the listener
  // is running. Returns how many expired entries were removed meanwhile.
  std::size_t call_listener() {
    const std::size_t expired = expired_;
    destroy_passed();
    if (entries_.empty() || is_calling_) return expired_ - expired;
    const CallScope scope(is_calling_);
    while (!entries_.empty()) {
      auto removed = std::move(entries_[next_]);
      if (++next_ == entries_.size()) clear();
      internal::call_listener(listener_, removed);
    }
    return expired_ - expired;
  }

 private:
  // Destroys what was passed. If a move of a key or a value is a copy, a destructor runs here that
  // may call the keyspace. So this comes at the end of a call, and the queue holds nothing of it.
  void destroy_passed() noexcept {
    if (passed_.empty()) return;
    Entries passed(entries_.get_allocator());
    passed.swap(passed_);
  }
  // Destroys all entries in the same way. Keeps the memory if it is that of at most kMostKept
  // entries.
  void clear() noexcept {
    Entries passed(entries_.get_allocator());
    passed.swap(entries_);
    next_ = 0;
    passed.clear();
    if (entries_.capacity() == 0 && passed.capacity() <= kMostKept) entries_.swap(passed);
  }

  static constexpr std::size_t kMostKept = 64;

  // Sets the flag while it exists.
  struct CallScope {
    explicit CallScope(bool& is_calling) noexcept : flag(is_calling) { flag = true; }
    ~CallScope() { flag = false; }
    bool& flag;
  };

  using Entries = RemovedEntries<Key, Value, Allocator>;

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Listener listener_;
  Entries entries_;
  std::size_t next_ = 0;     // the first pending entry
  Entries passed_;           // were before next_ when entries_ was reallocated
  std::size_t expired_ = 0;  // how many expired entries were enqueued
  bool is_calling_ = false;
};

// Removed entries that were taken out of one queue.
template <class Key, class Value, class Allocator>
struct Batch {
  explicit Batch(const Allocator& allocator) : entries(allocator) {}
  RemovedEntries<Key, Value, Allocator> entries;
  std::size_t next = 0;  // the first pending entry
};
template <class Key, class Value, class Allocator>
using Batches = std::list<
    Batch<Key, Value, Allocator>,
    typename std::allocator_traits<Allocator>::template rebind_alloc<Batch<Key, Value, Allocator>>>;

// The queue of a shard. It keeps removed entries until the owner takes them with move_to(), and
// never calls a listener: the owner does that after it has released the shard's lock.
//
// The entries are in a list node. move_to() splices that node, so it allocates nothing and cannot
// throw: no removed entry is lost.
template <class Key, class Value, class Allocator>
class RemovalQueue<Key, Value, DeferredListener, Allocator> {
 public:
  RemovalQueue(DeferredListener, const Allocator& allocator) noexcept : batches_(allocator) {}

  void reserve(std::size_t count) {
    if (batches_.empty()) batches_.emplace_back(Allocator(batches_.get_allocator()));
    auto& entries = batches_.back().entries;
    const std::size_t size = entries.size() + count;
    if (size > entries.capacity())
      entries.reserve(std::max<std::size_t>(size, 2 * entries.capacity()));
  }
  void enqueue(NothrowBox<Key, Allocator>&& key, NothrowBox<Value, Allocator>&& value,
               RemovalCause cause) noexcept {
    auto& entries = batches_.back().entries;
    assert(entries.size() < entries.capacity());
    entries.push_back({std::move(key), std::move(value), cause});
  }
  std::size_t call_listener() noexcept { return 0; }

  // Moves all removed entries to the end of `batches`.
  void move_to(Batches<Key, Value, Allocator>& batches) noexcept {
    if (batches_.empty() || batches_.back().entries.empty()) return;
    batches.splice(batches.end(), batches_);
  }

 private:
  Batches<Key, Value, Allocator> batches_;  // at most one batch, which may be empty
};

// The queue of a keyspace without a listener. It keeps nothing.
template <class Key, class Value, class Allocator>
class RemovalQueue<Key, Value, NoListener, Allocator> {
 public:
  RemovalQueue(NoListener, const Allocator&) noexcept {}
  void reserve(std::size_t) noexcept {}
  std::size_t call_listener() noexcept { return 0; }
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_REMOVAL_QUEUE_H_
