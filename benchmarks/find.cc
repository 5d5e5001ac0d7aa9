#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "compare.h"
#include "results.h"
#include "support/catch.hpp"
#include "workload.h"

namespace {

using namespace workload;
using results::Goal;

template <class Types>
std::uint64_t find_all(const Bare<Types>& bare, std::span<const typename Types::Id> ids) {
  typename Types::Speller spell;
  return sum_over(ids, [&](const auto& id) {
    const auto it = bare.find(spell.key(id));
    return it == bare.end() ? 0 : read(it->second);
  });
}
template <class Types, class Clock>
std::uint64_t find_all(const Store<Types, Clock>& store, std::span<const typename Types::Id> ids) {
  typename Types::Speller spell;
  return sum_over(ids, [&](const auto& id) {
    const auto* const value = store.find(spell.key(id));
    return value == nullptr ? 0 : read(*value);
  });
}

// The goals of the rows for persistent, volatile and absent keys.
struct Goals {
  Goal persistent;
  Goal expiring;
  Goal absent;
};

template <class Types, class Clock>
void find(std::size_t keys, const std::string& note, const Goals& goals) {
  const Ids<Types> ids = random_ids<Types>(keys);
  Rotation<Types> picks(picks_of<Types>(ids));
  Rotation<Types> strangers(absent_ids<Types>());
  const Bare<Types> bare = filled_bare<Types>(ids);

  const auto row = [&](const char* work, Goal goal) {
    return results::Row{work + note, "find", keys, Types::kName, goal};
  };
  const auto find_bare = [&bare](Rotation<Types>& wanted) {
    return [&] { return find_all<Types>(bare, wanted.next()); };
  };
  const auto find_in = [](const auto& store, Rotation<Types>& wanted) {
    return [&] { return find_all<Types, Clock>(store, wanted.next()); };
  };
  {
    const auto store = filled_store<Types, Clock>(ids, no_ttl);
    compare(row("find persistent", goals.persistent), Rotation<Types>::kSize, find_bare(picks),
            find_in(store, picks));
  }
  {
    const auto store = filled_store<Types, Clock>(ids, same_ttl);
    compare(row("find volatile", goals.expiring), Rotation<Types>::kSize, find_bare(picks),
            find_in(store, picks));
    compare(row("find absent", goals.absent), Rotation<Types>::kSize, find_bare(strangers),
            find_in(store, strangers));
  }
}

// Measures with the default clock, and with a clock that takes no time to read.
template <class Types>
void find(std::size_t keys, Goal expiring) {
  find<Types, keyspace::SteadyClock>(
      keys, "", {Goal::ratio_at_most(1.10), expiring, Goal::ratio_at_most(1.10)});
  find<Types, keyspace::ManualClock>(
      keys, ", ManualClock",
      {Goal::ratio_at_most(1.10), Goal::ratio_at_most(1.20), Goal::ratio_at_most(1.10)});
}

TEST_CASE("find numbers with 1 k keys", "[1k]") { find<Numbers>(1'000, Goal::ratio_at_most(4)); }
TEST_CASE("find numbers with 1 M keys", "[1M]") {
  find<Numbers>(1'000'000, Goal::ratio_at_most(2.2));
}
TEST_CASE("find numbers with 10 M keys", "[10M]") {
  find<Numbers>(10'000'000, Goal::ratio_at_most(2.2));
}
TEST_CASE("find strings with 1 k keys", "[1k]") { find<Strings>(1'000, {}); }
TEST_CASE("find strings with 1 M keys", "[1M]") {
  find<Strings>(1'000'000, Goal::ratio_at_most(1.5));
}
TEST_CASE("find strings with 10 M keys", "[10M]") {
  find<Strings>(10'000'000, Goal::ratio_at_most(1.5));
}

}  // namespace
