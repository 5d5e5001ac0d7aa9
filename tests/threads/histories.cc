// Calls for one key must be linearizable (Herlihy and Wing, 1990): each call takes effect at one
// instant between its start and its end.

#include <keyspace/concurrent_keyspace.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/concurrent_support.h"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using SharedNumbers = ConcurrentKeyspace<int, int, ManualClock>;

enum class Action { kGet, kSet, kInsert, kReplace, kErase, kGetdel, kUpdate };
constexpr int kAbsent = -1;

// A call, the times of its start and its end, and its result: a value, or 0 and 1 for false and
// true.
struct TimedCall {
  Action action;
  int argument;
  int result;
  std::uint64_t start;
  std::uint64_t end;
};

// Makes the call on a single value. Returns true if its result would be the recorded one.
bool apply(const TimedCall& call, int& value) {
  const bool is_there = value != kAbsent;
  switch (call.action) {
    case Action::kGet:
      return call.result == value;
    case Action::kSet:
      value = call.argument;
      return true;
    case Action::kInsert:
      if (!is_there) value = call.argument;
      return call.result == !is_there;
    case Action::kReplace:
      if (is_there) value = call.argument;
      return call.result == is_there;
    case Action::kErase:
      value = kAbsent;
      return call.result == is_there;
    case Action::kGetdel:
      return call.result == std::exchange(value, kAbsent);
    case Action::kUpdate:
      if (is_there) value += 1'000'000;
      return call.result == is_there;
  }
  return false;
}

// Searches for an order of calls that explains all results. In this order a call comes after all
// calls that ended before it began.
class Checker {
 public:
  explicit Checker(std::vector<TimedCall> calls) : calls_(std::move(calls)) {}
  bool is_linearizable(int value) { return search(0, value); }

 private:
  bool search(std::uint64_t done, int value) {
    if (done + 1 == std::uint64_t{1} << calls_.size()) return true;
    if (!seen_.insert({done, value}).second) return false;
    std::uint64_t first_end = ~std::uint64_t{0};
    for (std::size_t i = 0; i != calls_.size(); ++i) {
      if ((done >> i & 1) == 0) first_end = std::min(first_end, calls_[i].end);
    }
    for (std::size_t i = 0; i != calls_.size(); ++i) {
      if ((done >> i & 1) != 0 || calls_[i].start > first_end) continue;
      int next = value;
      if (apply(calls_[i], next) && search(done | std::uint64_t{1} << i, next)) return true;
    }
    return false;
  }

  std::vector<TimedCall> calls_;
  std::set<std::pair<std::uint64_t, int>> seen_;
};

TimedCall make_call(SharedNumbers& ks, int key, Action action, int argument,
                    std::atomic<std::uint64_t>& time) {
  TimedCall call{action, argument, 0, ++time, 0};
  if (argument % 3 == 0) std::this_thread::yield();  // so that calls overlap on one processor too
  switch (action) {
    case Action::kGet:
      call.result = ks.get(key).value_or(kAbsent);
      break;
    case Action::kSet:
      ks.set(key, argument, 1h);
      break;
    case Action::kInsert:
      call.result = ks.insert(key, argument);
      break;
    case Action::kReplace:
      call.result = ks.replace(key, argument, 2h);
      break;
    case Action::kErase:
      call.result = ks.erase(key);
      break;
    case Action::kGetdel:
      call.result = ks.getdel(key).value_or(kAbsent);
      break;
    case Action::kUpdate:
      call.result = ks.update(key, [](int& value) { value += 1'000'000; });
  }
  call.end = ++time;
  return call;
}

bool have_overlap(std::vector<TimedCall> calls) {
  std::sort(calls.begin(), calls.end(),
            [](const TimedCall& a, const TimedCall& b) { return a.start < b.start; });
  return std::adjacent_find(calls.begin(), calls.end(), [](const TimedCall& a, const TimedCall& b) {
           return b.start < a.end;
         }) != calls.end();
}

