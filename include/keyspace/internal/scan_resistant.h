#ifndef KEYSPACE_INTERNAL_SCAN_RESISTANT_H_
#define KEYSPACE_INTERNAL_SCAN_RESISTANT_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "keyspace/internal/relaxed.h"

namespace keyspace::internal {

// The policy ScanResistant: which entry is to go.
//
// An entry is in one of two queues: kNew, or kKept. It keeps a Mark, which is all that a request
// writes to; its place in the queue is a node, and node and mark know each other. Time is counted
// in arrivals: keys that came and were not there.
//
//   a new key          goes to kNew; or to kKept, while what kNew may have is left free
//   kNew is too long   its first goes, or moves to kKept if it was asked for meanwhile
//   kKept is           its first goes; but those that were asked for are put to its end first, once
//                      for each of up to two visits; and if these are very many, the first of kNew
//                      goes instead
//   an entry goes      leaves a ghost, which says when it was asked for last and when it went
//   a ghost comes back goes to kKept if it was away, since it was asked for last, for clearly less
//                      time than the first of kKept has been by now, else to kNew
//
// How long kNew may be: longer by a little when a ghost of kNew comes back before half as much has
// gone from kNew after it as that may hold (or, if that is more, a hundredth of the capacity); and
// shorter, twice as fast, when one of kKept comes back before as much has gone from kKept.
//
// The numbers in this, and those below, have the most hits on the workloads of
// benchmarks/hit_ratio.
//
// Invariants
//   1. Each entry has one node, in the queue that its mark names. A node's hash is its entry's.
//   2. weight() is the weight of the entries.
//   3. A call takes constant time.
template <class Allocator>
class ScanResistantState {
 public:
  // What an entry keeps.
  class Mark {
   public:
   private:
    friend class ScanResistantState;
    friend struct TestPeer;

    // From the lowest bit: the queue, whether it was asked for once, and twice, since it was looked
    // at, and when it was the last time, in 29 bits. Of a third time and later ones nothing is
    // written, and not the time either: what is in demand stays clean in the caches.
    static constexpr std::uint32_t kQueue = 1;
    static constexpr std::uint32_t kOnce = 2;
    static constexpr std::uint32_t kTwice = 4;
    static constexpr int kLastBit = 3;

    Mark(std::uint32_t node, std::uint32_t queue, std::uint32_t now) noexcept
        : node_(node), use_(now << kLastBit | queue) {}

    [[nodiscard]] std::uint32_t queue() const noexcept { return use_.get() & kQueue; }
    [[nodiscard]] bool was_visited() const noexcept { return (use_.get() & kOnce) != 0; }
    [[nodiscard]] std::uint32_t last() const noexcept { return use_.get() >> kLastBit; }

    void visit(std::uint32_t now) noexcept {
      const std::uint32_t use = use_.get();
      if ((use & kTwice) != 0) [[likely]]
        return;
      use_.set(now << kLastBit | (use & kOnce) << 1 | kOnce | (use & kQueue));
    }
    // Spends a visit.
    void spare() noexcept {
      const std::uint32_t use = use_.get();
      use_.set((use & ~(kOnce | kTwice)) | (use & kTwice) >> 1);
    }
    void move_to(std::uint32_t queue) noexcept {
      use_.set((use_.get() & ~(kQueue | kOnce | kTwice)) | queue);
    }

    std::uint32_t node_ = 0;
    Relaxed<std::uint32_t> use_ = 0;
  };

  // Where a key goes that came and was not there.
  using Arrival = std::uint32_t;

  ScanResistantState(std::size_t capacity, const Allocator& allocator)
      : capacity_(capacity), nodes_(allocator), buckets_(allocator) {}
  ScanResistantState(ScanResistantState&& other) noexcept
      : ScanResistantState(other.capacity_, Allocator(other.nodes_.get_allocator())) {
    nodes_.swap(other.nodes_);
    buckets_.swap(other.buckets_);
    std::swap(free_, other.free_);
    std::swap(queues_, other.queues_);
    std::swap(arrivals_, other.arrivals_);
    std::swap(new_capacity_, other.new_capacity_);
  }

  [[nodiscard]] std::size_t weight() const noexcept {
    return queues_[kNew].weight + queues_[kKept].weight;
  }

