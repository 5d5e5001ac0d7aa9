#ifndef KEYSPACE_TESTS_MODEL_COMPARISON_H_
#define KEYSPACE_TESTS_MODEL_COMPARISON_H_

#include <keyspace/clock.h>
#include <keyspace/policy.h>
#include <keyspace/removal.h>
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
#include "support/probe.h"
#include "support/support.h"

namespace keyspace::testing {

// Thrown if the keyspace and the reference model disagree.
struct Mismatch : std::logic_error {
  using std::logic_error::logic_error;
};

// Throws Mismatch unless `held`.
inline void insist(bool held, const char* what) {
  if (!held) throw Mismatch(what);
}

// A keyspace beside its reference model, and the checks that compare the two.
template <class Kind>
class Comparison : protected OperationStream, protected ReferenceModel {
 protected:
  using Ks = typename Kind::Ks;
  using Key = decltype(Kind::key(0));
  using Value = decltype(Kind::value(0));
  static constexpr bool kCopyable = std::is_copy_constructible_v<Value>;
  static constexpr bool kIsCache = requires { typename Kind::Policy; };
  static constexpr bool kIsBounded = requires { requires Kind::kIsBounded; };
  static constexpr bool kMayBeShared = requires { Kind::kMostShards; };

  // Up to this number of entries, a policy evicts exactly the entry that it documents.
  static constexpr std::size_t kMostExact = 1000;

  explicit Comparison(std::span<const std::uint8_t> bytes)
      : OperationStream(bytes), ReferenceModel(kIsCache) {
    set_clock(start_);
    if constexpr (kIsCache) {
      static constexpr std::array<std::uint64_t, 4> kShares = {1, 2, 4, 16};
      capacity_ = Kind::kMeanWeight * (keys_ / kShares[bytes_.byte() % 4] + 1);
      if constexpr (kMayBeShared) {
        if (Kind::kMostShards != 1) capacity_ = std::size_t{1} << 30;  // no shard evicts
      }
      typename Ks::Config config = make_config(capacity_);
      config.clock = ks_.clock();
      config.listener = [this](const Key& key, Value value, RemovalCause cause) {
        removals_.push_back({Kind::number(key), Kind::number(value), cause});
      };
      if constexpr (kMayBeShared) {
        config.shards =
            std::min<std::size_t>(std::size_t{1} << bytes_.byte() % 8, Kind::kMostShards);
      }
      ks_ = Ks(std::move(config));
    }
  }

