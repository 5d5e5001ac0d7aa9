#ifndef KEYSPACE_INTERNAL_SHARDS_H_
#define KEYSPACE_INTERNAL_SHARDS_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/base/config.h"
#include "absl/base/optimization.h"
#include "absl/base/thread_annotations.h"
#include "keyspace/internal/deliveries.h"
#include "keyspace/internal/flights.h"
#include "keyspace/internal/hashing.h"
#include "keyspace/internal/lock.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/reaped.h"
#include "keyspace/internal/shard.h"
#include "keyspace/recursive_computation.h"

namespace keyspace::internal {

// A function for Shards that calls a function of the user: calling_user(f).
template <class F>
struct CallingUser : F {
  using Calls = void;
};
template <class F>
CallingUser<F> calling_user(F f) {
  return {std::move(f)};
}
template <class F>
concept CallsUser = requires {
  typename F::Calls;
};

// Returns how many processors there are; 1 if that is not known.
inline unsigned processor_count() noexcept {
  return std::max<unsigned>(std::thread::hardware_concurrency(), 1);
}

// Keyspaces, each behind a lock of its own, among which keys are divided; and what it takes to get
// at them: who is told of a change is told here, when the lock is released.
//
//   the listener       of what has left: see Deliveries
//   a computation      that its key has changed, by the caller, who calls remove(): see Flights
//   the reaper         of a deadline that is sooner than it knows: see Reaped
//
// Functions that are passed in are called under the lock, with the Contents of the shard and the
// key as the keyspace in it takes it.
template <class Ks, class Listener>
class Shards {
  using Key = typename Ks::key_type;
  using Value = typename Ks::mapped_type;
  using Allocator = typename Ks::allocator_type;
  using Deliveries = internal::Deliveries<Key, Value, Listener, Allocator>;
  using Delivery = typename Deliveries::Delivery;
  using Flights = internal::Flights<Key, Value, typename Ks::key_equal>;
  using Flight = typename Flights::Flight;
  using Access = ShardAccess;

 public:
  struct Contents {
    Ks keyspace;
    Flights flights;
  };

  // Makes 2^bits of them, of make_keyspace(0) and so on.
  template <class MakeKeyspace>
  Shards(int bits, const MakeKeyspace& make_keyspace, const typename Ks::hasher& hash,
         const typename Ks::key_equal& equal, Listener listener, const Allocator& allocator)
      : hash_(hash),
        bits_(bits),
        slots_(slot_count()),
        shards_(std::make_unique<std::optional<Shard>[]>(count())),
        deliveries_(std::move(listener), allocator) {
    for (std::size_t i = 0; i != count(); ++i) {
      shards_[i].emplace(slots_, i, make_keyspace(i), Flights(equal));
    }
  }
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;
  ~Shards() = default;

  [[nodiscard]] std::size_t count() const noexcept { return std::size_t{1} << bits_; }

  // Where a Reaper sees this.
  [[nodiscard]] internal::Reaped& reaped() noexcept { return reaped_; }

  // --- One key ---

  // Returns f(keyspace, key), called under a lock that readers share.
  template <class K, class F>
  auto read(const K& key, const F& f) const {
    const auto hashed_key = hashed(key);
    const Shard& shard = shard_of(hashed_key.hash);
    const ReaderLock lock(shard.mutex);
    return f(shard.contents.keyspace, hashed_key);
  }
  // Calls f(value) if the key is live, as a request: under such a lock too, unless the expiry has
  // to slide. Returns whether it is.
  template <class K, class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool look_up(const K& key, const F& f) {
    const auto hashed_key = hashed(key);
    Shard& shard = shard_of(hashed_key.hash);
    {
      const ReaderLock lock(shard.mutex);
      const auto request = Access::request(shard.contents.keyspace, hashed_key);
      if (request.value != nullptr) call(shard, f, *request.value);
      if (!request.slides) return request.value != nullptr;
    }
    return write_to(shard, [&](Contents& contents) {
      const Value* const value = contents.keyspace.find(hashed_key);
      if (value != nullptr) call(shard, f, *value);
      return value != nullptr;
    });
  }
  // The same, but no request, on a const keyspace.
  template <class K, class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool look_up(const K& key, const F& f) const {
    const auto hashed_key = hashed(key);
    const Shard& shard = shard_of(hashed_key.hash);
    const ReaderLock lock(shard.mutex);
    const Value* const value = shard.contents.keyspace.find(hashed_key);
    if (value != nullptr) call(shard, f, *value);
    return value != nullptr;
  }
  // Returns f(contents, key), called when nothing else is done in the shard of the key.
  template <class K, class F>
  auto write(K&& key, const F& f) {
    auto hashed_key = hashed(std::forward<K>(key));
    Shard& shard = shard_of(hashed_key.hash);
    return write_to(shard,
                    [&](Contents& contents) { return call(shard, f, contents, hashed_key); });
  }

