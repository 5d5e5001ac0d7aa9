#include <keyspace/clock.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("ManualClock stands at zero until it is moved") {
  const ManualClock clock;
  CHECK(clock.now() == ManualClock::time_point{});
  clock.advance(5ms);
  CHECK(clock.now() == at(5));
  clock.advance(-15ms);
  CHECK(clock.now() == at(-10));
  clock.set(at(1'000'000));
  CHECK(clock.now() == at(1'000'000));
}

TEST_CASE("ManualClock copies share one time, separate clocks do not") {
  const ManualClock clock;
  const ManualClock copy = clock;
  const ManualClock other;
  clock.advance(5ms);
  CHECK(copy.now() == at(5));
  copy.set(at(7));
  CHECK(clock.now() == at(7));
  CHECK(other.now() == at(0));
}

TEST_CASE("a keyspace shares the time of the ManualClock that it was given") {
  const ManualClock clock;
  Strings ks(clock);
  ks.set("k", "v", 10ms);
  clock.advance(10ms);
  CHECK_FALSE(ks.contains("k"));
  ks.clock().set(at(0));
  CHECK(clock.now() == at(0));
}

TEST_CASE("CachedClock stands still until it is refreshed") {
  const ManualClock source(at(3));
  const CachedClock<ManualClock> clock(source);
  const CachedClock<ManualClock> copy = clock;
  CHECK(clock.now() == at(3));
  source.advance(5ms);
  CHECK(clock.now() == at(3));
  copy.refresh();
  CHECK(clock.now() == at(8));
  CHECK(copy.now() == at(8));
  source.set(at(-1));
  clock.refresh();
  CHECK(copy.now() == at(-1));
}

TEST_CASE("a key expires when the CachedClock of its keyspace is refreshed") {
  const ManualClock source;
  const CachedClock<ManualClock> clock(source);
  Keyspace<int, int, CachedClock<ManualClock>> ks(clock);
  ks.set(1, 1, 10ms);
  source.advance(10ms);
  CHECK(ks.contains(1));
  clock.refresh();
  CHECK_FALSE(ks.contains(1));
}

TEST_CASE("CachedClock rounds a finer clock towards the past and keeps its time points") {
  struct Source {
    [[nodiscard]] static std::chrono::system_clock::time_point now() noexcept {
      return std::chrono::system_clock::time_point(-1ns);
    }
  };
  const CachedClock<Source> clock;
  STATIC_REQUIRE(std::is_same_v<decltype(clock)::time_point,
                                std::chrono::time_point<std::chrono::system_clock, Millis>>);
  CHECK(clock.now().time_since_epoch() == -1ms);
}

TEST_CASE("CachedClock saturates if a coarser clock exceeds the range of milliseconds") {
  struct Source {
    [[nodiscard]] std::chrono::sys_time<std::chrono::hours> now() const noexcept { return time; }
    std::chrono::sys_time<std::chrono::hours> time;
  };
  const CachedClock<Source> late(Source{std::chrono::sys_time<std::chrono::hours>::max()});
  CHECK(late.now().time_since_epoch() == Millis::max() - 1ms);
  const CachedClock<Source> early(Source{std::chrono::sys_time<std::chrono::hours>::min()});
  CHECK(early.now().time_since_epoch() == Millis::min());
}

TEST_CASE("CoarseClock tells the time of steady_clock to its resolution") {
  // The lower limit has some slack, because the timer interrupt itself may be late.
  const auto slack = 2 * CoarseClock::resolution() + 1s;
  const auto before = std::chrono::steady_clock::now().time_since_epoch();
  const auto time = CoarseClock::now().time_since_epoch();
  const auto after = std::chrono::steady_clock::now().time_since_epoch();
  CHECK(time >= before - slack);
  CHECK(time <= after);
  CHECK(CoarseClock::resolution() > 0ns);
  CHECK(CoarseClock::resolution() <= 10ms);
  STATIC_REQUIRE(std::is_empty_v<CoarseClock>);

  Keyspace<int, int, CoarseClock> ks;
  ks.set(1, 1, 1h);
  ks.set(2, 2, CoarseClock::now());
  CHECK(ks.contains(1));
  CHECK_FALSE(ks.contains(2));
}

