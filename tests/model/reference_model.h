#ifndef KEYSPACE_TESTS_MODEL_REFERENCE_MODEL_H_
#define KEYSPACE_TESTS_MODEL_REFERENCE_MODEL_H_

#include <keyspace/condition.h>
#include <keyspace/removal.h>
#include <keyspace/statistics.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "support/support.h"

namespace keyspace::testing {

// --- The rules of expiry, written a second time ---

inline Instant deadline_after(Instant now, Millis ttl) {
  if (ttl == Millis::max()) return kNoDeadline;
  const std::int64_t from = now.time_since_epoch().count();
  const std::int64_t more = ttl.count();
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max() - 1;
  constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
  if (more > 0 && from > kLast - more) return at(kLast);
  if (more < 0 && from < kFirst - more) return at(kFirst);
  return at(from + more);
}

inline Millis time_left(Instant deadline, Instant now) {
  if (deadline == kNoDeadline) return Millis::max();
  const std::int64_t from = now.time_since_epoch().count();
  const std::int64_t to = deadline.time_since_epoch().count();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() - 1;
  if (from < 0 && to > kMost + from) return Millis{kMost};
  return Millis{to - from};
}

inline bool holds(Condition condition, Instant current, Instant next) {
  const bool persistent = current == kNoDeadline;
  switch (condition) {
    case Condition::kAlways:
      return true;
    case Condition::kNx:
      return persistent;
    case Condition::kXx:
      return !persistent;
    case Condition::kGt:
      return !persistent && next > current;
    case Condition::kLt:
      return persistent ? next != kNoDeadline : next < current;
    case Condition::kXxLt:
      return !persistent && next < current;
  }
  return false;
}

// A std::map of values and deadlines, with the statistics of a cache.
class ReferenceModel {
 protected:
  struct Entry {
    std::uint64_t value;
    Instant deadline;
    std::uint64_t last_request = 0;
    std::size_t weight = 1;
  };
  struct Removal {
    std::uint64_t key;
    std::uint64_t value;
    RemovalCause cause;
    friend bool operator==(const Removal&, const Removal&) = default;
  };
  // The entries by the number of their key. Expired entries stay here until the keyspace certainly
  // does not store them. If the clock goes back before that, some of them may be live again.
  using Entries = std::map<std::uint64_t, Entry>;

  explicit ReferenceModel(bool is_cache) : is_cache_(is_cache) {}

  bool is_live(const Entry& entry) const { return now_ < entry.deadline; }
  Entry* live(std::uint64_t key) {
    const auto it = entries_.find(key);
    return it != entries_.end() && is_live(it->second) ? &it->second : nullptr;
  }
  // Returns the deadline that kKeep stands for.
  Instant kept_deadline(std::uint64_t key) {
    const Entry* const entry = live(key);
    return entry == nullptr ? kNoDeadline : entry->deadline;
  }
  // Gives a live entry another deadline.
  void expire(std::uint64_t key, Instant deadline) {
    if (now_ < deadline) {
      entries_.at(key).deadline = deadline;
    } else {
      remove(key, RemovalCause::kErased);
    }
  }
  // Removes the entry if it is stored. The listener of a cache must then receive the entry.
  void remove(std::uint64_t key, RemovalCause cause) {
    const auto it = entries_.find(key);
    if (it == entries_.end()) return;
    if (is_cache_) {
      expected_.push_back(
          {key, it->second.value, is_live(it->second) ? cause : RemovalCause::kExpired});
      count_removal(it->second, expected_.back().cause);
    }
    entries_.erase(it);
  }
  // Counts a request, and returns the entry; null if it is not live.
  Entry* request(std::uint64_t key) {
    Entry* const entry = live(key);
    ++(entry == nullptr ? counted_.misses : counted_.hits);
    if (entry != nullptr) entry->last_request = ++last_request_;
    return entry;
  }
  std::size_t count_live() const {
    return static_cast<std::size_t>(std::count_if(
        entries_.begin(), entries_.end(), [&](const auto& e) { return is_live(e.second); }));
  }
  [[nodiscard]] std::size_t total_weight() const {
    std::size_t total = 0;
    for (const auto& [key, entry] : entries_) total += entry.weight;
    return total;
  }

  void count_removal(const Entry& entry, RemovalCause cause) {
    ++counted_.removals[static_cast<std::size_t>(cause)];
    if (cause != RemovalCause::kExpired) return;
    const Millis lag = time_left(now_, entry.deadline);
    counted_.longest_lag = std::max(counted_.longest_lag, lag);
    counted_.total_lag = lag > Millis::max() - Millis{1} - counted_.total_lag
                             ? Millis::max() - Millis{1}
                             : counted_.total_lag + lag;
  }

  bool is_cache_;
  Instant now_{};
  Entries entries_;
  std::vector<Removal> expected_;              // that the listener must receive
  std::optional<std::size_t> refused_weight_;  // of the entry that this call did not store
  std::optional<std::uint64_t> newest_;        // that this call stored
  std::optional<std::uint64_t> changed_;       // whose weight this call changed
  std::uint64_t last_request_ = 0;
  Statistics counted_;
};

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_MODEL_REFERENCE_MODEL_H_
