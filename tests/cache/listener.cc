#include <keyspace/cache.h>
#include <keyspace/features.h>

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

// What the listener is told, when, and what it may do.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

struct Left {
  std::string key;
  std::string value;
  RemovalCause cause;
  friend bool operator==(const Left&, const Left&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Left& left) {
    return out << left.key << " = " << left.value << ", cause " << static_cast<int>(left.cause);
  }
};
using Lefts = std::vector<Left>;

struct Listened : DefaultFeatures {
  using Listener = std::function<void(std::string, std::string, RemovalCause)>;
};
struct ListenedLru : Listened {
  using Policy = Lru;
};
using ListenedStore = Cache<std::string, std::string, Listened, ManualClock>;
using LruCache = Cache<std::string, std::string, ListenedLru, ManualClock>;

// A store whose listener writes down what it is told.
struct Recorded {
  Lefts take() { return std::exchange(lefts, {}); }

  ManualClock clock;
  Lefts lefts;
  ListenedStore store{clock,
                      {.listener = [this](std::string key, std::string value, RemovalCause cause) {
                        lefts.push_back({std::move(key), std::move(value), cause});
                      }}};
};

TEST_CASE("each call tells the listener what leaves by it, and why") {
  Recorded r;
  ListenedStore& store = r.store;
  const auto fill = [&] {
    store.clear();
    r.clock.set(at(0));
    store.set("live", "1");
    store.set("brief", "2", 10ms);
    store.set("dead", "3", 1ms);
    r.clock.set(at(1));
    r.take();
  };
  const auto lefts_of = [&](const auto& call) {
    fill();
    call();
    return r.take();
  };
  const Lefts none;
  const Lefts dead = {{"dead", "3", RemovalCause::kExpired}};
  const Lefts replaced = {{"live", "1", RemovalCause::kReplaced}};
  const Lefts erased = {{"live", "1", RemovalCause::kErased}};

  CHECK(lefts_of([&] { store.set("live", "new"); }) == replaced);
  CHECK(lefts_of([&] { store.set("live", "new", 5ms); }) == replaced);
  CHECK(lefts_of([&] { store.set("live", "new", 0ms); }) == erased);
  CHECK(lefts_of([&] { store.set("dead", "new"); }) == dead);
  CHECK(lefts_of([&] { store.set("dead", "new", -1ms); }) == dead);
  CHECK(lefts_of([&] { store.set("absent", "new", 0ms); }) == none);
  CHECK(lefts_of([&] { store.set("absent", "new"); }) == dead);  // it erases up to two dead ones
  CHECK(lefts_of([&] { store.insert("live", "new"); }) == none);
  CHECK(lefts_of([&] { store.insert("dead", "new"); }) == dead);
  CHECK(lefts_of([&] { store.replace("live", "new"); }) == replaced);
  CHECK(lefts_of([&] { store.replace("live", "new", 0ms); }) == erased);
  CHECK(lefts_of([&] { store.replace("dead", "new"); }) == none);
  CHECK(lefts_of([&] { store.erase("live"); }) == erased);
  CHECK(lefts_of([&] { store.erase("dead"); }) == dead);
  CHECK(lefts_of([&] { store.erase("absent"); }) == none);
  CHECK(lefts_of([&] { CHECK(store.getdel("live") == "1"); }) == erased);
  CHECK(lefts_of([&] { CHECK_FALSE(store.getdel("dead")); }) == none);
  CHECK(lefts_of([&] { store.getex("live", 5ms); }) == none);
  CHECK(lefts_of([&] { CHECK(store.getex("live", 0ms) == nullptr); }) == erased);
  CHECK(lefts_of([&] { store.pexpire("live", 5ms); }) == none);
  CHECK(lefts_of([&] { store.pexpire("live", 0ms); }) == erased);
  CHECK(lefts_of([&] { store.pexpireat("live", at(1)); }) == erased);
  CHECK(lefts_of([&] { store.pexpire("live", 0ms, Condition::kXx); }) == none);
  CHECK(lefts_of([&] { store.persist("brief"); }) == none);
  CHECK(lefts_of([&] { store.rename("live", "other"); }) == none);
  CHECK(lefts_of([&] { store.rename("live", "live"); }) == none);
  CHECK(lefts_of([&] { store.rename("live", "dead"); }) == dead);
  CHECK(lefts_of([&] { store.rename("brief", "live"); }) == replaced);
  CHECK(lefts_of([&] { store.copy("live", "brief"); }) == none);
  CHECK(lefts_of([&] { store.copy("live", "dead"); }) == dead);
  CHECK(lefts_of([&] { store.erase_expired(); }) == dead);
  CHECK(lefts_of([&] { store.erase_expired(1); }) == dead);
  CHECK(lefts_of([&] { store.reserve(1000); }) == none);
  CHECK(lefts_of([&] {
          static_cast<void>(store.find("dead"));
          static_cast<void>(store.get("dead"));
          store.for_each([](const auto&, const auto&, auto) {});
        }) == none);

  fill();
  store.clear();
  Lefts all = r.take();
  CHECK(all.size() == 3);
  for (const Left& left : {dead[0], erased[0], Left{"brief", "2", RemovalCause::kErased}}) {
    CHECK(std::count(all.begin(), all.end(), left) == 1);
  }
}

