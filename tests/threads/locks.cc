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
#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/invariants.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

// Whether the mutex is biased, so that readers use slots: see BiasedMutex.
enum class Bias { kNone, kToReaders };
constexpr Bias kBiases[] = {Bias::kNone, Bias::kToReaders};

// A keyspace in which all keys share a lock.
struct OneShard {
  explicit OneShard(Bias wanted) {
    keyspace.set(1, 10);
    keyspace.set(2, 20, 5ms);
    clock.advance(5ms);
    if (wanted == Bias::kToReaders) internal::TestPeer::bias(keyspace);
  }
  ManualClock clock;
  ConcurrentKeyspace<int, int, ManualClock> keyspace{{.clock = clock, .shards = 1}};
};

// Gives other threads time to make a mistake.
void dawdle() {
  for (int i = 0; i != 10'000; ++i) std::this_thread::yield();
}

TEST_CASE("a read never waits for another read, of a live, expired or missing key", "[threads]") {
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
        ks.for_each_until(Instant::max(), [](int, int, auto) {});
        CHECK(ks.size() == 2);
        CHECK(ks.next_deadline().has_value());
      });
      const std::future_status status = reads.wait_for(10s);
      CHECK(status == std::future_status::ready);
    });
    reads.get();
  }
}

TEST_CASE("a read waits for a write, and sees its result", "[threads]") {
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

TEST_CASE("a write does not wait for a read in another shard", "[threads]") {
  for (const Bias wanted : kBiases) {
    ConcurrentKeyspace<int, int, ManualClock> ks({.shards = 2});
    const int other = key_apart_from(ks, 1);
    ks.set(1, 10);
    ks.set(other, 20);
    if (wanted == Bias::kToReaders) internal::TestPeer::bias(ks);
    std::future<void> write;
    ks.visit(1, [&](int) {
      write = std::async(std::launch::async, [&] { ks.set(other, 21); });
      const std::future_status status = write.wait_for(10s);
      CHECK(status == std::future_status::ready);
    });
    write.get();
    CHECK(ks.get(other) == 21);
  }
}

// --- The mutex alone

struct Guarded {
  // Locks once for reading. Returns true if the lock used a slot.
  bool read_uses_slot() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    auto* const slot = mutex.lock_shared();
    mutex.unlock_shared(slot);
    return slot != nullptr;
  }
  // Locks for reading until a read uses a slot. Returns the number of reads that used no slot.
  // Calls f() before each read.
  template <class F>
  int read_until_biased(const F& f) {
    for (int reads = 0;; ++reads) {
      f();
      if (read_uses_slot()) return reads;
    }
  }
  int read_until_biased() {
    return read_until_biased([] {});
  }

  std::vector<internal::ReadMostlyMutex::Slot> slots{2};
  internal::ReadMostlyMutex mutex{slots, 1};
  // Not atomic, so that ThreadSanitizer reports a mutex that does not order the accesses to it.
  std::array<int, 2> pair = {};
};

TEST_CASE("a mutex becomes biased after kReadsPerSlot reads for each slot", "[threads]") {
  constexpr int kReads = 2 * static_cast<int>(internal::StdThreading::kReadsPerSlot) + 1;
  Guarded guarded;
  const auto write = [&guarded] { const internal::WriterLock lock(guarded.mutex); };
  for (int i = 0; i != 3; ++i) {
    CHECK(guarded.read_until_biased() == kReads);
    CHECK(guarded.read_uses_slot());
    write();
  }
  // Writes in between do not change the count, unless the mutex is biased.
  int writes = 0;
  CHECK(guarded.read_until_biased([&] {
    if (++writes <= kReads) write();
  }) == kReads);
  write();
  CHECK_FALSE(guarded.read_uses_slot());
}

