// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_CONCURRENT_KEYSPACE_H_
#define KEYSPACE_CONCURRENT_KEYSPACE_H_

#include "keyspace/internal/config.h"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "keyspace/clock.h"
#include "keyspace/computation.h"
#include "keyspace/condition.h"
#include "keyspace/expiry.h"
#include "keyspace/internal/computed_value.h"
#include "keyspace/internal/concurrent_engine.h"
#include "keyspace/internal/key_concepts.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/reaper_client.h"
#include "keyspace/options.h"
#include "keyspace/statistics.h"

namespace keyspace {

// A Keyspace for many threads. It has the calls of Keyspace, except find(), with the same meanings
// (see keyspace.h). Any thread may make any call at any time. The keys are divided among shards,
// and each shard has a lock.
//
//   keyspace::ConcurrentKeyspace<std::string, std::string> pages;
//   keyspace::Reaper reaper(pages);  // a thread that erases expired entries: see reaper.h
//   std::string page = pages.get_or_compute("/", 10min, [] { return render("/"); });
//
// It has no transactions. A call for one key, and a rename() or copy() of two, is atomic. A call
// for all keys (size(), for_each(), clear(), statistics(), ...) reads or changes one shard after
// the other.
//
// Invariants
//   1. A call for one key, or for two, takes effect at one instant between its start and its end.
//      (It may read the clock more than once.)
//   2. Calls that only read share the lock of a shard: get(), peek(), visit(), contains(), pttl(),
//      pexpiretime(), and get_or_compute() of a live value. They do not wait for each other. They
//      wait only for a writer in the same shard. That writer may be waiting for a reader. (With
//      WithExpireAfterAccess, a request that postpones an expiry is a write.)
//   3. A listener and a computation are called without a lock. They may call this keyspace.
//   4. visit(), update(), compute(), erase_if(), for_each() and for_each_until() call their
//      function with a shard locked. The function must not call this keyspace. If such a call has
//      to wait for the lock of the same shard, the program aborts with a message. (In a library
//      loaded by dlopen() it may wait forever.) Any other call may wait forever, or work by chance.
//      The function may call another keyspace, unless a function that runs under that keyspace's
//      lock calls this one.
//   5. The weigher, the hash, the equality, the clock, the allocator, and the operations of keys
//      and values must not call this keyspace. Several threads may call them, and the listener, at
//      once.
//   6. A call locks one shard at a time; rename() and copy() lock two, in the order of the shards.
//
// Values. Other threads could invalidate a pointer. So get() returns a copy, and visit(), update()
// and compute() call a function. With a move-only Value there is no get(), peek(), mget(), getex(),
// copy() and get_or_compute(), and no getdel() if there is a listener. With a move-only Key there
// is no compute(), get_or_compute() and for_each_until(). If a move of a Value throws while
// getex(), getdel() or get_or_compute() returns it, the call has taken effect.
//
// Options and Config: see options.h. The capacity is divided among the shards. An entry is evicted
// when its shard is full, which may be a little before the whole keyspace is. An entry that weighs
// more than the capacity of its shard is refused. The policy of a shard knows only that shard. So a
// small cache has few shards, unless Config says otherwise.
//
// Requests are get(), mget(), visit(), update(), compute(), getex(), getdel() and get_or_compute().
// Where a policy, statistics or an idle time depends on them, get(), mget() and visit() do not
// compile on a const keyspace.
//
// Listener. It is called on the thread whose call removed the entry, after the lock is released. So
// several threads may call it at once, and other threads may have changed the key again by then.
//
// fork(). If another thread was in a call at the fork, a lock may be held in the child by a thread
// that does not exist there. The thread of a Reaper does not exist there either, and the
// destructors of the Reaper and of its keyspaces may wait for it forever. So the child may only
// call exec() or _exit(). Exception: if no Reaper and no other thread uses the keyspace, the child
// may use it.
//
// A ConcurrentKeyspace can be neither moved nor copied.
template <class Key, class Value, class... Options>
class ConcurrentKeyspace {
  using Choices = internal::Choices<Key, Value, Options...>;
  using Engine = internal::ConcurrentEngine<Choices>;
  static constexpr bool kUsesRequests = Engine::kUsesRequests;
  template <class K>
  using EntryOf = typename Engine::template EntryOf<std::remove_cvref_t<
      decltype(internal::as_key<ConcurrentKeyspace>(std::declval<const K&>()))>>;
  static constexpr bool kIsComputable = Choices::kIsComputable;

