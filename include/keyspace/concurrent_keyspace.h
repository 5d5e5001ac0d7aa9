#ifndef KEYSPACE_CONCURRENT_KEYSPACE_H_
#define KEYSPACE_CONCURRENT_KEYSPACE_H_

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "keyspace/clock.h"
#include "keyspace/condition.h"
#include "keyspace/features.h"
#include "keyspace/internal/deliveries.h"
#include "keyspace/internal/flights.h"
#include "keyspace/internal/hashing.h"
#include "keyspace/internal/lock.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/reaped.h"
#include "keyspace/internal/shard.h"
#include "keyspace/keyspace.h"
#include "keyspace/statistics.h"

namespace keyspace {

// What get_or_compute() throws where it would wait for itself.
struct RecursiveComputation : std::logic_error {
  RecursiveComputation() : std::logic_error("get_or_compute() would wait for itself") {}
};

// A Keyspace that threads share: the same verbs, with the same meanings (keyspace.h), called by any
// thread at any time. Keys are spread over shards, each a Keyspace behind a lock of its own.
//
//   keyspace::ConcurrentKeyspace<std::string, std::string> pages;
//   keyspace::Reaper reaper(pages);  // frees on time what has died: see reaper.h
//   std::string page = pages.get_or_compute("/", 10min, [] { return render("/"); });
//
// It is not a set of transactions: what concerns one key, or two in rename() and copy(), is atomic;
// what concerns all (size(), for_each(), clear(), statistics(), ...) deals with one shard after the
// other.
//
// Invariants
//   1. A call that concerns keys takes effect at one instant between its start and its end.
//   2. Reads share a lock: get(), visit(), contains(), pttl(), pexpiretime() and get_or_compute()
//      of a value that is there wait for no reader, and for a writer only in the same shard. They
//      do so too if the key is dead. (But where expiries slide with use, a request that moves a
//      deadline is a write.)
//   3. No lock is held while a listener, or a computation, is called. visit(), update() and
//      for_each() call their function with a shard locked: it must not call this keyspace.
//   4. A call locks one shard at a time; rename() and copy() lock two, in the order of the shards.
//
// Instead of pointers, which other threads could invalidate, get() returns copies, and visit() and
// update() call a function. The clock, weigher, hash and equality, and the copying of values, are
// called by several threads at once, and so must be safe to; so must the allocator, of which each
// shard has a copy, and the listener. Of a move-only value all but get(), mget(), getex(), copy()
// and get_or_compute() is to be had.
//
// Features. The capacity is divided among the shards: an entry has to go when its shard is full,
// which may be a little before the whole is; and one that weighs more than its shard's part is
// refused. A policy knows its own shard. So a small cache has few shards, unless Options say
// otherwise. A listener is called on the thread in whose call the entry left, when its lock is
// released; so other threads may be ahead of what it is told. Of what it throws, and all else, see
// Cause in features.h.
//
// A build of abseil with assertions (as Debian's is) looks for deadlocks at every lock, under one
// of its own: call absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore) where speed
// counts.
//
// It can neither be moved nor copied. Link abseil's `synchronization` besides what keyspace.h
// needs.
template <class Key, class Value, TimeSource Clock = std::chrono::steady_clock,
          class Hash = internal::DefaultHash<Key>, class Equal = internal::DefaultEqual<Key>,
          class Allocator = std::allocator<std::pair<const Key, Value>>,
          FeatureSet Features = DefaultFeatures>
class ConcurrentKeyspace {
  using Ttl = internal::Ttl;
  using Deadline = internal::Deadline<internal::ClockOf<Clock>>;
  using ShardHash = internal::HashedHash<Key, Hash>;
  using ShardEqual = internal::HashedEqual<Key, Equal>;
  using ShardFeatures = internal::ShardFeatures<Features>;
  using Ks = Keyspace<Key, Value, Clock, ShardHash, ShardEqual, Allocator, ShardFeatures>;
  static constexpr bool kIsBounded = internal::kIsBounded<Features>;
  static constexpr bool kIsObserved = internal::kIsObserved<Features>;

 public:
  using key_type = Key;
  using mapped_type = Value;
  using clock_type = Clock;
  using hasher = Hash;
  using key_equal = Equal;
  using allocator_type = Allocator;
  using size_type = std::size_t;
  using duration = typename Ks::duration;
  using time_point = typename Ks::time_point;

  // "No expiry" as a ttl. As a deadline it is time_point::max().
  static constexpr duration kNever = Ks::kNever;

