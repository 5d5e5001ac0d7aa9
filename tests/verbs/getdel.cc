#include <keyspace/cache.h>

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

TEST_CASE("getdel returns the value and erases the key") {
  Strings ks;
  ks.set("persistent", "p");
  ks.set("volatile", "v", 10ms);
  CHECK(ks.getdel("persistent") == "p");
  CHECK(ks.getdel("volatile") == "v");
  CHECK(see(ks, "persistent") == std::nullopt);
  CHECK(see(ks, "volatile") == std::nullopt);
  CHECK(ks.empty());
  CHECK(ks.volatile_size() == 0);
  CHECK(ks.getdel("persistent") == std::nullopt);
  CHECK(ks.getdel("volatile") == std::nullopt);
}

TEST_CASE("getdel moves the value out") {
  Strings ks;
  ks.set("k", "a value too long to be stored inside a string object");
  const char* const buffer = ks.find("k")->data();
  const std::optional<std::string> taken = ks.getdel("k");
  REQUIRE(taken.has_value());
  CHECK(taken->data() == buffer);
}

TEST_CASE("getdel returns nullopt for a missing key and for an expired one") {
  Strings ks;
  ks.set("expired", "v", 10ms);
  ks.clock().advance(10ms);
  CHECK(ks.getdel("missing") == std::nullopt);
  CHECK(ks.getdel("expired") == std::nullopt);
}

TEST_CASE("a key that is set again after getdel does not have the old ttl") {
  Strings ks;
  ks.set("k", "old", 10ms);
  CHECK(ks.getdel("k") == "old");
  ks.set("k", "new");
  ks.clock().advance(10ms);
  CHECK(ks.erase_expired() == 0);
  CHECK(see(ks, "k") == entry("new"));
}

TEST_CASE("getdel gives the caller a copy if there is a listener") {
  std::vector<std::string> removed;
  using Listener = std::function<void(int, std::string, RemovalCause)>;
  Keyspace<int, std::string, WithListener<Listener>, ManualClock> ks(
      {.listener = [&](int, std::string value, RemovalCause cause) {
        CHECK(cause == RemovalCause::kErased);
        removed.push_back(std::move(value));
      }});
  ks.set(1, "a value too long to be stored inside a string object");
  CHECK(ks.getdel(1) == "a value too long to be stored inside a string object");
  CHECK(removed ==
        std::vector<std::string>{"a value too long to be stored inside a string object"});
  CHECK(ks.getdel(1) == std::nullopt);
  CHECK(removed.size() == 1);
}

template <class Ks>
concept HasGetdel = requires(Ks& ks) {
  { ks.getdel(1) } -> std::same_as<std::optional<typename Ks::mapped_type>>;
};
struct IgnoresRemovals {
  template <class Key, class Value>
  void operator()(const Key&, const Value&, RemovalCause) const {}
};

TEST_CASE("getdel returns a move-only value unless there is a listener") {
  using Pointer = std::unique_ptr<int>;
  using Ignored = WithListener<IgnoresRemovals>;
  STATIC_REQUIRE(HasGetdel<Keyspace<int, Pointer>>);
  STATIC_REQUIRE(HasGetdel<Keyspace<int, Pointer, WithStatistics, WithExpireAfterAccess, Lru>>);
  STATIC_REQUIRE_FALSE(HasGetdel<Keyspace<int, Pointer, Ignored>>);
  STATIC_REQUIRE_FALSE(HasGetdel<Cache<int, Pointer, Ignored>>);
  STATIC_REQUIRE(HasGetdel<Keyspace<int, int, Ignored>>);
  STATIC_REQUIRE(HasGetdel<Keyspace<int, std::shared_ptr<int>, Ignored>>);

  Cache<int, Pointer, ManualClock> cache({.capacity = 10});
  cache.set(1, std::make_unique<int>(7));
  const int* const address = cache.find(1)->get();
  const std::optional<Pointer> taken = cache.getdel(1);
  REQUIRE(taken.has_value());
  CHECK(taken->get() == address);
}

}  // namespace
}  // namespace keyspace::testing
