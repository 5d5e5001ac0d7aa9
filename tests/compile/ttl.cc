// What a ttl may be.

#include <keyspace/keyspace.h>

#include <chrono>

using namespace std::chrono_literals;
using Store = keyspace::Keyspace<int, int>;

void accepted(Store& store) {
  store.set(1, 10, 2s);
  store.set(1, 10, std::chrono::milliseconds(5));
  store.set(1, 10, std::chrono::hours(1));
  store.set(1, 10, std::chrono::hours::max());
  store.set(1, 10, Store::kNever);
  store.insert(1, 10, 2min);
  store.replace(1, 10, 2min);
  store.getex(1, 2s);
  store.pexpire(1, 2s, keyspace::Condition::kXx);
}

void refused(Store& store) {
  (void)store;
#if REFUSED == 1  // a bare integer as a ttl: set
  store.set(1, 10, 1500);
#elif REFUSED == 2  // a bare integer as a ttl: insert
  store.insert(1, 10, 1500);
#elif REFUSED == 3  // a bare integer as a ttl: getex
  store.getex(1, 1500);
#elif REFUSED == 4  // a bare integer as a ttl: pexpire
  store.pexpire(1, 1500);
#elif REFUSED == 5  // a ttl in microseconds
  store.set(1, 10, std::chrono::microseconds(1500));
#elif REFUSED == 6  // a ttl in nanoseconds
  store.pexpire(1, 1500ns);
#elif REFUSED == 7  // a ttl in fractions of a second
  store.pexpire(1, 1.5s);
#elif REFUSED == 8  // a deadline as a ttl
  store.pexpire(1, Store::time_point());
#endif
}
