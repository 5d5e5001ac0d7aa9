#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "console/checks.h"
#include "support/catch.hpp"
#include "support/length.h"

namespace redis::testing {
namespace {

TEST_CASE("Commands of random words keep an instance consistent", "[long]") {
  std::mt19937_64 random(20'261'123);
  const int streams = keyspace::testing::shortened(400);
  for (int stream = 0; stream != streams; ++stream) {
    std::vector<std::uint8_t> bytes(random() % 4000);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    CAPTURE(stream);
    CHECK_NOTHROW(check_commands(bytes));
  }
}

TEST_CASE("Random bytes get the same replies, whatever the pieces in which they come", "[long]") {
  const std::vector<std::string> pieces = {
      "*1\r\n",
      "*2\r\n",
      "*3\r\n",
      "*0\r\n",
      "*-1\r\n",
      "$1\r\n",
      "$3\r\n",
      "$4\r\n",
      "$0\r\n",
      "$-1\r\n",
      "a\r\n",
      "SET\r\n",
      "GET\r\n",
      "ECHO\r\n",
      "PING\r\n",
      "\r\n",
      "INCR a\n",
      "SET a 'b c'\r\n",
      "SET a \"b",
      "MGET a b\r\n",
      "HELLO 3\r\n",
      "QUIT\r\n",
      "$",
      "*",
      "\r",
      "1",
      std::string("\0", 1),
      "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n",
      "*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
  };
  std::mt19937_64 random(7);
  const int streams = keyspace::testing::shortened(20'000);
  for (int stream = 0; stream != streams; ++stream) {
    std::string bytes;
    for (auto n = random() % 12; n != 0; --n) bytes += pieces[random() % pieces.size()];
    CAPTURE(bytes);
    CHECK_NOTHROW(
        check_stream({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}));
  }
}

}  // namespace
}  // namespace redis::testing
