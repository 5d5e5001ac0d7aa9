// Calls every public member in a program without exceptions and run-time type information, for a
// copyable and for a move-only value.

#include <keyspace/cache.h>
#include <keyspace/clock.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/condition.h>
#include <keyspace/expiry.h>
#include <keyspace/jitter.h>
#include <keyspace/keyspace.h>
#include <keyspace/options.h>
#include <keyspace/policy.h>
#include <keyspace/reaper.h>
#include <keyspace/removal.h>
#include <keyspace/statistics.h>
#include <keyspace/version.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace {

using keyspace::Condition;
using keyspace::Keyspace;
using keyspace::ManualClock;
using namespace std::chrono_literals;

int failures = 0;

void check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "failed: %s\n", what);
  ++failures;
}
#define CHECK(expression) check((expression), #expression)

void use_copyable_values() {
  ManualClock clock;
  using Strings = Keyspace<std::string, std::string, ManualClock>;
  Strings strings(clock);
  const Strings& view = strings;
  const std::string_view key = "key";

  strings.reserve(8);
  strings.shrink_to_fit();
  CHECK(strings.empty());
  strings.set("key", "a");
  strings.set("key", "b", 2s);
  strings.set("key", "c", view.clock().now() + 3s);
  CHECK(!strings.insert("key", "d"));
  CHECK(!strings.insert("key", "d", 1s));
  CHECK(!strings.insert("key", "d", clock.now() + 1s));
  CHECK(!strings.replace("other", "d"));
  CHECK(strings.replace("key", "e"));
  CHECK(strings.replace("key", "f", 1s));
  CHECK(strings.replace("key", "g", clock.now() + 4s));
  strings.set("key", "g", keyspace::kKeep);
  CHECK(*strings.find(key) == "g");
  CHECK(*view.find(key) == "g");
  CHECK(*view.peek(key) == "g");
  CHECK(view.get(key) == "g");
  CHECK(view.contains(key));
  CHECK(view.pttl(key) == 4000ms);
  CHECK(view.pexpiretime(key) == clock.now() + 4s);
  CHECK(*strings.getex(key, 5s) == "g");
  CHECK(strings.pexpire(key, 1500ms));
  CHECK(strings.pexpire(key, 1s, Condition::kXx));
  CHECK(!strings.pexpireat(key, clock.now() + 1s, Condition::kNx));
  CHECK(strings.pexpireat(key, clock.now() + 2s));
  CHECK(view.next_deadline().has_value());
  CHECK(strings.persist(key));
  CHECK(view.pttl(key) == Strings::kNever);
  CHECK(strings.rename(key, "renamed"));
  CHECK(strings.copy("renamed", "copied"));
  CHECK(strings.getdel("copied") == "g");
  CHECK(view.size() == 1);
  CHECK(view.volatile_size() == 0);
  CHECK(strings.erase("renamed"));

  strings.set("brief", "h", 1ms);
  strings.set("lasting", "i");
  clock.advance(1ms);
  std::size_t live = 0;
  view.for_each([&](const std::string&, const std::string&, Strings::time_point) { ++live; });
  CHECK(live == 1);
  CHECK(strings.erase_expired(64) == 1);
  CHECK(strings.erase_expired() == 0);
  strings.set("later", "j", 2ms);
  view.for_each_until(clock.now() + 2ms, [&](const auto&, const auto&, auto) { ++live; });
  CHECK(live == 2);
  CHECK(strings.erase("later"));
  CHECK(!view.next_deadline());

  CHECK(strings.compute("k", [](auto& entry) {
    entry.store("v", 1s);
    return entry.value() != nullptr && entry.expire(2s) && entry.ttl() == 2s && entry.erase();
  }));
  CHECK(strings.get_or_compute("m", {.expiry = 1s, .refresh_ahead = 1ms}, [] {
    return keyspace::Computed{"n", 2s};
  }) == "n");
  const std::array<std::string_view, 2> keys = {"m", "o"};
  CHECK(strings.get_or_compute(keys, 1s, [](const auto& missing) { return missing; }).size() == 2);
  CHECK(strings.erase("m") && strings.erase("o"));

  Strings moved = std::move(strings);
  CHECK(moved.size() == 1);
  moved.clear();
  CHECK(moved.empty());
}

void use_move_only_values() {
  ManualClock clock;
  Keyspace<int, std::unique_ptr<int>, ManualClock> boxes(clock);
  boxes.set(1, std::make_unique<int>(10), 1s);
  CHECK(boxes.insert(2, std::make_unique<int>(20)));
  CHECK(boxes.replace(2, std::make_unique<int>(21)));
  boxes.compute(4, [](auto& entry) { entry.store(std::make_unique<int>(40)); });
  CHECK(boxes.compute(4, [](auto& entry) { return **entry.value() == 40 && entry.erase(); }));
  CHECK(boxes.rename(2, 3));
  CHECK(**boxes.find(3) == 21);
  CHECK(**boxes.getex(1, 2s) == 10);
  CHECK(**boxes.getdel(1) == 10);
  CHECK(!boxes.contains(1));
}

struct ValueBytes {
  std::size_t operator()(int, const std::string& value) const noexcept { return value.size(); }
};
struct CountRemovals {
  void operator()(int, const std::string&, keyspace::RemovalCause) const { ++*removals; }
  int* removals;
};

