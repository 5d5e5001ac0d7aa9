#ifndef KEYSPACE_TESTS_SUPPORT_INVARIANTS_H_
#define KEYSPACE_TESTS_SUPPORT_INVARIANTS_H_

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "keyspace/internal/lock.h"
#include "keyspace/internal/reaper_client.h"
#include "keyspace/internal/wait_graph.h"
#include "keyspace/keyspace.h"

namespace keyspace::internal {

// Checks the invariants that the comments in include/keyspace/internal promise.
struct TestPeer {
  // Returns how many records a wheel may have, stale ones included, if `needed` are not stale. (See
  // TimerWheel::collect_if_needed().)
  static constexpr std::size_t most_records(std::size_t needed) { return 3 * needed + 2048; }

  // Returns pointers to all entries.
  template <class Entries>
  static std::vector<const typename Entries::Entry*> pointers_to(const Entries& entries) {
    std::vector<const typename Entries::Entry*> pointers;
    entries.for_each([&](const auto& entry) { pointers.push_back(&entry); });
    return pointers;
  }

  // Returns a text about the first broken invariant; empty if none is broken.
  template <class Keyspace>
  static std::string broken_invariant(const Keyspace& keyspace) {
    const auto& wheel = wheel_of(keyspace);
    const auto& entries = store_of(keyspace).map_.entries_;
    std::string broken = broken_in_wheel(wheel);
    if (broken.empty()) broken = broken_in_map(entries.map_);
    if (broken.empty()) broken = broken_between(entries, wheel);
    if (broken.empty()) broken = broken_in_policy(entries, store_of(keyspace).policy_);
    return broken;
  }

  // The same for all shards of a ConcurrentKeyspace. REQUIRES: no other thread uses it.
  template <class Keyspace>
  static std::string broken_in_shards(const Keyspace& keyspace) {
    for (std::size_t i = 0; i != keyspace.engine_.shards_.count(); ++i) {
      const WriterLock lock(keyspace.engine_.shards_.shard(i).mutex);
      std::string broken = broken_invariant(keyspace.engine_.shards_.shard(i).contents.engine);
      if (!broken.empty()) return broken;
    }
    return {};
  }
  template <class Keyspace, class K>
  static const void* shard_of(const Keyspace& keyspace, const K& key) {
    return &keyspace.engine_.shards_.shard_of(keyspace.engine_.shards_.hashed(key).hash);
  }
  // Locks each shard for reading until its mutex is biased.
  template <class Keyspace>
  static void bias(const Keyspace& keyspace) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (std::size_t i = 0; i != keyspace.engine_.shards_.count(); ++i) {
      auto& mutex = keyspace.engine_.shards_.shard(i).mutex;
      for (bool is_biased = false; !is_biased;) {
        auto* const slot = mutex.lock_shared();
        mutex.unlock_shared(slot);
        is_biased = slot != nullptr;
      }
    }
  }

  // Joins a keyspace to the state of a reaper that has no thread.
  template <class Keyspace>
  static void join(Keyspace& keyspace, const std::shared_ptr<ReaperState>& state) {
    reaper_client(keyspace).join(state);
  }
  template <class Keyspace>
  static void run_step(Keyspace& keyspace) {
    reaper_client(keyspace).run_step(1000);
  }
  // Puts a keyspace in the state that it has while a reaper reads the deadlines of the shards.
  template <class Keyspace>
  static void begin_reading(Keyspace& keyspace) {
    reaper_client(keyspace).wake_deadline_ = kNeverMillis;
  }
  // Runs a pass of a reaper, with steps of one entry. Returns the time of the next pass.
  static auto run_pass(ReaperState& state, std::chrono::milliseconds longest_sleep) {
    return state.run_pass(1, longest_sleep);
  }
  // Returns whether the reaper was woken since the last call of this, or since a pass began.
  static bool take_wake(ReaperState& state) {
    const WriterLock lock(state.mutex_);
    return std::exchange(state.is_woken_, false);
  }

