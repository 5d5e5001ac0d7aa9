#ifndef KEYSPACE_TESTS_SUPPORT_SUPPORT_H_
#define KEYSPACE_TESTS_SUPPORT_SUPPORT_H_

// Shared by several tests: short names for times; see(), which compares all readers of a key;
// clocks that count or tick coarsely; and types that count or throw.

#include <keyspace/clock.h>
#include <keyspace/keyspace.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace keyspace::testing {

using Millis = std::chrono::milliseconds;
using Instant = ManualClock::time_point;
using Strings = Keyspace<std::string, std::string, ManualClock>;
using Ints = Keyspace<int, int, ManualClock>;

// The deadline of a persistent key, and the latest one a volatile key can have.
inline constexpr Instant kNoDeadline = Instant::max();
inline constexpr Instant kLastDeadline = Instant::max() - Millis{1};

constexpr Instant at(std::int64_t ms) { return Instant{Millis{ms}}; }

// --- Looking at a keyspace -----------------------------------------------------------------------

template <class Value, class TimePoint>
struct Seen {
  Value value;
  TimePoint deadline;

  friend bool operator==(const Seen&, const Seen&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Seen& seen) {
    return out << '"' << seen.value << "\" until " << seen.deadline.time_since_epoch().count();
  }
};

// The live entries of a keyspace of strings, as for_each() reports them.
using Visible = std::map<std::string, Seen<std::string, Instant>>;

template <class Value>
Seen<Value, Instant> entry(Value value, Instant deadline = kNoDeadline) {
  return {std::move(value), deadline};
}
inline Seen<std::string, Instant> entry(const char* value, Instant deadline = kNoDeadline) {
  return {value, deadline};
}

// Reads `key` with every const reader and returns the common result. Throws if two readers
// disagree. So each test of one operation also tests every reader.
template <class Ks, class Key>
auto see(const Ks& ks, const Key& key) {
  using TimePoint = typename Ks::time_point;
  using Value = typename Ks::mapped_type;
  const auto insist = [](bool agreed, const char* what) {
    if (!agreed) throw std::logic_error(what);
  };

  const Value* const found = ks.peek(key);
  const std::optional<TimePoint> deadline = ks.pexpiretime(key);
  const std::optional<typename Ks::duration> ttl = ks.pttl(key);
  if constexpr (requires { ks.find(key); }) {
    insist(ks.find(key) == found, "find and peek disagree");
  }
  insist(ks.contains(key) == (found != nullptr), "contains and peek disagree");
  insist(deadline.has_value() == (found != nullptr), "pexpiretime and peek disagree");
  insist(ttl.has_value() == (found != nullptr), "pttl and peek disagree");
  if constexpr (std::is_copy_constructible_v<Value>) {
    if constexpr (requires { ks.get(key); }) {  // else it is a request
      const std::optional<Value> got = ks.get(key);
      insist(got.has_value() == (found != nullptr), "get and peek disagree");
      if (found != nullptr) insist(*got == *found, "get and peek disagree on the value");
    }
  }
  if (found != nullptr) {
    insist((*ttl == Ks::kNever) == (*deadline == TimePoint::max()),
           "pttl and pexpiretime disagree");
    insist(*ttl > Ks::duration::zero(), "a live key has no time left");
  }
  int visits = 0;
  ks.for_each([&](const auto& visited, const Value& value, TimePoint until) {
    if (!(visited == key)) return;
    ++visits;
    insist(&value == found, "for_each and peek disagree on the value");
    insist(deadline == until, "for_each and pexpiretime disagree");
  });
  insist(visits == (found != nullptr ? 1 : 0), "for_each and peek disagree");

  if constexpr (std::is_copy_constructible_v<Value>) {
    using Result = std::optional<Seen<Value, TimePoint>>;
    return found == nullptr ? Result{} : Result{Seen<Value, TimePoint>{*found, *deadline}};
  } else {
    return deadline;
  }
}

// Returns the number of entries that for_each() shows.
template <class Ks>
std::size_t live_count(const Ks& ks) {
  std::size_t count = 0;
  ks.for_each([&](const auto&, const auto&, auto) { ++count; });
  return count;
}

// --- Clocks --------------------------------------------------------------------------------------

// A ManualClock that counts its readings; copies share time and count.
class CountingClock {
 public:
  Instant now() const {
    ++*reads_;
    return clock_.now();
  }
  void advance(Millis by) const { clock_.advance(by); }
  void set(Instant to) const { clock_.set(to); }

  // Returns the number of readings since the last time it was asked.
  int take_reads() const { return std::exchange(*reads_, 0); }

 private:
  ManualClock clock_;
  std::shared_ptr<int> reads_ = std::make_shared<int>(0);
};

// A clock that ticks in `Duration` and stands still until it is set. Copies share one time.
template <class Duration>
class FakeClock {
 public:
  using duration = Duration;
  using rep = typename Duration::rep;
  using period = typename Duration::period;
  using time_point = std::chrono::time_point<FakeClock>;
  static constexpr bool is_steady = false;

  time_point now() const { return *now_; }
  void set(Duration since_epoch) const { *now_ = time_point{since_epoch}; }
  void advance(Duration by) const { *now_ += by; }

 private:
  std::shared_ptr<time_point> now_ = std::make_shared<time_point>();
};

// --- Types that throw ----------------------------------------------------------------------------

struct Blown : std::exception {
  const char* what() const noexcept override { return "the fuse blew"; }
};

