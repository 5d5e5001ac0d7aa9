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

#include "absl/base/thread_annotations.h"
#include "catch.hpp"
#include "concurrent_support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

// Whether readers have come so often that the lock is biased towards them: see BiasedMutex.
enum class Bias { kNone, kToReaders };
constexpr Bias kBiases[] = {Bias::kNone, Bias::kToReaders};

template <class Ks>
void bias(Ks& keyspace) {
  for (int i = 0; i != 10'000; ++i) static_cast<void>(keyspace.contains(0));
}

// All keys share a lock.
struct OneShard {
  explicit OneShard(Bias wanted) {
    keyspace.set(1, 10);
    keyspace.set(2, 20, 5ms);
    clock.advance(5ms);
    if (wanted == Bias::kToReaders) bias(keyspace);
  }
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> keyspace{clock, {.shards = 1}};
};

// Gives other threads time to do what they should not.
void dawdle() {
  for (int i = 0; i != 10'000; ++i) std::this_thread::yield();
}

TEST_CASE("no read waits for another, be its key live, dead or absent", "[threads]") {
  for (const Bias wanted : kBiases) {
    OneShard shard(wanted);
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
}

TEST_CASE("a read waits for a write, and sees all of it", "[threads]") {
  for (const Bias wanted : kBiases) {
    OneShard shard(wanted);
    std::future<std::optional<int>> read;
    shard.keyspace.update(1, [&](int& value) {
      read = std::async(std::launch::async, [&] { return shard.keyspace.get(1); });
      dawdle();
      value = 11;
    });
    CHECK(read.get() == 11);
  }
}

TEST_CASE("a write waits for a read, and for another write", "[threads]") {
  for (const Bias wanted : kBiases) {
    OneShard shard(wanted);
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
}

// --- The mutex alone ---

struct Locked {
  void bias_to_readers() {
    while (!is_biased()) {
    }
  }
  // Reads once.
  bool is_biased() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    auto* const slot = mutex.lock_shared();
    mutex.unlock_shared(slot);
    return slot != nullptr;
  }
  int reads_until_bias() {
    int reads = 0;
    while (!is_biased()) ++reads;
    return reads;
  }

  std::vector<internal::ReadMostlyMutex::Slot> slots{2};
  internal::ReadMostlyMutex mutex{slots};
  // Without atomics: ThreadSanitizer would tell of a mutex that does not order what it guards.
  std::array<int, 2> guarded = {};
};

TEST_CASE("readers note themselves in slots, after so many reads without a write", "[threads]") {
  constexpr int kReads = 2 * static_cast<int>(internal::StdThreading::kReadsPerSlot) + 1;
  Locked locked;
  for (int i = 0; i != 3; ++i) {
    CHECK(locked.reads_until_bias() == kReads);
    CHECK(locked.is_biased());
    const internal::WriterLock lock(locked.mutex);
  }
  // Writes do not count.
  for (int i = 0; i != 2 * kReads; ++i) const internal::WriterLock lock(locked.mutex);
  CHECK(locked.reads_until_bias() == kReads);
}

TEST_CASE("a thread notes one mutex of several in its slot, and locks the others", "[threads]") {
  Locked first;
  internal::ReadMostlyMutex second(first.slots);
  const auto read_both = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    auto* const outer = first.mutex.lock_shared();
    auto* const inner = second.lock_shared();
    second.unlock_shared(inner);
    first.mutex.unlock_shared(outer);
    return std::pair(outer != nullptr, inner != nullptr);
  };
  for (int i = 0; i != 1'000; ++i) read_both();
  CHECK(read_both() == std::pair(true, false));
  // Nor does a writer of one wait for readers of another.
  const internal::ReaderLock outer(first.mutex);
  const internal::WriterLock inner(second);
}

TEST_CASE("a mutex lets in one writer, or readers", "[threads]") {
  for (const int writes_of_100 : {25, 1}) {
    Locked locked;
    std::atomic<int> torn = 0;
    std::atomic<int> sum = 0;
    constexpr int kTurns = 20'000;
    on_threads(4, [&](int thread) {
      int read = 0;
      for (int i = 0; i != kTurns; ++i) {
        if ((i + 25 * thread) % 100 < writes_of_100) {
          const internal::WriterLock lock(locked.mutex);
          ++locked.guarded[0];
          ++locked.guarded[1];
        } else {
          const internal::ReaderLock lock(locked.mutex);
          torn += locked.guarded[0] != locked.guarded[1];
          read += locked.guarded[0] != 0;
        }
      }
      sum += read;
    });
    CHECK(torn == 0);
    CHECK(locked.guarded[0] == 4 * kTurns / 100 * writes_of_100);
    CHECK(sum > 0);
  }
}

// One thread is done with what the mutex guards before the other begins, but only the mutex tells
// it so: ThreadSanitizer would report a mutex that does not order them.
template <class First, class Second>
void hand_over(Bias before = Bias::kNone, Bias between = Bias::kNone) {
  Locked locked;
  std::atomic<bool> is_done = false;
  const auto use = [&locked](auto& lock) {
    if constexpr (std::is_same_v<decltype(lock), const internal::ReaderLock&>) {
      CHECK(locked.guarded[0] >= 0);
    } else {
      ++locked.guarded[0];
    }
  };
  if (before == Bias::kToReaders) locked.bias_to_readers();
  on_threads(2, [&](int thread) {
    if (thread == 0) {
      {
        const First lock(locked.mutex);
        use(lock);
      }
      if (between == Bias::kToReaders) locked.bias_to_readers();
      is_done.store(true, std::memory_order_relaxed);
    } else {
      while (!is_done.load(std::memory_order_relaxed)) std::this_thread::yield();
      const Second lock(locked.mutex);
      use(lock);
    }
  });
}

TEST_CASE("a mutex orders what is done under it", "[threads]") {
  using Writer = internal::WriterLock<internal::ReadMostlyMutex>;
  using Reader = internal::ReaderLock;
  hand_over<Writer, Writer>();
  hand_over<Writer, Reader>();
  hand_over<Writer, Reader>(Bias::kNone, Bias::kToReaders);
  hand_over<Reader, Writer>();
  hand_over<Reader, Writer>(Bias::kToReaders);
}

TEST_CASE("a mutex is passed on, however long others hold it", "[threads]") {
  Locked locked;
  std::atomic<int> waiting = 0;
  int writes = 0;
  const auto let_threads_wait = [&](std::vector<std::jthread>& threads) {
    waiting = 0;
    for (int i = 0; i != 3; ++i) {
      threads.emplace_back([&] {
        ++waiting;
        const internal::WriterLock own(locked.mutex);
        ++writes;
      });
      threads.emplace_back([&] {
        ++waiting;
        const internal::ReaderLock own(locked.mutex);
      });
    }
    while (waiting != 6) std::this_thread::yield();
    dawdle();  // most of them sleep now
  };
  {
    std::vector<std::jthread> threads;
    const internal::WriterLock lock(locked.mutex);
    let_threads_wait(threads);
  }
  CHECK(writes == 3);
  locked.bias_to_readers();
  {
    std::vector<std::jthread> threads;
    const internal::ReaderLock lock(locked.mutex);
    let_threads_wait(threads);
  }
  CHECK(writes == 6);
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
  for (const Bias wanted : kBiases) {
    for (const auto& [name, call] : calls) {
      CAPTURE(name, wanted);
      const Death death = death_of([&, &enter = call] {
        Shared ks(ManualClock{}, {.shards = 1});
        ks.set(1, 10);
        if (wanted == Bias::kToReaders) bias(ks);
        enter(ks);
      });
      CHECK(death.is_abort);
      CHECK(death.message.starts_with("keyspace: "));
      CHECK(death.message.find("must not call the same ConcurrentKeyspace") != std::string::npos);
      CHECK(std::count(death.message.begin(), death.message.end(), '\n') == 1);
    }
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