TEST_CASE("the checker of histories accepts linearizable histories, and no others", "[threads]") {
  const auto is_possible = [](const std::vector<TimedCall>& calls) {
    return Checker(calls).is_linearizable(kAbsent);
  };
  CHECK(is_possible({{Action::kSet, 1, 0, 1, 2}, {Action::kGet, 0, 1, 3, 4}}));
  CHECK_FALSE(is_possible({{Action::kSet, 1, 0, 1, 2}, {Action::kGet, 0, kAbsent, 3, 4}}));
  CHECK(is_possible({{Action::kSet, 1, 0, 1, 4}, {Action::kGet, 0, kAbsent, 2, 3}}));
  CHECK_FALSE(is_possible({{Action::kInsert, 1, 1, 1, 4}, {Action::kInsert, 2, 1, 2, 3}}));
  CHECK_FALSE(is_possible(
      {{Action::kSet, 1, 0, 1, 2}, {Action::kGetdel, 0, 1, 3, 6}, {Action::kGetdel, 0, 1, 4, 5}}));
}

TEST_CASE("the history of each key under contention is linearizable", "[threads]") {
  constexpr int kThreads = 3;
  constexpr int kCalls = 6;  // by each thread, for each key
  constexpr std::size_t kKeys = 4;
  int overlaps = 0;
  for (unsigned round = 0; round != 400; ++round) {
    SharedNumbers ks({.shards = round % 2 == 0 ? 1U : 4U});
    std::atomic<std::uint64_t> time = 0;
    std::array<std::array<std::vector<TimedCall>, kKeys>, kThreads> calls;
    on_threads(kThreads, [&](int thread) {
      std::mt19937 random(round * 100 + static_cast<unsigned>(thread));
      for (int i = 0; i != kCalls * static_cast<int>(kKeys); ++i) {
        const std::size_t key = static_cast<std::size_t>(i) % kKeys;
        calls[static_cast<std::size_t>(thread)][key].push_back(make_call(
            ks, static_cast<int>(key), static_cast<Action>(random() % 7), thread * 1000 + i, time));
      }
    });
    for (std::size_t key = 0; key != kKeys; ++key) {
      std::vector<TimedCall> for_key;
      for (const auto& by_thread : calls) {
        for_key.insert(for_key.end(), by_thread[key].begin(), by_thread[key].end());
      }
      CAPTURE(round, key);
      REQUIRE(Checker(for_key).is_linearizable(kAbsent));
      overlaps += have_overlap(for_key);
    }
  }
  CHECK(overlaps > 100);
}

TEST_CASE("a rename between shards takes effect at one instant", "[threads]") {
  // One thread renames an entry back and forth. The others copy it from both keys.
  constexpr int kRounds = 20'000;
  int other = 1;
  while (!are_apart<SharedNumbers>(8, 0, other)) ++other;
  SharedNumbers ks({.shards = 8});
  ks.set(0, 7, 1h);
  std::atomic<bool> is_over = false;
  std::atomic<int> lost = 0;
  on_threads(3, [&](int thread) {
    if (thread == 0) {
      for (int i = 0; i != kRounds; ++i)
        lost += !ks.rename(i % 2 == 0 ? 0 : other, i % 2 == 0 ? other : 0);
      is_over = true;
    } else {
      while (!is_over) {
        const int target = 1000 + thread;
        ks.copy(0, target);
        ks.copy(other, target);
        ks.erase(target);
      }
    }
  });
  CHECK(lost == 0);
  CHECK(ks.size() == 1);
  CHECK(ks.get(0) == 7);
  CHECK(ks.pttl(0) == 1h);
}

TEST_CASE("renames and copies in opposite directions do not deadlock", "[threads]") {
  constexpr int kKeys = 8;
  ConcurrentKeyspace<int, int, ManualClock> ks({.shards = 8});
  for (int key = 0; key != kKeys; ++key) ks.set(key, key, 1h);
  on_threads(4, [&](int thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    for (int i = 0; i != 20'000; ++i) {
      const int from = static_cast<int>(random() % kKeys);
      const int to = static_cast<int>(random() % kKeys);
      if (random() % 2 == 0) {
        ks.rename(from, to);
      } else {
        ks.copy(from, to);
      }
    }
  });
  CHECK(live_count(ks) == ks.size());
  CHECK(ks.size() >= 1);
  CHECK(internal::TestPeer::broken_in_shards(ks).empty());
}

}  // namespace
}  // namespace keyspace::testing
