#include "hit_ratio/models.h"

#include <keyspace/cache.h>
#include <keyspace/options.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "hit_ratio/queues.h"

namespace hit_ratio {
namespace {

std::uint64_t hash(Key key, std::uint64_t number = 0) {
  std::uint64_t hash = (key + std::uint64_t{1}) * (0x9e3779b97f4a7c15 + 2 * number);
  hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93;
  return hash ^ hash >> 32;
}

class Sieve final : public Model {
 public:
  Sieve(std::size_t capacity, std::size_t keys)
      : capacity_(capacity), queues_(keys), visited_(keys) {}

  bool request(Key key) override {
    if (queues_.queue_of(key) != Queues::kNone) {
      visited_[key] = 1;
      return true;
    }
    if (queues_.size(0) == capacity_) evict();
    queues_.put(0, key);
    visited_[key] = 0;
    if (queues_.size(0) == 1) hand_ = key;
    return false;
  }

 private:
  void evict() {
    while (visited_[hand_] != 0) {
      visited_[hand_] = 0;
      hand_ = queues_.after(hand_);
    }
    const Key victim = hand_;
    hand_ = queues_.after(hand_);
    queues_.remove(victim);
  }

  std::size_t capacity_;
  Queues queues_;
  std::vector<std::uint8_t> visited_;
  Key hand_ = 0;
};

class S3Fifo final : public Model {
 public:
  S3Fifo(std::size_t capacity, std::size_t keys)
      : capacity_(capacity),
        small_capacity_(std::max<std::size_t>(capacity / 10, 1)),
        queues_(keys),
        visits_(keys) {}

  bool request(Key key) override {
    const std::uint8_t queue = queues_.queue_of(key);
    if (queue == kSmall || queue == kMain) {
      visits_[key] = static_cast<std::uint8_t>(std::min(visits_[key] + 1, 3));
      return true;
    }
    if (size() == capacity_) evict();
    // Reads the queue again, because evict() may have removed the ghost.
    queues_.put(queues_.queue_of(key) == kGhost ? kMain : kSmall, key);
    visits_[key] = 0;
    return false;
  }

 private:
  static constexpr std::uint8_t kSmall = 0;
  static constexpr std::uint8_t kMain = 1;
  static constexpr std::uint8_t kGhost = 2;

  [[nodiscard]] std::size_t size() const { return queues_.size(kSmall) + queues_.size(kMain); }

  void evict() {
    while (size() == capacity_) {
      if (queues_.size(kSmall) > small_capacity_ || queues_.size(kMain) == 0) {
        leave_small();
      } else {
        evict_from_main();
      }
    }
  }

  void leave_small() {
    const Key key = queues_.front(kSmall);
    if (visits_[key] > 1) {
      visits_[key] = 0;
      queues_.put(kMain, key);
      return;
    }
    queues_.put(kGhost, key);
    if (queues_.size(kGhost) > capacity_) queues_.remove(queues_.front(kGhost));
  }

  void evict_from_main() {
    Key key = queues_.front(kMain);
    while (visits_[key] != 0) {
      --visits_[key];
      queues_.put(kMain, key);
      key = queues_.front(kMain);
    }
    queues_.remove(key);
  }

  std::size_t capacity_;
  std::size_t small_capacity_;
  Queues queues_;
  std::vector<std::uint8_t> visits_;
};

class Arc final : public Model {
 public:
  Arc(std::size_t capacity, std::size_t keys) : capacity_(capacity), queues_(keys) {}

  bool request(Key key) override {
    const std::uint8_t queue = queues_.queue_of(key);
    if (queue == Queues::kNone) {
      make_room();
      queues_.put(kOnce, key);
      return false;
    }
    const std::size_t once = queues_.size(kOnceGhost);
    const std::size_t often = queues_.size(kOftenGhost);
    // The target grows with the hits of one list of ghosts, and shrinks with those of the other.
    if (queue == kOnceGhost) {
      target_ = std::min(target_ + std::max<std::size_t>(often / once, 1), capacity_);
      evict(target_ + 1);
    } else if (queue == kOftenGhost) {
      target_ -= std::min(target_, std::max<std::size_t>(once / often, 1));
      evict(std::max<std::size_t>(target_, 1));
    }
    queues_.put(kOften, key);
    return queue == kOnce || queue == kOften;
  }

 private:
  static constexpr std::uint8_t kOnce = 0;
  static constexpr std::uint8_t kOften = 1;
  static constexpr std::uint8_t kOnceGhost = 2;
  static constexpr std::uint8_t kOftenGhost = 3;

  // Makes room for a key that is in no queue.
  void make_room() {
    const std::size_t once = queues_.size(kOnce) + queues_.size(kOnceGhost);
    const std::size_t all = once + queues_.size(kOften) + queues_.size(kOftenGhost);
    if (queues_.size(kOnce) == capacity_) {
      queues_.remove(queues_.front(kOnce));
    } else if (all >= capacity_) {
      if (once == capacity_) {
        queues_.remove(queues_.front(kOnceGhost));
      } else if (all == 2 * capacity_) {
        queues_.remove(queues_.front(kOftenGhost));
      }
      evict(target_ + 1);
    }
  }

