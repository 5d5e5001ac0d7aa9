#ifndef KEYSPACE_TESTS_SUPPORT_CONCURRENT_SUPPORT_H_
#define KEYSPACE_TESTS_SUPPORT_CONCURRENT_SUPPORT_H_

// Shared by the tests of ConcurrentKeyspace.

#include <keyspace/concurrent_keyspace.h>

#include <atomic>
#include <barrier>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "support/invariants.h"
#include "support/support.h"

namespace keyspace::testing {

template <class... Options>
using SharedCache = ConcurrentCache<int, int, ManualClock, Options...>;
using SlidingInts = ConcurrentKeyspace<int, int, ManualClock, WithExpireAfterAccess>;

// Returns true if two keys are in different shards of a keyspace with `shards` shards.
template <class Ks, class Key>
bool are_apart(std::size_t shards, const Key& a, const Key& b) {
  const Ks ks({.shards = shards});
  return internal::TestPeer::shard_of(ks, typename Ks::key_type(a)) !=
         internal::TestPeer::shard_of(ks, typename Ks::key_type(b));
}

// Returns the first key after `key` that is in another shard.
template <class Ks>
int key_apart_from(const Ks& ks, int key) {
  const void* const shard = internal::TestPeer::shard_of(ks, key);
  while (internal::TestPeer::shard_of(ks, key) == shard) ++key;
  return key;
}

// Calls f(0) to f(count - 1), each on a thread of its own. The calls start together. Returns when
// all have returned.
template <class F>
void on_threads(int count, const F& f) {
  std::barrier start(count);
  std::vector<std::jthread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i != count; ++i) {
    threads.emplace_back([&f, &start, i] {
      start.arrive_and_wait();
      f(i);
    });
  }
}

// Waits until `count` threads wait for a computation of another thread.
inline void until_waiting(std::size_t count) {
  while (internal::TestPeer::waiting_threads() != count) std::this_thread::yield();
}

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_SUPPORT_CONCURRENT_SUPPORT_H_
