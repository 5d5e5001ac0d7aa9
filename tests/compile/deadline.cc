// What a deadline may be.

#include <keyspace/clock.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>

#include <chrono>

using namespace std::chrono_literals;
using Store = keyspace::Keyspace<int, int>;
using Shared = keyspace::ConcurrentKeyspace<int, int>;
using Minutes = std::chrono::time_point<std::chrono::steady_clock, std::chrono::minutes>;

void accepted(Store& store, Shared& shared) {
  store.set(1, 10, Store::time_point());
  store.set(1, 10, Store::time_point::max());
  store.insert(1, 10, Store::time_point() + 5s);
  store.getex(1, store.clock().now() + 5s);
  store.pexpireat(1, std::chrono::floor<std::chrono::milliseconds>(store.clock().now()) + 5s);
  shared.pexpireat(1, Minutes(5min), keyspace::Condition::kXx);
}

void refused(Store& store, Shared& shared) {
  (void)store;
  (void)shared;
#if REFUSED == 1  // a time point of another clock as a deadline: set
  // says: belongs to another clock than the keyspace's
  store.set(1, 10, keyspace::ManualClock::time_point());
#elif REFUSED == 2  // a time point of another clock as a deadline: getex
  // says: belongs to another clock than the keyspace's
  shared.getex(1, std::chrono::system_clock::time_point());
#elif REFUSED == 3  // a time point of another clock as a deadline: pexpireat
  // says: belongs to another clock than the keyspace's
  store.pexpireat(1, std::chrono::system_clock::time_point());
#elif REFUSED == 4  // a deadline in nanoseconds: set
  // says: use std::chrono::ceil<std::chrono::milliseconds>(deadline)
  store.set(1, 10, std::chrono::steady_clock::now() + 5s);
#elif REFUSED == 5  // a deadline in nanoseconds: pexpireat
  // says: use std::chrono::ceil<std::chrono::milliseconds>(deadline)
  shared.pexpireat(1, std::chrono::steady_clock::now() + 5s);
#elif REFUSED == 6  // a ttl as a deadline
  // says: a deadline is a time point; pexpire() takes a ttl
  store.pexpireat(1, 5s);
#elif REFUSED == 7  // a bare integer as a deadline
  // says: a deadline is a time point of the keyspace's clock
  store.pexpireat(1, 1500);
#endif
}
