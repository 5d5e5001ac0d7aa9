#include "servers/stream.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <vector>

#include "redis/render.h"
#include "servers/dice.h"

namespace {

using namespace std::string_literals;

// The requests of streams. Both servers must give the same reply to a request, whatever scrap
// replaces bytes in it.
const std::vector<std::vector<std::string>> kRequests = {
    {"PING"},
    {"PING", "a\0b"s},
    {"ECHO", "two words"},
    {"SET", "a", "1"},
    {"SET", "b", std::string(300, 'b')},
    {"SET", "", ""},
    {"GET", "a"},
    {"GET", ""},
    {"GET", "nosuch"},
    {"MGET", "a", "b", "nosuch"},
    {"INCR", "a"},
    {"INCRBYFLOAT", "a", "1.5"},
    {"APPEND", "a", "0"},
    {"DEL", "a"},
    {"TYPE", "b"},
    {"EXISTS", "a", "b"},
    {"TTL", "a"},
    {"HELLO", "3"},
    {"HELLO", "2"},
    {"HELLO", "3", "SETNAME", "me"},
    {"CLIENT", "GETNAME"},
    {"SELECT", "3"},
    {"SELECT", "x"},
    {"NOSUCH", "a", "b"},
    {"POST", "/", "HTTP/1.1"},
    {"Host:", "a"},
    {"AUTH", "default", "1"},
    {"QUIT"},
};

// Bytes that replace others.
const std::vector<std::string> kScraps = {
    "\r\n",
    "\n",
    "\r",
    "\0"s,
    "*",
    "$",
    "*1\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "*0\r\n",
    "-",
    "0",
    "1",
    "9",
    " ",
    "\"",
    "'",
    "\\x41",
    "*2147483648\r\n",
    "*1048577\r\n",
    "$536870913\r\n",
    "*+1\r\n",
    "$99999999999999999999\r\n",
    "$ 1\r\n",
    "*01\r\n",
    "\xff",
    "*3\r",
    "$3\r",
    "PING\r\n",
    ":1\r\n",
};

class StreamGenerator : private Dice {
 public:
  explicit StreamGenerator(std::uint64_t seed) : Dice(seed) {}

  std::string stream() {
    std::string stream;
    for (auto n = number(1, 8); n != 0; --n) {
      const std::vector<std::string>& words = pick(kRequests);
      stream += chance(70) ? as_array(words) : as_line(words);
    }
    if (chance(80)) {
      for (auto n = number(1, 3); n != 0; --n) damage(stream);
    }
    if (chance(3)) stream.insert(position(stream), std::string(70'000, 'x'));
    return stream;
  }

 private:
  std::size_t position(const std::string& bytes) {
    return static_cast<std::size_t>(number(0, std::ssize(bytes)));
  }

  static std::string as_array(const std::vector<std::string>& words) {
    std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) {
      bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    }
    return bytes;
  }

  std::string as_line(const std::vector<std::string>& words) {
    std::string bytes;
    for (const std::string& word : words) {
      bytes += (bytes.empty() ? "" : chance(10) ? " \t " : " ");
      bytes += chance(30) || word.find_first_of(" \0"s) != std::string::npos || word.empty()
                   ? redis::quoted(word)
                   : word;
    }
    return bytes + (chance(70) ? "\r\n" : "\n");
  }

  void damage(std::string& bytes) {
    const std::size_t begin = position(bytes);
    const std::size_t size =
        std::min<std::size_t>(bytes.size() - begin, static_cast<std::size_t>(number(0, 4)));
    if (chance(25)) {
      bytes.resize(begin);
    } else if (chance(33)) {
      bytes.insert(position(bytes), bytes.substr(begin, size * 4));
    } else {
      bytes.replace(begin, size, pick(kScraps));
    }
  }
};

}  // namespace

std::string random_stream(std::uint64_t seed) { return StreamGenerator(seed).stream(); }
