#include <keyspace/cache.h>
#include <keyspace/clock.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/internal/timer_record.h>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "support/catch.hpp"
#include "support/support.h"

// The compiler checks this file. The only test case exists so that the file appears in a run.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using Default = Keyspace<int, int>;

// --- Defaults ---

static_assert(std::is_same_v<decltype(std::declval<const Default&>().clock()), const SteadyClock&>);
static_assert(std::is_default_constructible_v<Default>);
static_assert(std::is_default_constructible_v<Strings>);
static_assert(!std::is_convertible_v<ManualClock, Strings>, "the constructor is explicit");
static_assert(std::is_same_v<Default::clock_type, SteadyClock>);
static_assert(std::is_same_v<Default::allocator_type, std::allocator<std::pair<const int, int>>>);
static_assert(std::is_same_v<Cache<int, int>, Keyspace<int, int, ScanResistant>>);
static_assert(std::is_same_v<Cache<int, int, Lru>, Keyspace<int, int, Lru>>);
static_assert(std::is_same_v<Cache<int, int, Unbounded>, Keyspace<int, int, Unbounded>>);

// --- Durations and time points ---

static_assert(std::is_same_v<Default::duration, std::chrono::milliseconds>);
static_assert(std::is_same_v<Default::time_point,
                             std::chrono::time_point<std::chrono::steady_clock, Millis>>);
static_assert(std::is_same_v<Strings::time_point, ManualClock::time_point>);
static_assert(std::is_same_v<Keyspace<int, int, std::chrono::system_clock>::time_point,
                             std::chrono::sys_time<Millis>>);
static_assert(std::is_same_v<Keyspace<int, int, FakeClock<std::chrono::hours>>::time_point,
                             std::chrono::time_point<FakeClock<std::chrono::hours>, Millis>>);
static_assert(std::is_same_v<const Millis, decltype(Default::kNever)>);
static_assert(Default::kNever == Millis::max());
static_assert(Strings::kNever == Millis::max());

// --- Moving ---

static_assert(!std::is_copy_constructible_v<Strings>);
static_assert(!std::is_copy_assignable_v<Strings>);
static_assert(std::is_nothrow_move_constructible_v<Default>);
static_assert(std::is_nothrow_move_assignable_v<Default>);
static_assert(std::is_nothrow_move_constructible_v<Strings>);
static_assert(std::is_nothrow_move_assignable_v<Strings>);
static_assert(std::is_nothrow_destructible_v<Strings>);
static_assert(std::is_nothrow_move_constructible_v<Keyspace<int, std::unique_ptr<int>>>);

// --- The size of a clock ---

struct FatClock {
  using time_point = std::chrono::steady_clock::time_point;
  static time_point now() { return {}; }
  std::array<std::uint64_t, 2> payload = {};  // larger than the padding
};

static_assert(sizeof(Default) < sizeof(Keyspace<int, int, FatClock>), "a std clock costs no bytes");
static_assert(sizeof(Default) == sizeof(Keyspace<int, int, std::chrono::system_clock>));

// Empty types take no bytes.
using SharedDefault = ConcurrentKeyspace<int, int>;
static_assert(sizeof(SharedDefault) < sizeof(ConcurrentKeyspace<int, int, FatClock>));
static_assert(sizeof(CachedClock<>) == sizeof(std::shared_ptr<int>));
static_assert(sizeof(internal::ChunkPool<std::allocator<int>>) ==
              sizeof(void*) + sizeof(std::size_t));

// --- Results ---

template <class Ks>
concept HasTheWholeInterface = requires(Ks& ks, const Ks& reader, const typename Ks::duration ttl,
                                        const typename Ks::time_point deadline,
                                        const typename Ks::Expiry expiry, const std::string& k) {
  { ks.set(k, k) } -> std::same_as<void>;
  { ks.set(k, k, ttl) } -> std::same_as<void>;
  { ks.set(k, k, deadline) } -> std::same_as<void>;
  { ks.set(k, k, expiry) } -> std::same_as<void>;
  { ks.set(k, k, kKeep) } -> std::same_as<void>;
  { ks.set(k, k, kNever) } -> std::same_as<void>;
  { ks.set(k, k, {}) } -> std::same_as<void>;
  { ks.insert(k, k) } -> std::same_as<bool>;
  { ks.insert(k, k, ttl) } -> std::same_as<bool>;
  { ks.insert(k, k, deadline) } -> std::same_as<bool>;
  { ks.insert(k, k, expiry) } -> std::same_as<bool>;
  { ks.replace(k, k) } -> std::same_as<bool>;
  { ks.replace(k, k, ttl) } -> std::same_as<bool>;
  { ks.replace(k, k, deadline) } -> std::same_as<bool>;
  { ks.replace(k, k, expiry) } -> std::same_as<bool>;
  { ks.find(k) } -> std::same_as<std::string*>;
  { reader.find(k) } -> std::same_as<const std::string*>;
  { ks.peek(k) } -> std::same_as<const std::string*>;
  { reader.peek(k) } -> std::same_as<const std::string*>;
  { reader.get(k) } -> std::same_as<std::optional<std::string>>;
  { reader.contains(k) } -> std::same_as<bool>;
  { ks.getex(k, ttl) } -> std::same_as<std::string*>;
  { ks.getex(k, deadline) } -> std::same_as<std::string*>;
  { ks.getex(k, expiry) } -> std::same_as<std::string*>;
  { ks.getdel(k) } -> std::same_as<std::optional<std::string>>;
  { ks.erase(k) } -> std::same_as<bool>;
  { ks.pexpire(k, ttl) } -> std::same_as<bool>;
  { ks.pexpire(k, ttl, Condition::kGt) } -> std::same_as<bool>;
  { ks.pexpireat(k, deadline) } -> std::same_as<bool>;
  { ks.pexpireat(k, deadline, Condition::kGt) } -> std::same_as<bool>;
  { reader.pttl(k) } -> std::same_as<std::optional<typename Ks::duration>>;
  { reader.pexpiretime(k) } -> std::same_as<std::optional<typename Ks::time_point>>;
  { ks.persist(k) } -> std::same_as<bool>;
  { ks.rename(k, k) } -> std::same_as<bool>;
  { ks.copy(k, k) } -> std::same_as<bool>;
  { reader.size() } -> std::same_as<std::size_t>;
  { reader.volatile_size() } -> std::same_as<std::size_t>;
  { reader.empty() } -> std::same_as<bool>;
  { ks.clear() } -> std::same_as<void>;
  { ks.reserve(std::size_t{1}) } -> std::same_as<void>;
  { ks.erase_expired() } -> std::same_as<std::size_t>;
  { ks.erase_expired(std::size_t{1}) } -> std::same_as<std::size_t>;
  { reader.next_deadline() } -> std::same_as<std::optional<typename Ks::time_point>>;
};
static_assert(HasTheWholeInterface<Strings>);
static_assert(HasTheWholeInterface<Keyspace<std::string, std::string>>);

