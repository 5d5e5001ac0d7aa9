#ifndef EXAMPLES_REDIS_NUMBER_H_
#define EXAMPLES_REDIS_NUMBER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace redis {

// Returns the integer in `text`, in the only form that Redis accepts: digits without a leading
// zero, and a minus before a negative number. No blanks, no plus, no "-0".
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);

// Returns a + b; nullopt if it overflows.
[[nodiscard]] std::optional<std::int64_t> checked_add(std::int64_t a, std::int64_t b);

// Returns the number in `text`, in any form that strtold() accepts, such as hexadecimal and "inf".
// Returns nullopt for another text, a NaN, a text that begins with a blank, a number that is too
// large or too close to zero, and a text of 5 KiB or more.
[[nodiscard]] std::optional<long double> parse_float(std::string_view text);

// Returns `number` in decimal with at most 17 digits after the point, no zeros at the end and no
// exponent, as INCRBYFLOAT stores it.
// REQUIRES: `number` is finite.
[[nodiscard]] std::string format_float(long double number);

}  // namespace redis

#endif  // EXAMPLES_REDIS_NUMBER_H_
