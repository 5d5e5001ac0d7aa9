// What may stand for a key, and what the type of the keys needs.

#include <keyspace/cache.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>

#include <cstddef>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using Store = keyspace::Keyspace<std::string, int>;

struct Hashed {
  int number;
  bool operator==(const Hashed&) const = default;
  template <class H>
  friend H AbslHashValue(H hash, const Hashed& key) {
    return H::combine(std::move(hash), key.number);
  }
};
struct Unhashed {
  int number;
  bool operator==(const Unhashed&) const = default;
};
struct HashOfUnhashed {
  std::size_t operator()(const Unhashed& key) const noexcept {
    return static_cast<std::size_t>(key.number);
  }
};
struct Uncompared {
  int number;
  template <class H>
  friend H AbslHashValue(H hash, const Uncompared& key) {
    return H::combine(std::move(hash), key.number);
  }
};
struct HashOfUncompared {
  std::size_t operator()(const Uncompared& key) const noexcept {
    return static_cast<std::size_t>(key.number);
  }
};
struct EqualOfUncompared {
  bool operator()(const Uncompared& a, const Uncompared& b) const noexcept {
    return a.number == b.number;
  }
};
struct HashThatIsNotConst {
  std::size_t operator()(int key) noexcept { return static_cast<std::size_t>(key); }
};
struct Incomplete;

void accepted(Store& store) {
  store.set("key", 10);
  store.set(std::string("key"), 10);
  (void)store.find("key");
  (void)store.contains(std::string_view("key"));
  store.erase(std::string("key"));
  std::vector<int*> out;
  store.mget(std::vector{"key", "other"}, std::back_inserter(out));

  keyspace::Keyspace<Hashed, int> hashed;
  hashed.set({1}, 10);
  keyspace::ConcurrentKeyspace<Unhashed, int, keyspace::WithHash<HashOfUnhashed>> unhashed;
  unhashed.set({1}, 10);
  keyspace::Cache<Uncompared, int, keyspace::WithHash<HashOfUncompared, EqualOfUncompared>>
      uncompared({.capacity = 10});
  uncompared.set({1}, 10);
}

void refused(Store& store) {
  (void)store;
#if REFUSED == 1  // a key of another type: find
  (void)store.find(42);
#elif REFUSED == 2   // a key of another type: set
  store.set(42, 10);
#elif REFUSED == 3   // keys of another type: mget
  // says: `keys` is a container of keys
  std::vector<int*> out;
  store.mget(std::vector{42}, std::back_inserter(out));
#elif REFUSED == 4   // a key without a hash: Keyspace
  // says: the key has no hash. Give it an AbslHashValue() or a std::hash
  keyspace::Keyspace<Unhashed, int> unhashed;
  unhashed.set({1}, 10);
#elif REFUSED == 5   // a key without a hash: Cache
  // says: the key has no hash
  keyspace::Cache<Unhashed, int> unhashed({.capacity = 10});
  unhashed.set({1}, 10);
#elif REFUSED == 6   // a key without a hash: ConcurrentKeyspace
  // says: the key has no hash
  keyspace::ConcurrentKeyspace<Unhashed, int> unhashed;
  unhashed.set({1}, 10);
#elif REFUSED == 7   // a key without a hash: ConcurrentCache
  // says: the key has no hash
  keyspace::ConcurrentCache<Unhashed, int> unhashed({.capacity = 10});
  (void)unhashed.get_or_compute({1}, {}, [] { return 10; });
#elif REFUSED == 8   // a key without an operator==: Keyspace
  // says: the key has no ==. Give it an operator==
  keyspace::Keyspace<Uncompared, int> uncompared;
  uncompared.set({1}, 10);
#elif REFUSED == 9   // a key without an operator==: ConcurrentCache
  // says: the key has no ==. Give it an operator==
  keyspace::ConcurrentCache<Uncompared, int> uncompared({.capacity = 10});
  (void)uncompared.get_or_compute({1}, {}, [] { return 10; });
#elif REFUSED == 10  // a hash of another type
  // says: where hash(const Key&) is const and returns a std::size_t
  keyspace::Keyspace<Hashed, int, keyspace::WithHash<HashOfUnhashed>> hashed(
      {.hash = HashOfUnhashed()});
  hashed.set({1}, 10);
#elif REFUSED == 11  // a hash that is not const
  // says: where hash(const Key&) is const and returns a std::size_t
  keyspace::ConcurrentKeyspace<int, int, keyspace::WithHash<HashThatIsNotConst>> hashed;
  hashed.set(1, 10);
#elif REFUSED == 12  // an equality of another type
  // says: where equal(const Key&, const Key&) is const and returns a bool
  keyspace::Keyspace<int, int, keyspace::WithHash<std::hash<int>, EqualOfUncompared>> store_of_ints(
      {.equal = EqualOfUncompared()});
  store_of_ints.set(1, 10);
#elif REFUSED == 13  // a reference as a key
  // says: the type of the keys must be complete
  keyspace::Keyspace<int&, int> references;
#elif REFUSED == 14  // a const type as a key
  // says: the type of the keys must be complete
  keyspace::ConcurrentKeyspace<const std::string, int> constants;
#elif REFUSED == 15  // an incomplete type as a key
  // says: the type of the keys must be complete
  keyspace::Keyspace<Incomplete, int> incomplete;
#endif
}
