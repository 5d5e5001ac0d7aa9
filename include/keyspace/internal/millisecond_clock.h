// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_MILLISECOND_CLOCK_H_
#define KEYSPACE_INTERNAL_MILLISECOND_CLOCK_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "absl/base/attributes.h"
#include "keyspace/internal/millis.h"

#if defined(__linux__) && defined(__GNUC__) && defined(__x86_64__)
#define KEYSPACE_INTERNAL_COUNTER "tsc"
#elif defined(__linux__) && defined(__GNUC__) && defined(__aarch64__)
#define KEYSPACE_INTERNAL_COUNTER "arch_sys_counter"
#endif

namespace keyspace::internal {

// The processor's counter of time, which can be read in a few nanoseconds: the time stamp counter
// on x86-64, the virtual counter on AArch64.
struct ProcessorCounter {
  // Returns true if the counter has a constant rate and agrees on all processors. Linux has checked
  // this if it uses the counter for its own clocks.
  static bool is_reliable() noexcept {
#ifdef KEYSPACE_INTERNAL_COUNTER
    return is_invariant() &&
           kernel_uses("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                       KEYSPACE_INTERNAL_COUNTER);
#else
    return false;
#endif
  }

  // Returns the current count; 0 if there is no counter.
  static std::uint64_t read() noexcept {
#if !defined(KEYSPACE_INTERNAL_COUNTER)
    return 0;
#elif defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    std::uint64_t ticks;
    asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#endif
  }

  // Returns true if the file at `path` consists of the name `source` and a newline. Keeps errno.
  static bool kernel_uses(const char* path, std::string_view source) noexcept {
    const int error = errno;
    std::array<char, 32> line = {};
    std::size_t size = 0;
    if (std::FILE* const file = std::fopen(path, "r")) {
      size = std::fread(line.data(), 1, line.size(), file);
      std::fclose(file);
    }
    errno = error;
    const std::string_view name(line.data(), size);
    return name.size() == source.size() + 1 && name.starts_with(source) && name.back() == '\n';
  }

 private:
  static bool is_invariant() noexcept {
#if defined(KEYSPACE_INTERNAL_COUNTER) && defined(__x86_64__)
    // Not <cpuid.h>: it defines macros with names that other headers use.
    const auto ask = [](unsigned leaf, unsigned& a, unsigned& d) {
      unsigned b = 0, c = 0;
      asm volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf), "c"(0));
    };
    constexpr unsigned kPowerManagement = 0x80000007;
    constexpr unsigned kInvariantTsc = 1U << 8;
    unsigned a = 0, d = 0;
    ask(0x80000000, a, d);
    if (a < kPowerManagement) return false;
    ask(kPowerManagement, a, d);
    return (d & kInvariantTsc) != 0;
#else
    return true;
#endif
  }
};

// The rate of a counter: its ticks in a millisecond of a steady clock. The first call of get()
// measures it. If several threads make a first call at the same time, each of them measures, so
// that no thread waits for another.
template <class Counter, class Steady>
class CounterRate {
 public:
  // Returns 80 % of the rate; 0 if the counter must not be used, because it is not reliable or
  // stands still. The margin is for adjustments of the clock's rate, which Linux allows up to 10 %.
  static std::uint64_t get() noexcept(noexcept(Steady::now())) {
    std::uint64_t rate = rate_.load(std::memory_order_relaxed);
    if (rate == kUnknown) [[unlikely]] {
      rate = Counter::is_reliable() ? measure() : 0;
      rate_.store(rate, std::memory_order_relaxed);
    }
    return rate;
  }

 private:
  static constexpr std::uint64_t kUnknown = ~std::uint64_t{0};
  static constexpr std::uint64_t kPercent = 80;

