#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_MODELS_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_MODELS_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "hit_ratio/trace.h"

namespace hit_ratio {

// A cache that stores only keys. Its policy chooses which key it evicts.
class Model {
 public:
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  virtual ~Model() = default;

  // Requests a key. Returns whether it was stored. If not, offers it to the cache.
  virtual bool request(Key key) = 0;
};

struct Policy {
  std::string_view name;
  // Makes a model that stores `capacity` keys, for a trace with `keys` different keys.
  // REQUIRES: capacity != 0
  std::unique_ptr<Model> (*make)(std::size_t capacity, std::size_t keys);
};

// Returns the policies to compare:
//
//   LRU: keyspace::Lru, which evicts the least recently used key.
//   SIEVE: a hand moves over the keys. It evicts the first key that was not requested since the
//     last pass of the hand (Zhang et al., NSDI 2024).
//   S3-FIFO: a tenth of the cache is a queue for new keys. Keys that are requested again move to
//     the rest of the cache (Yang et al., SOSP 2023).
//   ARC: one list has the keys that were requested once, the other has the rest. Requests for keys
//     that were evicted from a list make it longer (Megiddo & Modha, FAST 2003).
//   LIRS: 99 % of the cache holds the keys with the fewest other keys between their last two
//     requests. The other keys stay for a short time (Jiang & Zhang, SIGMETRICS 2002).
//   W-TinyLFU: a window holds new keys. A key that leaves the window is admitted if it was
//     requested more often than the next victim. Counts are halved at times (Einziger et al., ACM
//     TOS 2017). The size of the window adapts to the hits, as in the simulator of Caffeine 3.
//   Keyspace: keyspace::ScanResistant, the default policy of keyspace::Cache.
std::span<const Policy> policies();

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_MODELS_H_
