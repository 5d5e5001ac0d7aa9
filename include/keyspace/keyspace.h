#ifndef KEYSPACE_KEYSPACE_H_
#define KEYSPACE_KEYSPACE_H_

#include "keyspace/internal/config.h"

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "keyspace/clock.h"
#include "keyspace/condition.h"
#include "keyspace/features.h"
#include "keyspace/internal/hashing.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/store.h"
#include "keyspace/statistics.h"

namespace keyspace {

// A key-value store in which keys can expire: Redis's keyspace, in the process. The verbs mean what
// they mean in Redis (the commands of the same names), to the millisecond, with the exceptions that
// the README lists.
//
//   keyspace::Keyspace<std::string, std::string> store;
//   store.set("mykey", "Hello");
//   store.pexpire("mykey", 1500ms);                       // true: it dies in 1.5 seconds
//   store.pexpire("mykey", 1s, keyspace::Condition::kXx);  // true: it had an expiry
//   store.pexpire("mykey", 1s, keyspace::Condition::kNx);  // false: it has one
//   store.pttl("mykey");                                  // 1000ms, or less
//   store.find("mykey");                                  // "Hello"; null a second later
//
// It holds what is put in until that expires or is erased, unless its Features give it a bound;
// they can also make it call a listener for what leaves, count, and let expiries slide (features.h;
// see cache.h for an alias). It has no thread of its own: memory of dead entries is freed by
// erase_expired(), which the program calls when it suits it, and a little by every call that adds
// an entry.
//
// Words. A key is *volatile* if it has a deadline, else *persistent*. A *ttl* is the time from now
// to the deadline; "no expiry" is the latest possible deadline, and kNever its ttl. An entry is
// *live* while now < deadline, and *dead* from then on, though it may still be stored.
//
// Invariants
//   1. An entry is live iff now < deadline. A ttl of n ms lasts exactly n ms of the clock's time.
//   2. A dead entry is visible to no call but size(), volatile_size(), weight() and statistics();
//      no call revives it or takes over its deadline (but a clock that goes back does). A const
//      call changes nothing.
//   3. A call reads the clock at most once, and not at all if no deadline is involved.
//   4. A call does O(1) work, whatever the number of keys, plus the limit it is given. Exceptions
//      are clear(), for_each(), reserve(), erase_expired() without a limit, and the one insertion
//      in many that rebuilds the hash map, or in a full keyspace sorts its way to a dead entry;
//      likewise one in many of the deadlines that are not within five centuries after the clock's
//      epoch.
//   5. A set, insert or copy that adds an entry first erases up to two dead ones.
//   6. After erase_expired() without a limit no dead entry is stored.
//   7. An exception from a key, a value, the hash, the equality or the allocator leaves every other
//      entry as it was, and the keyspace usable. Unless said otherwise the call then had no effect,
//      but an assignment to a value, or a move from an argument, may have happened in part, and a
//      request counts. (Where room has to be made within a capacity, see Options.)
//
// Time. A Clock is an object with `now()` (see TimeSource); the default counts from the start of
// the machine, so use SystemClock for deadlines that mean a date. Time is kept in
// whole milliseconds; a finer clock is rounded down. Durations and time points in any coarser unit
// convert by themselves, finer ones and bare numbers do not compile. What is too large saturates
// to the latest finite deadline, one millisecond before time_point::max(). The clock may go
// backwards: what was dead, and not yet erased, is then live again.
//
// Keys are found by any type that Hash and Equal both accept transparently (std::string_view and
// const char* for string keys), else by what converts to Key. Key and Value need a move
// constructor; if it may throw, the object is kept in a heap allocation of its own. A Hash that
// may throw is called once for each stored key and its result kept, which takes 8 bytes: a hash
// should be noexcept. Copies of Hash, Equal and Allocator must not throw. Any hash is correct; one
// that collides costs time. The result of a Hash is mixed before it is used, so std::hash will do,
// unless Hash has a type `is_avalanching`, as it is called in other hash maps too.
//
// A pointer to a value is valid until its entry is erased, or until the next call of set, insert,
// replace, copy, rename, reserve, clear or erase_expired. Time alone invalidates nothing.
//
// Thread safety: as a standard container. Calls on one object need a lock unless all are const.
// Hash, equality, allocator, clock, weigher, and the operations of keys and values must not call
// the keyspace; a listener may (see RemovalCause).
template <class Key, class Value, TimeSource Clock = SteadyClock,
          class Hash = internal::DefaultHash<Key>, class Equal = internal::DefaultEqual<Key>,
          class Allocator = std::allocator<std::pair<const Key, Value>>,
          FeatureSet Features = DefaultFeatures>
class Keyspace {
  using Store = internal::Store<Key, Value, Hash, Equal, Allocator, Features>;
  // A ttl and a deadline, as calls take them: see "Time" above.
  using Ttl = internal::Ttl;
  using Deadline = internal::Deadline<internal::ClockOf<Clock>>;

