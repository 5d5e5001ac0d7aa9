// What needs a value that can be copied, and what only one that can be moved.

#include <keyspace/keyspace.h>

#include <memory>
#include <utility>

using Ints = keyspace::Keyspace<int, int>;
using Boxes = keyspace::Keyspace<int, std::unique_ptr<int>>;

void accepted(Ints& ints, Boxes& boxes) {
  (void)ints.get(1);
  ints.copy(1, 2);
  Ints moved_ints = std::move(ints);
  boxes.set(1, std::make_unique<int>(10));
  (void)boxes.find(1);
  (void)boxes.getdel(1);
  boxes.rename(1, 2);
  Boxes moved_boxes = std::move(boxes);
}

void refused(Ints& ints, Boxes& boxes) {
  (void)ints;
  (void)boxes;
#if REFUSED == 1  // get of a move-only value
  (void)boxes.get(1);
#elif REFUSED == 2  // copy of a move-only value
  boxes.copy(1, 2);
#elif REFUSED == 3  // a copy of a keyspace
  Ints copied = ints;
#elif REFUSED == 4  // an assigned copy of a keyspace
  Ints other;
  other = ints;
#endif
}