// --- Code that must not compile, beside code that must ---

// All calls that take an expiry, and at least one of them.
template <class Ks, class Time>
concept TakesAsTime = requires(Ks& ks, Time time) {
  ks.set(1, 1, time);
  ks.insert(1, 1, time);
  ks.replace(1, 1, time);
  ks.getex(1, time);
};
template <class Ks, class Time>
concept TakesAsSomeTime = requires(Ks& ks, Time time) {
  ks.set(1, 1, time);
}
|| requires(Ks& ks, Time time) { ks.insert(1, 1, time); }
|| requires(Ks& ks, Time time) { ks.replace(1, 1, time); }
|| requires(Ks& ks, Time time) { ks.getex(1, time); };
template <class Ks, class Ttl>
concept TakesAsTtl = requires(Ks& ks, Ttl ttl) {
  ks.pexpire(1, ttl);
};
template <class Ks, class Deadline>
concept TakesAsDeadline = requires(Ks& ks, Deadline deadline) {
  ks.pexpireat(1, deadline);
};

static_assert(TakesAsTime<Ints, std::chrono::milliseconds>);
static_assert(TakesAsTime<Ints, std::chrono::seconds>);
static_assert(TakesAsTime<Ints, std::chrono::hours>);
static_assert(TakesAsTime<Ints, Instant>);
static_assert(TakesAsTime<Ints, ManualClock::time_point>);
static_assert(TakesAsTime<Ints, KeepExpiry>);
static_assert(TakesAsTime<Ints, Ttl>);
static_assert(TakesAsTime<Ints, Ints::Deadline>);
static_assert(TakesAsTime<Ints, Ints::Expiry>);
static_assert(TakesAsTtl<Ints, std::chrono::milliseconds>);
static_assert(TakesAsTtl<Ints, std::chrono::seconds>);
static_assert(TakesAsDeadline<Ints, Instant>);

static_assert(!TakesAsSomeTime<Ints, int>);
static_assert(!TakesAsSomeTime<Ints, long>);
static_assert(!TakesAsSomeTime<Ints, double>);
static_assert(!TakesAsSomeTime<Ints, std::chrono::microseconds>);
static_assert(!TakesAsSomeTime<Ints, std::chrono::nanoseconds>);
static_assert(!TakesAsSomeTime<Ints, std::chrono::duration<double>>);
static_assert(
    !TakesAsSomeTime<Keyspace<int, int, std::chrono::system_clock>,
                     std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>>);
static_assert(!TakesAsSomeTime<Ints, Strings*>);
static_assert(!TakesAsTtl<Ints, int>);
static_assert(!TakesAsTtl<Ints, std::chrono::microseconds>);
static_assert(!TakesAsTtl<Ints, Instant>, "a time point is not a ttl");
static_assert(!TakesAsTtl<Ints, KeepExpiry>, "pexpire changes the expiry");
static_assert(!TakesAsDeadline<Ints, Millis>, "a ttl is not a deadline");
static_assert(!TakesAsDeadline<Ints, int>);
static_assert(!TakesAsDeadline<Ints, KeepExpiry>);
static_assert(!TakesAsDeadline<Ints, std::chrono::system_clock::time_point>);
static_assert(!TakesAsDeadline<Ints, std::chrono::sys_time<Millis>>, "another clock's time");
static_assert(!TakesAsSomeTime<Ints, std::chrono::sys_time<Millis>>, "another clock's time");

template <class Ks>
concept ChangesThroughConst = requires(const Ks& ks) {
  ks.erase(1);
}
|| requires(const Ks& ks) { ks.set(1, 1); }
|| requires(const Ks& ks) { ks.pexpire(1, Millis{1}); }
|| requires(const Ks& ks) { ks.getex(1, Millis{1}); }
|| requires(const Ks& ks) { ks.getdel(1); }
|| requires(const Ks& ks) { ks.persist(1); }
|| requires(const Ks& ks) { ks.erase_expired(); }
|| requires(const Ks& ks) { ks.clear(); };
static_assert(!ChangesThroughConst<Ints>);

// --- Clocks ---

static_assert(std::is_nothrow_copy_constructible_v<ManualClock>);
static_assert(std::is_same_v<ManualClock::time_point::duration, Millis>);

TEST_CASE("the types are what the documentation says") { SUCCEED("checked by the compiler"); }

}  // namespace
}  // namespace keyspace::testing
