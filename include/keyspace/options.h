// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_OPTIONS_H_
#define KEYSPACE_OPTIONS_H_

#include "keyspace/internal/config.h"

#include <concepts>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <type_traits>
#include <utility>

#include "keyspace/clock.h"
#include "keyspace/expiry.h"
#include "keyspace/internal/hashing.h"
#include "keyspace/policy.h"
#include "keyspace/removal.h"

namespace keyspace {

namespace internal {
struct DefaultOption;  // the type of an option that is not given
}

// The options of a keyspace follow its key and value type, in any order, at most one of each kind:
//
//   struct PageBytes {
//     std::size_t operator()(const std::string& url, const Page& page) const noexcept;
//   };
//   keyspace::Cache<std::string, Page, keyspace::Lru, keyspace::WithWeigher<PageBytes>> pages(
//       {.capacity = 64 << 20});
//
//   kind         options                                            default
//   clock        any TimeSource itself, for example ManualClock     SteadyClock
//   policy       Unbounded, EarliestDeadline, Lru, ScanResistant    Unbounded; in a Cache
//                (policy.h)                                         ScanResistant
//   hash         WithHash<Hash, Equal>                              see below
//   allocator    WithAllocator<Allocator>                           std::allocator
//   weigher      WithWeigher<Weigher>                               each entry weighs 1
//   listener     WithListener<Listener>                             none
//   counting     WithStatistics                                     none
//   idle time    WithExpireAfterAccess                              none
//
// An option that is not chosen costs neither bytes nor instructions.

// Hashes keys with Hash, and compares them with Equal: by default with ==, or for strings as
// std::string_view. Any hash is correct; one that collides costs time.
//
// The result of Hash is mixed before it is used, so std::hash is good enough. A hash that spreads
// its input over all bits declares a member type `is_avalanching`, as for other hash maps. Its
// result is used as it is. If Hash and Equal both have a member type `is_transparent`, keys are
// found by any type that both accept. A hash should be noexcept: the result of one that may throw
// is kept beside the key, in 8 bytes. Copies of Hash and Equal must not throw.
//
// Without this option, a key needs an == and an AbslHashValue() or a std::hash. Strings are found
// by std::string_view and const char* too.
template <class Hash, class Equal = internal::DefaultOption>
struct WithHash {};

// Allocates entries, keys, values, records and the memory of policies with copies of an allocator,
// rebound to what is stored. Copies must not throw. (A ConcurrentKeyspace allocates its shards and
// running computations with `new`.) On Linux, the pages of a large hash table are released to the
// system with madvise(MADV_DONTNEED) before the table is deallocated. So its memory must not be
// pinned for a device.
template <class Allocator>
struct WithAllocator {};

// Weighs entries: an entry takes weigher(const Key&, const Value&) of the capacity, a std::size_t.
// Needs a policy other than Unbounded. The weigher is called through a const reference.
//
// The weight is kept beside the key. It is taken again when the entry is overwritten or renamed,
// and by update(). A change through a pointer does not count: store the value again. Entries of
// weight 0 have no limit. To limit them too, add a constant, or the size of the key.
template <class Weigher>
struct WithWeigher {};

// Calls listener(Key&&, Value&&, RemovalCause) for each entry that is removed: see removal.h. An
// empty std::function, and a null pointer, are not called.
template <class Listener>
struct WithListener {};

// Counts requests and entries: see statistics.h.
struct WithStatistics {};

// Expires entries that were not requested for Config::expire_after_access, the idle time. An entry
// then has two deadlines, and expires at the sooner one:
//
//   The hard deadline comes from calls such as set() and pexpire(). There is none after kNever,
//   persist() or an empty expiry. Requests do not change it. pexpire(), pexpireat(), persist(),
//   conditions, kKeep and refresh_ahead concern this one. The idle deadline is the time of the last
//   request or store, copy() included, plus the idle time. peek(), contains() and pexpire() do not
//   change it, and rename() keeps it.
//
// pttl(), pexpiretime(), for_each() and the others tell the sooner deadline. So every entry is
// volatile, unless the idle time is kNever. An entry takes eight bytes more.
struct WithExpireAfterAccess {};

// ------------------------------------------------------------------------------------------------
// Implementation details follow.
// ------------------------------------------------------------------------------------------------

namespace internal {

struct DefaultOption {};

enum class OptionKind {
  kNone,
  kClock,
  kPolicy,
  kHash,
  kEqual,  // like kShards: a member of Config, not an option
  kAllocator,
  kWeigher,
  kListener,
  kStatistics,
  kExpireAfterAccess,
  kShards,
};

template <class T>
inline constexpr OptionKind kKindOf = TimeSource<T> ? OptionKind::kClock : OptionKind::kNone;
template <>
inline constexpr OptionKind kKindOf<Unbounded> = OptionKind::kPolicy;
template <>
inline constexpr OptionKind kKindOf<EarliestDeadline> = OptionKind::kPolicy;
template <>
inline constexpr OptionKind kKindOf<Lru> = OptionKind::kPolicy;
template <>
inline constexpr OptionKind kKindOf<ScanResistant> = OptionKind::kPolicy;
template <class Hash, class Equal>
inline constexpr OptionKind kKindOf<WithHash<Hash, Equal>> = OptionKind::kHash;
template <class Allocator>
inline constexpr OptionKind kKindOf<WithAllocator<Allocator>> = OptionKind::kAllocator;
template <class Weigher>
inline constexpr OptionKind kKindOf<WithWeigher<Weigher>> = OptionKind::kWeigher;
template <class Listener>
inline constexpr OptionKind kKindOf<WithListener<Listener>> = OptionKind::kListener;
template <>
inline constexpr OptionKind kKindOf<WithStatistics> = OptionKind::kStatistics;
template <>
inline constexpr OptionKind kKindOf<WithExpireAfterAccess> = OptionKind::kExpireAfterAccess;

// The first of the options of a kind; Default if there is none.
template <OptionKind kKind, class Default, class... Options>
struct FindOption {
  using type = Default;
};
template <OptionKind kKind, class Default, class First, class... Rest>
struct FindOption<kKind, Default, First, Rest...>
    : std::conditional_t<kKindOf<First> == kKind, std::type_identity<First>,
                         FindOption<kKind, Default, Rest...>> {};

// The type that an option wraps.
template <class Option>
struct Wrapped;
template <template <class> class Option, class T>
struct Wrapped<Option<T>> {
  using type = T;
};

template <class Option, class Key>
struct HashOf;
template <class Hash, class Key>
struct HashOf<WithHash<Hash, DefaultOption>, Key> {
  using hash = Hash;
  using equal = DefaultEqual<Key>;
};
template <class Hash, class Equal, class Key>
struct HashOf<WithHash<Hash, Equal>, Key> {
  using hash = Hash;
  using equal = Equal;
};

// The weigher of a keyspace that has none.
struct OneEach {
  template <class Key, class Value>
  constexpr std::size_t operator()(const Key&, const Value&) const noexcept {
    return 1;
  }
};

// They replace a weigher or a listener that cannot be called, so that no other error follows. (See
// AnyHash.)
struct AnyWeigher {
  AnyWeigher() = default;
  AnyWeigher(const auto&) {}  // NOLINT: implicit by design
  std::size_t operator()(const auto&, const auto&) const noexcept { return 1; }
};
struct AnyListener {
  AnyListener() = default;
  AnyListener(const auto&) {}  // NOLINT: implicit by design
  void operator()(auto&&...) const noexcept {}
};

// The type of a key or a value.
template <class T>
concept Storable = std::is_object_v<T> && !std::is_const_v<T> && !std::is_array_v<T> &&
                   sizeof(T) != 0 && std::is_move_constructible_v<T>;

template <class Option>
constexpr bool check_option() {
  static_assert(
      kKindOf<Option> != OptionKind::kNone,
      "keyspace: this type is not an option. The options are: a clock (SteadyClock, SystemClock, "
      "ManualClock, ...), a policy (Unbounded, EarliestDeadline, Lru, ScanResistant), WithHash, "
      "WithAllocator, WithWeigher, WithListener, WithStatistics, WithExpireAfterAccess");
  return true;
}

// What a keyspace's options choose. Where one of them is wrong, a static_assert says so, and
// another type takes its place, so that no other error follows.
template <class KeyType, class ValueType, class... Options>
struct Choices {
 private:
  template <OptionKind kKind, class Default>
  using Find = typename FindOption<kKind, Default, Options...>::type;
  template <OptionKind kKind>
  static constexpr std::size_t kCount = (std::size_t{kKindOf<Options> == kKind} + ... + 0);

