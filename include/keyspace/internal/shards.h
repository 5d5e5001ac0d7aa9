// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_SHARDS_H_
#define KEYSPACE_INTERNAL_SHARDS_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/base/thread_annotations.h"
#include "keyspace/internal/budget.h"
#include "keyspace/internal/call_time.h"
#include "keyspace/internal/computations.h"
#include "keyspace/internal/engine.h"
#include "keyspace/internal/hashing.h"
#include "keyspace/internal/lock.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/reaper_client.h"
#include "keyspace/internal/relaxed.h"
#include "keyspace/internal/shared_removal_queue.h"
#include "keyspace/options.h"
#include "keyspace/removal.h"

namespace keyspace::internal {

// Marks a function that calls a function of the user: calling_user(f).
template <class F>
struct CallingUser : F {
  using CallsUser = void;
};
template <class F>
CallingUser<F> calling_user(F f) {
  return {std::move(f)};
}
template <class F>
concept CallsUser = requires {
  typename F::CallsUser;
};

// Marks `wrapper` if F is marked.
template <class F, class Wrapper>
auto calling_like(const F&, Wrapper wrapper) {
  if constexpr (CallsUser<F>) {
    return calling_user(std::move(wrapper));
  } else {
    return wrapper;
  }
}

// Returns the number of processors; 1 if it is not known.
inline unsigned processor_count() noexcept {
  return std::max<unsigned>(std::thread::hardware_concurrency(), 1);
}

// Calls a weigher that all shards share.
template <class Weigher>
struct SharedWeigher {
  template <class Key, class Value>
  std::size_t operator()(const Key& key, const Value& value) const {
    return static_cast<std::size_t>((*weigher)(key, value));
  }
  const Weigher* weigher = nullptr;
};

// The choices of a shard's engine. Keys come with their hash, and all shards share the weigher.
// Removed entries are passed to the listener after the lock is released.
template <class Choices>
struct ShardChoices : Choices {
  using Hash = HashedHash<typename Choices::Key, typename Choices::Hash>;
  using Equal = HashedEqual<typename Choices::Key, typename Choices::Equal>;
  using Weigher =
      std::conditional_t<Choices::kIsWeighed, SharedWeigher<typename Choices::Weigher>, OneEach>;
  using Listener = std::conditional_t<Choices::kIsObserved, DeferredListener, NoListener>;
};

// Divides the keys among shards. A shard has an engine and a lock. After a change of a shard, when
// its lock is released, this class informs
//
//   the listener       of the entries that were removed: see SharedRemovalQueue;
//   the reaper         of a deadline that is earlier than those that it knows: see ReaperClient.
//
// The caller of a change removes the running computation of a changed key: see Computations.
//
// The functions that callers pass are called with the shard locked. They get its contents, the key
// with its hash, and the time.
template <class Choices>
class Shards {
  using Allocator = typename Choices::Allocator;
  using Clock = typename Choices::Clock;
  using Now = CallTime<Clock>;

 public:
  using Key = typename Choices::Key;
  using Value = typename Choices::Value;
  using Engine = internal::Engine<ShardChoices<Choices>>;
  static constexpr bool kStatistics = Choices::kStatistics;
  using Computations = internal::Computations<Key, Value, typename Engine::Equal>;
  using RemovalQueue = SharedRemovalQueue<Key, Value, typename Choices::Listener, Allocator>;
  using Pending = typename RemovalQueue::Pending;

  struct Contents {
    Engine engine;
    Computations computations;
  };
  struct alignas(ABSL_CACHELINE_SIZE) Shard {
    Shard(std::span<ReadMostlyMutex::Slot> slots, std::size_t index, Engine engine,
          Computations computations)
        : mutex(slots, static_cast<std::uint32_t>(index + 1)),
          contents{std::move(engine), std::move(computations)} {}
    mutable ReadMostlyMutex mutex;
    Contents contents ABSL_GUARDED_BY(mutex);
  };

  // Makes 2^bits shards. Divides the capacity among them: see part_of().
  Shards(int bits, EngineConfig<Choices> config, Clock clock)
      : clock_(std::move(clock)),
        hash_{std::move(config.hash)},
        weigher_(std::move(config.weigher)),
        bits_(bits),
        capacity_(config.capacity),
        slots_(slot_count()),
        shards_(std::make_unique<std::optional<Shard>[]>(count())),
        removals_(std::move(config.listener), config.allocator) {
    const typename Engine::Equal equal{std::move(config.equal)};
    for (std::size_t i = 0; i != count(); ++i) {
      const std::size_t part = part_of(config.capacity, i);
      typename ShardChoices<Choices>::Weigher weigher;
      if constexpr (Choices::kIsWeighed) weigher.weigher = &weigher_;
      shards_[i].emplace(
          slots_, i,
          Engine({part, weigher, {}, config.expire_after_access, hash_, equal, config.allocator}),
          Computations(equal));
    }
  }
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;
  ~Shards() = default;

