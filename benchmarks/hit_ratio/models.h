#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_MODELS_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_MODELS_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "hit_ratio/trace.h"

namespace hit_ratio {

// A cache of keys alone, which keeps as many keys as it was made for and has one policy as to
// which.
class Model {
 public:
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  virtual ~Model() = default;

  // Asks for a key. Returns whether it was there; if not, it is offered to the cache.
  virtual bool request(Key key) = 0;
};

struct Policy {
  std::string_view name;
  // Makes a model for that many keys, of a trace of `keys` different ones. REQUIRES: capacity != 0
  std::unique_ptr<Model> (*make)(std::size_t capacity, std::size_t keys);
};

// Returns the policies that are compared:
//
//   LRU         keyspace::Lru, which lets go of the key whose last request is the longest ago
//   SIEVE       a hand that passes over keys that were asked for since it came by (Zhang et al.,
//               NSDI 2024)
//   S3-FIFO     a tenth is a queue for new keys, and those that come again go to the rest (Yang et
//               al., SOSP 2023)
//   W-TinyLFU   a window, behind which a key is let in if it was asked for more often than the one
//               that would go, by counts that are halved at times (Einziger et al., ACM TOS 2017);
//               the window's size climbs towards more hits, as in Caffeine 3
//   Keyspace    keyspace::ScanResistant, the policy of keyspace::Cache
std::span<const Policy> policies();

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_MODELS_H_
