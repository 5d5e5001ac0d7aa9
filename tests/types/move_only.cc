#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using Owned = std::unique_ptr<int>;
using ToOwned = Keyspace<int, Owned, ManualClock>;

TEST_CASE("a move-only value can be stored, changed, renamed and returned by getdel") {
  ToOwned ks;
  ks.set(1, std::make_unique<int>(10));
  ks.set(2, std::make_unique<int>(20), 10ms);
  ks.set(3, std::make_unique<int>(30), at(20));
  CHECK(**ks.find(1) == 10);
  CHECK(**std::as_const(ks).find(2) == 20);
  **ks.find(1) = 11;
  CHECK(ks.insert(4, std::make_unique<int>(40)));
  CHECK(ks.insert(5, std::make_unique<int>(50), 10ms));
  CHECK(ks.insert(6, std::make_unique<int>(60), at(10)));
  CHECK(ks.replace(4, std::make_unique<int>(41)));
  CHECK(ks.replace(4, std::make_unique<int>(42), 10ms));
  CHECK(ks.replace(4, std::make_unique<int>(43), at(10)));
  CHECK(ks.rename(1, 7));
  CHECK(ks.rename(2, 3));
  CHECK_FALSE(ks.contains(1));
  CHECK(**ks.find(3) == 20);
  CHECK(see(ks, 3) == at(10));
  CHECK(ks.pexpire(3, 50ms));
  CHECK(ks.persist(3));
  CHECK(**ks.getex(3, 5ms) == 20);

  std::optional<Owned> taken = ks.getdel(7);
  REQUIRE(taken.has_value());
  CHECK(**taken == 11);
  CHECK_FALSE(ks.contains(7));

  int sum = 0;
  ks.for_each([&](int, const Owned& value, Instant) { sum += *value; });
  CHECK(sum == 20 + 43 + 50 + 60);
  ks.clock().set(at(10));
  CHECK(ks.erase_expired() == 4);
  CHECK(ks.empty());
}

TEST_CASE("a refused insert does not move from a move-only value") {
  ToOwned ks;
  ks.set(1, std::make_unique<int>(10));
  Owned value = std::make_unique<int>(20);
  CHECK_FALSE(ks.insert(1, std::move(value)));
  REQUIRE(value != nullptr);
  CHECK_FALSE(ks.insert(1, std::move(value), 5ms));
  REQUIRE(value != nullptr);
  CHECK_FALSE(ks.insert(1, std::move(value), at(5)));
  REQUIRE(value != nullptr);
  CHECK_FALSE(ks.insert(1, std::move(value), kKeep));
  REQUIRE(value != nullptr);
  CHECK_FALSE(ks.replace(2, std::move(value), kKeep));
  REQUIRE(value != nullptr);
  CHECK(*value == 20);
  CHECK(**ks.find(1) == 10);
}

TEST_CASE("move-only values stay stored while the map grows and others expire") {
  ToOwned ks;
  for (int i = 0; i < 1000; ++i) ks.set(i, std::make_unique<int>(i), Millis{i + 1});
  ks.clock().set(at(500));
  CHECK(ks.erase_expired() == 500);
  for (int i = 500; i < 1000; ++i) {
    REQUIRE(ks.contains(i));
    REQUIRE(**ks.find(i) == i);
  }
}

// A move-only key.
struct Ticket {
  explicit Ticket(int n) : number(std::make_unique<int>(n)) {}
  friend bool operator==(const Ticket& a, const Ticket& b) { return *a.number == *b.number; }
  std::unique_ptr<int> number;
};
struct TicketHash {
  std::size_t operator()(const Ticket& ticket) const noexcept {
    return static_cast<std::size_t>(*ticket.number) * 0x9e3779b97f4a7c15u;
  }
};
using ByTicket = Keyspace<Ticket, Owned, ManualClock, WithHash<TicketHash>>;

TEST_CASE("a move-only key can be stored, found, renamed and expired") {
  ByTicket ks;
  ks.set(Ticket(1), std::make_unique<int>(10));
  ks.set(Ticket(2), std::make_unique<int>(20), 10ms);
  CHECK(ks.insert(Ticket(3), std::make_unique<int>(30), 20ms));
  CHECK(ks.replace(Ticket(3), std::make_unique<int>(31), 20ms));
  CHECK(**ks.find(Ticket(1)) == 10);
  CHECK(ks.pexpire(Ticket(1), 10ms));
  CHECK(ks.persist(Ticket(1)));
  CHECK(ks.rename(Ticket(2), Ticket(1)));
  CHECK(**ks.find(Ticket(1)) == 20);
  CHECK(see(ks, Ticket(1)) == at(10));
  CHECK(ks.erase(Ticket(3)));
  ks.clock().set(at(10));
  CHECK(ks.erase_expired() == 1);
  CHECK(ks.empty());
}

TEST_CASE("a refused insert does not move from a move-only key") {
  ByTicket ks;
  ks.set(Ticket(1), std::make_unique<int>(10));
  Ticket key(1);
  CHECK_FALSE(ks.insert(std::move(key), std::make_unique<int>(20)));
  REQUIRE(key.number != nullptr);
  CHECK(ks.contains(key));
}

TEST_CASE("move-only keys stay stored while the map grows and others expire") {
  ByTicket ks;
  for (int i = 0; i < 1000; ++i) ks.set(Ticket(i), std::make_unique<int>(i), Millis{i + 1});
  ks.clock().set(at(500));
  CHECK(ks.erase_expired() == 500);
  for (int i = 500; i < 1000; ++i) REQUIRE(**ks.find(Ticket(i)) == i);
}

}  // namespace
}  // namespace keyspace::testing
