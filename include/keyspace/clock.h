#ifndef KEYSPACE_CLOCK_H_
#define KEYSPACE_CLOCK_H_

#include <atomic>
#include <chrono>
#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

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
}  // namespace internal

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
  explicit ManualClock(time_point start)
      : time_(std::make_shared<std::atomic<rep>>(start.time_since_epoch().count())) {}

  // A move copies: there is no clock without a time.
  ManualClock(const ManualClock&) = default;
  ManualClock& operator=(const ManualClock&) = default;

  [[nodiscard]] time_point now() const noexcept {
    return time_point(duration(time_->load(std::memory_order_relaxed)));
  }

  // Moves the time of all copies by `step`, backwards if it is negative.
  // REQUIRES: the result is a time_point.
  void advance(duration step) const noexcept {
    time_->fetch_add(step.count(), std::memory_order_relaxed);
  }

  // Moves the time of all copies to `time`, which may lie in the past.
  void set(time_point time) const noexcept {
    time_->store(time.time_since_epoch().count(), std::memory_order_relaxed);
  }

 private:
  std::shared_ptr<std::atomic<rep>> time_;
};

}  // namespace keyspace

#endif  // KEYSPACE_CLOCK_H_
