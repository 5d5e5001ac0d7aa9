#ifndef KEYSPACE_TESTS_PORTABLE_SHARED_LIBRARY_H_
#define KEYSPACE_TESTS_PORTABLE_SHARED_LIBRARY_H_

#include <keyspace/concurrent_keyspace.h>

// A keyspace that a program and its shared library use, each with code of its own for it.
using Pairs = keyspace::ConcurrentKeyspace<int, std::pair<int, int>>;

#ifdef _WIN32
#define SHARED_LIBRARY_EXPORT
#else
#define SHARED_LIBRARY_EXPORT __attribute__((visibility("default")))
#endif

SHARED_LIBRARY_EXPORT void add_one_to_both(Pairs& pairs, int key);
SHARED_LIBRARY_EXPORT bool are_alike(Pairs& pairs, int key);
SHARED_LIBRARY_EXPORT Pairs::time_point time_of_library();

#endif  // KEYSPACE_TESTS_PORTABLE_SHARED_LIBRARY_H_
