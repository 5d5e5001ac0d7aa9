#ifndef KEYSPACE_CONCURRENT_KEYSPACE_H_
#define KEYSPACE_CONCURRENT_KEYSPACE_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "keyspace/clock.h"
#include "keyspace/condition.h"
#include "keyspace/features.h"
#include "keyspace/internal/hashing.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/reaped.h"
#include "keyspace/internal/shard.h"
#include "keyspace/internal/shards.h"
#include "keyspace/keyspace.h"
#include "keyspace/recursive_computation.h"
#include "keyspace/statistics.h"

namespace keyspace {

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
//   1. A call that concerns one key, or two in rename() and copy(), takes effect at one instant
//      between its start and its end. (But it may read the clock more than once.)
//   2. Reads share a lock: get(), visit(), contains(), pttl(), pexpiretime() and get_or_compute()
//      of a value that is there wait for no reader, and for a writer only in the same shard (which
//      may wait for a reader itself). They do so too if the key is dead. (But where expiries slide
//      with use, a request that moves a deadline is a write.)
//   3. No lock is held while a listener, or a computation, is called. visit(), update() and
//      for_each() call their function with a shard locked. Such a function must not call this
//      keyspace: a call that waits for the lock of the function's own shard aborts the program,
//      with a message (but may deadlock, if made by a library that dlopen() has loaded), and any
//      other may deadlock. It may call another keyspace, if no function that is called with a lock
//      of that one calls this one. The weigher, hash, equality, clock, allocator, and the
//      operations of keys and values must not call this keyspace either.
//   4. A call locks one shard at a time; rename() and copy() lock two, in the order of the shards.
//
// Instead of pointers, which other threads could invalidate, get() returns copies, and visit() and
// update() call a function. The clock, weigher, hash and equality, and the copying of values, are
// called by several threads at once, and so must be safe to; so must the allocator, and the
// listener. Each shard has copies of clock, hash, equality and allocator, so those of a clock must
// tell the same time. Of a move-only value all but get(), mget(), getex(), copy() and
// get_or_compute() is to be had.
//
// Features. The capacity is divided among the shards: an entry has to go when its shard is full,
// which may be a little before the whole is; and one that weighs more than its shard's part is
// refused. A policy knows its own shard. So a small cache has few shards, unless Options say
// otherwise. Besides the requests of a Keyspace, visit(), update() and get_or_compute() are some.
// A listener is called on the thread in whose call the entry left, when its lock is released; so
// several may call it at once, and other threads be ahead of what it is told. Of what it throws,
// and all else, see removal.h.
//
// It can neither be moved nor copied.
template <class Key, class Value, TimeSource Clock = SteadyClock,
          class Hash = internal::DefaultHash<Key>, class Equal = internal::DefaultEqual<Key>,
          class Allocator = std::allocator<std::pair<const Key, Value>>,
          FeatureSet Features = DefaultFeatures>
class ConcurrentKeyspace {
  using Ttl = internal::Ttl;
  using Deadline = internal::Deadline<internal::ClockOf<Clock>>;
  using ShardHash = internal::HashedHash<Key, Hash>;
  using ShardEqual = internal::HashedEqual<Key, Equal>;
  static_assert(internal::check_features<Features, Key, Value>());
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
  // rounded up to a power of two, but no more than the capacity or 65,536. By default, 0, these are
  // 32 for each processor and 256 at most; in a bounded keyspace so few that each may hold 256 of
  // the capacity; and with a weigher no more than 8, for an entry may weigh no more than its
  // shard's part, an eighth then.
  struct Options {
    using Of = keyspace::Options<Features>;
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS decltype(Of::capacity) capacity = {};
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS typename Features::Weigher weigher = {};
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS typename Features::Listener listener = {};
    KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS decltype(Of::expire_after_access) expire_after_access = {};
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
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  requires std::invocable<F&, const Value&>
  bool visit(const K& key, F&& f) {
    return look_up(*this, key,
                   internal::calling_user([&f](const Value& value) { std::invoke(f, value); }));
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  requires std::invocable<F&, const Value&>
  bool visit(const K& key, F&& f) const {
    return look_up(*this, key,
                   internal::calling_user([&f](const Value& value) { std::invoke(f, value); }));
  }

  // Calls f(Value&) for a live key, and nothing else is done in its shard meanwhile. Returns
  // whether the key was live. The expiry stays as it is. A weigher is asked for the new weight; so
  // others may have to go, or the entry itself if it has become too heavy. If `f` throws, what it
  // did to the value stays, and the weight is not asked for. A request.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  requires std::invocable<F&, Value&>
  bool update(const K& key, F&& f) {
    return write(
        key, internal::calling_user([&](Contents& contents, auto& hashed) {
          const auto flight = contents.flights.find(hashed);
          Value* const value = contents.keyspace.find(hashed);
          if (value == nullptr) return false;
          contents.flights.remove(flight);  // first, for `f` may change the value and then throw
          std::invoke(f, *value);
          if constexpr (internal::kIsWeighed<Features>) Access::reweigh(contents.keyspace, hashed);
          return true;
        }));
  }

  // EXISTS. Returns whether the key is live.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] bool contains(const K& key) const {
    return look_up(*this, key, [](const Value&) {});
  }