 public:
  using Key = std::conditional_t<Storable<KeyType>, KeyType, int>;
  using Value = std::conditional_t<Storable<ValueType>, ValueType, int>;
  using Clock = Find<OptionKind::kClock, SteadyClock>;
  using Policy = Find<OptionKind::kPolicy, Unbounded>;
  using Allocator =
      typename Wrapped<Find<OptionKind::kAllocator,
                            WithAllocator<std::allocator<std::pair<const Key, Value>>>>>::type;

 private:
  using HashOption =
      HashOf<Find<OptionKind::kHash, WithHash<DefaultHash<Key>, DefaultEqual<Key>>>, Key>;
  using ChosenHash = typename HashOption::hash;
  using ChosenEqual = typename HashOption::equal;
  using ChosenWeigher = typename Wrapped<Find<OptionKind::kWeigher, WithWeigher<OneEach>>>::type;
  using ChosenListener =
      typename Wrapped<Find<OptionKind::kListener, WithListener<NoListener>>>::type;

  static constexpr bool kHashes = std::is_invocable_r_v<std::size_t, const ChosenHash&, const Key&>;
  static constexpr bool kCompares =
      std::is_invocable_r_v<bool, const ChosenEqual&, const Key&, const Key&>;
  static constexpr bool kWeighs =
      std::is_invocable_r_v<std::size_t, const ChosenWeigher&, const Key&, const Value&>;
  static constexpr bool kListens =
      std::is_same_v<ChosenListener, NoListener> ||
      std::is_invocable_v<ChosenListener&, Key&&, Value&&, RemovalCause>;

