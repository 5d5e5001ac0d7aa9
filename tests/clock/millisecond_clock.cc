#include "keyspace/internal/millisecond_clock.h"

#include <keyspace/clock.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/support.h"

// Compares SteadyClock, SystemClock and BootClock with the exact clocks. Then tests their base with
// a counter and clocks that the test controls.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

template <class Clock>
std::int64_t millis_of() {
  return std::chrono::floor<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
}

TEMPLATE_TEST_CASE("a clock in milliseconds is never behind the exact clock, nor ahead of it",
                   "[threads]", (std::pair<SteadyClock, std::chrono::steady_clock>),
                   (std::pair<SystemClock, std::chrono::system_clock>),
                   (std::pair<BootClock, internal::BootTime>)) {
  using Clock = typename TestType::first_type;
  using Exact = typename TestType::second_type;
  constexpr int kThreads = 3;
  constexpr int kCalls = 4'000'000;
  std::atomic<std::int64_t> early = 0;
  std::atomic<std::int64_t> late = 0;
  std::atomic<std::int64_t> backwards = 0;
  on_threads(kThreads, [&](int) {
    std::int64_t earlier = 0;
    std::int64_t later = 0;
    std::int64_t back = 0;
    std::int64_t previous = millis_of<Clock>();
    std::int64_t before = millis_of<Exact>();
    for (int i = 0; i != kCalls; ++i) {
      const std::int64_t time = millis_of<Clock>();
      const std::int64_t after = millis_of<Exact>();
      earlier += time < before;
      later += time > after;
      back += time < previous;
      previous = time;
      before = after;
    }
    early += earlier;
    late += later;
    backwards += back;
  });
  CHECK(early == 0);
  CHECK(late == 0);
  CHECK(backwards == 0);
}

TEST_CASE("the clocks in milliseconds are empty, and use the time points of <chrono>") {
  STATIC_REQUIRE(std::is_empty_v<SteadyClock>);
  STATIC_REQUIRE(std::is_empty_v<SystemClock>);
  STATIC_REQUIRE(SteadyClock::is_steady);
  STATIC_REQUIRE_FALSE(SystemClock::is_steady);
  STATIC_REQUIRE(BootClock::is_steady);
  STATIC_REQUIRE(noexcept(SteadyClock::now()));
  STATIC_REQUIRE(std::is_same_v<SteadyClock::time_point,
                                std::chrono::time_point<std::chrono::steady_clock, Millis>>);
  STATIC_REQUIRE(std::is_same_v<SystemClock::time_point, std::chrono::sys_time<Millis>>);
  STATIC_REQUIRE(std::is_same_v<Keyspace<int, int>::time_point, SteadyClock::time_point>);
  STATIC_REQUIRE(std::is_same_v<Keyspace<int, int>::clock_type, SteadyClock>);
  STATIC_REQUIRE(std::is_same_v<Keyspace<int, int, SteadyClock>::clock_type, SteadyClock>);
}

// --- With a fake counter and fake clocks ---

// The state of the fake clocks and the fake counter.
struct World {
  nanoseconds time{0};         // since the start
  nanoseconds per_reading{0};  // the time that each reading takes
  nanoseconds system{0};       // the system clock is ahead of `time` by this
  double ticks_per_nano = 3;
  std::uint64_t counter = 0;  // the counter at the time 0
  bool is_reliable = true;
  int until_interruption = 0;          // readings until an interruption; 0 for none
  nanoseconds interruption{0};         // how long the interruption takes
  std::uint64_t suspension_ticks = 0;  // ticks of the counter in it, in addition to those of `time`
  int clock_readings = 0;
  int counter_readings = 0;

  void read() {
    time += per_reading;
    if (until_interruption == 0 || --until_interruption != 0) return;
    time += interruption;
    counter += suspension_ticks;
  }
};

// Each kNumber has clocks of its own, because a MillisecondClock measures its counter only once.
template <int kNumber>
struct Fake {
  static inline World world;

  struct Steady {
    using time_point = std::chrono::time_point<Steady, nanoseconds>;
    static constexpr bool is_steady = true;
    static time_point now() noexcept {
      world.read();
      return time_point(world.time);
    }
  };
  struct System {
    using time_point = std::chrono::time_point<System, nanoseconds>;
    static constexpr bool is_steady = false;
    static time_point now() noexcept {
      ++world.clock_readings;
      world.read();
      return time_point(world.time + world.system);
    }
  };
  struct Counter {
    static bool is_reliable() noexcept { return world.is_reliable; }
    static std::uint64_t read() noexcept {
      ++world.counter_readings;
      world.read();
      return world.counter + static_cast<std::uint64_t>(static_cast<double>(world.time.count()) *
                                                        world.ticks_per_nano);
    }
  };
  using Clock = internal::MillisecondClock<System, Counter, Steady>;

