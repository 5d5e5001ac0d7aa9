#ifndef KEYSPACE_FEATURES_H_
#define KEYSPACE_FEATURES_H_

#include "keyspace/internal/config.h"

#include <cassert>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "keyspace/internal/millis.h"
#include "keyspace/policy.h"
#include "keyspace/removal.h"

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

  // What is called with each entry that leaves: see RemovalCause. A std::function, for example; an
  // empty one, or a null pointer, is none.
  using Listener = internal::NoListener;

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
inline constexpr bool kIsObserved =
    !std::is_same_v<typename Features::Listener, internal::NoListener>;

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
  static_assert(!kIsObserved<Features> || std::is_same_v<Listener, internal::DeferredListener> ||
                    std::is_invocable_v<Listener&, Key&&, Value&&, RemovalCause>,
                "A Listener is called as listener(Key&&, Value&&, RemovalCause)");
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
