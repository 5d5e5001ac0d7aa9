// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_SCAN_RESISTANT_H_
#define KEYSPACE_INTERNAL_SCAN_RESISTANT_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "keyspace/internal/chunked_vector.h"
#include "keyspace/internal/relaxed.h"
#include "keyspace/internal/timer_record.h"

namespace keyspace::internal {

// The policy ScanResistant: first evicts the entries that were not requested again. (See eviction.h
// for the calls.)
//
// Each entry is in one of two queues: the small queue kNew or the main queue kKept. The entry keeps
// a PolicyState. A request writes only that. The place of an entry in its queue is a node. The
// state holds the number of the node, and the node holds the hash of the key. The unit of time is
// an admission: a call of admit(), for a key that is added and has no entry.
//
//   A new key          is added to kNew. But it is added to kKept if that leaves free room for the
//                      share of kNew.
//   kNew is too heavy  Its first entry is evicted. But if that entry was requested since it was
//                      added, it moves to kKept, and the next entry is considered.
//   kKept is too heavy Its first entry is evicted. But entries that were requested get a second
//                      chance: each moves to the end, once for each of up to two requests. If a
//                      search moves kMaxSteps of them, it tries the first entry of kNew instead.
//   An eviction        leaves a ghost. The ghost holds the time of the last request, and the total
//                      weight that was evicted from the entry's queue up to this eviction.
//   A key with a ghost is added to kKept if the time since its last request is less than two thirds
//                      of the time since the last request of the next victim of kKept, or if kKept
//                      is empty. Otherwise it is added to kNew.
//
// The share of kNew adapts when a key with a ghost is added. It changes only if little was evicted
// from the ghost's queue since the ghost was made: less than half the share of kNew, or less than a
// hundredth of the capacity if that is more. A ghost of kNew makes the share grow by 1/1024 of the
// capacity. A ghost of kKept makes it shrink by twice as much.
//
// These numbers, and those below, give the most hits on the workloads of benchmarks/hit_ratio.
//
// Invariants
//   1. Each entry has one node, in the queue that its state names. The hash of the node is the hash
//      of the entry.
//   2. weight() is the weight of the entries.
//   3. reserve(), shrink_to_fit() and clear() take linear time. collect_if_needed() takes time in
//      proportion to the entries that were removed since its last call. Other calls take constant
//      time.
template <class Allocator>
class ScanResistantEviction {
 public:
  static constexpr bool kUsesRequests = true;

  // The part of an entry that belongs to the policy.
  class PolicyState {
   private:
    friend class ScanResistantEviction;
    friend struct TestPeer;

    // From the lowest bit: the queue; two bits that count requests; and the time of the last
    // request, in 29 bits. The two bits count requests since the entry was added or moved to kKept,
    // without those that second chances used up. After the second request, later ones write
    // nothing, not even the time. So a frequently requested entry is read without a write.
    static constexpr std::uint32_t kQueue = 1;
    static constexpr std::uint32_t kOnce = 2;
    static constexpr std::uint32_t kTwice = 4;
    static constexpr int kTimeBit = 3;

    PolicyState(std::uint32_t node, std::uint32_t queue, std::uint32_t now) noexcept
        : node_(node), use_(now << kTimeBit | queue) {}

    [[nodiscard]] std::uint32_t queue() const noexcept { return use_.get() & kQueue; }
    [[nodiscard]] bool was_requested() const noexcept { return (use_.get() & kOnce) != 0; }
    [[nodiscard]] std::uint32_t last_request() const noexcept { return use_.get() >> kTimeBit; }

    void record_access(std::uint32_t now) noexcept {
      const std::uint32_t use = use_.get();
      if ((use & kTwice) != 0) [[likely]]
        return;
      use_.set(now << kTimeBit | (use & kOnce) << 1 | kOnce | (use & kQueue));
    }
    // Uses up one request.
    void second_chance() noexcept {
      const std::uint32_t use = use_.get();
      use_.set((use & ~(kOnce | kTwice)) | (use & kTwice) >> 1);
    }
    void move_to(std::uint32_t queue) noexcept {
      use_.set((use_.get() & ~(kQueue | kOnce | kTwice)) | queue);
    }

