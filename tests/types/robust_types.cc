#include <chrono>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <new>
#include <string>
#include <utility>

#include "keyspace/keyspace.h"
#include "support/catch.hpp"
#include "support/invariants.h"
#include "support/support.h"

// Clocks, hashes, allocators and values of an unusual kind.

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// A clock that counts in doubles.
struct RealClock {
  using duration = std::chrono::duration<double>;
  using time_point = std::chrono::time_point<RealClock, duration>;
  time_point now() const { return time_point(duration(*seconds)); }
  const double* seconds;
};

TEST_CASE("a clock that counts in doubles is rounded down and saturates") {
  double seconds = -0.0005;
  Keyspace<int, int, RealClock> ks{RealClock{&seconds}};
  using TimePoint = decltype(ks)::time_point;
  ks.set(1, 1, 1ms);
  CHECK(ks.pexpiretime(1) == TimePoint(0ms));
  seconds = 0;
  CHECK(!ks.contains(1));

  ks.set(2, 2, TimePoint::max() - 1ms);
  seconds = 1e300;
  CHECK(!ks.contains(2));
  ks.set(3, 3);
  CHECK(ks.contains(3));
  seconds = -1e300;
  ks.set(4, 4, 1ms);
  CHECK(ks.pexpiretime(4) == TimePoint::min() + 1ms);
}

TEST_CASE("a ttl too long for any time is the latest deadline, also before the epoch") {
  Keyspace<int, int, ManualClock> ks{ManualClock(ManualClock::time_point(-1s))};
  ks.set(1, 1, std::chrono::hours::max());
  CHECK(ks.pexpiretime(1) == ManualClock::time_point::max() - 1ms);
  CHECK(!ks.pexpireat(1, ManualClock::time_point::max() - 1ms, Condition::kGt));
}

TEST_CASE("a ttl of the smallest number of hours is over") {
  Keyspace<int, int, ManualClock> ks;
  ks.set(1, 1);
  CHECK(ks.pexpire(1, std::chrono::hours::min() + 1h));
  CHECK(!ks.contains(1));
}

TEST_CASE("a ttl of zero is over, although the clock shows the latest time") {
  Ints ks{ManualClock(Instant::max())};
  ks.set(1, 1, 0ms);
  CHECK_FALSE(ks.contains(1));
  ks.set(2, 2);
  CHECK(ks.pexpire(2, 0ms));
  CHECK_FALSE(ks.contains(2));
}

// Trivially copyable. Its constructor moves from the argument.
struct Released {
  explicit Released(std::unique_ptr<int>&& owner) noexcept : number(owner.release()) {}
  int* number;
};

TEST_CASE("a value is constructed from its argument once, and not if it is refused") {
  Keyspace<int, Released, ManualClock> ks;
  ks.reserve(10);
  const auto set = [&](int number) { ks.set(1, std::make_unique<int>(number), 1h); };
  const auto take = [&] { return std::unique_ptr<int>(ks.find(1)->number); };
  set(1);
  CHECK(*take() == 1);
  set(2);
  const auto second = take();
  REQUIRE(second != nullptr);
  CHECK(*second == 2);
  auto third = std::make_unique<int>(3);
  CHECK_FALSE(ks.insert(1, std::move(third), 1h));
  CHECK(third != nullptr);
}

// Prefers its template to a copy, unless the argument is const or an rvalue.
struct Reference {
  template <class T>
  explicit Reference(T&& object) noexcept : address(std::addressof(object)) {}
  Reference(const Reference&) = default;
  Reference(Reference&&) = default;
  Reference& operator=(const Reference&) = default;
  const void* address;
};

TEST_CASE("a value that can be constructed from anything is copied from a value of its type") {
  Keyspace<int, Reference, ManualClock> ks;
  ks.reserve(10);
  const int object = 0;
  ks.set(1, object);
  CHECK(ks.find(1)->address == &object);
  ks.set(2, Reference(object), 1h);
  CHECK(ks.find(2)->address == &object);
}

// Trivially copyable, but its copies are not noexcept. Some compilers ignore that.
struct MayThrow {
  MayThrow(int n) noexcept : number(n) {}  // NOLINT(google-explicit-constructor)
  MayThrow(const MayThrow&) noexcept(false) = default;
  MayThrow& operator=(const MayThrow&) = default;
  int number;
};

// Trivially copyable, but construction and assignment from an object that is not const differ.
struct GreedyWord {
  explicit GreedyWord(int a_number) : number(a_number) {}
  GreedyWord(const GreedyWord&) = default;
  GreedyWord(GreedyWord&&) = default;
  GreedyWord& operator=(const GreedyWord&) = default;
  GreedyWord& operator=(GreedyWord&&) = default;
  template <class U>
  GreedyWord(U&&) noexcept : number(-1) {}  // NOLINT: greedy, and implicit by design
  template <class U>
  GreedyWord& operator=(U&&) noexcept {  // NOLINT: greedy by design
    number = -2;
    return *this;
  }
  int number;
};
static_assert(std::is_trivially_copyable_v<GreedyWord>);

