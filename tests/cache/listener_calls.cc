#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>
#include <keyspace/removal.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/support.h"

// The calls of a listener to its keyspace, and how erase_expired() counts what they erase.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using CallingListener = std::function<void(int, int, RemovalCause)>;
using CallingInts = Keyspace<int, int, ManualClock, WithListener<CallingListener>>;
using SharedCallingInts = ConcurrentKeyspace<int, int, ManualClock, WithListener<CallingListener>>;

// A keyspace whose listener may call it. Counts the calls of the listener for expired entries.
template <class Ks>
struct CallingBack {
  // Stores `count` entries that are expired.
  void fill(int count) {
    for (int key = 0; key != count; ++key) ks.set(key, 0, 1ms);
    clock.advance(1ms);
  }

  ManualClock clock;
  CallingListener on_removal = [](int, int, RemovalCause) {};
  std::size_t expired = 0;
  Ks ks{[this] {
    typename Ks::Config config{.clock = clock};
    config.listener = [this](int key, int value, RemovalCause cause) {
      if (cause == RemovalCause::kExpired) ++expired;
      on_removal(key, value, cause);
    };
    // Few shards, so that one has more entries than a step erases.
    if constexpr (std::is_same_v<Ks, SharedCallingInts>) config.shards = 2;
    return config;
  }()};
};

