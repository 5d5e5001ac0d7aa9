#include "hit_ratio/workloads.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <queue>
#include <random>
#include <string>
#include <utility>

namespace hit_ratio {
namespace {

using Requests = std::vector<std::uint64_t>;

constexpr std::uint64_t kKeys = 100'000;  // without the keys that are requested once

// Gives the same numbers everywhere. The distributions of the standard library differ between its
// implementations.
class Random {
 public:
  // Returns a number from 0 to below 1.
  double fraction() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  std::uint64_t below(std::uint64_t end) {
    return static_cast<std::uint64_t>(fraction() * static_cast<double>(end));
  }
  bool chance(double probability) { return fraction() < probability; }

 private:
  std::mt19937_64 engine_;
};

class Zipf {
 public:
  Zipf(std::uint64_t keys, double exponent) {
    double sum = 0;
    for (std::uint64_t rank = 1; rank <= keys; ++rank) {
      sum += std::pow(static_cast<double>(rank), -exponent);
      sums_.push_back(sum);
    }
  }
  std::uint64_t operator()(Random& random) const {
    const auto found = std::ranges::upper_bound(sums_, random.fraction() * sums_.back());
    return std::min<std::uint64_t>(static_cast<std::uint64_t>(found - sums_.begin()),
                                   sums_.size() - 1);
  }

 private:
  std::vector<double> sums_;
};

// New keys, each once.
class Fresh {
 public:
  std::uint64_t operator()() { return next_++; }

 private:
  std::uint64_t next_ = std::uint64_t{1} << 32;
};

// The keys of a loop, in order.
class Loop {
 public:
  explicit Loop(std::uint64_t keys) : keys_(keys) {}
  std::uint64_t operator()() { return kFirst + turn_++ % keys_; }
  [[nodiscard]] bool is_at_start() const { return turn_ % keys_ == 0; }

 private:
  static constexpr std::uint64_t kFirst = std::uint64_t{1} << 31;
  std::uint64_t keys_;
  std::uint64_t turn_ = 0;
};

Requests zipf(std::size_t size, double exponent) {
  Random random;
  const Zipf popular(kKeys, exponent);
  Requests requests;
  while (requests.size() < size) requests.push_back(popular(random));
  return requests;
}

Requests scans(std::size_t size) {
  Random random;
  Fresh fresh;
  const Zipf popular(kKeys, 0.9);
  Requests requests;
  while (requests.size() < size) {
    for (int i = 0; i != 20'000; ++i) requests.push_back(popular(random));
    for (int i = 0; i != 10'000; ++i) requests.push_back(fresh());
  }
  return requests;
}

Requests loop(std::size_t size) {
  Loop loop(size / 50);
  Requests requests;
  while (requests.size() < size) requests.push_back(loop());
  return requests;
}

// The loop alone fits into a tenth of all keys. The loop with a scan does not.
Requests loop_with_scans(std::size_t size) {
  const std::size_t keys = size / 30;
  Loop loop(keys);
  Fresh fresh;
  Requests requests;
  while (requests.size() < size) {
    do {
      requests.push_back(loop());
    } while (!loop.is_at_start());
    for (std::size_t i = 0; i != keys / 2; ++i) requests.push_back(fresh());
  }
  return requests;
}

Requests mixed(std::size_t size) {
  Random random;
  Fresh fresh;
  Loop loop(15'000);
  const Zipf popular(kKeys, 0.9);
  Requests requests;
  while (requests.size() < size) {
    const double part = random.fraction();
    requests.push_back(part < 0.6 ? popular(random) : part < 0.8 ? loop() : fresh());
  }
  return requests;
}

Requests drift(std::size_t size) {
  Random random;
  const Zipf popular(kKeys, 0.9);
  Requests requests;
  while (requests.size() < size) requests.push_back(popular(random) + requests.size() / 20);
  return requests;
}

Requests phases(std::size_t size) {
  Random random;
  const Zipf popular(kKeys / 4, 0.9);
  Requests requests;
  while (requests.size() < size) {
    requests.push_back(popular(random) + requests.size() * 10 / size * kKeys);
  }
  return requests;
}

Requests bursts(std::size_t size) {
  using Due = std::pair<std::size_t, std::uint64_t>;  // when a key is requested again
  Random random;
  Fresh fresh;
  const Zipf popular(kKeys, 0.8);
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due;
  Requests requests;
  while (requests.size() < size) {
    if (!due.empty() && due.top().first <= requests.size()) {
      requests.push_back(due.top().second);
      due.pop();
    } else if (random.chance(0.15)) {
      requests.push_back(fresh());
      for (auto again = 1 + random.below(3); again != 0; --again) {
        due.emplace(requests.size() + random.below(3'000), requests.back());
      }
    } else {
      requests.push_back(popular(random));
    }
  }
  return requests;
}

}  // namespace

std::vector<Trace> workloads(std::size_t requests) {
  return {
      make_trace("zipf 0.7", zipf(requests, 0.7)),
      make_trace("zipf 0.9", zipf(requests, 0.9)),
      make_trace("zipf 1.1", zipf(requests, 1.1)),
      make_trace("scans", scans(requests)),
      make_trace("loop", loop(requests)),
      make_trace("loop + scans", loop_with_scans(requests)),
      make_trace("mixed", mixed(requests)),
      make_trace("drift", drift(requests)),
      make_trace("phases", phases(requests)),
      make_trace("bursts", bursts(requests)),
  };
}

}  // namespace hit_ratio
