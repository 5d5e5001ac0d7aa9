#ifndef EXAMPLES_REDIS_WORDS_H_
#define EXAMPLES_REDIS_WORDS_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace redis {

// The words of one command. The first is its name. A word may contain any bytes.
using Words = std::vector<std::string>;
using WordViews = std::span<const std::string_view>;

// Splits a line into words by the rules of redis-cli. Returns nullopt if a quote is not closed, or
// if text follows a closing quote without a blank.
//
// In double quotes, \n \r \t \b \a and \xHH mean a byte, and \ before another character means that
// character. In single quotes only \' is an escape. A quote may open in the middle of a word. A NUL
// byte ends the line.
[[nodiscard]] std::optional<Words> split_words(std::string_view line);

// Returns `word` up to its first NUL byte. Redis reads words that way, except for keys and values.
[[nodiscard]] std::string_view before_nul(std::string_view word);

// Returns whether `word`, up to its first NUL byte, is the option `name` in any case.
// REQUIRES: `name` is in lower case.
[[nodiscard]] bool is_option(std::string_view word, std::string_view name);

// Returns `text` with A to Z in lower case, in every locale.
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace redis

#endif  // EXAMPLES_REDIS_WORDS_H_
