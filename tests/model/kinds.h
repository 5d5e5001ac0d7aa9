#ifndef KEYSPACE_TESTS_MODEL_KINDS_H_
#define KEYSPACE_TESTS_MODEL_KINDS_H_

// The kinds of keyspace that model.h checks.
//
// The model knows keys and values as numbers. Each kind makes a key and a value of a number, makes
// the argument that looks up a key, and reads the number back.

#include <keyspace/cache.h>
#include <keyspace/clock.h>
#include <keyspace/keyspace.h>
#include <keyspace/options.h>
#include <keyspace/policy.h>
#include <keyspace/removal.h>

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
  // Every second text needs an allocation.
  static std::string spell(std::uint64_t n) {
    return std::to_string(n) +
           (n % 2 == 0 ? "" : " with a tail that is too long for a small string");
  }
  static std::string key(std::uint64_t n) { return spell(n); }
  static std::string value(std::uint64_t n) { return spell(n); }
  static std::uint64_t number(const std::string& value) { return std::stoull(value); }
  static std::string_view look_up(const std::string& key) { return key; }
};

// A hash that may throw, and move-only values.
struct MayThrowHash {
  std::size_t operator()(int key) const {
    return static_cast<std::size_t>(key) * 0x9e3779b97f4a7c15;
  }
};
struct MoveOnly {
  using Ks = Keyspace<int, std::unique_ptr<std::uint64_t>, ManualClock, WithHash<MayThrowHash>>;
  static int key(std::uint64_t n) { return static_cast<int>(n); }
  static std::unique_ptr<std::uint64_t> value(std::uint64_t n) {
    return std::make_unique<std::uint64_t>(n);
  }
  static std::uint64_t number(int key) { return static_cast<std::uint64_t>(key); }
  static std::uint64_t number(const std::unique_ptr<std::uint64_t>& value) { return *value; }
  static int look_up(int key) { return key; }
};

// Keys and values whose moves are not noexcept, but never throw here.
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
  using Ks = Keyspace<Box, Box, ManualClock, WithHash<Hash>>;
  static Box key(std::uint64_t n) { return Box(n); }
  static Box value(std::uint64_t n) { return Box(n); }
  static std::uint64_t number(const Box& value) { return *value.number; }
  static const Box& look_up(const Box& key) { return key; }
};

// There are only three hashes, so nearly all keys share a hash with other keys.
struct Colliding {
  struct Hash {
    std::size_t operator()(std::uint64_t key) const noexcept { return key % 3; }
  };
  using Ks = Keyspace<std::uint64_t, std::uint64_t, ManualClock, WithHash<Hash>>;
  static std::uint64_t key(std::uint64_t n) { return n; }
  static std::uint64_t value(std::uint64_t n) { return n; }
  static std::uint64_t number(std::uint64_t value) { return value; }
  static std::uint64_t look_up(std::uint64_t key) { return key; }
};

// A cache of one of these kinds, with a listener and statistics. Some weighed entries weigh 0.
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
  using Listener = std::function<void(Key&&, Value&&, RemovalCause)>;
  using Hashing = WithHash<typename Base::Ks::hasher, typename Base::Ks::key_equal>;
  // CacheType is Cache or ConcurrentCache.
  template <template <class, class, class...> class CacheType, class... Options>
  using CacheWith = CacheType<Key, Value, P, Hashing, WithListener<Listener>, WithStatistics,
                              ManualClock, Options...>;
  template <template <class, class, class...> class CacheType>
  using In = std::conditional_t<kIsWeighed, CacheWith<CacheType, WithWeigher<Weigh>>,
                                CacheWith<CacheType>>;
  using Ks = In<Cache>;
};

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_MODEL_KINDS_H_