  [[nodiscard]] std::size_t count() const noexcept { return std::size_t{1} << bits_; }
  [[nodiscard]] const Clock& clock() const noexcept { return clock_; }
  [[nodiscard]] ReaperClient& reaper_client() noexcept { return reaper_client_; }

  // --- One key

  // Calls f(engine, key, now) under a lock that readers share. Returns its result.
  template <class K, class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto read(const K& key, const F& f) const {
    const auto hashed_key = hashed(key);
    const Shard& shard = shard_of(hashed_key.hash);
    const ReaderLock lock(shard.mutex);
    Now now(clock_);
    return call(shard, f, shard.contents.engine, hashed_key, now);
  }
  // Makes a request: calls f(value) if the key is live. Returns true if it is. Takes a lock that
  // readers share. If the request has to postpone the expiry, then locks the shard for a change.
  template <class K, class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool request(const K& key, const F& f) {
    const auto hashed_key = hashed(key);
    Shard& shard = shard_of(hashed_key.hash);
    {
      const ReaderLock lock(shard.mutex);
      Now now(clock_);
      const auto found = shard.contents.engine.find_shared(hashed_key, now);
      if (found.value != nullptr) call(shard, f, *found.value);
      if (!found.must_write) return found.value != nullptr;
    }
    return change(shard, [&](Contents& contents, Now& now) {
      const Value* const value = contents.engine.find(hashed_key, now);
      if (value != nullptr) call(shard, f, *value);
      return value != nullptr;
    });
  }
  // Locks the shard of a key for a change, and calls f(contents, key, now). Returns its result.
  template <class K, class F>
  auto write(K&& key, const F& f) {
    auto hashed_key = hashed(std::forward<K>(key));
    Shard& shard = shard_of(hashed_key.hash);
    return change(shard, [&](Contents& contents, Now& now) {
      return call(shard, f, contents, hashed_key, now);
    });
  }
  // Locks the shards of two keys for a change, and calls f(contents, from, contents, to, now).
  // Returns its result. The two shards may be the same.
  template <class K, class L, class F>
  bool write_two(const K& from, L&& to, const F& f) {
    const auto hashed_from = hashed(from);
    auto hashed_to = hashed(std::forward<L>(to));
    Shard& source = shard_of(hashed_from.hash);
    Shard& target = shard_of(hashed_to.hash);
    if (&source == &target) {
      return change(source, [&](Contents& contents, Now& now) {
        return f(contents, hashed_from, contents, hashed_to, now);
      });
    }
    Pending pending(removals_);
    const bool result = [&] {
      // All calls lock the shards in the same order, so no two calls wait for each other.
      const bool is_source_first = std::less<>()(&source, &target);
      const Change first(is_source_first ? source : target, reaper_client_);
      const Change second(is_source_first ? target : source, reaper_client_);
      source.mutex.assert_held();
      target.mutex.assert_held();
      const TakeRemoved take_from_source{pending, source.contents};
      const TakeRemoved take_from_target{pending, target.contents};
      Now now(clock_);
      return f(source.contents, hashed_from, target.contents, hashed_to, now);
    }();
    pending.call_listener();
    return result;
  }

  // --- A shard, for SingleFlight

  template <class K>
  Hashed<K> hashed(K&& key) const {
    const auto hash = static_cast<std::size_t>(hash_.hash(std::as_const(key)));
    return {std::forward<K>(key), hash};
  }
  // Mixes the hash, in another way than ScanResistant does. So the hashes in one shard still differ
  // in all the bits that the map and the policy use.
  [[nodiscard]] Shard& shard_of(std::size_t hash) const noexcept {
    std::uint64_t mixed = hash;
    mixed = (mixed ^ mixed >> 32) * 0xd6e8feb86659fd93;
    return shard(static_cast<std::size_t>(mixed >> 32 << bits_ >> 32));
  }
  // Locks a shard for a change, and calls f(contents, now). Then informs the reaper and the
  // listener. Returns the result of f.
  template <class F>
  auto change(Shard& shard, const F& f) {
    Pending pending(removals_);
    if constexpr (std::is_void_v<decltype(change(shard, pending, f))>) {
      change(shard, pending, f);
      pending.call_listener();
    } else {
      auto result = change(shard, pending, f);
      pending.call_listener();
      return result;
    }
  }
  // The same, but the caller must call pending.call_listener() afterwards.
  template <class F>
  auto change(Shard& shard, Pending& pending, const F& f) {
    const Change change(shard, reaper_client_);
    shard.mutex.assert_held();
    const TakeRemoved take_removed{pending, shard.contents};
    Now now(clock_);
    return f(shard.contents, now);
  }
  [[nodiscard]] RemovalQueue& removals() noexcept { return removals_; }