// One countdown for all operations that may throw. A test that arms it with 0, 1, 2, ... interrupts
// a call at every point at which it can be interrupted.
class Fuse {
 public:
  // The operation after the next `more` ones throws, once.
  static void arm(int more) { left_ = more; }
  static void disarm() { left_ = -1; }
  static void burn() {
    if (left_ >= 0 && left_-- == 0) throw Blown{};
  }

 private:
  static inline int left_ = -1;
};

enum class Throws {
  kNever,
  kOnCopy,        // constructing from an int, copying, copy assignment
  kOnCopyOrMove,  // those, and both moves, which are then not noexcept
};

// An int on the heap, so that a sanitizer reports a leak or a second destruction. The id of a
// moved-from object is -1.
template <Throws kThrows>
class Fragile {
 public:
  explicit Fragile(int id) : id_(burn_on_copy(id)) {}
  Fragile(const Fragile& other) : id_(burn_on_copy(other.id())) {}
  Fragile(Fragile&& other) noexcept(kMoves) : id_((burn_on_move(), std::move(other.id_))) {}
  Fragile& operator=(const Fragile& other) {
    id_ = burn_on_copy(other.id());
    return *this;
  }
  Fragile& operator=(Fragile&& other) noexcept(kMoves) {
    burn_on_move();
    id_ = std::move(other.id_);
    return *this;
  }
  ~Fragile() = default;

  int id() const { return id_ == nullptr ? -1 : *id_; }
  friend bool operator==(const Fragile& a, const Fragile& b) { return a.id() == b.id(); }
  friend std::ostream& operator<<(std::ostream& out, const Fragile& f) { return out << f.id(); }

 private:
  static constexpr bool kMoves = kThrows != Throws::kOnCopyOrMove;
  static std::unique_ptr<int> burn_on_copy(int id) {
    if constexpr (kThrows != Throws::kNever) Fuse::burn();
    return std::make_unique<int>(id);
  }
  static void burn_on_move() noexcept(kMoves) {
    if constexpr (!kMoves) Fuse::burn();
  }

  std::unique_ptr<int> id_;
};

struct FragileHash {
  template <Throws kThrows>
  std::size_t operator()(const Fragile<kThrows>& key) const {
    Fuse::burn();
    return std::hash<int>{}(key.id()) * 0x9e3779b97f4a7c15u;
  }
};

struct FragileEq {
  template <Throws kThrows>
  bool operator()(const Fragile<kThrows>& a, const Fragile<kThrows>& b) const {
    Fuse::burn();
    return a == b;
  }
};

// --- Types that count ----------------------------------------------------------------------------

// How often the counting functors were called since the last take_work().
struct Work {
  std::size_t hashes = 0;
  std::size_t equals = 0;
};
inline Work work_so_far;
inline Work take_work() { return std::exchange(work_so_far, Work{}); }

// `kNoexcept` decides whether a table may call the functor again when it grows.
template <bool kNoexcept>
struct CountingHash {
  std::size_t operator()(std::uint64_t key) const noexcept(kNoexcept) {
    ++work_so_far.hashes;
    key *= 0x9e3779b97f4a7c15u;
    return static_cast<std::size_t>(key ^ (key >> 32));
  }
};

struct CountingEq {
  bool operator()(std::uint64_t a, std::uint64_t b) const noexcept {
    ++work_so_far.equals;
    return a == b;
  }
};

// Counts the allocations of all allocators that refer to it.
struct Ledger {
  // A block is large from this many bytes on.
  static constexpr std::size_t kLarge = std::size_t{512} << 10;
  std::size_t bytes = 0;
  std::size_t allocations = 0;
  std::size_t deallocations = 0;
  std::size_t large_allocations = 0;
  std::size_t large_blocks = 0;
  std::size_t most_large_blocks = 0;
  bool fragile = false;  // whether an allocation burns the Fuse
};

template <class T>
class LedgerAllocator {
 public:
  using value_type = T;
  using propagate_on_container_copy_assignment = std::true_type;
  using propagate_on_container_move_assignment = std::true_type;
  using propagate_on_container_swap = std::true_type;

  explicit LedgerAllocator(Ledger& ledger) noexcept : ledger_(&ledger) {}
  template <class U>
  LedgerAllocator(const LedgerAllocator<U>& other) noexcept : ledger_(other.ledger_) {}

  T* allocate(std::size_t n) {
    if (ledger_->fragile) Fuse::burn();
    T* const memory = std::allocator<T>{}.allocate(n);
    ledger_->bytes += n * sizeof(T);
    ++ledger_->allocations;
    if (n * sizeof(T) >= Ledger::kLarge) {
      ++ledger_->large_allocations;
      ledger_->most_large_blocks =
          std::max<std::size_t>(ledger_->most_large_blocks, ++ledger_->large_blocks);
    }
    return memory;
  }
  void deallocate(T* memory, std::size_t n) noexcept {
    ledger_->bytes -= n * sizeof(T);
    ++ledger_->deallocations;
    if (n * sizeof(T) >= Ledger::kLarge) --ledger_->large_blocks;
    std::allocator<T>{}.deallocate(memory, n);
  }

  template <class U>
  friend bool operator==(const LedgerAllocator& a, const LedgerAllocator<U>& b) noexcept {
    return a.ledger_ == b.ledger_;
  }

 private:
  template <class U>
  friend class LedgerAllocator;
  Ledger* ledger_;
};

// Gives all keys the same hash.
struct OneHash {
  template <class Key>
  std::size_t operator()(const Key&) const noexcept {
    return 7;
  }
};

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_SUPPORT_SUPPORT_H_
