#ifndef KEYSPACE_FEATURES_H_
#define KEYSPACE_FEATURES_H_

#include "keyspace/internal/config.h"

#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "keyspace/internal/millis.h"

namespace keyspace {

// What a keyspace can do beyond Redis's verbs, and what makes a cache of it. All of it is chosen at
// compile time, by a type with the members of DefaultFeatures, and costs nothing where it is not
// chosen: neither bytes nor instructions.
//
//   struct PageFeatures : keyspace::CacheFeatures {       // a bound, and the policy for caches
//     using Weigher = decltype([](const std::string& url, const std::string& page) noexcept {
//       return url.size() + page.size();
//     });
//     static constexpr bool kStatistics = true;
//   };
//   keyspace::Cache<std::string, std::string, PageFeatures> pages({.capacity = 64 << 20});

// Policies: which entry has to go when a new one needs its place. Dead entries go first, whatever
// the policy; it is asked when there is none. It is about requests: calls of find(), get(), mget(),
// getex() and getdel() on a keyspace that is not const, and overwrites. A request writes at most a
// word beside the key that it finds (and Lru counts it). To evict an entry is O(1); but one
// eviction in many by Lru or EarliestDeadline also drops what entries that were erased left in
// their index, of which there may be two for each entry. A heavy entry may take many evictions.

// None goes: there is no bound.
struct Unbounded {};

// The entry with the soonest deadline goes (Redis's volatile-ttl). Persistent entries never do: a
// keyspace that is full of them refuses new ones. (As in Redis, one that is too heavy for the room
// that they leave is refused after all others have gone.) Requests do not matter.
//
// Exact for up to a thousand volatile entries. Of more, it looks at a thousand: where as many lie
// closely together, or were put off lately, it may be another than the soonest.
struct EarliestDeadline {};

// The entry goes whose last request is the longest ago. The policy that is known best; but one walk
// over many keys empties it of all others, and ScanResistant has more hits, nearly always.
//
// Exact for up to a thousand entries. Of more, it looks at some thousands: where these were asked
// for or erased since they came in line, it may be another than the oldest.
struct Lru {};

// A key that is new has to prove itself, in a queue that leaves most of the room to those that
// have; so keys that are asked for once do not displace others, and a loop that is larger than the
// capacity has hits. The share of new keys adapts to the requests.
//
// The queues are those of S3-FIFO (Yang et al., SOSP 2023). Whether an evicted key that comes back
// has proved itself is decided as in LIRS (Jiang and Zhang, SIGMETRICS 2002), by two times: since
// its last request, and since that for the entry that would go instead. benchmarks/hit_ratio
// compares it. It takes some 70 bytes for each entry that there is room for; Lru half as
// much, or as much where many are erased (benchmarks/cache.cc).
struct ScanResistant {};

namespace internal {

template <class T>
inline constexpr bool kIsPolicy =
    std::is_same_v<T, Unbounded> || std::is_same_v<T, EarliestDeadline> || std::is_same_v<T, Lru> ||
    std::is_same_v<T, ScanResistant>;

}  // namespace internal

// Every entry weighs 1: the capacity is a number of entries.
struct OneEach {
  template <class Key, class Value>
  constexpr std::size_t operator()(const Key&, const Value&) const noexcept {
    return 1;
  }
};

struct NoListener {};

namespace internal {

struct ToBeTaken {};  // in the place of a listener: see outbox.h

}  // namespace internal

// What a keyspace has unless it asks for more. Derive from it, and hide what is to be different.
struct DefaultFeatures {
  // Any of the above. If it is not Unbounded, Options has a `capacity`, and a keyspace holds no
  // more than that (but after a rename or update() that ran out of memory, until there was room to
  // be made by a later call). REQUIRES: its entries are fewer than 2^32 - 1.
  using Policy = Unbounded;

  // What an entry takes of the capacity: weigher(const Key&, const Value&), of a const weigher,
  // returns a std::size_t, and the keyspace remembers it until the entry is overwritten, renamed or
  // gone. (So a change through a pointer does not count: store the value again.)
  using Weigher = OneEach;

  // What is called with each entry that leaves: see Cause. A std::function, for example; an empty
  // one, or a null pointer, is none.
  using Listener = NoListener;

  // Whether requests and entries are counted: see Keyspace::statistics().
  static constexpr bool kStatistics = false;

