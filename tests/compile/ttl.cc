// What a ttl may be.

#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>
#include <keyspace/reaper.h>

#include <chrono>

using namespace std::chrono_literals;
using Store = keyspace::Keyspace<int, int>;
using Shared = keyspace::ConcurrentKeyspace<int, int>;
using Idle = keyspace::ConcurrentCache<int, int, keyspace::WithExpireAfterAccess>;

void accepted(Store& store, Shared& shared) {
  store.set(1, 10, 2s);
  store.set(1, 10, std::chrono::milliseconds(5));
  store.set(1, 10, std::chrono::hours(1));
  store.set(1, 10, std::chrono::hours::max());
  store.set(1, 10, std::chrono::ceil<std::chrono::milliseconds>(1500us));
  store.set(1, 10, Store::kNever);
  store.set(1, 10, keyspace::kKeep);
  store.insert(1, 10, 2min);
  store.replace(1, 10, 2min);
  store.getex(1, 2s);
  store.pexpire(1, 2s, keyspace::Condition::kXx);
  (void)shared.get_or_compute(
      1, 10min, [] { return 10; }, 1min);
  const Idle idle({.capacity = 10, .expire_after_access = 1h});
  const keyspace::Reaper reaper({.interval = 10ms, .longest_sleep = 1min});
}

void refused(Store& store, Shared& shared) {
  (void)store;
  (void)shared;
#if REFUSED == 1  // a bare integer as a ttl: set
  // says: a ttl has a unit, for example 1500ms
  store.set(1, 10, 1500);
#elif REFUSED == 2   // a bare integer as a ttl: insert
  // says: a ttl has a unit
  store.insert(1, 10, 1500);
#elif REFUSED == 3   // a bare integer as a ttl: replace
  // says: a ttl has a unit
  shared.replace(1, 10, 1500);
#elif REFUSED == 4   // a bare integer as a ttl: getex
  // says: a ttl has a unit
  store.getex(1, 1500);
#elif REFUSED == 5   // a bare integer as a ttl: pexpire
  // says: a ttl has a unit
  store.pexpire(1, 1500);
#elif REFUSED == 6   // a bare integer as a ttl: get_or_compute
  // says: a ttl has a unit
  (void)shared.get_or_compute(1, 1500, [] { return 10; });
#elif REFUSED == 7   // a ttl in microseconds: set
  // says: use std::chrono::ceil<std::chrono::milliseconds>(ttl)
  store.set(1, 10, 1500us);
#elif REFUSED == 8   // a ttl in nanoseconds: pexpire
  // says: use std::chrono::ceil<std::chrono::milliseconds>(ttl)
  shared.pexpire(1, 1500ns);
#elif REFUSED == 9   // a ttl in fractions of a second: pexpire
  // says: use std::chrono::ceil<std::chrono::milliseconds>(ttl)
  store.pexpire(1, 1.5s);
#elif REFUSED == 10  // a ttl in fractions of a second: getex
  // says: use std::chrono::ceil<std::chrono::milliseconds>(ttl)
  shared.getex(1, 1.5s);
#elif REFUSED == 11  // a deadline as a ttl
  // says: a ttl is a duration; pexpireat() takes a time point
  store.pexpire(1, Store::time_point());
#elif REFUSED == 12  // a bare integer as an idle time
  // g++ says: a ttl has a unit
  const Idle idle({.capacity = 10, .expire_after_access = 1500});
#elif REFUSED == 13  // an idle time in microseconds
  // g++ says: use std::chrono::ceil<std::chrono::milliseconds>(ttl)
  const Idle idle({.capacity = 10, .expire_after_access = 1500us});
#elif REFUSED == 14  // a bare integer as the interval of a Reaper
  // g++ says: a ttl has a unit
  const keyspace::Reaper reaper({.interval = 10});
#endif
}
