// The reaper's thread is waited for by what it does: a listener that is told of each entry.

#include <keyspace/concurrent_keyspace.h>
#include <keyspace/reaper.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "catch.hpp"
#include "concurrent_support.h"
#include "support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

struct Observed : DefaultFeatures {
  using Listener = std::function<void(int, int, Cause)>;
};
template <class Clock>
using Sessions = ConcurrentCache<int, int, Observed, Clock>;

// Counts what a listener hears, and waits until it has heard so much.
class Count {
 public:
  std::function<void(int, int, Cause)> listener() {
    return [this](int, int, Cause) {
      const std::lock_guard lock(mutex_);
      ++count_;
      changed_.notify_all();
    };
  }
  // Returns at once when there are so many; never, if there never are.
  void wait_for(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }
  int now() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

// So long that a test which has to wait for it fails by running out of time.
constexpr Reaper::Options kSleepy = {.interval = 1ms, .longest_sleep = 24h};

TEST_CASE("a reaper erases what dies, and wakes for a deadline that is set while it sleeps",
          "[threads]") {
  Count erased;
  Sessions<std::chrono::steady_clock> ks({.listener = erased.listener()});
  ks.set(0, 0, 1h);
  Reaper reaper(kSleepy, ks);
  ks.set(1, 1, 2ms);
  erased.wait_for(1);
  ks.set(2, 2, 1ms);
  ks.set(3, 3, 30ms);
  erased.wait_for(3);
  ks.pexpire(0, 1ms);
  erased.wait_for(4);
  CHECK(ks.empty());
}

TEST_CASE("a reaper erases more than a step takes", "[threads]") {
  Count erased;
  ManualClock clock;
  Sessions<ManualClock> ks(clock, {.listener = erased.listener()});
  for (int key = 0; key != 5000; ++key) ks.set(key, key, 1s);
  clock.advance(1s);
  Reaper reaper({.longest_sleep = 24h, .step = 10}, ks);
  erased.wait_for(5000);
  CHECK(ks.empty());
}

TEST_CASE("wake() makes a reaper look at a clock that leapt", "[threads]") {
  Count erased;
  ManualClock clock;
  Sessions<ManualClock> ks(clock, {.listener = erased.listener()});
  Reaper reaper(kSleepy);
  reaper.add(ks);
  ks.set(1, 1, 1h);
  clock.advance(1h);
  reaper.wake();
  erased.wait_for(1);
  CHECK(ks.empty());
}

TEST_CASE("several keyspaces share a reaper, and any may be destroyed first", "[threads]") {
  Count erased;
  Sessions<std::chrono::steady_clock> stays({.listener = erased.listener()});
  Reaper reaper(kSleepy, stays);
  for (int round = 1; round != 20; ++round) {
    Count of_other;
    ConcurrentKeyspace<int, int> quiet;
    Sessions<std::chrono::steady_clock> goes({.listener = of_other.listener()});
    reaper.add(goes);
    reaper.add(quiet);
    goes.set(1, 1, 1ms);
    quiet.set(1, 1, 1ms);
    stays.set(1, 1, 1ms);
    of_other.wait_for(1);
    erased.wait_for(round);
  }
}

TEST_CASE("a keyspace outlives its reapers, and takes another", "[threads]") {
  Count erased;
  Sessions<std::chrono::steady_clock> ks({.listener = erased.listener()});
  for (int round = 1; round != 20; ++round) {
    const Reaper reaper(kSleepy, ks);
    ks.set(1, 1, 1ms);
    erased.wait_for(round);
  }
  Reaper first(kSleepy, ks);
  Reaper second(kSleepy);
  second.add(ks);
  first.remove(ks);  // which it has lost already
  ks.set(1, 1, 1ms);
  erased.wait_for(20);
}

TEST_CASE("a removed keyspace is left alone", "[threads]") {
  Count erased;
  Count of_other;
  Sessions<std::chrono::steady_clock> ks({.listener = erased.listener()});
  Sessions<std::chrono::steady_clock> other({.listener = of_other.listener()});
  Reaper reaper(kSleepy, ks, other);
  reaper.remove(ks);
  ks.set(1, 1, 1ms);
  // The reaper would come to it first.
  for (int round = 1; round != 20; ++round) {
    other.set(1, 1, 1ms);
    of_other.wait_for(round);
  }
  CHECK(erased.now() == 0);
  CHECK(ks.size() == 1);
}

TEST_CASE("time that a reaper spends on one keyspace counts for another", "[threads]") {
  constexpr auto kTtl = 1000ms;
  Count erased;
  Sessions<std::chrono::steady_clock> waiting({.listener = erased.listener()});
  Sessions<std::chrono::steady_clock> slow({.listener = [&](int, int, Cause) {
    while (waiting.contains(1)) std::this_thread::yield();
  }});
  Reaper reaper(kSleepy, waiting, slow);
  waiting.set(1, 1, kTtl);
  const auto start = std::chrono::steady_clock::now();
  slow.set(1, 1, 1ms);
  erased.wait_for(1);
  CHECK(std::chrono::steady_clock::now() - start < kTtl * 9 / 5);
}

TEST_CASE("a reaper takes options of any length", "[threads]") {
  Count erased;
  Sessions<std::chrono::steady_clock> ks({.listener = erased.listener()});
  Reaper reaper({.longest_sleep = std::chrono::hours::max()}, ks);
  ks.set(1, 1, 1ms);
  erased.wait_for(1);
  Reaper(
      {.interval = std::chrono::hours::max(), .longest_sleep = std::chrono::milliseconds::max()});
}

TEST_CASE("threads may move a keyspace between reapers at once", "[threads]") {
  Reaper a;
  Reaper b;
  for (int round = 0; round != 200; ++round) {
    const auto ks = std::make_unique<ConcurrentKeyspace<int, int>>();
    on_threads(3, [&](int thread) {
      if (thread == 0) a.add(*ks);
      if (thread == 1) b.add(*ks);
      if (thread == 2) a.remove(*ks);
    });
  }
  a.wake();
  b.wake();
  CHECK(true);  // a reaper that looks at what is gone would have ended this
}

TEST_CASE("a reaper stops at once, whatever it waits for", "[threads]") {
  ConcurrentKeyspace<int, int> ks;
  ks.set(1, 1, 1h);
  const auto start = std::chrono::steady_clock::now();
  for (int round = 0; round != 50; ++round) {
    Reaper reaper({.interval = 24h, .longest_sleep = 24h}, ks);
    ks.set(round, 1, 30min);
  }
  CHECK(std::chrono::steady_clock::now() - start < 1h);
}

}  // namespace
}  // namespace keyspace::testing
