#ifndef KEYSPACE_TESTS_MODEL_COMPARISON_H_
#define KEYSPACE_TESTS_MODEL_COMPARISON_H_

#include <keyspace/clock.h>
#include <keyspace/features.h>
#include <keyspace/statistics.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "model/byte_stream.h"
#include "model/reference_model.h"
#include "support/invariants.h"
#include "support/support.h"

namespace keyspace::testing {

// Thrown where the two disagree.
struct Mismatch : std::logic_error {
  using std::logic_error::logic_error;
};

// Throws Mismatch unless `held`.
inline void insist(bool held, const char* what) {
  if (!held) throw Mismatch(what);
}

// A keyspace beside its reference model, and the checks that compare the two.
template <class Config>
class Comparison : protected OperationStream, protected ReferenceModel {
 protected:
  using Ks = typename Config::Ks;
  using Key = decltype(Config::key(0));
  using Value = decltype(Config::value(0));
  static constexpr bool kCopyable = std::is_copy_constructible_v<Value>;
  static constexpr bool kIsCache = requires { typename Config::Policy; };
  static constexpr bool kIsBounded = requires { requires Config::kIsBounded; };
  static constexpr bool kMayBeShared = requires { Config::kMostShards; };

  // How many entries a policy looks at, if it must, to find the one that goes.
  static constexpr std::size_t kMostExact = 1000;

  explicit Comparison(std::span<const std::uint8_t> bytes)
      : OperationStream(bytes), ReferenceModel(kIsCache) {
    set_clock(start_);
    if constexpr (kIsCache) {
      static constexpr std::array<std::uint64_t, 4> kShares = {1, 2, 4, 16};
      capacity_ = Config::kMeanWeight * (keys_ / kShares[bytes_.byte() % 4] + 1);
      if constexpr (kMayBeShared) {
        if (Config::kMostShards != 1) capacity_ = std::size_t{1} << 30;  // no shard evicts
      }
      typename Ks::Options options = make_options(capacity_);
      options.listener = [this](const Key& key, Value value, RemovalCause cause) {
        departures_.push_back({Config::number(key), Config::number(value), cause});
      };
      if constexpr (kMayBeShared) {
        options.shards =
            std::min<std::size_t>(std::size_t{1} << bytes_.byte() % 8, Config::kMostShards);
      }
      ks_ = Ks(ks_.clock(), std::move(options));
    }
  }

  static Ks make() {
    if constexpr (kIsCache) {
      return Ks(ManualClock(), make_options(0));
    } else {
      return Ks(ManualClock());
    }
  }
  static auto make_options(std::size_t capacity) {
    if constexpr (kIsBounded) {
      return typename Ks::Options{.capacity = capacity};
    } else {
      return typename Ks::Options{};
    }
  }
  static std::size_t weight(std::uint64_t key, std::uint64_t value) {
    if constexpr (kIsCache) {
      return Config::weight(key, value);
    } else {
      return 1;
    }
  }

  // --- Reading the stream ---

  // Returns a deadline, often near the present or near that of another key.
  Instant decode_deadline() {
    const std::uint8_t kind = bytes_.byte();
    switch (kind) {
      case 0:
        return now_;
      case 1:
        return kNoDeadline;
      case 2:
        return Instant::min();
      case 3:
        return kLastDeadline;
      case 4:
        return at(-1);
      case 5:
        return at(bytes_.integer(8));
      case 6:
      case 7:
        return deadline_after(now_, Millis{-decode_span()});
      default:
        break;
    }
    if (kind < 64) {  // a deadline that another key has, or nearly
      const auto it = entries_.find(decode_key());
      if (it != entries_.end() && it->second.deadline != kNoDeadline) {
        return deadline_after(it->second.deadline, Millis{bytes_.byte() % 3 - 1});
      }
    }
    return deadline_after(now_, Millis{1 + decode_span()});
  }

  // --- Changes of both ---