// --- How often a call reads the clock ---

using ClockCounted = Keyspace<std::string, std::string, CountingClock>;

struct ClockReader {
  const char* name;
  std::function<void(ClockCounted&, const std::string&)> call;
};

// All calls. The key "x" is missing before each call.
const std::vector<ClockReader>& calls() {
  using K = const std::string&;
  static const std::vector<ClockReader> all = {
      {"set", [](ClockCounted& ks, K k) { ks.set(k, "w"); }},
      {"set ttl", [](ClockCounted& ks, K k) { ks.set(k, "w", 5ms); }},
      {"set ttl over", [](ClockCounted& ks, K k) { ks.set(k, "w", 0ms); }},
      {"set never", [](ClockCounted& ks, K k) { ks.set(k, "w", ClockCounted::kNever); }},
      {"set deadline", [](ClockCounted& ks, K k) { ks.set(k, "w", at(5)); }},
      {"set keep", [](ClockCounted& ks, K k) { ks.set(k, "w", kKeep); }},
      {"set empty", [](ClockCounted& ks, K k) { ks.set(k, "w", {}); }},
      {"insert", [](ClockCounted& ks, K k) { ks.insert(k, "w"); }},
      {"insert ttl", [](ClockCounted& ks, K k) { ks.insert(k, "w", 5ms); }},
      {"insert deadline", [](ClockCounted& ks, K k) { ks.insert(k, "w", at(5)); }},
      {"insert keep", [](ClockCounted& ks, K k) { ks.insert(k, "w", kKeep); }},
      {"replace", [](ClockCounted& ks, K k) { ks.replace(k, "w"); }},
      {"replace ttl", [](ClockCounted& ks, K k) { ks.replace(k, "w", 5ms); }},
      {"replace deadline", [](ClockCounted& ks, K k) { ks.replace(k, "w", at(5)); }},
      {"replace keep", [](ClockCounted& ks, K k) { ks.replace(k, "w", kKeep); }},
      {"peek", [](ClockCounted& ks, K k) { static_cast<void>(ks.peek(k)); }},
      {"find", [](ClockCounted& ks, K k) { static_cast<void>(ks.find(k)); }},
      {"get", [](ClockCounted& ks, K k) { static_cast<void>(ks.get(k)); }},
      {"mget",
       [](ClockCounted& ks, K k) {
         std::vector<std::string*> values(100);
         ks.mget(std::vector<std::string>(100, k), values.begin());
       }},
      {"contains", [](ClockCounted& ks, K k) { static_cast<void>(ks.contains(k)); }},
      {"getex", [](ClockCounted& ks, K k) { static_cast<void>(ks.getex(k, 5ms)); }},
      {"getex over", [](ClockCounted& ks, K k) { static_cast<void>(ks.getex(k, 0ms)); }},
      {"getex never",
       [](ClockCounted& ks, K k) { static_cast<void>(ks.getex(k, ClockCounted::kNever)); }},
      {"getex deadline", [](ClockCounted& ks, K k) { static_cast<void>(ks.getex(k, at(5))); }},
      {"getex keep", [](ClockCounted& ks, K k) { static_cast<void>(ks.getex(k, kKeep)); }},
      {"getex empty", [](ClockCounted& ks, K k) { static_cast<void>(ks.getex(k, {})); }},
      {"getdel", [](ClockCounted& ks, K k) { static_cast<void>(ks.getdel(k)); }},
      {"erase", [](ClockCounted& ks, K k) { ks.erase(k); }},
      {"pexpire", [](ClockCounted& ks, K k) { ks.pexpire(k, 5ms); }},
      {"pexpire over", [](ClockCounted& ks, K k) { ks.pexpire(k, 0ms); }},
      {"pexpire never", [](ClockCounted& ks, K k) { ks.pexpire(k, ClockCounted::kNever); }},
      {"pexpire gt", [](ClockCounted& ks, K k) { ks.pexpire(k, 5ms, Condition::kGt); }},
      {"pexpireat", [](ClockCounted& ks, K k) { ks.pexpireat(k, at(5)); }},
      {"pexpireat past", [](ClockCounted& ks, K k) { ks.pexpireat(k, at(-5)); }},
      {"pttl", [](ClockCounted& ks, K k) { static_cast<void>(ks.pttl(k)); }},
      {"pexpiretime", [](ClockCounted& ks, K k) { static_cast<void>(ks.pexpiretime(k)); }},
      {"persist", [](ClockCounted& ks, K k) { ks.persist(k); }},
      {"rename", [](ClockCounted& ks, K k) { ks.rename(k, "x"); }},
      {"rename onto", [](ClockCounted& ks, K k) { ks.rename("bystander", k); }},
      {"rename to itself", [](ClockCounted& ks, K k) { ks.rename(k, k); }},
      {"copy", [](ClockCounted& ks, K k) { ks.copy(k, "x"); }},
      {"copy onto", [](ClockCounted& ks, K k) { ks.copy("bystander", k); }},
      {"for_each", [](ClockCounted& ks, K) { static_cast<void>(live_count(ks)); }},
      {"size", [](ClockCounted& ks, K) { static_cast<void>(ks.size()); }},
      {"volatile_size", [](ClockCounted& ks, K) { static_cast<void>(ks.volatile_size()); }},
      {"empty", [](ClockCounted& ks, K) { static_cast<void>(ks.empty()); }},
      {"clear", [](ClockCounted& ks, K) { ks.clear(); }},
      {"reserve", [](ClockCounted& ks, K) { ks.reserve(100); }},
      {"erase_expired", [](ClockCounted& ks, K) { ks.erase_expired(); }},
      {"erase_expired(3)", [](ClockCounted& ks, K) { ks.erase_expired(3); }},
      {"next_deadline", [](ClockCounted& ks, K) { static_cast<void>(ks.next_deadline()); }},
  };
  return all;
}

