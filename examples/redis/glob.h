#ifndef EXAMPLES_REDIS_GLOB_H_
#define EXAMPLES_REDIS_GLOB_H_

#include <string_view>

namespace redis {

// Returns whether all of `text` matches `pattern`, as KEYS matches a key.
//
// * stands for any bytes, ? for any one, [abc] [a-z] [^a] for one in or not in a set, and \ takes
// the next character literally, inside a set too. A set that is not closed ends with the pattern.
// The empty text matches only the patterns "" and "*", as in Redis; "**" does not match it.
//
// Time is at most proportional to both lengths multiplied, whatever the pattern.
[[nodiscard]] bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace redis

#endif  // EXAMPLES_REDIS_GLOB_H_