 public:
  using Hash = std::conditional_t<kHashes, ChosenHash, AnyHash>;
  using Equal = std::conditional_t<kCompares, ChosenEqual, AnyEqual>;
  using Weigher = std::conditional_t<kWeighs, ChosenWeigher, AnyWeigher>;
  using Listener = std::conditional_t<kListens, ChosenListener, AnyListener>;

  static constexpr bool kStatistics = kCount<OptionKind::kStatistics> != 0;
  static constexpr bool kExpireAfterAccess = kCount<OptionKind::kExpireAfterAccess> != 0;
  static constexpr bool kIsBounded = !std::is_same_v<Policy, Unbounded>;
  static constexpr bool kIsWeighed = kCount<OptionKind::kWeigher> != 0;
  static constexpr bool kIsObserved = !std::is_same_v<Listener, NoListener>;
  static constexpr bool kHasHash = kCount<OptionKind::kHash> != 0;
  static constexpr bool kHasAllocator = kCount<OptionKind::kAllocator> != 0;
  // Whether get_or_compute() exists: it copies keys and values.
  static constexpr bool kIsComputable =
      std::copy_constructible<Value> && std::constructible_from<Key, const Key&>;
  // Whether a Config has members that must be given, beside a clock.
  static constexpr bool kNeedsConfig =
      kIsBounded || kExpireAfterAccess ||
      !(std::default_initializable<Weigher> && std::default_initializable<Listener> &&
        std::default_initializable<Hash> && std::default_initializable<Equal> &&
        std::default_initializable<Allocator>);

