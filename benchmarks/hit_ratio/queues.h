#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_QUEUES_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_QUEUES_H_

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "hit_ratio/trace.h"

namespace hit_ratio {

// Queues of the keys of a trace. Each key is in at most one queue. A key can be read at the front,
// put at the back, and removed from anywhere.
class Queues {
 public:
  static constexpr std::size_t kCount = 4;
  static constexpr std::uint8_t kNone = kCount;  // the queue number of a key in no queue

  explicit Queues(std::size_t keys) : links_(keys + kCount), queues_(keys, kNone) {
    for (std::size_t queue = 0; queue != kCount; ++queue) {
      links_[end(queue)] = {end(queue), end(queue)};
    }
  }

  [[nodiscard]] std::size_t size(std::size_t queue) const { return sizes_[queue]; }
  [[nodiscard]] std::uint8_t queue_of(Key key) const { return queues_[key]; }

  // REQUIRES: the queue is not empty.
  [[nodiscard]] Key front(std::size_t queue) const {
    assert(sizes_[queue] != 0);
    return links_[end(queue)].next;
  }
  // Returns the key behind `key`; the first key if `key` is the last.
  [[nodiscard]] Key after(Key key) const {
    const Key next = links_[key].next;
    return next == end(queues_[key]) ? front(queues_[key]) : next;
  }

  // Moves a key to the back of a queue.
  void put(std::uint8_t queue, Key key) {
    remove(key);
    const Key last = links_[end(queue)].previous;
    links_[key] = {last, end(queue)};
    links_[last].next = key;
    links_[end(queue)].previous = key;
    queues_[key] = queue;
    ++sizes_[queue];
  }

  // Removes a key from its queue, if it is in one.
  void remove(Key key) {
    if (queues_[key] == kNone) return;
    links_[links_[key].previous].next = links_[key].next;
    links_[links_[key].next].previous = links_[key].previous;
    --sizes_[queues_[key]];
    queues_[key] = kNone;
  }

 private:
  struct Links {
    Key previous = 0;
    Key next = 0;
  };

  // Returns the index of the links to the last and first key of a queue.
  [[nodiscard]] Key end(std::size_t queue) const {
    return static_cast<Key>(queues_.size() + queue);
  }

  std::vector<Links> links_;
  std::vector<std::uint8_t> queues_;
  std::array<std::size_t, kCount> sizes_ = {};
};

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_QUEUES_H_