TEST_CASE("a thread uses its slot for one mutex at a time", "[threads]") {
  Guarded outer;
  internal::ReadMostlyMutex inner(outer.slots, 2);
  const auto read_both = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    auto* const outer_slot = outer.mutex.lock_shared();
    auto* const inner_slot = inner.lock_shared();
    inner.unlock_shared(inner_slot);
    outer.mutex.unlock_shared(outer_slot);
    return std::pair(outer_slot != nullptr, inner_slot != nullptr);
  };
  for (int i = 0; i != 1'000; ++i) read_both();
  CHECK(read_both() == std::pair(true, false));
  // Both mutexes are biased. If a writer of one waited for a reader of the other, this would
  // deadlock.
  const internal::ReaderLock reader(outer.mutex);
  const internal::WriterLock writer(inner);
}

TEST_CASE("a mutex is held by one writer, or by readers", "[threads]") {
  for (const int writes_per_100 : {25, 1}) {
    Guarded guarded;
    std::atomic<int> torn = 0;
    std::atomic<int> sum = 0;
    constexpr int kTurns = 20'000;
    on_threads(4, [&](int thread) {
      int read = 0;
      for (int i = 0; i != kTurns; ++i) {
        if ((i + 25 * thread) % 100 < writes_per_100) {
          const internal::WriterLock lock(guarded.mutex);
          ++guarded.pair[0];
          std::this_thread::yield();  // also prevents the compiler from merging the two writes
          ++guarded.pair[1];
        } else {
          const internal::ReaderLock lock(guarded.mutex);
          const int first = guarded.pair[0];
          std::this_thread::yield();
          torn += first != guarded.pair[1];
          read += first != 0;
        }
      }
      sum += read;
    });
    CHECK(torn == 0);
    CHECK(guarded.pair[0] == 4 * kTurns / 100 * writes_per_100);
    CHECK(sum > 0);
  }
}

using Writer = internal::WriterLock<internal::ReadMostlyMutex>;
using Reader = internal::ReaderLock;

// One thread uses the guarded data before the other does. Only the mutex orders their accesses,
// because `is_done` is relaxed.
template <class First, class Second>
void hand_over(Bias before = Bias::kNone, Bias between = Bias::kNone) {
  Guarded guarded;
  std::atomic<bool> is_done = false;
  const auto use = [&guarded]<class Lock>(std::type_identity<Lock>) {
    const Lock lock(guarded.mutex);
    if constexpr (std::is_same_v<Lock, Reader>) {
      CHECK(guarded.pair[0] >= 0);
    } else {
      ++guarded.pair[0];
    }
  };
  if (before == Bias::kToReaders) guarded.read_until_biased();
  on_threads(2, [&](int thread) {
    if (thread == 0) {
      use(std::type_identity<First>());
      if (between == Bias::kToReaders) guarded.read_until_biased();
      is_done.store(true, std::memory_order_relaxed);
    } else {
      while (!is_done.load(std::memory_order_relaxed)) std::this_thread::yield();
      use(std::type_identity<Second>());
    }
  });
}

TEST_CASE("accesses under a mutex happen before those of the next holder", "[threads]") {
  hand_over<Writer, Writer>();
  hand_over<Writer, Reader>();
  hand_over<Writer, Reader>(Bias::kToReaders);
  hand_over<Reader, Writer>();
  hand_over<Reader, Writer>(Bias::kToReaders);               // ordered by the slot
  hand_over<Writer, Reader>(Bias::kNone, Bias::kToReaders);  // ordered by is_biased_
}

TEST_CASE("waiting threads lock a mutex after its holders have unlocked it", "[threads]") {
  Guarded guarded;
  std::atomic<int> waiting = 0;
  int writes = 0;
  const auto let_threads_wait = [&](std::vector<std::jthread>& threads) {
    waiting = 0;
    for (int i = 0; i != 3; ++i) {
      threads.emplace_back([&] {
        ++waiting;
        const Writer lock(guarded.mutex);
        ++writes;
      });
      threads.emplace_back([&] {
        ++waiting;
        const Reader lock(guarded.mutex);
      });
    }
    while (waiting != 6) std::this_thread::yield();
    dawdle();  // until most of them sleep
  };
  {
    std::vector<std::jthread> threads;
    const Writer lock(guarded.mutex);
    let_threads_wait(threads);
  }
  CHECK(writes == 3);
  guarded.read_until_biased();
  {
    std::vector<std::jthread> threads;
    const Reader lock(guarded.mutex);
    let_threads_wait(threads);
  }
  CHECK(writes == 6);
}