TEST_CASE("every call reads the clock at most once") {
  for (const ClockReader& call : calls()) {
    for (const char* key : {"missing", "persistent", "volatile", "expired", "postponed"}) {
      CAPTURE(call.name, key);
      ClockCounted ks;
      ks.set("bystander", "v");
      ks.set("persistent", "v");
      ks.set("volatile", "v", 100ms);
      ks.set("postponed", "v", 1ms);
      ks.pexpire("postponed", 1000ms);
      for (int i = 0; i < 20; ++i) ks.set("expired" + std::to_string(i), "v", 1ms);
      ks.set("expired", "v", 1ms);
      ks.clock().advance(1ms);
      ks.clock().take_reads();
      call.call(ks, key);
      CHECK(ks.clock().take_reads() <= 1);
    }
  }
}

TEST_CASE("no call reads the clock where no deadline is involved") {
  const auto unread = [](const char* name) {
    for (const char* other : {"ttl", "over", "deadline", "past", "gt", "pexpire", "getex"}) {
      if (std::string(name).find(other) != std::string::npos) return false;
    }
    return true;
  };
  int unread_calls = 0;
  for (const ClockReader& call : calls()) {
    // pttl, pexpiretime and next_deadline take no deadline, although their names match.
    const std::string name = call.name;
    if (!unread(call.name) && name != "pttl" && name != "pexpiretime" && name != "next_deadline") {
      continue;
    }
    ++unread_calls;
    for (const char* key : {"missing", "persistent"}) {
      CAPTURE(call.name, key);
      ClockCounted ks;
      ks.set("bystander", "v");
      ks.set("persistent", "v");
      ks.clock().take_reads();
      call.call(ks, key);
      CHECK(ks.clock().take_reads() == 0);
    }
  }
  CHECK(unread_calls >= 20);
}

TEST_CASE("reading a persistent key does not read the clock, although other keys have deadlines") {
  ClockCounted ks;
  ks.set("persistent", "v");
  ks.set("volatile", "v", 100ms);
  ks.set("expired", "v", 1ms);
  ks.clock().advance(1ms);
  ks.clock().take_reads();
  CHECK(ks.find("persistent") != nullptr);
  CHECK(std::as_const(ks).find("persistent") != nullptr);
  CHECK(ks.peek("persistent") != nullptr);
  CHECK(ks.getex("persistent", kKeep) != nullptr);
  CHECK(ks.getex("persistent", {}) != nullptr);
  CHECK(ks.get("persistent") == "v");
  CHECK(ks.contains("persistent"));
  CHECK(ks.pttl("persistent") == ClockCounted::kNever);
  CHECK(ks.pexpiretime("persistent") == Instant::max());
  CHECK(ks.find("missing") == nullptr);
  CHECK_FALSE(ks.contains("missing"));
  CHECK(ks.clock().take_reads() == 0);
}

