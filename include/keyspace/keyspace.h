// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_KEYSPACE_H_
#define KEYSPACE_KEYSPACE_H_

#include "keyspace/internal/config.h"

#include <chrono>
#include <concepts>
#include <cstddef>
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
#include "keyspace/internal/call_time.h"
#include "keyspace/internal/computed_value.h"
#include "keyspace/internal/engine.h"
#include "keyspace/internal/key_concepts.h"
#include "keyspace/internal/lone_computation.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/one_entry.h"
#include "keyspace/options.h"
#include "keyspace/statistics.h"

namespace keyspace {

// A key-value store in which keys can expire: Redis's keyspace, in your process. The calls have the
// names and the meanings of Redis's commands, to the millisecond. The README lists the differences.
//
//   keyspace::Keyspace<std::string, std::string> ks;
//   ks.set("mykey", "Hello");
//   ks.pexpire("mykey", 1500ms);                        // true: the key expires in 1.5 seconds
//   ks.pexpire("mykey", 1s, keyspace::Condition::kXx);  // true: it had an expiry
//   ks.pexpire("mykey", 1s, keyspace::Condition::kNx);  // false: it has one
//   ks.pttl("mykey");                                   // 1000ms or less
//   ks.find("mykey");                                   // "Hello"; null a second later
//
// Options choose a clock, a capacity with a policy, a listener and more: see options.h. cache.h has
// the same class with a capacity, concurrent_keyspace.h the same calls for many threads.
//
// A Keyspace has no thread of its own. Expired entries stay in memory until they are erased. To
// erase them, call erase_expired() when it suits the program. A call that adds an entry erases up
// to two of them. erase() also erases an expired entry of its key.
//
// Terms. A key is *volatile* if it has a deadline, else *persistent*. A *ttl* is the time from now
// until the deadline. A persistent key counts as having the latest possible deadline. An entry is
// *live* while now < deadline, and *expired* from then on. A deadline not after now is *over*.
//
// Invariants
//   1. An entry is live iff now < deadline. A ttl of n ms lasts n ms of the clock's time.
//   2. Only size(), volatile_size(), empty(), weight(), statistics(), next_deadline() and the
//      listener see an expired entry. No call makes it live or keeps its deadline. (If the clock
//      goes back, it is live again.) A const call changes nothing.
//   3. A call reads the clock at most once, and not at all if no deadline is involved. (A
//      get_or_compute() that computes may read it again after the computation.)
//   4. A call takes constant time, plus time in proportion to its limit. mget() and
//      get_or_compute() of many keys take time in proportion to their number. Exceptions: clear(),
//      for_each(), for_each_until(), erase_if(), reserve(), shrink_to_fit(), erase_expired()
//      without a limit, a call that evicts many entries for a heavy one, and the destructor. The
//      hash map grows in steps, and an insertion takes at most three of them. (When it makes a new
//      table, it writes a byte for each bucket: about 2 ms for ten million entries. To move the
//      entries of a table that has few, it may read a byte for each bucket. The move of a keyspace
//      may do so too. Outside Linux, the release of an old table takes time in proportion to its
//      size.) A full keyspace reads up to about 4,000 due records to find an expired entry. If it
//      finds none, it asks the policy for a victim.
//   5. A call that adds an entry first erases up to two expired entries.
//   6. After erase_expired() without a limit, no expired entry is stored.
//   7. An exception from a key, a value, the hash, the equality or the allocator leaves all other
//      entries as they were, and the keyspace usable. Unless said otherwise, the call had no effect
//      then. Exceptions: an assignment to a value or a move from an argument may be done in part, a
//      request may be recorded, and entries may have been evicted (see Config::capacity).
//   8. Memory is proportional to the number of entries: the hash map also shrinks in steps, when
//      less than a quarter of its room is used. Meanwhile it has two tables. Only calls that may
//      invalidate pointers take steps (see below). So after many calls of erase(), the next calls
//      of set() or erase_expired() shrink the map. A deadline at or before the clock's epoch, or
//      more than 557 years after it, takes memory of its own. This memory is released when the last
//      such entry is erased. That call takes time in proportion to the memory.
//
// Time. The clock is an object with a `now()`: see TimeSource in clock.h. The default, SteadyClock,
// counts from the start of the machine. For deadlines that are dates use SystemClock. A keyspace
// counts whole milliseconds: a finer clock is rounded down. Ttls and deadlines: see expiry.h.
//
// Keys and values. A key is found by any type that hash and equality accept as it is (for string
// keys std::string_view and const char*), or by a type that converts to Key. Key and Value need a
// move constructor. If it may throw, the object is kept in a heap allocation of its own. A
// move-only Value supports everything but get(), copy() and get_or_compute(), and getdel() if there
// is a listener. A move-only Key supports everything but compute() and get_or_compute().
//
// Pointers. A pointer to a value is valid until its entry is erased, or until the next call of
// set(), insert(), replace(), compute(), get_or_compute(), copy(), rename(), reserve(),
// shrink_to_fit(), clear() or erase_expired(). The passing of time invalidates no pointer.
//
// Requests. Where a policy, statistics or an idle time depends on which keys are requested, find(),
// get() and mget() change the keyspace: they do not compile on a const one. The other requests are
// getex(), getdel(), update(), compute() and get_or_compute(). peek() and contains() are not
// requests.
//
// Thread safety: as a standard container. Calls on one object need a lock unless all are const. The
// hash, the equality, the allocator, the clock, the weigher, and the operations of keys and values
// must not call the keyspace. A listener may (see removal.h).
template <class Key, class Value, class... Options>
class Keyspace {
  using Choices = internal::Choices<Key, Value, Options...>;
  using Engine = internal::Engine<Choices>;
  static constexpr bool kUsesRequests = Engine::kUsesRequests;
  template <class K>
  using EntryOf = typename Engine::template OneEntry<
      std::remove_cvref_t<decltype(internal::as_key<Keyspace>(std::declval<const K&>()))>,
      internal::Ignore, internal::CallTime<typename Choices::Clock>>;
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
  using Config = keyspace::Config<Choices, /*kIsConcurrent=*/false>;
  using ComputeOptions = keyspace::ComputeOptions<internal::ClockOf<clock_type>>;
  static constexpr duration kNever = keyspace::kNever;
  static constexpr KeepExpiry kKeep = keyspace::kKeep;

