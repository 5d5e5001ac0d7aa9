#include "keyspace/cache.h"

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "compare.h"
#include "counting_allocator.h"
#include "listener.h"
#include "results.h"
#include "support/catch.hpp"
#include "workload.h"

namespace {

using namespace workload;
using results::Goal;

template <class Types, class Policy>
using Cache =
    keyspace::Cache<typename Types::Key, typename Types::Value, Policy, keyspace::ManualClock>;

// The usual LRU cache: a list in the order of requests, and a map to the nodes of the list.
template <class Types>
class ListLru {
  using Key = typename Types::Key;
  using Value = typename Types::Value;

 public:
  explicit ListLru(std::size_t capacity) : capacity_(capacity) { nodes_.reserve(capacity); }

  const Value* find(const Key& key) {
    const auto it = nodes_.find(key);
    if (it == nodes_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, it->second);
    return &it->second->second;
  }
  // REQUIRES: the key is not stored.
  bool insert(const Key& key, const Value& value) {
    if (nodes_.size() == capacity_) {
      nodes_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(key, value);
    return nodes_.try_emplace(key, entries_.begin()).second;
  }

 private:
  std::size_t capacity_;
  std::list<std::pair<Key, Value>> entries_;
  absl::flat_hash_map<Key, typename std::list<std::pair<Key, Value>>::iterator> nodes_;
};

// Inserts the ids into `store`. REQUIRES: its capacity, if it has one, is at least their number.
template <class Types, class S>
S filled(S store, const Ids<Types>& ids) {
  typename Types::Speller spell;
  for (const auto& id : ids) store.insert(spell.key(id), spell.value(id));
  return store;
}
template <class Types, class Policy>
Cache<Types, Policy> filled_cache(const Ids<Types>& ids) {
  Cache<Types, Policy> cache({.capacity = ids.size()});
  cache.reserve(ids.size());
  return filled<Types>(std::move(cache), ids);
}
template <class Types>
ListLru<Types> filled_list(const Ids<Types>& ids) {
  return filled<Types>(ListLru<Types>(ids.size()), ids);
}

// Requests for stored keys, which the policy records.
template <class Types, class S>
auto find_in(S& store, Rotation<Types>& picks) {
  return [&] {
    typename Types::Speller spell;
    return sum_over(picks.next(), [&](const auto& id) { return read(*store.find(spell.key(id))); });
  };
}

// Insertions of new keys. Each evicts another key.
template <class Types, class S>
auto insert_in(S& store) {
  return [&store, random = Random(5)]() mutable {
    typename Types::Speller spell;
    std::uint64_t stored = 0;
    for (std::size_t i = 0; i != Rotation<Types>::kSize; ++i) {
      const auto id = Types::draw(random);
      stored += store.insert(spell.key(id), spell.value(id));
    }
    return stored;
  };
}

template <class Types, class Policy>
void compare_hits(const std::string& policy, const Ids<Types>& ids) {
  auto store = filled_store<Types>(ids, no_ttl);
  auto cache = filled_cache<Types, Policy>(ids);
  Rotation<Types> picks(picks_of<Types>(ids));
  compare({"hit, " + policy, "Unbounded", ids.size(), Types::kName, Goal::ratio_at_most(1.15)},
          Rotation<Types>::kSize, find_in<Types>(store, picks), find_in<Types>(cache, picks),
          in_optimized_build({9, ids.size() <= 1'000 ? 20 : 5}));
}

template <class Types, class Policy>
void compare_with_list(const std::string& policy, const Ids<Types>& ids) {
  auto list = filled_list<Types>(ids);
  auto cache = filled_cache<Types, Policy>(ids);
  Rotation<Types> picks(picks_of<Types>(ids));
  const auto row = [&](const std::string& work) {
    return results::Row{work + ", " + policy, "list LRU", ids.size(), Types::kName, {}};
  };
  compare(row("hit"), Rotation<Types>::kSize, find_in<Types>(list, picks),
          find_in<Types>(cache, picks));
  compare(row("insert that evicts"), Rotation<Types>::kSize, insert_in<Types>(list),
          insert_in<Types>(cache));
}

template <class Types>
void compare_caches(std::size_t keys) {
  const Ids<Types> ids = random_ids<Types>(keys);
  compare_hits<Types, keyspace::ScanResistant>("ScanResistant", ids);
  compare_hits<Types, keyspace::EarliestDeadline>("EarliestDeadline", ids);
  compare_hits<Types, keyspace::Lru>("Lru", ids);
  compare_with_list<Types, keyspace::ScanResistant>("ScanResistant", ids);
  compare_with_list<Types, keyspace::Lru>("Lru", ids);
}

TEMPLATE_TEST_CASE("cache with 1 k keys", "[1k]", Numbers, Strings) {
  compare_caches<TestType>(1'000);
}
TEMPLATE_TEST_CASE("cache with 1 M keys", "[1M]", Numbers, Strings) {
  compare_caches<TestType>(1'000'000);
}

template <class Policy>
using CountedCache = keyspace::Cache<
    std::uint64_t, std::uint64_t, Policy, keyspace::ManualClock,
    keyspace::WithAllocator<CountingAllocator<std::pair<const std::uint64_t, std::uint64_t>>>>;

template <class S>
double bytes_per_key(S store, std::size_t keys) {
  const std::size_t before = counted_bytes;
  store.reserve(keys);
  for (std::uint64_t key = 0; key != keys; ++key) store.set(key, key);
  return static_cast<double>(counted_bytes - before) / static_cast<double>(keys);
}

TEST_CASE("bytes of a cache with 1 M keys", "[1M]") {
  constexpr std::size_t kKeys = 1'000'000;
  listener::show_progress("bytes of a cache, 1 M keys");
  const double base = bytes_per_key(CountedCache<keyspace::Unbounded>(), kKeys);
  const auto add_figure = [&](const char* policy, double bytes) {
    results::add_figure(
        {std::string("bytes per key, ") + policy, "Unbounded", kKeys, Numbers::kName, {}, "B"},
        base, bytes);
  };
  using ScanResistant = CountedCache<keyspace::ScanResistant>;
  add_figure("ScanResistant", bytes_per_key(ScanResistant({.capacity = kKeys}), kKeys));
  using Lru = CountedCache<keyspace::Lru>;
  add_figure("Lru", bytes_per_key(Lru({.capacity = kKeys}), kKeys));
}

}  // namespace
