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
#include "keyspace/internal/flights.h"
#include "keyspace/internal/lock.h"
#include "keyspace/internal/reaped.h"
#include "keyspace/keyspace.h"

namespace keyspace::internal {

// Holds the inside of a keyspace against what the comments in include/keyspace/internal promise.
struct TestPeer {
  // How many records an expiry table may have that needs so many of them: see ExpiryTable::tidy().
  static constexpr std::size_t most_records(std::size_t needed) { return 3 * needed + 2048; }

  // Returns the first promise that is broken; empty if all are kept.
  template <class Keyspace>
  static std::string broken_invariant(const Keyspace& keyspace) {
    std::string broken = broken_in_wheel(keyspace.store_.expiry_);
    if (broken.empty()) broken = broken_between(keyspace.store_.entries_, keyspace.store_.expiry_);
    if (broken.empty())
      broken = broken_in_policy(keyspace.store_.entries_, keyspace.store_.policy_);
    return broken;
  }

  // The same of all shards of a ConcurrentKeyspace, in which no other thread is.
  template <class Keyspace>
  static std::string broken_in_shards(const Keyspace& keyspace) {
    for (std::size_t i = 0; i != keyspace.shards_.count(); ++i) {
      const WriterLock lock(keyspace.shards_.shard(i).mutex);
      std::string broken = broken_invariant(keyspace.shards_.shard(i).contents.keyspace);
      if (!broken.empty()) return broken;
    }
    return {};
  }
  template <class Keyspace, class K>
  static const void* shard_of(const Keyspace& keyspace, const K& key) {
    return &keyspace.shards_.shard_of(keyspace.shards_.hashed(key).hash);
  }
  // Reads each shard until its mutex is biased.
  template <class Keyspace>
  static void bias(const Keyspace& keyspace) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (std::size_t i = 0; i != keyspace.shards_.count(); ++i) {
      auto& mutex = keyspace.shards_.shard(i).mutex;
      for (bool is_biased = false; !is_biased;) {
        auto* const slot = mutex.lock_shared();
        mutex.unlock_shared(slot);
        is_biased = slot != nullptr;
      }
    }
  }

  // Makes a state, that has no thread, look after a keyspace as a reaper does.
  template <class Keyspace>
  static void join(Keyspace& keyspace, const std::shared_ptr<ReaperState>& state) {
    keyspace.reaped().join(state);
  }
  template <class Keyspace>
  static void reap(Keyspace& keyspace) {
    keyspace.reaped().reap(1000);
  }
  // As it is while a reaper looks at the shards.
  template <class Keyspace>
  static void begin_look(Keyspace& keyspace) {
    keyspace.reaped().alarm_ = kNeverMillis;
  }
  // Makes a round of a reaper, and returns the time of the next one.
  static auto make_round(ReaperState& state, std::chrono::milliseconds longest_sleep) {
    return state.make_round(1, longest_sleep);
  }
  // Whether it was rung since this was called.
  static bool take_ring(ReaperState& state) {
    const WriterLock lock(state.mutex_);
    return std::exchange(state.is_rung_, false);
  }

  // How many threads wait for a computation of another.
  static std::size_t waiting_threads() {
    WaitGraph& graph = WaitGraph::instance();
    const WriterLock lock(graph.mutex_);
    return graph.edges_.size();
  }
  // Whether a thread does.
  static bool is_waiting(std::thread::id thread) {
    WaitGraph& graph = WaitGraph::instance();
    const WriterLock lock(graph.mutex_);
    return graph.edge_from(thread) != graph.edges_.end();
  }

  // How many requests the policy Lru of all shards has numbered.
  template <class Keyspace>
  static std::int64_t numbered_requests(const Keyspace& keyspace) {
    std::int64_t sum = 0;
    keyspace.shards_.for_each([&](const auto& ks) { sum += ks.store_.policy_.requests_.get(); });
    return sum;
  }
  // The part of the buckets for ghosts that is in use in the first shard.
  template <class Keyspace>
  static double ghost_buckets_in_use(const Keyspace& keyspace) {
    const WriterLock lock(keyspace.shards_.shard(0).mutex);
    const auto& buckets = keyspace.shards_.shard(0).contents.keyspace.store_.policy_.buckets_;
    const auto in_use = std::count_if(buckets.begin(), buckets.end(),
                                      [](const auto& bucket) { return !bucket[0].is_none(); });
    return static_cast<double>(in_use) / static_cast<double>(buckets.size());
  }

