#ifndef EXAMPLES_REDIS_RENDER_H_
#define EXAMPLES_REDIS_RENDER_H_

#include <string>
#include <string_view>

#include "reply.h"

namespace redis {

// Returns a reply as redis-cli shows it on a terminal, with the last line break: `OK`,
// `(integer) 1`, `"Hello"`, `(nil)`, `(error) ERR syntax error`, `1) "a"`, `(empty array)`.
[[nodiscard]] std::string render(const Reply& reply);

// Returns `bytes` in double quotes, with escapes for bytes that do not print. split_words() parses
// the result as one word.
[[nodiscard]] std::string quoted(std::string_view bytes);

}  // namespace redis

#endif  // EXAMPLES_REDIS_RENDER_H_
