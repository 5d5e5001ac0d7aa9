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

// Hands bytes to a reader, `piece` at a time, and collects the requests it finds.
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
  // Whatever the pieces, the requests are the same.
  for (const std::size_t piece : {1U, 2U, 3U, 7U})
    CHECK(Reading(bytes, piece).requests == reading.requests);
  return reading.requests;
}

std::string error_of(std::string_view bytes) {
  Reading reading(bytes, bytes.size());
  CHECK(reading.requests.empty());
  if (reading.next != Next::kError) return "";
  // There is no way back.
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

TEST_CASE("A request is an array of words, which may hold any bytes") {
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

TEST_CASE("A request without words counts as none") {
  CHECK(requests_in("\r\n\n  \r\n*0\r\n*-1\r\n*-5\r\nPING\r\n") == std::vector<Words>{{"PING"}});
}

TEST_CASE("What follows a carriage return, or a word, is not looked at") {
  CHECK(requests_in("*1\rx$4\ryPINGzz") == std::vector<Words>{{"PING"}});
}

TEST_CASE("A request that is not all there is waited for") {
  const std::string bytes = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
  for (std::size_t size = 0; size != bytes.size(); ++size) {
    CAPTURE(size);
    const Reading reading(bytes.substr(0, size), bytes.size());
    CHECK(reading.next == Next::kMore);
    CHECK(reading.requests.empty());
  }
}

TEST_CASE("Requests larger than the room come in pieces of any size, one after the other") {
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

TEST_CASE("Many small requests wander through the room") {
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

TEST_CASE("A request of many words is read once, whatever the pieces") {
  const Words words(200'000, "w");
  CHECK((Reading(array_of(words), 64).requests == std::vector<Words>{words}));
}

TEST_CASE("What is no request is refused in Redis's words") {
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

TEST_CASE("Sizes up to Redis's limits are waited for") {
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
  // It does end, if the line feed is still to come.
  CHECK(error_of(line("*", kLimit + 1) + "\r").empty());
}

TEST_CASE("A line does not end behind a NUL byte, as in Redis") {
  CHECK(error_of("PING\0\r\n"sv).empty());
  CHECK(error_of("*1\0\r\n"sv).empty());
  CHECK(requests_in("PING\0\r\n*1\r\n$4\r\nPING\r\n"sv).empty());
}

TEST_CASE("A request before the mistake is still found") {
  Reading reading("PING\r\n*1\r\n$-1\r\n", 100);
  CHECK(reading.requests == std::vector<Words>{{"PING"}});
  CHECK(reading.next == Next::kError);
}

}  // namespace
}  // namespace redis
