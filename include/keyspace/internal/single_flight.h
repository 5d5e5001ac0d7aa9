// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_SINGLE_FLIGHT_H_
#define KEYSPACE_INTERNAL_SINGLE_FLIGHT_H_

#include "keyspace/internal/config.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "keyspace/computation.h"
#include "keyspace/expiry.h"
#include "keyspace/internal/call_time.h"
#include "keyspace/internal/computed_value.h"
#include "keyspace/internal/exceptions.h"
#include "keyspace/internal/hashing.h"
#include "keyspace/internal/lock.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/wait_graph.h"

namespace keyspace::internal {

// The calls of get_or_compute() for many threads. If several calls miss a key at the same time, one
// of them, the owner, computes the value. The others wait for its result. (See Computations.)
//
// A call has these steps. Each locks a shard anew. No lock is held during a computation.
//   1. For each key, the call looks for a value, under a lock that readers share.
//   2. If there is none, it looks again. It joins the computation of the key, or starts one.
//   3. It computes the values of the keys that it owns, stores each of them unless its computation
//      was removed, and passes the results to the others.
//   4. It waits for the computations that it has joined. If a thread would wait for itself, the
//      call throws. A call that owns computations finishes these first. So two calls with some of
//      the same keys do not wait for each other.
//
// A computation may find nothing. If a call has waited for it, and the call's own function always
// returns a value, the call begins again with step 2.
template <class Shards>
class SingleFlight {
  using Value = typename Shards::Value;
  using Key = typename Shards::Key;
  using Shard = typename Shards::Shard;
  using Contents = typename Shards::Contents;
  using Computation = typename Shards::Computations::Computation;
  using Pointer = typename Shards::Computations::Pointer;
  using Pending = typename Shards::Pending;

 public:
  // A key whose value a call needs.
  struct Wanted {
    Wanted(std::size_t its_index, Shard& its_shard) : index(its_index), shard(&its_shard) {}

    std::size_t index;  // of the key among those of the call
    Shard* shard;
    Pointer computation;      // that the call has started or joined
    bool is_owner = false;    // whether the call has started it just now
    bool is_refresh = false;  // whether there was a live value then
    std::optional<Value> value;
    std::exception_ptr error;
  };

  SingleFlight(Shards& shards, Ttl refresh_ahead, Ttl max_wait)
      : shards_(shards), refresh_ahead_(refresh_ahead), max_wait_(max_wait.millis()) {}

  // Returns the value of a key. Calls compute(wanted), with a span of one Wanted, if it must
  // compute the value. compute() returns a vector of one ComputedValue. Result is Value, or an
  // optional of it if the call may find nothing.
  template <class Result, class K, class Compute>
  Result get_or_compute(const K& key, const Compute& compute) {
    const auto hashed = shards_.hashed(key);
    Shard& shard = shards_.shard_of(hashed.hash);
    bool is_recorded = false;
    {
      const ReaderLock lock(shard.mutex);
      if (const Value* const value = find(shard.contents, hashed, is_recorded)) return *value;
    }
    Wanted wanted(0, shard);
    return find_or_compute<Result>(wanted, hashed, is_recorded, compute);
  }

  // Returns the values of several keys, in their order. as_key() makes a key that the shards
  // accept. compute(wanted) gets all keys that this call must compute.
  template <class Result, class Keys, class AsKey, class Compute>
  std::vector<Result> get_or_compute_all(const Keys& keys, const AsKey& as_key,
                                         const Compute& compute) {
    std::vector<std::optional<Value>> values(
        static_cast<std::size_t>(std::ranges::distance(std::begin(keys), std::end(keys))));
    std::vector<Wanted> owned;
    std::vector<Wanted> repeated;  // keys that are in `owned` already
    std::vector<Wanted> joined;
    // So that nothing throws between the start of a computation and its end.
    for (auto* list : {&owned, &repeated, &joined}) list->reserve(values.size());
    const auto keep = [&](Wanted&& wanted) {
      if (wanted.value) {
        values[wanted.index] = std::move(wanted.value);
      } else if (wanted.is_owner) {
        wanted.computation->place = owned.size();
        owned.push_back(std::move(wanted));
      } else {
        (is_own(*wanted.computation) ? repeated : joined).push_back(std::move(wanted));
      }
    };
    std::exception_ptr error = exception_of([&] {
      std::size_t index = 0;
      for (auto it = std::begin(keys); it != std::end(keys); ++it, ++index) {
        auto&& element = *it;
        const auto& key = as_key(element);
        const auto hashed = shards_.hashed(key);
        keep(find_or_start(hashed, index));
      }
    });
    for (;;) {
      if (error != nullptr) abandon(owned, error);
      finish(owned, compute);
      for (Wanted& wanted : repeated) {
        values[wanted.index] = owned[wanted.computation->place].value;
      }
      for (Wanted& wanted : owned) values[wanted.index] = std::move(wanted.value);
      std::vector<Wanted> without_value;
      for (Wanted& wanted : joined) {
        values[wanted.index] = wait_for(wanted);
        if (!is_result<Result>(wanted, values[wanted.index])) {
          without_value.push_back(std::move(wanted));
        }
      }
      if (without_value.empty()) break;
      for (auto* list : {&owned, &repeated, &joined}) list->clear();
      error = exception_of([&] {
        for (Wanted& wanted : without_value) {
          const Pointer other = std::move(wanted.computation);
          join_or_start(wanted, key_of(*other), true);
          keep(std::move(wanted));
        }
      });
    }
    return to_results<Result>(std::move(values));
  }

