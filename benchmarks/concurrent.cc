#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/synchronization/mutex.h"
#include "compare.h"
#include "keyspace/concurrent_keyspace.h"
#include "results.h"
#include "support/catch.hpp"
#include "workload.h"

#if __has_include(<libcuckoo/cuckoohash_map.hh>)
#include <libcuckoo/cuckoohash_map.hh>
#define KEYSPACE_BENCHMARKS_HAVE_LIBCUCKOO
#endif
#ifdef KEYSPACE_BENCHMARKS_HAVE_TBB
#include <tbb/concurrent_hash_map.h>
#endif

namespace {

using namespace workload;
using results::Goal;
using Key = std::uint64_t;

constexpr std::size_t kShards = 64;

// Maps that threads share. Each has put(key, value), and get(key), which returns 0 for a
// missing key.

class Ours {
 public:
  void put(Key key, Key value) { keyspace_.set(key, value, kTtl); }
  Key get(Key key) { return keyspace_.get(key).value_or(0); }

 private:
  using Keyspace = keyspace::ConcurrentKeyspace<Key, Key>;
  Keyspace keyspace_{Keyspace::Config{.shards = kShards}};
};

class OneMutex {
 public:
  static constexpr char kName[] = "Keyspace + mutex";
  void put(Key key, Key value) {
    const std::lock_guard lock(mutex_);
    keyspace_.set(key, value, kTtl);
  }
  Key get(Key key) {
    const std::lock_guard lock(mutex_);
    return keyspace_.get(key).value_or(0);
  }

 private:
  std::mutex mutex_;
  Store<Numbers, keyspace::SteadyClock> keyspace_;
};

// An absl::Mutex with the member names of std::shared_mutex. Newer releases of abseil have these
// names too.
struct AbslMutex : private absl::Mutex {
  void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { WriterLock(); }
  void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { WriterUnlock(); }
  void lock_shared() ABSL_NO_THREAD_SAFETY_ANALYSIS { ReaderLock(); }
  void unlock_shared() ABSL_NO_THREAD_SAFETY_ANALYSIS { ReaderUnlock(); }
};

// Its entries do not expire.
template <class Mutex>
class ShardedMap {
 public:
  // If abseil was built with assertions, as Debian's was, its mutex looks for deadlocks at each
  // lock.
  static constexpr const char* kName = std::is_same_v<Mutex, AbslMutex>
                                           ? "sharded flat_hash_map, absl::Mutex"
                                           : "sharded flat_hash_map, std::shared_mutex";
  void put(Key key, Key value) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    shard.map.insert_or_assign(key, value);
  }
  Key get(Key key) {
    Shard& shard = shard_of(key);
    const std::shared_lock lock(shard.mutex);
    const auto it = shard.map.find(key);
    return it == shard.map.end() ? 0 : it->second;
  }

 private:
  struct alignas(64) Shard {
    Mutex mutex;
    Bare<Numbers> map;
  };
  Shard& shard_of(Key key) {
    return shards_[static_cast<std::uint64_t>(absl::Hash<Key>()(key)) >> 32 & (kShards - 1)];
  }
  std::array<Shard, kShards> shards_;
};

#ifdef KEYSPACE_BENCHMARKS_HAVE_LIBCUCKOO
class Cuckoo {
 public:
  static constexpr char kName[] = "libcuckoo";
  void put(Key key, Key value) { map_.insert_or_assign(key, value); }
  Key get(Key key) {
    Key value = 0;
    map_.find(key, value);
    return value;
  }

 private:
  libcuckoo::cuckoohash_map<Key, Key, absl::Hash<Key>> map_;
};
#endif

#ifdef KEYSPACE_BENCHMARKS_HAVE_TBB
class Tbb {
 public:
  static constexpr char kName[] = "tbb::concurrent_hash_map";
  void put(Key key, Key value) {
    decltype(map_)::accessor accessor;
    map_.insert(accessor, key);
    accessor->second = value;
  }
  Key get(Key key) {
    decltype(map_)::const_accessor accessor;
    return map_.find(accessor, key) ? accessor->second : 0;
  }

 private:
  struct Compare {
    static std::size_t hash(Key key) { return absl::Hash<Key>()(key); }
    static bool equal(Key a, Key b) { return a == b; }
  };
  tbb::concurrent_hash_map<Key, Key, Compare> map_;
};
#endif

// Returns random ids. The n-th id has a probability in proportion to n^-exponent, as in Zipf's law.
// With exponent 0, all are equally likely.
Ids<Numbers> draw_picks(const Ids<Numbers>& ids, double exponent) {
  std::vector<double> sums(ids.size());
  double sum = 0;
  for (std::size_t i = 0; i != ids.size(); ++i) {
    sums[i] = sum += std::pow(static_cast<double>(i + 1), -exponent);
  }
  Random random(3);
  std::uniform_real_distribution<double> position(0, sum);
  Ids<Numbers> picks(kPicks);
  for (auto& pick : picks) {
    const auto it = std::lower_bound(sums.begin(), sums.end(), position(random));
    pick = ids[std::min(static_cast<std::size_t>(it - sums.begin()), ids.size() - 1)];
  }
  return picks;
}