  // The ghosts are lost. They are few, for while it grows it is not full; unless light entries take
  // the place of heavy ones, or reserve() is called late.
  void reserve(std::size_t size) {
    if (size <= nodes_.capacity()) return;
    std::vector<Bucket, Rebound<Bucket>> buckets(
        kGhostsPerEntry * std::min<std::size_t>(size, capacity_) / kGhostsPerBucket + 1,
        buckets_.get_allocator());
    nodes_.reserve(size);
    buckets_.swap(buckets);
  }

  void visit(Mark& mark) const noexcept { mark.visit(arrivals_); }
  void shared_visit(Mark& mark) const noexcept { visit(mark); }

  // REQUIRES: it weighs no more than the capacity.
  template <class Entries>
  Arrival arrive(Entries& entries, std::size_t hash, std::size_t its_weight) noexcept {
    ++arrivals_;
    const std::size_t room = capacity_ - std::min<std::size_t>(weight(), capacity_);
    bool is_kept = its_weight <= room && new_capacity_ <= room - its_weight;
    if (Ghost* const ghost = find_ghost(hash)) {
      is_kept = is_kept || has_proved_itself(entries, *ghost);
      adapt(*ghost);
      *ghost = Ghost();
    }
    return is_kept ? kKept : kNew;
  }

  template <class Entries, class Table>
  auto victim(Entries& entries, Table&) noexcept {
    for (int steps = 0;; ++steps) {
      if (queues_[kNew].is_empty()) return next_kept_to_go(entries);
      if (queues_[kNew].weight <= new_capacity_ && !queues_[kKept].is_empty()) {
        const auto it = next_kept_to_go(entries);
        if (!it->first.extra().mark.was_visited()) return it;
      }
      const auto first = entry_at(entries, queues_[kNew].first);
      auto& extra = first->first.extra();
      if (!extra.mark.was_visited() || steps == kMaxSteps) return first;
      move(extra.mark, extra.weight(), kKept);
      extra.mark.move_to(kKept);
    }
  }

  void leave_ghost(const Mark& mark, std::size_t weight) noexcept {
    const std::size_t hash = nodes_[mark.node_].hash;
    Queue& queue = queues_[mark.queue()];
    queue.gone += weight;
    Bucket& bucket = bucket_of(hash);
    Ghost& oldest =
        *std::max_element(bucket.begin(), bucket.end(),
                          [this](const auto& a, const auto& b) { return age(a) < age(b); });
    oldest = {tag(hash) | mark.queue(), mark.last(), scaled(queue.gone)};
  }

  Mark link(std::size_t hash, std::size_t weight, Arrival arrival) noexcept {
    assert(free_ != kNone || (nodes_.size() < nodes_.capacity() && nodes_.size() < kNone));
    std::uint32_t node = free_;
    if (node == kNone) {
      node = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({hash, kNone, kNone});
    } else {
      free_ = nodes_[node].next;
      nodes_[node].hash = hash;
    }
    append(node, weight, arrival);
    return Mark(node, arrival, arrivals_);
  }
  void unlink(const Mark& mark, std::size_t weight) noexcept {
    remove(mark.node_, weight, mark.queue());
    nodes_[mark.node_].next = std::exchange(free_, mark.node_);
  }

  Mark relink(const Mark& mark, std::size_t hash) noexcept {
    nodes_[mark.node_].hash = hash;
    return mark;
  }
  void reweigh(const Mark& mark, std::size_t before, std::size_t after) noexcept {
    queues_[mark.queue()].weight += after - before;
  }

  template <class Entries>
  void tidy(Entries&) noexcept {}
  // Ghosts stay, and with them what their times and weights are counted by.
  void clear() noexcept {
    nodes_.clear();
    free_ = kNone;
    queues_[kNew].clear();
    queues_[kKept].clear();
  }

 private:
  friend struct TestPeer;
  template <class T>
  using Rebound = typename std::allocator_traits<Allocator>::template rebind_alloc<T>;

  static constexpr std::uint32_t kNew = 0;
  static constexpr std::uint32_t kKept = 1;
  static constexpr std::uint32_t kNone = static_cast<std::uint32_t>(-1);

  // How many entries of a queue are spared at a time because they were asked for. A search may do
  // that with kKept for each of kNew. With as many, hits are as frequent as without a limit.
  static constexpr int kMaxSteps = 64;
  static constexpr std::size_t kGhostsPerEntry = 2;
  static constexpr std::size_t kGhostsPerBucket = 8;