  // The same for two keys at once: f(contents, from, contents, to), where both contents may be the
  // same.
  template <class K, class L, class F>
  bool transfer(const K& from, L&& to, const F& f) {
    const auto hashed_from = hashed(from);
    auto hashed_to = hashed(std::forward<L>(to));
    Shard& source = shard_of(hashed_from.hash);
    Shard& target = shard_of(hashed_to.hash);
    if (&source == &target) {
      return write_to(source, [&](Contents& contents) {
        return f(contents, hashed_from, contents, hashed_to);
      });
    }
    Delivery delivery(deliveries_);
    const bool result = [&] {
      // Which shard comes first is the same for all, so no two calls wait for each other.
      const bool is_source_first = std::less<>()(&source, &target);
      const Change first(is_source_first ? source : target, reaped_);
      const Change second(is_source_first ? target : source, reaped_);
      source.mutex.assert_held();
      target.mutex.assert_held();
      const bool is_done = f(source.contents, hashed_from, target.contents, hashed_to);
      delivery.take(Access::outbox(source.contents.keyspace));
      delivery.take(Access::outbox(target.contents.keyspace));
      return is_done;
    }();
    delivery.deliver();
    return result;
  }

  // See ConcurrentKeyspace.
  template <class K, class F>
  Value get_or_compute(const K& key, Ttl ttl, F& f, Ttl refresh_ahead) {
    const auto hashed_key = hashed(key);
    Shard& shard = shard_of(hashed_key.hash);
    const auto is_to_refresh = [&](const Ks& keyspace, Millis deadline) {
      return refresh_ahead.millis() > 0 && deadline != kNeverMillis &&
             time_left(deadline, Access::now(keyspace)) <= refresh_ahead.millis();
    };
    bool is_noted = false;
    {
      const ReaderLock lock(shard.mutex);
      const auto request = Access::request(shard.contents.keyspace, hashed_key);
      if (request.value != nullptr && (!is_to_refresh(shard.contents.keyspace, request.deadline) ||
                                       shard.contents.flights.find(hashed_key) != nullptr)) {
        return *request.value;
      }
      is_noted = !request.slides;
    }
    typename Flights::Pointer flight;
    std::optional<std::packaged_task<Value()>> task;
    Delivery delivery(deliveries_);
    {
      const WriterLock lock(shard.mutex);
      const Value* const value = shard.contents.keyspace.peek(hashed_key);
      if (Flight* const found = shard.contents.flights.find(hashed_key)) {
        flight = found->shared_from_this();
      }
      const bool is_to_be_returned =
          value != nullptr &&
          (flight != nullptr ||
           !is_to_refresh(shard.contents.keyspace,
                          Access::deadline(shard.contents.keyspace, hashed_key)));
      // A request, by which the deadline may slide that was looked at.
      if (!is_noted) static_cast<void>(shard.contents.keyspace.find(hashed_key));
      if (is_to_be_returned) return *value;
      if (flight == nullptr) {
        flight = std::make_shared<Flight>(Key(key), hashed_key.hash);
        task.emplace([&, mine = flight.get()] { return compute(shard, *mine, ttl, f, delivery); });
        flight->result = task->get_future().share();
        shard.contents.flights.add(flight);
      }
    }
    if (task) {
      (*task)();
      delivery.deliver();
    } else {
      const WaitGraph::Wait wait(flight->pilot, flight->has_landed);
      if (wait.is_circular()) {
#ifdef ABSL_HAVE_EXCEPTIONS
        throw RecursiveComputation();
#else
        std::abort();
#endif
      }
      flight->result.wait();
    }
    return flight->result.get();
  }

