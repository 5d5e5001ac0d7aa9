#ifndef KEYSPACE_INTERNAL_OUTBOX_H_
#define KEYSPACE_INTERNAL_OUTBOX_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <list>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "keyspace/features.h"
#include "keyspace/internal/slot.h"

namespace keyspace::internal {

// An entry that has left.
template <class Key, class Value, class Allocator>
struct Letter {
  Slot<Key, Allocator> key;
  Slot<Value, Allocator> value;
  RemovalCause cause;
};
template <class Key, class Value, class Allocator>
using Letters = std::vector<Letter<Key, Value, Allocator>,
                            typename std::allocator_traits<Allocator>::template rebind_alloc<
                                Letter<Key, Value, Allocator>>>;

// Whether a listener is an empty std::function, or the like, or a null pointer.
template <class Listener>
bool is_absent(const Listener& listener) noexcept {
  if constexpr (std::is_pointer_v<Listener> || (std::is_constructible_v<bool, const Listener&> &&
                                                !std::is_convertible_v<const Listener&, bool>)) {
    return !static_cast<bool>(listener);
  } else {
    return false;
  }
}

template <class Listener, class L>
void deliver(Listener& listener, L& letter) {
  if (is_absent(listener)) return;
  listener(std::move(letter.key.get()), std::move(letter.value.get()), letter.cause);
}

// Entries that have left, and of which the listener has not been told yet.
template <class Key, class Value, class Listener, class Allocator>
class Outbox {
 public:
  using KeySlot = Slot<Key, Allocator>;
  using ValueSlot = Slot<Value, Allocator>;

  Outbox(Listener listener, const Allocator& allocator)
      : listener_(std::move(listener)), letters_(allocator) {}
  Outbox(Outbox&& other) noexcept
      : listener_(std::move(other.listener_)),
        letters_(std::move(other.letters_)),
        next_(std::exchange(other.next_, 0)) {}

  // Makes room for that many more, so that add() succeeds. Throws what the allocator throws.
  void reserve(std::size_t count) {
    if (letters_.capacity() - letters_.size() >= count) return;
    // Those that were delivered are left behind.
    decltype(letters_) waiting(letters_.get_allocator());
    waiting.reserve(2 * (letters_.size() - next_) + count);
    for (; next_ != letters_.size(); ++next_) waiting.push_back(std::move(letters_[next_]));
    letters_.swap(waiting);
    next_ = 0;
  }
  void add(KeySlot&& key, ValueSlot&& value, RemovalCause cause) noexcept {
    assert(letters_.size() < letters_.capacity());
    letters_.push_back({std::move(key), std::move(value), cause});
  }

  // Tells the listener of all, those included that leave by what it does. What it throws ends that,
  // and the rest waits for the next call. Does nothing when it is called by the listener.
  void deliver() {
    if (letters_.empty() || is_delivering_) return;
    const Delivering delivering(is_delivering_);
    while (!letters_.empty()) {
      auto letter = std::move(letters_[next_]);
      if (++next_ == letters_.size()) {
        letters_.clear();
        next_ = 0;
      }
      internal::deliver(listener_, letter);
    }
  }

 private:
  struct Delivering {
    explicit Delivering(bool& is_delivering) noexcept : flag(is_delivering) { flag = true; }
    ~Delivering() { flag = false; }
    bool& flag;
  };

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Listener listener_;
  Letters<Key, Value, Allocator> letters_;
  std::size_t next_ = 0;  // letter to be delivered
  bool is_delivering_ = false;
};

// Letters that one call has to deliver.
template <class Key, class Value, class Allocator>
struct Batch {
  explicit Batch(const Allocator& allocator) : letters(allocator) {}
  Letters<Key, Value, Allocator> letters;
  std::size_t next = 0;  // letter to be delivered
};
template <class Key, class Value, class Allocator>
using Batches = std::list<
    Batch<Key, Value, Allocator>,
    typename std::allocator_traits<Allocator>::template rebind_alloc<Batch<Key, Value, Allocator>>>;

// With DeferredListener for a listener, what leaves is kept until the owner takes it, to tell the
// listener itself. That is a batch, with all that it needs to be passed on, so that nothing throws
// any more when an entry has left.
template <class Key, class Value, class Allocator>
class Outbox<Key, Value, DeferredListener, Allocator> {
 public:
  Outbox(DeferredListener, const Allocator& allocator) noexcept : batches_(allocator) {}

  void reserve(std::size_t count) {
    if (batches_.empty()) batches_.emplace_back(Allocator(batches_.get_allocator()));
    auto& letters = batches_.back().letters;
    const std::size_t size = letters.size() + count;
    if (size > letters.capacity())
      letters.reserve(std::max<std::size_t>(size, 2 * letters.capacity()));
  }
  void add(Slot<Key, Allocator>&& key, Slot<Value, Allocator>&& value,
           RemovalCause cause) noexcept {
    auto& letters = batches_.back().letters;
    assert(letters.size() < letters.capacity());
    letters.push_back({std::move(key), std::move(value), cause});
  }
  void deliver() noexcept {}

  // Puts what has left at the end of `batches`.
  void move_to(Batches<Key, Value, Allocator>& batches) noexcept {
    if (batches_.empty() || batches_.back().letters.empty()) return;
    batches.splice(batches.end(), batches_);
  }

 private:
  Batches<Key, Value, Allocator> batches_;  // no more than one, empty or not
};

// Where nobody listens.
template <class Key, class Value, class Allocator>
class Outbox<Key, Value, NoListener, Allocator> {
 public:
  Outbox(NoListener, const Allocator&) noexcept {}
  void reserve(std::size_t) noexcept {}
  void deliver() noexcept {}
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_OUTBOX_H_