    std::uint32_t node_ = 0;
    Relaxed<std::uint32_t> use_ = 0;
  };

  // The queue of a new entry.
  using Placement = std::uint32_t;

  ScanResistantEviction(std::size_t capacity, const Allocator& allocator)
      : capacity_(capacity), nodes_(allocator), buckets_(allocator) {}
  // Leaves `other` without entries and without ghosts.
  ScanResistantEviction(ScanResistantEviction&& other) noexcept
      : capacity_(other.capacity_),
        new_capacity_(std::exchange(other.new_capacity_, other.least_new())),
        queues_(std::exchange(other.queues_, {})),
        admissions_(std::exchange(other.admissions_, 0)),
        free_(std::exchange(other.free_, kNone)),
        removed_(std::exchange(other.removed_, 0)),
        reserved_(std::exchange(other.reserved_, 0)),
        size_of_ghosts_(std::exchange(other.size_of_ghosts_, 0)),
        nodes_(std::move(other.nodes_)),
        buckets_(std::move(other.buckets_)) {}

  [[nodiscard]] std::size_t weight() const noexcept {
    return queues_[kNew].weight + queues_[kKept].weight;
  }
  // Keeps the place of the share of kNew between its bounds. If the capacity needs more than 30
  // bits before or after, the present ghosts may adapt the share wrongly: see scaled().
  void set_capacity(std::size_t capacity) noexcept {
    if (capacity == capacity_) return;
    const auto range = [this] { return static_cast<double>(most_new() - least_new()); };
    const double place =
        static_cast<double>(new_capacity_ - least_new()) / std::max<double>(range(), 1);
    capacity_ = capacity;
    new_capacity_ = least_new() + static_cast<std::size_t>(std::round(place * range()));
    new_capacity_ = std::min<std::size_t>(new_capacity_, most_new());
    size_of_ghosts_ = 0;
  }

  void reserve(std::size_t size) {
    reserved_ = std::max<std::size_t>(reserved_, size);
    while (nodes_.size() < size) push_free_node();
    while (buckets_.size() < buckets_for(size)) buckets_.push_back(Bucket());
  }
  // Makes room for one add(), and adds or drops up to kBucketsPerStep buckets of ghosts. The bucket
  // of a ghost depends on the number of buckets. So most ghosts are lost when buckets are added or
  // dropped. There are few ghosts then: a cache that grows is mostly not full.
  void grow(std::size_t size) {
    if (free_ == kNone) push_free_node();
    if (size != size_of_ghosts_) adapt_buckets(size);
  }

  void record_access(PolicyState& state) const noexcept { state.record_access(admissions_); }
  void record_shared_access(PolicyState& state) const noexcept { record_access(state); }

  template <class Entries>
  Placement admit(Entries& entries, std::size_t hash, std::size_t its_weight) noexcept {
    ++admissions_;
    const std::size_t room = capacity_ - std::min<std::size_t>(weight(), capacity_);
    bool is_kept = its_weight <= room && new_capacity_ <= room - its_weight;
    if (Ghost* const ghost = find_ghost(hash)) {
      is_kept = is_kept || has_proved_itself(entries, *ghost);
      adapt(*ghost);
      *ghost = Ghost();
    }
    return is_kept ? kKept : kNew;
  }

  template <class Entries, class Wheel>
  typename Entries::Entry* find_victim(Entries& entries, Wheel&) noexcept {
    for (int steps = 0;; ++steps) {
      if (queues_[kNew].is_empty()) return next_kept_victim(entries);
      if (queues_[kNew].weight <= new_capacity_ && !queues_[kKept].is_empty()) {
        auto* const kept = next_kept_victim(entries);
        if (!kept->first.extra().policy_state.was_requested()) return kept;
      }
      auto* const first = entry_at(entries, queues_[kNew].first);
      auto& extra = first->first.extra();
      if (!extra.policy_state.was_requested() || steps == kMaxSteps) return first;
      move(extra.policy_state, extra.weight(), kKept);
      extra.policy_state.move_to(kKept);
    }
  }

