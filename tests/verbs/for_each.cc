#include <chrono>
#include <map>
#include <string>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

Visible walk(const Strings& ks) {
  Visible visible;
  ks.for_each([&](const std::string& key, const std::string& value, Instant deadline) {
    CHECK(visible.emplace(key, entry(value, deadline)).second);
  });
  return visible;
}

TEST_CASE("for_each visits every live entry once with its deadline") {
  Strings ks;
  Visible expected;
  CHECK(walk(ks) == expected);
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::to_string(i);
    if (i % 3 == 0) {
      ks.set(key, "p");
      expected.emplace(key, entry("p"));
    } else {
      ks.set(key, "v", at(i));
      expected.emplace(key, entry("v", at(i)));
    }
  }
  CHECK(walk(ks) == expected);
}

TEST_CASE("for_each visits no expired entry although it is stored") {
  Strings ks;
  for (int i = 1; i <= 20; ++i) ks.set(std::to_string(i), "v", at(i));
  ks.set("persistent", "p");
  for (int now = 0; now <= 21; ++now) {
    ks.clock().set(at(now));
    const Visible visible = walk(ks);
    CHECK(visible.size() == (now < 20 ? 21 - static_cast<std::size_t>(now) : 1));
    CHECK(visible.contains("persistent"));
    for (const auto& [key, seen] : visible) CHECK(seen.deadline > at(now));
  }
  CHECK(ks.size() == 21);
}

TEST_CASE("for_each passes the deadline that pexpire stored last") {
  Strings ks;
  ks.set("k", "v", 10ms);
  CHECK(ks.pexpire("k", 500ms));
  CHECK(walk(ks) == Visible{{"k", entry("v", at(500))}});
  CHECK(ks.pexpire("k", 5ms));
  CHECK(walk(ks) == Visible{{"k", entry("v", at(5))}});
  CHECK(ks.persist("k"));
  CHECK(walk(ks) == Visible{{"k", entry("v")}});
}

TEST_CASE("for_each uses one time although the clock moves during the walk") {
  Strings ks;
  for (int i = 0; i < 20; ++i) ks.set(std::to_string(i), "v", 10ms);
  int visits = 0;
  ks.for_each([&](const std::string&, const std::string&, Instant) {
    ks.clock().advance(10ms);
    ++visits;
  });
  CHECK(visits == 20);
}

}  // namespace
}  // namespace keyspace::testing
