// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_CLOCK_H_
#define KEYSPACE_CLOCK_H_

#include "keyspace/internal/config.h"

#include <atomic>
#include <chrono>
#include <concepts>
#include <ctime>
#include <memory>
#include <type_traits>
#include <utility>

#include "keyspace/internal/millis.h"
#include "keyspace/internal/millisecond_clock.h"

namespace keyspace {

// A clock for a keyspace: an object whose const member now() returns a std::chrono::time_point. The
// clocks of <chrono> qualify. A keyspace keeps a copy of its clock; an empty clock takes no bytes.
// A keyspace rounds the time down to whole milliseconds. The threads of a ConcurrentKeyspace call
// now() of its clock at the same time.
//
//   keyspace::Keyspace<std::string, int, std::chrono::system_clock> sessions;
template <class C>
concept TimeSource = std::copy_constructible<C> && requires(const C& clock) {
  []<class Tag, class Duration>(std::chrono::time_point<Tag, Duration>) {}(clock.now());
};

namespace internal {
// The clock to which the time points of a TimeSource belong.
template <TimeSource C>
using ClockOf = typename std::remove_cvref_t<decltype(std::declval<const C&>().now())>::clock;

// A time that all copies of this object share. Any thread may read or set it. A move copies, so a
// moved-from object still has a time.
template <class Clock>
class SharedTime {
 public:
  using time_point = std::chrono::time_point<Clock, std::chrono::milliseconds>;

  explicit SharedTime(time_point start) : time_(std::make_shared<Count>(count(start))) {}
  SharedTime(const SharedTime&) = default;
  SharedTime& operator=(const SharedTime&) = default;

  [[nodiscard]] time_point get() const noexcept {
    return time_point(std::chrono::milliseconds(time_->load(std::memory_order_relaxed)));
  }
  void set(time_point time) const noexcept { time_->store(count(time), std::memory_order_relaxed); }
  void add(std::chrono::milliseconds step) const noexcept {
    time_->fetch_add(step.count(), std::memory_order_relaxed);
  }

 private:
  using Count = std::atomic<std::chrono::milliseconds::rep>;
  static auto count(time_point time) noexcept { return time.time_since_epoch().count(); }

  std::shared_ptr<Count> time_;
};
}  // namespace internal

// The default clock: std::chrono::steady_clock in whole milliseconds, rounded down. now() takes
// less than half of the time of std::chrono::steady_clock::now(). The time points are those of
// std::chrono::steady_clock.
//
// now() returns exactly what std::chrono::steady_clock returns, rounded down. It reads that clock
// only a few times in a millisecond. In between, a counter of the processor tells that the same
// millisecond still lasts. This works on Linux on x86-64 and AArch64, if the kernel uses the
// counter for its own clocks. Elsewhere, each call reads std::chrono::steady_clock.
//
// The first call of a program opens a file of the kernel, and takes 0.1 ms to measure the rate of
// the counter. Any thread may call now(), but a signal handler must not.
class SteadyClock : public internal::MillisecondClock<std::chrono::steady_clock> {};

// std::chrono::system_clock in whole milliseconds, read as SteadyClock reads its clock. It is for
// deadlines that are dates: the time points are those of std::chrono::system_clock, so
// std::chrono::sys_days converts to them. If the system time is set, now() shows it within a
// millisecond.
//
//   keyspace::Keyspace<std::string, Offer, keyspace::SystemClock> offers;
//   offers.set("summer", offer, std::chrono::sys_days(std::chrono::year(2030) / 9 / 1));
class SystemClock : public internal::MillisecondClock<std::chrono::system_clock> {};

namespace internal {
// CLOCK_BOOTTIME of Linux as a clock of <chrono>. Elsewhere the time of std::chrono::steady_clock.
struct BootTime {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootTime, duration>;
  static constexpr bool is_steady = true;

  [[nodiscard]] static time_point now() noexcept {
#ifdef CLOCK_BOOTTIME
    timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return time_point(std::chrono::seconds(time.tv_sec) + duration(time.tv_nsec));
#else
    return time_point(std::chrono::steady_clock::now().time_since_epoch());
#endif
  }
};
}  // namespace internal

// The time since the machine was started, in whole milliseconds, read as SteadyClock reads its
// clock. It includes the time in which the machine was suspended, for example a laptop with a
// closed lid. The time of SteadyClock does not, on Linux. On other systems than Linux, the two
// clocks show the same time.
class BootClock : public internal::MillisecondClock<internal::BootTime> {};

// A clock for tests. Its time changes only by advance() and set().
//
// Copies share one time. So a test keeps one copy and gives another to the code under test. Any
// thread may call any member.
//
//   keyspace::ManualClock clock;
//   keyspace::Keyspace<std::string, int, keyspace::ManualClock> sessions(clock);
//   sessions.set("alice", 1, 30s);
//   clock.advance(30s);
//   assert(!sessions.contains("alice"));
class ManualClock {
 public:
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<ManualClock, duration>;
  static constexpr bool is_steady = false;