  // Returns how many threads wait for a computation of another thread.
  static std::size_t waiting_threads() {
    WaitGraph& graph = WaitGraph::instance();
    const WriterLock lock(graph.mutex_);
    return graph.edges_.size();
  }
  // Returns true if a thread waits for a computation of another thread.
  static bool is_waiting(std::thread::id thread) {
    WaitGraph& graph = WaitGraph::instance();
    const WriterLock lock(graph.mutex_);
    return graph.edge_from(thread) != graph.edges_.end();
  }

  // Returns the number of requests that the policy Lru of all shards has numbered.
  template <class Keyspace>
  static std::int64_t numbered_requests(const Keyspace& keyspace) {
    std::int64_t sum = 0;
    keyspace.engine_.shards_.for_each(
        [&](const auto& engine, auto&) { sum += engine.store_.policy_.requests_.get(); });
    return sum;
  }
  // Returns the share of the buckets for ghosts that are in use in the first shard.
  template <class Keyspace>
  static double ghost_buckets_in_use(const Keyspace& keyspace) {
    const WriterLock lock(keyspace.engine_.shards_.shard(0).mutex);
    const auto& buckets = keyspace.engine_.shards_.shard(0).contents.engine.store_.policy_.buckets_;
    std::size_t in_use = 0;
    for (std::size_t i = 0; i != buckets.size(); ++i) in_use += buckets[i][0].is_none() ? 0 : 1;
    return static_cast<double>(in_use) / static_cast<double>(buckets.size());
  }

  // Returns the number of records in the wheel of deadlines, stale ones included.
  template <class Keyspace>
  static std::size_t records(const Keyspace& keyspace) {
    return wheel_of(keyspace).size();
  }
  // Returns true while the collector of stale records is in the middle of a round.
  template <class Keyspace>
  static bool is_collecting(const Keyspace& keyspace) {
    return wheel_of(keyspace).collector_.is_in_round_;
  }
  // Returns the volatile keys whose records the last round of the collector has checked so far, or
  // that got a record since it began.
  template <class Keyspace>
  static std::vector<typename Keyspace::key_type> checked_keys(const Keyspace& keyspace) {
    std::vector<typename Keyspace::key_type> keys;
    const bool gc_color = wheel_of(keyspace).collector_.gc_color();
    for (const auto* it : pointers_to(store_of(keyspace).map_.entries_)) {
      const auto& stored = it->first;
      if (!stored.is_volatile()) continue;
      const bool its_color = (stored.packed_deadline().tag() & TimerRecord::kTagGcColor) != 0;
      if (its_color == gc_color) keys.push_back(stored.key());
    }
    return keys;
  }

  // Returns the number of records in the wheel in which the policy finds victims.
  template <class Keyspace>
  static std::size_t policy_records(const Keyspace& keyspace) {
    if constexpr (requires { store_of(keyspace).policy_.wheel_; }) {
      return store_of(keyspace).policy_.wheel_.size();
    } else {
      return records(keyspace);
    }
  }

  // Returns the share of new keys under the policy ScanResistant.
  template <class Keyspace>
  static std::size_t share_of_new(const Keyspace& keyspace) {
    return store_of(keyspace).policy_.new_capacity_;
  }

  // Returns the number of buckets for ghosts under the policy ScanResistant.
  template <class Keyspace>
  static std::size_t ghost_buckets(const Keyspace& keyspace) {
    return store_of(keyspace).policy_.buckets_.size();
  }
  // Returns the capacity of each shard.
  template <class Keyspace>
  static std::vector<std::size_t> shard_capacities(const Keyspace& keyspace) {
    std::vector<std::size_t> capacities;
    keyspace.engine_.shards_.for_each(
        [&](const auto& engine, auto&) { capacities.push_back(engine.capacity()); });
    return capacities;
  }

  template <class Keyspace>
  static constexpr std::size_t entry_size() {
    return sizeof(typename Keyspace::Engine::Store::Entry);
  }

