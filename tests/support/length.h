#ifndef KEYSPACE_TESTS_SUPPORT_LENGTH_H_
#define KEYSPACE_TESTS_SUPPORT_LENGTH_H_

#include <cstdlib>
#include <string_view>

namespace keyspace::testing {

// Returns how many steps a test of random steps makes: a tenth of `full`, at least one, or all of
// them if the environment variable KEYSPACE_TESTS_LENGTH is "full".
//
// Give each test that calls this the tag [long]. CMake then registers it twice with CTest:
// shortened, with the label "quick", and at full length, with the label "long".
template <class Number>
Number shortened(Number full) {
  const char* const length = std::getenv("KEYSPACE_TESTS_LENGTH");
  return length != nullptr && std::string_view(length) == "full" ? full : full / 10 + (full < 10);
}

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_SUPPORT_LENGTH_H_