  // Starts at `start`; by default at the epoch, time_point().
  ManualClock() : ManualClock(time_point()) {}
  explicit ManualClock(time_point start) : time_(start) {}

  [[nodiscard]] time_point now() const noexcept { return time_.get(); }

  // Moves the time of all copies by `step` milliseconds. A negative step moves it back.
  // REQUIRES: the result fits a time_point.
  void advance(duration step) const noexcept { time_.add(step); }

  // Sets the time of all copies. It may be earlier than the current time.
  void set(time_point time) const noexcept { time_.set(time); }

 private:
  internal::SharedTime<ManualClock> time_;
};

// The time of another clock at the last refresh(). For an event loop, which needs to read the clock
// only once in each iteration. now() is one load from memory; SteadyClock also reads the
// processor's counter.
//
// An entry expires at the first refresh() at or after its deadline. So it may expire late, by at
// most the time between two calls of refresh().
//
// Copies share one time, as those of a ManualClock do. The time points are those of the other
// clock, in whole milliseconds, rounded down. Any thread may call now(). Any thread may call
// refresh() if it may read the other clock.
//
//   keyspace::CachedClock clock;
//   keyspace::Keyspace<std::string, Session, keyspace::CachedClock<>> sessions(clock);
//   for (;;) {
//     wait_for_events();
//     clock.refresh();
//     ...
//   }
template <TimeSource Source = SteadyClock>
class CachedClock {
 public:
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<internal::ClockOf<Source>, duration>;
  static constexpr bool is_steady = false;

  // Reads `source` once. Throws what it throws.
  explicit CachedClock(Source source = {}) : source_(std::move(source)), time_(read()) {}

  [[nodiscard]] time_point now() const noexcept { return time_.get(); }

  // Reads the other clock and sets the time of all copies. Throws what the other clock throws; the
  // time is then unchanged. If several threads call it at once, the last one to store its reading
  // wins, which may be an earlier reading.
  void refresh() const { time_.set(read()); }

 private:
  [[nodiscard]] time_point read() const {
    return time_point(duration(internal::floor_millis(source_.now().time_since_epoch())));
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Source source_;
  internal::SharedTime<internal::ClockOf<Source>> time_;
};

// The coarse monotonic clock of the kernel (CLOCK_MONOTONIC_COARSE): the time of the last timer
// interrupt. Prefer SteadyClock, unless the processor has no counter that SteadyClock can use.
//
// now() is late by up to resolution(): 1 to 10 ms, or 4 ms if Linux runs at 250 Hz. On a virtual
// machine under load it may be late by far more: 18 ms were measured. Entries live too long by the
// same time.
//
// The epoch is that of std::chrono::steady_clock. Without CLOCK_MONOTONIC_COARSE, for example
// outside Linux, the time is that of std::chrono::steady_clock, rounded to milliseconds.
class CoarseClock {
 public:
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<CoarseClock, duration>;
  static constexpr bool is_steady = true;

  [[nodiscard]] static time_point now() noexcept {
#ifdef CLOCK_MONOTONIC_COARSE
    timespec time;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return time_point(std::chrono::seconds(time.tv_sec) + duration(time.tv_nsec / 1'000'000));
#else
    const auto time = std::chrono::steady_clock::now().time_since_epoch();
    return time_point(std::chrono::duration_cast<duration>(time));
#endif
  }

  // Returns the time between two changes of now().
  [[nodiscard]] static std::chrono::nanoseconds resolution() noexcept {
#ifdef CLOCK_MONOTONIC_COARSE
    timespec step;
    clock_getres(CLOCK_MONOTONIC_COARSE, &step);
    return std::chrono::seconds(step.tv_sec) + std::chrono::nanoseconds(step.tv_nsec);
#else
    return duration(1);
#endif
  }
};

}  // namespace keyspace

#endif  // KEYSPACE_CLOCK_H_