  struct Node {
    std::size_t hash;
    std::uint32_t previous;
    std::uint32_t next;  // or the next node that is free
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
    std::size_t gone = 0;  // the weight of all that went to make room
  };

  // What is remembered of an entry that went.
  struct Ghost {
    [[nodiscard]] bool is_none() const noexcept { return tag == 0; }
    std::uint32_t tag = 0;   // a part of the hash, and the queue in the lowest bit
    std::uint32_t last = 0;  // when it was asked for
    std::uint32_t gone = 0;  // from the same queue, up to itself, scaled
  };
  using Bucket = std::array<Ghost, kGhostsPerBucket>;

  [[nodiscard]] std::uint32_t time_since(std::uint32_t last) const noexcept {
    return (arrivals_ - last) << Mark::kLastBit >> Mark::kLastBit;
  }
  [[nodiscard]] std::uint32_t age(const Ghost& ghost) const noexcept {
    return ghost.is_none() ? ~std::uint32_t{0} : time_since(ghost.last);
  }
  // A weight up to the capacity in 30 bits, and others modulo 2^32.
  [[nodiscard]] std::uint32_t scaled(std::size_t weight) const noexcept {
    return static_cast<std::uint32_t>(
        weight >> std::max<int>(static_cast<int>(std::bit_width(capacity_)) - 30, 0));
  }

  // Mixed, for the hash may be one that is not.
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

  template <class Entries>
  auto entry_at(Entries& entries, std::uint32_t node) noexcept {
    return entries.find_if(nodes_[node].hash, [node](const auto& stored) {
      return stored.extra().mark.node_ == node;
    });
  }

  // Puts kept entries that were asked for to the end, each for a visit, and returns the first that
  // was not; or after very many, the next.
  template <class Entries>
  auto next_kept_to_go(Entries& entries) noexcept {
    for (int steps = 0;; ++steps) {
      const auto first = entry_at(entries, queues_[kKept].first);
      auto& extra = first->first.extra();
      if (!extra.mark.was_visited() || steps == kMaxSteps) return first;
      extra.mark.spare();
      move(extra.mark, extra.weight(), kKept);
    }
  }

  template <class Entries>
  bool has_proved_itself(Entries& entries, const Ghost& ghost) noexcept {
    if (queues_[kKept].is_empty()) return true;
    const std::uint64_t away = time_since(ghost.last);
    const std::uint64_t idle = time_since(next_kept_to_go(entries)->first.extra().mark.last());
    return away * 3 < idle * 2;
  }

  void adapt(const Ghost& ghost) noexcept {
    const bool was_kept = (ghost.tag & 1) == kKept;
    const std::uint32_t others = scaled(queues_[ghost.tag & 1].gone) - ghost.gone;
    if (others >= scaled(std::max<std::size_t>(new_capacity_ / 2, least_new()))) return;
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

  void append(std::uint32_t node, std::size_t weight, std::uint32_t to) noexcept {
    Queue& queue = queues_[to];
    nodes_[node].previous = queue.last;
    nodes_[node].next = kNone;
    (queue.is_empty() ? queue.first : nodes_[queue.last].next) = node;
    queue.last = node;
    queue.weight += weight;
  }
  void remove(std::uint32_t node, std::size_t weight, std::uint32_t from) noexcept {
    Queue& queue = queues_[from];
    const auto [hash, previous, next] = nodes_[node];
    (previous == kNone ? queue.first : nodes_[previous].next) = next;
    (next == kNone ? queue.last : nodes_[next].previous) = previous;
    queue.weight -= weight;
  }
  // To the end of a queue.
  void move(const Mark& mark, std::size_t weight, std::uint32_t to) noexcept {
    remove(mark.node_, weight, mark.queue());
    append(mark.node_, weight, to);
  }

  std::size_t capacity_;
  std::size_t new_capacity_ = least_new();
  std::array<Queue, 2> queues_;
  std::uint32_t arrivals_ = 0;
  std::uint32_t free_ = kNone;
  std::vector<Node, Rebound<Node>> nodes_;
  std::vector<Bucket, Rebound<Bucket>> buckets_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_SCAN_RESISTANT_H_