  // Returns the number of records in each slot of the wheel that is not empty, without the open
  // one.
  template <class Keyspace>
  static std::map<std::size_t, std::size_t> records_by_slot(const Keyspace& keyspace) {
    std::map<std::size_t, std::size_t> counts;
    using Layout = WheelLayout;
    for (std::size_t i = 0; i != Layout::kLevels * Layout::kSlots; ++i) {
      const WheelLevel* const level = wheel_of(keyspace).slots_.level_at(i / Layout::kSlots);
      if (level == nullptr) continue;
      for_each_record(level->lists[i % Layout::kSlots],
                      [&](const RecordChunk&, const TimerRecord&) { ++counts[i]; });
    }
    return counts;
  }

 private:
  // The store of a Keyspace, or of the engine of a shard.
  template <class Keyspace>
  static const auto& store_of(const Keyspace& keyspace) {
    if constexpr (requires { keyspace.engine_; }) {
      return keyspace.engine_.store_;
    } else {
      return keyspace.store_;
    }
  }
  // The wheel of deadlines.
  template <class Keyspace>
  static const auto& wheel_of(const Keyspace& keyspace) {
    return store_of(keyspace).map_.wheel_;
  }

  // A hash and a tag. An entry and its record have the same hash and tag.
  using Group = std::pair<std::size_t, TimerRecord::Tag>;

  template <class F>
  static void for_each_record(const RecordList& list, const F& f) {
    if (list.empty()) return;
    RecordChunk* const first = &list.front();
    RecordChunk* chunk = first;
    do {
      for (std::size_t i = 0; i != chunk->size; ++i) f(*chunk, chunk->records()[i]);
      chunk = chunk->next;
    } while (chunk != first);
  }

  template <class Allocator, class F>
  static void for_each_record(const TimerWheel<Allocator>& wheel, const F& f) {
    const auto in_chunk = [&](const RecordChunk&, const TimerRecord& record) { f(record); };
    for_each_record(wheel.slots_.open_list(), in_chunk);
    for (std::size_t i = 0; i != WheelLayout::kLevels; ++i) {
      const WheelLevel* const level = wheel.slots_.level_at(i);
      if (level == nullptr) continue;
      for (const RecordList& list : level->lists) for_each_record(list, in_chunk);
    }
  }

  template <class Allocator>
  static std::string broken_in_wheel(const TimerWheel<Allocator>& wheel) {
    using Layout = WheelLayout;
    std::string broken;
    std::size_t count = 0;
    const auto check = [&](const RecordChunk& chunk, const TimerRecord& record) {
      ++count;
      if (chunk.size == 0 || chunk.size > chunk.capacity) broken = "a chunk is empty or overfull";
      if (record.time() < wheel.next_due_) broken = "a record is due before next_due()";
    };
    for_each_record(wheel.slots_.open_list(), check);
    for (std::size_t number = 0; number != Layout::kLevels; ++number) {
      const WheelLevel* const level = wheel.slots_.level_at(number);
      if (level == nullptr) continue;
      for (std::size_t slot = 0; slot != Layout::kSlots; ++slot) {
        const RecordList& list = level->lists[slot];
        const bool used = (level->used[slot / 64] >> slot % 64 & 1) != 0;
        if (used == list.empty()) broken = "the bit of a slot disagrees with the slot";
        for_each_record(list, check);
        for_each_record(list, [&](const RecordChunk&, const TimerRecord& record) {
          const std::size_t shift = number * Layout::kDigitBits;
          const Tick start = record.tick() >> shift << shift;
          if ((record.tick() >> shift) % Layout::kSlots != slot) broken = "a record is misfiled";
          if (start < wheel.cursor_) broken = "the cursor has passed the slot of a record";
        });
      }
    }
    if (count != wheel.size()) broken = "the records are miscounted";
    return broken;
  }