  // Whether a ttl slides with use. Options then has `expire_after_access`, a ttl: to store a value
  // without an expiry is to store it with that; and find(), get() and mget(), on a keyspace that is
  // not const, do for each key that they find what pexpire(key, that, Condition::kGt) does. So what
  // was made persistent stays so; and a ttl that is shorter lasts until the first of these. What
  // has to die on time is for peek().
  static constexpr bool kExpireAfterAccess = false;
};

// For caches: a capacity, and the policy with the most hits.
struct CacheFeatures : DefaultFeatures {
  using Policy = ScanResistant;
};

// Why an entry leaves a keyspace. The listener is called as
//
//   listener(Key&& key, Value&& value, Cause cause)
//
// exactly once for each entry that leaves, but not for those that a keyspace holds when it is
// destroyed or assigned to. It is called at the end of the call in which the entry left, in the
// order in which they did, when the keyspace is whole again: so it may call the keyspace, and store
// the same key again. What leaves by that is told when it has returned, not in the middle of it. It
// must not destroy, move or assign the keyspace; and one that stores whatever was evicted is called
// for ever.
//
// What it throws comes out of the call, which has then had its effect (but erase_expired() stops
// there); its result is lost. Entries of which it was not told yet, then or because memory ran out,
// wait for the next call that stores or erases something, or for erase_expired().
//
// It may move from key and value, or let them be: they die when it has returned, and their
// destructors may call the keyspace too. All other operations of keys and values must not.
enum class Cause : std::uint8_t {
  kExpired,   // it was dead when it was erased, overwritten or found in the way; of which the
              // listener is told then, and not when it dies: see erase_expired()
  kErased,    // by erase(), getdel() or clear(), or by a new ttl or deadline that is already over.
              // What getdel() returns is copied for the listener.
  kReplaced,  // a new value was given for its key (even if that was refused), or another entry
              // renamed to it. The key may be the one that the call was given.
  kEvicted,   // to make room for another, or because it became too heavy when it was renamed
};
inline constexpr std::size_t kCauses = 4;

// What has the members of DefaultFeatures.
template <class F>
concept FeatureSet = internal::kIsPolicy<typename F::Policy> && requires {
  typename F::Weigher;
  typename F::Listener;
  typename std::bool_constant<F::kStatistics>;
  typename std::bool_constant<F::kExpireAfterAccess>;
};

namespace internal {

template <class Features>
inline constexpr bool kIsBounded = !std::is_same_v<typename Features::Policy, Unbounded>;
template <class Features>
inline constexpr bool kIsWeighed = !std::is_same_v<typename Features::Weigher, OneEach>;
template <class Features>
inline constexpr bool kNeedsCapacityOrTtl = kIsBounded<Features> || Features::kExpireAfterAccess;
template <class Features>
inline constexpr bool kIsObserved = !std::is_same_v<typename Features::Listener, NoListener>;

// Does not compile if the features do not suit such keys and values.
template <class Features, class Key, class Value>
constexpr bool check_features() noexcept {
  using Listener = typename Features::Listener;
  static_assert(kIsBounded<Features> || !kIsWeighed<Features>,
                "A Weigher needs a Policy other than Unbounded");
  static_assert(std::is_invocable_r_v<std::size_t, const typename Features::Weigher&, const Key&,
                                      const Value&>,
                "A Weigher is called as weigher(const Key&, const Value&), also on a const object, "
                "and returns a std::size_t");
  static_assert(!kIsObserved<Features> || std::is_same_v<Listener, ToBeTaken> ||
                    std::is_invocable_v<Listener&, Key&&, Value&&, Cause>,
                "A Listener is called as listener(Key&&, Value&&, Cause)");
  return true;
}

// In the place of an option that is not to be had. Those of different numbers are of different
// types, and so may share an address.
template <int>
struct Absent {
  constexpr Absent() noexcept {}  // NOLINT: it is no aggregate, and made of nothing else
};

// A number that has to be given. REQUIRES: it is not negative.
class Capacity {
 public:
  template <std::integral T>
  constexpr Capacity(T most) noexcept : most_(static_cast<std::size_t>(most)) {  // NOLINT: implicit
    assert(std::in_range<std::size_t>(most));
  }
  constexpr operator std::size_t() const noexcept { return most_; }  // NOLINT: implicit by design

 private:
  std::size_t most_;
};

}  // namespace internal

// The arguments of what a keyspace's features need.
template <class Features>
struct Options {
  template <bool kIsPresent, class T, int kNumber>
  using If = std::conditional_t<kIsPresent, T, internal::Absent<kNumber>>;

  // What all entries together may weigh. An entry that weighs more by itself is refused, and what
  // was stored under its key is erased, for it would be stale. A call that has to make room, and
  // then runs out of memory, may have erased what was to go, and what was stored under its key.
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS If<internal::kIsBounded<Features>, internal::Capacity, 0>
      capacity = {};
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS typename Features::Weigher weigher = {};
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS typename Features::Listener listener = {};
  // A ttl, in whole milliseconds or a coarser unit. If it is zero or less, nothing is stored that
  // has no expiry of its own.
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS If<Features::kExpireAfterAccess, internal::Ttl, 1>
      expire_after_access = {};
};

}  // namespace keyspace

#endif  // KEYSPACE_FEATURES_H_