  // Records that the keyspace was told to store this. A cache may have refused it.
  void put(std::uint64_t key, std::uint64_t value, Instant deadline) {
    newest_.reset();
    const bool was_live = live(key) != nullptr;
    const bool is_over = deadline <= now_;
    remove(key, is_over ? RemovalCause::kErased : RemovalCause::kReplaced);
    if (is_over) return;
    if (kIsCache && !ks_.contains(Config::look_up(Config::key(key)))) {
      ++counted_.refusals;
      refused_weight_ = weight(key, value);
      return;
    }
    ++(was_live ? counted_.replacements : counted_.inserts);
    counted_.peak_size = std::max(counted_.peak_size, ks_.size());
    entries_.insert_or_assign(key, Entry{value, deadline, ++last_request_, weight(key, value)});
    newest_ = key;
  }

  // What is dead at the old time and live at the new one is stored or not, as it happens. If it is,
  // it is what it was.
  void set_clock(Instant to) {
    to = std::min(to, kLastDeadline);
    const Instant was = std::exchange(now_, to);
    ks_.clock().set(to);
    if (to >= was) return;
    for (auto it = entries_.begin(); it != entries_.end();) {
      const Instant deadline = it->second.deadline;
      const bool revived = deadline <= was && to < deadline;
      if (revived && !ks_.contains(Config::look_up(Config::key(it->first)))) {
        it = entries_.erase(it);
      } else {
        if (revived) check_key(it->first);
        ++it;
      }
    }
  }

  // --- The checks ---

  // What has left a cache is what had to, and what was dead or had to make room; what has not is
  // stored.
  void check_departures() {
    if constexpr (kIsCache) {
      for (const Departure& departure : std::exchange(departures_, {})) {
        const auto expected = std::find(expected_.begin(), expected_.end(), departure);
        if (expected != expected_.end()) {
          expected_.erase(expected);
          continue;
        }
        const auto it = entries_.find(departure.key);
        insist(it != entries_.end() && it->second.value == departure.value,
               "what left was not stored");
        if (departure.cause == RemovalCause::kEvicted) {
          check_victim(it->second);
        } else {
          insist(departure.cause == RemovalCause::kExpired, "the cause is wrong");
          insist(!is_live(it->second), "a live entry has expired");
        }
        count_departure(it->second, departure.cause);
        entries_.erase(it);
      }
      insist(expected_.empty(), "the listener was not told of a departure");
      insist(ks_.size() == entries_.size(), "size() is not the number of entries");
      if constexpr (kIsBounded) {
        if (entries_.size() < 100 || steps_ % 64 == 0) {
          insist(ks_.weight() == total_weight(), "weight() is not the sum of the weights");
        }
        insist(ks_.weight() <= ks_.capacity(), "the capacity is exceeded");
      }
      if (refused_weight_) {
        insist(*refused_weight_ > capacity_ ||
                   (std::is_same_v<typename Config::Policy, EarliestDeadline> &&
                    ks_.volatile_size() == 0 && total_weight() + *refused_weight_ > capacity_),
               "an entry was refused that had room");
        refused_weight_.reset();
      }
      newest_.reset();
      counted_.size = ks_.size();
      const Statistics statistics = ks_.statistics();
      if constexpr (kMayBeShared) {
        // Shards have their peaks at different times.
        insist(statistics.peak_size >= counted_.peak_size, "the peak is too low");
        if (Config::kMostShards != 1) counted_.peak_size = statistics.peak_size;
      }
      insist(statistics == counted_, "the statistics are wrong");
    }
  }

