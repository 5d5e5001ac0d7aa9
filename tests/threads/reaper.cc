// The tests wait for the reaper's thread by its effects: the listener is called for each entry that
// the thread erases.

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

using SessionListener = std::function<void(int, int, RemovalCause)>;
template <class Clock>
using Sessions = ConcurrentKeyspace<int, int, Clock, WithListener<SessionListener>>;

// Counts the calls of a listener, and waits for a number of calls.
class Count {
 public:
  SessionListener listener() {
    return [this](int, int, RemovalCause) {
      const std::lock_guard lock(mutex_);
      ++count_;
      changed_.notify_all();
    };
  }
  // Waits until the listener was called `count` times.
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

// The longest sleep is so long that a test that waits for it fails by its time limit.
constexpr Reaper::Config kSleepy = {.interval = 1ms, .longest_sleep = 24h};

TEST_CASE("a reaper erases expired entries, and wakes for a deadline that is set while it sleeps",
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
  Sessions<ManualClock> ks({.clock = clock, .listener = erased.listener()});
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
  // Two more are allowed: at the start, and until the first deadline. (Passes are not counted: if
  // something comes due during a pass, the next pass follows at once.)
  CHECK(reaping[Probe::kReaperSleeps] <= static_cast<std::uint64_t>(time / kInterval) + 2);
}

TEST_CASE("a reaper erases entries of all keyspaces that its constructor gets", "[threads]") {
  Count erased;
  ManualClock clock;
  Sessions<ManualClock> first({.clock = clock, .listener = erased.listener()});
  Sessions<ManualClock> second({.clock = clock, .listener = erased.listener()});
  first.set(1, 1, 1s);
  second.set(1, 1, 1s);
  clock.advance(1s);
  const Reaper reaper(first, second);
  erased.wait_for(2);
  CHECK(first.empty());
  CHECK(second.empty());
}

TEST_CASE("a reaper erases more entries than fit in a step", "[threads]") {
  Count erased;
  ManualClock clock;
  Sessions<ManualClock> ks({.clock = clock, .listener = erased.listener()});
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
    Sessions<std::chrono::steady_clock> leaving({.listener = of_other.listener()});
    reaper.add(leaving);
    reaper.add(quiet);
    leaving.set(1, 1, 1ms);
    quiet.set(1, 1, 1ms);
    stays.set(1, 1, 1ms);
    of_other.wait_for(1);
    erased.wait_for(round);
  }
}

TEST_CASE("a keyspace may outlive its reaper, and join another one", "[threads]") {
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
  first.remove(ks);  // no effect: second.add() has removed it there
  ks.set(1, 1, 1ms);
  erased.wait_for(20);
}

TEST_CASE("a call wakes the reaper if it sets a sooner deadline, and only then", "[threads]") {
  ManualClock clock;
  SlidingInts ks({.clock = clock, .expire_after_access = 10h, .shards = 8});
  const int other = key_apart_from(ks, 0);
  const auto state = std::make_shared<internal::ReaperState>();
  internal::TestPeer::join(ks, state);
  const auto wakes = [&](const auto& call) {
    internal::TestPeer::run_step(ks);
    static_cast<void>(internal::TestPeer::take_wake(*state));
    call();
    return internal::TestPeer::take_wake(*state);
  };
  // Each deadline is sooner than all earlier ones.
  CHECK(wakes([&] { ks.set(0, 0); }));  // the idle time
  CHECK(wakes([&] { ks.set(0, 0, 9h); }));
  CHECK(wakes([&] { ks.pexpire(0, 90min); }));
  CHECK(wakes([&] { ks.pexpireat(0, clock.now() + 80min); }));
  CHECK(wakes([&] { ks.getex(0, 70min); }));
  CHECK(wakes([&] { ks.replace(0, 1, 60min); }));
  CHECK(wakes([&] { ks.insert(other, 1, 50min); }));
  CHECK(wakes([&] { ks.get_or_compute(-1, 40min, [] { return 1; }); }));
  CHECK(wakes([&] {
    ks.get_or_compute(
        -1, 30min, [] { return 1; }, 40min);
  }));

  CHECK_FALSE(wakes([&] { ks.set(-2, 2, 31min); }));
  CHECK_FALSE(wakes([&] { ks.set(-2, 2, ks.kNever); }));
  CHECK_FALSE(wakes([&] { ks.erase(-2); }));
  CHECK_FALSE(wakes([&] { static_cast<void>(ks.get(0)); }));

  // A deadline that moves to another shard does not become sooner. But if the reaper is reading the
  // deadlines, it may have read that shard already.
  const auto wakes_during_reading = [&](const auto& call) {
    internal::TestPeer::begin_reading(ks);
    call();
    return internal::TestPeer::take_wake(*state);
  };
  CHECK(wakes_during_reading([&] { ks.rename(0, -3); }));
  CHECK(wakes_during_reading([&] { ks.rename(-3, other); }));
  CHECK(wakes_during_reading([&] { ks.copy(other, 0); }));
  CHECK(wakes_during_reading([&] { ks.rename(0, other); }));

  ConcurrentKeyspace<int, int, ManualClock> others(clock);
  internal::TestPeer::join(others, state);
  static_cast<void>(internal::TestPeer::take_wake(*state));
  internal::TestPeer::begin_reading(others);
  others.set(0, 0);
  CHECK_FALSE(internal::TestPeer::take_wake(*state));
  others.pexpire(0, 1h);
  CHECK(internal::TestPeer::take_wake(*state));
}

