#include "redis/names.h"

#include <keyspace/keyspace.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <random>
#include <set>
#include <string>
#include <string_view>

#include "redis/database.h"
#include "support/catch.hpp"

namespace redis {
namespace {

using namespace std::chrono_literals;

std::set<std::string> names_of(const Database& database) {
  std::set<std::string> names;
  for (std::size_t i = 0; i != database.names().size(); ++i) {
    CHECK(names.insert(std::string(database.names()[i])).second);
  }
  return names;
}

TEST_CASE("Each stored key has one name, after every kind of insertion and removal") {
  const keyspace::ManualClock clock;
  Database database(clock);
  database.set("a", "1");
  database.set("a", "2");
  CHECK(database.insert("b", "1", clock.now() + 5ms));
  CHECK_FALSE(database.insert("b", "1"));
  CHECK(database.rename("a", "c"));
  CHECK(database.rename("c", "c"));
  CHECK(names_of(database) == std::set<std::string>{"b", "c"});
  database.set("d", "1");
  CHECK(database.rename("c", "d"));
  CHECK(names_of(database) == std::set<std::string>{"b", "d"});
  CHECK(database.getdel("d") == "2");
  clock.advance(5ms);
  CHECK(names_of(database) == std::set<std::string>{"b"});
  CHECK(database.erase_expired(10) == 1);
  CHECK(names_of(database).empty());
  database.set("e", "1");
  database.clear();
  CHECK(names_of(database).empty());
}

TEST_CASE(
    "An overwritten key keeps the number of its name, also if another key was renamed to it") {
  const keyspace::ManualClock clock;
  Database database(clock);
  for (const char* const key : {"a", "b", "c", "d"}) database.set(key, "1");
  database.set("a", "2");
  CHECK(database.names()[0] == "a");
  CHECK(database.rename("d", "a"));
  CHECK(database.names()[0] == "a");
  CHECK(database.size() == 3);
}

TEST_CASE("A walk from the last number to the first finds every name that is stored throughout") {
  std::mt19937 random(5);
  for (int round = 0; round != 200; ++round) {
    const keyspace::ManualClock clock;
    Database database(clock);
    std::set<std::string> throughout;
    for (int i = 0; i != 60; ++i) {
      database.set("stays" + std::to_string(i), "");
      throughout.insert("stays" + std::to_string(i));
      database.set("goes" + std::to_string(i), "");
    }
    std::set<std::string> met;
    std::size_t number = database.names().size();
    int came = 0;
    while (number != 0) {
      met.insert(std::string(database.names()[--number]));
      // Meanwhile the keyspace grows and shrinks.
      for (auto n = random() % 4; n != 0; --n) {
        database.erase("goes" + std::to_string(random() % 60));
        if (random() % 2 == 0) database.set("comes" + std::to_string(++came), "");
      }
      number = std::min(number, database.names().size());
    }
    for (const std::string& name : throughout) CHECK(met.contains(name));
  }
}

}  // namespace
}  // namespace redis
