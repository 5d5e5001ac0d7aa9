#include "shared_library.h"

#include <utility>

void add_one_to_both(Pairs& pairs, int key) {
  pairs.update(key, [](std::pair<int, int>& pair) {
    ++pair.first;
    ++pair.second;
  });
}

bool are_alike(Pairs& pairs, int key) {
  bool result = false;
  pairs.visit(key, [&](const std::pair<int, int>& pair) { result = pair.first == pair.second; });
  return result;
}

Pairs::time_point time_of_library() { return keyspace::SteadyClock::now(); }
