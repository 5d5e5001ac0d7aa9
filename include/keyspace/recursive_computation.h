#ifndef KEYSPACE_RECURSIVE_COMPUTATION_H_
#define KEYSPACE_RECURSIVE_COMPUTATION_H_

#include "keyspace/internal/config.h"

#include <stdexcept>

namespace keyspace {

// What ConcurrentKeyspace::get_or_compute() throws where it would wait for itself. In a program
// without exceptions it ends the program instead.
struct RecursiveComputation : std::logic_error {
  RecursiveComputation() : std::logic_error("get_or_compute() would wait for itself") {}
};

}  // namespace keyspace

#endif  // KEYSPACE_RECURSIVE_COMPUTATION_H_
