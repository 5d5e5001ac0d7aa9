// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_COMPUTATIONS_H_
#define KEYSPACE_INTERNAL_COMPUTATIONS_H_

#include "keyspace/internal/config.h"

#include <atomic>
#include <cstddef>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "keyspace/internal/computed_value.h"

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
    std::promise<std::optional<Value>> promise_;  // before `result`

   public:
    // The calling thread is the owner.
    Computation(Key its_key, std::size_t its_hash) : key(std::move(its_key)), hash(its_hash) {}

    // Passes the value, or nullopt, to the threads that wait; or the error, if it is not null.
    void set_result(std::optional<Value> value, std::exception_ptr error) {
      if (error == nullptr) {
        error = exception_of([&] { promise_.set_value(std::move(value)); });
      }
      if (error != nullptr) promise_.set_exception(std::move(error));
    }

    const Key key;
    const std::size_t hash;
    const std::thread::id owner = std::this_thread::get_id();  // the thread that computes
    // True when the owner is done, just before the result becomes available.
    std::atomic<bool> is_done = false;
    const std::shared_future<std::optional<Value>> result = promise_.get_future().share();
  };
  using Pointer = std::shared_ptr<Computation>;

  explicit Computations(const Equal& equal) : computations_(0, HashOf(), EqualOf{equal}) {}

  // Returns the computation for a key; null if there is none.
  template <class HashedKey>
  [[nodiscard]] Computation* find(const HashedKey& key) const {
    if (computations_.empty()) [[likely]]
      return nullptr;
    const auto it = computations_.find(key);
    return it == computations_.end() ? nullptr : it->get();
  }
  // REQUIRES: find() returns null for its key.
  void add(Pointer computation) { computations_.insert(std::move(computation)); }

  // Removes a computation, which may be null. Returns true if it was found.
  bool remove(const Computation* computation) noexcept {
    if (computations_.empty() || computation == nullptr) [[likely]]
      return false;
    return computations_.erase(computation) != 0;
  }
  void clear() noexcept { computations_.clear(); }

 private:
  // Computations are found by a key with its hash, or by a pointer.
  struct HashOf {
    using is_transparent = void;
    std::size_t operator()(const Pointer& computation) const noexcept { return computation->hash; }
    std::size_t operator()(const Computation* computation) const noexcept {
      return computation->hash;
    }
    template <class HashedKey>
    std::size_t operator()(const HashedKey& key) const noexcept {
      return key.hash;
    }
  };
  struct EqualOf {
    using is_transparent = void;
    bool operator()(const Pointer& a, const Pointer& b) const noexcept { return a == b; }
    bool operator()(const Pointer& a, const Computation* b) const noexcept { return a.get() == b; }
    template <class HashedKey>
    bool operator()(const Pointer& computation, const HashedKey& key) const {
      return computation->hash == key.hash && equal(computation->key, key);
    }
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Equal equal;
  };

  absl::flat_hash_set<Pointer, HashOf, EqualOf> computations_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_COMPUTATIONS_H_
