#ifndef KEYSPACE_INTERNAL_FLIGHTS_H_
#define KEYSPACE_INTERNAL_FLIGHTS_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "keyspace/internal/lock.h"

namespace keyspace::internal {

// Which threads wait for which: so that one that would wait for itself, by way of however many
// others, can be told. There is one for the program, as computations of one keyspace may ask
// another.
class WaitGraph {
 public:
  static WaitGraph& instance() {
    static auto* const graph = new WaitGraph;  // never destroyed: threads may outlive main()
    return *graph;
  }

  // This thread waits for `pilot` while this lives, until that says that it has landed.
  class Wait {
   public:
    // is_circular(): waiting would not end. Then nothing is noted.
    Wait(std::thread::id pilot, const std::atomic<bool>& has_landed)
        : is_circular_(!instance().try_add(pilot, has_landed)) {}
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    ~Wait() {
      if (!is_circular_) instance().remove();
    }
    [[nodiscard]] bool is_circular() const noexcept { return is_circular_; }

   private:
    bool is_circular_;
  };

 private:
  friend struct TestPeer;

  struct Edge {
    std::thread::id waits;
    std::thread::id waits_for;
    const std::atomic<bool>* has_landed;  // which lives for as long as the edge does
  };

  bool try_add(std::thread::id pilot, const std::atomic<bool>& has_landed) {
    const Edge added{std::this_thread::get_id(), pilot, &has_landed};
    const WriterLock lock(mutex_);
    // Who has landed is waited for no more. That can be seen without a lock: before it waits again,
    // it says that it has landed, and then locks this.
    for (Edge edge = added; !edge.has_landed->load(std::memory_order_relaxed);) {
      if (edge.waits_for == added.waits) return false;
      const auto next = edge_from(edge.waits_for);
      if (next == edges_.end()) break;
      edge = *next;
    }
    edges_.push_back(added);
    return true;
  }
  void remove() noexcept {
    const WriterLock lock(mutex_);
    const auto edge = edge_from(std::this_thread::get_id());
    *edge = edges_.back();
    edges_.pop_back();
  }
  [[nodiscard]] std::vector<Edge>::iterator edge_from(std::thread::id thread)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return std::find_if(edges_.begin(), edges_.end(),
                        [thread](const Edge& edge) { return edge.waits == thread; });
  }

  Mutex mutex_;
  std::vector<Edge> edges_ ABSL_GUARDED_BY(mutex_);
};

// The computations of values that are under way in a shard: few, and mostly none. One that is
// superseded is forgotten here, and goes on to its end for those who wait.
template <class Key, class Value, class Equal>
class Flights {
 public:
  explicit Flights(const Equal& equal) : equal_(equal) {}

  struct Flight : std::enable_shared_from_this<Flight> {
    Flight(Key its_key, std::size_t its_hash) : key(std::move(its_key)), hash(its_hash) {}

    Key key;
    std::size_t hash;
    std::thread::id pilot = std::this_thread::get_id();  // who computes
    std::shared_future<Value> result;
    std::atomic<bool> has_landed = false;  // the pilot is done, but for the result to be handed out
  };
  using Pointer = std::shared_ptr<Flight>;

  // Returns the flight for a key; null if there is none.
  template <class HashedKey>
  [[nodiscard]] Flight* find(const HashedKey& key) const {
    if (flights_.empty()) [[likely]]
      return nullptr;
    const auto it = std::find_if(flights_.begin(), flights_.end(), [&](const Pointer& flight) {
      return flight->hash == key.hash && equal_(flight->key, key);
    });
    return it == flights_.end() ? nullptr : it->get();
  }
  void add(Pointer flight) { flights_.push_back(std::move(flight)); }

  // Returns whether it was there, and so not superseded. It may be null.
  bool remove(const Flight* flight) noexcept {
    if (flights_.empty()) [[likely]]
      return false;
    const auto it = std::find_if(flights_.begin(), flights_.end(),
                                 [flight](const Pointer& other) { return other.get() == flight; });
    if (it == flights_.end()) return false;
    it->swap(flights_.back());
    flights_.pop_back();
    return true;
  }
  void clear() noexcept { flights_.clear(); }

 private:
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Equal equal_;
  std::vector<Pointer> flights_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_FLIGHTS_H_
