// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_ENGINE_CONFIG_H_
#define KEYSPACE_INTERNAL_ENGINE_CONFIG_H_

#include "keyspace/internal/config.h"

#include <chrono>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "keyspace/expiry.h"

namespace keyspace::internal {

// The run-time arguments of an engine and its store: all members that keyspace::Config may have,
// except the clock and the shards.
template <class Choices>
struct EngineConfig {
  std::size_t capacity;
  typename Choices::Weigher weigher;
  typename Choices::Listener listener;
  Ttl expire_after_access;
  typename Choices::Hash hash;
  typename Choices::Equal equal;
  typename Choices::Allocator allocator;
};

// The capacity of a store without a bound.
struct NoCapacity {
  constexpr NoCapacity(std::size_t) noexcept {}                  // NOLINT: implicit by design
  constexpr operator std::size_t() const noexcept { return 0; }  // NOLINT: implicit by design
};

// Returns a member of a Config, or the default where the Config does not have that member.
template <class T, class Member>
T take_member(Member& member) {
  if constexpr (std::is_same_v<T, Member>) {
    return std::move(member);
  } else {
    return T();
  }
}
template <class Choices, class Config>
EngineConfig<Choices> engine_config(Config&& config) {
  Ttl idle_time = std::chrono::milliseconds(0);
  if constexpr (Choices::kExpireAfterAccess) idle_time = config.expire_after_access;
  return {take_member<std::size_t>(config.capacity),
          take_member<typename Choices::Weigher>(config.weigher),
          take_member<typename Choices::Listener>(config.listener),
          idle_time,
          take_member<typename Choices::Hash>(config.hash),
          take_member<typename Choices::Equal>(config.equal),
          take_member<typename Choices::Allocator>(config.allocator)};
}

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_ENGINE_CONFIG_H_