  // That one had to go, that it was not for a dead one to go, and that the policy wants this one
  // to.
  void check_victim(const Entry& victim) const {
    if (victim.weight > capacity_) return;  // by the key that it was renamed to
    insist(total_weight() + refused_weight_.value_or(0) > capacity_, "there was no need to evict");
    bool is_first = true;
    for (const auto& [key, entry] : entries_) {
      if (key == newest_) continue;
      insist(is_live(entry), "a live entry went before a dead one");
      if constexpr (std::is_same_v<typename Config::Policy, EarliestDeadline>) {
        is_first = is_first && victim.deadline <= entry.deadline;
      } else if constexpr (std::is_same_v<typename Config::Policy, Lru>) {
        is_first = is_first && victim.last_request <= entry.last_request;
      }
    }
    insist(is_first || entries_.size() > kMostExact, "another should have gone first");
    insist(!newest_ || &victim != &entries_.at(*newest_), "the newest entry was evicted");
  }

  void check_key(std::uint64_t number) {
    const Key key = Config::key(number);
    const auto& name = Config::look_up(key);
    const Ks& ks = ks_;
    const Entry* const entry = live(number);
    const Value* const found = ks.find(name);
    insist((found != nullptr) == (entry != nullptr), "find is wrong");
    insist(ks.pexpiretime(name) == (entry ? std::optional(entry->deadline) : std::nullopt),
           "pexpiretime is wrong");
    insist(
        ks.pttl(name) == (entry ? std::optional(time_left(entry->deadline, now_)) : std::nullopt),
        "pttl is wrong");
    insist(ks.contains(name) == (entry != nullptr), "contains is wrong");
    if (entry == nullptr) return;
    insist(Config::number(*found) == entry->value, "the value is wrong");
    if constexpr (kCopyable) {
      const std::optional<Value> got = ks.get(name);
      insist(got && Config::number(*got) == entry->value, "get is wrong");
    }
  }

  void check_cheaply() const {
    insist(ks_.volatile_size() <= ks_.size(), "volatile_size() exceeds size()");
    insist(ks_.empty() == (ks_.size() == 0), "empty() and size() disagree");
    insist(ks_.next_deadline().has_value() == (ks_.volatile_size() != 0),
           "next_deadline() and volatile_size() disagree");
    insist(ks_.size() <= entries_.size(), "an entry is stored that should not be");
  }

  void check_whole_state() {
    const Ks& ks = ks_;
    std::map<std::uint64_t, Instant> walked;
    std::size_t live_entries = 0;
    std::size_t live_volatile = 0;
    Instant earliest = kNoDeadline;
    ks.for_each([&](const auto& key, const Value& value, Instant deadline) {
      const auto it = entries_.find(Config::number(key));
      insist(it != entries_.end(), "for_each shows an unknown key");
      insist(Config::number(value) == it->second.value, "for_each shows a wrong value");
      insist(deadline == it->second.deadline, "for_each shows a wrong deadline");
      insist(now_ < deadline, "for_each shows a dead entry");
      insist(walked.emplace(it->first, deadline).second, "for_each shows an entry twice");
    });
    for (const auto& [key, entry] : entries_) {
      if (!is_live(entry)) continue;
      ++live_entries;
      if (entry.deadline != kNoDeadline) ++live_volatile;
      earliest = std::min(earliest, entry.deadline);
      insist(walked.contains(key), "for_each misses an entry");
    }
    for (std::uint64_t key = 0; key < std::min<std::uint64_t>(keys_, 100); ++key) check_key(key);

    // The dead are all volatile, so both counts include the same number of them.
    insist(ks.size() >= live_entries, "size() misses a live entry");
    insist(ks.size() - live_entries == ks.volatile_size() - live_volatile,
           "size() and volatile_size() disagree");
    if (const auto next = ks.next_deadline()) {
      insist(*next <= earliest, "next_deadline() is too late");
      insist(ks.size() == live_entries || *next <= now_, "next_deadline() misses the dead");
    }
  }

  Ks ks_ = make();
  std::size_t capacity_ = 0;           // of a cache
  std::vector<Departure> departures_;  // that the listener was told of
  std::size_t steps_ = 0;
};

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_MODEL_COMPARISON_H_
