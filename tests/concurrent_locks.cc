#include <keyspace/concurrent_keyspace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
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

TEST_CASE("a mutex lets in one writer, or readers", "[threads]") {
  internal::Mutex mutex;
  // Without atomics: ThreadSanitizer would tell of a mutex that does not order what it guards.
  std::array<int, 2> guarded = {};
  std::atomic<int> torn = 0;
  std::atomic<int> sum = 0;
  constexpr int kTurns = 20'000;
  on_threads(4, [&](int thread) {
    int read = 0;
    for (int i = 0; i != kTurns; ++i) {
      if ((i + thread) % 4 == 0) {
        const internal::WriterLock lock(mutex);
        ++guarded[0];
        ++guarded[1];
      } else {
        const internal::ReaderLock lock(mutex);
        torn += guarded[0] != guarded[1];
        read += guarded[0] != 0;
      }
    }
    sum += read;
  });
  CHECK(torn == 0);
  CHECK(guarded[0] == kTurns);
  CHECK(sum > 0);
}

// One thread is done with what the mutex guards before the other begins, but only the mutex tells
// it so: ThreadSanitizer would report a mutex that does not order them.
template <class First, class Second>
void hand_over() {
  internal::Mutex mutex;
  int guarded = 0;
  std::atomic<bool> is_done = false;
  const auto use = [&guarded](auto& lock) {
    if constexpr (std::is_same_v<decltype(lock), const internal::WriterLock&>) {
      ++guarded;
    } else {
      CHECK(guarded >= 0);
    }
  };
  on_threads(2, [&](int thread) {
    if (thread == 0) {
      {
        const First lock(mutex);
        use(lock);
      }
      is_done.store(true, std::memory_order_relaxed);
    } else {
      while (!is_done.load(std::memory_order_relaxed)) std::this_thread::yield();
      const Second lock(mutex);
      use(lock);
    }
  });
}

TEST_CASE("a mutex orders what is done under it", "[threads]") {
  hand_over<internal::ReaderLock, internal::WriterLock>();
  hand_over<internal::WriterLock, internal::ReaderLock>();
  hand_over<internal::WriterLock, internal::WriterLock>();
}

TEST_CASE("a mutex is passed on, however long others hold it", "[threads]") {
  internal::Mutex mutex;
  std::atomic<int> waiting = 0;
  int writes = 0;
  std::vector<std::jthread> threads;
  {
    const internal::WriterLock lock(mutex);
    for (int i = 0; i != 3; ++i) {
      threads.emplace_back([&] {
        ++waiting;
        const internal::WriterLock own(mutex);
        ++writes;
      });
      threads.emplace_back([&] {
        ++waiting;
        const internal::ReaderLock own(mutex);
      });
    }
    while (waiting != 6) std::this_thread::yield();
    dawdle();  // most of them sleep now
  }
  threads.clear();
  CHECK(writes == 3);
}

// Returns how a call ends in a process of its own, and what it prints to stderr.
struct Death {
  bool is_abort = false;
  std::string message;
};
template <class Call>
Death death_of(const Call& call) {
  std::array<int, 2> ends = {};
  REQUIRE(pipe(ends.data()) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // not Catch2's
    alarm(10);                      // if it waits for ever
    dup2(ends[1], STDERR_FILENO);
    call();
    _exit(0);
  }
  close(ends[1]);
  Death death;
  std::array<char, 256> part = {};
  for (ssize_t size = 0; (size = read(ends[0], part.data(), part.size())) > 0;) {
    death.message.append(part.data(), static_cast<std::size_t>(size));
  }
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  death.is_abort = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  return death;
}

TEST_CASE("a function that calls its own shard while that is locked ends the program, with a word",
          "[threads]") {
  using Shared = ConcurrentKeyspace<int, int, ManualClock>;
  const std::pair<const char*, std::function<void(Shared&)>> calls[] = {
      {"visit, and set", [](Shared& ks) { ks.visit(1, [&](int) { ks.set(2, 0); }); }},
      {"visit, and clear", [](Shared& ks) { ks.visit(1, [&](int) { ks.clear(); }); }},
      {"const visit, and erase",
       [](Shared& ks) { std::as_const(ks).visit(1, [&](int) { ks.erase(2); }); }},
      {"update, and get",
       [](Shared& ks) { ks.update(1, [&](int&) { static_cast<void>(ks.get(2)); }); }},
      {"update, and size",
       [](Shared& ks) { ks.update(1, [&](int&) { static_cast<void>(ks.size()); }); }},
      {"for_each, and pexpire",
       [](Shared& ks) { ks.for_each([&](int key, int, auto) { ks.pexpire(key, 1s); }); }},
      {"visit of another, and then set",
       [](Shared& ks) {
         Shared other;
         other.set(1, 1);
         ks.visit(1, [&](int) {
           other.visit(1, [](int) {});
           ks.set(2, 0);
         });
       }},
      {"visit of another, and in it update",
       [](Shared& ks) {
         Shared other;
         other.set(1, 1);
         ks.visit(1, [&](int) { other.visit(1, [&](int) { ks.update(1, [](int&) {}); }); });
       }},
  };
  for (const auto& [name, call] : calls) {
    CAPTURE(name);
    const Death death = death_of([&, &enter = call] {
      Shared ks(ManualClock{}, {.shards = 1});
      ks.set(1, 10);
      enter(ks);
    });
    CHECK(death.is_abort);
    CHECK(death.message.starts_with("keyspace: "));
    CHECK(death.message.find("must not call the same ConcurrentKeyspace") != std::string::npos);
    CHECK(std::count(death.message.begin(), death.message.end(), '\n') == 1);
  }
}

TEST_CASE("a function that is called under a lock may use another keyspace, and then this one",
          "[threads]") {
  ConcurrentKeyspace<int, int, ManualClock> ks(ManualClock{}, {.shards = 1});
  ConcurrentKeyspace<int, int, ManualClock> other(ManualClock{}, {.shards = 1});
  ks.set(1, 10);
  CHECK(ks.visit(1, [&](int value) { other.set(1, value); }));
  CHECK_THROWS_AS(ks.update(1, [&](int&) { throw Blown(); }), Blown);
  // The locks are released, and forgotten: a call that has to wait is not taken for one from
  // inside.
  std::future<void> write;
  ks.visit(1, [&](int) {
    write = std::async(std::launch::async, [&] { ks.set(2, 20); });
    dawdle();
  });
  ks.set(3, 30);
  write.get();
  CHECK(ks.size() == 3);
  CHECK(other.get(1) == 10);
}

}  // namespace
}  // namespace keyspace::testing