  void record_eviction(const PolicyState& state, std::size_t weight) noexcept {
    const std::size_t hash = nodes_[state.node_].hash;
    Queue& queue = queues_[state.queue()];
    queue.evicted += weight;
    Bucket& bucket = bucket_of(hash);
    Ghost& oldest =
        *std::max_element(bucket.begin(), bucket.end(),
                          [this](const auto& a, const auto& b) { return age(a) < age(b); });
    oldest = {tag(hash) | state.queue(), state.last_request(), scaled(queue.evicted)};
  }

  PolicyState add(std::size_t hash, std::size_t weight, Placement placement) noexcept {
    assert(free_ != kNone);
    const std::uint32_t node = free_;
    take_free(node);
    nodes_[node].hash = hash;
    append(node, weight, placement);
    return PolicyState(node, placement, admissions_);
  }
  void remove(const PolicyState& state, std::size_t weight) noexcept {
    unlink(state.node_, weight, state.queue());
    push_free(state.node_);
    ++removed_;
  }

  PolicyState rehash(const PolicyState& state, std::size_t hash) noexcept {
    nodes_[state.node_].hash = hash;
    return state;
  }
  void reweigh(const PolicyState& state, std::size_t before, std::size_t after) noexcept {
    queues_[state.queue()].weight += after - before;
  }

  // Drops up to two nodes, and some buckets, for each removed entry if few entries are left.
  template <class Entries>
  void collect_if_needed(Entries& entries) noexcept {
    const std::size_t most = std::max<std::size_t>(2 * entries.size() + kMostUnused, reserved_);
    for (std::size_t steps = 2 * std::exchange(removed_, 0); steps != 0 && nodes_.size() > most;
         --steps) {
      drop_last_node(entries);
      drop_buckets(2 * nodes_.size(), kBucketsPerStep);
    }
  }
  template <class Entries>
  void shrink_to_fit(Entries& entries) noexcept {
    while (nodes_.size() > entries.size()) drop_last_node(entries);
    drop_buckets(nodes_.size(), buckets_.size());
    reserved_ = removed_ = 0;
  }
  // Keeps the ghosts, and the counts that their times and weights refer to.
  void clear() noexcept {
    nodes_.clear();
    free_ = kNone;
    reserved_ = removed_ = 0;
    queues_[kNew].clear();
    queues_[kKept].clear();
  }

 private:
  friend struct TestPeer;
  static constexpr std::uint32_t kNew = 0;
  static constexpr std::uint32_t kKept = 1;
  static constexpr std::uint32_t kNone = static_cast<std::uint32_t>(-1);

  // How many requested entries of kNew one search moves to kKept. For each of these, it may move as
  // many entries of kKept to the end. Hits are as frequent as without this limit.
  static constexpr int kMaxSteps = 64;
  static constexpr std::size_t kGhostsPerEntry = 2;
  static constexpr std::size_t kGhostsPerBucket = 8;
  static constexpr std::size_t kBucketsPerStep = 16;
  // collect_if_needed() keeps up to two nodes for each entry, and this many more.
  static constexpr std::size_t kMostUnused = 64;

  // A place in a queue, or in the list of free nodes.
  struct Node {
    std::size_t hash = 0;
    std::uint32_t previous = kNone;
    std::uint32_t next = kNone;
  };

  struct Queue {
    [[nodiscard]] bool is_empty() const noexcept { return first == kNone; }
    void clear() noexcept {
      first = last = kNone;
      weight = 0;
    }
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
    std::size_t weight = 0;
    std::size_t evicted = 0;  // the weight of all entries that were evicted from this queue
  };

  // What the policy remembers of an evicted entry.
  struct Ghost {
    [[nodiscard]] bool is_none() const noexcept { return tag == 0; }
    std::uint32_t tag = 0;  // a part of the hash, and the queue in the lowest bit
    std::uint32_t last_request = 0;
    std::uint32_t evicted = 0;  // Queue::evicted after its eviction, scaled
  };
  using Bucket = std::array<Ghost, kGhostsPerBucket>;