  Keyspace() requires(!Choices::kNeedsConfig && std::default_initializable<clock_type>)
      : Keyspace(Config()) {}
  explicit Keyspace(clock_type clock) requires(!Choices::kNeedsConfig)
      : Keyspace(Config{.clock = std::move(clock)}) {}
  explicit Keyspace(Config config)
      : clock_(std::move(config.clock)),
        engine_(internal::engine_config<Choices>(std::move(config))) {}

  // A moved-from keyspace is empty and keeps its capacity. Its clock, weigher and listener are
  // moved-from.
  Keyspace(Keyspace&&) noexcept = default;
  Keyspace& operator=(Keyspace&&) noexcept = default;

  // SET [PX | PXAT | KEEPTTL]. Stores a value and an expiry in place of what the key had. If the
  // expiry is over, or the capacity has no room for the entry, the key is absent afterwards.
  template <internal::KeyFor<Keyspace> K = Key, internal::ValueFor<Keyspace> V = Value>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void set(K&& key, V&& value, Expiry expiry = {}) {
    Now now(clock_);
    engine_.set(as_key(std::forward<K>(key)), std::forward<V>(value), expiry.time(), now);
  }

  // SET NX. Does what set() does if the key is not live; else nothing. Returns true iff the key was
  // not live and the capacity had room. If the key is live, the arguments are not moved from. (A
  // key that is converted to Key may be moved from.)
  template <internal::KeyFor<Keyspace> K = Key, internal::ValueFor<Keyspace> V = Value>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool insert(K&& key, V&& value, Expiry expiry = {}) {
    Now now(clock_);
    return engine_.insert(as_key(std::forward<K>(key)), std::forward<V>(value), expiry.time(), now);
  }

