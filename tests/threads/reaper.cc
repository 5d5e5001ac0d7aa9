// The reaper's thread is waited for by what it does: a listener that is told of each entry.

#include <keyspace/concurrent_keyspace.h>
#include <keyspace/reaper.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <thread>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/probe.h"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

struct ListenedSessions : DefaultFeatures {
  using Listener = std::function<void(int, int, RemovalCause)>;
};
template <class Clock>
using Sessions = ConcurrentCache<int, int, ListenedSessions, Clock>;

// Counts what a listener hears, and waits until it has heard so much.
class Count {
 public:
  std::function<void(int, int, RemovalCause)> listener() {
    return [this](int, int, RemovalCause) {
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

TEST_CASE("adding a keyspace wakes a sleeping reaper", "[threads]") {
  const std::uint64_t sleeps = Probe::read(Probe::kReaperSleeps);
  Reaper reaper(kSleepy);
  while (Probe::read(Probe::kReaperSleeps) == sleeps) std::this_thread::yield();
  Count erased;
  ManualClock clock;
  Sessions<ManualClock> ks(clock, {.listener = erased.listener()});
  ks.set(1, 1, 1s);
  clock.advance(1s);
  reaper.add(ks);
  erased.wait_for(1);
  CHECK(ks.empty());
}

TEST_CASE("a reaper sleeps at most once in an interval, however often an entry expires",
          "[threads]") {
  constexpr auto kInterval = 50ms;
  constexpr int kDeadlines = 60;
  Count erased;
  Sessions<std::chrono::steady_clock> ks({.listener = erased.listener()});
  const auto start = std::chrono::steady_clock::now();
  const Probed reaping([&] {
    Reaper reaper({.interval = kInterval, .longest_sleep = 24h}, ks);
    for (int i = 0; i != kDeadlines; ++i) ks.set(i, i, Millis(5 * (1 + i)));
    erased.wait_for(kDeadlines);
  });
  const auto time = std::chrono::steady_clock::now() - start;
  // Two more are allowed: at the start, and until the first deadline. (Rounds are not counted:
  // another one follows at once if something came due during a round.)
  CHECK(reaping[Probe::kReaperSleeps] <= static_cast<std::uint64_t>(time / kInterval) + 2);
}

TEST_CASE("a reaper looks after the keyspaces that it is made with", "[threads]") {
  Count erased;
  ManualClock clock;
  Sessions<ManualClock> first(clock, {.listener = erased.listener()});
  Sessions<ManualClock> second(clock, {.listener = erased.listener()});
  first.set(1, 1, 1s);
  second.set(1, 1, 1s);
  clock.advance(1s);
  const Reaper reaper(first, second);
  erased.wait_for(2);
  CHECK(first.empty());
  CHECK(second.empty());
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

TEST_CASE("each call that may bring a sooner deadline rings, and others do not", "[threads]") {
  ManualClock clock;
  SharedCache<Sliding> ks(clock, {.expire_after_access = 10h, .shards = 8});
  const int other = key_apart_from(ks, 0);
  const auto state = std::make_shared<internal::ReaperState>();
  internal::TestPeer::join(ks, state);
  const auto rings = [&](const auto& call) {
    internal::TestPeer::reap(ks);
    static_cast<void>(internal::TestPeer::take_ring(*state));
    call();
    return internal::TestPeer::take_ring(*state);
  };
  // Each sooner than all before.
  CHECK(rings([&] { ks.set(0, 0, 20h); }));
  CHECK(rings([&] { ks.set(0, 0); }));
  CHECK(rings([&] { ks.pexpire(0, 90min); }));
  CHECK(rings([&] { ks.pexpireat(0, clock.now() + 80min); }));
  CHECK(rings([&] { ks.getex(0, 70min); }));
  CHECK(rings([&] { ks.replace(0, 1, 60min); }));
  CHECK(rings([&] { ks.insert(other, 1, 50min); }));
  CHECK(rings([&] { ks.get_or_compute(-1, 40min, [] { return 1; }); }));
  CHECK(rings([&] {
    ks.get_or_compute(
        -1, 30min, [] { return 1; }, 40min);
  }));

  CHECK_FALSE(rings([&] { ks.set(-2, 2, 31min); }));
  CHECK_FALSE(rings([&] { ks.set(-2, 2, ks.kNever); }));
  CHECK_FALSE(rings([&] { ks.erase(-2); }));
  CHECK_FALSE(rings([&] { static_cast<void>(ks.get(0)); }));

  // What goes to another shard is no sooner, but the reaper may be looking, and have been there.
  const auto rings_while_it_looks = [&](const auto& call) {
    internal::TestPeer::begin_look(ks);
    call();
    return internal::TestPeer::take_ring(*state);
  };
  CHECK(rings_while_it_looks([&] { ks.rename(0, -3); }));
  CHECK(rings_while_it_looks([&] { ks.rename(-3, other); }));
  CHECK(rings_while_it_looks([&] { ks.copy(other, 0); }));
  CHECK(rings_while_it_looks([&] { ks.rename(0, other); }));
  ks.clear();
  CHECK_FALSE(rings_while_it_looks([&] { ks.set(0, 0, ks.kNever); }));
}

// A keyspace of which a test says what the reaper finds in it.
struct Stand : internal::Reaped {
  ~Stand() { leave(); }
  // For a Reaper, as if it were a keyspace.
  Reaped& reaped() { return *this; }
  void shards() {}
  void make_step(std::size_t) override { on_step(); }
  Due next_due() override {
    on_look();
    return due;
  }
  std::function<void()> on_step = [] {};
  std::function<void()> on_look = [] {};
  Due due;
};

TEST_CASE("wake() makes a reaper look, though nothing rang", "[threads]") {
  std::latch looks[] = {std::latch(1), std::latch(1)};
  std::atomic<int> count = 0;
  Stand stand;
  stand.on_look = [&] {
    if (const int look = count++; look < 2) looks[look].count_down();
  };
  Reaper reaper(kSleepy);
  reaper.add(stand);
  looks[0].wait();
  reaper.wake();
  looks[1].wait();
  CHECK(count == 2);
}

TEST_CASE("a deadline that is set while the reaper looks is not lost", "[threads]") {
  const auto state = std::make_shared<internal::ReaperState>();
  Stand stand;
  stand.join(state);
  stand.due = {.deadline = 10, .left = 10};
  CHECK(stand.reap(1) == 10);
  static_cast<void>(internal::TestPeer::take_ring(*state));
  stand.note_due(10);
  CHECK_FALSE(internal::TestPeer::take_ring(*state));
  stand.note_due(9);
  CHECK(internal::TestPeer::take_ring(*state));
  stand.due = {};
  // In a shard where it has been already.
  stand.on_look = [&] { stand.note_due(20); };
  static_cast<void>(stand.reap(1));
  CHECK(internal::TestPeer::take_ring(*state));
}

TEST_CASE("a round answers those that rang before it", "[threads]") {
  const auto state = std::make_shared<internal::ReaperState>();
  Stand stand;
  stand.join(state);
  state->ring();
  internal::TestPeer::make_round(*state, 24h);
  CHECK_FALSE(internal::TestPeer::take_ring(*state));
  stand.on_step = [&] { state->ring(); };
  internal::TestPeer::make_round(*state, 24h);
  CHECK(internal::TestPeer::take_ring(*state));
}

TEST_CASE("who rings during a round gets another one", "[threads]") {
  const auto state = std::make_shared<internal::ReaperState>();
  std::latch two_steps(2);
  std::atomic<int> steps = 0;
  Stand stand;
  stand.on_step = [&] {
    if (++steps > 2) return;
    two_steps.count_down();
    state->ring();
  };
  std::jthread reaper([&] { state->run(1ms, 24h, 1); });
  stand.join(state);
  two_steps.wait();
  state->stop();
  CHECK(steps >= 2);
}

TEST_CASE("a reaper that is stopped during a round ends it after the step under way", "[threads]") {
  const auto state = std::make_shared<internal::ReaperState>();
  std::atomic<int> steps = 0;
  Stand first;
  Stand second;
  for (Stand* const stand : {&first, &second}) {
    stand->on_step = [&] {
      ++steps;
      state->stop();
    };
  }
  first.join(state);
  second.join(state);
  std::thread([&] { state->run(1ms, 24h, 1); }).join();
  CHECK(steps == 1);
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
  using Clock = std::chrono::steady_clock;
  const auto state = std::make_shared<internal::ReaperState>();
  Stand waiting;
  Stand slow;
  waiting.due = {.deadline = 1000, .left = 1000};
  Clock::time_point turn_of_slow;
  slow.on_step = [&] {
    turn_of_slow = Clock::now();
    while (Clock::now() < turn_of_slow + 5ms) continue;
  };
  waiting.join(state);
  slow.join(state);
  const Clock::time_point next = internal::TestPeer::make_round(*state, 24h);
  CHECK(next <= turn_of_slow + 1000ms);
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
  for (int round = 0; round != 50; ++round) {
    Reaper reaper({.interval = 24h, .longest_sleep = 24h}, ks);
    ks.set(round, 1, 30min);
  }
  CHECK(ks.size() == 50);  // otherwise this takes a day
}

}  // namespace
}  // namespace keyspace::testing
