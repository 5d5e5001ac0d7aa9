#ifndef EXAMPLES_REDIS_GLOB_H_
#define EXAMPLES_REDIS_GLOB_H_

#include <string_view>

namespace redis {

// Returns whether the whole `text` matches `pattern`, as in KEYS.
//
// * matches any bytes, ? any one byte, and [abc] [a-z] [^a] one byte that is or is not in a set. A
// backslash takes the next character literally, also inside a set. A set that is not closed ends
// with the pattern. As in Redis, the empty text matches only the patterns "" and "*", and not "**".
//
// Takes at most time proportional to the product of both lengths.
[[nodiscard]] bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace redis

#endif  // EXAMPLES_REDIS_GLOB_H_