  // SET XX. Does what set() does if the key is live; else nothing. Returns true iff the key was
  // live and the capacity had room. (If it had no room, the key is erased.) If the key is not live,
  // the arguments are not moved from, as in insert().
  template <internal::KeyFor<Keyspace> K = Key, internal::ValueFor<Keyspace> V = Value>
  bool replace(K&& key, V&& value, Expiry expiry = {}) {
    Now now(clock_);
    return engine_.replace(as_key(std::forward<K>(key)), std::forward<V>(value), expiry.time(),
                           now);
  }

  // GET. Returns the value of a live key; null if the key is missing or expired. A request. A
  // change of the value through the pointer (like INCR and APPEND) keeps the expiry.
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE Value* find(const K& key)
      ABSL_ATTRIBUTE_LIFETIME_BOUND {
    Now now(clock_);
    return engine_.find(as_key(key), now);
  }
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE const Value* find(const K& key) const
      ABSL_ATTRIBUTE_LIFETIME_BOUND requires(!kUsesRequests) {
    return peek(key);
  }

  // GET. Returns what find() returns. Not a request.
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE const Value* peek(const K& key) const
      ABSL_ATTRIBUTE_LIFETIME_BOUND {
    Now now(clock_);
    return engine_.peek(as_key(key), now);
  }