  template <class Keyspace>
  static std::size_t records(const Keyspace& keyspace) {
    return keyspace.store_.expiry_.size();
  }
  template <class Keyspace>
  static bool is_scrubbing(const Keyspace& keyspace) {
    return keyspace.store_.expiry_.is_scrubbing_;
  }
  // The volatile keys whose records the last round of scrubbing has seen so far, or that got a
  // record since it began.
  template <class Keyspace>
  static std::vector<typename Keyspace::key_type> scrubbed_keys(const Keyspace& keyspace) {
    std::vector<typename Keyspace::key_type> keys;
    const bool mark = keyspace.store_.expiry_.mark_;
    for (const auto& [stored, value] : keyspace.store_.entries_) {
      if (!stored.is_volatile()) continue;
      if (((stored.stamp_.tag() & Record::kTagMark) != 0) == mark) keys.push_back(stored.key());
    }
    return keys;
  }

  // The records in the table that says which entry has to go.
  template <class Keyspace>
  static std::size_t policy_records(const Keyspace& keyspace) {
    if constexpr (requires { keyspace.store_.policy_.table_; }) {
      return keyspace.store_.policy_.table_.size();
    } else {
      return records(keyspace);
    }
  }

  // What the policy ScanResistant leaves to new keys.
  template <class Keyspace>
  static std::size_t room_for_new(const Keyspace& keyspace) {
    return keyspace.store_.policy_.new_capacity_;
  }

  template <class Keyspace>
  static constexpr std::size_t entry_size() {
    return sizeof(typename Keyspace::Store::Entry);
  }

  // The number of records in each slot of the wheel, the open one left out.
  template <class Keyspace>
  static std::map<std::size_t, std::size_t> records_by_slot(const Keyspace& keyspace) {
    std::map<std::size_t, std::size_t> counts;
    const auto& table = keyspace.store_.expiry_;
    for (std::size_t i = 0; i != table.kLevels * table.kSlots; ++i) {
      const auto* const level = table.levels_[i / table.kSlots];
      if (level == nullptr) continue;
      for_each_record(level->bags[i % table.kSlots],
                      [&](const RecordChunk&, const Record&) { ++counts[i]; });
    }
    return counts;
  }

 private:
  // Hash and tag: an entry and its record share both.
  using Group = std::pair<std::size_t, Record::Tag>;

  template <class F>
  static void for_each_record(const RecordBag& bag, const F& f) {
    if (bag.empty()) return;
    RecordChunk* const first = &bag.front();
    RecordChunk* chunk = first;
    do {
      for (std::size_t i = 0; i != chunk->size; ++i) f(*chunk, chunk->records()[i]);
      chunk = chunk->next;
    } while (chunk != first);
  }

  template <class Table, class F>
  static void for_each_record(const Table& table, const F& f) {
    for_each_record(table.open_, [&](const RecordChunk&, const Record& record) { f(record); });
    for (const auto* level : table.levels_) {
      if (level == nullptr) continue;
      for (const RecordBag& bag : level->bags) {
        for_each_record(bag, [&](const RecordChunk&, const Record& record) { f(record); });
      }
    }
  }

  template <class Table>
  static std::string broken_in_wheel(const Table& table) {
    std::string broken;
    std::size_t count = 0;
    const auto check = [&](const RecordChunk& chunk, const Record& record) {
      ++count;
      if (chunk.size == 0 || chunk.size > chunk.capacity) broken = "a chunk is empty or overfull";
      if (record.when() < table.next_due_) broken = "a record is due before next_due()";
    };
    for_each_record(table.open_, check);
    for (std::size_t level = 0; level != Table::kLevels; ++level) {
      if (table.levels_[level] == nullptr) continue;
      for (std::size_t slot = 0; slot != Table::kSlots; ++slot) {
        const RecordBag& bag = table.levels_[level]->bags[slot];
        const bool used = (table.levels_[level]->used[slot / 64] >> slot % 64 & 1) != 0;
        if (used == bag.empty()) broken = "the bit of a slot disagrees with the slot";
        for_each_record(bag, check);
        for_each_record(bag, [&](const RecordChunk&, const Record& record) {
          const std::size_t shift = level * Table::kDigitBits;
          const Tick start = record.tick() >> shift << shift;
          if ((record.tick() >> shift) % Table::kSlots != slot) broken = "a record is misfiled";
          if (start < table.cursor_) broken = "the cursor has passed the slot of a record";
        });
      }
    }
    if (count != table.size_) broken = "the records are miscounted";
    return broken;
  }

  template <class Entries, class Table>
  static std::string broken_between(const Entries& entries, const Table& table) {
    std::map<Group, std::multiset<Millis>> records;
    for_each_record(table, [&](const Record& record) {
      records[{record.hash(), record.tag()}].insert(record.when());
    });
    std::map<Group, std::vector<Millis>> early;
    std::size_t volatiles = 0;
    std::size_t far = 0;
    for (auto it = entries.begin(); it != entries.end(); ++it) {
      const auto& stored = it->first;
      if (!stored.is_volatile()) continue;
      ++volatiles;
      far += stored.stamp_.is_far() && stored.stamp_.payload() != Stamp::kLatest;
      const Millis deadline = entries.deadline(stored);
      const Group group = {entries.hash_of(stored), stored.stamp_.tag()};
      if (stored.is_filed_early()) {
        early[group].push_back(deadline);
        continue;
      }
      auto& candidates = records[group];
      const auto exact = candidates.find(deadline);
      if (exact == candidates.end()) return "an entry has no record at its deadline";
      candidates.erase(exact);
    }
    // The sooner the deadline, the fewer records will do; so the soonest chooses first.
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
    std::size_t vacant = 0;
    for (std::size_t place = entries.deadlines_.free_; place != static_cast<std::size_t>(-1);
         place = static_cast<std::size_t>(entries.deadlines_.far_[place])) {
      if (++vacant > entries.deadlines_.far_.size()) return "the vacant places run in a ring";
    }
    if (far + vacant != entries.deadlines_.far_.size()) return "a place of a far deadline is lost";
    if (table.size() > most_records(volatiles)) return "there are too many stale records";
    return "";
  }

