#ifndef EXAMPLES_REDIS_OPTIONS_H_
#define EXAMPLES_REDIS_OPTIONS_H_

#include <keyspace/condition.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "database.h"
#include "reply.h"
#include "words.h"

namespace redis {

// How a number in a command stands for a deadline.
enum class ExpiryForm : std::uint8_t {
  kEx,    // seconds from now
  kPx,    // milliseconds from now
  kExAt,  // Unix time in seconds
  kPxAt,  // Unix time in milliseconds
};

// An option such as EX 10, its number still unread: Redis reports a mistake in the options before
// one in a number.
struct Expiry {
  ExpiryForm form = ExpiryForm::kPxAt;
  std::string_view number;
};

// Returns the deadline an expiry asks for, which may be over already. The error names `command`.
// A deadline in the last millisecond that int64 can count is put one earlier: the last one is how a
// keyspace says "never".
[[nodiscard]] Result<Instant> deadline(const Expiry& expiry, Instant now, std::string_view command);

// The same for the commands that refuse a number below one: SET and its kin, and GETEX.
[[nodiscard]] Result<Instant> positive_deadline(const Expiry& expiry, Instant now,
                                                std::string_view command);

// The options of SET. NX with XX, two forms of expiry, and KEEPTTL with an expiry are syntax
// errors; anything may be repeated.
struct SetOptions {
  enum class Presence : std::uint8_t { kAny, kAbsent, kPresent };

  Presence presence = Presence::kAny;
  bool get = false;
  bool keep_ttl = false;
  std::optional<Expiry> expiry;
};
[[nodiscard]] Result<SetOptions> parse_set_options(WordViews words);

// The options of GETEX: at most one of the two.
struct GetexOptions {
  bool persist = false;
  std::optional<Expiry> expiry;
};
[[nodiscard]] Result<GetexOptions> parse_getex_options(WordViews words);

// Returns the condition that the NX, XX, GT, LT after an EXPIRE spell.
[[nodiscard]] Result<keyspace::Condition> parse_condition(WordViews words);

}  // namespace redis

#endif  // EXAMPLES_REDIS_OPTIONS_H_