  // --- All shards

  // Calls f(engine, now) for one shard after the other, under a lock that readers share.
  template <class F>
  void for_each(const F& f) const {
    for (std::size_t i = 0; i != count(); ++i) {
      const Shard& next = shard(i);
      const ReaderLock lock(next.mutex);
      Now now(clock_);
      call(next, f, next.contents.engine, now);
    }
  }
  // Calls f(contents, now) for one shard after the other, locked for a change. Calls the listener
  // at the end. f must not set a deadline, because the reaper is not informed.
  template <class F>
  void change_each(const F& f) {
    Pending pending(removals_);
    change_each(pending, f);
    pending.call_listener();
  }
  // The same, but the caller must call pending.call_listener() afterwards.
  template <class F>
  void change_each(Pending& pending, const F& f) {
    for (std::size_t i = 0; i != count(); ++i) {
      Shard& next = shard(i);
      const WriterLock lock(next.mutex);
      const TakeRemoved take_removed{pending, next.contents};
      Now now(clock_);
      call(next, f, next.contents, now);
    }
  }

  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_.get(); }
  // Divides another capacity among the shards. The second of two calls waits until the first has
  // changed all shards.
  void set_capacity(std::size_t capacity) {
    Pending pending(removals_);
    {
      const WriterLock lock(capacity_mutex_);
      capacity_.set(capacity);
      std::size_t i = 0;
      change_each(pending, [&](Contents& contents, Now& now) {
        contents.engine.set_capacity(part_of(capacity, i++), now);
      });
    }
    pending.call_listener();  // after the unlock, because the listener may call set_capacity()
  }

  // Reserves memory for `size` entries in all. Each shard gets a little more than its part, because
  // keys are not spread evenly.
  void reserve(std::size_t size) {
    const std::size_t part = size >> bits_;
    const std::size_t each = bits_ == 0 ? size : part + part / 8 + 1;
    change_each([each](Contents& contents, Now&) { contents.engine.reserve(each); });
  }
  void shrink_to_fit() {
    change_each([](Contents& contents, Now&) { contents.engine.shrink_to_fit(); });
  }

  // Erases at most `limit` entries that were expired at the start. Its work is in proportion to the
  // limit. Erases at most Engine::kEraseStep entries under one lock. Returns how many it erased,
  // and how many expired entries the calls of its listener erased.
  std::size_t erase_expired(std::size_t limit) {
    const Millis start = Now(clock_)();
    // Returns true if there are expired entries, or if the map has steps to take. Leaves out
    // entries that expire after the start, and those that are live again because the clock went
    // back. There are at most `most` expired entries.
    const auto has_work = [start](const Engine& engine, std::size_t most, Now& now) {
      const Millis due = engine.next_due();
      return (most != 0 && due <= start && due <= now()) || engine.needs_step();
    };
    // A small limit does not suffice for all shards. So each call begins where the last one ended.
    const std::size_t first = next_to_erase_.load(std::memory_order_relaxed);
    std::size_t erased = 0;
    Budget budget(limit);
    std::size_t i = 0;
    for (; i != count() && !budget.is_spent(); ++i) {
      Shard& next = shard((first + i) % count());
      bool is_more;
      // If the clock goes back and forth, entries that the listener stores may already be expired
      // at the start. So the steps end after as many erasures as there were entries.
      std::size_t most;
      {
        const ReaderLock lock(next.mutex);
        Now now(clock_);
        most = next.contents.engine.size();
        is_more = has_work(next.contents.engine, most, now);
      }
      while (is_more && !budget.is_spent()) {
        Budget step = budget.split(Engine::kEraseStep);
        Pending pending(removals_);
        erased += change(next, pending, [&](Contents& contents, Now& now) {
          const std::size_t count = contents.engine.erase_expired(step, now);
          most -= std::min<std::size_t>(most, count);
          is_more = has_work(contents.engine, most, now);
          return count;
        });
        erased += pending.call_listener();
        budget.join(step);
      }
    }
    next_to_erase_.store(first + i, std::memory_order_relaxed);
    return erased;
  }

