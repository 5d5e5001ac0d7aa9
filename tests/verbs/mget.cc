#include <array>
#include <chrono>
#include <cstdint>
#include <forward_list>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

TEST_CASE("mget returns what find returns, for each key") {
  Keyspace<std::uint64_t, std::uint64_t, ManualClock> ks;
  for (std::uint64_t key = 0; key != 1000; ++key) {
    if (key % 3 == 0) ks.set(key, key + 1);
    if (key % 3 == 1) ks.set(key, key + 1, std::chrono::milliseconds(1 + key % 2 * 1000));
  }
  ks.clock().advance(1ms);
  // Sizes near the number of keys that mget() fetches ahead, and many times that number.
  for (const std::size_t size : {0U, 1U, 2U, 7U, 8U, 9U, 15U, 16U, 17U, 1200U}) {
    CAPTURE(size);
    std::vector<std::uint64_t> keys;
    for (std::uint64_t i = 0; i != size; ++i) keys.push_back((i * 7) % 1200);
    std::vector<std::uint64_t*> found(size);
    REQUIRE(ks.mget(keys, found.begin()) == found.end());
    for (std::size_t i = 0; i != size; ++i) REQUIRE(found[i] == ks.find(keys[i]));
  }
}

TEST_CASE("mget returns pointers to values, and to const values of a const keyspace") {
  Strings ks;
  ks.set("a", "1");
  const std::array keys = {"a"sv, "b"sv, "a"sv};
  std::array<std::string*, 3> found = {};
  ks.mget(keys, found.begin());
  CHECK(found[1] == nullptr);
  CHECK(found[0] == found[2]);
  *found[0] += "!";
  std::vector<const std::string*> seen;
  std::as_const(ks).mget(keys, std::back_inserter(seen));
  REQUIRE(seen.size() == 3);
  CHECK(*seen[0] == "1!");
  CHECK(seen[1] == nullptr);
}

TEST_CASE(
    "mget accepts keys of any type that find accepts, from any container that can be read twice") {
  Strings ks;
  ks.set("key", "value");
  const char* const array[] = {"key", "no key"};
  const std::vector<std::string> vector = {"no key", "key"};
  const std::forward_list<std::string_view> list = {"key", "key"};
  std::vector<std::string*> found;
  ks.mget(array, std::back_inserter(found));
  ks.mget(vector, std::back_inserter(found));
  ks.mget(list, std::back_inserter(found));
  std::string* const value = ks.find("key");
  CHECK(found == std::vector<std::string*>{value, nullptr, nullptr, value, value, value});

  // A key of another type is converted to Key first.
  Keyspace<std::int64_t, int, ManualClock> numbers;
  numbers.set(5, 6);
  std::vector<int*> six;
  numbers.mget(std::vector<std::int32_t>{5, 7}, std::back_inserter(six));
  CHECK(*six.at(0) == 6);
  CHECK(six.at(1) == nullptr);
}

TEST_CASE("mget hashes each key once") {
  Keyspace<std::uint64_t, std::uint64_t, ManualClock, WithHash<CountingHash<true>, CountingEq>> ks;
  std::vector<std::uint64_t> keys;
  for (std::uint64_t key = 0; key != 100; ++key) {
    ks.set(key, key, 1h);
    keys.push_back(key);
  }
  std::vector<std::uint64_t*> found(keys.size());
  take_work();
  ks.mget(keys, found.begin());
  const Work work = take_work();
  CHECK(work.hashes == 100);
  CHECK(work.equals >= 100);
  CHECK(work.equals <= 110);
}

}  // namespace
}  // namespace keyspace::testing
