#include "shared_library.h"

#include <keyspace/clock.h>

#include <functional>

namespace library {

void visit(const Numbers& numbers, const std::function<void(int)>& f) { numbers.visit(1, f); }
void set(Numbers& numbers, int value) { numbers.set(1, value); }
Numbers::time_point now() { return keyspace::SteadyClock::now(); }

}  // namespace library
