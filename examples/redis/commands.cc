#include "commands.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "errors.h"
#include "glob.h"
#include "number.h"
#include "options.h"

namespace redis {

// One command being run. Handlers may move out of the words.
struct Call {
  std::string_view name;  // as in the table
  Database::Store& store;
  Database::Time now;
  std::span<std::string> words;

  [[nodiscard]] std::string& key() const { return words[1]; }
  [[nodiscard]] std::span<const std::string> words_from(std::size_t i) const {
    return words.subspan(i);
  }
  [[nodiscard]] Instant instant() const { return store.clock().now(); }
};

namespace {

Reply ok() { return Status{"OK"}; }

Reply bulk_or_nil(const std::string* value) {
  if (value == nullptr) return Nil();
  return *value;
}

Reply count(std::size_t n) { return static_cast<std::int64_t>(n); }

// --- Strings ------------------------------------------------------------------------------------

Reply get(Call& call) { return bulk_or_nil(call.store.find(call.key())); }

// Returns whether the value was stored, which a condition may forbid.
bool store_value(Call& call, const SetOptions& options, Instant deadline) {
  std::string& value = call.words[2];
  if (options.keep_ttl) {
    if (std::string* current = call.store.find(call.key())) {
      if (options.presence == SetOptions::Presence::kAbsent) return false;
      *current = std::move(value);
      return true;
    }
  }
  switch (options.presence) {
    case SetOptions::Presence::kAbsent:
      return call.store.insert(std::move(call.key()), std::move(value), deadline);
    case SetOptions::Presence::kPresent:
      return call.store.replace(call.key(), std::move(value), deadline);
    case SetOptions::Presence::kAny:
      break;
  }
  call.store.set(std::move(call.key()), std::move(value), deadline);
  return true;
}

Reply set(Call& call) {
  const auto options = parse_set_options(call.words_from(3));
  if (!options) return options.error();
  Instant deadline = Instant::max();
  if (options->expiry) {
    const auto wanted = positive_deadline(*options->expiry, call.instant(), call.name);
    if (!wanted) return wanted.error();
    deadline = *wanted;
  }
  Reply previous = options->get ? get(call) : Nil();
  const bool stored = store_value(call, *options, deadline);
  if (options->get) return previous;
  return stored ? ok() : Nil();
}

Reply set_for(Call& call, ExpiryForm form) {
  const auto deadline = positive_deadline({form, call.words[2]}, call.instant(), call.name);
  if (!deadline) return deadline.error();
  call.store.set(std::move(call.key()), std::move(call.words[3]), *deadline);
  return ok();
}
Reply setex(Call& call) { return set_for(call, ExpiryForm::kEx); }
Reply psetex(Call& call) { return set_for(call, ExpiryForm::kPx); }

Reply getex(Call& call) {
  const auto options = parse_getex_options(call.words_from(2));
  if (!options) return options.error();
  const std::string* const found = call.store.find(call.key());
  if (found == nullptr) return Nil();
  // The change of expiry may delete the value.
  Reply value = *found;
  if (options->persist) call.store.persist(call.key());
  if (options->expiry) {
    const auto deadline = positive_deadline(*options->expiry, call.instant(), call.name);
    if (!deadline) return deadline.error();
    call.store.pexpireat(call.key(), *deadline);
  }
  return value;
}

Reply getdel(Call& call) {
  std::optional<std::string> value = call.store.getdel(call.key());
  if (!value) return Nil();
  return *std::move(value);
}

Reply append(Call& call) {
  constexpr std::size_t kSizeLimit = std::size_t{512} << 20;
  std::string& tail = call.words[2];
  std::string* const value = call.store.find(call.key());
  if (value == nullptr) {
    const std::size_t size = tail.size();
    call.store.set(std::move(call.key()), std::move(tail));
    return count(size);
  }
  if (value->size() + tail.size() > kSizeLimit) {
    return Error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  }
  *value += tail;
  return count(value->size());
}

Reply strlen(Call& call) {
  const std::string* const value = call.store.find(call.key());
  return count(value == nullptr ? 0 : value->size());
}

// Stores what an existing value, or none, became. The ttl stays as it is.
void store_back(Call& call, std::string* value, std::string changed) {
  if (value != nullptr) {
    *value = std::move(changed);
  } else {
    call.store.set(std::move(call.key()), std::move(changed));
  }
}

Reply add(Call& call, std::int64_t step) {
  std::string* const value = call.store.find(call.key());
  const auto current = value == nullptr ? 0 : parse_integer(*value);
  if (!current) return not_an_integer();
  const auto sum = checked_add(*current, step);
  if (!sum) return Error("ERR increment or decrement would overflow");
  store_back(call, value, std::to_string(*sum));
  return *sum;
}
Reply incr(Call& call) { return add(call, 1); }
Reply decr(Call& call) { return add(call, -1); }

Reply incrby(Call& call) {
  const auto step = parse_integer(call.words[2]);
  if (!step) return not_an_integer();
  return add(call, *step);
}

Reply decrby(Call& call) {
  const auto step = parse_integer(call.words[2]);
  if (!step) return not_an_integer();
  if (*step == std::numeric_limits<std::int64_t>::min()) {
    return Error("ERR decrement would overflow");
  }
  return add(call, -*step);
}

Reply incrbyfloat(Call& call) {
  std::string* const value = call.store.find(call.key());
  const auto current = value == nullptr ? 0.0L : parse_float(*value);
  const auto step = parse_float(call.words[2]);
  if (!current || !step) return Error("ERR value is not a valid float");
  const long double sum = *current + *step;
  if (!std::isfinite(sum)) return Error("ERR increment would produce NaN or Infinity");
  std::string text = format_float(sum);
  store_back(call, value, text);
  return text;
}

// --- Expiry -------------------------------------------------------------------------------------

Reply expire_by(Call& call, ExpiryForm form) {
  const auto condition = parse_condition(call.words_from(3));
  if (!condition) return condition.error();
  const auto when = deadline({form, call.words[2]}, call.instant(), call.name);
  if (!when) return when.error();
  return call.store.pexpireat(call.key(), *when, *condition);
}
Reply expire(Call& call) { return expire_by(call, ExpiryForm::kEx); }
Reply pexpire(Call& call) { return expire_by(call, ExpiryForm::kPx); }
Reply expireat(Call& call) { return expire_by(call, ExpiryForm::kExAt); }
Reply pexpireat(Call& call) { return expire_by(call, ExpiryForm::kPxAt); }

constexpr std::int64_t kNoKey = -2;
constexpr std::int64_t kPersistent = -1;

std::int64_t remaining_millis(const Call& call) {
  const auto ttl = call.store.pttl(call.key());
  if (!ttl) return kNoKey;
  return *ttl == Database::Store::kNever ? kPersistent : ttl->count();
}

std::int64_t deadline_millis(const Call& call) {
  const auto deadline = call.store.pexpiretime(call.key());
  if (!deadline) return kNoKey;
  return *deadline == Instant::max() ? kPersistent : deadline->time_since_epoch().count();
}

// Rounds to the nearest second; leaves what stands for no key and no expiry as it is.
std::int64_t to_seconds(std::int64_t millis) {
  if (millis < 0) return millis;
  return millis / 1000 + (millis % 1000 >= 500 ? 1 : 0);
}

Reply pttl(Call& call) { return remaining_millis(call); }
Reply ttl(Call& call) { return to_seconds(remaining_millis(call)); }
Reply pexpiretime(Call& call) { return deadline_millis(call); }
Reply expiretime(Call& call) { return to_seconds(deadline_millis(call)); }
Reply persist(Call& call) { return call.store.persist(call.key()); }

// --- Keys ---------------------------------------------------------------------------------------

Reply del(Call& call) {
  const auto keys = call.words_from(1);
  return std::ranges::count_if(keys, [&](const auto& key) { return call.store.erase(key); });
}

Reply exists(Call& call) {
  const auto keys = call.words_from(1);
  return std::ranges::count_if(keys, [&](const auto& key) { return call.store.contains(key); });
}

Reply rename(Call& call) {
  return call.store.rename(call.key(), call.words[2]) ? ok() : no_such_key();
}

Reply renamenx(Call& call) {
  if (!call.store.contains(call.key())) return no_such_key();
  if (call.store.contains(call.words[2])) return 0;
  return call.store.rename(call.key(), call.words[2]);
}

// Returns the error in a COPY's choice of database, if there is one: the only database is 0.
std::optional<Error> check_database(std::string_view word) {
  using Limits = std::numeric_limits<std::int32_t>;
  const auto index = parse_integer(word);
  if (!index) return not_an_integer();
  if (*index < Limits::min() || *index > Limits::max()) {
    return Error("ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (*index != 0) return Error("ERR DB index is out of range");
  return std::nullopt;
}

Reply copy(Call& call) {
  const std::string& from = call.key();
  const std::string& to = call.words[2];
  bool replace = false;
  for (std::size_t i = 3; i < call.words.size(); ++i) {
    if (is_option(call.words[i], "replace")) {
      replace = true;
    } else if (is_option(call.words[i], "db") && i + 1 < call.words.size()) {
      if (auto error = check_database(call.words[++i])) return *std::move(error);
    } else {
      return syntax_error();
    }
  }
  if (from == to) return Error("ERR source and destination objects are the same");
  if (replace && call.store.contains(from)) call.store.erase(to);
  return call.store.copy(from, to);
}

// Redis leaves the order open; sorted, the same input always gives the same output.
Reply keys(Call& call) {
  std::vector<std::string> found;
  call.store.for_each([&](const std::string& key, const std::string&, Instant) {
    if (glob_matches(call.words[1], key)) found.push_back(key);
  });
  std::ranges::sort(found);
  return Array(std::move_iterator(found.begin()), std::move_iterator(found.end()));
}

// Counts living keys only, for which the dead have to go.
Reply dbsize(Call& call) {
  call.store.erase_expired();
  return count(call.store.size());
}

Reply flushall(Call& call) {
  const auto options = call.words_from(1);
  if (options.size() > 1) return syntax_error();
  if (!options.empty() && !is_option(options[0], "async") && !is_option(options[0], "sync")) {
    return syntax_error();
  }
  call.store.clear();
  return ok();
}

// --- The server ---------------------------------------------------------------------------------

Reply time(Call& call) {
  const auto since_epoch = call.now.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  return Array{std::to_string(seconds.count()), std::to_string((since_epoch - seconds).count())};
}

Reply ping(Call& call) {
  if (call.words.size() > 2) return wrong_arity(call.name);
  if (call.words.size() == 2) return std::move(call.words[1]);
  return Status{"PONG"};
}

Reply echo(Call& call) { return std::move(call.words[1]); }

constexpr auto kCommands = std::to_array<Command>({
    {"append", 3, append, "key value"},
    {"copy", -3, copy, "key newkey [DB 0] [REPLACE]"},
    {"dbsize", 1, dbsize, ""},
    {"decr", 2, decr, "key"},
    {"decrby", 3, decrby, "key integer"},
    {"del", -2, del, "key [key ...]"},
    {"echo", 2, echo, "message"},
    {"exists", -2, exists, "key [key ...]"},
    {"expire", -3, expire, "key seconds [NX|XX] [GT|LT]"},
    {"expireat", -3, expireat, "key unix-seconds [NX|XX] [GT|LT]"},
    {"expiretime", 2, expiretime, "key"},
    {"flushall", -1, flushall, "[ASYNC|SYNC]"},
    {"get", 2, get, "key"},
    {"getdel", 2, getdel, "key"},
    {"getex", -2, getex, "key [EX s|PX ms|EXAT unix-s|PXAT unix-ms|PERSIST]"},
    {"incr", 2, incr, "key"},
    {"incrby", 3, incrby, "key integer"},
    {"incrbyfloat", 3, incrbyfloat, "key number"},
    {"keys", 2, keys, "pattern"},
    {"persist", 2, persist, "key"},
    {"pexpire", -3, pexpire, "key milliseconds [NX|XX] [GT|LT]"},
    {"pexpireat", -3, pexpireat, "key unix-milliseconds [NX|XX] [GT|LT]"},
    {"pexpiretime", 2, pexpiretime, "key"},
    {"ping", -1, ping, "[message]"},
    {"psetex", 4, psetex, "key milliseconds value"},
    {"pttl", 2, pttl, "key"},
    {"rename", 3, rename, "key newkey"},
    {"renamenx", 3, renamenx, "key newkey"},
    {"set", -3, set, "key value [NX|XX] [GET] [EX s|PX ms|EXAT unix-s|PXAT unix-ms|KEEPTTL]"},
    {"setex", 4, setex, "key seconds value"},
    {"strlen", 2, strlen, "key"},
    {"time", 1, time, ""},
    {"ttl", 2, ttl, "key"},
});
static_assert(std::ranges::is_sorted(kCommands, {}, &Command::name));

bool fits(int arity, std::size_t words) {
  return arity < 0 ? words >= static_cast<std::size_t>(-arity)
                   : words == static_cast<std::size_t>(arity);
}

// Quotes as much of the command and its arguments as Redis does.
Error unknown_command(std::span<const std::string> words) {
  constexpr std::size_t kQuoteLimit = 128;
  std::string arguments;
  for (const std::string& word : words.subspan(1)) {
    if (arguments.size() >= kQuoteLimit) break;
    const std::size_t room = kQuoteLimit - arguments.size();
    arguments.append("'").append(before_nul(word).substr(0, room)).append("' ");
  }
  const std::string name(before_nul(words[0]).substr(0, kQuoteLimit));
  return Error("ERR unknown command '" + name + "', with args beginning with: " + arguments);
}

}  // namespace

Reply Database::run(Words words, Time now) {
  assert(!words.empty());
  clock_.set(Instant(std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch())));
  const Command* const command = find_command(words[0]);
  if (command == nullptr) return unknown_command(words);
  if (!fits(command->arity, words.size())) return wrong_arity(command->name);
  Call call{command->name, store_, now, words};
  return command->handler(call);
}

std::span<const Command> commands() { return kCommands; }

const Command* find_command(std::string_view name) {
  const std::string wanted = lower_case(name);
  const auto* const row = std::ranges::lower_bound(kCommands, wanted, {}, &Command::name);
  return row != kCommands.end() && row->name == wanted ? row : nullptr;
}

}  // namespace redis