  template <class Entries>
  static std::string broken_in_policy(const Entries&, const UnboundedState&) {
    return "";
  }

  template <class Entries>
  static std::string broken_in_policy(const Entries& entries, const EarliestDeadlineState& state) {
    std::size_t weight = 0;
    for (const auto& [stored, value] : entries) weight += stored.extra().weight();
    return weight == state.weight() ? "" : "the weight is wrong";
  }

  template <class Entries, class Allocator>
  static std::string broken_in_policy(const Entries& entries, const LruState<Allocator>& state) {
    const std::string broken = broken_in_wheel(state.table_);
    if (!broken.empty()) return broken;
    using Sharing = std::pair<std::size_t, bool>;  // hash and mark
    std::map<Sharing, std::multiset<Millis>> records;
    for_each_record(state.table_, [&](const Record& record) {
      records[{record.hash(), record.mark()}].insert(record.when());
    });
    std::size_t weight = 0;
    std::map<Millis, Sharing> early;  // by the last request, so that the soonest chooses first
    for (auto it = entries.begin(); it != entries.end(); ++it) {
      const auto& extra = it->first.extra();
      weight += extra.weight();
      const Sharing sharing = {entries.hash_of(it->first), extra.mark.record_mark()};
      if (extra.mark.is_early()) {
        if (!early.emplace(extra.mark.last(), sharing).second) return "a request has two entries";
        continue;
      }
      auto& candidates = records[sharing];
      const auto exact = candidates.find(extra.mark.last());
      if (exact == candidates.end()) return "an entry has no record of its last request";
      candidates.erase(exact);
    }
    for (const auto& [last, sharing] : early) {
      auto& candidates = records[sharing];
      if (candidates.empty() || *candidates.begin() > last) {
        return "an entry has no record before its last request";
      }
      candidates.erase(candidates.begin());
    }
    if (weight != state.weight()) return "the weight is wrong";
    if (state.table_.size() > most_records(entries.size())) return "too many stale requests";
    return "";
  }

  template <class Entries, class Allocator>
  static std::string broken_in_policy(const Entries& entries,
                                      const ScanResistantState<Allocator>& state) {
    std::map<std::uint32_t, std::uint32_t> queue_of;  // by node
    for (const std::uint32_t queue : {state.kNew, state.kKept}) {
      std::uint32_t previous = state.kNone;
      for (std::uint32_t node = state.queues_[queue].first; node != state.kNone;
           node = state.nodes_[node].next) {
        if (!queue_of.emplace(node, queue).second) return "a node is in a queue twice";
        if (state.nodes_[node].previous != previous) return "a node does not know the one before";
        previous = node;
      }
      if (state.queues_[queue].last != previous) return "a queue does not know its end";
    }
    std::array<std::size_t, 2> weights = {};
    for (auto it = entries.begin(); it != entries.end(); ++it) {
      const auto& extra = it->first.extra();
      const auto node = queue_of.find(extra.mark.node_);
      if (node == queue_of.end()) return "two entries have one node, or one has none";
      if (node->second != extra.mark.queue()) return "an entry is in another queue than it thinks";
      if (state.nodes_[node->first].hash != entries.hash_of(it->first)) return "a hash is wrong";
      weights[node->second] += extra.weight();
      queue_of.erase(node);
    }
    if (!queue_of.empty()) return "a node has no entry";
    for (const std::uint32_t queue : {state.kNew, state.kKept}) {
      if (weights[queue] != state.queues_[queue].weight) return "the weight of a queue is wrong";
    }
    if (state.new_capacity_ < state.least_new() || state.new_capacity_ > state.most_new()) {
      return "the share of new keys is out of bounds";
    }
    return "";
  }
};

}  // namespace keyspace::internal

namespace keyspace::testing {

// Throws, with the broken promise as its message, if the inside of `ks` breaks one. O(size).
template <class Ks>
void check_invariants(const Ks& ks) {
  const std::string broken = internal::TestPeer::broken_invariant(ks);
  if (!broken.empty()) throw std::logic_error(broken);
}

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_SUPPORT_INVARIANTS_H_
