#include "console/checks.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "redis/commands.h"
#include "redis/conversation.h"
#include "redis/resp.h"
#include "redis/words.h"

namespace redis::testing {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

constexpr Instance::Time kStart{1'700'000'000s};

constexpr std::string_view kWords[] = {
    "a",       "b",       "c",       "",        "\0\xff"sv,
    "0",       "1",       "-1",      "20",      "3000",
    "-0",      "x",       "1.5",     "1e30",    "1700000000",
    "*",       "[a-b",    "NX",      "XX",      "1700000001000",
    "GT",      "LT",      "GET",     "EX",      "9223372036854775807",
    "PX",      "EXAT",    "PXAT",    "DB",      "-9223372036854775808",
    "-5",      "TYPE",    "KEEPTTL", "3",       "string",
    "2",       "sync",    "PERSIST", "AUTH",    "set-active-expire",
    "get",     "COUNT",   "MATCH",   "info",    "536870912",
    "REPLACE", "SETNAME", "default", "getname", "flush",
};

void require(bool held, const char* what) {
  if (!held) throw CheckFailed(what);
}

// Returns bytes one after the other, and zeros after the last.
class Bytes {
 public:
  explicit Bytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  std::size_t take() {
    if (bytes_.empty()) return 0;
    const std::uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

Reply run_words(Instance& instance, Session& session, std::vector<std::string_view> words) {
  return run(instance, session, words);
}

// Checks that every key has one number, and that a complete SCAN finds the live keys.
void check_database(Instance& instance, std::size_t index) {
  Database& database = instance.database(index);
  const Names& names = database.names();
  require(names.size() == database.size(), "There is a name for each stored key");
  require(database.volatile_size() <= database.size(), "Volatile keys count as keys");
  std::set<std::string_view> live;
  for (std::size_t i = 0; i != names.size(); ++i) {
    if (!database.contains(names[i])) continue;
    require(live.insert(names[i]).second, "A name has one number");
    require(database.pttl(names[i]) > 0ms, "A live key has time left");
  }

  Session session;
  session.database = index;
  std::set<std::string> found;
  std::string cursor = "0";
  do {
    const Reply reply = run_words(instance, session, {"SCAN", cursor, "COUNT", "3"});
    const Array& parts = std::get<Array>(reply.value);
    for (const Reply& key : std::get<Array>(parts[1].value)) {
      require(found.insert(std::string(std::get<View>(key.value))).second, "SCAN finds a key once");
    }
    cursor = std::get<Bulk>(parts[0].value);
  } while (cursor != "0");
  require(std::equal(found.begin(), found.end(), live.begin(), live.end()),
          "SCAN finds all live keys");
}

void check_instance(Instance& instance) {
  for (std::size_t i = 0; i != Instance::kDatabases; ++i) check_database(instance, i);
}

// Returns all replies to `bytes`. They come in pieces of `size()` bytes.
template <class Size>
std::string replies_to(Instance& instance, std::span<const std::uint8_t> bytes, Size size) {
  Conversation conversation(instance, 1);
  while (!bytes.empty() && !conversation.is_over()) {
    const std::span<char> room = conversation.room();
    const std::size_t part = std::min({bytes.size(), room.size(), size()});
    std::copy_n(bytes.begin(), part, room.begin());
    bytes = bytes.subspan(part);
    conversation.received(part);
    conversation.answer();
  }
  return conversation.unsent();
}

}  // namespace

void check_stream(std::span<const std::uint8_t> bytes) {
  // A SETRANGE could make a value of half a gigabyte.
  std::string text(bytes.begin(), bytes.end());
  if (lower_case(text).find("setrange") != std::string::npos) return;

  Instance at_once;
  at_once.set_time(kStart);
  const std::string expected =
      replies_to(at_once, bytes, [] { return std::numeric_limits<std::size_t>::max(); });
  require(expected.empty() || expected.ends_with("\r\n"), "A reply ends with a line break");
  check_instance(at_once);

  Instance in_pieces;
  in_pieces.set_time(kStart);
  Bytes sizes(bytes);
  const std::string replies = replies_to(in_pieces, bytes, [&] { return sizes.take() % 8 + 1; });
  // INFO reports the used memory, which may differ.
  require(replies == expected || expected.find("# Memory") != std::string::npos,
          "A request may come in any pieces");
}

void check_commands(std::span<const std::uint8_t> bytes) {
  Bytes rest(bytes);
  Instance instance;
  instance.set_time(kStart);
  Session session;
  std::string out;
  for (std::size_t step = 1; !rest.empty(); ++step) {
    if (rest.take() % 4 == 0) {
      instance.set_time(instance.now() + std::chrono::microseconds(rest.take() * rest.take() * 50));
    }
    const Command& command = commands()[rest.take() % commands().size()];
    const std::size_t bar = command.name.find('|');
    std::vector<std::string_view> words = {command.name.substr(0, bar)};
    if (bar != std::string_view::npos) words.push_back(command.name.substr(bar + 1));
    // Tries each number of words, from one too few to two too many.
    const auto least = static_cast<std::size_t>(std::abs(command.arity));
    const std::size_t size = std::max<std::size_t>(least + rest.take() % 4, 2) - 1;
    while (words.size() < size) words.push_back(kWords[rest.take() % std::size(kWords)]);

    const Reply reply = run(instance, session, words);
    for (const int protocol : {2, 3}) {
      out.clear();
      append_resp(out, reply, protocol);
      require(out.ends_with("\r\n"), "A reply ends with a line break");
      require(out.size() <= resp_size_bound(reply), "A reply is no larger than its bound");
    }
    if (rest.take() % 8 == 0) instance.erase_expired(rest.take());
    if (step % 64 == 0) check_instance(instance);
  }
  check_instance(instance);
}

}  // namespace redis::testing
