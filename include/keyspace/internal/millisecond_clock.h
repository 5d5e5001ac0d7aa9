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

// A counter of the processor that can be read in a few nanoseconds.
struct ProcessorCounter {
  // Returns whether it always counts at one rate, and alike on all processors: whether Linux uses
  // it for its own clocks.
  static bool is_reliable() noexcept {
#ifdef KEYSPACE_INTERNAL_COUNTER
    return is_invariant() &&
           kernel_uses("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                       KEYSPACE_INTERNAL_COUNTER);
#else
    return false;
#endif
  }

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

  // Returns whether the file names this clock source.
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
    // <cpuid.h> has macros with names that other headers use.
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

// How far a counter counts in a millisecond of a steady clock. It is measured by the first thread
// that asks, or by several at once: nobody waits for another.
template <class Counter, class Steady>
class CounterRate {
 public:
  // Returns four fifths of the rate; 0 if the counter is not to be used. (The rate of a clock may
  // be adjusted: by up to 10 % on Linux.)
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

  // Takes the median of five measurements, of which each takes 20 us. One that is interrupted may
  // be far too low; or too high, if the machine was suspended.
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

// The clock `Source` in whole milliseconds, rounded down.
//
// Most calls do not ask that clock, as it waits until all earlier instructions are done: then the
// processor cannot overlap the cache misses of one look-up with those of the next. Instead, each
// thread keeps the last millisecond that it read, and how far `Counter` counts until that is nearly
// over. So the counter is an alarm and not a clock. It need not be exact, and errors do not add up.
//
// The result is that of the clock, but a change is seen up to a millisecond late if the clock is
// set, as a system clock may be, or if the counter stood still while the clock went on, as with a
// BootClock during a suspension on some machines. Not for signal handlers.
template <class Source, class Counter = ProcessorCounter, class Steady = std::chrono::steady_clock>
class MillisecondClock {
 public:
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<typename Source::time_point::clock, duration>;
  static constexpr bool is_steady = Source::is_steady;

  // Throws what Source::now() throws.
  [[nodiscard]] static time_point now() noexcept(noexcept(Source::now())) {
    const Reading& last = last_;
    // If the counter is behind, as after a suspension, the difference is very large.
    const bool is_same = last.ticks != 0 && Counter::read() - last.start < last.ticks;
    return time_point(duration(is_same ? last.millis : read()));
  }

 private:
  using Nanos = std::chrono::nanoseconds;

  // What a thread read last: from `start` on, for `ticks`, the time is `millis`. No ticks: unknown.
  struct Reading {
    Millis millis = 0;
    std::uint64_t start = 0;
    std::uint64_t ticks = 0;
  };

  // In the last part of a millisecond the clock is read each time. The processor may read the
  // counter some microseconds before it is done with earlier instructions, if these miss its
  // caches again and again.
  static constexpr Nanos kMargin = std::chrono::microseconds(50);

  ABSL_ATTRIBUTE_NOINLINE static Millis read() noexcept(noexcept(Source::now())) {
    const std::uint64_t rate = CounterRate<Counter, Steady>::get();
    if (rate == 0) return floor_millis(Source::now().time_since_epoch());
    const std::uint64_t start = Counter::read();  // before the clock: so it never counts too little
    const auto time = Source::now().time_since_epoch();
    const Millis millis = floor_millis(time);
    const Nanos left = std::chrono::milliseconds(millis + 1) - time - kMargin;
    last_ = {millis, start,
             left > Nanos(0) ? static_cast<std::uint64_t>(left.count()) * rate / 1'000'000 : 0};
    return millis;
  }

  // Of each thread. Initialised when compiled, so that no call checks whether it is.
  static inline constinit thread_local Reading last_ = {};
};

}  // namespace keyspace::internal

#undef KEYSPACE_INTERNAL_COUNTER

#endif  // KEYSPACE_INTERNAL_MILLISECOND_CLOCK_H_
