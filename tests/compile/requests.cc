// What a const keyspace may be asked.

#include <keyspace/cache.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>

#include <chrono>
#include <concepts>
#include <iterator>
#include <optional>
#include <vector>

using namespace std::chrono_literals;
using Plain = keyspace::Keyspace<int, int>;
using Counted = keyspace::Keyspace<int, int, keyspace::WithStatistics>;
using Idle = keyspace::Keyspace<int, int, keyspace::WithExpireAfterAccess>;
using Soonest = keyspace::Cache<int, int, keyspace::EarliestDeadline>;
using Recent = keyspace::Cache<int, int, keyspace::Lru>;
using SharedPlain = keyspace::ConcurrentKeyspace<int, int>;
using SharedCache = keyspace::ConcurrentCache<int, int>;

template <class Store>
concept CanGet = requires(Store& store) {
  { store.get(1) } -> std::same_as<std::optional<int>>;
};
static_assert(CanGet<const Plain> && CanGet<const Soonest> && CanGet<const SharedPlain>);
static_assert(CanGet<Counted> && CanGet<Idle> && CanGet<Recent> && CanGet<SharedCache>);
static_assert(!CanGet<const Counted> && !CanGet<const Idle> && !CanGet<const Recent> &&
              !CanGet<const SharedCache>);

void accepted(const Plain& plain, const Counted& counted, const Idle& idle, const Recent& recent,
              const SharedPlain& shared, const SharedCache& cache) {
  std::vector<const int*> out;
  (void)plain.find(1);
  (void)plain.get(1);
  plain.mget(std::vector{1}, std::back_inserter(out));
  (void)counted.peek(1);
  (void)counted.statistics();
  (void)idle.pttl(1);
  (void)recent.peek(1);
  (void)recent.contains(1);
  (void)recent.weight();
  (void)recent.capacity();
  (void)shared.get(1);
  shared.visit(1, [](int) {});
  (void)cache.peek(1);
  (void)cache.weight();
  (void)cache.capacity();
  Recent bounded({.capacity = 10});
  bounded.set_capacity(20);
  SharedCache shared_bounded({.capacity = 10});
  shared_bounded.set_capacity(20);
}

void refused(const Plain& plain, const Counted& counted, const Idle& idle, const Recent& recent,
             const SharedPlain& shared, const SharedCache& cache) {
  (void)plain;
  (void)counted;
  (void)idle;
  (void)recent;
  (void)shared;
  (void)cache;
#if REFUSED == 1  // find through a const keyspace that counts
  // says: a request changes this keyspace: use peek()
  (void)counted.find(1);
#elif REFUSED == 2   // get through a const keyspace with an idle time
  // says: a request changes this keyspace: use peek()
  (void)idle.get(1);
#elif REFUSED == 3   // mget through a const cache
  // says: a request changes this keyspace: use peek()
  std::vector<const int*> out;
  recent.mget(std::vector{1}, std::back_inserter(out));
#elif REFUSED == 4   // get through a const cache of many threads
  // says: a request changes this keyspace: use peek()
  (void)cache.get(1);
#elif REFUSED == 5   // visit through a const cache of many threads
  // says: a request changes this keyspace: use peek()
  cache.visit(1, [](int) {});
#elif REFUSED == 6   // mget through a const cache of many threads
  // says: a request changes this keyspace: use peek()
  std::vector<std::optional<int>> out;
  cache.mget(std::vector{1}, std::back_inserter(out));
#elif REFUSED == 7   // a change of a const keyspace
  plain.set(1, 10);
#elif REFUSED == 8   // statistics that are not counted
  // says: this keyspace does not count: add WithStatistics to its options
  (void)plain.statistics();
#elif REFUSED == 9   // statistics that are not counted, of many threads
  // says: this keyspace does not count: add WithStatistics to its options
  (void)cache.statistics();
#elif REFUSED == 10  // the weight of a keyspace without a policy
  // says: only a keyspace with a policy has a weight: use size(), or a Cache
  (void)plain.weight();
#elif REFUSED == 11  // the weight of a keyspace without a policy, of many threads
  // says: only a keyspace with a policy has a weight: use size(), or a Cache
  (void)shared.weight();
#elif REFUSED == 12  // the capacity of a keyspace without a policy
  // says: only a keyspace with a policy has a capacity: use a Cache
  (void)plain.capacity();
#elif REFUSED == 13  // another capacity for a keyspace without a policy
  // says: only a keyspace with a policy has a capacity: use a Cache
  Plain unbounded;
  unbounded.set_capacity(10);
#elif REFUSED == 14  // another capacity for a keyspace without a policy, of many threads
  // says: only a keyspace with a policy has a capacity: use a Cache
  SharedPlain unbounded;
  unbounded.set_capacity(10);
#endif
}