  // What the features need, as keyspace::Options; and into how many shards the keys are divided,
  // rounded up to a power of two, but no more than the capacity. By default, 0, these are 32 for
  // each processor and 256 at most; and in a bounded keyspace so few that each may hold 256 of the
  // capacity.
  struct Options {
    using Of = keyspace::Options<Features>;
    [[no_unique_address]] decltype(Of::capacity) capacity = {};
    [[no_unique_address]] typename Features::Weigher weigher = {};
    [[no_unique_address]] typename Features::Listener listener = {};
    [[no_unique_address]] decltype(Of::expire_after_access) expire_after_access = {};
    std::size_t shards = 0;
  };

  explicit ConcurrentKeyspace(
      Clock clock = {}, const Hash& hash = {}, const Equal& equal = {},
      const Allocator& allocator = {}) requires(!internal::kNeedsCapacityOrTtl<Features>)
      : ConcurrentKeyspace(std::move(clock), Options(), hash, equal, allocator) {}
  explicit ConcurrentKeyspace(Options options) : ConcurrentKeyspace(Clock(), std::move(options)) {}
  ConcurrentKeyspace(Clock clock, Options options, const Hash& hash = {}, const Equal& equal = {},
                     const Allocator& allocator = {});
  ConcurrentKeyspace(const ConcurrentKeyspace&) = delete;
  ConcurrentKeyspace& operator=(const ConcurrentKeyspace&) = delete;
  // REQUIRES: no other thread is in a call, or will be; but a Reaper may still look after it.
  ~ConcurrentKeyspace() = default;

