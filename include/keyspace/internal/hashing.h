// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_HASHING_H_
#define KEYSPACE_INTERNAL_HASHING_H_

#include "keyspace/internal/config.h"

#include <concepts>
#include <cstddef>
#include <functional>
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

// The default hash and equality. The hash is that of abseil, or std::hash if abseil has none for
// the key. Strings are found by any type that converts to std::string_view. (abseil's own functors
// reject std::string_view where absl::string_view is another type.)
template <class Key>
struct DefaultHash {
  using is_avalanching = void;
  static constexpr bool kHasAbslHash = std::is_default_constructible_v<absl::Hash<Key>>;

  std::size_t operator()(const Key& key) const
      noexcept(std::is_scalar_v<Key>) requires(kHasAbslHash ||
                                               std::is_default_constructible_v<std::hash<Key>>) {
    if constexpr (kHasAbslHash) {
      return absl::Hash<Key>()(key);
    } else {
      // Mixes the result, because std::hash may return its argument.
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

// Whether a hash spreads its argument over all bits of the result. Such a hash has a member type
// `is_avalanching`, as for other hash maps. If that has a member `value`, the value must be true.
template <class Hash>
inline constexpr bool kIsAvalanching = requires {
  typename Hash::is_avalanching;
  requires !requires { requires !bool(Hash::is_avalanching::value); };
};
template <class Key>
inline constexpr bool kIsAvalanching<absl::Hash<Key>> = true;

// Returns the hash of a key, spread over all bits. (std::hash of a number is mostly that number.)
template <class Hash, class K>
std::size_t spread_hash(const Hash& hash, const K& key) {
  if constexpr (kIsAvalanching<Hash>) {
    return static_cast<std::size_t>(hash(key));
  } else {
    return absl::Hash<std::size_t>()(static_cast<std::size_t>(hash(key)));
  }
}

template <class Key>
struct DefaultEqual {
  bool operator()(const Key& a, const Key& b) const requires requires {
    { a == b } -> std::convertible_to<bool>;
  }
  { return a == b; }
};
template <class Key>
requires kIsStringKey<Key>
struct DefaultEqual<Key> {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const noexcept { return a == b; }
};

// A hash and an equality for every type. They replace functors that do not compile, so that the
// compiler prints no further errors.
struct AnyHash {
  AnyHash() = default;
  AnyHash(const auto&) {}  // NOLINT: implicit by design
  std::size_t operator()(const auto&) const noexcept { return 0; }
};
struct AnyEqual {
  AnyEqual() = default;
  AnyEqual(const auto&) {}  // NOLINT: implicit by design
  bool operator()(const auto&, const auto&) const noexcept { return false; }
};

// A key with its hash, so that it is hashed once. Refers to the key, and must not outlive it. K may
// be a reference.
template <class K>
struct Hashed {
  K&& key;
  std::size_t hash;
};
template <class T>
inline constexpr bool kIsHashed = false;
template <class K>
inline constexpr bool kIsHashed<Hashed<K>> = true;

// Returns the key without its hash.
template <class K>
decltype(auto) key_of(K&& key) noexcept {
  if constexpr (kIsHashed<std::remove_cvref_t<K>>) {
    return static_cast<decltype(key.key)>(key.key);
  } else {
    return std::forward<K>(key);
  }
}

// The hash and equality of a shard, where most keys come with their hash.
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

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_HASHING_H_