  static std::int64_t exact() {
    return std::chrono::floor<std::chrono::milliseconds>(world.time + world.system).count();
  }
  // Reads the clock. Returns true if it showed a time that was exact at some point of the call.
  static bool is_exact() {
    const std::int64_t before = exact();
    const std::int64_t time = millis_of<Clock>();
    return before <= time && time <= exact();
  }
};

TEST_CASE("the exact clock is read when a millisecond is nearly over, and not before") {
  using F = Fake<1>;
  F::world.system = GENERATE(0ns, -5'000'000'000ns, 123'456'789ns);
  F::world.time += 1ms;  // the clock was just set
  F::world.per_reading = 10ns;
  CHECK(F::is_exact());
  // Begins at the start of a millisecond.
  F::world.time = std::chrono::ceil<std::chrono::milliseconds>(F::world.time + F::world.system) -
                  F::world.system;
  F::world.clock_readings = 0;
  CHECK(F::is_exact());
  CHECK(F::world.clock_readings == 1);
  const nanoseconds start = F::world.time;
  while (F::world.time < start + 750us) REQUIRE(F::is_exact());
  CHECK(F::world.clock_readings == 1);
  // In the last 50 us each call reads the clock.
  F::world.time = start + 999us;
  F::world.clock_readings = 0;
  for (int i = 0; i != 10; ++i) CHECK(F::is_exact());
  CHECK(F::world.clock_readings == 10);
  while (F::world.time < start + 5ms) REQUIRE(F::is_exact());
  CHECK(F::world.clock_readings < 5 * 3000);
}

template <class F>
void check_at_random(std::uint64_t seed, double most_clock_readings) {
  std::mt19937_64 random(seed);
  F::world.clock_readings = 0;
  constexpr int kCalls = 200'000;
  for (int i = 0; i != kCalls; ++i) {
    F::world.time += nanoseconds(random() % (random() % 1000 == 0 ? 100'000'000 : 1000));
    REQUIRE(F::is_exact());
  }
  CHECK(F::world.clock_readings <= most_clock_readings * kCalls);
}

TEST_CASE("a clock in milliseconds is exact with a counter of any rate") {
  SECTION("3 GHz") {
    using F = Fake<10>;
    F::world.per_reading = 20ns;
    check_at_random<F>(1, 0.1);
  }
  SECTION("24 MHz") {
    using F = Fake<11>;
    F::world.per_reading = 20ns;
    F::world.ticks_per_nano = 0.024;
    check_at_random<F>(2, 0.1);
  }
  SECTION("1 GHz, and the counter wraps around soon") {
    using F = Fake<12>;
    F::world.per_reading = 20ns;
    F::world.ticks_per_nano = 1;
    F::world.counter = ~std::uint64_t{0} - 50'000'000;
    check_at_random<F>(3, 0.1);
  }
  SECTION("the clock's rate is adjusted by ten percent after the measurement") {
    using F = Fake<13>;
    F::world.per_reading = 20ns;
    CHECK(F::is_exact());
    F::world.ticks_per_nano *= GENERATE(0.9, 1.1);
    check_at_random<F>(4, 0.1);
  }
}

TEMPLATE_TEST_CASE_SIG("one of the five measurements may be interrupted", "",
                       ((int kReading), kReading), 1, 2, 3, 4, 100, 101, 700, 701) {
  SECTION("by other threads") {
    using F = Fake<1000 + kReading>;
    F::world.per_reading = 50ns;
    F::world.until_interruption = kReading;
    F::world.interruption = 30ms;
    check_at_random<F>(5, 0.1);
  }
  SECTION("by a suspension, in which the counter continues") {
    using F = Fake<2000 + kReading>;
    F::world.per_reading = 50ns;
    F::world.until_interruption = kReading;
    F::world.suspension_ticks = 10'000'000'000;
    check_at_random<F>(5, 0.1);
  }
}

TEST_CASE("a thread may be interrupted while it reads the clock") {
  using F = Fake<25>;
  F::world.per_reading = 20ns;
  F::world.time += 1s;
  CHECK(F::is_exact());
  for (int i = 0; i != 300; ++i) {
    // Reads the counter, the counter again, and the clock.
    F::world.time += 1ms + nanoseconds(i * 7919 % 1'000'000);
    F::world.interruption = 500us;
    F::world.until_interruption = 1 + i % 3;
    REQUIRE(F::is_exact());
    for (int j = 0; j != 100; ++j) {
      F::world.time += 10us;
      REQUIRE(F::is_exact());
    }
  }
}

TEST_CASE("the counter is used only if it is the kernel's clock source") {
  using internal::ProcessorCounter;
  const std::string path = "millisecond_clock_source.txt";
  const auto uses = [&](const char* content) {
    std::ofstream(path, std::ios::trunc) << content;
    return ProcessorCounter::kernel_uses(path.c_str(), "tsc");
  };
  CHECK(uses("tsc\n"));
  CHECK_FALSE(uses("tsc-early\n"));
  CHECK_FALSE(uses("hpet\n"));
  CHECK_FALSE(uses("ts\n"));
  CHECK_FALSE(uses("tsc"));
  CHECK_FALSE(uses(""));
  std::remove(path.c_str());
  errno = 0;
  CHECK_FALSE(ProcessorCounter::kernel_uses(path.c_str(), "tsc"));
  CHECK(errno == 0);
}

// A steady_clock that counts its readings.
struct CountedSteady : std::chrono::steady_clock {
  static time_point now() noexcept {
    ++readings;
    return std::chrono::steady_clock::now();
  }
  static inline int readings = 0;
};

TEST_CASE("a reliable counter of the processor saves most readings of the clock") {
  using internal::ProcessorCounter;
  bool is_reliable = false;
#if defined(__linux__) && defined(__x86_64__)
  std::string source;
  std::getline(
      std::ifstream("/sys/devices/system/clocksource/clocksource0/current_clocksource") >> std::ws,
      source);
  const std::string processor(
      std::istreambuf_iterator<char>(std::ifstream("/proc/cpuinfo").rdbuf()), {});
  is_reliable = source == "tsc" && processor.find("constant_tsc") != std::string::npos &&
                processor.find("nonstop_tsc") != std::string::npos;
  CHECK(ProcessorCounter::is_reliable() == is_reliable);
#else
  is_reliable = ProcessorCounter::is_reliable();
#endif
  constexpr int kCalls = 200'000;
  for (int i = 0; i != kCalls; ++i) millis_of<internal::MillisecondClock<CountedSteady>>();
  if (is_reliable) {
    CHECK(CountedSteady::readings < kCalls / 2);
  } else {
    CHECK(CountedSteady::readings == kCalls);
  }
}

TEST_CASE("the clock is read if the counter went back or far ahead") {
  using F = Fake<30>;
  F::world.per_reading = 20ns;
  F::world.time = 1s;
  CHECK(F::is_exact());
  F::world.clock_readings = 0;
  const std::uint64_t jump =
      GENERATE(0 - std::uint64_t{200}, 0 - std::uint64_t{2'000'000}, 10'000'000);
  F::world.counter += jump;
  CHECK(F::is_exact());
  CHECK(F::world.clock_readings == 1);
  check_at_random<F>(6, 0.1);
}

TEST_CASE("a change of the system time is noticed within a millisecond") {
  using F = Fake<40>;
  F::world.per_reading = 20ns;
  F::world.time = 1s;
  CHECK(F::is_exact());
  F::world.system -= GENERATE(-1h, 1h);
  F::world.time += 1ms;
  check_at_random<F>(7, 0.1);
}

TEST_CASE("without a reliable counter each call reads the clock, and never the counter") {
  using F = Fake<50>;
  F::world.is_reliable = false;
  F::world.per_reading = 20ns;
  for (int i = 0; i != 10; ++i) CHECK(F::is_exact());
  CHECK(F::world.clock_readings == 10);
  CHECK(F::world.counter_readings == 0);
}

TEST_CASE("a counter that stands still is not used") {
  using F = Fake<60>;
  F::world.ticks_per_nano = 0;
  F::world.per_reading = 20ns;
  F::world.time = 1s;
  check_at_random<F>(8, 1);
}

TEST_CASE("each thread keeps its last reading") {
  using F = Fake<70>;
  F::world.per_reading = 20ns;
  F::world.time = 1s;
  CHECK(F::is_exact());
  F::world.clock_readings = 0;
  std::thread([] { CHECK(F::is_exact()); }).join();
  CHECK(F::world.clock_readings == 1);
  CHECK(F::is_exact());
  CHECK(F::world.clock_readings == 1);
}

}  // namespace
}  // namespace keyspace::testing
