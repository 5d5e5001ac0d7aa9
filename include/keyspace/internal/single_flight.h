// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_SINGLE_FLIGHT_H_
#define KEYSPACE_INTERNAL_SINGLE_FLIGHT_H_

#include "keyspace/internal/config.h"

#include <atomic>
#include <concepts>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/config.h"
#include "keyspace/computation.h"
#include "keyspace/expiry.h"
#include "keyspace/internal/call_time.h"
#include "keyspace/internal/hashing.h"
#include "keyspace/internal/lock.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/wait_graph.h"

namespace keyspace::internal {

// One call of get_or_compute(). If several calls miss a key at the same time, one of them, the
// owner, computes the value. The others wait for its result. (See Computations.)
//
// A call has three steps. Each step locks the shard anew. No lock is held during the computation.
//   1. The call looks for a value, under a lock that readers share.
//   2. It looks again. If there is no value, it joins the computation of the key or starts one.
//   3. The owner computes the value, stores it if its computation was not removed, and passes the
//      result to the others. The others wait. If a thread would wait for itself, the call throws.
template <class Shards, class F>
class SingleFlight {
  using Value = typename Shards::Value;
  using Key = typename Shards::Key;
  using Shard = typename Shards::Shard;
  using Contents = typename Shards::Contents;
  using Computation = typename Shards::Computations::Computation;
  using Pointer = typename Shards::Computations::Pointer;
  using Pending = typename Shards::Pending;

 public:
  SingleFlight(Shards& shards, ExpiryTime expiry, F& f, Ttl refresh_ahead)
      : shards_(shards), expiry_(expiry), f_(f), refresh_ahead_(refresh_ahead.millis().count()) {}

  template <class K>
  Value get_or_compute(const K& key) {
    const auto hashed = shards_.hashed(key);
    Shard& shard = shards_.shard_of(hashed.hash);
    bool is_recorded = false;  // whether the request is recorded
    {
      const ReaderLock lock(shard.mutex);
      CallTime now(shards_.clock());
      const auto found = shard.contents.engine.find_shared(hashed, now);
      if (found.value != nullptr && (!must_refresh(found.hard_deadline, now) ||
                                     shard.contents.computations.find(hashed) != nullptr)) {
        return *found.value;
      }
      is_recorded = !found.must_write;
    }
    return find_or_compute(shard, hashed, is_recorded);
  }

 private:
  // Takes steps 2 and 3.
  template <class K>
  ABSL_ATTRIBUTE_NOINLINE Value find_or_compute(Shard& shard, const K& hashed, bool is_recorded) {
    Pending pending(shards_.removals());
    std::optional<std::packaged_task<Value()>> task;
    Pointer computation;
    if (std::optional<Value> value =
            join_or_start(shard, hashed, is_recorded, pending, task, computation)) {
      return *std::move(value);
    }
    if (task) {
      (*task)();
      pending.call_listener();
    } else {
      wait_for(*computation);
    }
    return computation->result.get();
  }

  // Returns the value of a live key, unless it must be refreshed and no computation of the key is
  // running. Otherwise returns nullopt, and sets `computation` to the computation of the key. If
  // none is running, starts one, and sets `task` to the work of the owner.
  template <class K>
  std::optional<Value> join_or_start(Shard& shard, const K& hashed, bool is_recorded,
                                     Pending& pending,
                                     std::optional<std::packaged_task<Value()>>& task,
                                     Pointer& computation) {
    const WriterLock lock(shard.mutex);
    CallTime now(shards_.clock());
    Contents& contents = shard.contents;
    if (Computation* const found = contents.computations.find(hashed)) {
      computation = found->shared_from_this();
    }
    const Value* const value = contents.engine.peek(hashed, now);
    const bool is_result =
        value != nullptr &&
        (computation != nullptr || !must_refresh(contents.engine.hard_deadline(hashed), now));
    // After must_refresh(), because a request may postpone the deadline.
    if (!is_recorded) static_cast<void>(contents.engine.find(hashed, now));
    if (is_result) return *value;
    if (computation == nullptr) {
      computation = std::make_shared<Computation>(Key(hashed.key), hashed.hash);
      task.emplace([this, &shard, &pending, mine = computation.get()] {
        return compute(shard, *mine, pending);
      });
      computation->result = task->get_future().share();
      contents.computations.add(computation);
    }
    return std::nullopt;
  }

  Value compute(Shard& shard, Computation& computation, Pending& pending) {
    // The computation ends before its result becomes available, also after an exception. A thread
    // that gets the result and calls again must not find this computation. The owner may then wait
    // for others, so WaitGraph must find is_done set.
    struct End {
      ~End() {
        const WriterLock lock(shard.mutex);
        shard.contents.computations.remove(&computation);
        computation.is_done.store(true, std::memory_order_relaxed);
      }
      Shard& shard;
      Computation& computation;
    } end{shard, computation};
    Value value = call_function(computation.key);
    shards_.change(shard, pending, [&](Contents& contents, auto& now) {
      if (!contents.computations.remove(&computation)) return false;
      contents.engine.set(Hashed<Key>{std::move(computation.key), computation.hash},
                          std::as_const(value), expiry_, now);
      return true;
    });
    return value;
  }
  Value call_function(const Key& key) {
    if constexpr (std::invocable<F&>) {
      return Value(std::invoke(f_));
    } else {
      return Value(std::invoke(f_, key));
    }
  }

  static void wait_for(const Computation& computation) {
    const WaitGraph::Wait wait(computation.owner, computation.is_done);
    if (wait.is_circular()) {
#ifdef ABSL_HAVE_EXCEPTIONS
      throw RecursiveComputation();
#else
      std::abort();
#endif
    }
    computation.result.wait();
  }

  template <class Now>
  bool must_refresh(Millis deadline, Now& now) const {
    return refresh_ahead_ > 0 && deadline != kNeverMillis &&
           time_left(deadline, now()) <= refresh_ahead_;
  }

  Shards& shards_;
  ExpiryTime expiry_;
  F& f_;
  Millis refresh_ahead_;  // if positive, a value with at most this time left, in ms, is refreshed
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_SINGLE_FLIGHT_H_
