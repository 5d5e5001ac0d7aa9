#ifndef KEYSPACE_BENCHMARKS_PEERS_H_
#define KEYSPACE_BENCHMARKS_PEERS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "keyspace/keyspace.h"

#if __has_include(<boost/multi_index_container.hpp>)
#include <boost/multi_index/hashed_index.hpp>
#include <boost/multi_index/member.hpp>
#include <boost/multi_index/ordered_index.hpp>
#include <boost/multi_index_container.hpp>
#define KEYSPACE_BENCHMARKS_HAVE_MULTI_INDEX
#endif

// Containers that a program may use instead of a keyspace: maps from u64 to u64 with a deadline for
// each key. Each has the members of KeyspacePeer, and allocates all memory with A<T>.
namespace peers {

using Clock = keyspace::ManualClock;
using Time = Clock::time_point;
using Key = std::uint64_t;
using Value = std::uint64_t;
using Hash = absl::flat_hash_map<Key, Value>::hasher;

template <template <class> class A>
class KeyspacePeer {
 public:
  static constexpr char kName[] = "Keyspace";

  // Each peer has its own clock.
  const Clock& clock() const { return store_.clock(); }

  void reserve(std::size_t keys) { store_.reserve(keys); }

  // Inserts or overwrites a value. Returns the number of keys: 1.
  std::size_t put(Key key, Value value, Time deadline) {
    store_.set(key, value, deadline);
    return 1;
  }

  // Returns the value of a live key, else null.
  const Value* get(Key key) const { return store_.find(key); }

  // Gives a live key a new deadline. Returns whether the key was live.
  bool expire_at(Key key, Time deadline) { return store_.pexpireat(key, deadline); }

  // Erases all expired keys. Returns their number.
  std::size_t erase_expired() { return store_.erase_expired(); }

 private:
  keyspace::Keyspace<Key, Value, Clock, keyspace::WithAllocator<A<std::pair<const Key, Value>>>>
      store_;
};

// The base of the peers that have no clock.
class Timed {
 public:
  const Clock& clock() const { return clock_; }

 protected:
  bool is_expired(Time deadline) const { return deadline <= clock_.now(); }

 private:
  Clock clock_;
};

// A hash map, and an ordered map from deadlines to keys.
template <template <class> class A>
class MultimapPeer : public Timed {
 public:
  static constexpr char kName[] = "unordered_map + multimap";

  void reserve(std::size_t keys) { entries_.reserve(keys); }

  std::size_t put(Key key, Value value, Time deadline) {
    const auto [it, is_new] = entries_.try_emplace(key, Entry{value, {}});
    if (is_new) {
      it->second.position = deadlines_.emplace(deadline, key);
    } else {
      it->second.value = value;
      move(it->second, deadline);
    }
    return 1;
  }

  const Value* get(Key key) const {
    const auto it = entries_.find(key);
    return it == entries_.end() || is_expired(it->second.position->first) ? nullptr
                                                                          : &it->second.value;
  }

  bool expire_at(Key key, Time deadline) {
    const auto it = entries_.find(key);
    if (it == entries_.end() || is_expired(it->second.position->first)) return false;
    move(it->second, deadline);
    return true;
  }

  std::size_t erase_expired() {
    const auto end = deadlines_.upper_bound(clock().now());
    std::size_t erased = 0;
    for (auto it = deadlines_.begin(); it != end; ++it) erased += entries_.erase(it->second);
    deadlines_.erase(deadlines_.begin(), end);
    return erased;
  }

 private:
  using Deadlines = std::multimap<Time, Key, std::less<>, A<std::pair<const Time, Key>>>;
  struct Entry {
    Value value;
    typename Deadlines::iterator position;
  };

  // Moves a node of the ordered map, which allocates nothing.
  void move(Entry& entry, Time deadline) {
    auto node = deadlines_.extract(entry.position);
    node.key() = deadline;
    entry.position = deadlines_.insert(std::move(node));
  }

  std::unordered_map<Key, Entry, std::hash<Key>, std::equal_to<>, A<std::pair<const Key, Entry>>>
      entries_;
  Deadlines deadlines_;
};

// A hash map with the deadline beside the value, and a binary heap of deadlines. A changed deadline
// leaves a stale element in the heap, which is ignored later. If more than half of the heap is
// stale, the heap is rebuilt.
template <template <class> class A>
class HeapPeer : public Timed {
 public:
  static constexpr char kName[] = "flat_hash_map + heap";