  template <class Map>
  static std::string broken_in_map(const Map& map) {
    const auto most = [](const auto& table) { return Map::most_in(table.bucket_count()); };
    if (map.table_.size() > most(map.table_)) return "the table is too full";
    for (const auto& [stored, value] : map.old_) {
      using Key = std::remove_cvref_t<decltype(stored.key())>;
      const KeyLookup<Key> lookup{stored.key(), map.hash_function()(stored)};
      if (map.table_.find(lookup) != map.table_.end()) return "a key is in both tables";
    }
    if (map.is_moving()) {
      if (map.next_ != map.old_.begin()) return "an element was skipped";
      if (most(map.table_) < map.size()) {
        return "the table has no room for the elements that move";
      }
    } else if (map.old_.bucket_count() > 1) {
      return "a table was not released";
    }
    const bool has_phase = map.is_moving() || map.prepared_buckets_ != 0 || map.is_releasing();
    if (has_phase && map.threshold_ != 0) return "an insertion would take no step";
    if (map.threshold_ != 0) {
      if (map.threshold_ > map.growth_threshold()) return "the threshold is wrong";
      if (map.table_.size() < map.few_) return "the map should become smaller";
    }
    if (map.reserved_buckets_ > map.table_.bucket_count()) {
      return "the map has less room than was reserved";
    }
    return "";
  }

  template <class Entries, class Wheel>
  static std::string broken_between(const Entries& entries, const Wheel& wheel) {
    std::map<Group, std::multiset<Millis>> records;
    for_each_record(wheel, [&](const TimerRecord& record) {
      records[{record.hash(), record.tag()}].insert(record.time());
    });
    std::map<Group, std::vector<Millis>> early;
    std::size_t volatiles = 0;
    std::size_t far = 0;
    for (const auto* it : pointers_to(entries)) {
      const auto& stored = it->first;
      if (!stored.is_volatile()) continue;
      ++volatiles;
      far += stored.packed_deadline_.is_far() &&
             stored.packed_deadline_.payload() != PackedDeadline::kLatest;
      const Millis deadline = entries.deadline(stored);
      const Group group = {entries.hash_of(stored), stored.packed_deadline_.tag()};
      if (stored.is_filed_early()) {
        early[group].push_back(deadline);
        continue;
      }
      auto& candidates = records[group];
      const auto exact = candidates.find(deadline);
      if (exact == candidates.end()) return "an entry has no record at its deadline";
      candidates.erase(exact);
    }
    // A sooner deadline fits fewer records. So the entry with the soonest deadline chooses first.
    for (auto& [group, deadlines] : early) {
      std::sort(deadlines.begin(), deadlines.end());
      auto& candidates = records[group];
      for (const Millis deadline : deadlines) {
        if (candidates.empty() || *candidates.begin() > deadline) {
          return "an entry has no record before its deadline";
        }
        candidates.erase(candidates.begin());
      }
    }
    if (volatiles != entries.volatile_size()) return "the volatile entries are miscounted";
    std::size_t free = 0;
    for (std::size_t index = entries.deadlines_.free_; index != static_cast<std::size_t>(-1);
         index = static_cast<std::size_t>(entries.deadlines_.far_[index])) {
      if (++free > entries.deadlines_.far_.size()) return "the list of free deadlines is circular";
    }
    if (far + free != entries.deadlines_.far_.size()) return "a far deadline is lost";
    if (wheel.size() > most_records(volatiles)) return "there are too many stale records";
    return "";
  }

  template <class Entries>
  static std::string broken_in_policy(const Entries&, const UnboundedEviction&) {
    return "";
  }

  template <class Entries>
  static std::string broken_in_policy(const Entries& entries,
                                      const EarliestDeadlineEviction& policy) {
    std::size_t weight = 0;
    for (const auto* it : pointers_to(entries)) weight += it->first.extra().weight();
    return weight == policy.weight() ? "" : "the weight is wrong";
  }

