#include "redis/request.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "redis/words.h"
#include "support/catch.hpp"

namespace redis {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using Next = RequestReader::Next;

// Gives bytes to a reader, `piece` at a time, and collects the requests.
struct Reading {
  Reading(std::string_view bytes, std::size_t piece) {
    while (!bytes.empty() && next != Next::kError) {
      const auto room = reader.room();
      const std::size_t size = std::min({piece, bytes.size(), room.size()});
      std::copy_n(bytes.begin(), size, room.begin());
      reader.received(size);
      bytes.remove_prefix(size);
      while ((next = reader.next()) == Next::kRequest) {
        requests.emplace_back(reader.words().begin(), reader.words().end());
      }
    }
  }

  RequestReader reader;
  std::vector<Words> requests;
  Next next = Next::kMore;
};

std::vector<Words> requests_in(std::string_view bytes) {
  Reading reading(bytes, bytes.size());
  CHECK(reading.next == Next::kMore);
  // The requests do not depend on the pieces.
  for (const std::size_t piece : {1U, 2U, 3U, 7U})
    CHECK(Reading(bytes, piece).requests == reading.requests);
  return reading.requests;
}

std::string error_of(std::string_view bytes) {
  Reading reading(bytes, bytes.size());
  CHECK(reading.requests.empty());
  if (reading.next != Next::kError) return "";
  // The error stays.
  CHECK(reading.reader.next() == Next::kError);
  return reading.reader.error().text;
}

std::string array_of(const Words& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return bytes;
}

TEST_CASE("A request is an array of words, which may contain any bytes") {
  CHECK(requests_in("*1\r\n$4\r\nPING\r\n") == std::vector<Words>{{"PING"}});
  CHECK(requests_in("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\n\r\n\0$*\r\n"sv) ==
        std::vector<Words>{{"SET", "", "\r\n\0$*"s}});
}

TEST_CASE("A request may be a line, with quotes") {
  CHECK(requests_in("PING\r\n") == std::vector<Words>{{"PING"}});
  CHECK(requests_in("  set a 'b c' \"\\x00\"\n") == std::vector<Words>{{"set", "a", "b c", "\0"s}});
}

TEST_CASE("Requests of both forms follow one another") {
  CHECK(requests_in("PING\r\n*1\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n$1\r\nc\r\nd\n") ==
        std::vector<Words>{{"PING"}, {"a"}, {"b", "c"}, {"d"}});
}

TEST_CASE("A request without words is skipped") {
  CHECK(requests_in("\r\n\n  \r\n*0\r\n*-1\r\n*-5\r\nPING\r\n") == std::vector<Words>{{"PING"}});
}

TEST_CASE("The bytes behind a carriage return, and behind a word, are not checked") {
  CHECK(requests_in("*1\rx$4\ryPINGzz") == std::vector<Words>{{"PING"}});
}

TEST_CASE("A reader waits for the rest of an incomplete request") {
  const std::string bytes = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
  for (std::size_t size = 0; size != bytes.size(); ++size) {
    CAPTURE(size);
    const Reading reading(bytes.substr(0, size), bytes.size());
    CHECK(reading.next == Next::kMore);
    CHECK(reading.requests.empty());
  }
}

TEST_CASE("Requests that are larger than the buffer may come in pieces of any size") {
  Words large = {"SET", std::string(50'000, 'k'), std::string(200'000, 'v')};
  large[2][100'000] = '\n';
  const Words small = {"GET", "k"};
  std::vector<Words> expected;
  std::string bytes;
  for (const Words& words : {large, small, small, large, small}) {
    expected.push_back(words);
    bytes += array_of(words);
  }
  for (const std::size_t piece : {1'000U, 4'096U, 16'384U, 70'001U, 1'000'000U}) {
    CAPTURE(piece);
    CHECK((Reading(bytes, piece).requests == expected));
  }
}

TEST_CASE("Many small requests pass through the buffer") {
  std::string bytes;
  std::vector<Words> expected;
  for (std::size_t i = 0; i != 20'000; ++i) {
    expected.push_back({"SET", "key:" + std::to_string(i), std::string(i % 50, 'v')});
    bytes += array_of(expected.back());
  }
  for (const std::size_t piece : {997U, 16'000U, 65'536U}) {
    CAPTURE(piece);
    CHECK((Reading(bytes, piece).requests == expected));
  }
}

TEST_CASE("Each word of a large request is parsed once, whatever the pieces") {
  const Words words(200'000, "w");
  CHECK((Reading(array_of(words), 64).requests == std::vector<Words>{words}));
}

TEST_CASE("Bytes that are no request get the errors of Redis") {
  struct Row {
    std::string_view bytes;
    std::string_view error;
  };
  const auto row = GENERATE(values<Row>({
      {"*x\r\n", "invalid multibulk length"},
      {"*\r\n", "invalid multibulk length"},
      {"*01\r\n", "invalid multibulk length"},
      {"*+1\r\n", "invalid multibulk length"},
      {"*2147483648\r\n", "invalid multibulk length"},
      {"*1\r\nPING\r\n", "expected '$', got 'P'"},
      {"*1\r\n\r\n", "expected '$', got ' '"},
      {"*1\r\n*1\r\n", "expected '$', got '*'"},
      {"*1\r\n$x\r\n", "invalid bulk length"},
      {"*1\r\n$\r\n", "invalid bulk length"},
      {"*1\r\n$-1\r\n", "invalid bulk length"},
      {"*1\r\n$536870913\r\n", "invalid bulk length"},
      {"set a 'b\r\n", "unbalanced quotes in request"},
      {"\"a\"b\r\n", "unbalanced quotes in request"},
  }));
  CAPTURE(row.bytes);
  CHECK(error_of(row.bytes) == "ERR Protocol error: " + std::string(row.error));
}

TEST_CASE("Sizes up to the limits of Redis are accepted") {
  CHECK(error_of("*2147483647\r\n").empty());
  CHECK(error_of("*1\r\n$536870912\r\n").empty());
}

TEST_CASE("A line that does not end within 64 KiB is refused") {
  constexpr std::size_t kLimit = 65'536;
  const auto line = [](std::string start, std::size_t size) {
    start.resize(size, '1');
    return start;
  };
  CHECK(error_of(line("a", kLimit)).empty());
  CHECK(error_of(line("a", kLimit + 1)) == "ERR Protocol error: too big inline request");
  CHECK(error_of(line("*", kLimit)).empty());
  CHECK(error_of(line("*", kLimit + 1)) == "ERR Protocol error: too big mbulk count string");
  CHECK(error_of("*1\r\n" + line("$", kLimit)).empty());
  CHECK(error_of("*1\r\n" + line("$", kLimit + 1)) ==
        "ERR Protocol error: too big bulk count string");
  // The line ends here. Only its line feed is missing.
  CHECK(error_of(line("*", kLimit + 1) + "\r").empty());
}

TEST_CASE("A line does not end behind a NUL byte, as in Redis") {
  CHECK(error_of("PING\0\r\n"sv).empty());
  CHECK(error_of("*1\0\r\n"sv).empty());
  CHECK(requests_in("PING\0\r\n*1\r\n$4\r\nPING\r\n"sv).empty());
}

TEST_CASE("A request before a mistake is returned") {
  Reading reading("PING\r\n*1\r\n$-1\r\n", 100);
  CHECK(reading.requests == std::vector<Words>{{"PING"}});
  CHECK(reading.next == Next::kError);
}

}  // namespace
}  // namespace redis