  // Returns a time at or before every deadline; kNeverMillis if there is none.
  [[nodiscard]] Millis next_due() const {
    Millis due = kNeverMillis;
    for_each([&](const Engine& engine, Now&) { due = std::min<Millis>(due, engine.next_due()); });
    return due;
  }
  // Returns when erase_expired() has work: at next_due(), or at once if a map has steps to take.
  [[nodiscard]] Millis next_work() const {
    Millis next = kNeverMillis;
    for_each([&](const Engine& engine, Now&) {
      next = std::min<Millis>(next, engine.needs_step() ? kEarliestMillis : engine.next_due());
    });
    return next;
  }

 private:
  friend struct TestPeer;

  static constexpr unsigned kMostSlots = 256;  // 16 KiB, with cache lines of 64 bytes

  // Returns f(arguments). If f calls a function of the user, and that waits for the lock of the
  // shard, CallUnderLock aborts the program. REQUIRES: the shard is locked.
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

  // Takes the removed entries out of a shard in its destructor, so also after an exception.
  struct TakeRemoved {
    ~TakeRemoved() { pending.take(contents.engine.removals()); }
    Pending& pending;
    Contents& contents;
  };

  class Client final : public ReaperClient {
   public:
    explicit Client(Shards& shards) noexcept : shards_(shards) {}
    ~Client() { leave(); }

   private:
    using Due = ReaperClient::Due;
    void erase_step(std::size_t step) override { shards_.erase_expired(step); }
    Due next_due() override {
      const Millis due = shards_.next_work();
      if (due == kNeverMillis) return {};
      const Millis now = Now(shards_.clock_)();
      return {due, due <= now ? 0 : time_left(due, now)};
    }
    Shards& shards_;
  };

  // Returns several slots for each processor, so that threads seldom share one, even if there are
  // more threads than processors. There are not more, because a writer that ends a bias reads all.
  static std::size_t slot_count() {
    return std::min<unsigned>(std::bit_ceil(4 * processor_count()), kMostSlots);
  }

  [[nodiscard]] Shard& shard(std::size_t i) const noexcept { return *shards_[i]; }

  // Returns the part of the capacity that shard `i` gets. If the capacity does not divide evenly,
  // the first shards get one more.
  [[nodiscard]] std::size_t part_of(std::size_t capacity, std::size_t i) const noexcept {
    return capacity / count() + (i < capacity % count() ? 1 : 0);
  }

  // Locks a shard for a change. The destructor releases the lock, and then tells the reaper the
  // next deadline of the shard. (A deadline that a rename moves here needs this too: the reaper may
  // have read this shard before the rename, and the other shard after it.)
  class ABSL_SCOPED_LOCKABLE Change {
   public:
    Change(Shard& shard, ReaperClient& client) ABSL_EXCLUSIVE_LOCK_FUNCTION(shard.mutex)
        : note_{client}, lock_(shard.mutex), shard_(shard) {}
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;
    ABSL_ATTRIBUTE_ALWAYS_INLINE ~Change() ABSL_UNLOCK_FUNCTION() {
      note_.due = shard_.contents.engine.next_due();
    }

   private:
    struct Note {
      ~Note() { client.note_due(due); }
      ReaperClient& client;
      Millis due = kNeverMillis;
    };

    Note note_;  // before the lock, so that it is destroyed after it
    WriterLock<ReadMostlyMutex> lock_;
    Shard& shard_;
  };

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Clock clock_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS typename Engine::Hash hash_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS typename Choices::Weigher weigher_;
  int bits_;
  Relaxed<std::size_t> capacity_;
  Mutex capacity_mutex_;  // locked by set_capacity(), before the mutex of a shard
  std::vector<ReadMostlyMutex::Slot> slots_;  // before the shards, whose mutexes refer to them
  std::unique_ptr<std::optional<Shard>[]> shards_;
  RemovalQueue removals_;
  std::atomic<std::size_t> next_to_erase_ = 0;  // the shard where erase_expired() begins
  Client reaper_client_{*this};  // the last member, so that it is destroyed before what it uses
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_SHARDS_H_