// Stands for a keyspace. The test chooses what the reaper finds in it.
struct FakeClient : internal::ReaperClient {
  ~FakeClient() { leave(); }
  friend internal::ReaperClient& reaper_client(FakeClient& client) { return client; }
  void erase_step(std::size_t) override { on_step(); }
  Due next_due() override {
    on_look();
    return due;
  }
  std::function<void()> on_step = [] {};
  std::function<void()> on_look = [] {};
  Due due;
};

TEST_CASE("wake() makes a reaper run a pass, although no deadline has passed", "[threads]") {
  std::latch looks[] = {std::latch(1), std::latch(1)};
  std::atomic<int> count = 0;
  FakeClient client;
  client.on_look = [&] {
    if (const int look = count++; look < 2) looks[look].count_down();
  };
  Reaper reaper(kSleepy);
  reaper.add(client);
  looks[0].wait();
  reaper.wake();
  looks[1].wait();
  CHECK(count == 2);
}

TEST_CASE("a deadline that is set while the reaper reads the deadlines is not missed",
          "[threads]") {
  const auto state = std::make_shared<internal::ReaperState>();
  FakeClient client;
  client.join(state);
  client.due = {.deadline = 10, .left = 10};
  CHECK(client.run_step(1) == 10);
  static_cast<void>(internal::TestPeer::take_wake(*state));
  client.note_due(10);
  CHECK_FALSE(internal::TestPeer::take_wake(*state));
  client.note_due(9);
  CHECK(internal::TestPeer::take_wake(*state));
  client.due = {};
  // A deadline in a shard that the reaper has already read.
  client.on_look = [&] { client.note_due(20); };
  static_cast<void>(client.run_step(1));
  CHECK(internal::TestPeer::take_wake(*state));
}

TEST_CASE("a pass answers every wake() before it", "[threads]") {
  const auto state = std::make_shared<internal::ReaperState>();
  FakeClient client;
  client.join(state);
  state->wake();
  internal::TestPeer::run_pass(*state, 24h);
  CHECK_FALSE(internal::TestPeer::take_wake(*state));
  client.on_step = [&] { state->wake(); };
  internal::TestPeer::run_pass(*state, 24h);
  CHECK(internal::TestPeer::take_wake(*state));
}

TEST_CASE("a wake() during a pass makes another pass follow", "[threads]") {
  const auto state = std::make_shared<internal::ReaperState>();
  std::latch two_steps(2);
  std::atomic<int> steps = 0;
  FakeClient client;
  client.on_step = [&] {
    if (++steps > 2) return;
    two_steps.count_down();
    state->wake();
  };
  std::jthread reaper([&] { state->run(1ms, 24h, 1); });
  client.join(state);
  two_steps.wait();
  state->stop();
  CHECK(steps >= 2);
}

TEST_CASE("a reaper that is stopped during a pass returns after the running step", "[threads]") {
  const auto state = std::make_shared<internal::ReaperState>();
  std::atomic<int> steps = 0;
  FakeClient first;
  FakeClient second;
  for (FakeClient* const client : {&first, &second}) {
    client->on_step = [&] {
      ++steps;
      state->stop();
    };
  }
  first.join(state);
  second.join(state);
  std::thread([&] { state->run(1ms, 24h, 1); }).join();
  CHECK(steps == 1);
}

TEST_CASE("a reaper erases nothing in a keyspace that was removed", "[threads]") {
  Count erased;
  Count of_other;
  Sessions<std::chrono::steady_clock> ks({.listener = erased.listener()});
  Sessions<std::chrono::steady_clock> other({.listener = of_other.listener()});
  Reaper reaper(kSleepy, ks, other);
  reaper.remove(ks);
  ks.set(1, 1, 1ms);
  // Each pass would erase entries of `ks` before those of `other`.
  for (int round = 1; round != 20; ++round) {
    other.set(1, 1, 1ms);
    of_other.wait_for(round);
  }
  CHECK(erased.now() == 0);
  CHECK(ks.size() == 1);
}

TEST_CASE("the time of a step of one keyspace shortens the sleep for another", "[threads]") {
  using Clock = std::chrono::steady_clock;
  const auto state = std::make_shared<internal::ReaperState>();
  FakeClient waiting;
  FakeClient slow;
  waiting.due = {.deadline = 1000, .left = 1000};
  Clock::time_point start_of_slow;
  slow.on_step = [&] {
    start_of_slow = Clock::now();
    while (Clock::now() < start_of_slow + 5ms) continue;
  };
  waiting.join(state);
  slow.join(state);
  const Clock::time_point next = internal::TestPeer::run_pass(*state, 24h);
  CHECK(next <= start_of_slow + 1000ms);
}

TEST_CASE("a reaper accepts an interval and a longest sleep of any length", "[threads]") {
  Count erased;
  Sessions<std::chrono::steady_clock> ks({.listener = erased.listener()});
  Reaper reaper({.longest_sleep = std::chrono::hours::max()}, ks);
  ks.set(1, 1, 1ms);
  erased.wait_for(1);
  Reaper(
      {.interval = std::chrono::hours::max(), .longest_sleep = std::chrono::milliseconds::max()});
}

TEST_CASE("several threads may move a keyspace between reapers at the same time", "[threads]") {
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
  CHECK(true);  // a reaper that uses a destroyed keyspace would have crashed
}

TEST_CASE("the destructor of a reaper ends every sleep at once", "[threads]") {
  ConcurrentKeyspace<int, int> ks;
  ks.set(1, 1, 1h);
  for (int round = 0; round != 50; ++round) {
    Reaper reaper({.interval = 24h, .longest_sleep = 24h}, ks);
    ks.set(round, 1, 30min);
  }
  CHECK(ks.size() == 50);  // if a destructor does not end a sleep, the test takes a day
}

}  // namespace
}  // namespace keyspace::testing
