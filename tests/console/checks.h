#ifndef KEYSPACE_TESTS_CONSOLE_CHECKS_H_
#define KEYSPACE_TESTS_CONSOLE_CHECKS_H_

#include <cstdint>
#include <span>
#include <stdexcept>

// What holds for the server's protocol and commands whatever a client sends. The bytes come from a
// seeded generator in random_input.cc and from libFuzzer in fuzz_redis.cc.
namespace redis::testing {

class Broken : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// Takes the bytes for what a client sends. The replies do not depend on the pieces in which it
// comes, and leave the instance in order.
void check_stream(std::span<const std::uint8_t> bytes);

// Makes commands of the bytes, of the names in the table and of words that mean something to some
// of them, while time goes on. They leave the instance in order.
void check_commands(std::span<const std::uint8_t> bytes);

}  // namespace redis::testing

#endif  // KEYSPACE_TESTS_CONSOLE_CHECKS_H_