struct Mix {
  const char* name;
  unsigned writes;  // percent
};
constexpr std::array<Mix, 3> kMixes = {{{"reads", 0}, {"95/5", 5}, {"50/50", 50}}};

// All threads together make kPicks calls. Each thread makes an equal part of them.
template <class Map>
std::uint64_t run(Map& map, std::span<const Key> picks, int threads, unsigned writes) {
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads) * 8);  // 8: a cache line each
  const auto work = [&](std::size_t thread) {
    const std::size_t size = picks.size() / static_cast<std::size_t>(threads);
    std::uint64_t sum = 0;
    std::uint32_t dice = static_cast<std::uint32_t>(thread) + 1;
    for (const Key key : picks.subspan(thread * size, size)) {
      dice = dice * 1'664'525 + 1'013'904'223;
      if ((dice >> 16) % 100 < writes) {
        map.put(key, sum | 1);
      } else {
        sum += map.get(key);
      }
    }
    sums[thread * 8] = sum;
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i != static_cast<std::size_t>(threads); ++i) {
      others.emplace_back(work, i);
    }
    work(0);
  }
  return sum_over(sums, [](std::uint64_t sum) { return sum; });
}

template <class Map>
std::unique_ptr<Map> filled(const Ids<Numbers>& ids) {
  auto map = std::make_unique<Map>();
  for (const Key key : ids) map->put(key, key);
  return map;
}

template <class Other>
void compare_mixes(std::size_t keys, std::span<const int> thread_counts, Goal goal) {
  const Ids<Numbers> ids = random_ids<Numbers>(keys);
  const auto other = filled<Other>(ids);
  const auto ours = filled<Ours>(ids);
  for (const auto& [distribution, exponent] :
       {std::pair("uniform", 0.0), std::pair("zipf", 0.99)}) {
    const Ids<Numbers> picks = draw_picks(ids, exponent);
    for (const int threads : thread_counts) {
      for (const Mix& mix : kMixes) {
        results::Row row{
            std::string(mix.name) + ", " + distribution + ", threads: " + std::to_string(threads),
            Other::kName, keys, Numbers::kName, goal};
        row.unit = "M/s";
        compare(
            row, kPicks, [&] { return run(*other, picks, threads, mix.writes); },
            [&] { return run(*ours, picks, threads, mix.writes); }, in_optimized_build({5, 1}));
      }
    }
  }
}

template <class... Others>
void compare_all(std::size_t keys, std::span<const int> thread_counts) {
  (compare_mixes<Others>(keys, thread_counts, Goal::ratio_at_least(1)), ...);
}
void compare_concurrent(std::size_t keys, std::span<const int> thread_counts) {
  compare_all<ShardedMap<AbslMutex>, ShardedMap<std::shared_mutex>, OneMutex
#ifdef KEYSPACE_BENCHMARKS_HAVE_TBB
              ,
              Tbb
#endif
#ifdef KEYSPACE_BENCHMARKS_HAVE_LIBCUCKOO
              ,
              Cuckoo
#endif
              >(keys, thread_counts);
}

TEST_CASE("concurrent mixes with 1 k keys", "[1k]") { compare_concurrent(1'000, std::array{2}); }
TEST_CASE("concurrent mixes with 1 M keys", "[1M]") {
  compare_concurrent(1'000'000, std::array{1, 2, 4});
}

// --- One thread, with a ConcurrentKeyspace ---

template <class C, class TtlOf>
void compare_on_one_thread(std::size_t keys, const std::string& note, TtlOf ttl_of, Goal goal) {
  const Ids<Numbers> ids = random_ids<Numbers>(keys);
  Rotation<Numbers> picks(picks_of<Numbers>(ids));
  const auto plain = filled_store<Numbers, C>(ids, ttl_of);
  keyspace::ConcurrentKeyspace<Key, Key, C> shared;
  shared.reserve(keys);
  for (const Key key : ids) shared.set(key, key, ttl_of(key));
  const auto get_all = [&picks](auto& store) {
    return sum_over(picks.next(), [&](Key key) { return store.get(key).value_or(0); });
  };
  compare(
      {"get, one thread" + note, "Keyspace", keys, Numbers::kName, goal}, Rotation<Numbers>::kSize,
      [&] { return get_all(plain); }, [&] { return get_all(shared); });
}
void compare_on_one_thread(std::size_t keys, Goal goal) {
  compare_on_one_thread<keyspace::SteadyClock>(keys, "", same_ttl, {});
  compare_on_one_thread<keyspace::ManualClock>(keys, ", ManualClock", same_ttl, goal);
  compare_on_one_thread<keyspace::ManualClock>(keys, ", persistent", no_ttl, {});
}
TEST_CASE("concurrent get on one thread with 1 k keys", "[1k]") {
  compare_on_one_thread(1'000, Goal::ratio_at_most(3));
}
TEST_CASE("concurrent get on one thread with 1 M keys", "[1M]") {
  compare_on_one_thread(1'000'000, Goal::ratio_at_most(1.6));
}

}  // namespace