  // SET [PX | PXAT].
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ValueFor<ConcurrentKeyspace> V = Value>
  void set(K&& key, V&& value) {
    set_with(std::forward<K>(key), std::forward<V>(value));
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ValueFor<ConcurrentKeyspace> V = Value>
  void set(K&& key, V&& value, Ttl ttl) {
    set_with(std::forward<K>(key), std::forward<V>(value), ttl);
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ValueFor<ConcurrentKeyspace> V = Value>
  void set(K&& key, V&& value, Deadline deadline) {
    set_with(std::forward<K>(key), std::forward<V>(value), deadline);
  }

  // SET NX. Returns true iff the key was not live, and there was room for the entry.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ValueFor<ConcurrentKeyspace> V = Value>
  bool insert(K&& key, V&& value) {
    return insert_with(std::forward<K>(key), std::forward<V>(value));
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ValueFor<ConcurrentKeyspace> V = Value>
  bool insert(K&& key, V&& value, Ttl ttl) {
    return insert_with(std::forward<K>(key), std::forward<V>(value), ttl);
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ValueFor<ConcurrentKeyspace> V = Value>
  bool insert(K&& key, V&& value, Deadline deadline) {
    return insert_with(std::forward<K>(key), std::forward<V>(value), deadline);
  }

  // SET XX. Returns true iff the key was live, and there was room for the entry.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ValueFor<ConcurrentKeyspace> V = Value>
  bool replace(K&& key, V&& value) {
    return replace_with(std::forward<K>(key), std::forward<V>(value));
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ValueFor<ConcurrentKeyspace> V = Value>
  bool replace(K&& key, V&& value, Ttl ttl) {
    return replace_with(std::forward<K>(key), std::forward<V>(value), ttl);
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ValueFor<ConcurrentKeyspace> V = Value>
  bool replace(K&& key, V&& value, Deadline deadline) {
    return replace_with(std::forward<K>(key), std::forward<V>(value), deadline);
  }

  // GET. Returns a copy of the value of a live key, else nullopt. On a const keyspace it leaves no
  // trace, as peek() does: to a policy, statistics or an expiry that slides it is no request.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] std::optional<Value> get(const K& key) requires std::copy_constructible<Value> {
    return copy_by(*this, key);
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] std::optional<Value> get(
      const K& key) const requires std::copy_constructible<Value> {
    return copy_by(*this, key);
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] std::optional<Value> peek(
      const K& key) const requires std::copy_constructible<Value> {
    return get(key);
  }

  // Calls f(const Value&) for a live key, beside other readers of its shard. Returns whether the
  // key was live. What `f` throws comes out of the call. A request unless the keyspace is const.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, std::invocable<const Value&> F>
  bool visit(const K& key, F&& f) {
    return read(internal::as_key<ConcurrentKeyspace>(key), f);
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, std::invocable<const Value&> F>
  bool visit(const K& key, F&& f) const {
    return read(internal::as_key<ConcurrentKeyspace>(key), f);
  }

  // Calls f(Value&) for a live key, and nothing else is done in its shard meanwhile. Returns
  // whether the key was live. The expiry stays as it is, and so does what a weigher made of it. A
  // request.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, std::invocable<Value&> F>
  bool update(const K& key, F&& f) {
    return write(key, [&](Contents& contents, auto& hashed) {
      Value* const value = contents.keyspace.find(hashed);
      if (value == nullptr) return false;
      contents.flights.supersede(hashed, equal_);
      std::invoke(std::forward<F>(f), *value);
      return true;
    });
  }

  // EXISTS. Returns whether the key is live.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] bool contains(const K& key) const {
    return visit(key, [](const Value&) {});
  }

  // MGET. Writes to `out`, for each key in turn, what get() returns for it, and returns `out`
  // behind the last. Each key is looked up at an instant of its own.
  template <internal::KeysFor<ConcurrentKeyspace> Keys,
            std::output_iterator<std::optional<Value>> O>
  O mget(const Keys& keys, O out) {
    for (const auto& key : keys) *out++ = get(key);
    return out;
  }
  template <internal::KeysFor<ConcurrentKeyspace> Keys,
            std::output_iterator<std::optional<Value>> O>
  O mget(const Keys& keys, O out) const {
    for (const auto& key : keys) *out++ = get(key);
    return out;
  }

  // GETEX. Returns a copy of the value of a live key, and gives the key a new ttl. A ttl of zero or
  // less erases it, and the result is nullopt.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  std::optional<Value> getex(const K& key, Ttl ttl) requires std::copy_constructible<Value> {
    return redate(key, [&](Ks& keyspace, const auto& hashed) {
      const Value* const value = keyspace.getex(hashed, ttl);
      return value == nullptr ? std::nullopt : std::optional<Value>(std::in_place, *value);
    });
  }

  // GETDEL. Erases a live key and returns its value, moved out (for a listener it is copied).
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  std::optional<Value> getdel(const K& key) requires(!kIsObserved ||
                                                     std::copy_constructible<Value>) {
    return write(key, [&](Contents& contents, auto& hashed) {
      contents.flights.supersede(hashed, equal_);
      return contents.keyspace.getdel(hashed);
    });
  }

  // DEL. Erases the key. Returns true iff it was live.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  bool erase(const K& key) {
    return write(key, [&](Contents& contents, auto& hashed) {
      contents.flights.supersede(hashed, equal_);
      return contents.keyspace.erase(hashed);
    });
  }

  // PEXPIRE and PEXPIREAT, with or without a condition: see Keyspace::pexpire().
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  bool pexpire(const K& key, Ttl ttl, Condition condition = Condition::kAlways) {
    return redate(key, [&](Ks& keyspace, const auto& hashed) {
      return keyspace.pexpire(hashed, ttl, condition);
    });
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  bool pexpireat(const K& key, Deadline deadline, Condition condition = Condition::kAlways) {
    return redate(key, [&](Ks& keyspace, const auto& hashed) {
      return keyspace.pexpireat(hashed, deadline, condition);
    });
  }

  // PTTL and PEXPIRETIME: nullopt if the key is not live; kNever or time_point::max() if it is
  // persistent.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] std::optional<duration> pttl(const K& key) const {
    return look_up(internal::as_key<ConcurrentKeyspace>(key),
                   [](const Ks& keyspace, const auto& hashed) { return keyspace.pttl(hashed); });
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] std::optional<time_point> pexpiretime(const K& key) const {
    return look_up(
        internal::as_key<ConcurrentKeyspace>(key),
        [](const Ks& keyspace, const auto& hashed) { return keyspace.pexpiretime(hashed); });
  }

  // PERSIST. Returns true iff the key was live and volatile.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  bool persist(const K& key) {
    return redate(key, [](Ks& keyspace, const auto& hashed) { return keyspace.persist(hashed); });
  }

  // RENAME. Moves value and expiry of `from` to `to`, in place of whatever `to` had: at one
  // instant, also where they are in different shards. Returns true iff `from` was live.
  //
  // If memory runs out, `from` is as it was, but `to` may be gone where room had to be made within
  // a capacity.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::KeyFor<ConcurrentKeyspace> L = Key>
  bool rename(const K& from, L&& to) {
    return transfer(internal::as_key<ConcurrentKeyspace>(from),
                    internal::as_key<ConcurrentKeyspace>(std::forward<L>(to)),
                    [this](Contents& source, const auto& key, Contents& target, auto& new_key) {
                      if (has_flights(source, target) && source.keyspace.contains(key)) {
                        source.flights.supersede(key, equal_);
                        target.flights.supersede(new_key, equal_);
                      }
                      return &source == &target
                                 ? source.keyspace.rename(key, std::move(new_key))
                                 : Access::rename(source.keyspace, key, target.keyspace,
                                                  std::move(new_key));
                    });
  }

  // COPY. Copies value and expiry of `from` to `to`, at one instant. Returns true iff `from` was
  // live and `to` was not, and there was room within the capacity.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::KeyFor<ConcurrentKeyspace> L = Key>
  bool copy(const K& from, L&& to) requires std::copy_constructible<Value> {
    return transfer(internal::as_key<ConcurrentKeyspace>(from),
                    internal::as_key<ConcurrentKeyspace>(std::forward<L>(to)),
                    [this](Contents& source, const auto& key, Contents& target, auto& new_key) {
                      if (has_flights(source, target) && source.keyspace.contains(key) &&
                          !target.keyspace.contains(new_key)) {
                        target.flights.supersede(new_key, equal_);
                      }
                      return &source == &target ? source.keyspace.copy(key, std::move(new_key))
                                                : Access::copy(source.keyspace, key,
                                                               target.keyspace, std::move(new_key));
                    });
  }

  // Returns a copy of the value of a live key; else computes it, stores it with the ttl from then
  // on, and returns it. `f` is called as f() or f(const Key&), and returns what a Value is made of.
  //
  // Of threads that ask for the same key one computes, and the others wait for its value. What `f`
  // throws comes out of all their calls, and nothing is stored. Nor is it if the key is set,
  // updated, renamed or erased meanwhile, whether it was there or not: the value is then returned
  // to those who asked before that, and who asks after it computes anew. (Where it is set, that is,
  // they get what was set.)
  //
  // With `refresh_ahead`, a value that has no more than that left to live is computed anew by one
  // caller, which waits for the new one, while others get the old.
  //
  // `f` may call this keyspace. But a call that would wait for itself, directly or by way of other
  // threads and other keyspaces, throws RecursiveComputation. A ttl of zero or less stores nothing.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  Value get_or_compute(
      const K& key, Ttl ttl, F&& f,
      duration refresh_ahead = duration::zero()) requires std::copy_constructible<Value> &&
      (std::invocable<F&> || std::invocable<F&, const Key&>) {
    return get_or_compute_hashed(internal::as_key<ConcurrentKeyspace>(key), ttl, f, refresh_ahead);
  }

  // KEYS, SCAN. Calls f(key, value, deadline) for each live entry, one shard after the other, each
  // under a lock that readers share. A key that is there throughout is visited once; of what is
  // stored, renamed or erased meanwhile it may be visited or not.
  template <class F>
  void for_each(F&& f) const {
    for_each_shard([&](const Ks& keyspace) { keyspace.for_each(f); });
  }

  // Sums over all shards. peak_size is the sum of their peaks, which may have been at different
  // times.
  [[nodiscard]] Statistics statistics() const requires(Features::kStatistics);
  [[nodiscard]] size_type weight() const requires(kIsBounded) {
    return sum_of([](const Ks& keyspace) { return keyspace.weight(); });
  }
  [[nodiscard]] size_type capacity() const noexcept requires(kIsBounded) { return capacity_; }
  [[nodiscard]] size_type size() const {
    return sum_of([](const Ks& keyspace) { return keyspace.size(); });
  }
  [[nodiscard]] size_type volatile_size() const {
    return sum_of([](const Ks& keyspace) { return keyspace.volatile_size(); });
  }
  [[nodiscard]] bool empty() const { return size() == 0; }

  // FLUSHDB. Erases everything, one shard after the other.
  void clear() {
    Delivery delivery(deliveries_);
    for (std::size_t i = 0; i != shard_count(); ++i) {
      Shard& next = shard(i);
      const internal::WriterLock lock(next.mutex);
      next.contents.flights.clear();
      next.contents.keyspace.clear();
      delivery.take(Access::outbox(next.contents.keyspace));
    }
    delivery.deliver();
  }

  // Makes room for `size` entries in all, if they are spread evenly.
  void reserve(size_type size) {
    for (std::size_t i = 0; i != shard_count(); ++i) {
      write_to(shard(i), [&](Contents& contents) {
        contents.keyspace.reserve(size / shard_count() + size / shard_count() / 8 + 1);
        return true;
      });
    }
  }

  // Erases dead entries, at most `limit` of them, and returns how many it erased. A lock is held
  // for 256 of them at most. Without a limit, nothing is left of what was dead at the start (unless
  // a listener stores it again). For the rest see Keyspace::erase_expired().
  size_type erase_expired(size_type limit = std::numeric_limits<size_type>::max());

  // Returns a time before which no entry dies; nullopt if none ever will. (Others may be stored
  // before the call is over.)
  [[nodiscard]] std::optional<time_point> next_deadline() const {
    internal::Millis due = internal::kNeverMillis;
    for_each_shard([&](const Ks& keyspace) { due = std::min(due, Access::next_due(keyspace)); });
    if (due == internal::kNeverMillis) return std::nullopt;
    return Access::template to_time_point<Ks>(due);
  }

  [[nodiscard]] const Clock& clock() const noexcept { return clock_; }

  // ----------------------------------------------------------------------------------------------
  // Implementation details follow.
  // ----------------------------------------------------------------------------------------------
 private:
  friend class Reaper;
  friend struct internal::TestPeer;
  using Access = internal::ShardAccess;
  using Flights = internal::Flights<Key, Value>;
  using Flight = typename Flights::Flight;
  using Deliveries = internal::Deliveries<Key, Value, typename Features::Listener, Allocator>;
  using Delivery = typename Deliveries::Delivery;
  template <class K>
  using Hashed = internal::Hashed<K>;

  static constexpr size_type kEraseStep = 256;
  static constexpr std::size_t kLeastCapacity = 256;  // of a shard, by default
  static constexpr std::size_t kShardsPerProcessor = 32;
  static constexpr std::size_t kMostShards = 256;  // by default: one with expiries takes some 10 KB

  struct Contents {
    Ks keyspace;
    Flights flights;
  };
  struct alignas(ABSL_CACHELINE_SIZE) Shard {
    explicit Shard(Ks keyspace) : contents{std::move(keyspace), {}} {}
    mutable absl::Mutex mutex;
    Contents contents ABSL_GUARDED_BY(mutex);
  };

  // Where a Reaper sees this.
  class Reaped final : public internal::Reaped {
   public:
    explicit Reaped(ConcurrentKeyspace& keyspace) noexcept : keyspace_(keyspace) {}
    ~Reaped() { leave(); }

   private:
    using Due = internal::Reaped::Due;
    void make_step(std::size_t step) override { keyspace_.erase_expired(step); }
    Due next_due() override {
      Due due;
      const auto deadline = keyspace_.next_deadline();
      if (!deadline) return due;
      due.deadline = deadline->time_since_epoch().count();
      const internal::Millis now =
          internal::floor_millis(keyspace_.clock_.now().time_since_epoch());
      due.left = due.deadline <= now ? 0 : internal::time_left(due.deadline, now);
      return due;
    }
    ConcurrentKeyspace& keyspace_;
  };
  Reaped& reaped() noexcept { return reaped_; }

  static std::size_t shards_for(const Options& options) {
    const std::size_t processors = std::max<std::size_t>(std::thread::hardware_concurrency(), 1);
    const std::size_t shards = std::bit_ceil(
        options.shards != 0 ? options.shards
                            : std::min(kShardsPerProcessor * processors, kMostShards));
    if constexpr (kIsBounded) {
      const std::size_t least = options.shards != 0 ? 1 : kLeastCapacity;
      const std::size_t most = std::max<std::size_t>(options.capacity / least, 1);
      return std::min(shards, std::bit_floor(most));
    } else {
      return shards;
    }
  }

  [[nodiscard]] std::size_t shard_count() const noexcept { return std::size_t{1} << shard_bits_; }
  [[nodiscard]] Shard& shard(std::size_t i) const noexcept { return *shards_[i]; }
  // The map in the shard uses the low bits of the hash, or the high ones; so they are mixed.
  [[nodiscard]] Shard& shard_of(std::size_t hash) const noexcept {
    const std::uint64_t mixed = static_cast<std::uint64_t>(hash) * 0x9e3779b97f4a7c15;
    return shard(static_cast<std::size_t>(mixed >> 32 << shard_bits_ >> 32));
  }
  template <class K>
  Hashed<K> hashed(K&& key) const {
    const std::size_t hash = static_cast<std::size_t>(hash_(std::as_const(key)));
    return {std::forward<K>(key), hash};
  }

  // --- Reading ---

  template <class K, class F>
  auto look_up(const K& key, const F& f) const {
    const auto hashed_key = hashed(key);
    const Shard& shard = shard_of(hashed_key.hash);
    const internal::ReaderLock lock(shard.mutex);
    return f(shard.contents.keyspace, hashed_key);
  }
  template <class K, class F>
  bool read(const K& key, F& f) const {
    return look_up(key, [&](const Ks& keyspace, const auto& hashed_key) {
      const Value* const value = keyspace.find(hashed_key);
      if (value != nullptr) std::invoke(f, *value);
      return value != nullptr;
    });
  }
  // The same as a request.
  template <class K, class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool read(const K& key, F& f) {
    const auto hashed_key = hashed(key);
    Shard& shard = shard_of(hashed_key.hash);
    {
      const internal::ReaderLock lock(shard.mutex);
      const auto request = Access::request(shard.contents.keyspace, hashed_key);
      if (request.value != nullptr) std::invoke(f, *request.value);
      if (!request.slides) return request.value != nullptr;
    }
    return write_to(shard, [&](Contents& contents) {
      const Value* const value = contents.keyspace.find(hashed_key);
      if (value != nullptr) std::invoke(f, *value);
      return value != nullptr;
    });
  }
  template <class Self, class K>
  static std::optional<Value> copy_by(Self& self, const K& key) {
    std::optional<Value> copy;
    self.visit(key, [&copy](const Value& value) { copy.emplace(value); });
    return copy;
  }

  // --- Writing ---

  // Returns f(contents of a shard), called under its lock, after all that comes after a change.
  template <class F>
  auto write_to(Shard& shard, const F& f) {
    Delivery delivery(deliveries_);
    internal::Millis due;
    auto result = [&] {
      const internal::WriterLock lock(shard.mutex);
      auto changed = f(shard.contents);
      delivery.take(Access::outbox(shard.contents.keyspace));
      due = Access::next_due(shard.contents.keyspace);
      return changed;
    }();
    reaped_.note_due(due);
    delivery.deliver();
    return result;
  }
  template <class K, class F>
  auto write(K&& key, const F& f) {
    return write_hashed(internal::as_key<ConcurrentKeyspace>(std::forward<K>(key)), f);
  }
  template <class K, class F>
  auto write_hashed(K&& key, const F& f) {
    auto hashed_key = hashed(std::forward<K>(key));
    return write_to(shard_of(hashed_key.hash),
                    [&](Contents& contents) { return f(contents, hashed_key); });
  }
  template <class K, class V, class... Expiry>
  void set_with(K&& key, V&& value, Expiry... expiry) {
    write(std::forward<K>(key), [&](Contents& contents, auto& hashed_key) {
      contents.flights.supersede(hashed_key, equal_);
      contents.keyspace.set(std::move(hashed_key), std::forward<V>(value), expiry...);
      return true;
    });
  }
  template <class K, class V, class... Expiry>
  bool insert_with(K&& key, V&& value, Expiry... expiry) {
    return write(std::forward<K>(key), [&](Contents& contents, auto& hashed_key) {
      if (!contents.flights.empty() && !contents.keyspace.contains(hashed_key)) {
        contents.flights.supersede(hashed_key, equal_);
      }
      return contents.keyspace.insert(std::move(hashed_key), std::forward<V>(value), expiry...);
    });
  }
  template <class K, class V, class... Expiry>
  bool replace_with(K&& key, V&& value, Expiry... expiry) {
    return write(std::forward<K>(key), [&](Contents& contents, auto& hashed_key) {
      if (!contents.flights.empty() && contents.keyspace.contains(hashed_key)) {
        contents.flights.supersede(hashed_key, equal_);
      }
      return contents.keyspace.replace(std::move(hashed_key), std::forward<V>(value), expiry...);
    });
  }
  // Changes an expiry, by which the key may be erased.
  template <class K, class F>
  auto redate(const K& key, const F& f) {
    return write(key, [&](Contents& contents, auto& hashed_key) {
      const bool may_be_erased =
          !contents.flights.empty() && contents.keyspace.contains(hashed_key);
      auto result = f(contents.keyspace, hashed_key);
      if (may_be_erased && !contents.keyspace.contains(hashed_key)) {
        contents.flights.supersede(hashed_key, equal_);
      }
      return result;
    });
  }

  static bool has_flights(const Contents& a, const Contents& b) noexcept {
    return !a.flights.empty() || !b.flights.empty();
  }

  // Returns f(source, key, target, key) of the shards of two keys, both of which are locked.
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
    internal::Millis due;
    const bool result = [&] {
      // Which shard comes first is the same for all, so no two calls wait for each other.
      const bool is_source_first = std::less<>()(&source, &target);
      const internal::WriterLock first(is_source_first ? source.mutex : target.mutex);
      const internal::WriterLock second(is_source_first ? target.mutex : source.mutex);
      source.mutex.AssertHeld();
      target.mutex.AssertHeld();
      const bool is_done = f(source.contents, hashed_from, target.contents, hashed_to);
      delivery.take(Access::outbox(source.contents.keyspace));
      delivery.take(Access::outbox(target.contents.keyspace));
      due = Access::next_due(target.contents.keyspace);
      return is_done;
    }();
    reaped_.note_due(due);
    delivery.deliver();
    return result;
  }

