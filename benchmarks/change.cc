#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "compare.h"
#include "results.h"
#include "support/catch.hpp"
#include "workload.h"

namespace {

using namespace workload;
using results::Goal;

// Stores into the value of an entry. A string is swapped with another, because writing its bytes
// would access memory outside the map. There are several other strings, so that a store does not
// wait for the previous look-up.
template <class Types>
class Storer {
 public:
  void store_into(typename Types::Value& value) {
    if constexpr (std::is_trivially_copyable_v<typename Types::Value>) {
      value = next_++;
    } else {
      std::swap(value, spares_[next_]);
      next_ = (next_ + 1) % spares_.size();
    }
  }

 private:
  using Values = std::array<typename Types::Value, 64>;
  static Values filled() {
    Values spares;
    spares.fill(typename Types::Speller().value({}));
    return spares;
  }

  Values spares_ = filled();
  std::size_t next_ = 0;
};

struct ChangeGoals {
  Goal set;
  Goal pexpire;
  Goal getex;
  Goal random;
};

template <class Types, class Clock>
void change(std::size_t keys, const std::string& note, const ChangeGoals& goals) {
  const Ids<Types> ids = random_ids<Types>(keys);
  Rotation<Types> picks(picks_of<Types>(ids));
  Bare<Types> bare = filled_bare<Types>(ids);
  Store<Types, Clock> store = filled_store<Types, Clock>(ids, same_ttl);

  const auto row = [&](const char* work, const char* baseline, Goal goal) {
    return results::Row{work + note, baseline, keys, Types::kName, goal};
  };

  compare(
      row("set over a key, with a ttl", "insert_or_assign", goals.set), Rotation<Types>::kSize,
      [&] {
        typename Types::Speller spell;
        return sum_over(picks.next(), [&](const auto& id) {
          return bare.insert_or_assign(spell.key(id), spell.value(id)).second;
        });
      },
      [&] {
        typename Types::Speller spell;
        return sum_over_time(picks.next(), store.clock(), [&](const auto& id) {
          store.set(spell.key(id), spell.value(id), kTtl);
          return 0U;
        });
      });

  const auto find_and_store = [&] {
    typename Types::Speller spell;
    Storer<Types> storer;
    return sum_over(picks.next(), [&](const auto& id) {
      const auto it = bare.find(spell.key(id));
      if (it == bare.end()) return false;
      storer.store_into(it->second);
      return true;
    });
  };
  compare(row("pexpire to a later deadline", "find and store", goals.pexpire),
          Rotation<Types>::kSize, find_and_store, [&] {
            typename Types::Speller spell;
            return sum_over_time(picks.next(), store.clock(), [&](const auto& id) {
              return store.pexpire(spell.key(id), kTtl);
            });
          });

  compare(
      row("getex", "find, store and read", goals.getex), Rotation<Types>::kSize,
      [&] {
        typename Types::Speller spell;
        Storer<Types> storer;
        return sum_over(picks.next(), [&](const auto& id) {
          const auto it = bare.find(spell.key(id));
          if (it == bare.end()) return std::uint64_t{0};
          const std::uint64_t found = read(it->second);
          storer.store_into(it->second);
          return found;
        });
      },
      [&] {
        typename Types::Speller spell;
        return sum_over_time(picks.next(), store.clock(), [&](const auto& id) {
          const auto* const value = store.getex(spell.key(id), kTtl);
          return value == nullptr ? 0 : read(*value);
        });
      });

  // This row is the last: it leaves keys with short ttls, which would expire during a later row.
  std::uint64_t run = 0;
  compare(row("pexpire to a random deadline", "find and store", goals.random),
          Rotation<Types>::kSize, find_and_store, [&] {
            ++run;
            typename Types::Speller spell;
            return sum_over(picks.next(), [&](const auto& id) {
              return store.pexpire(spell.key(id), random_ttl(Types::number(id) * (2 * run + 1)));
            });
          });
}

// Measures with the default clock, and with a clock that takes no time to read.
template <class Types>
void change(std::size_t keys, Goal pexpire) {
  change<Types, keyspace::SteadyClock>(keys, "", {{}, pexpire, {}, {}});
  change<Types, keyspace::ManualClock>(keys, ", ManualClock",
                                       {Goal::ratio_at_most(1.6), Goal::ratio_at_most(1.4),
                                        Goal::ratio_at_most(1.4), Goal::ratio_at_most(4)});
}

TEST_CASE("change numbers with 1 k keys", "[1k]") {
  change<Numbers>(1'000, Goal::ratio_at_most(4.5));
}
TEST_CASE("change numbers with 1 M keys", "[1M]") {
  change<Numbers>(1'000'000, Goal::ratio_at_most(3.2));
}
TEST_CASE("change numbers with 10 M keys", "[10M]") {
  change<Numbers>(10'000'000, Goal::ratio_at_most(3.2));
}
TEST_CASE("change strings with 1 k keys", "[1k]") { change<Strings>(1'000, {}); }
TEST_CASE("change strings with 1 M keys", "[1M]") {
  change<Strings>(1'000'000, Goal::ratio_at_most(1.5));
}
TEST_CASE("change strings with 10 M keys", "[10M]") {
  change<Strings>(10'000'000, Goal::ratio_at_most(1.5));
}

}  // namespace