 public:
  using key_type = Key;
  using mapped_type = Value;
  using clock_type = typename Choices::Clock;
  using hasher = typename Choices::Hash;
  using key_equal = typename Choices::Equal;
  using allocator_type = typename Choices::Allocator;
  using size_type = std::size_t;
  using duration = std::chrono::milliseconds;
  using time_point = std::chrono::time_point<internal::ClockOf<clock_type>, duration>;

  using Expiry = keyspace::Expiry<internal::ClockOf<clock_type>>;
  using Deadline = keyspace::Deadline<internal::ClockOf<clock_type>>;
  using Config = keyspace::Config<Choices, /*kIsConcurrent=*/true>;
  using ComputeOptions = keyspace::ComputeOptions<internal::ClockOf<clock_type>>;
  static constexpr duration kNever = keyspace::kNever;
  static constexpr KeepExpiry kKeep = keyspace::kKeep;

  ConcurrentKeyspace() requires(!Choices::kNeedsConfig && std::default_initializable<clock_type>)
      : ConcurrentKeyspace(Config()) {}
  explicit ConcurrentKeyspace(clock_type clock) requires(!Choices::kNeedsConfig)
      : ConcurrentKeyspace(Config{.clock = std::move(clock)}) {}
  explicit ConcurrentKeyspace(Config config)
      : engine_(config.shards, internal::engine_config<Choices>(config), std::move(config.clock)) {}
  ConcurrentKeyspace(const ConcurrentKeyspace&) = delete;
  ConcurrentKeyspace& operator=(const ConcurrentKeyspace&) = delete;
  // REQUIRES: no other thread is in a call, or will make one. (A Reaper may still serve it.)
  ~ConcurrentKeyspace() = default;

  // SET [PX | PXAT | KEEPTTL]. See Keyspace::set().
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ValueFor<ConcurrentKeyspace> V = Value>
  void set(K&& key, V&& value, Expiry expiry = {}) {
    engine_.set(as_key(std::forward<K>(key)), std::forward<V>(value), expiry.time());
  }

  // SET NX. Returns true iff the key was not live and the capacity had room. See
  // Keyspace::insert().
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ValueFor<ConcurrentKeyspace> V = Value>
  bool insert(K&& key, V&& value, Expiry expiry = {}) {
    return engine_.insert(as_key(std::forward<K>(key)), std::forward<V>(value), expiry.time());
  }

  // SET XX. Returns true iff the key was live and the capacity had room. See Keyspace::replace().
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ValueFor<ConcurrentKeyspace> V = Value>
  bool replace(K&& key, V&& value, Expiry expiry = {}) {
    return engine_.replace(as_key(std::forward<K>(key)), std::forward<V>(value), expiry.time());
  }

  // GET. Returns a copy of the value of a live key; nullopt if the key is missing or expired. A
  // request.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] std::optional<Value> get(const K& key) requires std::copy_constructible<Value> {
    std::optional<Value> copy;
    engine_.request(as_key(key), [&copy](const Value& value) { copy.emplace(value); });
    return copy;
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] std::optional<Value> get(const K& key) const
      requires(std::copy_constructible<Value> && !kUsesRequests) {
    return peek(key);
  }

