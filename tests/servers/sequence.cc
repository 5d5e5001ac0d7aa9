#include "servers/sequence.h"

#include <algorithm>
#include <initializer_list>
#include <numeric>
#include <string_view>

#include "servers/dice.h"

namespace {

using namespace std::string_literals;

constexpr std::int64_t kStep = 10'000;  // milliseconds between times in the future

// The commands of sequences. A word in lower case stands for random words of a kind.
constexpr std::string_view kForms[] = {
    "APPEND key value",
    "AUTH value",
    "AUTH default value",
    "CLIENT GETNAME",
    "CLIENT ID",
    "CLIENT INFO",
    "CLIENT SETNAME name",
    "CLIENT value",
    "COMMAND COUNT",
    "COMMAND INFO value",
    "COMMAND value",
    "CONFIG GET pattern",
    "CONFIG value",
    "COPY key key copy-options",
    "COPY key key",
    "DBSIZE",
    "DEBUG SET-ACTIVE-EXPIRE 1",
    "DEBUG value",
    "DECR key",
    "DECRBY key integer",
    "DEL keys",
    "ECHO value",
    "EXISTS keys",
    "EXPIRE key seconds conditions",
    "EXPIRE key seconds",
    "EXPIREAT key unix-seconds conditions",
    "EXPIREAT key unix-seconds",
    "EXPIRETIME key",
    "FLUSHALL flush-options",
    "FLUSHDB flush-options",
    "FUNCTION FLUSH flush-options",
    "GET key",
    "GETDEL key",
    "GETEX key getex-options",
    "GETRANGE key integer integer",
    "GETSET key value",
    "HELLO hello-options",
    "INCR key",
    "INCRBY key integer",
    "INCRBYFLOAT key float",
    "INFO value",
    "KEYS pattern",
    "MGET keys",
    "MSET pairs",
    "NOSUCH value value",
    "PERSIST key",
    "PEXPIRE key milliseconds conditions",
    "PEXPIRE key milliseconds",
    "PEXPIREAT key unix-milliseconds conditions",
    "PEXPIREAT key unix-milliseconds",
    "PEXPIRETIME key",
    "PING value",
    "PING",
    "PSETEX key milliseconds value",
    "PTTL key",
    "RANDOMKEY",
    "RENAME key key",
    "RENAMENX key key",
    "SCAN 0 scan-options",
    "SCAN cursor scan-options",
    "SELECT index",
    "SET key value set-options",
    "SET key value",
    "SETEX key seconds value",
    "SETNX key value",
    "SETRANGE key offset value",
    "SHUTDOWN ABORT ABORT",  // twice, because mangle() may remove one
    "SHUTDOWN value value",
    "STRLEN key",
    "TIME",
    "TOUCH keys",
    "TTL key",
    "TYPE key",
    "UNLINK keys",
};

const std::vector<std::string> kKeys = {
    "a", "b", "c", "A", "", "key:1", "\0\xff\r\n"s, std::string(100, 'k'),
};

const std::vector<std::string> kHostile = {
    "",
    "-0",
    "+1",
    " 20",
    "20 ",
    "010",
    "0x10",
    "1e3",
    "12.0",
    "--5",
    "-",
    "nan",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "9223372036854775",
    "9223372036854776",
    "-9223372036854776",
    "123456789012345678901234567890",
    "20\0"s,
    "\0"s,
    "NX",
    "a b",
    "'\"\\",
    "\r\nPING\r\n",
    std::string(200, 'x'),
};

const std::vector<std::string> kValues = {
    "",
    "hello",
    "0",
    "1",
    "-1",
    "10",
    "9223372036854775806",
    "-9223372036854775807",
    "1.5",
    "3e3",
    "0.1",
    "-2.50",
    "a\0b\r\n"s,
    std::string(60, 'v'),
    std::string(300, 'w'),
};

const std::vector<std::string> kFloats = {
    "0",    "-0",  "1.5",    "0.1", "-0.3",  "1e10",   "1e-10",  "123456789.987654321",
    "1e17", "inf", "-inf",   "nan", "1e400", "0x1p-3", "1e4000", "1.7976931348623157e308",
    ".5",   "5.",  "-1e-20", "3",   " 1",    "1 ",     "1e4932",
};

const std::vector<std::string> kPatterns = {
    "*", "a", "?", "[a-c]", "[^a]", "k*1", "*:*", "", "\\a", "[", "**", "a*b*c*d*e*", "[z-a]", "\\",
};

const std::vector<std::string> kNames = {"me", "", "a b", "a\n", "x\x7f", "{!~}", "\xc3\xa9"};

class SequenceGenerator : private Dice {
 public:
  SequenceGenerator(std::uint64_t seed, std::int64_t now, std::set<std::int64_t>& deadlines)
      : Dice(seed), now_(now / kStep * kStep), deadlines_(deadlines), ttls_(200) {
    std::iota(ttls_.begin(), ttls_.end(), 1);
    std::ranges::shuffle(ttls_, random());
  }

  Sequence::Step step() {
    is_mangled_ = chance(10);
    waits_ = false;
    Command command;
    add_form(command, pick(kForms));
    if (is_mangled_) mangle(command);
    return {std::move(command), waits_};
  }

 private:
  // Adds the words that a form stands for.
  void add_form(Command& command, std::string_view form) {
    while (!form.empty()) {
      const std::size_t size = std::min(form.find(' '), form.size());
      add_words(command, form.substr(0, size));
      form.remove_prefix(std::min(size + 1, form.size()));
    }
  }