  // Times have 29 bits and wrap.
  [[nodiscard]] std::uint32_t time_since(std::uint32_t time) const noexcept {
    return (admissions_ - time) << PolicyState::kTimeBit >> PolicyState::kTimeBit;
  }
  [[nodiscard]] std::uint32_t age(const Ghost& ghost) const noexcept {
    return ghost.is_none() ? ~std::uint32_t{0} : time_since(ghost.last_request);
  }
  // Scales a weight so that the capacity fits into 30 bits. Larger weights wrap at 2^32.
  [[nodiscard]] std::uint32_t scaled(std::size_t weight) const noexcept {
    return static_cast<std::uint32_t>(
        weight >> std::max<int>(static_cast<int>(std::bit_width(capacity_)) - 30, 0));
  }

  // Mixes the bits of a hash, which a user's hash function may not have done.
  static std::uint64_t mixed(std::size_t hash) noexcept {
    return static_cast<std::uint64_t>(hash) * 0x9e3779b97f4a7c15;
  }
  static std::uint32_t tag(std::size_t hash) noexcept {
    return static_cast<std::uint32_t>(mixed(hash)) << 1;
  }
  [[nodiscard]] Bucket& bucket_of(std::size_t hash) noexcept {
    return buckets_[static_cast<std::size_t>((mixed(hash) >> 32) * buckets_.size() >> 32)];
  }
  [[nodiscard]] Ghost* find_ghost(std::size_t hash) noexcept {
    if (buckets_.empty()) return nullptr;
    Bucket& bucket = bucket_of(hash);
    const auto ghost = std::find_if(bucket.begin(), bucket.end(), [&](const Ghost& g) {
      return !g.is_none() && (g.tag & ~1U) == tag(hash);
    });
    return ghost == bucket.end() ? nullptr : &*ghost;
  }

  [[nodiscard]] std::size_t buckets_for(std::size_t size) const noexcept {
    return std::min<std::size_t>(size, capacity_) / (kGhostsPerBucket / kGhostsPerEntry) + 1;
  }

  // Returns the entry with this node; null if the node is free.
  template <class Entries>
  auto* entry_at(Entries& entries, std::uint32_t node) noexcept {
    return entries.find_if(nodes_[node].hash, [node](const auto& stored) {
      return stored.extra().policy_state.node_ == node;
    });
  }

  // Returns the first entry of kKept that was not requested. Moves the entries before it to the
  // end, which uses up one request of each. After kMaxSteps moves, returns the next entry.
  template <class Entries>
  auto* next_kept_victim(Entries& entries) noexcept {
    for (int steps = 0;; ++steps) {
      auto* const first = entry_at(entries, queues_[kKept].first);
      auto& extra = first->first.extra();
      if (!extra.policy_state.was_requested() || steps == kMaxSteps) return first;
      extra.policy_state.second_chance();
      move(extra.policy_state, extra.weight(), kKept);
    }
  }

  // Returns true if a new key with this ghost should be added to kKept.
  template <class Entries>
  bool has_proved_itself(Entries& entries, const Ghost& ghost) noexcept {
    if (queues_[kKept].is_empty()) return true;
    const std::uint64_t away = time_since(ghost.last_request);
    const std::uint64_t idle =
        time_since(next_kept_victim(entries)->first.extra().policy_state.last_request());
    return away * 3 < idle * 2;
  }

  // Adapts the share of kNew when a key with this ghost is added.
  void adapt(const Ghost& ghost) noexcept {
    const bool was_kept = (ghost.tag & 1) == kKept;
    const std::uint32_t evicted_since = scaled(queues_[ghost.tag & 1].evicted) - ghost.evicted;
    if (evicted_since >= scaled(std::max<std::size_t>(new_capacity_ / 2, least_new()))) return;
    const std::size_t step = std::max<std::size_t>(capacity_ / 1024, 1);
    if (was_kept) {
      new_capacity_ -= std::min<std::size_t>(2 * step, new_capacity_ - least_new());
    } else {
      new_capacity_ += std::min<std::size_t>(step, most_new() - new_capacity_);
    }
  }
  [[nodiscard]] std::size_t least_new() const noexcept {
    return std::max<std::size_t>(capacity_ / 100, 1);
  }
  [[nodiscard]] std::size_t most_new() const noexcept {
    return std::max<std::size_t>(capacity_ - capacity_ / 20, least_new());
  }

