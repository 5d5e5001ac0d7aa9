// What a keyspace may and must be given when it is constructed.

#include <keyspace/cache.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using keyspace::ManualClock;
using keyspace::WithListener;

using Plain = keyspace::Keyspace<int, int>;
using Store = keyspace::Keyspace<int, int, ManualClock>;
using Cache = keyspace::Cache<int, int, ManualClock>;
using SharedPlain = keyspace::ConcurrentKeyspace<int, int>;
using Shared = keyspace::ConcurrentKeyspace<int, int, ManualClock>;
using SharedCache = keyspace::ConcurrentCache<int, int, ManualClock>;
using Idle = keyspace::Keyspace<int, int, ManualClock, keyspace::WithExpireAfterAccess>;
using IdleCache = keyspace::ConcurrentCache<int, int, keyspace::WithExpireAfterAccess>;

// None of these has a default constructor.
struct Clock {
  explicit Clock(int) {}
  [[nodiscard]] std::chrono::steady_clock::time_point now() const { return {}; }
};
struct Weigher {
  explicit Weigher(int) {}
  std::size_t operator()(int, int) const noexcept { return 1; }
};
struct Listener {
  explicit Listener(int) {}
  void operator()(int, int, keyspace::RemovalCause) const {}
};
struct Hash {
  explicit Hash(int) {}
  std::size_t operator()(int) const noexcept { return 1; }
};
struct Equal {
  explicit Equal(int) {}
  bool operator()(int a, int b) const noexcept { return a == b; }
};
template <class T>
struct Allocator : std::allocator<T> {
  explicit Allocator(int) {}
  template <class U>
  Allocator(const Allocator<U>&) noexcept {}
  template <class U>
  struct rebind {
    using other = Allocator<U>;
  };
};
using Ticking = keyspace::Keyspace<int, int, Clock>;
using Listened = keyspace::Keyspace<int, int, ManualClock, WithListener<Listener>>;

static_assert(std::is_default_constructible_v<Store> && std::is_default_constructible_v<Shared>);
static_assert(std::is_constructible_v<Store, ManualClock>);
static_assert(std::is_constructible_v<Shared, ManualClock>);
static_assert(!std::is_convertible_v<ManualClock, Store>);
static_assert(!std::is_default_constructible_v<Cache> &&
              !std::is_default_constructible_v<SharedCache> &&
              !std::is_default_constructible_v<Idle>);
static_assert(!std::is_constructible_v<Cache, ManualClock> &&
              !std::is_constructible_v<SharedCache, ManualClock> &&
              !std::is_constructible_v<Idle, ManualClock>);
static_assert(std::is_constructible_v<Cache, Cache::Config>);
static_assert(!std::is_default_constructible_v<Ticking> && std::is_constructible_v<Ticking, Clock>);
static_assert(!std::is_default_constructible_v<Listened> &&
              !std::is_constructible_v<Listened, ManualClock> &&
              std::is_constructible_v<Listened, Listened::Config>);
static_assert(!std::is_constructible_v<Store, keyspace::SystemClock> &&
              !std::is_constructible_v<Cache, int>);
static_assert(std::is_nothrow_move_constructible_v<Store> && !std::is_copy_constructible_v<Store>);

// A class that derives from a keyspace moves as it does.
struct Derived : Store {
  using Store::Store;
  [[nodiscard]] int now() const { return 0; }
};
static_assert(std::is_move_constructible_v<Derived> && !std::is_copy_constructible_v<Derived>);

struct Members {
  Store by_default;
  Store of_clock{ManualClock()};
  Store of_config = Store({.clock = ManualClock()});
  Plain empty = {};
  Cache cache{{.capacity = 10}};
  SharedCache shared{{.capacity = 10, .shards = 4}};
};

Plain make_plain() { return {}; }
Store make_store(const ManualClock& clock) {
  Store store(clock);
  return store;
}
Cache make_cache() { return Cache({.capacity = 10}); }

void accepted() {
  const ManualClock clock;
  Store of_clock(clock);
  Store in_braces{clock};
  Store of_config({.clock = clock});
  Store config_in_braces{{.clock = clock}};
  Store empty = {};
  Store::Config config;
  config.clock = clock;
  const Store of_variable(config);
  of_clock = {};
  std::swap(in_braces, of_config);

  std::optional<Store> maybe(std::in_place, clock);
  maybe.emplace();
  maybe = Store(clock);
  std::map<int, Store> numbered;
  numbered[1].set(1, 10);
  numbered.emplace(2, clock);
  numbered.try_emplace(3, clock);
  std::map<int, Cache> caches;
  caches.emplace(1, make_cache());
  caches.try_emplace(2, Cache::Config{.capacity = 10});
  std::vector<Store> stores;
  stores.emplace_back(clock);
  stores.push_back(make_store(clock));
  const auto pointer = std::make_unique<SharedCache>(SharedCache::Config{.capacity = 10});
  Members members;
  Plain plain = make_plain();

  Cache positional({10});
  Idle idle({.clock = clock, .expire_after_access = 10min});
  IdleCache idle_cache({.capacity = 10, .expire_after_access = 10min, .shards = 4});
  Ticking ticking(Clock(1));
  Listened listened({.clock = clock, .listener = Listener(1)});
  Derived derived(clock);
  Derived moved(std::move(derived));
}

