#ifndef KEYSPACE_INTERNAL_MILLISECOND_CLOCK_H_
#define KEYSPACE_INTERNAL_MILLISECOND_CLOCK_H_

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "absl/base/attributes.h"
#include "keyspace/internal/millis.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#endif

namespace keyspace::internal {

// A counter of the processor that can be read in a few nanoseconds.
struct ProcessorCounter {
  // Returns whether it always counts at one rate, and alike on all processors. Where Linux does not
  // trust the counter of an x86-64 processor, it uses another clock source.
  static bool is_reliable() noexcept {
#if defined(__x86_64__) && defined(__GNUC__)
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    constexpr unsigned kPowerManagement = 0x80000007;
    constexpr unsigned kInvariantTsc = 1U << 8;
    if (__get_cpuid(kPowerManagement, &eax, &ebx, &ecx, &edx) == 0) return false;
    return (edx & kInvariantTsc) != 0 && kernel_uses_it();
#elif defined(__aarch64__) && defined(__GNUC__)
    return true;
#else
    return false;
#endif
  }

  static std::uint64_t read() noexcept {
#if defined(__x86_64__) && defined(__GNUC__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__) && defined(__GNUC__)
    std::uint64_t ticks;
    asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return 0;
#endif
  }

 private:
  static bool kernel_uses_it() noexcept {
#if defined(__linux__)
    std::FILE* const file =
        std::fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    if (file == nullptr) return false;
    std::array<char, 8> name = {};
    const std::size_t size = std::fread(name.data(), 1, name.size(), file);
    std::fclose(file);
    return std::string_view(name.data(), size) == "tsc\n";
#else
    return true;
#endif
  }
};

// The clock `Source` in whole milliseconds, rounded down.
//
// Most calls do not ask that clock, as it waits until all earlier instructions are done: then the
// processor cannot overlap the cache misses of one look-up with those of the next. Instead, each
// thread keeps the last millisecond that it read, and how far `Counter` counts until that is over.
// So the counter is an alarm and not a clock. It need not be exact, and errors do not add up.
//
// The result is that of the clock, with one exception: if the clock is set, as a system clock may
// be, that is seen within a millisecond.
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

  // The processor may read the counter before it is done with earlier instructions, and counters of
  // different processors may differ a little. This is more than either.
  static constexpr Nanos kMargin = std::chrono::microseconds(2);
  // The rate is taken to be lower than it was measured, as that of the clock may be adjusted.
  static constexpr std::uint64_t kPercent = 99;

  ABSL_ATTRIBUTE_NOINLINE static Millis read() noexcept(noexcept(Source::now())) {
    static const std::uint64_t ticks_per_milli = Counter::is_reliable() ? measure() : 0;
    if (ticks_per_milli == 0) return floor_millis(Source::now().time_since_epoch());
    const std::uint64_t start = Counter::read();  // before the clock: it never counts too little
    const auto time = Source::now().time_since_epoch();
    const Millis millis = floor_millis(time);
    const Nanos left = std::chrono::milliseconds(millis + 1) - time - kMargin;
    last_ = {millis, start,
             left > Nanos(0)
                 ? static_cast<std::uint64_t>(left.count()) * ticks_per_milli / 1'000'000
                 : 0};
    return millis;
  }

  // Returns about how far the counter counts in a millisecond, and not more: the median of five
  // measurements, of which each takes 20 us. One that is interrupted may be far too low; or too
  // high, if the machine was suspended. Returns 0 if that is no rate.
  static std::uint64_t measure() noexcept(noexcept(Steady::now())) {
    std::array<std::uint64_t, 5> rates = {};
    for (std::uint64_t& rate : rates) {
      const auto begin = Steady::now();
      const std::uint64_t first = Counter::read();
      std::uint64_t last = first;
      Nanos time{0};
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

  // Of each thread. Initialised when compiled, so that no call checks whether it is.
  static inline constinit thread_local Reading last_ = {};
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_MILLISECOND_CLOCK_H_