  static Ks make() {
    if constexpr (kIsCache) {
      return Ks(make_config(0));
    } else {
      return Ks(ManualClock());
    }
  }
  static auto make_config(std::size_t capacity) {
    if constexpr (kIsBounded) {
      return typename Ks::Config{.capacity = capacity};
    } else {
      return typename Ks::Config{};
    }
  }
  static std::size_t weight(std::uint64_t key, std::uint64_t value) {
    if constexpr (kIsCache) {
      return Kind::weight(key, value);
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
    if (kind < 64) {  // at the deadline of another key, or one tick beside it
      const auto it = entries_.find(decode_key());
      if (it != entries_.end() && it->second.deadline != kNoDeadline) {
        return deadline_after(it->second.deadline, Millis{bytes_.byte() % 3 - 1});
      }
    }
    return deadline_after(now_, Millis{1 + decode_span()});
  }

  // --- Changes of both ---

  // Records a call that stored this entry. A cache may have refused the entry.
  void put(std::uint64_t key, std::uint64_t value, Instant deadline) {
    newest_.reset();
    const bool was_live = live(key) != nullptr;
    const bool is_expired = deadline <= now_;
    remove(key, is_expired ? RemovalCause::kErased : RemovalCause::kReplaced);
    if (is_expired) return;
    if (kIsCache && !ks_.contains(Kind::look_up(Kind::key(key)))) {
      ++counted_.refusals;
      refused_weight_ = weight(key, value);
      return;
    }
    ++(was_live ? counted_.replacements : counted_.inserts);
    counted_.peak_size = std::max(counted_.peak_size, ks_.size());
    entries_.insert_or_assign(key, Entry{value, deadline, ++last_request_, weight(key, value)});
    newest_ = key;
  }

  // Sets the clock. If an entry is expired at the old time and live at the new time, the keyspace
  // may still store it. Then the entry must be unchanged.
  void set_clock(Instant to) {
    to = std::min(to, kLastDeadline);
    const Instant was = std::exchange(now_, to);
    ks_.clock().set(to);
    if (to >= was) return;
    for (auto it = entries_.begin(); it != entries_.end();) {
      const Instant deadline = it->second.deadline;
      const bool revived = deadline <= was && to < deadline;
      if (revived && !ks_.contains(Kind::look_up(Kind::key(it->first)))) {
        it = entries_.erase(it);
      } else {
        if (revived) check_key(it->first);
        ++it;
      }
    }
  }

  // --- The checks ---

  // Checks the entries that the last call removed from a cache: entries that the call had to
  // remove, expired entries, and evicted entries. All other entries are stored.
  void check_removals() {
    if constexpr (kIsCache) {
      for (const Removal& removal : std::exchange(removals_, {})) {
        const auto expected = std::find(expected_.begin(), expected_.end(), removal);
        if (expected != expected_.end()) {
          expected_.erase(expected);
          continue;
        }
        const auto it = entries_.find(removal.key);
        insist(it != entries_.end() && it->second.value == removal.value,
               "a removed entry was not stored");
        if (removal.cause == RemovalCause::kEvicted) {
          const bool is_too_heavy = changed_ == it->first && it->second.weight > capacity_;
          if (!is_too_heavy) check_victim(it->second);
        } else {
          insist(removal.cause == RemovalCause::kExpired, "the cause is wrong");
          insist(!is_live(it->second), "a live entry was removed as expired");
        }
        count_removal(it->second, removal.cause);
        entries_.erase(it);
      }
      insist(expected_.empty(), "the listener did not receive a removal");
      insist(ks_.size() == entries_.size(), "size() is not the number of entries");
      if constexpr (kIsBounded) {
        if (entries_.size() < 100 || steps_ % 64 == 0) {
          insist(ks_.weight() == total_weight(), "weight() is not the sum of the weights");
        }
        insist(ks_.capacity() == capacity_, "capacity() is wrong");
        // After a set_capacity() the weight may exceed the capacity, but it does not grow then.
        insist(ks_.weight() <= std::max(capacity_, weight_), "the capacity is exceeded");
        weight_ = ks_.weight();
      }
      if (refused_weight_) {
        insist(*refused_weight_ > capacity_ ||
                   (std::is_same_v<typename Kind::Policy, EarliestDeadline> &&
                    ks_.volatile_size() == 0 && total_weight() + *refused_weight_ > capacity_),
               "an entry was refused although there was room");
        refused_weight_.reset();
      }
      newest_.reset();
      changed_.reset();
      counted_.size = ks_.size();
      const Statistics statistics = ks_.statistics();
      if constexpr (kMayBeShared) {
        // Shards have their peaks at different times.
        insist(statistics.peak_size >= counted_.peak_size, "the peak is too low");
        if (Kind::kMostShards != 1) counted_.peak_size = statistics.peak_size;
      }
      insist(statistics == counted_, "the statistics are wrong");
    }
  }

  // Checks an evicted entry: an eviction was necessary, no entry is expired, and the policy chooses
  // this entry.
  void check_victim(const Entry& victim) const {
    insist(total_weight() + refused_weight_.value_or(0) > capacity_,
           "the eviction was not necessary");
    bool is_first = true;
    for (const auto& [key, entry] : entries_) {
      if (key == newest_) continue;
      insist(is_live(entry), "a live entry was evicted before an expired one");
      if constexpr (std::is_same_v<typename Kind::Policy, EarliestDeadline>) {
        is_first = is_first && victim.deadline <= entry.deadline;
      } else if constexpr (std::is_same_v<typename Kind::Policy, Lru>) {
        is_first = is_first && victim.last_request <= entry.last_request;
      } else {  // may evict any entry but the newest
        static_assert(std::is_same_v<typename Kind::Policy, ScanResistant> ||
                      std::is_same_v<typename Kind::Policy, Unbounded>);
      }
    }
    insist(is_first || entries_.size() > kMostExact, "another entry should have been evicted");
    insist(!newest_ || &victim != &entries_.at(*newest_), "the newest entry was evicted");
  }

  void check_key(std::uint64_t number) {
    const Key key = Kind::key(number);
    const auto& name = Kind::look_up(key);
    const Ks& ks = ks_;
    const Entry* const entry = live(number);
    const auto found = ks.peek(name);
    insist(static_cast<bool>(found) == (entry != nullptr), "peek is wrong");
    if constexpr (!kIsCache) insist(ks.find(name) == found, "find is wrong");
    insist(ks.pexpiretime(name) == (entry ? std::optional(entry->deadline) : std::nullopt),
           "pexpiretime is wrong");
    insist(
        ks.pttl(name) == (entry ? std::optional(time_left(entry->deadline, now_)) : std::nullopt),
        "pttl is wrong");
    insist(ks.contains(name) == (entry != nullptr), "contains is wrong");
    if (entry == nullptr) return;
    insist(Kind::number(*found) == entry->value, "the value is wrong");
    if constexpr (kCopyable && !kIsCache) {
      const std::optional<Value> got = ks.get(name);
      insist(got && Kind::number(*got) == entry->value, "get is wrong");
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
      const auto it = entries_.find(Kind::number(key));
      insist(it != entries_.end(), "for_each shows an unknown key");
      insist(Kind::number(value) == it->second.value, "for_each shows a wrong value");
      insist(deadline == it->second.deadline, "for_each shows a wrong deadline");
      insist(now_ < deadline, "for_each shows an expired entry");
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

    // Expired entries are volatile, so both counts include the same number of them.
    insist(ks.size() >= live_entries, "size() misses a live entry");
    insist(ks.size() - live_entries == ks.volatile_size() - live_volatile,
           "size() and volatile_size() disagree");
    if (const auto next = ks.next_deadline()) {
      insist(*next <= earliest, "next_deadline() is too late");
      insist(ks.size() == live_entries || *next <= now_, "next_deadline() misses an expired entry");
    }
  }

  SmallSteps small_steps_{bytes_.byte() % 4 != 0};
  Ks ks_ = make();
  std::size_t capacity_ = 0;       // of a cache
  std::size_t weight_ = 0;         // of a cache, after the last call
  std::vector<Removal> removals_;  // that the listener received
  std::size_t steps_ = 0;
};

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_MODEL_COMPARISON_H_