void refused() {
#if REFUSED == 1  // a missing capacity: no argument
  // says: give a Config with what is missing: the capacity
  Cache cache;
#elif REFUSED == 2   // a missing capacity: no argument, for many threads
  // says: give a Config with what is missing: the capacity
  SharedCache cache;
#elif REFUSED == 3   // a missing capacity: only a clock
  // says: as in ({.capacity = 10'000, .clock = clock})
  Cache cache{ManualClock()};
#elif REFUSED == 4   // a missing capacity: only a clock, for many threads
  // says: as in ({.capacity = 10'000, .clock = clock})
  SharedCache cache{ManualClock()};
#elif REFUSED == 5   // a missing capacity: a Config without it
  // says: the capacity is missing. Give it, as in {.capacity = 10'000}
  Cache cache({.clock = ManualClock()});
#elif REFUSED == 6   // a missing capacity: a Config without it, for many threads
  // says: the capacity is missing. Give it, as in {.capacity = 10'000}
  SharedCache cache({.clock = ManualClock(), .shards = 4});
#elif REFUSED == 7   // a missing capacity: an empty Config
  // says: as in ({.capacity = 10'000, .clock = clock})
  Cache cache({});
#elif REFUSED == 8   // a missing capacity: a member that is a cache
  // says: give a Config with what is missing: the capacity
  struct Member {
    Cache cache;
  };
  Member member;
#elif REFUSED == 9   // a number in place of a Config
  // says: as in ({.capacity = 10'000, .clock = clock})
  Cache cache(10);
#elif REFUSED == 10  // a missing expire_after_access: no argument
  // says: the expire_after_access
  Idle idle;
#elif REFUSED == 11  // a missing expire_after_access: only a clock
  // says: the expire_after_access
  Idle idle{ManualClock()};
#elif REFUSED == 12  // a missing expire_after_access: a Config without it
  // says: the expire_after_access is missing. Give it, as in {.expire_after_access = 10min}
  IdleCache idle({.capacity = 10});
#elif REFUSED == 13  // a capacity without a policy
  // g++ says: a keyspace without a policy has no capacity: use a Cache
  Store store({.capacity = 10});
#elif REFUSED == 14  // a capacity without a policy, for many threads
  // g++ says: a keyspace without a policy has no capacity: use a Cache
  Shared store({.capacity = 10, .shards = 4});
#elif REFUSED == 15  // a weigher without its option
  // g++ says: a weigher needs the option WithWeigher
  Cache cache({.capacity = 10, .weigher = Weigher(1)});
#elif REFUSED == 16  // a listener without its option
  // g++ says: a listener needs the option WithListener
  SharedCache cache({.capacity = 10, .listener = Listener(1)});
#elif REFUSED == 17  // an expire_after_access without its option
  // g++ says: expire_after_access needs the option WithExpireAfterAccess
  Store store({.expire_after_access = 10min});
#elif REFUSED == 18  // a hash without its option
  // g++ says: a hash or an equality needs the option WithHash
  Shared store({.hash = std::hash<int>()});
#elif REFUSED == 19  // an equality without its option
  // g++ says: a hash or an equality needs the option WithHash
  Store store({.equal = std::equal_to<int>()});
#elif REFUSED == 20  // an allocator without its option
  // g++ says: an allocator needs the option WithAllocator
  Store store({.allocator = std::allocator<int>()});
#elif REFUSED == 21  // shards of a Cache
  // g++ says: only a ConcurrentKeyspace or a ConcurrentCache has shards
  Cache cache({.capacity = 10, .shards = 4});
#elif REFUSED == 22  // a misspelt member
  // says: or a Config, as in ({.capacity = 10'000, .clock = clock})
  Cache cache({.capcity = 10});
#elif REFUSED == 23  // a clock that the options do not name
  // says: a keyspace takes the clock that its options name
  Plain plain{ManualClock()};
#elif REFUSED == 24  // a clock that the options do not name, for many threads
  // says: a keyspace takes the clock that its options name
  SharedPlain plain{ManualClock()};
#elif REFUSED == 25  // a missing clock without a default constructor: no argument
  // says: or what has no default constructor; as in
  Ticking ticking;
#elif REFUSED == 26  // a missing clock without a default constructor: a Config
  // says: the clock has no default constructor. Give it, as in {.clock = clock}
  keyspace::ConcurrentCache<int, int, Clock> cache({.capacity = 10});
#elif REFUSED == 27  // a missing weigher without a default constructor
  // says: the weigher has no default constructor. Give it, as in {.weigher = weigher}
  keyspace::Cache<int, int, keyspace::WithWeigher<Weigher>> cache({.capacity = 10});
#elif REFUSED == 28  // a missing listener without a default constructor: no argument
  // says: or what has no default constructor; as in
  keyspace::ConcurrentKeyspace<int, int, WithListener<Listener>> store;
#elif REFUSED == 29  // a missing listener without a default constructor: a Config
  // says: the listener has no default constructor. Give it, as in {.listener = listener}
  keyspace::Cache<int, int, WithListener<Listener>> cache({.capacity = 10});
#elif REFUSED == 30  // a missing hash without a default constructor
  // says: the hash has no default constructor. Give it, as in {.hash = hash}
  keyspace::Cache<int, int, keyspace::WithHash<Hash>> cache({.capacity = 10});
#elif REFUSED == 31  // a missing equality without a default constructor
  // says: the equality has no default constructor. Give it, as in {.equal = equal}
  keyspace::ConcurrentCache<int, int, keyspace::WithHash<std::hash<int>, Equal>> cache(
      {.capacity = 10});
#elif REFUSED == 32  // a missing allocator without a default constructor
  // says: the allocator has no default constructor. Give it, as in {.allocator = allocator}
  keyspace::Cache<int, int, keyspace::WithAllocator<Allocator<int>>> cache({.capacity = 10});
#endif
}
