// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_KEY_CONCEPTS_H_
#define KEYSPACE_INTERNAL_KEY_CONCEPTS_H_

#include "keyspace/internal/config.h"

#include <concepts>
#include <functional>
#include <iterator>
#include <type_traits>
#include <utility>

namespace keyspace::internal {

template <class T>
concept Transparent = requires {
  typename T::is_transparent;
};

// Whether the hash and the equality of a keyspace accept a K as it is.
template <class K, class Keyspace>
inline constexpr bool kIsLookup =
    std::same_as<K, typename Keyspace::key_type> ||
    (Transparent<typename Keyspace::hasher> && Transparent<typename Keyspace::key_equal> &&
     std::is_invocable_v<const typename Keyspace::hasher&, const K&> &&
     std::is_invocable_r_v<bool, const typename Keyspace::key_equal&,
                           const typename Keyspace::key_type&, const K&>);

// A type that a keyspace accepts as a key: as it is, or after a conversion to the key type.
template <class K, class Keyspace>
concept KeyFor = kIsLookup<std::remove_cvref_t<K>, Keyspace> ||
    std::is_convertible_v<K, typename Keyspace::key_type>;

// Returns a key unchanged if the keyspace can look it up. Otherwise converts it to the key type.
template <class Keyspace, class K>
decltype(auto) as_key(K&& key) {
  if constexpr (kIsLookup<std::remove_cvref_t<K>, Keyspace>) {
    return std::forward<K>(key);
  } else {
    return static_cast<typename Keyspace::key_type>(std::forward<K>(key));
  }
}

template <class Keyspace>
struct AsKey {
  template <class K>
  decltype(auto) operator()(K&& key) const {
    return as_key<Keyspace>(std::forward<K>(key));
  }
};

// A key of which a call can store a copy.
template <class K, class Keyspace>
concept StorableKey = KeyFor<K, Keyspace> &&
    std::is_constructible_v<typename Keyspace::key_type,
                            decltype(as_key<Keyspace>(std::declval<const K&>()))>;

// A range of such keys that can be traversed more than once.
template <class Keys, class Keyspace>
concept KeysFor = std::forward_iterator<decltype(std::begin(std::declval<const Keys&>()))> &&
    KeyFor<decltype(*std::begin(std::declval<const Keys&>())), Keyspace>;

// A type that a value can be constructed from.
template <class V, class Keyspace>
concept ValueFor = std::is_constructible_v<typename Keyspace::mapped_type, V>;

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_KEY_CONCEPTS_H_