  // Adds a node at the end of a queue.
  void append(std::uint32_t node, std::size_t weight, std::uint32_t to) noexcept {
    Queue& queue = queues_[to];
    nodes_[node].previous = queue.last;
    nodes_[node].next = kNone;
    (queue.is_empty() ? queue.first : nodes_[queue.last].next) = node;
    queue.last = node;
    queue.weight += weight;
  }
  void unlink(std::uint32_t node, std::size_t weight, std::uint32_t from) noexcept {
    Queue& queue = queues_[from];
    const auto [hash, previous, next] = nodes_[node];
    (previous == kNone ? queue.first : nodes_[previous].next) = next;
    (next == kNone ? queue.last : nodes_[next].previous) = previous;
    queue.weight -= weight;
  }
  // Moves an entry to the end of a queue.
  void move(const PolicyState& state, std::size_t weight, std::uint32_t to) noexcept {
    unlink(state.node_, weight, state.queue());
    append(state.node_, weight, to);
  }

  // Adds up to kBucketsPerStep of the buckets for the ghosts of `size` entries. Drops as many if
  // there are more than a full cache needs, after a change of the capacity.
  void adapt_buckets(std::size_t size) {
    for (std::size_t i = 0; i != kBucketsPerStep && buckets_.size() < buckets_for(size); ++i) {
      buckets_.push_back(Bucket());
    }
    drop_buckets(capacity_, kBucketsPerStep);
    if (buckets_.size() >= buckets_for(size) && buckets_.size() <= buckets_for(capacity_)) {
      size_of_ghosts_ = size;
    }
  }
  void push_free_node() {
    assert(nodes_.size() < kNone);
    nodes_.push_back(Node());
    push_free(static_cast<std::uint32_t>(nodes_.size() - 1));
  }
  // Drops at most `most` of the buckets that are not needed for the ghosts of `size` entries.
  void drop_buckets(std::size_t size, std::size_t most) noexcept {
    for (; most != 0 && buckets_.size() > buckets_for(size); --most) {
      buckets_.pop_back();
      size_of_ghosts_ = 0;
    }
  }
  void push_free(std::uint32_t node) noexcept {
    nodes_[node] = {0, kNone, free_};
    if (free_ != kNone) nodes_[free_].previous = node;
    free_ = node;
  }
  void take_free(std::uint32_t node) noexcept {
    const auto [hash, previous, next] = nodes_[node];
    (previous == kNone ? free_ : nodes_[previous].next) = next;
    if (next != kNone) nodes_[next].previous = previous;
  }
  // Removes the last node. If an entry uses it, the entry gets a free node instead. REQUIRES: there
  // is a free node.
  template <class Entries>
  void drop_last_node(Entries& entries) noexcept {
    const auto last = static_cast<std::uint32_t>(nodes_.size() - 1);
    auto* const entry = entry_at(entries, last);
    if (entry == nullptr) {
      take_free(last);
    } else {
      PolicyState& state = entry->first.extra().policy_state;
      const std::uint32_t node = free_;
      take_free(node);
      nodes_[node] = nodes_[last];
      Queue& queue = queues_[state.queue()];
      const auto [hash, previous, next] = nodes_[node];
      (previous == kNone ? queue.first : nodes_[previous].next) = node;
      (next == kNone ? queue.last : nodes_[next].previous) = node;
      state.node_ = node;
    }
    nodes_.pop_back();
  }

  std::size_t capacity_;
  std::size_t new_capacity_ = least_new();  // the share of kNew, as a weight
  std::array<Queue, 2> queues_;
  std::uint32_t admissions_ = 0;
  std::uint32_t free_ = kNone;  // the first free node
  std::size_t removed_ = 0;     // how many entries were removed since the last collect_if_needed()
  std::size_t reserved_ = 0;    // the size that was reserved
  // The last size for which grow() has added all buckets; 0 after a bucket was dropped, and after
  // the capacity has changed.
  std::size_t size_of_ghosts_ = 0;
  ChunkedVector<Node, Allocator> nodes_;
  ChunkedVector<Bucket, Allocator> buckets_;  // of ghosts, by hash
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_SCAN_RESISTANT_H_