 public:
  using key_type = Key;
  using mapped_type = Value;
  using clock_type = Clock;
  using hasher = Hash;
  using key_equal = Equal;
  using allocator_type = Allocator;
  using size_type = std::size_t;
  using duration = std::chrono::milliseconds;
  using time_point = std::chrono::time_point<internal::ClockOf<Clock>, duration>;

  // "No expiry" as a ttl. As a deadline it is time_point::max().
  static constexpr duration kNever = (duration::max)();

  explicit Keyspace(
      Clock clock = {}, const Hash& hash = {}, const Equal& equal = {},
      const Allocator& allocator = {}) requires(!internal::kNeedsCapacityOrTtl<Features>)
      : Keyspace(std::move(clock), Options(), hash, equal, allocator) {}

  // What the features need; a capacity has to be given (see features.h).
  using Options = keyspace::Options<Features>;
  explicit Keyspace(Options options) : Keyspace(Clock(), std::move(options)) {}
  Keyspace(Clock clock, Options options, const Hash& hash = {}, const Equal& equal = {},
           const Allocator& allocator = {})
      : clock_(std::move(clock)),
        expire_after_access_(options.expire_after_access),
        store_(std::move(options), hash, equal, allocator) {}

  // What was moved from is empty, and has its capacity; its clock, weigher and listener are what a
  // move makes of them.
  Keyspace(Keyspace&&) noexcept = default;
  Keyspace& operator=(Keyspace&&) noexcept = default;

  // SET [PX | PXAT]. Stores `value`, and with it the given expiry or none, in place of whatever the
  // key had. A ttl or deadline that is already over leaves the key absent; and so does an entry
  // that has no room within the capacity, where there is one (see features.h).
  template <internal::KeyFor<Keyspace> K = Key, internal::ValueFor<Keyspace> V = Value>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void set(K&& key, V&& value) {
    Now now(clock_);
    set_until(as_key(std::forward<K>(key)), std::forward<V>(value), default_deadline(now), now);
  }
  template <internal::KeyFor<Keyspace> K = Key, internal::ValueFor<Keyspace> V = Value>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void set(K&& key, V&& value, Ttl ttl) {
    Now now(clock_);
    set_until(as_key(std::forward<K>(key)), std::forward<V>(value), ttl.from(now), now);
  }
  template <internal::KeyFor<Keyspace> K = Key, internal::ValueFor<Keyspace> V = Value>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void set(K&& key, V&& value, Deadline deadline) {
    Now now(clock_);
    set_until(as_key(std::forward<K>(key)), std::forward<V>(value), deadline.millis(), now);
  }

  // SET NX. As set(), but only if the key is missing or dead. Returns true iff it was, and the
  // entry had room within the capacity. If the key is live, nothing happens, and the arguments are
  // not moved from (a key of a type that must be converted to Key before it can be looked for may
  // be).
  template <internal::KeyFor<Keyspace> K = Key, internal::ValueFor<Keyspace> V = Value>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool insert(K&& key, V&& value) {
    Now now(clock_);
    return insert_until(as_key(std::forward<K>(key)), std::forward<V>(value), default_deadline(now),
                        now);
  }
  template <internal::KeyFor<Keyspace> K = Key, internal::ValueFor<Keyspace> V = Value>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool insert(K&& key, V&& value, Ttl ttl) {
    Now now(clock_);
    return insert_until(as_key(std::forward<K>(key)), std::forward<V>(value), ttl.from(now), now);
  }
  template <internal::KeyFor<Keyspace> K = Key, internal::ValueFor<Keyspace> V = Value>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool insert(K&& key, V&& value, Deadline deadline) {
    Now now(clock_);
    return insert_until(as_key(std::forward<K>(key)), std::forward<V>(value), deadline.millis(),
                        now);
  }