 private:
  // At the end, because clang ignores the members after a static_assert that fails.
  static_assert((check_option<Options>() && ...));
  static_assert(kCount<OptionKind::kClock> <= 1,
                "keyspace: two clocks among the options: name one");
  static_assert(kCount<OptionKind::kPolicy> <= 1,
                "keyspace: two policies among the options: name one");
  static_assert(kCount<OptionKind::kHash> <= 1,
                "keyspace: WithHash twice among the options: name it once");
  static_assert(kCount<OptionKind::kAllocator> <= 1,
                "keyspace: WithAllocator twice among the options: name it once");
  static_assert(kCount<OptionKind::kWeigher> <= 1,
                "keyspace: WithWeigher twice among the options: name it once");
  static_assert(kCount<OptionKind::kListener> <= 1,
                "keyspace: WithListener twice among the options: name it once");
  static_assert(kCount<OptionKind::kStatistics> <= 1,
                "keyspace: WithStatistics twice among the options: name it once");
  static_assert(kCount<OptionKind::kExpireAfterAccess> <= 1,
                "keyspace: WithExpireAfterAccess twice among the options: name it once");
  static_assert(Storable<KeyType>,
                "keyspace: the type of the keys must be complete and have a move constructor, and "
                "be no reference, const type or array");
  static_assert(Storable<ValueType>,
                "keyspace: the type of the values must be complete and have a move constructor, "
                "and be no reference, const type or array");
  static_assert(
      kHashes,
      "keyspace: the key has no hash. Give it an AbslHashValue() or a std::hash, or the keyspace "
      "the option WithHash<Hash>, where hash(const Key&) is const and returns a std::size_t");
  static_assert(
      kCompares,
      "keyspace: the key has no ==. Give it an operator==, or the keyspace the option "
      "WithHash<Hash, Equal>, where equal(const Key&, const Key&) is const and returns a bool");
  static_assert(
      kWeighs,
      "keyspace: the weigher of WithWeigher cannot be called. Give it a member std::size_t "
      "operator()(const Key&, const Value&) const");
  static_assert(
      kListens,
      "keyspace: the listener of WithListener cannot be called. Give it a member "
      "void operator()(Key&&, Value&&, RemovalCause), or one that takes the key and the value by "
      "value or const reference");
  static_assert(
      kIsBounded || !kIsWeighed,
      "keyspace: WithWeigher needs a capacity: use a Cache, or add a policy to the options, "
      "for example Lru");
};

// Keyspace<Key, Value, Options...>, with the policy ScanResistant if the options name none.
template <template <class, class, class...> class KeyspaceType, class Key, class Value,
          class... Options>
struct WithDefaultPolicy
    : std::conditional_t<((kKindOf<Options> == OptionKind::kPolicy) || ...),
                         std::type_identity<KeyspaceType<Key, Value, Options...>>,
                         std::type_identity<KeyspaceType<Key, Value, ScanResistant, Options...>>> {
};
template <template <class, class, class...> class KeyspaceType, class Key, class Value,
          class... Options>
using AddDefaultPolicy = typename WithDefaultPolicy<KeyspaceType, Key, Value, Options...>::type;

// A clock that is not the clock of the keyspace.
template <class T, class Keyspace>
concept OtherClock =
    !std::is_base_of_v<Keyspace, T> && !std::convertible_to<T, typename Keyspace::clock_type> &&
    requires(const T& clock) {
  clock.now();
};

template <class T, class Other>
concept NotA = !std::same_as<std::remove_cvref_t<T>, Other>;

// The type of a member of Config that the options do not call for. Different kinds are different
// types, so that such members may share an address.
template <OptionKind kKind>
struct NoMember {
  constexpr NoMember() noexcept {}  // NOLINT: not an aggregate
  // clang-format off
  template <NotA<NoMember> T> requires(kKind == OptionKind::kPolicy)
  NoMember(T&&) = delete;  // NOLINT: a keyspace without a policy has no capacity: use a Cache, or add a policy to the options, for example Lru
  template <NotA<NoMember> T> requires(kKind == OptionKind::kWeigher)
  NoMember(T&&) = delete;  // NOLINT: a weigher needs the option WithWeigher<Weigher>
  template <NotA<NoMember> T> requires(kKind == OptionKind::kListener)
  NoMember(T&&) = delete;  // NOLINT: a listener needs the option WithListener<Listener>
  template <NotA<NoMember> T> requires(kKind == OptionKind::kExpireAfterAccess)
  NoMember(T&&) = delete;  // NOLINT: expire_after_access needs the option WithExpireAfterAccess
  template <NotA<NoMember> T> requires(kKind == OptionKind::kHash || kKind == OptionKind::kEqual)
  NoMember(T&&) = delete;  // NOLINT: a hash or an equality needs the option WithHash<Hash, Equal>
  template <NotA<NoMember> T> requires(kKind == OptionKind::kAllocator)
  NoMember(T&&) = delete;  // NOLINT: an allocator needs the option WithAllocator<Allocator>
  template <NotA<NoMember> T> requires(kKind == OptionKind::kShards)
  NoMember(T&&) = delete;  // NOLINT: only a ConcurrentKeyspace or a ConcurrentCache has shards
  // clang-format on
};

// The value of a member of Config that was not given. It is a class with a conversion, not a
// function: g++ 12 crashes at a call of a function in a default member initializer of Config, where
// the user has a default member initializer like `Cache<K, V> cache{{.capacity = 10}}`.
template <OptionKind kKind, class T>
struct NotGiven {
  constexpr explicit operator T() const {
    if constexpr (std::is_same_v<T, NoMember<kKind>> || kKind == OptionKind::kShards) {
      return T();
    } else {
      constexpr bool kIsOptional = kKind != OptionKind::kPolicy &&
                                   kKind != OptionKind::kExpireAfterAccess &&
                                   std::default_initializable<T>;
      static_assert(kIsOptional || kKind != OptionKind::kPolicy,
                    "keyspace: the capacity is missing. Give it, as in {.capacity = 10'000}");
      static_assert(kIsOptional || kKind != OptionKind::kExpireAfterAccess,
                    "keyspace: the expire_after_access is missing. Give it, as in "
                    "{.expire_after_access = 10min}");
      static_assert(kIsOptional || kKind != OptionKind::kClock,
                    "keyspace: the clock has no default constructor. Give it, as in "
                    "{.clock = clock}");
      static_assert(kIsOptional || kKind != OptionKind::kWeigher,
                    "keyspace: the weigher has no default constructor. Give it, as in "
                    "{.weigher = weigher}");
      static_assert(kIsOptional || kKind != OptionKind::kListener,
                    "keyspace: the listener has no default constructor. Give it, as in "
                    "{.listener = listener}");
      static_assert(kIsOptional || kKind != OptionKind::kHash,
                    "keyspace: the hash has no default constructor. Give it, as in {.hash = hash}");
      static_assert(kIsOptional || kKind != OptionKind::kEqual,
                    "keyspace: the equality has no default constructor. Give it, as in "
                    "{.equal = equal}");
      static_assert(kIsOptional || kKind != OptionKind::kAllocator,
                    "keyspace: the allocator has no default constructor. Give it, as in "
                    "{.allocator = allocator}");
      if constexpr (kIsOptional) {
        return T();
      } else {
        std::abort();
      }
    }
  }
};

}  // namespace internal

// The run-time arguments of a keyspace, in an aggregate:
//
//   keyspace::Cache<std::string, int, keyspace::ManualClock> cache(
//       {.capacity = 100, .clock = clock});
//
// It has only the members of the chosen options. capacity, expire_after_access, and every member
// whose type has no default constructor must be given.
template <class Choices, bool kIsConcurrent>
struct Config {
  using Kind = internal::OptionKind;
  template <Kind kKind, bool kIsMember, class T>
  using Member = std::conditional_t<kIsMember, T, internal::NoMember<kKind>>;
  using Capacity = Member<Kind::kPolicy, Choices::kIsBounded, std::size_t>;
  using IdleTime = Member<Kind::kExpireAfterAccess, Choices::kExpireAfterAccess, Ttl>;
  using Clock = typename Choices::Clock;
  using Weigher = Member<Kind::kWeigher, Choices::kIsWeighed, typename Choices::Weigher>;
  using Listener = Member<Kind::kListener, Choices::kIsObserved, typename Choices::Listener>;
  using Hash = Member<Kind::kHash, Choices::kHasHash, typename Choices::Hash>;
  using Equal = Member<Kind::kEqual, Choices::kHasHash, typename Choices::Equal>;
  using Allocator = Member<Kind::kAllocator, Choices::kHasAllocator, typename Choices::Allocator>;
  using Shards = Member<Kind::kShards, kIsConcurrent, std::size_t>;

