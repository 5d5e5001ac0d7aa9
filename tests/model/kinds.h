#ifndef KEYSPACE_TESTS_MODEL_KINDS_H_
#define KEYSPACE_TESTS_MODEL_KINDS_H_

// The kinds of keyspace that the model of model.h is tried with.
//
// Each says how the number of a key and of a value is spelled in its keyspace, what a key is looked
// up by, and how to read a number back.

#include <keyspace/cache.h>
#include <keyspace/clock.h>
#include <keyspace/features.h>
#include <keyspace/keyspace.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace keyspace::testing {

struct Numbers {
  using Ks = Keyspace<std::uint64_t, std::uint64_t, ManualClock>;
  static std::uint64_t key(std::uint64_t n) { return n; }
  static std::uint64_t value(std::uint64_t n) { return n; }
  static std::uint64_t number(std::uint64_t value) { return value; }
  static std::uint64_t look_up(std::uint64_t key) { return key; }
};

struct Texts {
  using Ks = Keyspace<std::string, std::string, ManualClock>;
  // Every other one needs the heap.
  static std::string spell(std::uint64_t n) {
    return std::to_string(n) +
           (n % 2 == 0 ? "" : " with a tail that is too long for a small string");
  }
  static std::string key(std::uint64_t n) { return spell(n); }
  static std::string value(std::uint64_t n) { return spell(n); }
  static std::uint64_t number(const std::string& value) { return std::stoull(value); }
  static std::string_view look_up(const std::string& key) { return key; }
};

// A hash that may throw, and values with one owner.
struct MayThrowHash {
  std::size_t operator()(int key) const {
    return static_cast<std::size_t>(key) * 0x9e3779b97f4a7c15;
  }
};
struct MoveOnly {
  using Ks = Keyspace<int, std::unique_ptr<std::uint64_t>, ManualClock, MayThrowHash>;
  static int key(std::uint64_t n) { return static_cast<int>(n); }
  static std::unique_ptr<std::uint64_t> value(std::uint64_t n) {
    return std::make_unique<std::uint64_t>(n);
  }
  static std::uint64_t number(int key) { return static_cast<std::uint64_t>(key); }
  static std::uint64_t number(const std::unique_ptr<std::uint64_t>& value) { return *value; }
  static int look_up(int key) { return key; }
};

// Keys and values whose moves may throw, though here they never do.
struct Boxed {
  struct Box {
    explicit Box(std::uint64_t n) : number(std::make_unique<std::uint64_t>(n)) {}
    Box(const Box& other) : Box(*other.number) {}
    Box(Box&& other) noexcept(false) : number(std::move(other.number)) {}
    Box& operator=(const Box& other) { return *this = Box(other); }
    Box& operator=(Box&& other) noexcept(false) {
      number = std::move(other.number);
      return *this;
    }
    ~Box() = default;
    friend bool operator==(const Box& a, const Box& b) { return *a.number == *b.number; }
    std::unique_ptr<std::uint64_t> number;
  };
  struct Hash {
    std::size_t operator()(const Box& box) const noexcept {
      return static_cast<std::size_t>(*box.number * 0x9e3779b97f4a7c15);
    }
  };
  using Ks = Keyspace<Box, Box, ManualClock, Hash>;
  static Box key(std::uint64_t n) { return Box(n); }
  static Box value(std::uint64_t n) { return Box(n); }
  static std::uint64_t number(const Box& value) { return *value.number; }
  static const Box& look_up(const Box& key) { return key; }
};

// Three hashes for all keys, so that nearly all keys share theirs with others.
struct Colliding {
  struct Hash {
    std::size_t operator()(std::uint64_t key) const noexcept { return key % 3; }
  };
  using Ks = Keyspace<std::uint64_t, std::uint64_t, ManualClock, Hash>;
  static std::uint64_t key(std::uint64_t n) { return n; }
  static std::uint64_t value(std::uint64_t n) { return n; }
  static std::uint64_t number(std::uint64_t value) { return value; }
  static std::uint64_t look_up(std::uint64_t key) { return key; }
};

// A cache of any of these, with a listener and statistics. Of weighed entries some weigh nothing.
template <class Base, class P, bool kIsWeighed = false>
struct Cached : Base {
  using Policy = P;
  using Key = typename Base::Ks::key_type;
  using Value = typename Base::Ks::mapped_type;

  static constexpr bool kIsBounded = !std::is_same_v<P, Unbounded>;
  static constexpr std::size_t kMeanWeight = kIsWeighed ? 3 : 1;
  static std::size_t weight(std::uint64_t key, std::uint64_t value) {
    return kIsWeighed ? key % 3 + value % 5 : 1;
  }

  struct Weigh {
    std::size_t operator()(const Key& key, const Value& value) const {
      return weight(Base::number(key), Base::number(value));
    }
  };
  struct Features : DefaultFeatures {
    using Policy = P;
    using Weigher = std::conditional_t<kIsWeighed, Weigh, OneEach>;
    using Listener = std::function<void(Key&&, Value&&, RemovalCause)>;
    static constexpr bool kStatistics = true;
  };
  using Ks = Cache<Key, Value, Features, ManualClock, typename Base::Ks::hasher,
                   typename Base::Ks::key_equal>;
};

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_MODEL_KINDS_H_
