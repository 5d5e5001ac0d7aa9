#include <chrono>
#include <string>
#include <utility>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("size counts stored entries and volatile_size those with a deadline") {
  Ints ks;
  CHECK(ks.empty());
  CHECK(ks.size() == 0);
  CHECK(ks.volatile_size() == 0);
  ks.set(1, 0);
  CHECK_FALSE(ks.empty());
  CHECK(ks.size() == 1);
  CHECK(ks.volatile_size() == 0);
  ks.set(2, 0, 10ms);
  CHECK(ks.size() == 2);
  CHECK(ks.volatile_size() == 1);
}

TEST_CASE("volatile_size follows every way to gain or lose a deadline") {
  Ints ks;
  ks.set(1, 0);
  CHECK(ks.pexpire(1, 10ms));
  CHECK(ks.volatile_size() == 1);
  CHECK(ks.pexpire(1, 20ms));
  CHECK(ks.volatile_size() == 1);
  CHECK(ks.pexpire(1, 5ms));
  CHECK(ks.volatile_size() == 1);
  CHECK(ks.persist(1));
  CHECK(ks.volatile_size() == 0);
  CHECK(ks.getex(1, 10ms) != nullptr);
  CHECK(ks.volatile_size() == 1);
  CHECK(ks.pexpire(1, Ints::kNever));
  CHECK(ks.volatile_size() == 0);
  ks.set(1, 0, 10ms);
  CHECK(ks.volatile_size() == 1);
  ks.set(1, 0);
  CHECK(ks.volatile_size() == 0);
  CHECK(ks.replace(1, 0, 10ms));
  CHECK(ks.volatile_size() == 1);
  CHECK(ks.copy(1, 2));
  CHECK(ks.volatile_size() == 2);
  CHECK(ks.rename(1, 2));
  CHECK(ks.volatile_size() == 1);
  CHECK(ks.getdel(2) == 0);
  CHECK(ks.volatile_size() == 0);
  CHECK(ks.insert(3, 0, 10ms));
  CHECK(ks.volatile_size() == 1);
  CHECK(ks.pexpire(3, -1ms));
  CHECK(ks.volatile_size() == 0);
  CHECK(ks.empty());
}

TEST_CASE("size counts expired entries until they are erased") {
  Ints ks;
  ks.set(1, 0, 10ms);
  ks.set(2, 0);
  ks.clock().advance(10ms);
  CHECK(ks.size() == 2);
  CHECK(ks.volatile_size() == 1);
  CHECK(ks.erase_expired() == 1);
  CHECK(ks.size() == 1);
  CHECK(ks.volatile_size() == 0);
}

TEST_CASE("clear erases everything and the keyspace can be used again") {
  Ints ks;
  for (int i = 0; i < 100; ++i) ks.set(i, i);
  for (int i = 100; i < 200; ++i) ks.set(i, i, Millis{i});
  ks.clear();
  CHECK(ks.empty());
  CHECK(ks.size() == 0);
  CHECK(ks.volatile_size() == 0);
  CHECK(ks.next_deadline() == std::nullopt);
  CHECK(live_count(ks) == 0);
  ks.clear();
  CHECK(ks.empty());

  // The records of the erased entries do not erase the new ones.
  for (int i = 100; i < 200; ++i) ks.set(i, -i, 1000ms);
  ks.clock().advance(999ms);
  CHECK(ks.erase_expired() == 0);
  CHECK(ks.size() == 100);
  CHECK(see(ks, 150) == entry(-150, at(1000)));
  ks.clock().advance(1ms);
  CHECK(ks.erase_expired() == 100);
}

TEST_CASE("reserve changes nothing that can be seen") {
  Ints ks;
  ks.reserve(1000);
  CHECK(ks.empty());
  ks.set(1, 10);
  ks.set(2, 20, 10ms);
  ks.reserve(10'000);
  ks.reserve(0);
  CHECK(see(ks, 1) == entry(10));
  CHECK(see(ks, 2) == entry(20, at(10)));
  CHECK(ks.size() == 2);
  CHECK(ks.volatile_size() == 1);
}

TEST_CASE("values keep their addresses while a reserved keyspace fills") {
  Ints ks;
  ks.reserve(1000);
  ks.set(0, 7);
  const int* const first = ks.find(0);
  for (int i = 1; i < 1000; ++i) ks.set(i, i, Millis{i});
  CHECK(ks.find(0) == first);
}

TEST_CASE("a moved-from keyspace is empty and can be used again") {
  ManualClock clock;
  Ints from(clock);
  for (int i = 0; i < 100; ++i) from.set(i, i, Millis{i + 1});
  from.set(100, 100);
  Ints to(std::move(from));
  CHECK(to.size() == 101);
  CHECK(to.volatile_size() == 100);

  // NOLINTBEGIN(bugprone-use-after-move): that it may be used is what this test is about.
  CHECK(from.empty());
  CHECK(from.volatile_size() == 0);
  CHECK(from.next_deadline() == std::nullopt);
  CHECK(from.erase_expired() == 0);
  CHECK_FALSE(from.contains(1));
  from.set(1, -1, 5ms);
  from.set(2, -2);
  CHECK(see(from, 1) == entry(-1, at(5)));
  CHECK(see(to, 1) == entry(1, at(2)));

  clock.set(at(50));
  CHECK(to.erase_expired() == 50);
  CHECK(from.erase_expired() == 1);
  from = std::move(to);
  CHECK(from.size() == 51);
  CHECK(from.volatile_size() == 50);
  CHECK_FALSE(from.contains(2));
  CHECK(to.empty());
  to.set(7, 7, 1ms);
  clock.set(at(100));
  CHECK(from.erase_expired() == 50);
  CHECK(to.erase_expired() == 1);
  CHECK(see(from, 100) == entry(100));
  // NOLINTEND(bugprone-use-after-move)
}

}  // namespace
}  // namespace keyspace::testing