  // SET XX. As set(), but only if the key is live. Returns true iff it was, and the entry
  // had room within the capacity (else the key is erased). If the key is not live, nothing happens,
  // and the arguments are not moved from, as in insert().
  template <internal::KeyFor<Keyspace> K = Key, internal::ValueFor<Keyspace> V = Value>
  bool replace(K&& key, V&& value) {
    Now now(clock_);
    return replace_until(as_key(std::forward<K>(key)), std::forward<V>(value),
                         default_deadline(now), now);
  }
  template <internal::KeyFor<Keyspace> K = Key, internal::ValueFor<Keyspace> V = Value>
  bool replace(K&& key, V&& value, Ttl ttl) {
    Now now(clock_);
    return replace_until(as_key(std::forward<K>(key)), std::forward<V>(value), ttl.from(now), now);
  }
  template <internal::KeyFor<Keyspace> K = Key, internal::ValueFor<Keyspace> V = Value>
  bool replace(K&& key, V&& value, Deadline deadline) {
    Now now(clock_);
    return replace_until(as_key(std::forward<K>(key)), std::forward<V>(value), deadline.millis(),
                         now);
  }

  // GET. Returns the value of a live key, else null. To change the value in place (as INCR and
  // APPEND do) keeps its expiry.
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE Value* find(const K& key) {
    Now now(clock_);
    const auto found = store_.locate(as_key(key));
    return request(found, now) ? std::addressof(found.entry->second.get()) : nullptr;
  }
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE const Value* find(const K& key) const {
    Now now(clock_);
    const auto found = store_.locate(as_key(key));
    return store_.is_live(found, now) ? std::addressof(found.entry->second.get()) : nullptr;
  }

  // Returns what find() does, and leaves no trace: to a policy, statistics or an expiry that slides
  // it is no request. So it is with all calls that are const.
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] const Value* peek(const K& key) const {
    return find(key);
  }