  // With a policy: the largest total weight of all entries. Without a weigher, each weighs 1. At
  // most 2^32 - 2 entries. An entry heavier than the capacity is refused: it is not stored, and its
  // key is erased. A call that runs out of memory may already have evicted entries and erased its
  // key. set_capacity() changes the capacity later.
  Capacity capacity = internal::NotGiven<Kind::kPolicy, Capacity>().operator Capacity();

  Clock clock = internal::NotGiven<Kind::kClock, Clock>().operator Clock();

  Weigher weigher = internal::NotGiven<Kind::kWeigher, Weigher>().operator Weigher();
  Listener listener = internal::NotGiven<Kind::kListener, Listener>().operator Listener();

  // With WithExpireAfterAccess: how long an entry is live without a request. If it is zero or less,
  // no value is stored.
  IdleTime expire_after_access =
      internal::NotGiven<Kind::kExpireAfterAccess, IdleTime>().operator IdleTime();

  Hash hash = internal::NotGiven<Kind::kHash, Hash>().operator Hash();
  Equal equal = internal::NotGiven<Kind::kEqual, Equal>().operator Equal();
  Allocator allocator = internal::NotGiven<Kind::kAllocator, Allocator>().operator Allocator();

  // In a ConcurrentKeyspace: the number of shards, rounded up to a power of two. At most 65,536,
  // and at most the capacity.
  //
  // The default (0) is 32 for each processor, and at most 256. With a weigher it is at most 8. With
  // a capacity it is less if a shard's capacity would be below 256. Each shard has its part of the
  // capacity, and refuses an entry that is heavier than that. For a few heavy entries, or if
  // set_capacity() may lower the capacity, give fewer shards.
  Shards shards = internal::NotGiven<Kind::kShards, Shards>().operator Shards();
};

}  // namespace keyspace

#endif  // KEYSPACE_OPTIONS_H_
