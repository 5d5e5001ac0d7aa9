// What may stand for a key.

#include <keyspace/keyspace.h>

#include <string>
#include <string_view>

using Store = keyspace::Keyspace<std::string, int>;

void accepted(Store& store) {
  store.set("key", 10);
  store.set(std::string("key"), 10);
  (void)store.find("key");
  (void)store.contains(std::string_view("key"));
  store.erase(std::string("key"));
}

struct Unhashable {
  bool operator==(const Unhashable&) const = default;
};

void refused(Store& store) {
  (void)store;
#if REFUSED == 1  // a key of another type: find
  (void)store.find(42);
#elif REFUSED == 2  // a key of another type: set
  store.set(42, 10);
#elif REFUSED == 3  // a key without a hash
  keyspace::Keyspace<Unhashable, int> unhashable;
  unhashable.set({}, 10);
#endif
}
