#ifndef EXAMPLES_REDIS_RESP_H_
#define EXAMPLES_REDIS_RESP_H_

#include <cstddef>
#include <string>

#include "reply.h"

namespace redis {

// Appends a reply to `out` in Redis's protocol, version 2 or 3.
void append_resp(std::string& out, const Reply& reply, int protocol);

// Returns an upper bound of the number of bytes that append_resp() appends.
[[nodiscard]] std::size_t resp_size_bound(const Reply& reply);

}  // namespace redis

#endif  // EXAMPLES_REDIS_RESP_H_