  // GET. Returns what get() returns. Not a request.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] std::optional<Value> peek(
      const K& key) const requires std::copy_constructible<Value> {
    std::optional<Value> copy;
    engine_.peek(as_key(key), [&copy](const Value& value) { copy.emplace(value); });
    return copy;
  }

  // Calls f(const Value&) for a live key, under a lock that readers share. Returns whether the key
  // was live. Throws what `f` throws. A request.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  requires std::invocable<F&, const Value&>
  bool visit(const K& key, F&& f) {
    return engine_.request(
        as_key(key), internal::calling_user([&f](const Value& value) { std::invoke(f, value); }));
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  requires(std::invocable<F&, const Value&> && !kUsesRequests) bool visit(const K& key,
                                                                          F&& f) const {
    return engine_.peek(
        as_key(key), internal::calling_user([&f](const Value& value) { std::invoke(f, value); }));
  }

  // Calls f(Value&) for a live key, with its shard locked for a change. Returns whether the key was
  // live. (A function that takes its argument by value compiles, and changes only a copy.) The
  // expiry stays. (With WithExpireAfterAccess, the idle time starts again.) The entry is weighed
  // again; so other entries may be evicted, or the entry itself if it is too heavy. If `f` throws,
  // what it did to the value stays, and the entry keeps its weight. A request.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  requires std::invocable<F&, Value&>
  bool update(const K& key, F&& f) { return engine_.update(as_key(key), f); }

  // Calls f(entry) once with the entry of a key, live or not, and returns what `f` returns. Its
  // shard is locked for a change meanwhile, so no other call comes between what `f` reads and what
  // it does. For the members of `entry` see Keyspace::compute(). If `f` stores or erases, or calls
  // value() on a live key, the result of a running computation of the key is not stored. A request.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  requires(internal::StorableKey<K, ConcurrentKeyspace>&&
               std::invocable<F&, EntryOf<K>&>) auto compute(const K& key, F&& f) {
    return engine_.compute(as_key(key), f);
  }

  // EXISTS. Returns whether the key is live. Not a request.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] bool contains(const K& key) const {
    return engine_.peek(as_key(key), [](const Value&) {});
  }

  // MGET. Writes to `out` what get() returns for each key, in order. Returns the end of what was
  // written. Each key is looked up at an instant of its own.
  template <internal::KeysFor<ConcurrentKeyspace> Keys,
            std::output_iterator<std::optional<Value>> Out>
  Out mget(const Keys& keys, Out out) requires std::copy_constructible<Value> {
    for (const auto& key : keys) *out++ = get(key);
    return out;
  }
  template <internal::KeysFor<ConcurrentKeyspace> Keys,
            std::output_iterator<std::optional<Value>> Out>
  Out mget(const Keys& keys, Out out) const
      requires(std::copy_constructible<Value> && !kUsesRequests) {
    for (const auto& key : keys) *out++ = peek(key);
    return out;
  }

  // GETEX. Returns a copy of the value of a live key, else nullopt, and gives the key a new expiry.
  // If that is over, erases the key and returns nullopt. A request.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  std::optional<Value> getex(const K& key, Expiry expiry) requires std::copy_constructible<Value> {
    return engine_.getex(as_key(key), expiry.time());
  }

  // GETDEL. Erases a live key and returns its value, moved out; nullopt if the key is missing or
  // expired. (If there is a listener, the value is copied.) A request.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  std::optional<Value> getdel(const K& key) requires(!Choices::kIsObserved ||
                                                     std::copy_constructible<Value>) {
    return engine_.getdel(as_key(key));
  }

  // DEL. Erases a key. Returns true iff it was live.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  bool erase(const K& key) {
    return engine_.erase(as_key(key));
  }

  // PEXPIRE and PEXPIREAT [NX | XX | GT | LT]. See Keyspace::pexpire().
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  bool pexpire(const K& key, Ttl ttl, Condition condition = Condition::kAlways) {
    return engine_.expire(as_key(key), ttl, condition);
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  bool pexpireat(const K& key, Deadline deadline, Condition condition = Condition::kAlways) {
    return engine_.expire(as_key(key), deadline, condition);
  }

  // PTTL and PEXPIRETIME. kNever and time_point::max() if the key is persistent; nullopt if it is
  // missing or expired. See Keyspace::pttl().
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] std::optional<duration> pttl(const K& key) const {
    return engine_.ttl(as_key(key));
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  [[nodiscard]] std::optional<time_point> pexpiretime(const K& key) const {
    const auto deadline = engine_.deadline(as_key(key));
    return deadline ? std::optional(to_time_point(*deadline)) : std::nullopt;
  }

  // PERSIST. Makes a key persistent. Returns true iff it was live and volatile.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  bool persist(const K& key) {
    return engine_.persist(as_key(key));
  }

  // RENAME. Moves the value and the expiry of `from` to `to`, in place of what `to` had, at one
  // instant. Returns true iff `from` was live. If memory runs out, `from` is as it was, but with a
  // capacity `to` may be erased. With a weigher, memory may also run out after the rename is
  // complete.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::KeyFor<ConcurrentKeyspace> L = Key>
  bool rename(const K& from, L&& to) {
    return engine_.rename(as_key(from), as_key(std::forward<L>(to)));
  }

  // COPY. Copies the value and the expiry of `from` to `to`, at one instant. Returns true iff
  // `from` was live, `to` was not, and the capacity had room.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::KeyFor<ConcurrentKeyspace> L = Key>
  bool copy(const K& from, L&& to) requires std::copy_constructible<Value> {
    return engine_.copy(as_key(from), as_key(std::forward<L>(to)));
  }

  // Returns a copy of the value of a live key. If the key is missing or expired, computes the
  // value, stores it with options.expiry, and returns it. A request. For the options, and for a
  // second form with only an expiry, see Keyspace::get_or_compute(), which also says what `f`
  // returns.
  //
  // Of several threads that ask for the same key, one computes, and the others wait for its value,
  // for at most options.max_wait. If `f` throws, all of these calls throw the exception (the same
  // object), and nothing is stored. If `f` finds nothing, a waiting call whose own `f` may find
  // nothing returns nullopt. Any other waiting call computes the value itself.
  //
  // If the key is set, updated, changed by compute(), renamed or erased during the computation, the
  // computed value is not stored. (An erase() that finds no key counts too.) The waiting calls
  // still return it. Calls that begin after the change get the current value, or compute again. A
  // change of the expiry alone does not discard the computation.
  //
  // With options.refresh_ahead, one caller computes the value again and waits for the result. Other
  // callers get the old value meanwhile. If `f` throws, that caller also gets the old value while
  // it is live, and the next call tries again.
  //
  // `f` may call this keyspace. A call that would wait for itself, directly or through other
  // threads and other keyspaces, throws RecursiveComputation, even if it has a max_wait.
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            std::same_as<ComputeOptions> How = ComputeOptions,
            internal::ComputationOf<ConcurrentKeyspace> F>
  auto get_or_compute(const K& key, How how, F&& f) requires(kIsComputable) {
    using Result = internal::ResultOf<internal::ComputationResult<F, Key>, ConcurrentKeyspace>;
    return single_flight(how).template get_or_compute<Result>(as_key(key), [&](const auto& wanted) {
      const Key& its_key = wanted.front().computation->key;
      std::vector<internal::ComputedValue<Value>> values;
      values.push_back(internal::to_computed_value<ConcurrentKeyspace>(
          internal::call_computation(f, its_key), how.expiry.time()));
      return values;
    });
  }
  template <internal::KeyFor<ConcurrentKeyspace> K = Key,
            internal::ComputationOf<ConcurrentKeyspace> F>
  auto get_or_compute(const K& key, Expiry expiry, F&& f,
                      Ttl refresh_ahead = duration::zero()) requires(kIsComputable) {
    return get_or_compute(key, ComputeOptions{.expiry = expiry, .refresh_ahead = refresh_ahead},
                          std::forward<F>(f));
  }

  // The same for several keys. Calls `f` once with all keys whose values it must compute. Returns
  // a vector of the values, in the order of `keys`. See Keyspace::get_or_compute().
  //
  // Each key is computed by one call at a time, also if several calls ask for some of the same
  // keys. A call first computes the keys that no other call computes, and then waits for the rest,
  // for at most options.max_wait in all.
  template <internal::KeysFor<ConcurrentKeyspace> Keys,
            std::same_as<ComputeOptions> How = ComputeOptions,
            internal::BatchComputationOf<ConcurrentKeyspace> F>
  requires(!internal::KeyFor<Keys, ConcurrentKeyspace>) auto get_or_compute(
      const Keys& keys, How how, F&& f) requires(kIsComputable) {
    using Result =
        internal::ResultOf<internal::BatchElement<F, ConcurrentKeyspace>, ConcurrentKeyspace>;
    return single_flight(how).template get_or_compute_all<Result>(
        keys, internal::AsKey<ConcurrentKeyspace>(), [&](const auto& wanted) {
          std::vector<Key> its_keys;
          its_keys.reserve(wanted.size());
          for (const auto& next : wanted) its_keys.push_back(next.computation->key);
          return internal::compute_batch<ConcurrentKeyspace>(f, its_keys, how.expiry.time());
        });
  }
  template <internal::KeysFor<ConcurrentKeyspace> Keys,
            internal::BatchComputationOf<ConcurrentKeyspace> F>
  requires(!internal::KeyFor<Keys, ConcurrentKeyspace>) auto get_or_compute(
      const Keys& keys, Expiry expiry, F&& f) requires(kIsComputable) {
    return get_or_compute(keys, ComputeOptions{.expiry = expiry}, std::forward<F>(f));
  }

  // KEYS, SCAN. Calls f(const Key&, const Value&, time_point deadline) for each live entry, one
  // shard after the other, each under a lock that readers share. Visits each key once that is live
  // during the whole walk, even if it is overwritten. A key that is inserted, renamed or erased, or
  // expires, during the walk may be visited or not.
  template <class F>
  void for_each(F&& f) const {
    engine_.for_each([&](const Key& key, const Value& value, internal::Millis deadline) {
      f(key, value, to_time_point(deadline));
    });
  }

  // Calls f(const Key&, const Value&, time_point deadline) for each live entry whose deadline is at
  // or before `until`, the soonest first, each under a lock that readers share. `f` returns void,
  // or a bool: false ends the walk. See Keyspace::for_each_until().
  //
  // First copies the keys of all these entries, one shard after the other. So the work and the
  // memory are in proportion to their number, even if `f` ends the walk early. Then looks each key
  // up again, and visits it if it is still live and due until then. If other threads changed the
  // entry meanwhile, `f` gets the new value and the new deadline, which may be out of order. A key
  // that becomes due by `until` during the walk may be visited or not. The copies of the keys are
  // allocated with std::allocator.
  template <class F>
  void for_each_until(Deadline until, F&& f) const requires std::copy_constructible<Key> {
    engine_.for_each_until(until,
                           [&](const Key& key, const Value& value, internal::Millis deadline) {
                             return f(key, value, to_time_point(deadline));
                           });
  }

  // Erases each live entry for which pred(const Key&, const Value&, time_point deadline) returns
  // true, one shard after the other. Returns how many it erased. Each shard is locked for a change
  // while its entries are visited. So no other call comes between a decision and its erasure. An
  // entry that other threads add during the walk may be visited or not. If `pred` throws, the walk
  // ends, and the entries that were erased before stay erased.
  template <class Predicate>
  size_type erase_if(Predicate&& pred) {
    return engine_.erase_if([&](const Key& key, const Value& value, internal::Millis deadline) {
      return static_cast<bool>(pred(key, value, to_time_point(deadline)));
    });
  }

  // With WithStatistics: the sums of what all shards counted. peak_size is the sum of their peaks,
  // which they may have had at different times.
  [[nodiscard]] Statistics statistics() const requires(Choices::kStatistics) {
    return engine_.statistics();
  }

  // With a policy: weight() returns the total weight of all stored entries, including expired ones.
  // capacity() returns its limit; after a set_capacity() the weight may exceed it for a while.
  [[nodiscard]] size_type weight() const requires(Choices::kIsBounded) { return engine_.weight(); }
  [[nodiscard]] size_type capacity() const noexcept requires(Choices::kIsBounded) {
    return engine_.shards().capacity();
  }

  // With a policy: changes the capacity. See Keyspace::set_capacity(). The new capacity is divided
  // among the shards, one after the other. Each shard evicts up to 64 entries at once, and up to 16
  // in each later call that stores in this shard. The number of shards does not change. If the
  // capacity is below the number of shards, some shards get the capacity 0. They refuse every entry
  // that weighs something. So choose Config::shards for the smallest capacity.
  //
  // If several threads call this, all shards get the capacity of the last call. If it throws, some
  // shards may have their former capacity: call it again.
  void set_capacity(size_type capacity) requires(Choices::kIsBounded) {
    engine_.shards().set_capacity(capacity);
  }

  // DBSIZE. size() returns the number of stored entries, and volatile_size() the number of those
  // with a deadline. Expired entries count until they are erased.
  [[nodiscard]] size_type size() const { return engine_.size(); }
  [[nodiscard]] size_type volatile_size() const { return engine_.volatile_size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }

  // FLUSHDB. Erases everything, one shard after the other.
  void clear() { engine_.clear(); }

  // Makes room for `size` entries in all, if they are spread evenly. See Keyspace::reserve().
  void reserve(size_type size) { engine_.shards().reserve(size); }

  // Releases the memory that the entries do not need, one shard after the other. See
  // Keyspace::shrink_to_fit(). This call is optional: erase() and the Reaper also shrink the
  // shards.
  void shrink_to_fit() { engine_.shards().shrink_to_fit(); }

  // Erases expired entries, at most `limit`. Returns how many it erased. Erases at most 256 entries
  // each time it takes a lock. Without a limit, erases all entries that were expired at the start.
  // The result does not include what other threads erase. For the rest see
  // Keyspace::erase_expired().
  size_type erase_expired(size_type limit = internal::kUnlimited) {
    return engine_.shards().erase_expired(limit);
  }

  // Returns a time before which no entry expires; nullopt if there is no volatile entry. (Another
  // thread may store a sooner deadline before the call returns.)
  [[nodiscard]] std::optional<time_point> next_deadline() const {
    const internal::Millis due = engine_.shards().next_due();
    return due == internal::kNeverMillis ? std::nullopt : std::optional(to_time_point(due));
  }

  // The number of shards.
  [[nodiscard]] size_type shards() const noexcept { return engine_.shards().count(); }

  [[nodiscard]] const clock_type& clock() const noexcept ABSL_ATTRIBUTE_LIFETIME_BOUND {
    return engine_.shards().clock();
  }

  // Calls that do not compile. A compiler prints the deleted function that was called, with the
  // comment that says what to do instead.
  // clang-format off
  ConcurrentKeyspace() requires(Choices::kNeedsConfig || !std::default_initializable<clock_type>) = delete;  // give a Config with what is missing: the capacity, the expire_after_access, or what has no default constructor; as in ({.capacity = 10'000})
  explicit ConcurrentKeyspace(clock_type) requires(Choices::kNeedsConfig) = delete;  // give a Config with what is missing: the capacity, the expire_after_access, or what has no default constructor; as in ({.capacity = 10'000, .clock = clock})
  template <internal::OtherClock<ConcurrentKeyspace> Clock>
  explicit ConcurrentKeyspace(const Clock&) = delete;  // a keyspace takes the clock that its options name, or a Config, as in ({.capacity = 10'000, .clock = clock})
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  std::optional<Value> get(const K& key) const requires(std::copy_constructible<Value> && kUsesRequests) = delete;  // a request changes this keyspace: use peek(), or a keyspace that is not const
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  std::optional<Value> get(const K& key) const requires(!std::copy_constructible<Value>) = delete;  // the value cannot be copied: use visit(), or in a Keyspace find()
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  std::optional<Value> peek(const K& key) const requires(!std::copy_constructible<Value>) = delete;  // the value cannot be copied: use visit() or contains()
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  requires(std::invocable<F&, const Value&> && kUsesRequests)
  bool visit(const K& key, F&& f) const = delete;  // a request changes this keyspace: use peek(), or a keyspace that is not const
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  requires(!std::invocable<F&, const Value&>)
  bool visit(const K& key, F&& f) const = delete;  // `f` must be callable, as an lvalue, as f(const Value&); to change the value, use update()
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  requires(!std::invocable<F&, Value&>)
  bool update(const K& key, F&& f) = delete;  // `f` must be callable, as an lvalue, as f(Value&)
  template <internal::KeysFor<ConcurrentKeyspace> Keys, std::output_iterator<std::optional<Value>> Out>
  Out mget(const Keys& keys, Out out) const requires(std::copy_constructible<Value> && kUsesRequests) = delete;  // a request changes this keyspace: use peek(), or a keyspace that is not const
  template <internal::KeysFor<ConcurrentKeyspace> Keys, class Out>
  Out mget(const Keys& keys, Out out) const requires(!std::copy_constructible<Value>) = delete;  // the value cannot be copied: use visit() for each key
  template <class Keys, class Out>
  Out mget(const Keys& keys, Out out) const = delete;  // `keys` is a container of keys; `out` is an output iterator for std::optional<Value>
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  std::optional<Value> getex(const K& key, Expiry expiry) requires(!std::copy_constructible<Value>) = delete;  // the value cannot be copied: use visit() and pexpire()
  template <internal::KeyFor<ConcurrentKeyspace> K = Key>
  std::optional<Value> getdel(const K& key) requires(Choices::kIsObserved && !std::copy_constructible<Value>) = delete;  // the value cannot be copied for the caller and the listener: use erase(), which passes it to the listener
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, internal::KeyFor<ConcurrentKeyspace> L = Key>
  bool copy(const K& from, L&& to) requires(!std::copy_constructible<Value>) = delete;  // the value cannot be copied: use rename() to move it, or store a std::shared_ptr
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  requires(!internal::StorableKey<K, ConcurrentKeyspace>)
  void compute(const K& key, F&& f) = delete;  // the key cannot be copied: use update(), insert() or erase()
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class F>
  requires(internal::StorableKey<K, ConcurrentKeyspace> && !std::invocable<F&, EntryOf<K>&>)
  void compute(const K& key, F&& f) = delete;  // `f` must be callable, as an lvalue, as f(entry), and take the entry as auto& entry
  template <class Keys, class How = ComputeOptions, class F>
  void get_or_compute(const Keys& keys, const How& how, F&& f, Ttl refresh_ahead = duration::zero()) requires(!kIsComputable) = delete;  // the key or the value cannot be copied: store a std::shared_ptr
  template <internal::KeyFor<ConcurrentKeyspace> K = Key, class How = ComputeOptions, class F>
  requires(!internal::ComputationOf<F, ConcurrentKeyspace> && !internal::ComputationOf<How, ConcurrentKeyspace>)
  void get_or_compute(const K& key, const How& how, F&& f, Ttl refresh_ahead = duration::zero()) requires(kIsComputable) = delete;  // `f` must be callable, as an lvalue, as f() or f(const Key&), and return what a Value can be made of, a Computed with a ttl (a ttl has a unit, for example 1500ms) or a deadline, or an optional of these
  template <internal::KeysFor<ConcurrentKeyspace> Keys, class How = ComputeOptions, class F>
  requires(!internal::KeyFor<Keys, ConcurrentKeyspace> && !internal::BatchComputationOf<F, ConcurrentKeyspace> && !internal::BatchComputationOf<How, ConcurrentKeyspace>)
  void get_or_compute(const Keys& keys, const How& how, F&& f) requires(kIsComputable) = delete;  // `f` must be callable, as an lvalue, as f(const std::vector<Key>&), and return a container of what a Value can be made of, of Computed, or of optionals of these
  template <class K, class F>
  requires(internal::ComputationOf<F, ConcurrentKeyspace> || internal::BatchComputationOf<F, ConcurrentKeyspace>)
  void get_or_compute(const K& key, F&& f, Expiry expiry) = delete;  // the expiry comes before the function: get_or_compute(key, expiry, f)
  template <class F>
  void for_each_until(Deadline until, F&& f) const requires(!std::copy_constructible<Key>) = delete;  // the key cannot be copied: use for_each(), which visits all entries in no order
  template <class K>
  const Value* find(const K& key) const = delete;  // another thread could invalidate a pointer: use get(), or visit() for no copy
  void begin() const = delete;  // a keyspace is not a range: use for_each(f)
  void end() const = delete;    // a keyspace is not a range: use for_each(f)
  Statistics statistics() const requires(!Choices::kStatistics) = delete;  // this keyspace does not count: add WithStatistics to its options
  size_type weight() const requires(!Choices::kIsBounded) = delete;    // only a keyspace with a policy has a weight: use size(), or a Cache
  size_type capacity() const requires(!Choices::kIsBounded) = delete;  // only a keyspace with a policy has a capacity: use a Cache, or add a policy to the options, for example Lru
  void set_capacity(size_type) requires(!Choices::kIsBounded) = delete;  // only a keyspace with a policy has a capacity: use a Cache, or add a policy to the options, for example Lru
  // clang-format on

  // ----------------------------------------------------------------------------------------------
  // Implementation details follow.
  // ----------------------------------------------------------------------------------------------

  // For Reaper, which finds it by argument-dependent lookup.
  friend internal::ReaperClient& reaper_client(ConcurrentKeyspace& keyspace) noexcept {
    return keyspace.engine_.shards().reaper_client();
  }

 private:
  friend struct internal::TestPeer;

  template <class K>
  static decltype(auto) as_key(K&& key) {
    return internal::as_key<ConcurrentKeyspace>(std::forward<K>(key));
  }

  static time_point to_time_point(internal::Millis millis) noexcept {
    return time_point(duration(millis));
  }
  auto single_flight(const ComputeOptions& options) {
    return engine_.single_flight(options.refresh_ahead, options.max_wait);
  }

  Engine engine_;
};

// A ConcurrentKeyspace with a capacity: when it is full, the policy chooses which entry is evicted.
// The policy is ScanResistant unless the options name another.
//
//   keyspace::ConcurrentCache<std::string, Page> pages({.capacity = 10'000, .shards = 4});
template <class Key, class Value, class... Options>
using ConcurrentCache = internal::AddDefaultPolicy<ConcurrentKeyspace, Key, Value, Options...>;

}  // namespace keyspace

#endif  // KEYSPACE_CONCURRENT_KEYSPACE_H_
