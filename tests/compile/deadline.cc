// What a deadline may be.

#include <keyspace/clock.h>
#include <keyspace/keyspace.h>

#include <chrono>

using namespace std::chrono_literals;
using Store = keyspace::Keyspace<int, int>;
using Minutes = std::chrono::time_point<std::chrono::steady_clock, std::chrono::minutes>;

void accepted(Store& store) {
  store.set(1, 10, Store::time_point());
  store.set(1, 10, Store::time_point::max());
  store.insert(1, 10, Store::time_point() + 5s);
  store.pexpireat(1, std::chrono::floor<std::chrono::milliseconds>(store.clock().now()) + 5s);
  store.pexpireat(1, Minutes(5min), keyspace::Condition::kXx);
}

void refused(Store& store) {
  (void)store;
#if REFUSED == 1  // a time point of another clock as a deadline: set
  store.set(1, 10, keyspace::ManualClock::time_point());
#elif REFUSED == 2  // a time point of another clock as a deadline: pexpireat
  store.pexpireat(1, std::chrono::system_clock::time_point());
#elif REFUSED == 3  // a deadline in nanoseconds: set
  store.set(1, 10, std::chrono::steady_clock::now() + 5s);
#elif REFUSED == 4  // a deadline in nanoseconds: pexpireat
  store.pexpireat(1, std::chrono::steady_clock::now() + 5s);
#elif REFUSED == 5  // a ttl as a deadline
  store.pexpireat(1, 5s);
#elif REFUSED == 6  // a bare integer as a deadline
  store.pexpireat(1, 1500);
#endif
}
