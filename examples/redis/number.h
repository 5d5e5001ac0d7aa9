#ifndef EXAMPLES_REDIS_NUMBER_H_
#define EXAMPLES_REDIS_NUMBER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace redis {

// Returns the integer that `text` spells in the one form Redis accepts: digits with no leading
// zero, and a minus before a number below zero. No blanks, no plus, no "-0".
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);

// Returns a + b, or nullopt where it does not fit.
[[nodiscard]] std::optional<std::int64_t> checked_add(std::int64_t a, std::int64_t b);

// Returns the number that `text` spells, in any form strtold() reads (hexadecimal and "inf"
// included) that does not begin with a blank and is no NaN; nullopt if it is too large, too close
// to zero, or 5 KiB long.
[[nodiscard]] std::optional<long double> parse_float(std::string_view text);

// Returns `number` in decimal with at most 17 digits after the point, no zeros at the end and no
// exponent, as INCRBYFLOAT stores it.
// REQUIRES: `number` is finite.
[[nodiscard]] std::string format_float(long double number);

}  // namespace redis

#endif  // EXAMPLES_REDIS_NUMBER_H_
