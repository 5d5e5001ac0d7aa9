// The commands that read and write values.

#include <keyspace/expiry.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "handlers.h"
#include "number.h"
#include "options.h"
#include "replies.h"
#include "sizes.h"

namespace redis::handlers {
namespace {

Reply view_or_nil(const std::string* value) {
  if (value == nullptr) return Nil();
  return View(*value);
}

// The same for a command that changes the value afterwards.
Reply copy_or_nil(const std::string* value) {
  if (value == nullptr) return Nil();
  return *value;
}

// Returns the expiry that the options of a SET mean.
Result<Database::Expiry> expiry_of(const SetOptions& options, const Call& call) {
  if (options.keep_ttl) return Database::Expiry(keyspace::kKeep);
  if (!options.expiry) return Database::Expiry();
  const auto deadline = positive_deadline(*options.expiry, call.now(), call.name);
  if (!deadline) return deadline.error();
  return Database::Expiry(*deadline);
}

// Returns whether the value was stored: NX and XX may forbid it.
bool store_value(Call& call, SetOptions::Presence presence, Database::Expiry expiry) {
  const std::string_view value = call.words[2];
  switch (presence) {
    case SetOptions::Presence::kAbsent:
      return call.database().insert(call.key(), value, expiry);
    case SetOptions::Presence::kPresent:
      return call.database().replace(call.key(), value, expiry);
    case SetOptions::Presence::kAny:
      break;
  }
  call.database().set(call.key(), value, expiry);
  return true;
}

Reply set_for(Call& call, ExpiryForm form) {
  const auto deadline = positive_deadline({form, call.words[2]}, call.now(), call.name);
  if (!deadline) return deadline.error();
  call.database().set(call.key(), call.words[3], *deadline);
  return ok();
}

// Stores the new value of a key. `value` is the old one, or null if the key is not live. Keeps the
// expiry.
void store_back(Call& call, std::string* value, std::string_view changed) {
  if (value != nullptr) {
    *value = changed;
  } else {
    call.database().set(call.key(), changed);
  }
}

Reply add(Call& call, std::int64_t step) {
  std::string* const value = call.database().find(call.key());
  const auto current = value == nullptr ? 0 : parse_integer(*value);
  if (!current) return not_an_integer();
  const auto sum = checked_add(*current, step);
  if (!sum) return Error("ERR increment or decrement would overflow");
  store_back(call, value, std::to_string(*sum));
  return *sum;
}

}  // namespace

// --- Whole values -------------------------------------------------------------------------------

Reply get(Call& call) { return view_or_nil(call.database().find(call.key())); }

Reply set(Call& call) {
  const auto options = parse_set_options(call.words_from(3));
  if (!options) return options.error();
  const auto expiry = expiry_of(*options, call);
  if (!expiry) return expiry.error();
  Reply previous = options->get ? copy_or_nil(call.database().find(call.key())) : Nil();
  const bool stored = store_value(call, options->presence, *expiry);
  if (options->get) return previous;
  return stored ? ok() : Nil();
}

Reply setex(Call& call) { return set_for(call, ExpiryForm::kEx); }
Reply psetex(Call& call) { return set_for(call, ExpiryForm::kPx); }
Reply setnx(Call& call) { return call.database().insert(call.key(), call.words[2]); }

Reply getset(Call& call) {
  Reply previous = copy_or_nil(call.database().find(call.key()));
  call.database().set(call.key(), call.words[2]);
  return previous;
}

Reply getex(Call& call) {
  const auto options = parse_getex_options(call.words_from(2));
  if (!options) return options.error();
  Database& database = call.database();
  const std::string* const found = database.find(call.key());
  if (found == nullptr) return Nil();
  if (options->expiry) {
    const auto deadline = positive_deadline(*options->expiry, call.now(), call.name);
    if (!deadline) return deadline.error();
    Reply value = *found;  // a copy, because a deadline in the past erases the key
    database.pexpireat(call.key(), *deadline);
    return value;
  }
  if (options->persist) database.persist(call.key());
  return View(*found);
}

Reply getdel(Call& call) {
  std::optional<std::string> value = call.database().getdel(call.key());
  if (!value) return Nil();
  return *std::move(value);
}

Reply mget(Call& call) {
  Array values;
  values.reserve(call.words.size() - 1);
  for (const std::string_view key : call.words_from(1)) {
    values.push_back(view_or_nil(call.database().find(key)));
  }
  return values;
}

Reply mset(Call& call) {
  if (call.words.size() % 2 == 0) return wrong_arity(call.name);
  for (std::size_t i = 1; i != call.words.size(); i += 2) {
    call.database().set(call.words[i], call.words[i + 1]);
  }
  return ok();
}

// --- Parts of values ----------------------------------------------------------------------------

Reply append(Call& call) {
  const std::string_view tail = call.words[2];
  std::string* const value = call.database().find(call.key());
  if (value == nullptr) {
    call.database().set(call.key(), tail);
    return count(tail.size());
  }
  if (value->size() + tail.size() > kBulkLimit) return too_long();
  *value += tail;
  return count(value->size());
}

Reply strlen(Call& call) {
  const std::string* const value = call.database().find(call.key());
  return count(value == nullptr ? 0 : value->size());
}

Reply getrange(Call& call) {
  const auto first = parse_integer(call.words[2]);
  const auto last = parse_integer(call.words[3]);
  if (!first || !last) return not_an_integer();
  const std::string* const value = call.database().find(call.key());
  if (value == nullptr) return View();
  if (*first < 0 && *last < 0 && *first > *last) return View();

  // A negative index counts from the end. Indices outside the value are cut off. A range before the
  // value still has the first byte, as in Redis.
  const auto size = static_cast<std::int64_t>(value->size());
  const auto index = [&](std::int64_t i) {
    return std::max<std::int64_t>(i < 0 ? size + i : i, 0);
  };
  const std::int64_t begin = index(*first);
  const std::int64_t end = std::min(index(*last), size - 1) + 1;
  if (begin >= end) return View();
  return View(*value).substr(static_cast<std::size_t>(begin),
                             static_cast<std::size_t>(end - begin));
}

Reply setrange(Call& call) {
  const auto offset = parse_integer(call.words[2]);
  if (!offset) return not_an_integer();
  if (*offset < 0) return Error("ERR offset is out of range");
  const std::string_view part = call.words[3];
  std::string* const value = call.database().find(call.key());
  if (part.empty()) return count(value == nullptr ? 0 : value->size());
  const auto begin = static_cast<std::size_t>(*offset);
  if (begin > kBulkLimit || begin + part.size() > kBulkLimit) return too_long();

  if (value == nullptr) {
    std::string padded(begin, '\0');
    padded += part;
    call.database().set(call.key(), padded);
    return count(padded.size());
  }
  if (value->size() < begin + part.size()) value->resize(begin + part.size());
  value->replace(begin, part.size(), part);
  return count(value->size());
}

// --- Numbers ------------------------------------------------------------------------------------

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
  std::string* const value = call.database().find(call.key());
  const auto current = value == nullptr ? 0.0L : parse_float(*value);
  const auto step = parse_float(call.words[2]);
  if (!current || !step) return Error("ERR value is not a valid float");
  const long double sum = *current + *step;
  if (!std::isfinite(sum)) return Error("ERR increment would produce NaN or Infinity");
  std::string text = format_float(sum);
  store_back(call, value, text);
  return text;
}

}  // namespace redis::handlers