  template <class Entries, class Allocator>
  static std::string broken_in_policy(const Entries& entries,
                                      const LruEviction<Allocator>& policy) {
    const std::string broken = broken_in_wheel(policy.wheel_);
    if (!broken.empty()) return broken;
    using RequestGroup = std::pair<std::size_t, bool>;  // hash and colour
    std::map<RequestGroup, std::multiset<Millis>> records;
    for_each_record(policy.wheel_, [&](const TimerRecord& record) {
      records[{record.hash(), record.gc_color()}].insert(record.time());
    });
    std::size_t weight = 0;
    std::map<Millis, RequestGroup> early;  // by the last request, so that the soonest chooses first
    for (const auto* it : pointers_to(entries)) {
      const auto& extra = it->first.extra();
      weight += extra.weight();
      const auto& state = extra.policy_state;
      const RequestGroup group = {entries.hash_of(it->first), state.gc_color()};
      if (state.is_filed_early()) {
        if (!early.emplace(state.last_request(), group).second) return "a request has two entries";
        continue;
      }
      auto& candidates = records[group];
      const auto exact = candidates.find(state.last_request());
      if (exact == candidates.end()) return "an entry has no record of its last request";
      candidates.erase(exact);
    }
    for (const auto& [last, group] : early) {
      auto& candidates = records[group];
      if (candidates.empty() || *candidates.begin() > last) {
        return "an entry has no record before its last request";
      }
      candidates.erase(candidates.begin());
    }
    if (weight != policy.weight()) return "the weight is wrong";
    if (policy.wheel_.size() > most_records(entries.size())) return "too many stale requests";
    return "";
  }

  template <class Entries, class Allocator>
  static std::string broken_in_policy(const Entries& entries,
                                      const ScanResistantEviction<Allocator>& policy) {
    std::map<std::uint32_t, std::uint32_t> queue_of;  // by node
    for (const std::uint32_t queue : {policy.kNew, policy.kKept}) {
      std::uint32_t previous = policy.kNone;
      for (std::uint32_t node = policy.queues_[queue].first; node != policy.kNone;
           node = policy.nodes_[node].next) {
        if (!queue_of.emplace(node, queue).second) return "a node is in a queue twice";
        if (policy.nodes_[node].previous != previous) return "the previous node is wrong";
        previous = node;
      }
      if (policy.queues_[queue].last != previous) return "the end of a queue is wrong";
    }
    const auto used = queue_of;
    std::array<std::size_t, 2> weights = {};
    for (const auto* it : pointers_to(entries)) {
      const auto& extra = it->first.extra();
      const auto node = queue_of.find(extra.policy_state.node_);
      if (node == queue_of.end()) return "two entries have one node, or one has none";
      if (node->second != extra.policy_state.queue()) return "an entry names the wrong queue";
      if (policy.nodes_[node->first].hash != entries.hash_of(it->first)) return "a hash is wrong";
      weights[node->second] += extra.weight();
      queue_of.erase(node);
    }
    if (!queue_of.empty()) return "a node has no entry";
    std::size_t unused = 0;
    std::uint32_t previous = policy.kNone;
    for (std::uint32_t node = policy.free_; node != policy.kNone; node = policy.nodes_[node].next) {
      if (used.contains(node)) return "a used node is in the list of free nodes";
      if (policy.nodes_[node].previous != previous) return "the previous free node is wrong";
      previous = node;
      ++unused;
    }
    if (unused + entries.size() != policy.nodes_.size()) return "a free node is lost";
    if (policy.removed_ == 0 &&
        policy.nodes_.size() >
            std::max<std::size_t>(2 * entries.size() + policy.kMostUnused, policy.reserved_)) {
      return "too many nodes are free";
    }
    for (const std::uint32_t queue : {policy.kNew, policy.kKept}) {
      if (weights[queue] != policy.queues_[queue].weight) return "the weight of a queue is wrong";
    }
    if (policy.new_capacity_ < policy.least_new() || policy.new_capacity_ > policy.most_new()) {
      return "the share of new keys is out of bounds";
    }
    return "";
  }
};

}  // namespace keyspace::internal

namespace keyspace::testing {

// Throws if an invariant of `ks` is broken. The message describes the invariant. O(size).
template <class Ks>
void check_invariants(const Ks& ks) {
  const std::string broken = internal::TestPeer::broken_invariant(ks);
  if (!broken.empty()) throw std::logic_error(broken);
}

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_SUPPORT_INVARIANTS_H_