// A StdThreading that counts sleeps and wakes, and does not sleep.
struct Sleepless : internal::StdThreading {
  static void wait_with_limit(const Word&, std::uint32_t) noexcept { ++sleeps; }
  static void wake_one(Word&) noexcept { ++wakes; }
  static inline std::atomic<int> sleeps = 0;
  static inline std::atomic<int> wakes = 0;
};

TEST_CASE("a reader wakes a writer that waits for its slot", "[threads]") {
  std::array<internal::ReaderSlot<Sleepless>, 1> slots;
  internal::BiasedMutex<Sleepless> mutex(slots, 1);
  const auto lock_slot = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (;;) {
      auto* const slot = mutex.lock_shared();
      if (slot != nullptr) return slot;
      mutex.unlock_shared(slot);
    }
  };
  const auto unlock_slot = [&](auto* slot)
                               ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex.unlock_shared(slot); };
  unlock_slot(lock_slot());
  CHECK(Sleepless::wakes == 0);
  auto* const slot = lock_slot();
  const std::jthread writer([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mutex.lock();
    mutex.unlock();
  });
  while (Sleepless::sleeps == 0) std::this_thread::yield();
  unlock_slot(slot);
  CHECK(Sleepless::wakes == 1);
}

struct Death {
  bool is_abort = false;
  std::string message;
};
// Makes a call in a child process. Returns whether the process was aborted, and its stderr.
template <class Call>
Death death_of(const Call& call) {
  std::array<int, 2> ends = {};
  REQUIRE(pipe(ends.data()) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // instead of Catch2's handler
    alarm(10);                      // in case it deadlocks
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

TEST_CASE("a function that calls its own locked shard aborts the program with a message",
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
      {"compute, and get",
       [](Shared& ks) { ks.compute(1, [&](auto&) { static_cast<void>(ks.get(2)); }); }},
      {"erase_if, and get",
       [](Shared& ks) { ks.erase_if([&](int, int, auto) { return ks.get(2).has_value(); }); }},
      {"for_each, and pexpire",
       [](Shared& ks) { ks.for_each([&](int key, int, auto) { ks.pexpire(key, 1s); }); }},
      {"for_each_until, and persist",
       [](Shared& ks) {
         ks.pexpire(1, 1s);
         ks.for_each_until(at(1000), [&](int key, int, auto) { ks.persist(key); });
       }},
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
        Shared ks({.shards = 1});
        ks.set(1, 10);
        if (wanted == Bias::kToReaders) internal::TestPeer::bias(ks);
        enter(ks);
      });
      CHECK(death.is_abort);
      CHECK(death.message.starts_with("keyspace: "));
      CHECK(death.message.find("must not call the same ConcurrentKeyspace") != std::string::npos);
      CHECK(std::count(death.message.begin(), death.message.end(), '\n') == 1);
    }
  }
}

TEST_CASE("a function under a lock may call another keyspace, and later calls are unaffected",
          "[threads]") {
  ConcurrentKeyspace<int, int, ManualClock> ks({.shards = 1});
  ConcurrentKeyspace<int, int, ManualClock> other({.shards = 1});
  ks.set(1, 10);
  CHECK(ks.visit(1, [&](int value) { other.set(1, value); }));
  CHECK_THROWS_AS(ks.update(1, [&](int&) { throw Blown(); }), Blown);
  // The CallUnderLock of both keyspaces is destroyed. So a later call that must wait does not abort
  // the program.
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
