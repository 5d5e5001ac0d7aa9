// What the options of a keyspace may be, and what is to be had with which features.

#include <keyspace/cache.h>
#include <keyspace/features.h>

#include <chrono>
#include <cstddef>
#include <memory>

using namespace std::chrono_literals;

struct Everything : keyspace::CacheFeatures {
  struct Weigher {
    std::size_t operator()(int, int) const noexcept { return 1; }
  };
  struct Listener {
    void operator()(int, int, keyspace::RemovalCause) const {}
  };
  static constexpr bool kStatistics = true;
  static constexpr bool kExpireAfterAccess = true;
};
struct Unbounded : keyspace::DefaultFeatures {
  using Weigher = Everything::Weigher;
};
struct Listened : keyspace::DefaultFeatures {
  struct Listener {
    void operator()(int, const std::unique_ptr<int>&, keyspace::RemovalCause) const {}
  };
};

struct Misnamed : keyspace::DefaultFeatures {
  using Policy = Everything;
};

using Store = keyspace::Keyspace<int, int>;
using Cache = keyspace::Cache<int, int>;
using Full = keyspace::Cache<int, int, Everything>;
using Pointers = keyspace::Cache<int, std::unique_ptr<int>, Listened>;

inline void accepted() {
  const Store store;
  const Store store_of_options({}, Store::Options{});
  const Cache cache({.capacity = 10});
  const Full full({.capacity = std::size_t{1} << 40, .expire_after_access = 1h});
  (void)full.statistics();
  (void)full.weight();
  Pointers pointers;
  pointers.erase(1);
}

inline void refused() {
#if REFUSED == 1  // a capacity where there is no bound
  const Store store(Store::Options{.capacity = 10});
#elif REFUSED == 2   // a bound without a capacity: no options
  const Cache cache;
#elif REFUSED == 3   // a bound without a capacity: others
  const Full full({.expire_after_access = 1h});
#elif REFUSED == 4   // an expiry that slides without a ttl
  const Full full({.capacity = 10});
#elif REFUSED == 5   // a ttl of access in a unit finer than a millisecond
  const Full full({.capacity = 10, .expire_after_access = 1us});
#elif REFUSED == 6   // a weigher where there is no bound
  const keyspace::Cache<int, int, Unbounded> cache;
#elif REFUSED == 7   // statistics that are not counted
  (void)Cache({.capacity = 10}).statistics();
#elif REFUSED == 8   // the weight of what has no bound
  (void)Store().weight();
#elif REFUSED == 9   // getdel, for a listener and the caller, of what has one owner
  Pointers pointers;
  pointers.getdel(1);
#elif REFUSED == 10  // a policy in the place of features
  const keyspace::Cache<int, int, keyspace::Lru> cache({.capacity = 10});
#elif REFUSED == 11  // a policy that is none
  const keyspace::Cache<int, int, Misnamed> cache;
#elif REFUSED == 12  // a weigher of something else
  const keyspace::Cache<int, const char*, Everything> cache({.capacity = 10});
#elif REFUSED == 13  // a listener of something else
  const keyspace::Cache<int, int, Listened> cache;
#endif
}
