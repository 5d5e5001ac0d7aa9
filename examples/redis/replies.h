#ifndef EXAMPLES_REDIS_REPLIES_H_
#define EXAMPLES_REDIS_REPLIES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "reply.h"

namespace redis {

// The replies of more than one command, with the texts of Redis.

inline Reply ok() { return Status{"OK"}; }
inline Reply count(std::size_t n) { return static_cast<std::int64_t>(n); }

inline Error syntax_error() { return Error("ERR syntax error"); }
inline Error not_an_integer() { return Error("ERR value is not an integer or out of range"); }
inline Error no_such_key() { return Error("ERR no such key"); }
inline Error too_long() {
  return Error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
}
inline Error wrong_arity(std::string_view command) {
  return Error("ERR wrong number of arguments for '" + std::string(command) + "' command");
}

}  // namespace redis

#endif  // EXAMPLES_REDIS_REPLIES_H_
