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

// What the number of an expiry in a command means.
enum class ExpiryForm : std::uint8_t {
  kEx,    // seconds from now
  kPx,    // milliseconds from now
  kExAt,  // Unix time in seconds
  kPxAt,  // Unix time in milliseconds
};

// An option such as EX 10. Its number is not parsed yet, because Redis reports a mistake in the
// options before a mistake in a number.
struct ExpiryOption {
  ExpiryForm form = ExpiryForm::kPxAt;
  std::string_view number;
};

// Returns the deadline that an expiry means, which may be in the past. The error names `command`.
// The latest deadline that an int64 can count becomes 1 ms less, because in a keyspace it means "no
// expiry".
[[nodiscard]] Result<Instant> deadline(const ExpiryOption& expiry, Instant now,
                                       std::string_view command);

// The same, but a number below one is an error. For SET, SETEX, PSETEX and GETEX.
[[nodiscard]] Result<Instant> positive_deadline(const ExpiryOption& expiry, Instant now,
                                                std::string_view command);

// The options of SET. NX with XX, two forms of expiry, and KEEPTTL with an expiry are syntax
// errors. An option may be repeated.
struct SetOptions {
  enum class Presence : std::uint8_t { kAny, kAbsent, kPresent };

  Presence presence = Presence::kAny;
  bool get = false;
  bool keep_ttl = false;
  std::optional<ExpiryOption> expiry;
};
[[nodiscard]] Result<SetOptions> parse_set_options(WordViews words);

// The options of GETEX. It has at most one of them.
struct GetexOptions {
  bool persist = false;
  std::optional<ExpiryOption> expiry;
};
[[nodiscard]] Result<GetexOptions> parse_getex_options(WordViews words);

// Returns the condition that the options NX, XX, GT and LT of an EXPIRE mean together.
[[nodiscard]] Result<keyspace::Condition> parse_condition(WordViews words);

}  // namespace redis

#endif  // EXAMPLES_REDIS_OPTIONS_H_
