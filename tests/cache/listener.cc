#include <keyspace/cache.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>
#include <keyspace/removal.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/support.h"

// When and how the listener is called, and what it may call.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

struct Removed {
  std::string key;
  std::string value;
  RemovalCause cause;
  friend bool operator==(const Removed&, const Removed&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Removed& removed) {
    return out << removed.key << " = " << removed.value << ", cause "
               << static_cast<int>(removed.cause);
  }
};
using RemovedList = std::vector<Removed>;

using Listened = WithListener<std::function<void(std::string, std::string, RemovalCause)>>;
using ListenedStore = Keyspace<std::string, std::string, Listened, ManualClock>;
using LruCache = Cache<std::string, std::string, Lru, Listened, ManualClock>;

// A store whose listener records its arguments.
struct Recorded {
  RemovedList take() { return std::exchange(removals, {}); }

  ManualClock clock;
  RemovedList removals;
  ListenedStore store{
      {.clock = clock, .listener = [this](std::string key, std::string value, RemovalCause cause) {
         removals.push_back({std::move(key), std::move(value), cause});
       }}};
};

TEST_CASE("the listener receives each entry that a call removes, with the cause") {
  Recorded r;
  ListenedStore& store = r.store;
  const auto fill = [&] {
    store.clear();
    r.clock.set(at(0));
    store.set("live", "1");
    store.set("brief", "2", 10ms);
    store.set("expired", "3", 1ms);
    r.clock.set(at(1));
    r.take();
  };
  const auto removed_by = [&](const auto& call) {
    fill();
    call();
    return r.take();
  };
  const RemovedList none;
  const RemovedList expired = {{"expired", "3", RemovalCause::kExpired}};
  const RemovedList replaced = {{"live", "1", RemovalCause::kReplaced}};
  const RemovedList erased = {{"live", "1", RemovalCause::kErased}};

  CHECK(removed_by([&] { store.set("live", "new"); }) == replaced);
  CHECK(removed_by([&] { store.set("live", "new", 5ms); }) == replaced);
  CHECK(removed_by([&] { store.set("live", "new", 0ms); }) == erased);
  CHECK(removed_by([&] { store.set("expired", "new"); }) == expired);
  CHECK(removed_by([&] { store.set("expired", "new", -1ms); }) == expired);
  CHECK(removed_by([&] { store.set("absent", "new", 0ms); }) == none);
  CHECK(removed_by([&] { store.set("absent", "new"); }) ==
        expired);  // it erases up to two expired ones
  CHECK(removed_by([&] { store.insert("live", "new"); }) == none);
  CHECK(removed_by([&] { store.insert("expired", "new"); }) == expired);
  CHECK(removed_by([&] { store.replace("live", "new"); }) == replaced);
  CHECK(removed_by([&] { store.replace("live", "new", 0ms); }) == erased);
  CHECK(removed_by([&] { store.replace("expired", "new"); }) == none);
  CHECK(removed_by([&] { store.erase("live"); }) == erased);
  CHECK(removed_by([&] { store.erase("expired"); }) == expired);
  CHECK(removed_by([&] { store.erase("absent"); }) == none);
  CHECK(removed_by([&] { CHECK(store.getdel("live") == "1"); }) == erased);
  CHECK(removed_by([&] { CHECK_FALSE(store.getdel("expired")); }) == none);
  CHECK(removed_by([&] { store.getex("live", 5ms); }) == none);
  CHECK(removed_by([&] { CHECK(store.getex("live", 0ms) == nullptr); }) == erased);
  CHECK(removed_by([&] { store.pexpire("live", 5ms); }) == none);
  CHECK(removed_by([&] { store.pexpire("live", 0ms); }) == erased);
  CHECK(removed_by([&] { store.pexpireat("live", at(1)); }) == erased);
  CHECK(removed_by([&] { store.pexpire("live", 0ms, Condition::kXx); }) == none);
  CHECK(removed_by([&] { store.persist("brief"); }) == none);
  CHECK(removed_by([&] { store.rename("live", "other"); }) == none);
  CHECK(removed_by([&] { store.rename("live", "live"); }) == none);
  CHECK(removed_by([&] { store.rename("live", "expired"); }) == expired);
  CHECK(removed_by([&] { store.rename("brief", "live"); }) == replaced);
  CHECK(removed_by([&] { store.copy("live", "brief"); }) == none);
  CHECK(removed_by([&] { store.copy("live", "expired"); }) == expired);
  CHECK(removed_by([&] { store.erase_expired(); }) == expired);
  CHECK(removed_by([&] { store.erase_expired(1); }) == expired);
  CHECK(removed_by([&] { store.reserve(1000); }) == none);
  CHECK(removed_by([&] {
          static_cast<void>(store.find("expired"));
          static_cast<void>(store.get("expired"));
          store.for_each([](const auto&, const auto&, auto) {});
        }) == none);

  fill();
  store.clear();
  RemovedList all = r.take();
  CHECK(all.size() == 3);
  for (const Removed& removed :
       {expired[0], erased[0], Removed{"brief", "2", RemovalCause::kErased}}) {
    CHECK(std::count(all.begin(), all.end(), removed) == 1);
  }
}

