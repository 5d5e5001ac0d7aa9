// The commands on keys that do not depend on their values.

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "glob.h"
#include "handlers.h"
#include "number.h"
#include "replies.h"

namespace redis::handlers {
namespace {

Result<std::size_t> parse_database(std::string_view word) {
  using Limits = std::numeric_limits<std::int32_t>;
  const auto index = parse_integer(word);
  if (!index) return not_an_integer();
  if (*index < Limits::min() || *index > Limits::max()) {
    return Error("ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (*index < 0 || *index >= static_cast<std::int64_t>(Instance::kDatabases)) {
    return Error("ERR DB index is out of range");
  }
  return static_cast<std::size_t>(*index);
}

// Returns the error in the options of FLUSHALL or FLUSHDB, if there is one.
std::optional<Error> check_flush_options(WordViews words) {
  if (words.empty()) return std::nullopt;
  const bool is_known = is_option(words[0], "async") || is_option(words[0], "sync");
  if (words.size() > 1 || !is_known) return syntax_error();
  return std::nullopt;
}

// A 64-bit Redis parses a cursor with strtoul(), which also accepts a sign. strtoull() does the
// same on every machine.
std::optional<unsigned long long> parse_cursor(std::string_view word) {  // NOLINT: strtoull's type
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  const std::string text(before_nul(word));
  if (kBlanks.find(text.c_str()[0]) != std::string_view::npos) return std::nullopt;
  char* stop = nullptr;
  errno = 0;
  const auto cursor = std::strtoull(text.c_str(), &stop, 10);
  if (*stop != '\0' || errno == ERANGE) return std::nullopt;
  return cursor;
}

struct ScanOptions {
  std::size_t count = 10;
  std::optional<std::string_view> pattern;
  bool wants_strings = true;
};

Result<ScanOptions> parse_scan_options(WordViews words) {
  ScanOptions options;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    if (i + 1 == words.size()) return syntax_error();
    const std::string_view argument = words[i + 1];
    if (is_option(words[i], "count")) {
      const auto count = parse_integer(argument);
      if (!count) return not_an_integer();
      if (*count < 1) return syntax_error();
      options.count = static_cast<std::size_t>(*count);
    } else if (is_option(words[i], "match")) {
      options.pattern = argument;
    } else if (is_option(words[i], "type")) {
      options.wants_strings = is_option(argument, "string");
    } else {
      return syntax_error();
    }
  }
  return options;
}

}  // namespace

// --- One or several keys ------------------------------------------------------------------------

Reply del(Call& call) {
  return std::ranges::count_if(call.words_from(1),
                               [&](const auto key) { return call.database().erase(key); });
}

Reply exists(Call& call) {
  return std::ranges::count_if(call.words_from(1),
                               [&](const auto key) { return call.database().contains(key); });
}

Reply type(Call& call) { return Status{call.database().contains(call.key()) ? "string" : "none"}; }

Reply rename(Call& call) {
  return call.database().rename(call.key(), call.words[2]) ? ok() : no_such_key();
}

Reply renamenx(Call& call) {
  Database& database = call.database();
  if (!database.contains(call.key())) return no_such_key();
  if (database.contains(call.words[2])) return 0;
  return database.rename(call.key(), call.words[2]);
}

Reply copy(Call& call) {
  std::size_t index = call.session.database;
  bool replace = false;
  for (std::size_t i = 3; i < call.words.size(); ++i) {
    if (is_option(call.words[i], "replace")) {
      replace = true;
    } else if (is_option(call.words[i], "db") && i + 1 < call.words.size()) {
      const auto wanted = parse_database(call.words[++i]);
      if (!wanted) return wanted.error();
      index = *wanted;
    } else {
      return syntax_error();
    }
  }
  if (index == call.session.database && call.key() == call.words[2]) {
    return Error("ERR source and destination objects are the same");
  }
  const auto deadline = call.database().pexpiretime(call.key());
  if (!deadline) return 0;
  const std::string value = *call.database().find(call.key());
  Database& target = call.instance.database(index);
  if (!replace) return target.insert(call.words[2], value, *deadline);
  target.set(call.words[2], value, *deadline);
  return 1;
}

// --- All keys of a database ---------------------------------------------------------------------

Reply select(Call& call) {
  const auto index = parse_database(call.words[1]);
  if (!index) return index.error();
  call.session.database = *index;
  return ok();
}

Reply keys(Call& call) {
  const Database& database = call.database();
  const Names& names = database.names();
  Array found;
  for (std::size_t i = 0; i != names.size(); ++i) {
    if (glob_matches(call.words[1], names[i]) && database.contains(names[i])) {
      found.emplace_back(names[i]);
    }
  }
  return found;
}

Reply randomkey(Call& call) {
  Database& database = call.database();
  const Names& names = database.names();
  while (names.size() != 0) {
    std::uniform_int_distribution<std::size_t> number(0, names.size() - 1);
    const std::string_view name = names[number(call.instance.random)];
    if (database.contains(name)) return name;
    database.erase(name);  // it is expired: so the loop ends
  }
  return Nil();
}

// The cursor is a number of names: the names with smaller numbers are not visited yet (see Names).
// In a request, 0 means all names. In a reply, 0 means that no name is left.
Reply scan(Call& call) {
  const auto cursor = parse_cursor(call.words[1]);
  if (!cursor) return Error("ERR invalid cursor");
  const auto options = parse_scan_options(call.words_from(2));
  if (!options) return options.error();
  const Database& database = call.database();
  const Names& names = database.names();

  std::size_t left =
      *cursor == 0 ? names.size()
                   : static_cast<std::size_t>(std::min<unsigned long long>(*cursor, names.size()));
  Array found;
  for (std::size_t visits = std::min(options->count, left); visits != 0; --visits) {
    const std::string_view name = names[--left];
    if (!options->wants_strings) continue;
    if (options->pattern && !glob_matches(*options->pattern, name)) continue;
    if (database.contains(name)) found.emplace_back(name);
  }
  return Array{std::to_string(left), std::move(found)};
}

// Expired keys count until they are erased. This command erases some of them first.
Reply dbsize(Call& call) {
  constexpr std::size_t kEraseLimit = 1000;
  if (call.instance.active_expire) call.database().erase_expired(kEraseLimit);
  return count(call.database().size());
}

Reply flushdb(Call& call) {
  if (auto error = check_flush_options(call.words_from(1))) return *std::move(error);
  call.database().clear();
  return ok();
}

Reply flushall(Call& call) {
  if (auto error = check_flush_options(call.words_from(1))) return *std::move(error);
  for (std::size_t i = 0; i != Instance::kDatabases; ++i) call.instance.database(i).clear();
  return ok();
}

}  // namespace redis::handlers