 private:
  // Whether a call for a Result can use the result of the computation that it has joined.
  template <class Result>
  static bool is_result(const Wanted& wanted, const std::optional<Value>& value) noexcept {
    return value.has_value() || (kMayBeNothing<Result, Value> && !wanted.computation->is_abandoned);
  }

  // Whether this call has started a computation.
  [[nodiscard]] bool is_own(const Computation& computation) const noexcept {
    return computation.call == this;
  }
  static Hashed<const Key&> key_of(const Computation& computation) noexcept {
    return {computation.key, computation.hash};
  }

  // Takes steps 2 to 4 for one key.
  template <class Result, class K, class Compute>
  ABSL_ATTRIBUTE_NOINLINE Result find_or_compute(Wanted& wanted, const K& hashed, bool is_recorded,
                                                 const Compute& compute) {
    for (;; is_recorded = true) {
      join_or_start(wanted, hashed, is_recorded);
      if (!wanted.value && wanted.is_owner) {
        finish(std::span(&wanted, 1), compute);
      } else if (!wanted.value) {
        wanted.value = wait_for(wanted);
        if (!is_result<Result>(wanted, wanted.value)) continue;
      }
      return to_result<Result>(std::move(wanted.value));
    }
  }

  // Takes steps 1 and 2 for one key of several.
  template <class K>
  Wanted find_or_start(const K& hashed, std::size_t index) {
    Wanted wanted(index, shards_.shard_of(hashed.hash));
    bool is_recorded = false;
    {
      const ReaderLock lock(wanted.shard->mutex);
      if (const Value* const value = find(wanted.shard->contents, hashed, is_recorded)) {
        wanted.value.emplace(*value);
        return wanted;
      }
    }
    join_or_start(wanted, hashed, is_recorded);
    return wanted;
  }

  // Makes a request. Returns the value of a live key, unless it must be refreshed and no other call
  // does that. Sets `is_recorded` if the request is recorded.
  template <class K>
  ABSL_ATTRIBUTE_ALWAYS_INLINE const Value* find(const Contents& contents, const K& hashed,
                                                 bool& is_recorded) const {
    CallTime now(shards_.clock());
    const auto found = contents.engine.find_shared(hashed, now);
    if (found.value != nullptr && (!must_refresh(found.hard_deadline, refresh_ahead_, now) ||
                                   runs_elsewhere(contents.computations.find(hashed)))) {
      return found.value;
    }
    is_recorded = !found.must_write;
    return nullptr;
  }
  // Whether a computation, which may be null, belongs to another call.
  [[nodiscard]] bool runs_elsewhere(const Computation* running) const noexcept {
    return running != nullptr && !is_own(*running);
  }

  // Sets the value of `wanted` if the key is live, unless it must be refreshed and no other call
  // does that. Otherwise sets the computation: joins the one that is running, or starts one.
  template <class K>
  void join_or_start(Wanted& wanted, const K& hashed, bool is_recorded) {
    const WriterLock lock(wanted.shard->mutex);
    CallTime now(shards_.clock());
    Contents& contents = wanted.shard->contents;
    const auto live = is_recorded ? contents.engine.peek_live(hashed, now)
                                  : contents.engine.find_live(hashed, now);
    Computation* const running = contents.computations.find(hashed);
    if (live.value != nullptr &&
        (runs_elsewhere(running) || !must_refresh(live.hard_deadline, refresh_ahead_, now))) {
      wanted.value.emplace(*live.value);
      return;
    }
    wanted.is_owner = running == nullptr;
    wanted.is_refresh = live.value != nullptr;
    if (running == nullptr) {
      wanted.computation = std::make_shared<Computation>(Key(hashed.key), hashed.hash, this);
      contents.computations.add(wanted.computation);
    } else {
      wanted.computation = running->shared_from_this();
      if (!is_own(*running)) contents.engine.record_wait();
    }
  }