  void reserve(std::size_t keys) {
    entries_.reserve(keys);
    heap_.reserve(keys);
  }

  std::size_t put(Key key, Value value, Time deadline) {
    entries_.insert_or_assign(key, Entry{value, deadline});
    push({deadline, key});
    return 1;
  }

  const Value* get(Key key) const {
    const auto it = entries_.find(key);
    return it == entries_.end() || is_expired(it->second.deadline) ? nullptr : &it->second.value;
  }

  bool expire_at(Key key, Time deadline) {
    const auto it = entries_.find(key);
    if (it == entries_.end() || is_expired(it->second.deadline)) return false;
    it->second.deadline = deadline;
    push({deadline, key});
    return true;
  }

  std::size_t erase_expired() {
    const Time now = clock().now();
    std::size_t erased = 0;
    while (!heap_.empty() && heap_.front().deadline <= now) {
      const Due due = heap_.front();
      std::pop_heap(heap_.begin(), heap_.end(), later);
      heap_.pop_back();
      const auto it = entries_.find(due.key);
      if (it == entries_.end() || it->second.deadline != due.deadline) continue;
      entries_.erase(it);
      ++erased;
    }
    return erased;
  }

 private:
  struct Entry {
    Value value;
    Time deadline;
  };
  struct Due {
    Time deadline;
    Key key;
  };

  static bool later(const Due& a, const Due& b) { return a.deadline > b.deadline; }

  void push(Due due) {
    if (heap_.size() > 2 * entries_.size()) {
      heap_.clear();
      for (const auto& [key, entry] : entries_) heap_.push_back({entry.deadline, key});
      std::make_heap(heap_.begin(), heap_.end(), later);
    } else {
      heap_.push_back(due);
      std::push_heap(heap_.begin(), heap_.end(), later);
    }
  }

  absl::flat_hash_map<Key, Entry, Hash, std::equal_to<Key>, A<std::pair<const Key, Entry>>>
      entries_;
  std::vector<Due, A<Due>> heap_;
};

#ifdef KEYSPACE_BENCHMARKS_HAVE_MULTI_INDEX
// A set of entries with two indices: by key and by deadline.
template <template <class> class A>
class MultiIndexPeer : public Timed {
 public:
  static constexpr char kName[] = "Boost.MultiIndex";

  void reserve(std::size_t keys) { entries_.reserve(keys); }

  std::size_t put(Key key, Value value, Time deadline) {
    const auto [it, is_new] = entries_.insert({key, value, deadline});
    if (!is_new) entries_.replace(it, {key, value, deadline});
    return 1;
  }

  const Value* get(Key key) const {
    const auto it = entries_.find(key);
    return it == entries_.end() || is_expired(it->deadline) ? nullptr : &it->value;
  }

  bool expire_at(Key key, Time deadline) {
    const auto it = entries_.find(key);
    if (it == entries_.end() || is_expired(it->deadline)) return false;
    entries_.modify(it, [&](Entry& entry) { entry.deadline = deadline; });
    return true;
  }

  std::size_t erase_expired() {
    auto& by_deadline = entries_.template get<1>();
    const Time now = clock().now();
    std::size_t erased = 0;
    for (auto it = by_deadline.begin(); it != by_deadline.end() && it->deadline <= now; ++erased) {
      it = by_deadline.erase(it);
    }
    return erased;
  }

 private:
  struct Entry {
    Key key;
    Value value;
    Time deadline;
  };
  using ByKey =
      boost::multi_index::hashed_unique<boost::multi_index::member<Entry, Key, &Entry::key>>;
  using ByDeadline = boost::multi_index::ordered_non_unique<
      boost::multi_index::member<Entry, Time, &Entry::deadline>>;

  boost::multi_index_container<Entry, boost::multi_index::indexed_by<ByKey, ByDeadline>, A<Entry>>
      entries_;
};
#endif

}  // namespace peers

#endif  // KEYSPACE_BENCHMARKS_PEERS_H_
