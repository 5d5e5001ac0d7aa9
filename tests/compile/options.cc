// What the options of a keyspace may be.

#include <keyspace/cache.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

using keyspace::Cache;
using keyspace::ConcurrentCache;
using keyspace::ConcurrentKeyspace;
using keyspace::Keyspace;
using keyspace::ManualClock;
using keyspace::WithListener;
using keyspace::WithWeigher;

struct Weigher {
  std::size_t operator()(int, int) const noexcept { return 1; }
};
struct WeigherOfStrings {
  std::size_t operator()(const std::string&, int) const noexcept { return 1; }
};
struct WeigherThatIsNotConst {
  std::size_t operator()(int, int) noexcept { return 1; }
};
struct Listener {
  void operator()(int, const int&, keyspace::RemovalCause) const {}
};
struct ListenerWithoutCause {
  void operator()(int, int) const {}
};
// What a user might take for an option.
struct Weighted {
  using Weigher = ::Weigher;
};

void accepted() {
  Keyspace<int, int, ManualClock, WithListener<Listener>, keyspace::WithStatistics> in_any_order;
  Keyspace<int, int, keyspace::WithHash<std::hash<int>>,
           keyspace::WithAllocator<std::allocator<int>>, std::chrono::steady_clock>
      hashed;
  Cache<int, int, WithWeigher<Weigher>> weighed({.capacity = 10});
  Keyspace<int, int, keyspace::Unbounded> unbounded;
  Keyspace<int, int, keyspace::Lru, WithWeigher<Weigher>> recent({.capacity = 10});
  ConcurrentCache<int, int, keyspace::EarliestDeadline, keyspace::WithExpireAfterAccess> soonest(
      {.capacity = 10, .expire_after_access = std::chrono::minutes(10)});
  ConcurrentKeyspace<int, int, WithListener<std::function<void(int, int, keyspace::RemovalCause)>>>
      observed;
}

void refused() {
#if REFUSED == 1  // a type that is no option
  // says: a policy (Unbounded, EarliestDeadline, Lru, ScanResistant), WithHash
  Cache<int, int, Weighted> cache({.capacity = 10});
  cache.set(1, 10);
#elif REFUSED == 2   // a type that is no option, for many threads
  // says: WithHash, WithAllocator, WithWeigher, WithListener, WithStatistics
  ConcurrentKeyspace<int, int, std::hash<int>> store;
  store.set(1, 10);
#elif REFUSED == 3   // two clocks
  // says: two clocks among the options: name one
  Keyspace<int, int, ManualClock, keyspace::SystemClock> store;
#elif REFUSED == 4   // two policies
  // says: two policies among the options: name one
  Cache<int, int, keyspace::Lru, keyspace::ScanResistant> cache({.capacity = 10});
#elif REFUSED == 5   // WithHash twice
  // says: WithHash twice among the options: name it once
  Keyspace<int, int, keyspace::WithHash<std::hash<int>>, keyspace::WithHash<std::hash<int>>> store;
#elif REFUSED == 6   // WithAllocator twice
  // says: WithAllocator twice among the options: name it once
  Keyspace<int, int, keyspace::WithAllocator<std::allocator<int>>,
           keyspace::WithAllocator<std::allocator<int>>>
      store;
#elif REFUSED == 7   // WithWeigher twice
  // says: WithWeigher twice among the options: name it once
  ConcurrentCache<int, int, WithWeigher<Weigher>, WithWeigher<Weigher>> cache({.capacity = 10});
#elif REFUSED == 8   // WithListener twice
  // says: WithListener twice among the options: name it once
  ConcurrentKeyspace<int, int, WithListener<Listener>, WithListener<Listener>> store;
#elif REFUSED == 9   // WithStatistics twice
  // says: WithStatistics twice among the options: name it once
  Keyspace<int, int, keyspace::WithStatistics, keyspace::WithStatistics> store;
#elif REFUSED == 10  // WithExpireAfterAccess twice
  // says: WithExpireAfterAccess twice among the options: name it once
  Keyspace<int, int, keyspace::WithExpireAfterAccess, keyspace::WithExpireAfterAccess> store(
      {.expire_after_access = std::chrono::minutes(10)});
#elif REFUSED == 11  // a weigher of something else
  // says: Give it a member std::size_t operator()(const Key&, const Value&) const
  Cache<int, int, WithWeigher<WeigherOfStrings>> cache({.capacity = 10});
  cache.set(1, 10);
#elif REFUSED == 12  // a weigher that is not const
  // says: Give it a member std::size_t operator()(const Key&, const Value&) const
  ConcurrentCache<int, int, WithWeigher<WeigherThatIsNotConst>> cache(
      {.capacity = 10, .weigher = WeigherThatIsNotConst()});
  cache.set(1, 10);
#elif REFUSED == 13  // a weigher without a policy
  // says: WithWeigher needs a capacity: use a Cache, or add a policy
  Keyspace<int, int, WithWeigher<Weigher>> store;
  store.set(1, 10);
#elif REFUSED == 14  // a weigher without a policy, for many threads
  // says: WithWeigher needs a capacity: use a Cache, or add a policy
  ConcurrentKeyspace<int, int, WithWeigher<Weigher>> store({.weigher = Weigher()});
  store.set(1, 10);
#elif REFUSED == 15  // a listener of something else
  // says: Give it a member void operator()(Key&&, Value&&, RemovalCause)
  Keyspace<int, int, WithListener<ListenerWithoutCause>> store(
      {.listener = ListenerWithoutCause()});
  store.set(1, 10);
#elif REFUSED == 16  // a listener of something else, for many threads
  // says: Give it a member void operator()(Key&&, Value&&, RemovalCause)
  ConcurrentCache<int, int, WithListener<ListenerWithoutCause>> cache({.capacity = 10});
  cache.set(1, 10);
#endif
}
