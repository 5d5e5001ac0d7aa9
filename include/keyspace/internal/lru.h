// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_LRU_H_
#define KEYSPACE_INTERNAL_LRU_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "keyspace/internal/budget.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/relaxed.h"
#include "keyspace/internal/timer_record.h"
#include "keyspace/internal/timer_wheel.h"
#include "keyspace/internal/victim_finder.h"

namespace keyspace::internal {

// The policy Lru: evicts the least recently used entry. (See eviction.h for the calls.)
//
// A linked list would change at every request. Instead, requests are numbered, and each entry keeps
// the number of its last request. A second timer wheel holds a record for each entry. It uses these
// numbers as times, as the wheel of ExpiringMap uses deadlines. A request only gives the entry a
// larger number. The entry is then filed early, and the search for a victim files a new record.
//
// Invariants
//   1. Each entry has a record of its own with the same hash and gc colour. It is filed at the
//      number of the entry's last request, or at a smaller number if the entry is filed early.
//   2. Entries have different numbers, and no number is larger than requests_.
//   3. All other records are stale. There are at most about 2048, plus two for each entry.
//   4. weight() is the weight of the entries.
template <class Allocator>
class LruEviction {
 public:
  static constexpr bool kUsesRequests = true;

  // The part of an entry that belongs to the policy.
  class PolicyState {
   private:
    friend class LruEviction;
    friend struct TestPeer;

    // From the lowest bit: the gc colour of the entry's record, whether the entry is filed early,
    // and the number of the last request.
    static constexpr std::int64_t kGcColor = 1;
    static constexpr std::int64_t kEarly = 2;
    static constexpr int kNumberBit = 2;

    PolicyState(Millis number, bool gc_color) noexcept
        : bits_(number << kNumberBit | (gc_color ? kGcColor : 0)) {}

    [[nodiscard]] bool gc_color() const noexcept { return (bits_.get() & kGcColor) != 0; }
    [[nodiscard]] bool is_filed_early() const noexcept { return (bits_.get() & kEarly) != 0; }
    [[nodiscard]] Millis last_request() const noexcept { return bits_.get() >> kNumberBit; }
    void flip_gc_color() noexcept { bits_.set(bits_.get() ^ kGcColor); }
    void set_last_request(Millis number) noexcept {
      bits_.set(number << kNumberBit | kEarly | (bits_.get() & kGcColor));
    }

    Relaxed<std::int64_t> bits_ = 0;
  };

  struct Placement {};

  LruEviction(std::size_t, const Allocator& allocator) : wheel_(allocator) {}
  LruEviction(LruEviction&& other) noexcept
      : wheel_(std::move(other.wheel_)),
        requests_(other.requests_),
        weight_(std::exchange(other.weight_, 0)) {}

  [[nodiscard]] std::size_t weight() const noexcept { return weight_; }
  void set_capacity(std::size_t) noexcept {}
  void reserve(std::size_t) noexcept {}
  void grow(std::size_t) noexcept {}

  void record_access(PolicyState& state) noexcept {
    requests_.set(requests_.get() + 1);
    state.set_last_request(requests_.get());
  }
  // Counts atomically, so that other threads that do the same cannot set requests_ back. Otherwise
  // an entry could get a smaller number than its record has. The record would be dropped as stale.
  void record_shared_access(PolicyState& state) const noexcept {
    state.set_last_request(requests_.count());
  }
  template <class Entries>
  Placement admit(Entries&, std::size_t, std::size_t) noexcept {
    return {};
  }

  // Advances the wheel to find the victim, because the numbers of requests only grow. If too many
  // records move down the wheel, searches for the earliest record, which is mostly more expensive.
  template <class Entries, class Wheel>
  typename Entries::Entry* find_victim(Entries& entries, Wheel&) {
    VictimFinder<Entries, RequestRecord<Entries>> finder{entries, {*this}};
    Budget budget(kMaxSteps);
    budget.erasures = 1;
    while (!budget.is_spent()) wheel_.advance(wheel_.next_due(), budget, finder);
    if (budget.erasures == 0) return finder.victim;
    return finder.find_in(wheel_);
  }
  void record_eviction(const PolicyState&, std::size_t) noexcept {}

  PolicyState add(std::size_t hash, std::size_t weight, Placement) {
    PolicyState state = file(hash, requests_.get() + 1);
    requests_.set(requests_.get() + 1);
    weight_ += weight;
    return state;
  }
  // Leaves the entry's record stale, for collect_if_needed() to drop.
  void remove(const PolicyState&, std::size_t weight) noexcept { weight_ -= weight; }
  template <class Entries>
  void collect_if_needed(Entries& entries) noexcept {
    RecordMatcher<Entries> matcher{entries};
    wheel_.collect_if_needed(entries.size(), matcher);
  }

  PolicyState rehash(const PolicyState& state, std::size_t hash) {
    return file(hash, state.last_request());
  }
  void reweigh(const PolicyState&, std::size_t before, std::size_t after) noexcept {
    weight_ += after - before;
  }

  template <class Entries>
  void shrink_to_fit(Entries&) noexcept {}
  void clear() noexcept {
    wheel_.clear();
    weight_ = 0;
  }

 private:
  friend struct TestPeer;

  static constexpr std::size_t kMaxSteps = 4000;

  // Reads what an entry knows about its record. (See EntryMap::DeadlineRecord.)
  template <class Entries>
  struct RequestRecord {
    using StoredKey = typename Entries::StoredKey;
    static TimerRecord::Tag tag(const TimerRecord& record) noexcept { return record.gc_color(); }
    static TimerRecord::Tag tag(const StoredKey& stored) noexcept {
      return stored.extra().policy_state.gc_color();
    }
    static bool is_filed_early(const StoredKey& stored) noexcept {
      return stored.extra().policy_state.is_filed_early();
    }
    static Millis time(const Entries&, const StoredKey& stored) noexcept {
      return stored.extra().policy_state.last_request();
    }
    static void flip_gc_color(const StoredKey& stored) noexcept {
      stored.extra().policy_state.flip_gc_color();
    }
    static bool has_record(const StoredKey&) noexcept { return true; }
    static std::size_t records_needed(const Entries& entries) noexcept { return entries.size(); }
    void file(std::size_t hash, const StoredKey& stored) {
      PolicyState& state = stored.extra().policy_state;
      state = policy.file(hash, state.last_request());
    }

    LruEviction& policy;
  };

  // The owner that collect_if_needed() passes to the wheel.
  template <class Entries>
  struct RecordMatcher {
    void prefetch(std::size_t hash) const { entries.prefetch(hash); }
    bool match_record(const TimerRecord& record) const noexcept {
      return entries.template match_record<RequestRecord<Entries>>(record);
    }
    Entries& entries;
  };

  PolicyState file(std::size_t hash, Millis number) {
    wheel_.file(hash, number);
    return PolicyState(number, (wheel_.tag(number) & TimerRecord::kTagGcColor) != 0);
  }

  TimerWheel<Allocator> wheel_;  // of records whose times are numbers of requests
  mutable Relaxed<Millis> requests_ = 0;
  std::size_t weight_ = 0;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_LRU_H_