TEST_CASE("a keyspace without deadlines does not read the clock, although it had one") {
  ClockCounted ks;
  SECTION("by persist") {
    ks.set("k", "v", 10ms);
    ks.persist("k");
  }
  SECTION("by erase") {
    ks.set("k", "v", 10ms);
    ks.erase("k");
  }
  SECTION("by set") {
    ks.set("k", "v", 10ms);
    ks.set("k", "v");
  }
  SECTION("by erase_expired") {
    ks.set("k", "v", 10ms);
    ks.clock().advance(10ms);
    CHECK(ks.erase_expired() == 1);
  }
  REQUIRE(ks.volatile_size() == 0);
  ks.clock().take_reads();
  ks.set("a", "v");
  ks.insert("b", "v");
  CHECK(ks.contains("a"));
  CHECK(ks.copy("a", "c"));
  CHECK(ks.rename("c", "d"));
  CHECK_FALSE(ks.persist("d"));
  CHECK(ks.erase("d"));
  CHECK(ks.next_deadline() == std::nullopt);
  CHECK(ks.clock().take_reads() == 0);
}

// --- Clocks of other resolutions ---

TEST_CASE("the time of a finer clock is rounded down to milliseconds, also below zero") {
  using Clock = FakeClock<std::chrono::nanoseconds>;
  using Ks = Keyspace<int, int, Clock>;
  struct Row {
    std::int64_t nanoseconds, milliseconds;
  };
  const Row table[] = {
      {0, 0},           {1, 0},           {999'999, 0},
      {1'000'000, 1},   {1'999'999, 1},   {-1, -1},
      {-999'999, -1},   {-1'000'000, -1}, {-1'000'001, -2},
      {-5'500'000, -6}, {5'500'000, 5},   {1'700'000'000'123'456'789, 1'700'000'000'123}};
  for (const auto& [ns, ms] : table) {
    CAPTURE(ns);
    const Clock clock;
    clock.set(std::chrono::nanoseconds{ns});
    Ks ks(clock);
    ks.set(1, 1, 10ms);
    CHECK(ks.pexpiretime(1) == Ks::time_point{Millis{ms + 10}});
    CHECK(ks.pttl(1) == 10ms);
    CHECK(ks.pexpireat(1, Ks::time_point{Millis{ms + 1}}));
    CHECK(ks.contains(1));
    CHECK(ks.pexpireat(1, Ks::time_point{Millis{ms}}));  // not after now, so it erases the key
    CHECK_FALSE(ks.contains(1));
  }
}

TEST_CASE("a key under a finer clock expires at its millisecond") {
  using Clock = FakeClock<std::chrono::nanoseconds>;
  const std::chrono::nanoseconds start = GENERATE(0ns, -3ms, 1'700'000'000s);
  const Clock clock;
  clock.set(start);
  Keyspace<int, int, Clock> ks(clock);
  ks.set(1, 1, 2ms);
  clock.set(start + 2ms - 1ns);
  CHECK(ks.contains(1));
  CHECK(ks.pttl(1) == 1ms);
  CHECK(ks.erase_expired() == 0);
  clock.set(start + 2ms);
  CHECK_FALSE(ks.contains(1));
  CHECK(ks.erase_expired() == 1);
}

template <class Duration>
void check_coarse_clock() {
  const FakeClock<Duration> clock;
  using Ks = Keyspace<int, int, FakeClock<Duration>>;
  Ks ks(clock);
  clock.set(Duration{-2});
  ks.set(1, 1, Duration{3});
  ks.set(2, 2, 1ms);
  ks.set(3, 3, clock.now() + Duration{2});
  CHECK(ks.pttl(1) == Duration{3});
  CHECK(ks.pexpiretime(1) == typename Ks::time_point{Duration{1}});
  CHECK(ks.pexpiretime(3) == typename Ks::time_point{Duration{0}});
  CHECK(ks.contains(2));
  clock.set(Duration{-1});
  CHECK_FALSE(ks.contains(2));
  CHECK(ks.erase_expired() == 1);
  CHECK(ks.contains(1));
  CHECK(ks.contains(3));
  clock.set(Duration{0});
  CHECK_FALSE(ks.contains(3));
  CHECK(ks.contains(1));
  clock.set(Duration{1});
  CHECK_FALSE(ks.contains(1));
  CHECK(ks.erase_expired() == 2);
}

TEST_CASE("a clock that ticks in seconds works") { check_coarse_clock<std::chrono::seconds>(); }
TEST_CASE("a clock that ticks in hours works") { check_coarse_clock<std::chrono::hours>(); }

TEST_CASE("the standard clocks work") {
  Keyspace<int, int> steady;
  steady.set(1, 1, 1h);
  CHECK(steady.pttl(1) <= 1h);
  CHECK(steady.pttl(1) > 59min);
  Keyspace<int, int, std::chrono::system_clock> system;
  system.set(1, 1, std::chrono::ceil<Millis>(std::chrono::system_clock::now()) + 1h);
  CHECK(system.pttl(1) <= 1h + 1ms);
  CHECK(system.pttl(1) > 59min);
  system.set(1, 1, std::chrono::sys_days{std::chrono::year{1970} / 1 / 1});
  CHECK_FALSE(system.contains(1));
}

// --- A clock that goes backwards ---

TEST_CASE("a live key keeps its deadline when the clock goes backwards") {
  Strings ks;
  ks.clock().set(at(1'000'000));
  ks.set("k", "v", 10ms);
  ks.clock().set(at(0));
  CHECK(see(ks, "k") == entry("v", at(1'000'010)));
  CHECK(ks.pttl("k") == 1'000'010ms);
  CHECK(ks.erase_expired() == 0);
  ks.clock().set(at(1'000'009));
  CHECK(ks.erase_expired() == 0);
  ks.clock().set(at(1'000'010));
  CHECK(ks.erase_expired() == 1);
}

TEST_CASE("a keyspace files deadlines correctly that are before an earlier time of its clock") {
  Ints ks;
  ks.clock().set(at(1'000'000));
  for (int i = 0; i < 50; ++i) ks.set(i, i, Millis{i + 1});
  CHECK(ks.erase_expired() == 0);
  ks.clock().set(at(-500));
  for (int i = 100; i < 150; ++i) ks.set(i, i, Millis{i});
  REQUIRE(ks.next_deadline().has_value());
  CHECK(*ks.next_deadline() <= at(-400));
  for (int now = -500; now <= -300; ++now) {
    ks.clock().set(at(now));
    const std::size_t expiring = now >= -400 && now < -350 ? 1 : 0;
    REQUIRE(ks.erase_expired() == expiring);
  }
  CHECK(ks.size() == 50);
  ks.clock().set(at(1'000'025));
  CHECK(ks.erase_expired() == 25);
  ks.clock().set(at(1'000'050));
  CHECK(ks.erase_expired() == 25);
}

TEST_CASE("a key that was erased at its deadline does not come back when the clock goes back") {
  Strings ks;
  ks.set("k", "v", 10ms);
  ks.clock().set(at(10));
  CHECK(ks.erase_expired() == 1);
  ks.clock().set(at(0));
  CHECK(see(ks, "k") == std::nullopt);
}

TEST_CASE("a clock that swings far back and forth loses no deadline") {
  Ints ks;
  const std::int64_t swings[] = {0, 1'000'000, -5, 70'000, 1, 4'000'000'000, 300, 255, 256, 0};
  int key = 0;
  for (const std::int64_t now : swings) {
    ks.clock().set(at(now));
    ks.set(key, key, at(5'000'000'000 + key));
    ++key;
    ks.erase_expired();
  }
  ks.clock().set(at(4'999'999'999));
  CHECK(ks.erase_expired() == 0);
  for (int i = 0; i < key; ++i) {
    ks.clock().set(at(5'000'000'000 + i));
    CHECK(ks.erase_expired() == 1);
  }
  CHECK(ks.empty());
}

}  // namespace
}  // namespace keyspace::testing