  // GET. Returns a copy of the value of a live key.
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] std::optional<Value> get(const K& key) requires std::copy_constructible<Value> {
    return copy_of(find(key));
  }
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] std::optional<Value> get(
      const K& key) const requires std::copy_constructible<Value> {
    return copy_of(find(key));
  }

  // EXISTS. Returns whether the key is live.
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] bool contains(const K& key) const {
    return find(key) != nullptr;
  }

  // MGET. Looks up many keys: writes to `out`, for each key in turn, what find() returns for it,
  // and returns `out` behind the last. The clock is read once for all; and beyond the size of the
  // caches this takes less time than as many calls of find(), as it waits for the memory of several
  // keys at once. `keys` is a container, array or span, of what find() accepts.
  template <internal::KeysFor<Keyspace> Keys, std::output_iterator<Value*> Out>
  Out mget(const Keys& keys, Out out) {
    return find_all(*this, keys, std::move(out));
  }
  template <internal::KeysFor<Keyspace> Keys, std::output_iterator<const Value*> Out>
  Out mget(const Keys& keys, Out out) const {
    return find_all(*this, keys, std::move(out));
  }

  // GETEX. Returns the value of a live key, else null, and gives the key a new ttl, in one look-up:
  // an expiry that slides with use. kNever makes the key persistent; a ttl of zero or less erases
  // it, and the result is null.
  template <internal::KeyFor<Keyspace> K = Key>
  ABSL_ATTRIBUTE_ALWAYS_INLINE Value* getex(const K& key, Ttl ttl) {
    Now now(clock_);
    const auto found = store_.locate(as_key(key));
    if (!note_request(found, now)) [[unlikely]]
      return nullptr;
    const Millis deadline = ttl.from(now);
    if (Store::is_over(deadline, now)) [[unlikely]] {
      store_.erase(found.entry->first);
      store_.deliver();
      return nullptr;
    }
    store_.set_deadline(found, deadline);
    return std::addressof(found.entry->second.get());
  }

  // GETDEL. Erases a live key and returns its value, moved out; nullopt if the key is not live.
  // (For a listener it is copied.)
  template <internal::KeyFor<Keyspace> K = Key>
  std::optional<Value> getdel(const K& key) requires(!Store::kIsObserved ||
                                                     std::copy_constructible<Value>) {
    Now now(clock_);
    const auto found = store_.locate(as_key(key));
    std::optional<Value> value;  // the only one returned, so that it is not moved once more
    if (note_request(found, now)) {
      Value& stored = found.entry->second.get();
      if constexpr (Store::kIsObserved) {
        value.emplace(std::as_const(stored));
      } else {
        value.emplace(std::move(stored));
      }
      store_.erase(found, /*was_live=*/true, now);
    }
    store_.deliver();
    return value;
  }

  // DEL. Erases the key. Returns true iff it was live.
  template <internal::KeyFor<Keyspace> K = Key>
  bool erase(const K& key) {
    Now now(clock_);
    const auto found = store_.locate(as_key(key));
    if (found.entry == nullptr) return false;
    const bool was_live = store_.is_live(found, now);
    store_.erase(found, was_live, now);
    store_.deliver();
    return was_live;
  }

  // PEXPIRE and PEXPIREAT, with or without NX, XX, GT or LT. In this order:
  //   - the key is missing or dead: false;
  //   - the condition does not admit the new deadline (see condition.h): false, and nothing
  //     happens, even if the deadline has passed;
  //   - the deadline is not after now: the key is erased, true;
  //   - the deadline becomes the key's: true, also if it had that one already.
  // A ttl of kNever, or a deadline of time_point::max(), makes the key persistent.
  // Source: the PEXPIRE page of the Redis documentation, and Redis 7.0.15 observed.
  template <internal::KeyFor<Keyspace> K = Key>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool pexpire(const K& key, Ttl ttl,
                                            Condition condition = Condition::kAlways) {
    Now now(clock_);
    const auto found = store_.locate(as_key(key));
    if (!store_.is_live(found, now)) [[unlikely]]
      return false;
    return expire(found, ttl.from(now), condition, now);
  }
  template <internal::KeyFor<Keyspace> K = Key>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool pexpireat(const K& key, Deadline deadline,
                                              Condition condition = Condition::kAlways) {
    Now now(clock_);
    const auto found = store_.locate(as_key(key));
    if (!store_.is_live(found, now)) [[unlikely]]
      return false;
    return expire(found, deadline.millis(), condition, now);
  }

  // PTTL. Returns the time that a live key has left, at least 1 ms; kNever if it is persistent;
  // nullopt if the key is not live. If the time left is too large for a duration it saturates to
  // 1 ms less than kNever.
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] std::optional<duration> pttl(const K& key) const {
    Now now(clock_);
    const auto found = store_.locate(as_key(key));
    if (!store_.is_live(found, now)) return std::nullopt;
    const Millis deadline = store_.deadline(found.entry->first);
    if (deadline == internal::kNeverMillis) return kNever;
    return duration(internal::time_left(deadline, now()));
  }

  // PEXPIRETIME. Returns the deadline of a live key, time_point::max() if it is persistent; nullopt
  // if the key is not live.
  template <internal::KeyFor<Keyspace> K = Key>
  [[nodiscard]] std::optional<time_point> pexpiretime(const K& key) const {
    Now now(clock_);
    const auto found = store_.locate(as_key(key));
    if (!store_.is_live(found, now)) return std::nullopt;
    return to_time_point(store_.deadline(found.entry->first));
  }

  // PERSIST. Makes a key persistent. Returns true iff it was live and volatile.
  template <internal::KeyFor<Keyspace> K = Key>
  bool persist(const K& key) {
    Now now(clock_);
    const auto found = store_.locate(as_key(key));
    if (!store_.is_live(found, now) || !found.entry->first.is_volatile()) return false;
    store_.set_deadline(found, internal::kNeverMillis);
    return true;
  }

  // RENAME. Moves value and expiry of `from` to `to`, in place of whatever `to` had. Returns true
  // iff `from` was live; a key renamed to itself stays as it is.
  template <internal::KeyFor<Keyspace> K = Key, internal::KeyFor<Keyspace> L = Key>
  bool rename(const K& from, L&& to) {
    return rename_to(as_key(from), as_key(std::forward<L>(to)));
  }

  // COPY. Copies value and expiry of `from` to `to`. Returns true iff `from` was live and `to` was
  // not, and there was room within the capacity; so a key is not copied to itself. `from` may have
  // to go for the copy.
  template <internal::KeyFor<Keyspace> K = Key, internal::KeyFor<Keyspace> L = Key>
  bool copy(const K& from, L&& to) requires std::copy_constructible<Value> {
    return copy_to(as_key(from), as_key(std::forward<L>(to)));
  }

  // KEYS, SCAN. Calls f(key, value, deadline) for each live entry, in no order, with const
  // references and time_point::max() for "persistent". `f` must not call a member that is not
  // const; what it throws ends the walk. O(capacity).
  template <class F>
  void for_each(F&& f) const {
    Now now(clock_);
    for (const auto& [stored, value] : store_.entries()) {
      if (!store_.is_live(stored, now)) continue;
      f(stored.key(), value.get(), to_time_point(store_.deadline(stored)));
    }
  }

  // What was counted (see statistics.h).
  [[nodiscard]] Statistics statistics() const noexcept requires(Features::kStatistics) {
    return store_.statistics();
  }

  // What all stored entries weigh together, dead ones included, and may weigh at most.
  [[nodiscard]] size_type weight() const noexcept requires(Store::kIsBounded) {
    return store_.weight();
  }
  [[nodiscard]] size_type capacity() const noexcept requires(Store::kIsBounded) {
    return store_.capacity();
  }

  // DBSIZE. The number of stored entries; of those that are volatile. Dead entries count until they
  // are erased.
  [[nodiscard]] size_type size() const noexcept { return store_.entries().size(); }
  [[nodiscard]] size_type volatile_size() const noexcept { return store_.volatile_size(); }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }

  // FLUSHDB. Erases everything. O(capacity).
  void clear() {
    Now now(clock_);
    store_.clear(now);
    store_.deliver();
  }

  // Makes room for `size` entries in all, so that the hash map, and what the policy keeps, need not
  // grow before.
  void reserve(size_type size) { store_.reserve(size); }

  // Erases dead entries, at most `limit` of them, and returns how many it erased.
  //
  // The work is bounded by the limit too, and not all work erases: entries whose deadline was put
  // off are filed again, and index entries are sorted as their time comes nearer. So a result
  // below the limit, even zero, does not mean that nothing dead is left; that is so when
  // next_deadline() is after now. Without a limit, nothing dead is left.
  //
  // Throws what the allocator or a listener throws; entries not yet erased are left for the next
  // call.
  size_type erase_expired(size_type limit = internal::kUnlimited) {
    Now now(clock_);
    size_type erased = 0;
    if constexpr (Store::kIsObserved) {
      // Without a limit, the listener has its turn now and then; but not for ever, if what it
      // stores is dead at once, as the clock has gone back.
      const size_type most = limit == internal::kUnlimited ? size() : 0;
      while (erased < most && store_.is_due(now)) {
        erased += store_.erase_due(kEraseStep, now);
        store_.deliver();
      }
    }
    erased += store_.erase_due(limit, now);
    store_.deliver();
    return erased;
  }

  // Returns a time before which no entry dies; nullopt if none ever will. Entries may die later
  // than that, but a loop that sleeps until then and calls erase_expired() makes progress each
  // time. It is in the past if dead entries are stored.
  [[nodiscard]] std::optional<time_point> next_deadline() const noexcept {
    if (volatile_size() == 0) return std::nullopt;
    return to_time_point(store_.next_due());
  }

  [[nodiscard]] const Clock& clock() const noexcept { return clock_; }

  // ----------------------------------------------------------------------------------------------
  // Implementation details follow.
  // ----------------------------------------------------------------------------------------------
 private:
  friend struct internal::TestPeer;
  friend struct internal::ShardAccess;
  using Millis = internal::Millis;

  static constexpr bool kSlides = Features::kExpireAfterAccess;
  static constexpr size_type kEraseStep = 256;  // between two turns of the listener

  // The time of one call: read when it is first asked for.
  class Now {
   public:
    explicit Now(const Clock& clock) noexcept : clock_(clock) {}
    Millis operator()() {
      if (!is_read_) {
        time_ = internal::floor_millis(clock_.now().time_since_epoch());
        is_read_ = true;
      }
      return time_;
    }

   private:
    const Clock& clock_;
    Millis time_ = 0;
    bool is_read_ = false;
  };

  static time_point to_time_point(Millis millis) noexcept { return time_point(duration(millis)); }

  template <class K>
  static decltype(auto) as_key(K&& key) {
    return internal::as_key<Keyspace>(std::forward<K>(key));
  }

  template <class Self, class Keys, class Out>
  static Out find_all(Self& self, const Keys& keys, Out out) {
    constexpr std::size_t kAhead = 8;  // with more, a core has to wait for fetches to begin
    std::array<std::size_t, kAhead> hashes;
    auto ahead = std::begin(keys);
    for (std::size_t i = 0; i != kAhead && ahead != std::end(keys); ++i, ++ahead) {
      hashes[i] = self.store_.prefetch(as_key(*ahead));
    }
    Now now(self.clock_);
    std::size_t i = 0;
    for (auto next = std::begin(keys); next != std::end(keys); ++next) {
      const auto found = self.store_.locate(as_key(*next), hashes[i]);
      *out++ = self.request(found, now) ? std::addressof(found.entry->second.get()) : nullptr;
      if (ahead != std::end(keys)) hashes[i] = self.store_.prefetch(as_key(*ahead++));
      i = (i + 1) % kAhead;
    }
    return out;
  }

  // The deadline of what is stored without one.
  Millis default_deadline(Now& now) const {
    if constexpr (Features::kExpireAfterAccess) {
      return expire_after_access_.from(now);
    } else {
      return internal::kNeverMillis;
    }
  }

  // Returns whether a request found a live key, after all that a request does.
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool request(const F& found, Now& now) {
    if (!note_request(found, now)) return false;
    if constexpr (Features::kExpireAfterAccess) {
      expire(found, expire_after_access_.from(now), Condition::kGt, now);
    }
    return true;
  }
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool request(const F& found, Now& now) const {
    return store_.is_live(found, now);
  }
  // The same, but without an expiry that slides.
  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool note_request(const F& found, Now& now) {
    const bool is_hit = store_.is_live(found, now);
    store_.note_request(found, is_hit);
    return is_hit;
  }

  static std::optional<Value> copy_of(const Value* value) {
    return value == nullptr ? std::nullopt : std::optional<Value>(std::in_place, *value);
  }

  template <class K, class V>
  ABSL_ATTRIBUTE_ALWAYS_INLINE void set_until(K&& key, V&& value, Millis deadline, Now& now) {
    store_.template put</*kOverwrites=*/true>(std::forward<K>(key), std::forward<V>(value),
                                              deadline, now);
    store_.deliver();
  }
  template <class K, class V>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool insert_until(K&& key, V&& value, Millis deadline, Now& now) {
    const bool is_stored = store_.template put</*kOverwrites=*/false>(
        std::forward<K>(key), std::forward<V>(value), deadline, now);
    store_.deliver();
    return is_stored;
  }
  template <class K, class V>
  bool replace_until(K&& key, V&& value, Millis deadline, Now& now) {
    const auto found = store_.locate(key);
    const bool is_stored =
        store_.is_live(found, now) &&
        store_.put_at(found, std::forward<K>(key), std::forward<V>(value), deadline, now);
    store_.deliver();
    return is_stored;
  }

  template <class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool expire(const F& found, Millis deadline, Condition condition,
                                           Now& now) {
    const Millis current = store_.deadline(found.entry->first);
    if (!admits(condition, to_time_point(current), to_time_point(deadline))) return false;
    if (Store::is_over(deadline, now)) [[unlikely]] {
      store_.erase(found.entry->first);
      store_.deliver();
    } else {
      store_.set_deadline(found, deadline);
    }
    return true;
  }

  template <class K, class L>
  bool rename_to(const K& from, L&& to) {
    Now now(clock_);
    const auto source = store_.locate(from);
    if (!store_.is_live(source, now)) return false;
    const auto target = store_.locate(to);
    if (target.entry != source.entry) store_.move(source, target, std::forward<L>(to), now);
    store_.deliver();
    return true;
  }

  template <class K, class L>
  bool copy_to(const K& from, L&& to) {
    Now now(clock_);
    const auto source = store_.locate(from);
    if (!store_.is_live(source, now)) return false;
    const auto target = store_.locate(to);
    if (store_.is_live(target, now)) return false;
    const bool is_stored =
        store_.put_at(target, std::forward<L>(to), std::as_const(source.entry->second.get()),
                      store_.deadline(source.entry->first), now);
    store_.deliver();
    return is_stored;
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Clock clock_;
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS decltype(Options::expire_after_access) expire_after_access_;
  Store store_;
};

}  // namespace keyspace

#endif  // KEYSPACE_KEYSPACE_H_
