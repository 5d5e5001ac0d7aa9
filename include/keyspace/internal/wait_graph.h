// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_WAIT_GRAPH_H_
#define KEYSPACE_INTERNAL_WAIT_GRAPH_H_

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "keyspace/internal/lock.h"

namespace keyspace::internal {

// Records which thread waits for a computation of which other thread, and detects deadlocks:
// get_or_compute() asks it before it waits. The program has one graph, because a computation of one
// keyspace may call another keyspace.
//
// Invariants
//   1. A thread has at most one edge, from the time that it begins to wait until it has stopped.
//   2. The edges whose computation is not done form no cycle.
class WaitGraph {
 public:
  static WaitGraph& instance() {
    static auto* const graph = new WaitGraph;  // never destroyed: threads may outlive main()
    return *graph;
  }

  // Records that this thread waits for a computation of `owner`, as long as the Wait exists. The
  // wait ends when `is_done` is true. REQUIRES: `is_done` outlives the Wait.
  class Wait {
   public:
    Wait(std::thread::id owner, const std::atomic<bool>& is_done)
        : is_circular_(!instance().try_add(owner, is_done)) {}
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    ~Wait() {
      if (!is_circular_) instance().remove();
    }
    // Returns true if the wait would never end, because `owner` waits for this thread, directly or
    // through other threads. Then nothing was recorded, and the caller must not wait.
    [[nodiscard]] bool is_circular() const noexcept { return is_circular_; }

   private:
    bool is_circular_;
  };

 private:
  friend struct TestPeer;

  struct Edge {
    std::thread::id waits;
    std::thread::id waits_for;
    const std::atomic<bool>* is_done;  // outlives the edge
  };

  // Adds an edge from this thread to `owner`. Returns false if that would close a cycle.
  bool try_add(std::thread::id owner, const std::atomic<bool>& is_done) {
    const Edge added{std::this_thread::get_id(), owner, &is_done};
    const WriterLock lock(mutex_);
    // Ignore finished computations when looking for wait cycles: the threads that wait for them are
    // about to continue. The relaxed load suffices: a finished owner sets is_done before it waits
    // again, and to wait it locks mutex_. So if its next edge is visible here, is_done is too.
    for (Edge edge = added; !edge.is_done->load(std::memory_order_relaxed);) {
      if (edge.waits_for == added.waits) return false;
      const auto next = edge_from(edge.waits_for);
      if (next == edges_.end()) break;
      edge = *next;
    }
    edges_.push_back(added);
    return true;
  }
  // Removes the edge of this thread.
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

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_WAIT_GRAPH_H_