TEST_CASE("a trivial value is copied and assigned as a const object") {
  Keyspace<int, GreedyWord, ManualClock> ks;
  ks.reserve(100);
  const GreedyWord one(1);
  ks.set(1, one);
  CHECK(ks.find(1)->number == 1);
  ks.set(1, GreedyWord(7));
  CHECK(ks.find(1)->number == 7);
  ks.set(1, one, 1s);
  CHECK(ks.find(1)->number == 1);
}

TEST_CASE("a value with a trivial copy that may throw is stored or not when memory runs out") {
  using Allocator = LedgerAllocator<std::pair<const int, MayThrow>>;
  Ledger ledger;
  Keyspace<int, MayThrow, ManualClock, WithAllocator<Allocator>> ks(
      {.allocator = Allocator(ledger)});
  ks.reserve(100);
  ledger.fragile = true;
  Fuse::arm(0);
  try {
    ks.set(1, 7);
  } catch (const Blown&) {
    CHECK(ks.empty());
  }
  Fuse::disarm();
  for (int i = 0; i != 200; ++i) ks.set(i, i, 1h);
  CHECK(ks.size() == 200);
  CHECK(ks.find(150)->number == 150);
}

TEST_CASE("a hash and an equality may be lambdas with captures") {
  std::uint64_t factor = 0x9e3779b97f4a7c15u;
  const auto hash = [factor](int key) noexcept {
    return static_cast<std::size_t>(static_cast<std::uint64_t>(key) * factor);
  };
  const auto equal = [factor](int a, int b) { return factor != 0 && a == b; };
  using Hash = std::remove_const_t<decltype(hash)>;
  using Equal = std::remove_const_t<decltype(equal)>;
  Keyspace<int, int, ManualClock, WithHash<Hash, Equal>> ks({.hash = hash, .equal = equal});
  for (int key = 0; key < 1000; ++key) ks.set(key, -key, 1h);
  auto moved = std::move(ks);
  ks = std::move(moved);
  CHECK(*ks.find(999) == -999);
  CHECK(ks.size() == 1000);
  check_invariants(ks);
}

TEST_CASE("a keyspace with a memory resource moves together with its memory") {
  using Allocator = std::pmr::polymorphic_allocator<std::pair<const int, int>>;
  using Ks = Keyspace<int, int, ManualClock, WithAllocator<Allocator>>;
  using TimePoint = Ks::time_point;
  const TimePoint far(std::chrono::milliseconds(std::int64_t{1} << 61));
  std::pmr::unsynchronized_pool_resource kept;
  Ks ks({.allocator = Allocator(&kept)});
  {
    std::pmr::unsynchronized_pool_resource destroyed;
    Ks target({.allocator = Allocator(&destroyed)});
    for (int key = 0; key < 100; ++key) {
      target.set(key, key, far);
      ks.set(key, -key, far - milliseconds(key));
    }
    target = std::move(ks);
    ks = std::move(target);
  }
  CHECK(ks.size() == 100);
  CHECK(ks.pexpiretime(7) == far - 7ms);
  CHECK(ks.empty() == false);
  check_invariants(ks);
}

// An allocator that throws while *off is true.
template <class T>
struct Switch {
  using value_type = T;
  explicit Switch(const bool* is_off) : off(is_off) {}
  template <class U>
  Switch(const Switch<U>& other) : off(other.off) {}  // NOLINT: allocators convert
  T* allocate(std::size_t count) {
    if (*off) throw std::bad_alloc();
    return std::allocator<T>().allocate(count);
  }
  void deallocate(T* memory, std::size_t count) { std::allocator<T>().deallocate(memory, count); }
  bool operator==(const Switch&) const = default;
  const bool* off;
};

using SwitchAllocator = Switch<std::pair<const int, int>>;
using SwitchKs = Keyspace<int, int, ManualClock, WithAllocator<SwitchAllocator>>;

TEST_CASE("a map at a constant size allocates in no insertion") {
  for (int fill = 1; fill < 1000; fill += 3) {
    bool off = false;
    SwitchKs ks({.allocator = SwitchAllocator(&off)});
    for (int key = 0; key < fill; ++key) ks.set(key, key);
    off = true;
    for (int key = fill; key < fill + 2000; ++key) {
      ks.erase(key - fill);
      try {
        ks.set(key, key);
      } catch (const std::bad_alloc&) {  // the map must grow, which may fail; no entry is lost
        off = false;
        ks.set(key, key);
        off = true;
      }
    }
    REQUIRE(ks.size() == static_cast<std::size_t>(fill));
  }
}

TEST_CASE("after reserve no insertion of that many entries allocates") {
  for (int size = 1; size < 2000; ++size) {
    bool off = false;
    SwitchKs ks({.allocator = SwitchAllocator(&off)});
    ks.reserve(static_cast<std::size_t>(size));
    off = true;
    for (int key = 0; key < size; ++key) ks.set(key, key);
    REQUIRE(ks.size() == static_cast<std::size_t>(size));
  }
}

TEST_CASE("filling a keyspace grows it by doubling") {
  bool off = false;
  SwitchKs ks({.allocator = SwitchAllocator(&off)});
  int grown = 0;
  for (int key = 0; key < 100'000; ++key) {
    off = true;
    try {
      ks.set(key, key);
    } catch (const std::bad_alloc&) {
      ++grown;
      off = false;
      ks.set(key, key);
    }
  }
  CHECK(grown < 25);
}

}  // namespace
}  // namespace keyspace::testing