  // Evicts a key that was requested once, if there are `enough` of them. Otherwise evicts a key
  // that was requested more often.
  void evict(std::size_t enough) {
    if (queues_.size(kOnce) >= enough) {
      queues_.put(kOnceGhost, queues_.front(kOnce));
    } else {
      queues_.put(kOftenGhost, queues_.front(kOften));
    }
  }

  std::size_t capacity_;
  std::size_t target_ = 0;  // for the number of stored keys that were requested once
  Queues queues_;
};

class Lirs final : public Model {
 public:
  Lirs(std::size_t capacity, std::size_t keys)
      : capacity_(capacity), low_capacity_(capacity * 99 / 100), stack_(keys), kinds_(keys) {}

  bool request(Key key) override {
    const std::uint8_t kind = kinds_.queue_of(key);
    // A key that is requested twice in a row counts as requested once.
    const bool is_again = stack_.queue_of(key) != Queues::kNone && key != last_;
    const bool is_low = kind == kLow || is_again || kinds_.size(kLow) < low_capacity_;
    last_ = key;
    stack_.put(kStack, key);
    kinds_.put(is_low ? kLow : kHigh, key);
    if (kinds_.size(kLow) > low_capacity_) kinds_.put(kHigh, stack_.front(kStack));
    prune();
    if (kinds_.size(kLow) + kinds_.size(kHigh) > capacity_) evict();
    return kind == kLow || kind == kHigh;
  }

 private:
  static constexpr std::uint8_t kStack = 0;  // in stack_: keys in the order of their last requests
  static constexpr std::uint8_t kLow = 0;    // in kinds_: stored keys with the lowest recencies
  static constexpr std::uint8_t kHigh = 1;   // the other stored keys
  static constexpr std::uint8_t kGhost = 2;  // evicted keys that are in the stack

  // Removes keys from the bottom of the stack until a key of kLow is there.
  void prune() {
    while (stack_.size(kStack) != 0 && kinds_.queue_of(stack_.front(kStack)) != kLow) {
      forget(stack_.front(kStack));
    }
  }

  void evict() {
    const Key victim = kinds_.front(kHigh);
    if (stack_.queue_of(victim) == Queues::kNone) {
      kinds_.remove(victim);
      return;
    }
    kinds_.put(kGhost, victim);
    if (kinds_.size(kGhost) > 2 * capacity_) forget(kinds_.front(kGhost));
  }

  // Removes a key from the stack.
  void forget(Key key) {
    stack_.remove(key);
    if (kinds_.queue_of(key) == kGhost) kinds_.remove(key);
  }

  std::size_t capacity_;
  std::size_t low_capacity_;
  Key last_ = 0;  // the last requested key
  Queues stack_;
  Queues kinds_;
};

// Estimates how often keys were requested lately. Each key has four counters up to 15. The least
// counter is the estimate. All counters are halved at times: after ten times as many requests as
// the capacity has entries, if that is rounded up to a power of two.
class Sketch {
 public:
  explicit Sketch(std::size_t capacity)
      : row_(std::bit_ceil(std::max<std::size_t>(capacity, 8)) * 4),
        counters_(kRows * row_),
        sample_(10 * (row_ / 4)) {}

  void add(Key key) {
    bool is_counted = false;
    for (std::size_t row = 0; row != kRows; ++row) {
      std::uint8_t& counter = counters_[place(row, key)];
      if (counter == 15) continue;
      ++counter;
      is_counted = true;
    }
    if (is_counted && ++additions_ == sample_) halve();
  }

  [[nodiscard]] int count(Key key) const {
    int least = 15;
    for (std::size_t row = 0; row != kRows; ++row) {
      least = std::min<int>(least, counters_[place(row, key)]);
    }
    return least;
  }

 private:
  static constexpr std::size_t kRows = 4;

  void halve() {
    std::size_t odd = 0;
    for (std::uint8_t& counter : counters_) {
      odd += counter % 2;
      counter /= 2;
    }
    additions_ = (additions_ - odd / kRows) / 2;
  }

  [[nodiscard]] std::size_t place(std::size_t row, Key key) const {
    return row * row_ + (hash(key, row) & (row_ - 1));
  }

  std::size_t row_;
  std::vector<std::uint8_t> counters_;
  std::size_t sample_;
  std::size_t additions_ = 0;
};

class WTinyLfu final : public Model {
 public:
  WTinyLfu(std::size_t capacity, std::size_t keys)
      : capacity_(capacity),
        border_(static_cast<double>(capacity - main_capacity())),
        most_(border_ + static_cast<double>(main_capacity() * 4 / 5)),
        step_(-static_cast<double>(capacity) / 16),
        queues_(keys),
        sketch_(capacity) {}

