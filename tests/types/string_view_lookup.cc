#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

// Counts every allocation, so that it counts a temporary key too.
std::size_t heap_allocations = 0;

template <class T>
struct CountingAllocator {
  using value_type = T;
  CountingAllocator() = default;
  template <class U>
  CountingAllocator(const CountingAllocator<U>&) noexcept {}
  T* allocate(std::size_t n) {
    ++heap_allocations;
    return std::allocator<T>{}.allocate(n);
  }
  void deallocate(T* memory, std::size_t n) noexcept { std::allocator<T>{}.deallocate(memory, n); }
  template <class U>
  friend bool operator==(const CountingAllocator&, const CountingAllocator<U>&) noexcept {
    return true;
  }
};

using Text = std::basic_string<char, std::char_traits<char>, CountingAllocator<char>>;

// Longer than any string can hold without the heap.
constexpr const char* kText = "a key that no implementation stores inside a string object itself";
constexpr std::string_view kView = kText;

// Makes every call that only looks up a key, with `key`. The value is an int, which needs no
// memory.
template <class Key>
void look_up(const Key& key) {
  // The hash and the equality are the defaults, the same as for std::string.
  using Defaults = Keyspace<Text, int, ManualClock>;
  Keyspace<Text, int, ManualClock, WithHash<Defaults::hasher, Defaults::key_equal>,
           WithAllocator<CountingAllocator<std::pair<const Text, int>>>>
      ks;
  ks.set(Text(kView), 1);
  ks.set("other", 2, 10ms);
  const auto& reader = ks;
  // The timer wheel allocates its memory before the count starts.
  REQUIRE(ks.pexpire(key, 10ms));
  REQUIRE(ks.pexpire(key, 20ms));
  REQUIRE(ks.persist(key));
  REQUIRE(ks.pexpire(key, 10ms));

  const std::size_t before = heap_allocations;
  const bool found = ks.find(key) != nullptr && reader.find(key) != nullptr;
  const bool contained = reader.contains(key) && reader.peek(key) != nullptr;
  const std::optional<int> got = reader.get(key);
  const std::optional<Millis> ttl = reader.pttl(key);
  const std::optional<Instant> deadline = reader.pexpiretime(key);
  const bool postponed = ks.pexpire(key, 20ms);
  const bool postponed_at = ks.pexpireat(key, at(30), Condition::kGt);
  const bool has_getex = ks.getex(key, 40ms) != nullptr;
  const bool persisted = ks.persist(key);
  const std::optional<int> taken = ks.getdel(key);
  const bool missing = !ks.erase(key) && ks.find(key) == nullptr;
  const std::size_t after = heap_allocations;

  CHECK(after == before);
  CHECK(found);
  CHECK(contained);
  CHECK(got == 1);
  CHECK(ttl == 10ms);
  CHECK(deadline == at(10));
  CHECK(postponed);
  CHECK(postponed_at);
  CHECK(has_getex);
  CHECK(persisted);
  CHECK(taken == 1);
  CHECK(missing);

  ks.set(Text(kView), 3);
  CHECK(ks.rename(key, "renamed"));
  CHECK(see(ks, "renamed") == Seen<int, Instant>{3, kNoDeadline});
  CHECK(ks.rename("renamed", Text(kView)));
  CHECK(ks.copy(key, "copied"));
  CHECK(see(ks, "copied") == Seen<int, Instant>{3, kNoDeadline});
  CHECK(ks.erase(key));
  CHECK_FALSE(ks.contains(key));
}

TEST_CASE("a string key is looked up by a string_view without an allocation") { look_up(kView); }
TEST_CASE("a string key is looked up by a C string without an allocation") { look_up(kText); }
TEST_CASE("a string key is looked up by a string without an allocation") {
  look_up(std::string(kView));
}

TEST_CASE("a string key is the same key in each type of string") {
  Strings ks;
  ks.set("literal", "1");
  ks.set(std::string("string"), "2");
  CHECK(ks.get(std::string_view("literal")) == "1");
  CHECK(ks.get(std::string("literal")) == "1");
  CHECK(ks.get("literal") == "1");
  CHECK(ks.get(std::string_view("string")) == "2");
  CHECK(ks.get("string") == "2");
  char buffer[] = "string";
  CHECK(ks.get(buffer) == "2");
  CHECK(ks.get(static_cast<const char*>(buffer)) == "2");
}

TEST_CASE("a string key may contain zeros and be empty") {
  using namespace std::string_view_literals;
  Strings ks;
  ks.set(std::string("a\0b"sv), "1");
  ks.set(std::string(), "2");
  CHECK(ks.get("a\0b"sv) == "1");
  CHECK_FALSE(ks.contains("a"sv));
  CHECK(ks.get(""sv) == "2");
  CHECK(ks.get(std::string_view()) == "2");
  CHECK(ks.get("") == "2");
}

TEST_CASE("a view of a part of a longer text finds the key with the same characters") {
  Strings ks;
  ks.set("key", "v");
  const std::string_view command = "GET key now";
  CHECK(ks.get(command.substr(4, 3)) == "v");
  CHECK_FALSE(ks.contains(command.substr(4)));
}

// --- Other look-up types, with functors of the user ---

struct User {
  int id;
  std::string name;
};
struct ById {
  using is_transparent = void;
  std::size_t operator()(int id) const { return std::hash<int>{}(id); }
  std::size_t operator()(const User& user) const { return (*this)(user.id); }
};
struct SameId {
  using is_transparent = void;
  bool operator()(const User& a, const User& b) const { return a.id == b.id; }
  bool operator()(const User& a, int b) const { return a.id == b; }
  bool operator()(int a, const User& b) const { return a == b.id; }
};

TEST_CASE("a key is looked up by any type the hash and the equality accept") {
  Keyspace<User, int, ManualClock, WithHash<ById, SameId>> ks;
  ks.set(User{1, "ada"}, 10);
  ks.set(User{2, "bob"}, 20, 10ms);
  CHECK(*ks.find(1) == 10);
  CHECK(*std::as_const(ks).find(2) == 20);
  CHECK(ks.get(1) == 10);
  CHECK(ks.contains(1));
  CHECK_FALSE(ks.contains(3));
  CHECK(*ks.find(User{1, "someone else with the same id"}) == 10);
  CHECK(ks.pttl(2) == 10ms);
  CHECK(ks.pexpiretime(2) == at(10));
  CHECK(ks.pexpire(1, 5ms));
  CHECK(ks.pexpireat(1, at(6)));
  CHECK(ks.persist(1));
  CHECK(*ks.getex(1, 7ms) == 10);
  CHECK(ks.rename(1, User{3, "cy"}));
  CHECK(ks.copy(3, User{4, "di"}));
  CHECK(ks.getdel(3) == 10);
  CHECK(ks.erase(4));
  ks.clock().set(at(10));
  CHECK(ks.erase_expired() == 1);
  CHECK(ks.empty());
}

}  // namespace
}  // namespace keyspace::testing