  // --- All of them ---

  // Calls f(keyspace) for one after the other, under a lock that readers share.
  template <class F>
  void for_each(const F& f) const {
    for (std::size_t i = 0; i != count(); ++i) {
      const Shard& next = shard(i);
      const ReaderLock lock(next.mutex);
      call(next, f, next.contents.keyspace);
    }
  }

  // Changes one after the other: f(contents). The listener is told in the end.
  template <class F>
  void write_each(const F& f) {
    Delivery delivery(deliveries_);
    for (std::size_t i = 0; i != count(); ++i) {
      Shard& next = shard(i);
      const WriterLock lock(next.mutex);
      f(next.contents);
      delivery.take(Access::outbox(next.contents.keyspace));
    }
    delivery.deliver();
  }

  // Makes room for `size` entries in all, and some more in each, for they are not spread evenly.
  void reserve(std::size_t size) {
    const std::size_t each = size >> bits_;
    write_each([each](Contents& contents) { contents.keyspace.reserve(each + each / 8 + 1); });
  }

  // Erases what was dead at `start`: at most `limit`, with work in proportion to it, and no more
  // than kEraseStep under a lock. Returns how many.
  std::size_t erase_expired(Millis start, std::size_t limit) {
    // What dies after the start is left; and so is what lives again as the clock goes back.
    const auto is_due_in = [start](const Ks& keyspace) {
      const Millis due = Access::next_due(keyspace);
      return due <= start && due <= Access::now(keyspace);
    };
    // With a small limit it takes several calls to come round, in which each shard has its turn.
    const std::size_t first = next_to_reclaim_.load(std::memory_order_relaxed);
    std::size_t erased = 0;
    Budget budget(limit);
    std::size_t i = 0;
    for (; i != count() && !budget.spent(); ++i) {
      Shard& next = shard((first + i) % count());
      bool is_due;
      {
        const ReaderLock lock(next.mutex);
        is_due = is_due_in(next.contents.keyspace);
      }
      while (is_due && !budget.spent()) {
        Budget step = budget.split(kEraseStep);
        erased += write_to(next, [&](Contents& contents) {
          const std::size_t count = Access::erase_expired(contents.keyspace, step);
          is_due = is_due_in(contents.keyspace);
          return count;
        });
        budget.join(step);
      }
    }
    next_to_reclaim_.store(first + i, std::memory_order_relaxed);
    return erased;
  }

  // Returns a time at or before every deadline; kNeverMillis if there is none.
  [[nodiscard]] Millis next_due() const {
    Millis due = kNeverMillis;
    for_each([&](const Ks& keyspace) { due = std::min<Millis>(due, Access::next_due(keyspace)); });
    return due;
  }

 private:
  friend struct TestPeer;

  static constexpr std::size_t kEraseStep = 256;
  static constexpr unsigned kMostSlots = 256;  // which take 16 KiB

  struct alignas(ABSL_CACHELINE_SIZE) Shard {
    Shard(std::span<ReadMostlyMutex::Slot> slots, std::size_t index, Ks keyspace, Flights flights)
        : mutex(slots, static_cast<std::uint32_t>(index + 1)),
          contents{std::move(keyspace), std::move(flights)} {}
    mutable ReadMostlyMutex mutex;
    Contents contents ABSL_GUARDED_BY(mutex);
  };

  // Returns f(arguments), called with the shard locked.
  template <class F, class... Arguments>
  ABSL_ATTRIBUTE_ALWAYS_INLINE static decltype(auto) call(const Shard& shard, F& f,
                                                          Arguments&&... arguments) {
    if constexpr (CallsUser<F>) {
      const CallUnderLock call(shard.mutex.id());
      return std::invoke(f, std::forward<Arguments>(arguments)...);
    } else {
      return std::invoke(f, std::forward<Arguments>(arguments)...);
    }
  }

  class Reaped final : public internal::Reaped {
   public:
    explicit Reaped(Shards& shards) noexcept : shards_(shards) {}
    ~Reaped() { leave(); }

   private:
    using Due = internal::Reaped::Due;
    void make_step(std::size_t step) override { shards_.erase_expired(shards_.now(), step); }
    Due next_due() override {
      const Millis due = shards_.next_due();
      if (due == kNeverMillis) return {};
      const Millis now = shards_.now();
      return {due, due <= now ? 0 : time_left(due, now)};
    }
    Shards& shards_;
  };