TEST_CASE("the listener receives entries in the order of removal, expired ones first") {
  RemovedList removals;
  ManualClock clock;
  LruCache cache({.capacity = 3,
                  .clock = clock,
                  .listener = [&](std::string k, std::string v, RemovalCause c) {
                    removals.push_back({std::move(k), std::move(v), c});
                  }});
  cache.set("a", "1", 1ms);
  cache.set("b", "2");
  cache.set("c", "3", 5ms);
  clock.advance(1ms);
  cache.set("d", "4");
  cache.set("e", "5");
  CHECK(removals ==
        RemovedList{{"a", "1", RemovalCause::kExpired}, {"b", "2", RemovalCause::kEvicted}});
  clock.advance(4ms);
  cache.set("f", "6");
  cache.set("g", "7");
  CHECK(removals.size() == 4);
  CHECK(removals[2] == Removed{"c", "3", RemovalCause::kExpired});
  CHECK(removals[3] == Removed{"d", "4", RemovalCause::kEvicted});
}

TEST_CASE("the listener may store the same key again for every cause") {
  ManualClock clock;
  ListenedStore* self = nullptr;
  int calls = 0;
  ListenedStore store(
      {.clock = clock, .listener = [&](std::string key, std::string value, RemovalCause) {
         if (++calls % 2 == 1) self->set(std::move(key), "again " + value);
       }});
  self = &store;
  store.set("a", "1", 1ms);
  clock.advance(1ms);
  CHECK(store.erase_expired() == 1);
  CHECK(see(store, "a") == entry("again 1"));
  CHECK(calls == 1);

  calls = 0;
  CHECK(store.erase("a"));
  CHECK(see(store, "a") == entry("again again 1"));

  // The listener overwrites the value that the call has stored. That value is passed to the
  // listener after it has returned.
  calls = 0;
  store.set("a", "2");
  CHECK(see(store, "a") == entry("again again again 1"));
  CHECK(calls == 2);
}

TEST_CASE("an entry that the listener removes is passed to it after it has returned") {
  ManualClock clock;
  ListenedStore* self = nullptr;
  int depth = 0;
  RemovedList removals;
  ListenedStore store(
      {.clock = clock, .listener = [&](std::string key, std::string value, RemovalCause cause) {
         REQUIRE(++depth == 1);
         removals.push_back({key, value, cause});
         if (key == "first") {
           self->erase("second");
           self->set("third", "new");
           self->clear();
           CHECK(removals.size() == 1);
           CHECK(self->empty());
         }
         --depth;
       }});
  self = &store;
  store.set("first", "1");
  store.set("second", "2");
  store.set("third", "3");
  store.erase("first");
  CHECK(removals == RemovedList{{"first", "1", RemovalCause::kErased},
                                {"second", "2", RemovalCause::kErased},
                                {"third", "3", RemovalCause::kReplaced},
                                {"third", "new", RemovalCause::kErased}});
}

TEST_CASE("a call throws the exception of the listener after it has had its effect") {
  ManualClock clock;
  bool throws = true;
  RemovedList removals;
  ListenedStore store(
      {.clock = clock, .listener = [&](std::string key, std::string value, RemovalCause cause) {
         removals.push_back({std::move(key), std::move(value), cause});
         if (throws) throw std::runtime_error("listener");
       }});
  for (const char* const key : {"a", "b", "c"}) store.set(key, key, 1ms);
  store.set("d", "old");
  CHECK_THROWS_AS(store.set("d", "new"), std::runtime_error);
  CHECK(see(store, "d") == entry("new"));
  CHECK(removals.size() == 1);

  clock.advance(1ms);
  CHECK_THROWS_AS(store.erase_expired(3), std::runtime_error);
  CHECK(store.size() == 1);
  CHECK(removals.size() == 2);

  // The next calls pass the rest, each entry once.
  CHECK_THROWS_AS(store.erase_expired(), std::runtime_error);
  REQUIRE(removals.size() == 3);
  throws = false;
  CHECK(store.erase("d"));
  REQUIRE(removals.size() == 5);
  const std::set<std::string> keys = {removals[1].key, removals[2].key, removals[3].key};
  CHECK(keys == std::set<std::string>{"a", "b", "c"});
  CHECK(removals[4] == Removed{"d", "new", RemovalCause::kErased});
  store.erase_expired();
  CHECK(removals.size() == 5);
}

