#ifndef EXAMPLES_REDIS_WORDS_H_
#define EXAMPLES_REDIS_WORDS_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace redis {

// The words of one command, its name first. A word may hold any bytes.
using Words = std::vector<std::string>;
using WordViews = std::span<const std::string_view>;

// Splits a line into words by redis-cli's rules; nullopt if a quote is left open, or if text
// follows a closing quote without a blank between.
//
// A double quote opens a part in which \n \r \t \b \a and \xHH stand for a byte and \ before any
// other character for that character; in single quotes only \' means something else than it says.
// A quote may open in the middle of a word. A NUL byte ends the line.
[[nodiscard]] std::optional<Words> split_words(std::string_view line);

// Returns `word` up to its first NUL byte: all that Redis sees of a word which it reads as text
// rather than as a key or a value.
[[nodiscard]] std::string_view before_nul(std::string_view word);

// Returns whether `word`, read as text, is the option `name` (in lower case) in any case.
[[nodiscard]] bool is_option(std::string_view word, std::string_view name);

// Returns `text` with A to Z in lower case, whatever the locale.
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace redis

#endif  // EXAMPLES_REDIS_WORDS_H_
