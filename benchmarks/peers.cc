#include "peers.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

#include "compare.h"
#include "counting_allocator.h"
#include "parts.h"
#include "results.h"
#include "support/catch.hpp"
#include "workload.h"

namespace {

using namespace workload;

constexpr std::size_t kKeys = 1'000'000;
using Batch = std::span<const Numbers::Id>;

// Stores each key with a ttl. Returns the number of keys.
template <class Peer, class TtlOf>
std::size_t put_all(Peer& peer, Batch ids, TtlOf ttl_of) {
  return sum_over(
      ids, [&](Numbers::Id id) { return peer.put(id, id, peer.clock().now() + ttl_of(id)); });
}

template <class Peer, class TtlOf>
Peer filled(const Ids<Numbers>& ids, TtlOf ttl_of) {
  auto peer = reserved<Peer>(ids.size());
  put_all(peer, ids, ttl_of);
  return peer;
}

template <class Peer>
std::size_t expire_part(Peer& peer) {
  std::size_t erased = 0;
  for (auto left = kTtl / parts(kKeys); left.count() != 0; --left) {
    peer.clock().advance(std::chrono::milliseconds(1));
    erased += peer.erase_expired();
  }
  return erased;
}

template <class Peer>
std::uint64_t get_all(const Peer& peer, Batch picks) {
  return sum_over(picks, [&](Numbers::Id id) {
    const auto* const value = peer.get(id);
    return value == nullptr ? 0 : *value;
  });
}

template <class Peer, class TtlOf>
std::uint64_t change_ttls(Peer& peer, Batch picks, TtlOf ttl_of) {
  return sum_over(
      picks, [&](Numbers::Id id) { return peer.expire_at(id, peer.clock().now() + ttl_of(id)); });
}

template <class Peer>
double bytes_per_key(const Ids<Numbers>& ids) {
  const std::size_t before = counted_bytes;
  const Peer peer = filled<Peer>(ids, random_ttl);
  return static_cast<double>(counted_bytes - before) / kKeys;
}

template <template <template <class> class> class PeerOf>
void compare_to_keyspace() {
  using Peer = PeerOf<std::allocator>;
  using Keyspace = peers::KeyspacePeer<std::allocator>;
  const Ids<Numbers> ids = random_ids<Numbers>(kKeys);
  Rotation<Numbers> picks(picks_of<Numbers>(ids));

  const auto row = [](const char* work) {
    return results::Row{std::string(Peer::kName) + ": " + work, Keyspace::kName, kKeys,
                        Numbers::kName};
  };
  // make() takes an std::type_identity of the type that it makes.
  const auto compare_in_parts = [&](const char* work, auto make, auto run) {
    compare(row(work), operations_per_run(kKeys),
            InParts(
                kKeys, [=] { return make(std::type_identity<Keyspace>()); }, run),
            InParts(
                kKeys, [=] { return make(std::type_identity<Peer>()); }, run),
            schedule_in_parts(kKeys));
  };
  compare_in_parts(
      "put", []<class P>(std::type_identity<P>) { return reserved<P>(kKeys); },
      [&](auto& peer, std::size_t part) { return put_all(peer, part_of(ids, part), random_ttl); });
  compare_in_parts(
      "expire every ms", [&]<class P>(std::type_identity<P>) { return filled<P>(ids, random_ttl); },
      [](auto& peer, std::size_t) { return expire_part(peer); });

  auto keyspace = filled<Keyspace>(ids, same_ttl);
  auto other = filled<Peer>(ids, same_ttl);
  const auto compare_filled = [&](const char* work, auto run) {
    compare(
        row(work), Rotation<Numbers>::kSize, [&] { return run(keyspace); },
        [&] { return run(other); });
  };
  compare_filled("get", [&](const auto& peer) { return get_all(peer, picks.next()); });
  compare_filled("refresh the ttl", [&](auto& peer) {
    return sum_over_time(picks.next(), peer.clock(), [&](Numbers::Id id) {
      return peer.expire_at(id, peer.clock().now() + kTtl);
    });
  });
  // This work is the last: it leaves keys with short ttls, which would expire during later work.
  std::uint64_t run = 0;
  compare_filled("change to a random ttl", [&](auto& peer) {
    ++run;
    return change_ttls(peer, picks.next(),
                       [&](Numbers::Id id) { return random_ttl(id * (2 * run + 1)); });
  });

  results::Row bytes = row("bytes per key");
  bytes.unit = "B";
  results::add_figure(bytes, bytes_per_key<peers::KeyspacePeer<CountingAllocator>>(ids),
                      bytes_per_key<PeerOf<CountingAllocator>>(ids));
}

TEST_CASE("unordered_map and multimap instead with 1 M keys", "[1M]") {
  compare_to_keyspace<peers::MultimapPeer>();
}
TEST_CASE("flat_hash_map and heap instead with 1 M keys", "[1M]") {
  compare_to_keyspace<peers::HeapPeer>();
}
#ifdef KEYSPACE_BENCHMARKS_HAVE_MULTI_INDEX
TEST_CASE("Boost.MultiIndex instead with 1 M keys", "[1M]") {
  compare_to_keyspace<peers::MultiIndexPeer>();
}
#endif

}  // namespace
