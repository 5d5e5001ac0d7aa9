// What needs a value that can be copied, and what only one that can be moved.

#include <keyspace/cache.h>
#include <keyspace/keyspace.h>

#include <iterator>
#include <memory>
#include <utility>
#include <vector>

using Ints = keyspace::Keyspace<int, int>;
using Boxes = keyspace::Keyspace<int, std::unique_ptr<int>>;

struct Listener {
  void operator()(int, const std::unique_ptr<int>&, keyspace::RemovalCause) const {}
};
using ObservedBoxes = keyspace::Cache<int, std::unique_ptr<int>, keyspace::WithListener<Listener>>;

struct Immovable {
  Immovable() = default;
  Immovable(Immovable&&) = delete;
};
struct Incomplete;

void accepted(Ints& ints, Boxes& boxes, ObservedBoxes& observed) {
  (void)ints.get(1);
  ints.copy(1, 2);
  std::vector<int*> out;
  ints.mget(std::vector{1, 2}, std::back_inserter(out));
  Ints moved_ints = std::move(ints);
  boxes.set(1, std::make_unique<int>(10));
  (void)boxes.find(1);
  (void)boxes.getdel(1);
  boxes.rename(1, 2);
  Boxes moved_boxes = std::move(boxes);
  observed.erase(1);
}

void refused(Ints& ints, Boxes& boxes, ObservedBoxes& observed) {
  (void)ints;
  (void)boxes;
  (void)observed;
#if REFUSED == 1  // get of a move-only value
  // says: the value cannot be copied: use find() or peek()
  (void)boxes.get(1);
#elif REFUSED == 2   // get of a move-only value of a const keyspace
  // says: the value cannot be copied: use find() or peek()
  (void)std::as_const(boxes).get(1);
#elif REFUSED == 3   // get of a move-only value of a Cache
  // says: the value cannot be copied: use find() or peek()
  (void)observed.get(1);
#elif REFUSED == 4   // copy of a move-only value
  // says: the value cannot be copied: use rename()
  boxes.copy(1, 2);
#elif REFUSED == 5   // getdel of a move-only value with a listener
  // says: use erase(), which passes it to the listener
  (void)observed.getdel(1);
#elif REFUSED == 6   // a copy of a keyspace
  Ints copied = ints;
#elif REFUSED == 7   // an assigned copy of a keyspace
  Ints other;
  other = ints;
#elif REFUSED == 8   // mget into something else
  // says: `out` is an output iterator for Value*
  std::vector<int> out;
  ints.mget(std::vector{1, 2}, std::back_inserter(out));
#elif REFUSED == 9   // a range-for over a keyspace
  // says: a keyspace is not a range: use for_each(f)
  for (const auto& entry : ints) (void)entry;
#elif REFUSED == 10  // a reference as a value
  // says: the type of the values must be complete
  keyspace::Keyspace<int, int&> references;
#elif REFUSED == 11  // a const type as a value
  // says: the type of the values must be complete
  keyspace::Cache<int, const int> constants({.capacity = 10});
#elif REFUSED == 12  // an incomplete type as a value
  // says: the type of the values must be complete
  keyspace::Keyspace<int, Incomplete> incomplete;
#elif REFUSED == 13  // a value without a move constructor
  // says: the type of the values must be complete and have a move constructor
  keyspace::Keyspace<int, Immovable> immovable;
#endif
}