  // --- Computing ---

  template <class K, class F>
  Value get_or_compute_hashed(const K& key, Ttl ttl, F& f, duration refresh_ahead) {
    const auto hashed_key = hashed(key);
    Shard& shard = shard_of(hashed_key.hash);
    const auto is_to_refresh = [&](const Ks& keyspace, internal::Millis deadline) {
      return refresh_ahead > duration::zero() && deadline != internal::kNeverMillis &&
             internal::time_left(deadline, Access::now(keyspace)) <= refresh_ahead.count();
    };
    bool is_noted = false;
    {
      const internal::ReaderLock lock(shard.mutex);
      const auto request = Access::request(shard.contents.keyspace, hashed_key);
      if (request.value != nullptr &&
          (!is_to_refresh(shard.contents.keyspace, request.deadline) ||
           shard.contents.flights.find(hashed_key, equal_) != nullptr)) {
        return *request.value;
      }
      is_noted = !request.slides;
    }
    typename Flights::Pointer flight;
    std::optional<std::packaged_task<Value()>> task;
    Delivery delivery(deliveries_);
    {
      const internal::WriterLock lock(shard.mutex);
      const Value* const value = is_noted ? shard.contents.keyspace.peek(hashed_key)
                                          : shard.contents.keyspace.find(hashed_key);
      flight = shard.contents.flights.find(hashed_key, equal_);
      if (value != nullptr &&
          (flight != nullptr ||
           !is_to_refresh(shard.contents.keyspace,
                          Access::deadline(shard.contents.keyspace, hashed_key)))) {
        return *value;
      }
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
      const internal::WaitGraph::Wait wait(flight->pilot, flight->has_landed);
      if (wait.is_circular()) {
        // As `throw` would do, but it also compiles where exceptions are turned off.
        std::rethrow_exception(std::make_exception_ptr(RecursiveComputation()));
      }
      flight->result.wait();
    }
    return flight->result.get();
  }

