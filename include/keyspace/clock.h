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

// An object that tells the time: `now()` is const and returns a std::chrono::time_point. The
// clocks of <chrono> qualify, and being empty they cost a keyspace no bytes. A keyspace reads its
// clock in whole milliseconds, rounded towards the past.
template <class C>
concept TimeSource = std::copy_constructible<C> && requires(const C& clock) {
  []<class Tag, class Duration>(std::chrono::time_point<Tag, Duration>) {}(clock.now());
};

namespace internal {
// The clock that a TimeSource's time points belong to.
template <TimeSource C>
using ClockOf = typename std::remove_cvref_t<decltype(std::declval<const C&>().now())>::clock;

// A time that all copies of this share. Any thread may read or move it. A move copies: there is no
// clock without a time.
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

// std::chrono::steady_clock in whole milliseconds, rounded down, and faster to read: in less than
// half of the time of std::chrono::steady_clock::now(). This is the default clock. Its time points
// are those of std::chrono::steady_clock.
//
// now() returns what std::chrono::steady_clock returns, rounded: never earlier, never later. It
// reads that clock a few times a millisecond. In between, the processor's counter tells that the
// millisecond is not over. That is so on Linux, on x86-64 and AArch64, if the kernel uses the
// counter for its own clocks; elsewhere, each call reads std::chrono::steady_clock. The first call
// of a program opens a file of the kernel's, and takes a tenth of a millisecond to measure the
// counter's rate. now() is not for signal handlers.
class SteadyClock : public internal::MillisecondClock<std::chrono::steady_clock> {};

// The same for std::chrono::system_clock, for deadlines that are dates. Its time points are those
// of std::chrono::system_clock, so std::chrono::sys_days converts to them. A change of the system's
// time is seen within a millisecond.
class SystemClock : public internal::MillisecondClock<std::chrono::system_clock> {};

namespace internal {
// CLOCK_BOOTTIME of Linux, as a clock of <chrono>; elsewhere std::chrono::steady_clock.
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

// The same for the time since the machine was started, which goes on while the machine is
// suspended, as a laptop that sleeps. On other systems than Linux it is the time of SteadyClock.
class BootClock : public internal::MillisecondClock<internal::BootTime> {};

// A clock that moves only when told to, for tests. It starts at the epoch.
//
// It is a handle: copies share one time, so the test keeps one and gives the other to the code
// under test. Any thread may read or move it.
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

  ManualClock() : ManualClock(time_point()) {}
  explicit ManualClock(time_point start) : time_(start) {}

  [[nodiscard]] time_point now() const noexcept { return time_.get(); }

  // Moves the time of all copies by `step`, backwards if it is negative.
  // REQUIRES: the result is a time_point.
  void advance(duration step) const noexcept { time_.add(step); }

  // Moves the time of all copies to `time`, which may lie in the past.
  void set(time_point time) const noexcept { time_.set(time); }

 private:
  internal::SharedTime<ManualClock> time_;
};

// The time of another clock when refresh() was last called: for a program that lives in turns, as
// an event loop does, and need not ask for the time in each call. To read it is one load, where
// SteadyClock also reads the processor's counter.
//
// Keys expire when the time is refreshed: call it at least as often as their ttls are to be exact.
// It is a handle, as ManualClock is, and counts whole milliseconds, rounded towards the past, in
// the time points of the other clock.
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

  explicit CachedClock(Source source = {}) : source_(std::move(source)), time_(read()) {}

  [[nodiscard]] time_point now() const noexcept { return time_.get(); }

  // Moves the time of all copies to that of the other clock. Throws what that throws. Where several
  // threads call it at once, the time may stay at what any of them read.
  void refresh() const { time_.set(read()); }

 private:
  [[nodiscard]] time_point read() const {
    return time_point(duration(internal::floor_millis(source_.now().time_since_epoch())));
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Source source_;
  internal::SharedTime<internal::ClockOf<Source>> time_;
};

// The kernel's coarse monotonic clock: the time of the last timer interrupt. It is behind by its
// resolution or less (1 to 10 ms; 4 ms where Linux runs at 250 Hz), but on a virtual machine under
// load by far more: 18 ms were seen. Keys may outlive their deadlines by as much. Prefer
// SteadyClock, unless the processor has no counter that SteadyClock can use.
//
// It counts from the same instant as std::chrono::steady_clock, which it is where there is no
// CLOCK_MONOTONIC_COARSE, as outside Linux.
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

  // The step by which now() moves.
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