TEST_CASE("erase_expired without a limit continues after a listener has thrown") {
  ManualClock clock;
  int calls = 0;
  ListenedStore store(
      {.clock = clock, .listener = [&](const std::string&, const std::string&, RemovalCause) {
         if (++calls == 400) throw std::runtime_error("listener");
       }});
  for (int i = 0; i != 1000; ++i) store.set(std::to_string(i), "", 1ms);
  clock.advance(1ms);
  CHECK_THROWS_AS(store.erase_expired(), std::runtime_error);
  CHECK(store.size() < 1000);
  CHECK(store.size() + 400 >= 1000 - 256);  // the listener was called before all were erased
  store.erase_expired();
  CHECK(store.empty());
  CHECK(calls == 1000);
}

TEST_CASE("erase_expired returns although the clock goes back and all entries are stored again") {
  ManualClock clock;
  clock.set(at(1'000'000));
  ListenedStore* self = nullptr;
  int calls = 0;
  ListenedStore store(
      {.clock = clock, .listener = [&](std::string key, std::string value, RemovalCause) {
         REQUIRE(++calls < 1000);
         clock.set(at(500'000));
         self->set(std::move(key), std::move(value), 10ms);
       }});
  self = &store;
  store.set("a", "1", 1ms);
  store.set("b", "2", 1ms);
  clock.advance(1ms);
  store.erase_expired();
  CHECK(see(store, "a") == entry("1", at(500'010)));
  CHECK(see(store, "b") == entry("2", at(500'010)));
}

TEST_CASE("the queue for a listener that always throws does not grow without bound") {
  using Listener = std::function<void(int, int, RemovalCause)>;
  using Allocator = LedgerAllocator<std::pair<const int, int>>;
  Ledger ledger;
  std::set<int> passed;
  Keyspace<int, int, WithListener<Listener>, ManualClock, WithAllocator<Allocator>> cache(
      {.listener =
           [&](int key, int, RemovalCause) {
             CHECK(passed.insert(key).second);
             throw std::runtime_error("listener");
           },
       .allocator = Allocator(ledger)});
  for (int i = 0; i != 50; ++i) cache.set(i, i, Millis(i + 1));
  for (int i = 50; i != 10'000; ++i) cache.set(i, i);
  cache.clock().advance(1h);
  CHECK_THROWS_AS(cache.erase_expired(), std::runtime_error);  // 49 are pending
  std::size_t bytes = 0;
  for (int i = 50; i != 10'000; ++i) {
    CHECK_THROWS_AS(cache.erase(i), std::runtime_error);
    if (i == 200) bytes = ledger.bytes;
  }
  CHECK(passed.size() == 9951);
  CHECK(ledger.bytes <= bytes);
}

TEST_CASE("the listener may move from key and value, and both may be move-only") {
  using Listener =
      std::function<void(std::unique_ptr<int>&&, std::unique_ptr<int>&&, RemovalCause)>;
  struct Hash {
    std::size_t operator()(const std::unique_ptr<int>& key) const noexcept {
      return static_cast<std::size_t>(*key) * 0x9e3779b97f4a7c15;
    }
  };
  struct Equal {
    bool operator()(const std::unique_ptr<int>& a, const std::unique_ptr<int>& b) const noexcept {
      return *a == *b;
    }
  };
  std::vector<std::unique_ptr<int>> kept;
  Cache<std::unique_ptr<int>, std::unique_ptr<int>, WithListener<Listener>, ManualClock,
        WithHash<Hash, Equal>>
      cache({.capacity = 2, .listener = [&](auto&& key, auto&& value, RemovalCause) {
               kept.push_back(std::move(key));
               kept.push_back(std::move(value));
             }});
  for (int i = 0; i != 5; ++i) cache.set(std::make_unique<int>(i), std::make_unique<int>(10 * i));
  cache.set(std::make_unique<int>(4), std::make_unique<int>(50));
  CHECK(kept.size() == 8);
  for (std::size_t i = 0; i != kept.size(); i += 2) CHECK(10 * *kept[i] == *kept[i + 1]);
  CHECK(cache.erase(std::make_unique<int>(4)));
  CHECK(*kept.back() == 50);
}

TEST_CASE("the destructor of a removed value may call the keyspace") {
  struct Calling {
    std::function<void()> on_destruction;
    Calling() = default;
    explicit Calling(std::function<void()> f) : on_destruction(std::move(f)) {}
    Calling(Calling&& other) noexcept
        : on_destruction(std::exchange(other.on_destruction, nullptr)) {}
    Calling& operator=(Calling&& other) noexcept {
      std::swap(on_destruction, other.on_destruction);
      return *this;
    }
    ~Calling() {
      if (on_destruction) on_destruction();
    }
  };
  struct Ignoring {
    void operator()(const int&, const Calling&, RemovalCause) const {}
  };
  ManualClock clock;
  Cache<int, Calling, Lru, WithListener<Ignoring>, ManualClock> cache(
      {.capacity = 3, .clock = clock});
  int destroyed = 0;
  const auto calling = [&] {
    return Calling([&] {
      ++destroyed;
      static_cast<void>(cache.find(1));
      cache.set(1, Calling());
      cache.erase(2);
    });
  };
  cache.set(1, calling());
  cache.set(1, calling());
  cache.set(2, calling(), 1ms);
  clock.advance(1ms);
  cache.erase_expired();
  for (int i = 3; i != 6; ++i) cache.set(i, calling());
  cache.clear();
  CHECK(destroyed == 6);
}

TEST_CASE("a listener may be any callable, and an empty function is not called") {
  int calls = 0;
  auto count = [&calls](const std::string&, const std::string&, RemovalCause) { ++calls; };
  Keyspace<std::string, std::string, ManualClock, WithListener<decltype(count)>> counted(
      {.listener = count});
  counted.set("a", "1");
  counted.set("a", "2");
  CHECK(calls == 1);
  auto moved = std::move(counted);
  counted = std::move(moved);
  counted.clear();
  CHECK(calls == 2);

  using Function = void (*)(const std::string&, const std::string&, RemovalCause);
  Keyspace<std::string, std::string, WithListener<Function>, ManualClock> null;
  null.set("a", "1");
  null.clear();
  CHECK(null.empty());

  ListenedStore empty_function;
  empty_function.set("a", "1");
  empty_function.clear();
  CHECK(empty_function.empty());
}

// A value whose move copies it. The last copy calls a function in its destructor.
struct CallsAtEnd {
  const std::shared_ptr<void> end;
};
CallsAtEnd at_end(std::function<void()> call) {
  return {std::shared_ptr<void>(nullptr, [call = std::move(call)](std::nullptr_t) { call(); })};
}

// The front doors, with a listener.
template <template <class, class, class...> class KeyspaceType>
void check_destructors_that_call() {
  using Ks = KeyspaceType<std::string, CallsAtEnd, ManualClock,
                          WithListener<std::function<void(std::string, CallsAtEnd, RemovalCause)>>>;
  // The destructor of each value erases another key. If is_nested, the second call of the listener
  // erases that key first, when an entry was already passed.
  const bool is_nested = GENERATE(false, true);
  CAPTURE(is_nested);
  ManualClock clock;
  std::multiset<std::string> removed;
  Ks* self = nullptr;
  Ks ks({.clock = clock, .listener = [&](const std::string& key, const CallsAtEnd&, RemovalCause) {
           removed.insert(key);
           if (is_nested && removed.size() == 2) self->erase("a, with memory of its own .........");
         }});
  self = &ks;
  const std::vector<std::string> others = {"a, with memory of its own .........", "b", "c"};
  for (const std::string& other : others) ks.set(other, CallsAtEnd{});
  for (int i = 0; i != 3; ++i) {
    ks.set(std::to_string(i), at_end([&, i] {
             ks.erase(is_nested ? others[0] : others[static_cast<std::size_t>(i)]);
           }),
           1ms);
  }
  clock.advance(1ms);
  CHECK(ks.erase_expired() == 3);
  ks.set("last", CallsAtEnd{});
  ks.erase("last");
  std::multiset<std::string> expected = {"0", "1", "2", "last", others[0]};
  if (!is_nested) expected.insert({others[1], others[2]});
  CHECK(removed == expected);
  CHECK(ks.size() == (is_nested ? 2 : 0));
  ks.clear();
}
TEST_CASE("the destructor of a removed value may call the keyspace, even if its move is a copy") {
  check_destructors_that_call<Keyspace>();
}
TEST_CASE("the destructor of a removed value may call the keyspace, for many threads") {
  check_destructors_that_call<ConcurrentKeyspace>();
}

TEST_CASE("the listener is not called for the entries of a destroyed or assigned keyspace") {
  Recorded r;
  r.store.set("a", "1");
  r.store = ListenedStore();
  CHECK(r.take().empty());
  {
    Recorded other;
    other.store.set("a", "1");
  }
  CHECK(r.take().empty());
}

using FragileValue = Fragile<Throws::kOnCopyOrMove>;
struct FragileWeigher {
  std::size_t operator()(int key, const FragileValue& value) const {
    Fuse::burn();
    return static_cast<std::size_t>(1 + (key + value.id()) % 4);
  }
};

// Each value is a different number. Calls and the listener throw at random, and the listener calls
// the keyspace. At the end the listener has received each stored value once.
TEMPLATE_TEST_CASE("each stored entry is removed once, whatever throws", "", EarliestDeadline, Lru,
                   ScanResistant) {
  using Value = FragileValue;
  using Allocator = LedgerAllocator<std::pair<const int, Value>>;
  using Listener = std::function<void(int, const Value&, RemovalCause)>;
  using Ks = Cache<int, Value, TestType, WithListener<Listener>, WithWeigher<FragileWeigher>,
                   ManualClock, WithAllocator<Allocator>>;
  std::mt19937 random(7);
  Ledger ledger;
  ManualClock clock;
  std::set<int> stored;    // stored, and not passed to the listener yet
  std::set<int> doubtful;  // not stored, or removed and pending for the listener
  Ks* self = nullptr;
  int next = 0;
  std::size_t calls = 0;
  const auto store = [&](int key, Millis ttl) {
    const int number = next++;
    stored.insert(number);
    const Value value = [&] {
      Fuse::disarm();
      return Value(number);
    }();
    Fuse::arm(static_cast<int>(random() % 30));
    try {
      self->set(key, value, ttl);
    } catch (const Blown&) {
    }
    const Value* const found = std::as_const(*self).peek(key);
    if (found != nullptr && found->id() == number) return;
    if (stored.erase(number) != 0) doubtful.insert(number);
  };
  bool is_listening = false;
  Ks ks({.capacity = 60,
         .clock = clock,
         .listener =
             [&](int key, const Value& value, RemovalCause) {
               ++calls;
               REQUIRE(stored.erase(value.id()) + doubtful.erase(value.id()) == 1);
               if (is_listening || calls % 7 != 0) {
                 if (calls % 11 == 0) throw Blown{};
                 return;
               }
               is_listening = true;
               store(key + 1, 50ms);
               is_listening = false;
             },
         .allocator = Allocator(ledger)});
  self = &ks;
  ledger.fragile = true;
  for (int i = 0; i != 20'000; ++i) {
    CAPTURE(i);
    const int key = static_cast<int>(random() % 50);
    store(key, Millis(random() % 100));
    Fuse::arm(static_cast<int>(random() % 30));
    try {
      switch (random() % 6) {
        case 0:
          ks.erase(key);
          break;
        case 1:
          ks.rename(key, static_cast<int>(random() % 50));
          break;
        case 2:
          ks.erase_expired(3);
          break;
        case 3:
          ks.pexpire(key, Millis(static_cast<int>(random() % 50) - 10));
          break;
        case 4:
          ks.getex(key, 70ms);
          break;
        default:
          clock.advance(Millis(random() % 20));
      }
    } catch (const Blown&) {
    }
    Fuse::disarm();
    REQUIRE(ks.weight() <= ks.capacity());
  }
  for (int i = 0; i != 1000 && !stored.empty(); ++i) {
    try {
      ks.clear();
      ks.erase_expired();
    } catch (const Blown&) {
    }
  }
  CHECK(stored.empty());
  CHECK(2 * doubtful.size() < static_cast<std::size_t>(next));  // most are stored
  CHECK(calls > 1000);
}

}  // namespace
}  // namespace keyspace::testing