  void add_words(Command& command, std::string_view kind) {
    if (kind == "keys") {
      for (auto n = number(1, 4); n != 0; --n) command.push_back(pick(kKeys));
    } else if (kind == "pairs") {
      for (auto n = number(1, 3); n != 0; --n) add_form(command, "key value");
    } else if (kind == "conditions") {
      add_some(command, 3, {"NX", "XX", "GT", "LT", "XX", "GT", "LT"});
    } else if (kind == "set-options") {
      add_some(command, 3,
               {"NX", "XX", "GET", "KEEPTTL", "EX seconds", "PX milliseconds", "EXAT unix-seconds",
                "PXAT unix-milliseconds", "PX"});
    } else if (kind == "getex-options") {
      add_some(command, 2,
               {"PERSIST", "EX seconds", "PX milliseconds", "EXAT unix-seconds",
                "PXAT unix-milliseconds", "EX"});
    } else if (kind == "copy-options") {
      add_some(command, 2, {"REPLACE", "DB index", "DB"});
    } else if (kind == "scan-options") {
      add_some(
          command, 3,
          {"COUNT count", "MATCH pattern", "TYPE string", "TYPE list", "TYPE STRING", "COUNT"});
    } else if (kind == "flush-options") {
      add_some(command, 1, {"ASYNC", "SYNC", "value"});
    } else if (kind == "hello-options") {
      if (chance(80)) add_form(command, pick({"2", "2", "1", "4", "value"}));
      add_some(command, 2,
               {"SETNAME name", "AUTH default value", "AUTH value value", "AUTH", "value"});
    } else {
      command.push_back(word(kind));
    }
  }
  // Adds up to `most` of the options.
  void add_some(Command& command, std::int64_t most,
                std::initializer_list<std::string_view> options) {
    for (auto n = number(0, most); n != 0; --n) {
      const std::string_view option = pick(options);
      add_form(command, option);
    }
  }

  std::string word(std::string_view kind) {
    if (kind == "key") return pick(kKeys);
    if (kind == "value") return chance(20) ? pick(kHostile) : pick(kValues);
    if (kind == "float") return chance(20) ? pick(kHostile) : pick(kFloats);
    if (kind == "pattern") return chance(10) ? pick(kHostile) : pick(kPatterns);
    if (kind == "name") return pick(kNames);
    if (kind == "integer") return chance(40) ? pick(kHostile) : std::to_string(number(-12, 12));
    if (kind == "count") return chance(20) ? pick(kHostile) : std::to_string(number(-1, 20));
    if (kind == "index") return chance(20) ? pick(kHostile) : std::to_string(number(-1, 16));
    if (kind == "cursor") return chance(50) ? pick(kHostile) : std::to_string(number(0, 9));
    if (kind == "offset") return offset();
    if (kind == "seconds") return ttl(1000);
    if (kind == "milliseconds") return ttl(1);
    if (kind == "unix-seconds") return deadline(1000);
    if (kind == "unix-milliseconds") return deadline(1);
    return in_some_case(kind);
  }

  std::string offset() {
    // Avoids offsets that would make a value of hundreds of megabytes.
    if (chance(20)) return std::string(pick({"-1", "536870912", "9223372036854775807", "x", ""}));
    return std::to_string(number(0, 40));
  }

  std::string ttl(std::int64_t unit) {
    if (chance(15)) return pick(kHostile);
    if (chance(15)) return std::to_string(-number(0, 2));
    if (chance(10) && unit == 1 && !is_mangled_) {
      waits_ = true;
      return std::to_string(number(1, 3));
    }
    const std::int64_t steps = ttls_.back();
    if (ttls_.size() > 1) ttls_.pop_back();
    return std::to_string(steps * kStep / unit);
  }

  std::string deadline(std::int64_t unit) {
    if (chance(15)) return pick(kHostile);
    if (chance(15)) return std::to_string(number(-1, 2));
    const std::int64_t time = now_ + number(-3, 10) * kStep + kStep / 2;
    deadlines_.insert(time);
    return std::to_string(time / unit);
  }

  std::string in_some_case(std::string_view text) {
    std::string word(text);
    if (chance(30)) {
      for (char& c : word) {
        if (chance(50) && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      }
    }
    return word;
  }

  // Turns the command into a wrong one.
  void mangle(Command& command) {
    const auto place = [&] {
      return command.begin() + number(1, static_cast<std::int64_t>(command.size()) - 1);
    };
    if (command.size() == 1 || chance(30)) {
      command.push_back(pick(kHostile));
    } else if (chance(30)) {
      command.pop_back();
    } else if (chance(50)) {
      *place() = pick(kHostile);
    } else {
      const std::string copied = *place();
      command.insert(place(), copied);
    }
  }

  std::int64_t now_;
  std::set<std::int64_t>& deadlines_;
  std::vector<std::int64_t> ttls_;  // the unused ones, in units of kStep
  bool is_mangled_ = false;
  bool waits_ = false;
};

}  // namespace

Sequence::Sequence(std::uint64_t seed, std::size_t size, std::int64_t now) {
  SequenceGenerator generator(seed, now, deadlines_);
  while (steps_.size() != size) steps_.push_back(generator.step());
}

const std::vector<std::string>& all_keys() { return kKeys; }
