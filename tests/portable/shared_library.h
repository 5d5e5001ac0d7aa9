#ifndef KEYSPACE_TESTS_PORTABLE_SHARED_LIBRARY_H_
#define KEYSPACE_TESTS_PORTABLE_SHARED_LIBRARY_H_

#include <keyspace/concurrent_keyspace.h>

#include <functional>

// A keyspace that a program and its shared library use. Both have hidden symbols, so each has its
// own copy of the code.
using Numbers = keyspace::ConcurrentKeyspace<int, int>;

namespace library {
#define SHARED_LIBRARY_EXPORT __attribute__((visibility("default")))
SHARED_LIBRARY_EXPORT void visit(const Numbers& numbers, const std::function<void(int)>& f);
SHARED_LIBRARY_EXPORT void set(Numbers& numbers, int value);
SHARED_LIBRARY_EXPORT Numbers::time_point now();
}  // namespace library

#endif  // KEYSPACE_TESTS_PORTABLE_SHARED_LIBRARY_H_