  // MGET. Writes to `out`, for each key in turn, what get() returns for it, and returns `out`
  // behind the last. Each key is looked up at an instant of its own.
  template <internal::KeysFor<ConcurrentKeyspace> Keys,
            std::output_iterator<std::optional<Value>> O>
  O mget(const Keys& keys, O out) requires std::copy_constructible<Value> {
    for (const auto& key : keys) *out++ = get(key);
    return out;
  }
  template <internal::KeysFor<ConcurrentKeyspace> Keys,
            std::output_iterator<std::optional<Value>> O>
  O mget(const Keys& keys, O out) const requires std::copy_constructible<Value> {
    for (const auto& key : keys) *out++ = get(key);
    return out;
  }

  // GETEX. Returns a copy of the value of a live key, and gives the key a new ttl. A ttl of zero or
  // less erases it, and the result is nullopt.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  std::optional<Value> getex(const K& key, Ttl ttl) requires std::copy_constructible<Value> {
    return redate(key, [&](Ks& keyspace, const auto& hashed) {
      // Copied first: if that throws, the ttl is as it was.
      const Value* const value = keyspace.peek(hashed);
      auto copy = value == nullptr ? std::nullopt : std::optional<Value>(std::in_place, *value);
      if (keyspace.getex(hashed, ttl) == nullptr) copy.reset();
      return copy;
    });
  }

  // GETDEL. Erases a live key and returns its value, moved out (for a listener it is copied).
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  std::optional<Value> getdel(const K& key) requires(!kIsObserved ||
                                                     std::copy_constructible<Value>) {
    return change(key, [](Ks& keyspace, auto& hashed) {
      return Outcome{keyspace.getdel(hashed), true};
    });
  }

