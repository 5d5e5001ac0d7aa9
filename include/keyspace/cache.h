// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_CACHE_H_
#define KEYSPACE_CACHE_H_

#include "keyspace/internal/config.h"

#include "keyspace/keyspace.h"
#include "keyspace/options.h"

namespace keyspace {

// A Keyspace with a capacity: when it is full, the policy chooses which entry is evicted. The
// policy is ScanResistant unless the options name another.
//
//   keyspace::Cache<std::string, Page> pages({.capacity = 10'000});
//   pages.set("/", render("/"), 10min);
template <class Key, class Value, class... Options>
using Cache = internal::AddDefaultPolicy<Keyspace, Key, Value, Options...>;

}  // namespace keyspace

#endif  // KEYSPACE_CACHE_H_