TEST_CASE("the listener is told in the order in which entries leave, the dead first") {
  Lefts lefts;
  ManualClock clock;
  LruCache cache(clock,
                 {.capacity = 3, .listener = [&](std::string k, std::string v, RemovalCause c) {
                    lefts.push_back({std::move(k), std::move(v), c});
                  }});
  cache.set("a", "1", 1ms);
  cache.set("b", "2");
  cache.set("c", "3", 5ms);
  clock.advance(1ms);
  cache.set("d", "4");
  cache.set("e", "5");
  CHECK(lefts == Lefts{{"a", "1", RemovalCause::kExpired}, {"b", "2", RemovalCause::kEvicted}});
  clock.advance(4ms);
  cache.set("f", "6");
  cache.set("g", "7");
  CHECK(lefts.size() == 4);
  CHECK(lefts[2] == Left{"c", "3", RemovalCause::kExpired});
  CHECK(lefts[3] == Left{"d", "4", RemovalCause::kEvicted});
}

TEST_CASE("the listener may store the same key again, whatever the cause") {
  ManualClock clock;
  ListenedStore* self = nullptr;
  int calls = 0;
  ListenedStore store(clock, {.listener = [&](std::string key, std::string value, RemovalCause) {
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

  // What it stores takes the place of what the call stored; of that it is told when it is done.
  calls = 0;
  store.set("a", "2");
  CHECK(see(store, "a") == entry("again again again 1"));
  CHECK(calls == 2);
}

TEST_CASE("what leaves while the listener is at work is told when it has returned") {
  ManualClock clock;
  ListenedStore* self = nullptr;
  int depth = 0;
  Lefts lefts;
  ListenedStore store(clock,
                      {.listener = [&](std::string key, std::string value, RemovalCause cause) {
                        REQUIRE(++depth == 1);
                        lefts.push_back({key, value, cause});
                        if (key == "first") {
                          self->erase("second");
                          self->set("third", "new");
                          self->clear();
                          CHECK(lefts.size() == 1);
                          CHECK(self->empty());
                        }
                        --depth;
                      }});
  self = &store;
  store.set("first", "1");
  store.set("second", "2");
  store.set("third", "3");
  store.erase("first");
  CHECK(lefts == Lefts{{"first", "1", RemovalCause::kErased},
                       {"second", "2", RemovalCause::kErased},
                       {"third", "3", RemovalCause::kReplaced},
                       {"third", "new", RemovalCause::kErased}});
}

TEST_CASE("what the listener throws comes out of a call that has had its effect") {
  ManualClock clock;
  bool throws = true;
  Lefts lefts;
  ListenedStore store(clock,
                      {.listener = [&](std::string key, std::string value, RemovalCause cause) {
                        lefts.push_back({std::move(key), std::move(value), cause});
                        if (throws) throw std::runtime_error("listener");
                      }});
  for (const char* const key : {"a", "b", "c"}) store.set(key, key, 1ms);
  store.set("d", "old");
  CHECK_THROWS_AS(store.set("d", "new"), std::runtime_error);
  CHECK(see(store, "d") == entry("new"));
  CHECK(lefts.size() == 1);

  clock.advance(1ms);
  CHECK_THROWS_AS(store.erase_expired(3), std::runtime_error);
  CHECK(store.size() == 1);
  CHECK(lefts.size() == 2);

  // The rest is told by the next calls, each once.
  CHECK_THROWS_AS(store.erase_expired(), std::runtime_error);
  REQUIRE(lefts.size() == 3);
  throws = false;
  CHECK(store.erase("d"));
  REQUIRE(lefts.size() == 5);
  const std::set<std::string> keys = {lefts[1].key, lefts[2].key, lefts[3].key};
  CHECK(keys == std::set<std::string>{"a", "b", "c"});
  CHECK(lefts[4] == Left{"d", "new", RemovalCause::kErased});
  store.erase_expired();
  CHECK(lefts.size() == 5);
}

TEST_CASE("erase_expired without a limit goes on where a listener that threw ended it") {
  ManualClock clock;
  int calls = 0;
  ListenedStore store(clock,
                      {.listener = [&](const std::string&, const std::string&, RemovalCause) {
                        if (++calls == 400) throw std::runtime_error("listener");
                      }});
  for (int i = 0; i != 1000; ++i) store.set(std::to_string(i), "", 1ms);
  clock.advance(1ms);
  CHECK_THROWS_AS(store.erase_expired(), std::runtime_error);
  CHECK(store.size() < 1000);
  CHECK(store.size() + 400 >= 1000 - 256);  // it has its turn before all are gone
  store.erase_expired();
  CHECK(store.empty());
  CHECK(calls == 1000);
}

TEST_CASE("erase_expired comes to an end though the clock goes back and all is stored again") {
  ManualClock clock;
  clock.set(at(1'000'000));
  ListenedStore* self = nullptr;
  int calls = 0;
  ListenedStore store(clock, {.listener = [&](std::string key, std::string value, RemovalCause) {
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

TEST_CASE("what waits for a listener that always throws takes no more and more memory") {
  struct Features : DefaultFeatures {
    using Listener = std::function<void(int, int, RemovalCause)>;
  };
  using Pair = std::pair<const int, int>;
  Ledger ledger;
  std::set<int> told;
  Cache<int, int, Features, ManualClock, internal::DefaultHash<int>, internal::DefaultEqual<int>,
        LedgerAllocator<Pair>>
      cache(ManualClock(),
            {.listener =
                 [&](int key, int, RemovalCause) {
                   CHECK(told.insert(key).second);
                   throw std::runtime_error("listener");
                 }},
            {}, {}, LedgerAllocator<Pair>(ledger));
  for (int i = 0; i != 50; ++i) cache.set(i, i, Millis(i + 1));
  for (int i = 50; i != 10'000; ++i) cache.set(i, i);
  cache.clock().advance(1h);
  CHECK_THROWS_AS(cache.erase_expired(), std::runtime_error);  // 49 have left and wait
  std::size_t bytes = 0;
  for (int i = 50; i != 10'000; ++i) {
    CHECK_THROWS_AS(cache.erase(i), std::runtime_error);
    if (i == 200) bytes = ledger.bytes;
  }
  CHECK(told.size() == 9951);
  CHECK(ledger.bytes <= bytes);
}

TEST_CASE("the listener may move from key and value, and both may have one owner") {
  struct Features : DefaultFeatures {
    using Policy = ScanResistant;
    using Listener =
        std::function<void(std::unique_ptr<int>&&, std::unique_ptr<int>&&, RemovalCause)>;
  };
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
  Cache<std::unique_ptr<int>, std::unique_ptr<int>, Features, ManualClock, Hash, Equal> cache(
      ManualClock(), {.capacity = 2, .listener = [&](auto&& key, auto&& value, RemovalCause) {
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

TEST_CASE("the destructor of a value that has left may call the keyspace") {
  struct Noisy {
    std::function<void()> at_death;
    Noisy() = default;
    explicit Noisy(std::function<void()> f) : at_death(std::move(f)) {}
    Noisy(Noisy&& other) noexcept : at_death(std::exchange(other.at_death, nullptr)) {}
    Noisy& operator=(Noisy&& other) noexcept {
      std::swap(at_death, other.at_death);
      return *this;
    }
    ~Noisy() {
      if (at_death) at_death();
    }
  };
  struct Features : DefaultFeatures {
    using Policy = Lru;
    struct Listener {
      void operator()(const int&, const Noisy&, RemovalCause) const {}
    };
  };
  ManualClock clock;
  Cache<int, Noisy, Features, ManualClock> cache(clock, {.capacity = 3});
  int deaths = 0;
  const auto noisy = [&] {
    return Noisy([&] {
      ++deaths;
      static_cast<void>(cache.find(1));
      cache.set(1, Noisy());
      cache.erase(2);
    });
  };
  cache.set(1, noisy());
  cache.set(1, noisy());
  cache.set(2, noisy(), 1ms);
  clock.advance(1ms);
  cache.erase_expired();
  for (int i = 3; i != 6; ++i) cache.set(i, noisy());
  cache.clear();
  CHECK(deaths == 6);
}

TEST_CASE("a listener may be any callable, and an empty function is none") {
  int calls = 0;
  auto count = [&calls](const std::string&, const std::string&, RemovalCause) { ++calls; };
  struct Features : DefaultFeatures {
    using Listener = decltype(count);
  };
  Keyspace<std::string, std::string, ManualClock, internal::DefaultHash<std::string>,
           internal::DefaultEqual<std::string>,
           std::allocator<std::pair<const std::string, std::string>>, Features>
      counted(ManualClock(), {.listener = count});
  counted.set("a", "1");
  counted.set("a", "2");
  CHECK(calls == 1);
  auto moved = std::move(counted);
  counted = std::move(moved);
  counted.clear();
  CHECK(calls == 2);

  struct OfFunctions : DefaultFeatures {
    using Listener = void (*)(const std::string&, const std::string&, RemovalCause);
  };
  Cache<std::string, std::string, OfFunctions, ManualClock> null;
  null.set("a", "1");
  null.clear();
  CHECK(null.empty());

  ListenedStore unheard;
  unheard.set("a", "1");
  unheard.clear();
  CHECK(unheard.empty());
}

TEST_CASE("a keyspace that is destroyed or assigned to tells nobody what it held") {
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
template <class P>
struct FragileFeatures : DefaultFeatures {
  using Policy = P;
  using Listener = std::function<void(int, const FragileValue&, RemovalCause)>;
  struct Weigher {
    std::size_t operator()(int key, const FragileValue& value) const {
      Fuse::burn();
      return static_cast<std::size_t>(1 + (key + value.id()) % 4);
    }
  };
};

// Every value is a number of its own. Calls and the listener throw at random, and the listener
// calls back; in the end each value that was stored has left once.
TEMPLATE_TEST_CASE("whatever throws, each entry that was stored leaves once", "", EarliestDeadline,
                   Lru, ScanResistant) {
  using Value = FragileValue;
  using Pair = std::pair<const int, Value>;
  using Ks = Cache<int, Value, FragileFeatures<TestType>, ManualClock, internal::DefaultHash<int>,
                   internal::DefaultEqual<int>, LedgerAllocator<Pair>>;
  std::mt19937 random(7);
  Ledger ledger;
  ManualClock clock;
  std::set<int> stored;    // and not left yet
  std::set<int> doubtful;  // not stored; or it was, and has left, and the listener will be told
  Ks* self = nullptr;
  int next = 0;
  std::size_t departures = 0;
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
    const Value* const found = std::as_const(*self).find(key);
    if (found != nullptr && found->id() == number) return;
    if (stored.erase(number) != 0) doubtful.insert(number);
  };
  bool is_listening = false;
  Ks ks(clock,
        {.capacity = 60,
         .listener =
             [&](int key, const Value& value, RemovalCause) {
               ++departures;
               REQUIRE(stored.erase(value.id()) + doubtful.erase(value.id()) == 1);
               if (is_listening || departures % 7 != 0) {
                 if (departures % 11 == 0) throw Blown{};
                 return;
               }
               is_listening = true;
               store(key + 1, 50ms);
               is_listening = false;
             }},
        {}, {}, LedgerAllocator<Pair>(ledger));
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
  CHECK(departures > 1000);
}

}  // namespace
}  // namespace keyspace::testing
