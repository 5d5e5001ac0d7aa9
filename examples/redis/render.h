#ifndef EXAMPLES_REDIS_RENDER_H_
#define EXAMPLES_REDIS_RENDER_H_

#include <string>
#include <string_view>

#include "reply.h"

namespace redis {

// Returns a reply as redis-cli shows it on a terminal, the last line break included: `OK`,
// `(integer) 1`, `"Hello"`, `(nil)`, `(error) ERR syntax error`, `1) "a"`, `(empty array)`.
[[nodiscard]] std::string render(const Reply& reply);

// Returns `bytes` in double quotes, with escapes for what does not print; split_words() reads it
// back as one word.
[[nodiscard]] std::string quoted(std::string_view bytes);

}  // namespace redis

#endif  // EXAMPLES_REDIS_RENDER_H_
