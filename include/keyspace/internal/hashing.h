#ifndef KEYSPACE_INTERNAL_HASHING_H_
#define KEYSPACE_INTERNAL_HASHING_H_

#include "keyspace/internal/config.h"

#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/hash/hash.h"

namespace keyspace::internal {

template <class T>
inline constexpr bool kIsStringKey = false;
template <class Allocator>
inline constexpr bool kIsStringKey<std::basic_string<char, std::char_traits<char>, Allocator>> =
    true;
template <>
inline constexpr bool kIsStringKey<std::string_view> = true;

// The default hash and equality. The hash is abseil's, or std::hash for a key that has no other.
// Strings are looked up by whatever converts to std::string_view, which abseil's own functors do
// not accept where absl::string_view is a type of its own.
template <class Key>
struct DefaultHash {
  using is_avalanching = void;
  static constexpr bool kHasAbslHash = std::is_default_constructible_v<absl::Hash<Key>>;

  std::size_t operator()(const Key& key) const noexcept(std::is_scalar_v<Key>) {
    if constexpr (kHasAbslHash) {
      return absl::Hash<Key>()(key);
    } else {
      static_assert(std::is_default_constructible_v<std::hash<Key>>,
                    "Give Key an AbslHashValue() or a std::hash, or the keyspace a Hash");
      // Mixed, for std::hash may return what it was given.
      return absl::Hash<std::size_t>()(std::hash<Key>()(key));
    }
  }
};
template <class Key>
requires kIsStringKey<Key>
struct DefaultHash<Key> {
  using is_avalanching = void;
  using is_transparent = void;
  std::size_t operator()(std::string_view key) const noexcept {
    return absl::Hash<std::string_view>()(key);
  }
};

// Whether a hash spreads what it is given over all bits, as a map needs it. One that does may say
// so with a type `is_avalanching`, as for other hash maps; unless that has a `value` that is false.
template <class Hash>
inline constexpr bool kIsAvalanching = requires {
  typename Hash::is_avalanching;
  requires !requires { requires !bool(Hash::is_avalanching::value); };
};
template <class Key>
inline constexpr bool kIsAvalanching<absl::Hash<Key>> = true;

// Returns the hash of a key, spread over all bits: std::hash of a number is mostly that number.
template <class Hash, class K>
std::size_t spread_hash(const Hash& hash, const K& key) {
  if constexpr (kIsAvalanching<Hash>) {
    return static_cast<std::size_t>(hash(key));
  } else {
    return absl::Hash<std::size_t>()(static_cast<std::size_t>(hash(key)));
  }
}

template <class Key>
struct DefaultEqual : std::equal_to<Key> {};
template <class Key>
requires kIsStringKey<Key>
struct DefaultEqual<Key> {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const noexcept { return a == b; }
};

template <class T>
concept Transparent = requires {
  typename T::is_transparent;
};

// Whether the hash and equality of a keyspace take a K as it is.
template <class K, class Keyspace>
inline constexpr bool kIsLookup =
    std::same_as<K, typename Keyspace::key_type> ||
    (Transparent<typename Keyspace::hasher> && Transparent<typename Keyspace::key_equal> &&
     std::is_invocable_v<const typename Keyspace::hasher&, const K&> &&
     std::is_invocable_r_v<bool, const typename Keyspace::key_equal&,
                           const typename Keyspace::key_type&, const K&>);

// A type by which a keyspace finds its keys: as it is, or made a key first.
template <class K, class Keyspace>
concept KeyFor = kIsLookup<std::remove_cvref_t<K>, Keyspace> ||
    std::is_convertible_v<K, typename Keyspace::key_type>;

// Passes a key on if a keyspace can look for it as it is, else makes a key of it.
template <class Keyspace, class K>
decltype(auto) as_key(K&& key) {
  if constexpr (kIsLookup<std::remove_cvref_t<K>, Keyspace>) {
    return std::forward<K>(key);
  } else {
    return static_cast<typename Keyspace::key_type>(std::forward<K>(key));
  }
}

// A key on its way through a keyspace that need not be hashed again. It refers to the key, and must
// not outlive it. K may be a reference.
template <class K>
struct Hashed {
  K&& key;
  std::size_t hash;
};
template <class T>
inline constexpr bool kIsHashed = false;
template <class K>
inline constexpr bool kIsHashed<Hashed<K>> = true;

// Returns what is to be stored of what was looked for.
template <class K>
decltype(auto) key_of(K&& key) noexcept {
  if constexpr (kIsHashed<std::remove_cvref_t<K>>) {
    return static_cast<decltype(key.key)>(key.key);
  } else {
    return std::forward<K>(key);
  }
}

// The hash and equality of a keyspace whose keys mostly come hashed.
template <class Key, class Hash>
struct HashedHash {
  using is_avalanching = std::bool_constant<kIsAvalanching<Hash>>;
  using is_transparent = void;
  std::size_t operator()(const Key& key) const noexcept(noexcept(hash(key))) { return hash(key); }
  template <class K>
  std::size_t operator()(const Hashed<K>& key) const noexcept {
    return key.hash;
  }
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Hash hash;
};
template <class Key, class Equal>
struct HashedEqual {
  using is_transparent = void;
  bool operator()(const Key& a, const Key& b) const { return equal(a, b); }
  template <class K>
  bool operator()(const Key& a, const Hashed<K>& b) const {
    return equal(a, std::as_const(b.key));
  }
  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Equal equal;
};

// Something to walk over more than once, that consists of such.
template <class Keys, class Keyspace>
concept KeysFor = std::forward_iterator<decltype(std::begin(std::declval<const Keys&>()))> &&
    KeyFor<decltype(*std::begin(std::declval<const Keys&>())), Keyspace>;

// A function that computes a value for a key: of a result that a value can be made of.
template <class F, class Key, class Value>
concept ComputationOf = (std::invocable<F&> &&
                         std::is_constructible_v<Value, std::invoke_result_t<F&>>) ||
                        (!std::invocable<F&> && std::invocable<F&, const Key&> &&
                         std::is_constructible_v<Value, std::invoke_result_t<F&, const Key&>>);

// A type of which a keyspace makes its values.
template <class V, class Keyspace>
concept ValueFor = std::is_constructible_v<typename Keyspace::mapped_type, V>;

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_HASHING_H_
