#ifndef KEYSPACE_TESTS_CONSOLE_CHECKS_H_
#define KEYSPACE_TESTS_CONSOLE_CHECKS_H_

#include <cstdint>
#include <span>
#include <stdexcept>

// Checks of the server's protocol and commands with any bytes. The bytes come from a seeded
// generator in random_input.cc, and from libFuzzer in fuzz_redis.cc.
namespace redis::testing {

class CheckFailed : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// Sends the bytes as a client. The replies must not depend on the pieces in which the bytes come.
// The instance must stay consistent. Throws CheckFailed if not.
void check_stream(std::span<const std::uint8_t> bytes);

// Runs commands that the bytes choose, with arguments that some commands know, while time passes.
// The instance must stay consistent. Throws CheckFailed if not.
void check_commands(std::span<const std::uint8_t> bytes);

}  // namespace redis::testing

#endif  // KEYSPACE_TESTS_CONSOLE_CHECKS_H_
