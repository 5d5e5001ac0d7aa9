#include <keyspace/concurrent_keyspace.h>

#include <chrono>
#include <future>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "concurrent_support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

// All keys share a lock.
struct OneShard {
  OneShard() {
    keyspace.set(1, 10);
    keyspace.set(2, 20, 5ms);
    clock.advance(5ms);
  }
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> keyspace{clock, {.shards = 1}};
};

// Gives other threads time to do what they should not.
void dawdle() {
  for (int i = 0; i != 10'000; ++i) std::this_thread::yield();
}

TEST_CASE("no read waits for another, be its key live, dead or absent", "[threads]") {
  OneShard shard;
  auto& ks = shard.keyspace;
  std::future<void> reads;
  ks.visit(1, [&](int) {
    reads = std::async(std::launch::async, [&] {
      for (const int key : {1, 2, 3}) {
        const bool is_live = key == 1;
        CHECK(ks.get(key).has_value() == is_live);
        CHECK(ks.peek(key).has_value() == is_live);
        CHECK(ks.visit(key, [](int) {}) == is_live);
        CHECK(std::as_const(ks).visit(key, [](int) {}) == is_live);
        CHECK(ks.contains(key) == is_live);
        CHECK(ks.pttl(key).has_value() == is_live);
        CHECK(ks.pexpiretime(key).has_value() == is_live);
      }
      std::vector<std::optional<int>> values(3);
      ks.mget(std::vector{1, 2, 3}, values.begin());
      CHECK(ks.get_or_compute(1, 1s, [] { return 11; }) == 10);
      int seen = 0;
      ks.for_each([&](int, int, auto) { ++seen; });
      CHECK(seen == 1);
      CHECK(ks.size() == 2);
      CHECK(ks.next_deadline().has_value());
    });
    const std::future_status status = reads.wait_for(10s);
    CHECK(status == std::future_status::ready);
  });
  reads.get();
}

TEST_CASE("a read waits for a write, and sees all of it", "[threads]") {
  OneShard shard;
  std::future<std::optional<int>> read;
  shard.keyspace.update(1, [&](int& value) {
    read = std::async(std::launch::async, [&] { return shard.keyspace.get(1); });
    dawdle();
    value = 11;
  });
  CHECK(read.get() == 11);
}

TEST_CASE("a write waits for a read, and for another write", "[threads]") {
  OneShard shard;
  std::future<void> writes;
  const auto add_one = [&] { shard.keyspace.update(1, [](int& value) { ++value; }); };
  shard.keyspace.visit(1, [&](const int& value) {
    writes = std::async(std::launch::async, add_one);
    dawdle();
    CHECK(value == 10);
  });
  writes.get();
  shard.keyspace.update(1, [&](int& value) {
    const int before = value;
    writes = std::async(std::launch::async, add_one);
    dawdle();
    value = before + 1;
  });
  writes.get();
  CHECK(shard.keyspace.get(1) == 13);
}

}  // namespace
}  // namespace keyspace::testing
