// What threads may ask of a keyspace that they share.

#include <keyspace/concurrent_keyspace.h>

#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <vector>

using namespace std::chrono_literals;
using Ints = keyspace::ConcurrentKeyspace<int, int>;
using Boxes = keyspace::ConcurrentKeyspace<int, std::unique_ptr<int>>;
using Boxed = keyspace::ConcurrentKeyspace<std::unique_ptr<int>, int>;

// Is called as a temporary alone.
struct Once {
  void operator()(int) && {}
};

struct Weighed : keyspace::CacheFeatures {
  struct Weigher {
    std::size_t operator()(int, const char*) const noexcept { return 1; }
  };
};
struct Heard : keyspace::DefaultFeatures {
  struct Listener {
    void operator()(int) const {}
  };
};

void accepted(Ints& ints, Boxes& boxes, Boxed& boxed) {
  std::vector<std::optional<int>> out;
  ints.mget(std::vector{1, 2}, std::back_inserter(out));
  (void)ints.get_or_compute(1, 1s, [] { return 10; });
  ints.visit(1, [](int) {});
  boxes.update(1, [](std::unique_ptr<int>& box) { box.reset(); });
  (void)boxed.getdel(std::make_unique<int>(1));
}

void refused(Ints& ints, Boxes& boxes, Boxed& boxed) {
  (void)ints;
  (void)boxes;
  (void)boxed;
#if REFUSED == 1  // visit with what is called once
  ints.visit(1, Once());
#elif REFUSED == 2   // update with a function of something else
  ints.update(1, [](std::unique_ptr<int>&) {});
#elif REFUSED == 3   // mget of a move-only value
  std::vector<std::optional<std::unique_ptr<int>>> out;
  boxes.mget(std::vector{1, 2}, std::back_inserter(out));
#elif REFUSED == 4   // get of a move-only value
  (void)boxes.get(1);
#elif REFUSED == 5   // get_or_compute of a move-only value
  (void)boxes.get_or_compute(1, 1s, [] { return std::make_unique<int>(10); });
#elif REFUSED == 6   // get_or_compute of a move-only key
  (void)boxed.get_or_compute(std::make_unique<int>(1), 1s, [] { return 10; });
#elif REFUSED == 7   // a computation of something else
  (void)ints.get_or_compute(1, 1s, [] { return "10"; });
#elif REFUSED == 8   // a copy of a keyspace
  Ints copied = ints;
#elif REFUSED == 9   // a weigher of something else
  keyspace::ConcurrentCache<int, int, Weighed> cache({.capacity = 10});
#elif REFUSED == 10  // a listener of something else
  keyspace::ConcurrentCache<int, int, Heard> cache;
#endif
}
