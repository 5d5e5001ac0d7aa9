#include "hit_ratio/optimum.h"

#include <queue>
#include <utility>
#include <vector>

namespace hit_ratio {
namespace {

// Returns for each request the next request of its key, or the end of the trace if there is none.
std::vector<std::size_t> next_requests(const Trace& trace) {
  const std::size_t end = trace.requests.size();
  std::vector<std::size_t> next(end);
  std::vector<std::size_t> soonest(trace.keys, end);
  for (std::size_t i = end; i-- != 0;) {
    next[i] = std::exchange(soonest[trace.requests[i]], i);
  }
  return next;
}

}  // namespace

std::size_t optimal_hits(const Trace& trace, std::size_t capacity) {
  if (capacity == 0) return 0;
  const std::vector<std::size_t> next = next_requests(trace);
  // The next request of each stored key; 0 for a key that is not stored. The queue has the same
  // requests. It also has past requests, which are never the latest.
  std::vector<std::size_t> stored(trace.keys, 0);
  std::priority_queue<std::pair<std::size_t, Key>> latest;
  std::size_t size = 0;
  std::size_t hits = 0;
  for (std::size_t i = 0; i != next.size(); ++i) {
    const Key key = trace.requests[i];
    const bool is_hit = stored[key] != 0;
    hits += is_hit;
    size += !is_hit;
    stored[key] = next[i];
    latest.emplace(next[i], key);
    if (size > capacity) {
      stored[latest.top().second] = 0;
      latest.pop();
      --size;
    }
  }
  return hits;
}

}  // namespace hit_ratio