  // GET. Returns a copy of the value of a live key; nullopt if the key is missing or expired. A
  // request.
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] std::optional<Value> get(const K& key) requires std::copy_constructible<Value> {
    return copy_of(find(key));
  }
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] std::optional<Value> get(const K& key) const
      requires(std::copy_constructible<Value> && !kUsesRequests) {
    return copy_of(peek(key));
  }

  // EXISTS. Returns whether the key is live. Not a request.
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] bool contains(const K& key) const {
    return peek(key) != nullptr;
  }

  // Calls f(Value&) for a live key. Returns whether the key was live. `f` must not call the
  // keyspace. The expiry stays. (With WithExpireAfterAccess, the idle time starts again.) With a
  // weigher, the entry is weighed again; so other entries may be evicted, or the entry itself if it
  // is too heavy. If `f` throws, what it did to the value stays, and the entry keeps its weight. A
  // request.
  template <internal::KeyFor<Keyspace> K = Key, class F>
  requires std::invocable<F&, Value&>
  bool update(const K& key, F&& f) {
    Now now(clock_);
    return engine_.update(as_key(key), f, now);
  }

  // Calls f(entry) once with the entry of a key, live or not, and returns what `f` returns. So one
  // call can look at a value, decide, and change the entry: a compare-and-erase, a counter that
  // expires, a get-or-insert. `f` takes the entry as `auto& entry`. The members of the entry:
  //
  //   Value* value()
  //       Null if the key is not live. `f` may change the value.
  //   std::optional<time_point> deadline(),  std::optional<duration> ttl()
  //       As pexpiretime() and pttl(). With an idle time, it has started again before `f` is
  //       called.
  //   void store(value, Expiry = {})
  //       As set().
  //   bool expire(Expiry)
  //       Sets the expiry of a live key. If it is over, erases the key. Returns true iff the key
  //       was live.
  //   bool erase()
  //       Erases the key. Returns true iff it was live.
  //
  // Each of them takes effect at once. A pointer from value() is valid until store(), expire(),
  // erase() or the end of `f`. `f` must not call the keyspace, and must not keep the entry. After
  // `f`, the entry is weighed again if `f` called value(), and the listener is called. If `f`
  // throws, its changes stay. The key is copied if `f` stores or erases. A request.
  template <internal::KeyFor<Keyspace> K = Key, class F>
  requires(internal::StorableKey<K, Keyspace>&& std::invocable<F&, EntryOf<K>&>) auto compute(
      const K& key, F&& f) {
    Now now(clock_);
    return engine_.compute(as_key(key), internal::Ignore(), f, now);
  }

  // Returns a copy of the value of a live key. If the key is missing or expired, computes the
  // value, stores it with options.expiry, and returns it. A request.
  //
  //   ks.get_or_compute("/", 10min, [] { return render("/"); });
  //   ks.get_or_compute("/", {.expiry = 10min, .refresh_ahead = 1min}, [] { return render("/"); });
  //
  // `f` is called as f() or f(const Key&). It returns one of these:
  //   - what a Value can be made of;
  //   - a Computed: a value with an expiry, which replaces options.expiry;
  //   - a std::optional of either. Then this call returns a std::optional<Value>. For nullopt,
  //     nothing is stored. (If Value is itself an optional, a result of that type is a value.)
  //
  // A ttl counts from the end of the computation. If the expiry is then over, the call stores
  // nothing and erases the old value. With kKeep, a value that is refreshed keeps its deadline; if
  // the old value has expired meanwhile, the new one has no expiry. If `f` throws, nothing is
  // stored, and the call throws the exception.
  //
  // With options.refresh_ahead, a live value is computed again before it expires. If `f` throws
  // then, the call returns the old value while it is live, and the next call tries again. If `f`
  // returns nullopt, the old value is erased.
  //
  // See ComputeOptions in computation.h. get_or_compute(key, expiry, f, refresh_ahead) is short for
  // the options {.expiry = expiry, .refresh_ahead = refresh_ahead}. `f` may call the keyspace, but
  // must not destroy, move or assign it. If `f` changes the same key, the computed value overwrites
  // that change.
  template <internal::KeyFor<Keyspace> K = Key, std::same_as<ComputeOptions> How = ComputeOptions,
            internal::ComputationOf<Keyspace> F>
  auto get_or_compute(const K& key, How how, F&& f) requires(kIsComputable) {
    using Result = internal::ResultOf<internal::ComputationResult<F, Key>, Keyspace>;
    return computation(how).template get_or_compute<Result>(as_key(key), [&](const Key& its_key) {
      return internal::to_computed_value<Keyspace>(internal::call_computation(f, its_key),
                                                   how.expiry.time());
    });
  }
  template <internal::KeyFor<Keyspace> K = Key, internal::ComputationOf<Keyspace> F>
  auto get_or_compute(const K& key, Expiry expiry, F&& f,
                      Ttl refresh_ahead = duration::zero()) requires(kIsComputable) {
    return get_or_compute(key, ComputeOptions{.expiry = expiry, .refresh_ahead = refresh_ahead},
                          std::forward<F>(f));
  }

  // The same for several keys: a container, array or span. Calls `f` once with all keys whose
  // values it must compute, each once, as f(const std::vector<Key>&). Does not call it if there are
  // none. `f` returns a container with a result for each of these keys, in their order. (If their
  // number is wrong, throws std::length_error.) Returns a vector of the values, in the order of
  // `keys`.
  //
  //   std::vector<Row> rows = ks.get_or_compute(ids, 10min, [&](const std::vector<int>& missing) {
  //     return database.select(missing);
  //   });
  //
  // If `f` throws, nothing is stored. If each of the keys that it was called for still has a live
  // value (they are refreshed), the call returns these. Otherwise it throws the exception.
  template <internal::KeysFor<Keyspace> Keys, std::same_as<ComputeOptions> How = ComputeOptions,
            internal::BatchComputationOf<Keyspace> F>
  requires(!internal::KeyFor<Keys, Keyspace>) auto get_or_compute(const Keys& keys, How how,
                                                                  F&& f) requires(kIsComputable) {
    using Result = internal::ResultOf<internal::BatchElement<F, Keyspace>, Keyspace>;
    return computation(how).template get_or_compute_all<Result>(
        keys, internal::AsKey<Keyspace>(), [&](const std::vector<Key>& missing) {
          return internal::compute_batch<Keyspace>(f, missing, how.expiry.time());
        });
  }
  template <internal::KeysFor<Keyspace> Keys, internal::BatchComputationOf<Keyspace> F>
  requires(!internal::KeyFor<Keys, Keyspace>) auto get_or_compute(const Keys& keys, Expiry expiry,
                                                                  F&& f) requires(kIsComputable) {
    return get_or_compute(keys, ComputeOptions{.expiry = expiry}, std::forward<F>(f));
  }

  // MGET. Writes to `out` what find() returns for each key, in order. Returns the end of what was
  // written. Reads the clock once. With more keys than the processor's caches hold, this is faster
  // than calls of find(), because it waits for the memory of several keys at once. `keys` is a
  // container, array or span of what find() accepts.
  template <internal::KeysFor<Keyspace> Keys, std::output_iterator<Value*> Out>
  Out mget(const Keys& keys, Out out) {
    Now now(clock_);
    return engine_.find_all(keys, internal::AsKey<Keyspace>(), std::move(out), now);
  }
  template <internal::KeysFor<Keyspace> Keys, std::output_iterator<const Value*> Out>
  Out mget(const Keys& keys, Out out) const requires(!kUsesRequests) {
    Now now(clock_);
    return engine_.peek_all(keys, internal::AsKey<Keyspace>(), std::move(out), now);
  }

  // GETEX. Sets the expiry of a live key and returns its value. Returns null if the key is missing
  // or expired. If the new expiry is over, erases the key and returns null. A request.
  template <internal::KeyFor<Keyspace> K = Key>
  ABSL_ATTRIBUTE_ALWAYS_INLINE Value* getex(const K& key,
                                            Expiry expiry) ABSL_ATTRIBUTE_LIFETIME_BOUND {
    Now now(clock_);
    return engine_.getex(as_key(key), expiry.time(), now);
  }

  // GETDEL. Erases a live key and returns its value, moved out; nullopt if the key is missing or
  // expired. (If there is a listener, the value is copied.) A request.
  template <internal::KeyFor<Keyspace> K = Key>
  std::optional<Value> getdel(const K& key) requires(!Choices::kIsObserved ||
                                                     std::copy_constructible<Value>) {
    Now now(clock_);
    return engine_.getdel(as_key(key), now);
  }

  // DEL. Erases a key. Returns true iff it was live. (An expired entry of the key is erased too,
  // with the cause kExpired.)
  template <internal::KeyFor<Keyspace> K = Key>
  bool erase(const K& key) {
    Now now(clock_);
    return engine_.erase(as_key(key), now);
  }

  // PEXPIRE and PEXPIREAT [NX | XX | GT | LT]. The first of these that applies decides:
  //   1. The key is missing or expired: returns false.
  //   2. The condition does not admit the new deadline (see condition.h): returns false and changes
  //      nothing, even if the deadline is over.
  //   3. The deadline is not after now: erases the key and returns true.
  //   4. Stores the deadline and returns true, also if the key had the same deadline before.
  // A ttl of kNever, or a deadline of time_point::max(), makes the key persistent.
  // Source: the PEXPIRE page of the Redis documentation, and Redis 7.0.15 observed.
  template <internal::KeyFor<Keyspace> K = Key>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool pexpire(const K& key, Ttl ttl,
                                            Condition condition = Condition::kAlways) {
    Now now(clock_);
    return engine_.expire(as_key(key), ttl, condition, now);
  }
  template <internal::KeyFor<Keyspace> K = Key>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool pexpireat(const K& key, Deadline deadline,
                                              Condition condition = Condition::kAlways) {
    Now now(clock_);
    return engine_.expire(as_key(key), deadline, condition, now);
  }

  // PTTL. Returns the time left of a live key, at least 1 ms; kNever if it is persistent; nullopt
  // if the key is missing or expired. Note that `pttl(key) < 1s` is true for a missing key, because
  // nullopt compares less than every duration. If the time left does not fit into milliseconds,
  // returns kNever - 1 ms.
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] std::optional<duration> pttl(const K& key) const {
    Now now(clock_);
    return internal::ttl_until(engine_.deadline(as_key(key), now), now);
  }

  // PEXPIRETIME. Returns the deadline of a live key; time_point::max() if it is persistent; nullopt
  // if the key is missing or expired.
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] std::optional<time_point> pexpiretime(const K& key) const {
    Now now(clock_);
    const auto deadline = engine_.deadline(as_key(key), now);
    return deadline ? std::optional(to_time_point(*deadline)) : std::nullopt;
  }

  // PERSIST. Makes a key persistent. Returns true iff it was live and volatile.
  template <internal::KeyFor<Keyspace> K = Key>
  bool persist(const K& key) {
    Now now(clock_);
    return engine_.persist(as_key(key), now);
  }

  // RENAME. Moves the value and the expiry of `from` to `to`, in place of what `to` had. Returns
  // true iff `from` was live. A key that is renamed to itself stays as it is. With a weigher, the
  // entry is weighed under its new key. If the weight then exceeds the capacity, entries are
  // evicted, which may include this one.
  template <internal::KeyFor<Keyspace> K = Key, internal::KeyFor<Keyspace> L = Key>
  bool rename(const K& from, L&& to) {
    Now now(clock_);
    return engine_.rename_to(engine_, as_key(from), as_key(std::forward<L>(to)), now);
  }

  // COPY. Copies the value and the expiry of `from` to `to`. Returns true iff `from` was live, `to`
  // was not, and the capacity had room. (`from` may be evicted for the copy.)
  template <internal::KeyFor<Keyspace> K = Key, internal::KeyFor<Keyspace> L = Key>
  bool copy(const K& from, L&& to) requires std::copy_constructible<Value> {
    Now now(clock_);
    return engine_.copy_to(engine_, as_key(from), as_key(std::forward<L>(to)), now);
  }

  // KEYS, SCAN. Calls f(const Key&, const Value&, time_point deadline) for each live entry, in no
  // order. The deadline of a persistent key is time_point::max(). `f` must call only const members.
  // If it throws, the walk ends. Takes time in proportion to the number of buckets of the hash map.
  template <class F>
  void for_each(F&& f) const {
    Now now(clock_);
    engine_.for_each([&](const Key& key, const Value& value,
                         internal::Millis deadline) { f(key, value, to_time_point(deadline)); },
                     now);
  }

  // Calls f(const Key&, const Value&, time_point deadline) for each live entry whose deadline is at
  // or before `until`, the soonest first. Entries with the same deadline come in no order. A
  // persistent entry is never visited. `f` returns void, or a bool: false ends the walk. `f` must
  // call only const members. Not a request.
  //
  // Reads the timer wheel slot by slot, up to `until` or to where `f` ends the walk. (A slot near
  // now covers 1 ms or 256 ms. The further away, the more it covers.) Takes time and memory in
  // proportion to the records of these slots, including those of expired entries that are still
  // stored. Throws what `f`, the hash and the allocator throw.
  template <class F>
  void for_each_until(Deadline until, F&& f) const {
    Now now(clock_);
    engine_.for_each_until(
        until,
        [&](const Key& key, const Value& value, internal::Millis deadline) {
          return f(key, value, to_time_point(deadline));
        },
        now);
  }

  // Erases each live entry for which pred(const Key&, const Value&, time_point deadline) returns
  // true. Returns how many it erased. `pred` must not call the keyspace. If it throws, the walk
  // ends, and the entries that were erased before stay erased. Pointers to other entries stay
  // valid. Takes time in proportion to the number of buckets of the hash map.
  template <class Predicate>
  size_type erase_if(Predicate&& pred) {
    Now now(clock_);
    return engine_.erase_if(
        [&](const Key& key, const Value& value, internal::Millis deadline) {
          return static_cast<bool>(pred(key, value, to_time_point(deadline)));
        },
        now);
  }

  // With WithStatistics: what was counted so far.
  [[nodiscard]] Statistics statistics() const noexcept requires(Choices::kStatistics) {
    return engine_.statistics();
  }

  // With a policy: weight() returns the total weight of all stored entries, including expired ones.
  // capacity() returns its limit; after a set_capacity() the weight may exceed it for a while.
  [[nodiscard]] size_type weight() const noexcept requires(Choices::kIsBounded) {
    return engine_.weight();
  }
  [[nodiscard]] size_type capacity() const noexcept requires(Choices::kIsBounded) {
    return engine_.capacity();
  }

  // With a policy: changes the capacity. capacity() returns it at once, and a heavier entry is
  // refused from now on.
  //
  // If the entries weigh more, this call evicts up to 64 of them: first expired entries, then those
  // that the policy chooses. Then the weight may exceed the capacity for a while, but no call makes
  // it larger. Each later call that stores or refuses an entry evicts up to 16 more. With a
  // weigher, so does each rename(), update() or compute(). (A new or heavier entry also evicts what
  // it needs room for.) To evict faster, call set_capacity() again. EarliestDeadline evicts no
  // persistent entry: if no others are left, the weight stays above the capacity.
  //
  // Pointers to the other entries stay valid. If an eviction throws, the capacity is changed.
  void set_capacity(size_type capacity) requires(Choices::kIsBounded) {
    Now now(clock_);
    engine_.set_capacity(capacity, now);
  }

  // DBSIZE. size() returns the number of stored entries, and volatile_size() the number of those
  // with a deadline. Expired entries count until they are erased.
  [[nodiscard]] size_type size() const noexcept { return engine_.size(); }
  [[nodiscard]] size_type volatile_size() const noexcept { return engine_.volatile_size(); }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }

  // FLUSHDB. Erases everything and releases the memory, except what ScanResistant remembers of
  // evicted keys. Takes time in proportion to the number of buckets of the hash map.
  void clear() {
    Now now(clock_);
    engine_.clear(now);
  }

  // Makes room for `size` entries in all. Up to that size, the hash map grows only if entries are
  // often erased in between, and the policy's memory does not grow. Until clear() or
  // shrink_to_fit(), the keyspace keeps this room. Takes time in proportion to the larger of size()
  // and `size`. A size that exceeds the address space ends the program.
  void reserve(size_type size) { engine_.reserve(size); }

  // Releases the memory that the entries do not need, and cancels reserve(). Takes time in
  // proportion to the number of buckets of the hash map. This call is optional: the keyspace also
  // releases memory in steps.
  void shrink_to_fit() { engine_.shrink_to_fit(); }

  // Erases expired entries, at most `limit`. Returns how many it erased. If a listener calls the
  // keyspace, the result includes the expired entries that these calls removed, also in a nested
  // erase_expired(). They do not count towards the limit.
  //
  // The limit also bounds the work on entries that are not expired: for example, an entry whose
  // deadline was postponed gets a new record in the timer wheel. So a result below the limit, even
  // 0, does not mean that no expired entry is left. None is left if next_deadline() is nullopt or
  // after now, or if there was no limit.
  //
  // Throws what the allocator or a listener throws. The result is then lost, and entries not yet
  // erased are left to the next call.
  size_type erase_expired(size_type limit = internal::kUnlimited) {
    Now now(clock_);
    return engine_.erase_expired(limit, now);
  }

  // Returns a time before which no entry expires; nullopt if there is no volatile entry. The first
  // entry may expire later. A loop that sleeps until that time and then calls erase_expired() makes
  // progress each time. The time is not after now if expired entries are stored.
  [[nodiscard]] std::optional<time_point> next_deadline() const noexcept {
    const internal::Millis due = engine_.next_due();
    return due == internal::kNeverMillis ? std::nullopt : std::optional(to_time_point(due));
  }

  [[nodiscard]] const clock_type& clock() const noexcept ABSL_ATTRIBUTE_LIFETIME_BOUND {
    return clock_;
  }

  // Calls that do not compile. A compiler prints the deleted function that was called, with the
  // comment that says what to do instead.
  // clang-format off
  Keyspace() requires(Choices::kNeedsConfig || !std::default_initializable<clock_type>) = delete;  // give a Config with what is missing: the capacity, the expire_after_access, or what has no default constructor; as in ({.capacity = 10'000})
  explicit Keyspace(clock_type) requires(Choices::kNeedsConfig) = delete;  // give a Config with what is missing: the capacity, the expire_after_access, or what has no default constructor; as in ({.capacity = 10'000, .clock = clock})
  template <internal::OtherClock<Keyspace> Clock>
  explicit Keyspace(const Clock&) = delete;  // a keyspace takes the clock that its options name, or a Config, as in ({.capacity = 10'000, .clock = clock})
  template <internal::KeyFor<Keyspace> K = Key>
  const Value* find(const K& key) const requires(kUsesRequests) = delete;  // a request changes this keyspace: use peek(), or a keyspace that is not const
  template <internal::KeyFor<Keyspace> K = Key>
  std::optional<Value> get(const K& key) const requires(std::copy_constructible<Value> && kUsesRequests) = delete;  // a request changes this keyspace: use peek(), or a keyspace that is not const
  template <internal::KeyFor<Keyspace> K = Key>
  std::optional<Value> get(const K& key) const requires(!std::copy_constructible<Value>) = delete;  // the value cannot be copied: use find() or peek(), or in a ConcurrentKeyspace visit()
  template <internal::KeyFor<Keyspace> K = Key, class F>
  requires(!std::invocable<F&, Value&>)
  bool update(const K& key, F&& f) = delete;  // `f` must be callable, as an lvalue, as f(Value&)
  template <internal::KeysFor<Keyspace> Keys, std::output_iterator<const Value*> Out>
  Out mget(const Keys& keys, Out out) const requires(kUsesRequests) = delete;  // a request changes this keyspace: use peek(), or a keyspace that is not const
  template <class Keys, class Out>
  Out mget(const Keys& keys, Out out) const = delete;  // `keys` is a container of keys; `out` is an output iterator for Value* (const Value* if the keyspace is const)
  template <internal::KeyFor<Keyspace> K = Key>
  std::optional<Value> getdel(const K& key) requires(Choices::kIsObserved && !std::copy_constructible<Value>) = delete;  // the value cannot be copied for the caller and the listener: use erase(), which passes it to the listener
  template <internal::KeyFor<Keyspace> K = Key, internal::KeyFor<Keyspace> L = Key>
  bool copy(const K& from, L&& to) requires(!std::copy_constructible<Value>) = delete;  // the value cannot be copied: use rename() to move it, or store a std::shared_ptr
  template <internal::KeyFor<Keyspace> K = Key, class F>
  requires(!internal::StorableKey<K, Keyspace>)
  void compute(const K& key, F&& f) = delete;  // the key cannot be copied: use update(), insert() or erase()
  template <internal::KeyFor<Keyspace> K = Key, class F>
  requires(internal::StorableKey<K, Keyspace> && !std::invocable<F&, EntryOf<K>&>)
  void compute(const K& key, F&& f) = delete;  // `f` must be callable, as an lvalue, as f(entry), and take the entry as auto& entry
  template <class Keys, class How = ComputeOptions, class F>
  void get_or_compute(const Keys& keys, const How& how, F&& f, Ttl refresh_ahead = duration::zero()) requires(!kIsComputable) = delete;  // the key or the value cannot be copied: store a std::shared_ptr
  template <internal::KeyFor<Keyspace> K = Key, class How = ComputeOptions, class F>
  requires(!internal::ComputationOf<F, Keyspace> && !internal::ComputationOf<How, Keyspace>)
  void get_or_compute(const K& key, const How& how, F&& f, Ttl refresh_ahead = duration::zero()) requires(kIsComputable) = delete;  // `f` must be callable, as an lvalue, as f() or f(const Key&), and return what a Value can be made of, a Computed with a ttl (a ttl has a unit, for example 1500ms) or a deadline, or an optional of these
  template <internal::KeysFor<Keyspace> Keys, class How = ComputeOptions, class F>
  requires(!internal::KeyFor<Keys, Keyspace> && !internal::BatchComputationOf<F, Keyspace> && !internal::BatchComputationOf<How, Keyspace>)
  void get_or_compute(const Keys& keys, const How& how, F&& f) requires(kIsComputable) = delete;  // `f` must be callable, as an lvalue, as f(const std::vector<Key>&), and return a container of what a Value can be made of, of Computed, or of optionals of these
  template <class K, class F>
  requires(internal::ComputationOf<F, Keyspace> || internal::BatchComputationOf<F, Keyspace>)
  void get_or_compute(const K& key, F&& f, Expiry expiry) = delete;  // the expiry comes before the function: get_or_compute(key, expiry, f)
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
 private:
  friend struct internal::TestPeer;
  using Now = internal::CallTime<clock_type>;

  template <class K>
  static decltype(auto) as_key(K&& key) {
    return internal::as_key<Keyspace>(std::forward<K>(key));
  }

  static std::optional<Value> copy_of(const Value* value) {
    return value == nullptr ? std::nullopt : std::optional<Value>(std::in_place, *value);
  }
  static time_point to_time_point(internal::Millis millis) noexcept {
    return time_point(duration(millis));
  }
  auto computation(const ComputeOptions& options) {
    return internal::LoneComputation(engine_, clock_, options.refresh_ahead);
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS clock_type clock_;
  Engine engine_;
};

}  // namespace keyspace

#endif  // KEYSPACE_KEYSPACE_H_