  // Several for each processor, so that threads seldom share one even if there are more threads
  // than processors. A writer looks at all of them when it ends a bias.
  static std::size_t slot_count() {
    return std::min<unsigned>(std::bit_ceil(4 * processor_count()), kMostSlots);
  }

  [[nodiscard]] Shard& shard(std::size_t i) const noexcept { return *shards_[i]; }
  // Mixed, and not as ScanResistant mixes it: in a shard, the map and the policy need all bits.
  [[nodiscard]] Shard& shard_of(std::size_t hash) const noexcept {
    std::uint64_t mixed = hash;
    mixed = (mixed ^ mixed >> 32) * 0xd6e8feb86659fd93;
    return shard(static_cast<std::size_t>(mixed >> 32 << bits_ >> 32));
  }
  template <class K>
  Hashed<K> hashed(K&& key) const {
    const auto hash = static_cast<std::size_t>(hash_.hash(std::as_const(key)));
    return {std::forward<K>(key), hash};
  }
  [[nodiscard]] Millis now() const {
    const Shard& any = shard(0);
    const ReaderLock lock(any.mutex);
    return Access::now(any.contents.keyspace);
  }

  // Holds a shard alone, for a change. In the end, however that came, it tells the reaper of the
  // deadlines in the shard, when the lock is released. (Of such, too, as came from another shard:
  // the reaper may have looked there after it was here.)
  class ABSL_SCOPED_LOCKABLE Change {
   public:
    Change(Shard& shard, internal::Reaped& reaped) ABSL_EXCLUSIVE_LOCK_FUNCTION(shard.mutex)
        : note_{reaped}, lock_(shard.mutex), shard_(shard) {}
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;
    ABSL_ATTRIBUTE_ALWAYS_INLINE ~Change() ABSL_UNLOCK_FUNCTION() {
      note_.due = Access::next_due(shard_.contents.keyspace);
    }

   private:
    struct Note {
      ~Note() { reaped.note_due(due); }
      internal::Reaped& reaped;
      Millis due = kNeverMillis;
    };

    Note note_;  // before the lock, so that it goes after it
    WriterLock<ReadMostlyMutex> lock_;
    Shard& shard_;
  };

  // Returns f(contents of the shard), and does all that comes after a change.
  template <class F>
  auto write_to(Shard& shard, const F& f) {
    Delivery delivery(deliveries_);
    auto result = [&] {
      const Change change(shard, reaped_);
      auto changed = f(shard.contents);
      delivery.take(Access::outbox(shard.contents.keyspace));
      return changed;
    }();
    delivery.deliver();
    return result;
  }

  template <class F>
  Value compute(Shard& shard, Flight& flight, Ttl ttl, F& f, Delivery& delivery) {
    // However this ends, before the result is handed out: who got that and asks again must not find
    // this flight, and may wait for others.
    struct Land {
      ~Land() {
        const WriterLock lock(shard.mutex);
        shard.contents.flights.remove(&flight);
        flight.has_landed.store(true, std::memory_order_relaxed);
      }
      Shard& shard;
      Flight& flight;
    } land{shard, flight};
    Value value = [&]() -> Value {
      if constexpr (std::invocable<F&>) {
        return Value(std::invoke(f));
      } else {
        return Value(std::invoke(f, std::as_const(flight.key)));
      }
    }();
    const Change change(shard, reaped_);
    if (!shard.contents.flights.remove(&flight)) return value;
    shard.contents.keyspace.set(Hashed<Key>{std::move(flight.key), flight.hash},
                                std::as_const(value), ttl);
    delivery.take(Access::outbox(shard.contents.keyspace));
    return value;
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS typename Ks::hasher hash_;
  int bits_;
  std::vector<ReadMostlyMutex::Slot> slots_;  // before the shards, whose mutexes refer to them
  std::unique_ptr<std::optional<Shard>[]> shards_;
  Deliveries deliveries_;
  std::atomic<std::size_t> next_to_reclaim_ = 0;
  Reaped reaped_{*this};  // the last member, so that it goes before what it looks at
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_SHARDS_H_
