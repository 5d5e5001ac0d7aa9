// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_COMPUTATIONS_H_
#define KEYSPACE_INTERNAL_COMPUTATIONS_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "keyspace/internal/exceptions.h"

namespace keyspace::internal {

// The computations of get_or_compute() that are running for the keys of one shard: mostly none.
// Guarded by the shard's lock.
//
// Single flight: if several threads miss the same key, one of them, the owner, computes the value.
// The others wait for its result.
//
// Invariants
//   1. This holds at most one computation for each key.
//   2. A computation that was removed must not store its value. Every call that changes the value
//      of a key removes the computation of that key. The computation runs on. Its result goes to
//      the threads that wait for it already.
template <class Key, class Value, class Equal>
class Computations {
 public:
  class Computation : public std::enable_shared_from_this<Computation> {
    std::promise<void> promise_;  // before `ended`
    std::optional<Value> value_;

   public:
    // The calling thread is the owner. `its_call` identifies the call that computes.
    Computation(Key its_key, std::size_t its_hash, const void* its_call)
        : key(std::move(its_key)), hash(its_hash), call(its_call) {}

    // Passes the value, moved out, or nullopt, to the threads that wait; or the error, if it is not
    // null. Does not throw: if the move throws, passes that exception. (The value is not in the
    // promise, because a promise calls std::call_once(). If a move throws in that, the next call
    // hangs on some platforms.)
    void set_result(std::optional<Value>& value, std::exception_ptr error) noexcept {
      if (error == nullptr && value) {
        error = exception_of([&] { value_.emplace(*std::move(value)); });
      }
      if (error == nullptr) {
        promise_.set_value();
      } else {
        promise_.set_exception(std::move(error));
      }
    }
    // Waits for the result, and returns it. Throws the error, if there is one.
    [[nodiscard]] const std::optional<Value>& result() const {
      ended.get();
      return value_;
    }

    const Key key;
    const std::size_t hash;
    const std::thread::id owner = std::this_thread::get_id();  // the thread that computes
    const void* const call;
    // The number of this computation among those of the call. For the owner only.
    std::size_t place = 0;
    // Whether the function was not called. Then the threads that wait begin again. Set before the
    // result becomes available.
    bool is_abandoned = false;
    // True when the owner is done, just before the result becomes available.
    std::atomic<bool> is_done = false;
    // Becomes ready when the result is available.
    const std::shared_future<void> ended = promise_.get_future().share();
  };
  using Pointer = std::shared_ptr<Computation>;

  explicit Computations(const Equal& equal) : equal_(equal) {}

  // Returns the computation for a key; null if there is none.
  template <class HashedKey>
  [[nodiscard]] Computation* find(const HashedKey& key) const {
    if (by_hash_.empty()) [[likely]]
      return nullptr;
    const auto [first, last] = by_hash_.equal_range(key.hash);
    const auto it =
        std::find_if(first, last, [&](const auto& next) { return equal_(next.second->key, key); });
    return it == last ? nullptr : it->second.get();
  }
  // REQUIRES: find() returns null for its key.
  void add(Pointer computation) {
    const std::size_t hash = computation->hash;
    by_hash_.emplace(hash, std::move(computation));
  }

  // Removes a computation, which may be null. Returns true if it was found.
  bool remove(const Computation* computation) noexcept {
    if (by_hash_.empty() || computation == nullptr) [[likely]]
      return false;
    const auto [first, last] = by_hash_.equal_range(computation->hash);
    const auto it = std::find_if(
        first, last, [&](const auto& next) { return next.second.get() == computation; });
    if (it == last) return false;
    by_hash_.erase(it);
    return true;
  }
  void clear() noexcept { by_hash_.clear(); }

 private:
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Equal equal_;
  // Not a flat_hash_map: that is broken after an insertion that runs out of memory.
  std::unordered_multimap<std::size_t, Pointer> by_hash_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_COMPUTATIONS_H_
