// Pointers into a keyspace that is destroyed in the same statement. Compiled by clang alone, with
// -Werror=dangling.

#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>

#include <chrono>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using Store = keyspace::Keyspace<std::string, int, keyspace::ManualClock>;
using Shared = keyspace::ConcurrentKeyspace<std::string, int, keyspace::ManualClock>;

Store make() {
  Store store;
  store.set("k", 10);
  return store;
}

const Store make_const() { return make(); }  // NOLINT: const on purpose

int accepted() {
  Store store = make();
  const int* const found = store.find("k");
  const int* const found_in_const = std::as_const(store).find("k");
  const int* const peeked = store.peek("k");
  const int* const got = store.getex("k", 1s);
  const keyspace::ManualClock& clock = store.clock();
  const keyspace::ManualClock copy = make().clock();
  const Store& kept = make();
  const int* const found_in_kept = kept.find("k");
  return clock.now() != copy.now()
             ? 0
             : *found + *found_in_const + *peeked + *got + *found_in_kept + *make().find("k");
}

void refused() {
#if REFUSED == 1  // find in a temporary keyspace
  // says: temporary whose address is used as value of local variable 'p' will be destroyed
  const int* p = make().find("k");
  (void)p;
#elif REFUSED == 2  // find in a temporary const keyspace
  // says: will be destroyed
  const int* p = make_const().find("k");
  (void)p;
#elif REFUSED == 3  // peek in a temporary keyspace
  // says: will be destroyed
  const int* p = make().peek("k");
  (void)p;
#elif REFUSED == 4  // getex in a temporary keyspace
  // says: will be destroyed
  const int* p = make().getex("k", 1s);
  (void)p;
#elif REFUSED == 5  // the clock of a temporary keyspace
  // says: will be destroyed
  const keyspace::ManualClock& clock = make().clock();
  (void)clock;
#elif REFUSED == 6  // the clock of a temporary ConcurrentKeyspace
  // says: will be destroyed
  const keyspace::ManualClock& clock = Shared().clock();
  (void)clock;
#endif
}
