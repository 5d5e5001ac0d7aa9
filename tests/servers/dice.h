#ifndef KEYSPACE_TESTS_SERVERS_DICE_H_
#define KEYSPACE_TESTS_SERVERS_DICE_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <random>
#include <string_view>

// Random choices, the same for the same seed.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  std::mt19937_64& random() { return random_; }

  bool chance(int percent) { return number(1, 100) <= percent; }

  // Returns a number from `least` to `greatest`.
  std::int64_t number(std::int64_t least, std::int64_t greatest) {
    return std::uniform_int_distribution<std::int64_t>(least, greatest)(random_);
  }

  template <class Items>
  auto pick(const Items& items) -> decltype(items[0]) {
    return items[static_cast<std::size_t>(number(0, std::ssize(items) - 1))];
  }
  std::string_view pick(std::initializer_list<std::string_view> items) {
    return items.begin()[number(0, std::ssize(items) - 1)];
  }

 private:
  std::mt19937_64 random_;
};

#endif  // KEYSPACE_TESTS_SERVERS_DICE_H_
