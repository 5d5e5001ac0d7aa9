#ifndef KEYSPACE_TESTS_LENGTH_H_
#define KEYSPACE_TESTS_LENGTH_H_

#include <cstdlib>
#include <string_view>

namespace keyspace::testing {

// Returns how many steps a test of random steps makes: a tenth of `full`, or all of them where the
// environment has KEYSPACE_TESTS_LENGTH=full.
//
// A test that calls this has the tag [long]. CMake registers it twice with CTest: shortened, with
// the label "quick", and at full length, with the label "long".
template <class Number>
Number shortened(Number full) {
  const char* const length = std::getenv("KEYSPACE_TESTS_LENGTH");
  return length != nullptr && std::string_view(length) == "full" ? full : full / 10;
}

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_LENGTH_H_