  // Returns the median of five measurements of 20 us each. A measurement that is interrupted may be
  // far too low; or far too high if the machine was suspended meanwhile.
  static std::uint64_t measure() noexcept(noexcept(Steady::now())) {
    std::array<std::uint64_t, 5> rates = {};
    for (std::uint64_t& rate : rates) {
      const auto begin = Steady::now();
      const std::uint64_t first = Counter::read();
      std::uint64_t last = first;
      std::chrono::nanoseconds time{0};
      while (time < std::chrono::microseconds(20)) {
        last = Counter::read();
        time = Steady::now() - begin;
      }
      if (last > first) {
        rate = (last - first) * (1'000'000 / 100 * kPercent) /
               static_cast<std::uint64_t>(time.count());
      }
    }
    std::sort(rates.begin(), rates.end());
    return rates[rates.size() / 2];
  }

  static inline constinit std::atomic<std::uint64_t> rate_ = kUnknown;
};

// The clock `Source` in whole milliseconds, rounded down. The base of SteadyClock, SystemClock and
// BootClock.
//
// Most calls read only `Counter`. Reading the clock is slow: it waits until all earlier
// instructions are done, so the processor cannot overlap the cache misses of one look-up with those
// of the next.
//
// How it works. Each thread keeps the last millisecond that it has read from the clock. It also
// keeps the number of ticks of the counter until that millisecond is nearly over. Until then, now()
// returns the same millisecond. After that, now() reads the clock. So the counter only decides when
// the clock is read next. It need not be exact, and its errors do not add up.
//
// Invariant: now() returns a time that the clock had, rounded down, at some point of the call.
// There are two exceptions, in which now() may be late by up to a millisecond:
//   - the clock was set, which can happen to a system clock;
//   - the counter stood still while the clock went on, which happens to a BootClock while some
//     machines are suspended.
//
// `Steady` is the clock with which the rate of the counter is measured. A signal handler must not
// call now().
template <class Source, class Counter = ProcessorCounter, class Steady = std::chrono::steady_clock>
class MillisecondClock {
 public:
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<typename Source::time_point::clock, duration>;
  static constexpr bool is_steady = Source::is_steady;

  // Returns the current time in whole milliseconds. Throws what Source::now() throws.
  [[nodiscard]] static time_point now() noexcept(noexcept(Source::now())) {
    const Reading& last = last_;
    // If the counter has gone back, for example by a suspension, the unsigned difference is very
    // large, and the clock is read.
    const bool is_same = last.ticks != 0 && Counter::read() - last.start < last.ticks;
    return time_point(duration(is_same ? last.millis : read()));
  }

 private:
  using Nanos = std::chrono::nanoseconds;

  // The last reading of a thread: the time is `millis` while the counter is less than `ticks` past
  // `start`. If `ticks` is 0, the time is unknown.
  struct Reading {
    Millis millis = 0;
    std::uint64_t start = 0;
    std::uint64_t ticks = 0;
  };

  // In the last 50 us of a millisecond each call reads the clock. The processor may execute the
  // reading of the counter some microseconds too early: before earlier instructions that wait for
  // cache misses.
  static constexpr Nanos kMargin = std::chrono::microseconds(50);

  ABSL_ATTRIBUTE_NOINLINE static Millis read() noexcept(noexcept(Source::now())) {
    const std::uint64_t rate = CounterRate<Counter, Steady>::get();
    if (rate == 0) return floor_millis(Source::now().time_since_epoch());
    // Read before the clock: the ticks since then are never too few.
    const std::uint64_t start = Counter::read();
    const auto time = Source::now().time_since_epoch();
    const Millis millis = floor_millis(time);
    const Nanos left = std::chrono::milliseconds(millis + 1) - time - kMargin;
    last_ = {millis, start,
             left > Nanos(0) ? static_cast<std::uint64_t>(left.count()) * rate / 1'000'000 : 0};
    return millis;
  }

  // Initialized at compile time, so no call checks whether it is initialized.
  static inline constinit thread_local Reading last_ = {};
};

}  // namespace keyspace::internal

#undef KEYSPACE_INTERNAL_COUNTER

#endif  // KEYSPACE_INTERNAL_MILLISECOND_CLOCK_H_