  // Computes and stores the values of the keys that this call owns, and ends each computation. If
  // compute() throws, uses the old values that are still live. Throws any other error.
  template <class Compute>
  void finish(std::span<Wanted> owned, const Compute& compute) {
    if (owned.empty()) return;
    Pending pending(shards_.removals());
    std::vector<ComputedValue<Value>> computed;
    const auto error = exception_of([&] { computed = compute_and_record(owned, compute); });
    // Each computation must end. So all that may throw is inside exception_of() here.
    for (std::size_t i = 0; i != owned.size(); ++i) {
      Wanted& wanted = owned[i];
      wanted.error = error;
      if (error == nullptr) {
        wanted.error = exception_of([&] { store(wanted, computed[i], pending); });
      }
      end(*wanted.shard, *wanted.computation);
      wanted.computation->set_result(error == nullptr ? computed[i].value : wanted.value,
                                     wanted.error);
    }
    for (Wanted& wanted : owned) {
      if (wanted.error == nullptr) {
        wanted.value = wanted.computation->result();
      } else if (error != nullptr && wanted.is_refresh) {
        wanted.value = live_value(wanted);
      }
      if (wanted.error != nullptr && !wanted.value) std::rethrow_exception(wanted.error);
    }
    pending.call_listener();
  }
  // Ends the computations that this call owns without a call of the function, and throws the error.
  [[noreturn]] static void abandon(std::span<Wanted> owned, const std::exception_ptr& error) {
    for (Wanted& wanted : owned) {
      end(*wanted.shard, *wanted.computation);
      wanted.computation->is_abandoned = true;
      wanted.computation->set_result(wanted.value, nullptr);
    }
    std::rethrow_exception(error);
  }
  template <class Compute>
  auto compute_and_record(std::span<Wanted> owned, const Compute& compute) {
    if constexpr (!Shards::kStatistics) {
      return compute(owned);
    } else {
      const Millis start = CallTime(shards_.clock())();
      decltype(compute(owned)) computed;
      const auto error = exception_of([&] { computed = compute(owned); });
      {
        Shard& shard = *owned.front().shard;
        const WriterLock lock(shard.mutex);
        CallTime now(shards_.clock());
        shard.contents.engine.record_computation(time_left(now(), start), error != nullptr);
      }
      if (error != nullptr) std::rethrow_exception(error);
      return computed;
    }
  }
  // Stores a computed value, unless the computation was removed.
  void store(const Wanted& wanted, const ComputedValue<Value>& computed, Pending& pending) {
    shards_.change(*wanted.shard, pending, [&](Contents& contents, auto& now) {
      if (!contents.computations.remove(wanted.computation.get())) return;
      store_computed(contents.engine, key_of(*wanted.computation), computed, now);
    });
  }
  // Ends a computation before its result becomes available. A thread that gets the result and calls
  // again must not find this computation. The owner may then wait for others, so WaitGraph must
  // find is_done set.
  static void end(Shard& shard, Computation& computation) noexcept {
    const WriterLock lock(shard.mutex);
    shard.contents.computations.remove(&computation);
    computation.is_done.store(true, std::memory_order_relaxed);
  }

  // Returns a copy of the value of the key; nullopt if it is not live.
  std::optional<Value> live_value(const Wanted& wanted) const {
    const ReaderLock lock(wanted.shard->mutex);
    CallTime now(shards_.clock());
    const Value* const value = wanted.shard->contents.engine.peek(key_of(*wanted.computation), now);
    return value == nullptr ? std::nullopt : std::optional<Value>(std::in_place, *value);
  }

  // Waits for the computation that another call has started. Returns its value.
  std::optional<Value> wait_for(const Wanted& wanted) {
    if (!wait_until_done(*wanted.computation)) {
      if (auto live = live_value(wanted)) return live;
      throw_or_abort(ComputationTimeout());
    }
    return wanted.computation->result();
  }
  // Returns false after max_wait.
  bool wait_until_done(const Computation& computation) {
    const WaitGraph::Wait wait(computation.owner, computation.is_done);
    if (wait.is_circular()) throw_or_abort(RecursiveComputation());
    if (max_wait_ > kLongestWait) {
      computation.ended.wait();
      return true;
    }
    if (!give_up_) give_up_ = std::chrono::steady_clock::now() + max_wait_;
    return computation.ended.wait_until(*give_up_) == std::future_status::ready;
  }
  // A longer wait could overflow the clock of std::shared_future, and counts as endless.
  static constexpr std::chrono::milliseconds kLongestWait = std::chrono::hours(24 * 365);

  Shards& shards_;
  Ttl refresh_ahead_;
  std::chrono::milliseconds max_wait_;
  std::optional<std::chrono::steady_clock::time_point> give_up_;  // set when the call first waits
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_SINGLE_FLIGHT_H_
