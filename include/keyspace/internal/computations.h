// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_COMPUTATIONS_H_
#define KEYSPACE_INTERNAL_COMPUTATIONS_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace keyspace::internal {

// The computations of get_or_compute() that are running for the keys of one shard. There are few,
// and mostly none, so they are in a vector. Guarded by the shard's lock.
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
  explicit Computations(const Equal& equal) : equal_(equal) {}

  struct Computation : std::enable_shared_from_this<Computation> {
    Computation(Key its_key, std::size_t its_hash) : key(std::move(its_key)), hash(its_hash) {}

    Key key;
    std::size_t hash;
    std::thread::id owner = std::this_thread::get_id();  // the thread that computes
    std::shared_future<Value> result;
    // True when the owner is done, just before the result becomes available.
    std::atomic<bool> is_done = false;
  };
  using Pointer = std::shared_ptr<Computation>;

  // Returns the computation for a key; null if there is none.
  template <class HashedKey>
  [[nodiscard]] Computation* find(const HashedKey& key) const {
    if (computations_.empty()) [[likely]]
      return nullptr;
    const auto it =
        std::find_if(computations_.begin(), computations_.end(), [&](const Pointer& computation) {
          return computation->hash == key.hash && equal_(computation->key, key);
        });
    return it == computations_.end() ? nullptr : it->get();
  }
  // REQUIRES: find() returns null for its key.
  void add(Pointer computation) { computations_.push_back(std::move(computation)); }

  // Removes a computation, which may be null. Returns true if it was found.
  bool remove(const Computation* computation) noexcept {
    if (computations_.empty()) [[likely]]
      return false;
    const auto it =
        std::find_if(computations_.begin(), computations_.end(),
                     [computation](const Pointer& other) { return other.get() == computation; });
    if (it == computations_.end()) return false;
    it->swap(computations_.back());
    computations_.pop_back();
    return true;
  }
  void clear() noexcept { computations_.clear(); }

 private:
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Equal equal_;
  std::vector<Pointer> computations_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_COMPUTATIONS_H_