  template <class F>
  Value compute(Shard& shard, Flight& flight, Ttl ttl, F& f, Delivery& delivery) {
    // However this ends, nobody is to begin to wait for it then.
    struct Land {
      ~Land() {
        const internal::WriterLock lock(shard.mutex);
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
    internal::Millis due;
    {
      const internal::WriterLock lock(shard.mutex);
      if (!shard.contents.flights.remove(&flight)) return value;
      Hashed<Key> hashed_key{std::move(flight.key), flight.hash};
      shard.contents.keyspace.set(std::move(hashed_key), std::as_const(value), ttl);
      delivery.take(Access::outbox(shard.contents.keyspace));
      due = Access::next_due(shard.contents.keyspace);
    }
    reaped_.note_due(due);
    return value;
  }

  // --- All shards ---

  template <class F>
  void for_each_shard(const F& f) const {
    for (std::size_t i = 0; i != shard_count(); ++i) {
      const Shard& next = shard(i);
      const internal::ReaderLock lock(next.mutex);
      f(next.contents.keyspace);
    }
  }
  template <class F>
  [[nodiscard]] std::size_t sum_of(const F& f) const {
    std::size_t sum = 0;
    for_each_shard([&](const Ks& keyspace) { sum += f(keyspace); });
    return sum;
  }

  [[no_unique_address]] Clock clock_;
  [[no_unique_address]] Hash hash_;
  ShardEqual equal_;
  std::size_t capacity_ = 0;
  [[no_unique_address]] typename Features::Weigher weigher_;
  int shard_bits_;
  std::unique_ptr<std::optional<Shard>[]> shards_;
  Deliveries deliveries_;
  std::atomic<std::size_t> next_to_reclaim_ = 0;
  Reaped reaped_{*this};  // the last member, so that it goes before what it looks at
};

template <class Key, class Value, TimeSource Clock, class Hash, class Equal, class Allocator,
          FeatureSet Features>
ConcurrentKeyspace<Key, Value, Clock, Hash, Equal, Allocator, Features>::ConcurrentKeyspace(
    Clock clock, Options options, const Hash& hash, const Equal& equal, const Allocator& allocator)
    : clock_(std::move(clock)),
      hash_(hash),
      equal_{equal},
      weigher_(std::move(options.weigher)),
      shard_bits_(std::countr_zero(shards_for(options))),
      shards_(std::make_unique<std::optional<Shard>[]>(shard_count())),
      deliveries_(std::move(options.listener), allocator) {
  if constexpr (kIsBounded) capacity_ = options.capacity;
  for (std::size_t i = 0; i != shard_count(); ++i) {
    keyspace::Options<ShardFeatures> of_shard{
        .capacity =
            [&] {
              if constexpr (kIsBounded) {
                return internal::Capacity(capacity_ / shard_count() +
                                          (i < capacity_ % shard_count() ? 1 : 0));
              } else {
                return internal::Absent<0>();
              }
            }(),
        .weigher =
            [&] {
              if constexpr (internal::kIsWeighed<Features>) {
                return internal::SharedWeigher<typename Features::Weigher>{&weigher_};
              } else {
                return OneEach();
              }
            }(),
        .expire_after_access = options.expire_after_access};
    shards_[i].emplace(
        Ks(clock_, std::move(of_shard), ShardHash{hash}, ShardEqual{equal}, allocator));
  }
}

template <class Key, class Value, TimeSource Clock, class Hash, class Equal, class Allocator,
          FeatureSet Features>
Statistics ConcurrentKeyspace<Key, Value, Clock, Hash, Equal, Allocator, Features>::statistics()
    const requires(Features::kStatistics) {
  Statistics sum;
  for_each_shard([&](const Ks& keyspace) { sum += keyspace.statistics(); });
  return sum;
}

template <class Key, class Value, TimeSource Clock, class Hash, class Equal, class Allocator,
          FeatureSet Features>
std::size_t ConcurrentKeyspace<Key, Value, Clock, Hash, Equal, Allocator, Features>::erase_expired(
    size_type limit) {
  const internal::Millis start = internal::floor_millis(clock_.now().time_since_epoch());
  // What dies after the start is left; and so is what lives again as the clock goes back.
  const auto is_due_in = [start](const Ks& keyspace) {
    const internal::Millis due = Access::next_due(keyspace);
    return due <= start && due <= Access::now(keyspace);
  };
  // With a small limit it takes several calls to come round.
  const std::size_t first = next_to_reclaim_.load(std::memory_order_relaxed);
  size_type erased = 0;
  size_type left = limit;
  std::size_t i = 0;
  for (; i != shard_count() && left != 0; ++i) {
    Shard& next = shard((first + i) % shard_count());
    bool is_due;
    {
      const internal::ReaderLock lock(next.mutex);
      is_due = is_due_in(next.contents.keyspace);
    }
    while (is_due && left != 0) {
      const size_type step = std::min(left, kEraseStep);
      erased += write_to(next, [&](Contents& contents) {
        const size_type count = contents.keyspace.erase_expired(step);
        is_due = is_due_in(contents.keyspace);
        return count;
      });
      if (limit != std::numeric_limits<size_type>::max()) left -= step;
    }
  }
  // The one in which the limit was reached may have more.
  next_to_reclaim_.store(first + i - (left == 0 ? 1 : 0), std::memory_order_relaxed);
  return erased;
}

// A keyspace with a bound that threads share, in the order of parameters that suits a cache.
template <class Key, class Value, FeatureSet Features = CacheFeatures,
          TimeSource Clock = std::chrono::steady_clock, class Hash = internal::DefaultHash<Key>,
          class Equal = internal::DefaultEqual<Key>,
          class Allocator = std::allocator<std::pair<const Key, Value>>>
using ConcurrentCache = ConcurrentKeyspace<Key, Value, Clock, Hash, Equal, Allocator, Features>;

}  // namespace keyspace

#endif  // KEYSPACE_CONCURRENT_KEYSPACE_H_