  bool request(Key key) override {
    const bool is_full = size() == capacity_;
    sketch_.add(key);
    const std::uint8_t queue = queues_.queue_of(key);
    const bool is_hit = queue != Queues::kNone;
    if (queue == kProbation) {
      queues_.put(kProtected, key);
      demote();
    } else if (is_hit) {
      queues_.put(queue, key);
    } else {
      queues_.put(kWindow, key);
      leave_window();
    }
    if (is_full) {
      hits_ += is_hit;
      if (++requests_ == 10 * capacity_) climb();
    }
    return is_hit;
  }

 private:
  static constexpr std::uint8_t kWindow = 0;
  static constexpr std::uint8_t kProbation = 1;
  static constexpr std::uint8_t kProtected = 2;

  [[nodiscard]] std::size_t size() const {
    return queues_.size(kWindow) + queues_.size(kProbation) + queues_.size(kProtected);
  }
  // Returns the capacity of probation and protected keys together, before the border moves.
  [[nodiscard]] std::size_t main_capacity() const { return capacity_ * 99 / 100; }
  [[nodiscard]] std::size_t window_capacity() const { return static_cast<std::size_t>(border_); }
  [[nodiscard]] std::size_t protected_capacity() const {
    return static_cast<std::size_t>(most_) - window_capacity();
  }

  void demote() {
    while (queues_.size(kProtected) > protected_capacity()) {
      queues_.put(kProbation, queues_.front(kProtected));
    }
  }

  void leave_window() {
    while (queues_.size(kWindow) > window_capacity()) {
      const Key candidate = queues_.front(kWindow);
      queues_.put(kProbation, candidate);
      if (size() <= capacity_) continue;
      const Key victim = queues_.front(kProbation);
      queues_.remove(admits(candidate, victim) ? victim : candidate);
    }
  }

  // Sometimes admits a key that was requested often, whatever the count of the victim is. So an
  // attacker cannot keep keys out with keys whose counters collide with theirs.
  bool admits(Key candidate, Key victim) {
    const int count = sketch_.count(candidate);
    return count > sketch_.count(victim) || (count > 5 && random_() % 128 == 0);
  }

  // Moves the border of the window. Keeps the direction while the hit ratio does not fall, and
  // reverses it otherwise. The steps become smaller until the hit ratio changes by 5 %.
  void climb() {
    const double ratio = static_cast<double>(hits_) / static_cast<double>(requests_);
    const double change = ratio - last_ratio_;
    if (change < 0) step_ = -step_;
    if (std::abs(change) >= 0.05) {
      step_ = std::copysign(static_cast<double>(capacity_) / 16, step_);
    }
    border_ = std::clamp(border_ + step_, 0.0, most_);
    step_ *= 0.98;
    last_ratio_ = ratio;
    hits_ = requests_ = 0;
    demote();
    while (queues_.size(kWindow) < window_capacity()) {
      queues_.put(kWindow, queues_.front(kProbation));
    }
    leave_window();
  }

  std::size_t capacity_;
  double border_;  // the capacity of the window, with the fraction of a key that it must still move
  double most_;    // the greatest border, which leaves no protected keys
  double step_;
  double last_ratio_ = 0;
  std::size_t hits_ = 0;
  std::size_t requests_ = 0;
  std::minstd_rand random_;
  Queues queues_;
  Sketch sketch_;
};

// The library's cache itself, with one of its policies.
template <class CachePolicy>
class Keyspace final : public Model {
 public:
  Keyspace(std::size_t capacity, std::size_t) : cache_({.capacity = capacity}) {}

  bool request(Key key) override {
    if (cache_.find(key) != nullptr) return true;
    cache_.set(key, {});
    return false;
  }

 private:
  struct Nothing {};
  // The default hash differs between processes, and with it the hits.
  struct SameEveryTime {
    using is_avalanching = void;
    std::size_t operator()(Key key) const noexcept { return hash(key); }
  };
  keyspace::Cache<Key, Nothing, CachePolicy, std::chrono::steady_clock,
                  keyspace::WithHash<SameEveryTime>>
      cache_;
};

template <class M>
std::unique_ptr<Model> make(std::size_t capacity, std::size_t keys) {
  return std::make_unique<M>(capacity, keys);
}

constexpr std::array<Policy, 7> kPolicies = {{
    {"LRU", make<Keyspace<keyspace::Lru>>},
    {"SIEVE", make<Sieve>},
    {"S3-FIFO", make<S3Fifo>},
    {"ARC", make<Arc>},
    {"LIRS", make<Lirs>},
    {"W-TinyLFU", make<WTinyLfu>},
    {"Keyspace", make<Keyspace<keyspace::ScanResistant>>},
}};

}  // namespace

std::span<const Policy> policies() { return kPolicies; }

}  // namespace hit_ratio