template <template <class, class, class...> class CacheType, class Policy>
using CacheWithAllOptions =
    CacheType<int, std::string, Policy, ManualClock, keyspace::WithHash<std::hash<int>>,
              keyspace::WithAllocator<std::allocator<int>>, keyspace::WithWeigher<ValueBytes>,
              keyspace::WithListener<CountRemovals>, keyspace::WithStatistics,
              keyspace::WithExpireAfterAccess>;

template <class Policy>
void use_caches() {
  int removals = 0;
  CacheWithAllOptions<keyspace::Cache, Policy> cache(
      {.capacity = 8, .listener = {&removals}, .expire_after_access = 1h, .allocator = {}});
  for (int i = 0; i != 10; ++i) cache.set(i, "1234");
  CHECK(cache.size() == 2);
  CHECK(*cache.peek(9) == "1234");
  CHECK(cache.get(9) == "1234");
  CHECK(cache.weight() == 8);
  CHECK(cache.capacity() == 8);
  cache.set_capacity(9);
  CHECK(cache.capacity() == 9);
  CHECK(cache.update(9, [](std::string& value) { value[0] = '5'; }));
  CHECK(cache.erase_if([](int, const std::string& value, auto) { return value.empty(); }) == 0);
  CHECK(cache.compute(99, [](auto& entry) { return entry.value() == nullptr; }));
  CHECK(cache.getdel(9) == "5234");
  int last = -1;
  std::as_const(cache).for_each([&](int key, const std::string&, auto) { last = key; });
  CHECK(cache.rename(last, 9));
  cache.clear();
  CHECK(removals == 10);
  CHECK(cache.statistics().hits == 3);
  CHECK(!to_string(cache.statistics()).empty());
}

template <class Policy>
void use_shared_caches() {
  int removals = 0;
  CacheWithAllOptions<keyspace::ConcurrentCache, Policy> cache({.capacity = 8,
                                                                .listener = {&removals},
                                                                .expire_after_access = 1h,
                                                                .allocator = {},
                                                                .shards = 1});
  const auto& view = cache;
  cache.reserve(8);
  cache.shrink_to_fit();
  for (int i = 0; i != 10; ++i) cache.set(i, "1234");
  CHECK(cache.size() == 2);
  CHECK(cache.get(9) == "1234");
  CHECK(view.peek(9) == "1234");
  CHECK(cache.getex(9, 1s) == "1234");
  CHECK(!cache.insert(9, "5", 1s));
  CHECK(cache.replace(9, "5", cache.clock().now() + 2s));
  CHECK(cache.update(9, [](std::string& value) { value += "6"; }));
  CHECK(cache.visit(9, [](const std::string& value) { CHECK(value == "56"); }));
  std::optional<std::string> out;
  cache.mget(std::array{9}, &out);
  CHECK(out == "56");
  CHECK(cache.pexpire(9, 3s));
  CHECK(cache.pexpireat(9, cache.clock().now() + 4s));
  CHECK(view.pttl(9) == 4000ms);
  CHECK(view.pexpiretime(9).has_value());
  CHECK(view.next_deadline().has_value());
  CHECK(cache.persist(9));
  CHECK(cache.rename(9, 10));
  CHECK(cache.copy(10, 11));
  CHECK(cache.getdel(11) == "56");
  CHECK(cache.get_or_compute(
            12, 1s, [] { return "7"; }, 1ms) == "7");
  using Maybe = std::optional<std::string>;
  CHECK(!cache.get_or_compute(77, {.expiry = 1s, .max_wait = 1s}, [] { return Maybe(); }));
  CHECK(cache.get_or_compute(std::array{78, 79}, 1s, [](const auto& missing) {
    return std::array<std::string, 2>{"a", std::to_string(missing.size())};
  })[1] == "2");
  cache.erase(78);
  cache.erase(79);
  CHECK(cache.erase(12));
  CHECK(cache.weight() <= cache.capacity());
  cache.set_capacity(2 * cache.capacity());
  CHECK(view.volatile_size() <= view.size());
  std::size_t seen = 0;
  view.for_each([&](int, const std::string&, auto) { ++seen; });
  CHECK(seen == view.size());
  view.for_each_until(view.clock().now() + 2h, [&](int, const std::string&, auto) { ++seen; });
  CHECK(seen == view.size() + view.volatile_size());
  CHECK(cache.erase_if([](int, const std::string& value, auto) { return value.empty(); }) == 0);
  CHECK(cache.compute(99, [](auto& entry) { return entry.value() == nullptr; }));
  CHECK(cache.erase_expired() == 0);
  keyspace::Reaper reaper(cache);
  reaper.wake();
  reaper.remove(cache);
  cache.clear();
  CHECK(cache.empty());
  CHECK(view.statistics().hits != 0);
}

void use_the_system_clocks() {
  Keyspace<int, int> steady;
  steady.set(1, 10, std::chrono::hours(1));
  CHECK(steady.contains(1));
  Keyspace<int, int, std::chrono::system_clock> wall;
  wall.set(1, 10, std::chrono::sys_days(std::chrono::year(1970) / 1 / 2));
  CHECK(!wall.contains(1));
}

}  // namespace

int main() {
  check(keyspace::Jitter(0.1)(10s) >= 9s, "jitter");
  use_copyable_values();
  use_move_only_values();
  use_caches<keyspace::EarliestDeadline>();
  use_caches<keyspace::Lru>();
  use_caches<keyspace::ScanResistant>();
  use_shared_caches<keyspace::EarliestDeadline>();
  use_shared_caches<keyspace::Lru>();
  use_shared_caches<keyspace::ScanResistant>();
  use_the_system_clocks();
  return failures == 0 ? 0 : 1;
}
