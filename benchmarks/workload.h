#ifndef KEYSPACE_BENCHMARKS_WORKLOAD_H_
#define KEYSPACE_BENCHMARKS_WORKLOAD_H_

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "keyspace/keyspace.h"

// The keys and values of the benchmarks, of two kinds. The order of the keys is chosen before the
// measurement and stored as ids. An id has only the bytes of a key, so reading the ids takes little
// time.
namespace workload {

// --- Keys and values ---

using Random = std::mt19937_64;

struct Numbers {
  using Key = std::uint64_t;
  using Value = std::uint64_t;
  using Id = std::uint64_t;
  static constexpr char kName[] = "u64 -> u64";

  static Id draw(Random& random) { return random(); }
  static std::uint64_t number(Id id) { return id; }

  struct Speller {
    Key key(Id id) const { return id; }
    Value value(Id id) const { return id; }
  };
};

// Strings that are too long for the object itself, and need an allocation.
struct Strings {
  using Key = std::string;
  using Value = std::string;
  using Id = std::array<char, 16>;
  static constexpr char kName[] = "16 B -> 32 B";

  static Id draw(Random& random) { return std::bit_cast<Id>(std::array{random(), random()}); }
  static std::uint64_t number(const Id& id) {
    return std::bit_cast<std::array<std::uint64_t, 2>>(id).front();
  }

  // Makes keys and values in the same two strings, so that it allocates nothing. Copies all bytes
  // of a key at once, because a processor waits if it loads together what was stored in parts.
  class Speller {
   public:
    const Key& key(const Id& id) {
      std::memcpy(key_.data(), id.data(), id.size());
      return key_;
    }
    const Value& value(const Id& id) {
      std::memcpy(value_.data(), id.data(), id.size());
      std::memcpy(value_.data() + id.size(), id.data(), id.size());
      return value_;
    }

   private:
    Key key_ = Key(sizeof(Id), ' ');
    Value value_ = Value(2 * sizeof(Id), ' ');
  };
};

// Reads a value, so that a find includes an access to the value.
inline std::uint64_t read(std::uint64_t value) { return value; }
inline std::uint64_t read(const std::string& value) {
  return static_cast<unsigned char>(value.front());
}

// --- Sequences of ids ---

// There are few picks without optimization. The figures then mean nothing, and a few picks show
// that the suite runs.
#ifdef NDEBUG
inline constexpr std::size_t kPicks = 1'000'000;
#else
inline constexpr std::size_t kPicks = 10'000;
#endif

template <class Types>
using Ids = std::vector<typename Types::Id>;

template <class Types>
Ids<Types> random_ids(std::size_t count, std::uint64_t seed = 1) {
  Random random(seed);
  Ids<Types> ids(count);
  for (auto& id : ids) id = Types::draw(random);
  return ids;
}

// Returns kPicks ids that are not among the random_ids() of the keys.
template <class Types>
Ids<Types> absent_ids() {
  return random_ids<Types>(kPicks, 2);
}

// Returns kPicks random ids of the keys. Some come more than once.
template <class Types>
Ids<Types> picks_of(const Ids<Types>& ids) {
  Random random(3);
  Ids<Types> picks(kPicks);
  for (auto& pick : picks) pick = ids[random() % ids.size()];
  return picks;
}

template <class Types>
Ids<Types> shuffled(Ids<Types> ids) {
  std::shuffle(ids.begin(), ids.end(), Random(4));
  return ids;
}

// Returns the sum of f(id). A benchmark returns it, so that the compiler must compute it.
template <class Ids, class F>
std::uint64_t sum_over(const Ids& ids, F f) {
  std::uint64_t sum = 0;
  for (const auto& id : ids) sum += f(id);
  return sum;
}

// The same. Advances a ManualClock by a millisecond after each thousand ids.
template <class Id, class Clock, class F>
std::uint64_t sum_over_time(std::span<const Id> ids, const Clock&, F f) {
  return sum_over(ids, f);
}
template <class Id, class F>
std::uint64_t sum_over_time(std::span<const Id> ids, const keyspace::ManualClock& clock, F f) {
  constexpr std::size_t kPerMillisecond = 1'000;
  std::uint64_t sum = 0;
  for (; !ids.empty(); ids = ids.subspan(std::min(kPerMillisecond, ids.size()))) {
    sum += sum_over(ids.first(std::min(kPerMillisecond, ids.size())), f);
    clock.advance(std::chrono::milliseconds(1));
  }
  return sum;
}

// A cycle of picks. Each run of a benchmark takes the next part. A round of compare() has four
// runs, so with five parts the baseline and the work measure all of them in turn.
template <class Types>
class Rotation {
 public:
  static constexpr std::size_t kSize = kPicks / 5;

  explicit Rotation(Ids<Types> picks) : picks_(std::move(picks)) {}

  std::span<const typename Types::Id> next() {
    const std::size_t start = std::exchange(start_, (start_ + kSize) % kPicks);
    return std::span(picks_).subspan(start, kSize);
  }

 private:
  Ids<Types> picks_;
  std::size_t start_ = 0;
};

// --- Time ---

inline constexpr std::chrono::milliseconds kTtl = std::chrono::minutes(10);

// The ttl of an entry, by the number of its id.

inline std::chrono::milliseconds same_ttl(std::uint64_t) { return kTtl; }
inline std::chrono::milliseconds no_ttl(std::uint64_t) { return keyspace::kNever; }

// Returns a ttl from 1 ms to kTtl. All are equally likely.
inline std::chrono::milliseconds random_ttl(std::uint64_t number) {
  const auto count = static_cast<std::uint64_t>(kTtl.count());
  return std::chrono::milliseconds(1 + ((number >> 32) * count >> 32));
}

// --- Containers ---

template <class Types>
using Bare = absl::flat_hash_map<typename Types::Key, typename Types::Value>;
template <class Types, class Clock = keyspace::ManualClock>
using Store = keyspace::Keyspace<typename Types::Key, typename Types::Value, Clock>;

template <class Map>
Map reserved(std::size_t keys) {
  Map map;
  map.reserve(keys);
  return map;
}

// Returns the number of new keys.
template <class Types>
std::size_t fill(Bare<Types>& bare, std::span<const typename Types::Id> ids) {
  typename Types::Speller spell;
  return sum_over(
      ids, [&](const auto& id) { return bare.try_emplace(spell.key(id), spell.value(id)).second; });
}
template <class Types, class Clock, class TtlOf>
std::size_t fill(Store<Types, Clock>& store, std::span<const typename Types::Id> ids,
                 TtlOf ttl_of) {
  typename Types::Speller spell;
  return sum_over(ids, [&](const auto& id) {
    return store.insert(spell.key(id), spell.value(id), ttl_of(Types::number(id)));
  });
}

template <class Types>
Bare<Types> filled_bare(const Ids<Types>& ids) {
  auto bare = reserved<Bare<Types>>(ids.size());
  fill<Types>(bare, ids);
  return bare;
}
template <class Types, class Clock = keyspace::ManualClock, class TtlOf>
Store<Types, Clock> filled_store(const Ids<Types>& ids, TtlOf ttl_of) {
  auto store = reserved<Store<Types, Clock>>(ids.size());
  fill<Types, Clock>(store, ids, ttl_of);
  return store;
}

}  // namespace workload

#endif  // KEYSPACE_BENCHMARKS_WORKLOAD_H_