  // DEL. Erases the key. Returns true iff it was live.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  bool erase(const K& key) {
    return change(key, [](Ks& keyspace, auto& hashed) {
      return Outcome{keyspace.erase(hashed), true};
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
    return shards_.read(
        internal::as_key<ConcurrentKeyspace>(key),
        [](const Ks& keyspace, const auto& hashed) { return keyspace.pttl(hashed); });
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] std::optional<time_point> pexpiretime(const K& key) const {
    return shards_.read(
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
    return shards_.transfer(internal::as_key<ConcurrentKeyspace>(from),
                            internal::as_key<ConcurrentKeyspace>(std::forward<L>(to)),
                            [](Contents& source, const auto& key, Contents& target, auto& new_key) {
                              const auto from_flight = source.flights.find(key);
                              const auto to_flight = target.flights.find(new_key);
                              const bool is_renamed = Access::rename(
                                  source.keyspace, key, target.keyspace, std::move(new_key));
                              // They are the same if there is none, or if the key was renamed to
                              // itself.
                              if (is_renamed && from_flight != to_flight) {
                                source.flights.remove(from_flight);
                                target.flights.remove(to_flight);
                              }
                              return is_renamed;
                            });
  }

  // COPY. Copies value and expiry of `from` to `to`, at one instant. Returns true iff `from` was
  // live and `to` was not, and there was room within the capacity.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::KeyFor<ConcurrentKeyspace> L = Key>
  bool copy(const K& from, L&& to) requires std::copy_constructible<Value> {
    return shards_.transfer(internal::as_key<ConcurrentKeyspace>(from),
                            internal::as_key<ConcurrentKeyspace>(std::forward<L>(to)),
                            [](Contents& source, const auto& key, Contents& target, auto& new_key) {
                              const auto flight = target.flights.find(new_key);
                              const bool is_copied = Access::copy(
                                  source.keyspace, key, target.keyspace, std::move(new_key));
                              if (is_copied) target.flights.remove(flight);
                              return is_copied;
                            });
  }

  // Returns a copy of the value of a live key; else computes it, stores it with the ttl (kNever for
  // none) from then on, and returns it. `f` is called as f() or f(const Key&), and returns what a
  // Value is made of. A ttl of zero or less stores nothing, and erases what was there. A request,
  // which may miss.
  //
  // Of threads that ask for the same key one computes, and the others wait for its value. What `f`
  // throws comes out of the calls of all of them, and nothing is stored.
  //
  // If the key is set, updated, renamed or erased meanwhile, that stays (also if it was not there
  // to be erased): the value that was computed is returned to those who asked for it before, and
  // is not stored. Who asks afterwards gets what is there then, or computes anew. A new expiry
  // alone is no such change.
  //
  // With `refresh_ahead`, a value that has no more than that left to live is computed anew by one
  // caller, whose call returns the new one, or throws what `f` throws; the others get the old one.
  // It should be much less than the ttl: where it is not, each call computes. What is persistent
  // is never refreshed. (Where expiries slide with use, what was left before this call counts.)
  //
  // `f` may call this keyspace. But a call that would wait for itself, directly or by way of other
  // threads and other keyspaces, throws RecursiveComputation.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, internal::ComputationOf<Key, Value> F>
  Value get_or_compute(const K& key, Ttl ttl, F&& f, Ttl refresh_ahead = duration::zero()) requires(
      std::copy_constructible<Value>&& std::constructible_from<Key, const K&>) {
    return shards_.get_or_compute(internal::as_key<ConcurrentKeyspace>(key), ttl, f, refresh_ahead);
  }

  // KEYS, SCAN. Calls f(key, value, deadline) for each live entry, one shard after the other, each
  // under a lock that readers share. A key that is there throughout is visited once; of what is
  // stored, renamed or erased meanwhile it may be visited or not.
  template <class F>
  void for_each(F&& f) const {
    shards_.for_each(internal::calling_user([&](const Ks& keyspace) { keyspace.for_each(f); }));
  }

  // Sums over all shards. peak_size is the sum of their peaks, which may have been at different
  // times.
  [[nodiscard]] Statistics statistics() const requires(Features::kStatistics) {
    Statistics sum;
    shards_.for_each([&](const Ks& keyspace) { sum += keyspace.statistics(); });
    return sum;
  }
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
    shards_.write_each([](Contents& contents) {
      contents.keyspace.clear();
      contents.flights.clear();
    });
  }

  // Makes room for `size` entries in all, if they are spread evenly.
  void reserve(size_type size) { shards_.reserve(size); }

  // Erases dead entries, at most `limit` of them, and returns how many it erased. A lock is held
  // for 256 of them at most. Without a limit, nothing is left of what was dead at the start (unless
  // a listener stores it again). For the rest see Keyspace::erase_expired().
  size_type erase_expired(size_type limit = internal::kUnlimited) {
    return shards_.erase_expired(internal::floor_millis(clock_.now().time_since_epoch()), limit);
  }

  // Returns a time before which no entry dies; nullopt if none ever will. (Others may be stored
  // before the call is over.)
  [[nodiscard]] std::optional<time_point> next_deadline() const {
    const internal::Millis due = shards_.next_due();
    if (due == internal::kNeverMillis) return std::nullopt;
    return Access::template to_time_point<Ks>(due);
  }

  // Into how many the keys are divided.
  [[nodiscard]] size_type shards() const noexcept { return shards_.count(); }

  [[nodiscard]] const Clock& clock() const noexcept { return clock_; }

  // ----------------------------------------------------------------------------------------------
  // Implementation details follow.
  // ----------------------------------------------------------------------------------------------
 private:
  friend class Reaper;
  friend struct internal::TestPeer;
  using Access = internal::ShardAccess;
  using Shards = internal::Shards<Ks, typename Features::Listener>;
  using Contents = typename Shards::Contents;

  static constexpr std::size_t kLeastCapacity = 256;  // of a shard, by default
  static constexpr std::size_t kShardsPerProcessor = 32;
  static constexpr std::size_t kMostShards = 256;  // by default: one with expiries takes some 10 KB
  static constexpr std::size_t kMostWeighedShards = 8;
  static constexpr std::size_t kShardLimit = std::size_t{1} << 16;

  internal::Reaped& reaped() noexcept { return shards_.reaped(); }

  static std::size_t shards_for(const Options& options) {
    const std::size_t most = internal::kIsWeighed<Features> ? kMostWeighedShards : kMostShards;
    std::size_t shards = std::min<std::size_t>(options.shards, kShardLimit);
    if (shards == 0)
      shards = std::min<std::size_t>(kShardsPerProcessor * internal::processor_count(), most);
    shards = std::bit_ceil(shards);
    if constexpr (kIsBounded) {
      const std::size_t least = options.shards != 0 ? 1 : kLeastCapacity;
      shards = std::min<std::size_t>(
          shards, std::bit_floor(std::max<std::size_t>(options.capacity / least, 1)));
    }
    return shards;
  }

  // The options of a shard.
  keyspace::Options<ShardFeatures> part_of(Options& options, std::size_t shard) const {
    keyspace::Options<ShardFeatures> part{
        .capacity =
            [&] {
              if constexpr (kIsBounded) {
                const std::size_t count = shards_for(options);
                return internal::Capacity(capacity_ / count + (shard < capacity_ % count ? 1 : 0));
              } else {
                return internal::Absent<0>();
              }
            }(),
        .expire_after_access = options.expire_after_access};
    if constexpr (internal::kIsWeighed<Features>) part.weigher = {&weigher_};
    return part;
  }
  static std::size_t capacity_of(const Options& options) {
    if constexpr (kIsBounded) {
      return options.capacity;
    } else {
      return 0;
    }
  }

  template <class Self, class K>
  static std::optional<Value> copy_by(Self& self, const K& key) {
    std::optional<Value> copy;
    look_up(self, key, [&copy](const Value& value) { copy.emplace(value); });
    return copy;
  }

  // Calls f(value) for a live key, and returns whether it is one. A request unless Self is const.
  template <class Self, class K, class F>
  static bool look_up(Self& self, const K& key, const F& f) {
    return self.shards_.look_up(internal::as_key<ConcurrentKeyspace>(key), f);
  }

  template <class K, class F>
  auto write(K&& key, const F& f) {
    return shards_.write(internal::as_key<ConcurrentKeyspace>(std::forward<K>(key)), f);
  }

  // What a change of one key returns, and whether it supersedes a computation for the key.
  template <class T>
  struct Outcome {
    T result;
    bool supersedes;
  };
  template <class T>
  Outcome(T, bool) -> Outcome<T>;
  // Returns f(keyspace, key).result.
  template <class K, class F>
  auto change(K&& key, const F& f) {
    return write(std::forward<K>(key), [&](Contents& contents, auto& hashed) {
      const auto flight = contents.flights.find(hashed);  // before `hashed` is moved from
      auto outcome = f(contents.keyspace, hashed);
      if (outcome.supersedes) contents.flights.remove(flight);
      return std::move(outcome.result);
    });
  }

  template <class K, class V, class... Expiry>
  void set_with(K&& key, V&& value, Expiry... expiry) {
    change(std::forward<K>(key), [&](Ks& keyspace, auto& hashed) {
      Access::prefetch(keyspace, hashed);
      keyspace.set(std::move(hashed), std::forward<V>(value), expiry...);
      return Outcome{true, true};
    });
  }
  template <class K, class V, class... Expiry>
  bool insert_with(K&& key, V&& value, Expiry... expiry) {
    return change(std::forward<K>(key), [&](Ks& keyspace, auto& hashed) {
      const bool is_stored = keyspace.insert(std::move(hashed), std::forward<V>(value), expiry...);
      return Outcome{is_stored, is_stored};
    });
  }
  template <class K, class V, class... Expiry>
  bool replace_with(K&& key, V&& value, Expiry... expiry) {
    return change(std::forward<K>(key), [&](Ks& keyspace, auto& hashed) {
      const std::size_t size = keyspace.size();
      const bool is_stored = keyspace.replace(std::move(hashed), std::forward<V>(value), expiry...);
      // A value that has no room is not stored, but the key is erased.
      return Outcome{is_stored, is_stored || keyspace.size() < size};
    });
  }
  // Changes an expiry, by which the key may be erased.
  template <class K, class F>
  auto redate(const K& key, const F& f) {
    return change(key, [&](Ks& keyspace, auto& hashed) {
      const std::size_t size = keyspace.size();
      auto result = f(keyspace, hashed);
      return Outcome{std::move(result), keyspace.size() < size};
    });
  }

  template <class F>
  [[nodiscard]] std::size_t sum_of(const F& f) const {
    std::size_t sum = 0;
    shards_.for_each([&](const Ks& keyspace) { sum += f(keyspace); });
    return sum;
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Clock clock_;
  std::size_t capacity_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS typename Features::Weigher weigher_;
  Shards shards_;
};

template <class Key, class Value, TimeSource Clock, class Hash, class Equal, class Allocator,
          FeatureSet Features>
ConcurrentKeyspace<Key, Value, Clock, Hash, Equal, Allocator, Features>::ConcurrentKeyspace(
    Clock clock, Options options, const Hash& hash, const Equal& equal, const Allocator& allocator)
    : clock_(std::move(clock)),
      capacity_(capacity_of(options)),
      weigher_(std::move(options.weigher)),
      shards_(
          std::countr_zero(shards_for(options)),
          [&](std::size_t i) {
            return Ks(clock_, part_of(options, i), ShardHash{hash}, ShardEqual{equal}, allocator);
          },
          ShardHash{hash}, ShardEqual{equal}, std::move(options.listener), allocator) {}

// A keyspace with a bound that threads share, in the order of parameters that suits a cache.
template <class Key, class Value, FeatureSet Features = CacheFeatures,
          TimeSource Clock = SteadyClock, class Hash = internal::DefaultHash<Key>,
          class Equal = internal::DefaultEqual<Key>,
          class Allocator = std::allocator<std::pair<const Key, Value>>>
using ConcurrentCache = ConcurrentKeyspace<Key, Value, Clock, Hash, Equal, Allocator, Features>;

}  // namespace keyspace

#endif  // KEYSPACE_CONCURRENT_KEYSPACE_H_