TEMPLATE_TEST_CASE("erase_expired counts the expired entries that a listener's calls remove", "",
                   CallingInts, SharedCallingInts) {
  CallingBack<TestType> c;
  TestType& ks = c.ks;
  std::size_t left = 0;  // entries that the listener has stored
  SECTION("if they store persistent entries") {
    c.on_removal = [&](int key, int, RemovalCause) { ks.set(10'000 + key, 1); };
    left = 1000;
  }
  SECTION("if they store entries with a ttl") {
    c.on_removal = [&](int key, int, RemovalCause) { ks.set(10'000 + key, 1, 1ms); };
    left = 1000;
  }
  SECTION("if they store the same keys again") {
    c.on_removal = [&](int key, int, RemovalCause) { ks.set(key, 1, 1h); };
    left = 1000;
  }
  SECTION("if they store entries that are over") {
    c.on_removal = [&](int key, int, RemovalCause) { ks.set(999 - key, 1, 0ms); };
  }
  SECTION("if they erase other entries") {
    c.on_removal = [&](int key, int, RemovalCause) { CHECK_FALSE(ks.erase(999 - key)); };
  }
  SECTION("if they rename over other entries") {
    ks.set(-1, 1);
    c.on_removal = [&](int key, int, RemovalCause) {
      ks.rename(key % 2 == 0 ? -1 : 999 - key, key % 2 == 0 ? 999 - key : -1);
      ks.rename(999 - key, -1);
    };
    left = 1;
  }
  SECTION("if they clear the keyspace") {
    c.on_removal = [&](int, int, RemovalCause) { ks.clear(); };
  }
  SECTION("if they only read") {
    c.on_removal = [&](int, int, RemovalCause) { ks.for_each([](int, int, auto) {}); };
  }
  c.fill(1000);
  CHECK(ks.erase_expired() == 1000);
  CHECK(c.expired == 1000);
  CHECK(ks.size() == left);
  CHECK(ks.erase_expired() == 0);
}

TEMPLATE_TEST_CASE("erase_expired does not count live entries that a listener's calls remove", "",
                   CallingInts, SharedCallingInts) {
  CallingBack<TestType> c;
  for (int key = 0; key != 10; ++key) c.ks.set(100 + key, 1);
  c.on_removal = [&](int key, int, RemovalCause) {
    if (key >= 100) return;
    c.ks.set(100 + key, 2);  // overwrites
    c.ks.erase(100 + key);
  };
  c.fill(10);
  CHECK(c.ks.erase_expired() == 10);
  CHECK(c.ks.empty());
}

TEMPLATE_TEST_CASE("a listener's calls may erase more than the limit of erase_expired", "",
                   CallingInts, SharedCallingInts) {
  CallingBack<TestType> c;
  c.on_removal = [&](int key, int, RemovalCause cause) {
    if (key < 10'000 && cause == RemovalCause::kExpired && c.expired <= 2) {
      c.ks.set(10'000 + key, 1);
    }
  };
  c.fill(1000);
  CHECK(c.ks.erase_expired(2) >= 3);
  CHECK(c.ks.erase_expired(0) == 0);
  const std::size_t before = c.expired;
  CHECK(before == 1000 - (c.ks.size() - 2));
  const std::size_t erased = c.ks.erase_expired(100);
  CHECK(erased == c.expired - before);
  CHECK(c.expired == before + 100);
}

TEMPLATE_TEST_CASE("a nested erase_expired counts what it erases, and the outer one includes it",
                   "", CallingInts, SharedCallingInts) {
  CallingBack<TestType> c;
  std::size_t nested = 0;
  c.on_removal = [&](int, int, RemovalCause) {
    if (nested != 0) {
      CHECK(c.ks.erase_expired() == 0);
      return;
    }
    nested = c.ks.erase_expired(10);
    CHECK(nested == 10);
    nested += c.ks.erase_expired();
  };
  SECTION("without a limit") {
    c.fill(1000);
    CHECK(c.ks.erase_expired() == 1000);
    CHECK(nested > 500);
    CHECK(nested < 1000);
  }
  SECTION("with a limit") {
    c.fill(1000);
    CHECK(c.ks.erase_expired(5) == 1000);
    CHECK(nested == 995);
  }
  SECTION("in another call") {
    c.ks.set(-1, 0);
    c.fill(1000);
    CHECK(c.ks.erase(-1));
    CHECK(nested == 1000);
  }
  CHECK(c.expired == 1000);
}

TEMPLATE_TEST_CASE("erase_expired counts neither earlier removals nor those after an exception", "",
                   CallingInts, SharedCallingInts) {
  CallingBack<TestType> c;
  c.on_removal = [&](int key, int, RemovalCause) {
    c.ks.set(10'000 + key, 1);
    if (c.expired == 400) throw std::runtime_error("listener");
  };
  c.fill(1000);
  CHECK_THROWS_AS(c.ks.erase_expired(), std::runtime_error);
  CHECK(c.expired == 400);
  // The rest is pending, or was not removed yet.
  const std::size_t pending = 1400 - c.ks.size() - c.expired;
  const std::size_t erased = c.ks.erase_expired();
  CHECK(erased == 600 - pending);
  CHECK(c.expired == 1000);
  CHECK(c.ks.size() == 1000);
}

TEMPLATE_TEST_CASE("erase_expired does not count what a call of another keyspace removes", "",
                   CallingInts, SharedCallingInts) {
  CallingBack<TestType> other;
  other.fill(100);
  CallingBack<TestType> c;
  c.on_removal = [&](int key, int, RemovalCause) { other.ks.set(10'000 + key, 1); };
  c.fill(10);
  CHECK(c.ks.erase_expired() == 10);
  CHECK(other.expired == 20);
}

TEMPLATE_TEST_CASE("erase_expired ends although the listener moves the clock back and forth", "",
                   CallingInts, SharedCallingInts) {
  CallingBack<TestType> c;
  c.clock.set(at(1000));
  c.on_removal = [&](int key, int, RemovalCause) {
    REQUIRE(c.expired < 10'000);
    const auto now = c.clock.now();
    c.clock.set(at(10));
    c.ks.set(key, 1, 1ms);
    c.clock.set(now);
  };
  c.fill(1000);  // several steps for each shard
  CHECK(c.ks.erase_expired() >= 1000);
}

// Returns what is broken in a keyspace; an empty string if nothing is.
std::string broken_in(const CallingInts& ks) { return internal::TestPeer::broken_invariant(ks); }
std::string broken_in(const SharedCallingInts& ks) {
  return internal::TestPeer::broken_in_shards(ks);
}

TEMPLATE_TEST_CASE("a listener may make any call", "", CallingInts, SharedCallingInts) {
  CallingBack<TestType> c;
  TestType& ks = c.ks;
  std::mt19937 random(11);
  const auto number = [&](int end) { return static_cast<int>(random() % unsigned(end)); };
  const auto ttl = [&] { return Millis(number(60) - 10); };
  const auto call = [&] {
    const int key = number(50);
    switch (number(16)) {
      case 0:
        return ks.set(key, 1, ttl());
      case 1:
        return static_cast<void>(ks.insert(key, 1));
      case 2:
        return static_cast<void>(ks.replace(key, 1, ttl()));
      case 3:
        return static_cast<void>(ks.getex(key, ttl()));
      case 4:
        return static_cast<void>(ks.getdel(key));
      case 5:
        return static_cast<void>(ks.pexpire(key, ttl()));
      case 6:
        return static_cast<void>(ks.persist(key));
      case 7:
        return static_cast<void>(ks.rename(key, number(50)));
      case 8:
        return static_cast<void>(ks.copy(key, number(50)));
      case 9:
        return static_cast<void>(ks.update(key, [](int& value) { ++value; }));
      case 10:
        return static_cast<void>(ks.erase_if([&](int, int, auto) { return number(8) == 0; }));
      case 11:
        return ks.for_each([](int, int, auto) {});
      case 12:
        return static_cast<void>(ks.erase_expired());
      case 13:
        return number(8) == 0 ? ks.clear() : ks.shrink_to_fit();
      case 14:
        return ks.reserve(static_cast<std::size_t>(number(500)));
      default:
        return static_cast<void>(ks.erase(key));
    }
  };
  int calls_left = 0;
  bool is_calling = false;
  c.on_removal = [&](int, int, RemovalCause) {
    REQUIRE_FALSE(std::exchange(is_calling, true));
    if (calls_left-- > 0) {
      call();
      call();
    }
    is_calling = false;
  };
  for (int i = 0; i != 5000; ++i) {
    CAPTURE(i);
    calls_left = 20;
    for (int j = 0; j != 3; ++j) ks.set(number(50), 1, ttl());
    call();
    REQUIRE(broken_in(ks) == "");
    c.clock.advance(Millis(number(10)));
    const std::size_t before = c.expired;
    const std::size_t erased = ks.erase_expired();
    REQUIRE(erased == c.expired - before);
    REQUIRE(broken_in(ks) == "");
  }
}

TEST_CASE("erase_expired does not count what other threads erase", "[threads]") {
  CallingBack<SharedCallingInts> c;
  bool is_first = true;
  c.on_removal = [&](int, int, RemovalCause) {
    if (!std::exchange(is_first, false)) return;
    std::thread([&] {
      for (int key = 0; key != 1000; ++key) c.ks.erase(key);
    }).join();
  };
  c.fill(1000);
  const std::size_t erased = c.ks.erase_expired();
  CHECK(erased >= 1);
  CHECK(erased <= 256);
  CHECK(c.expired == 1000);
}

TEST_CASE("a nested call does not count the entries that another thread left", "[threads]") {
  CallingBack<SharedCallingInts> c;
  bool is_first = true;
  c.on_removal = [&](int key, int, RemovalCause) {
    if (key == 1000) throw std::runtime_error("listener");
    if (!std::exchange(is_first, false)) return;
    std::thread([&] {
      for (int other = 1000; other != 1010; ++other) c.ks.set(other, 0, 1ms);
      c.clock.advance(1ms);
      CHECK_THROWS_AS(c.ks.erase_expired(), std::runtime_error);
    }).join();
    c.ks.erase(5000);  // takes what the other thread left
  };
  c.ks.set(1, 0, 1ms);
  c.clock.advance(1ms);
  CHECK(c.ks.erase_expired() == 1);
  CHECK(c.expired > 2);  // also those that the nested call took
}

}  // namespace
}  // namespace keyspace::testing
