#ifndef KEYSPACE_CACHE_H_
#define KEYSPACE_CACHE_H_

#include "keyspace/internal/config.h"

#include <chrono>
#include <memory>
#include <utility>

#include "keyspace/features.h"
#include "keyspace/keyspace.h"

namespace keyspace {

// A keyspace with a bound, in the order of parameters that suits a cache.
//
//   keyspace::Cache<std::string, Page> pages({.capacity = 10'000});
//   pages.set("/", render("/"), 10min);
template <class Key, class Value, FeatureSet Features = CacheFeatures,
          TimeSource Clock = SteadyClock, class Hash = internal::DefaultHash<Key>,
          class Equal = internal::DefaultEqual<Key>,
          class Allocator = std::allocator<std::pair<const Key, Value>>>
using Cache = Keyspace<Key, Value, Clock, Hash, Equal, Allocator, Features>;

}  // namespace keyspace

#endif  // KEYSPACE_CACHE_H_
