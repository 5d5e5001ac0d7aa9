#ifndef EXAMPLES_REDIS_ERRORS_H_
#define EXAMPLES_REDIS_ERRORS_H_

#include <string>
#include <string_view>

#include "reply.h"

namespace redis {

// The errors more than one command gives, in Redis's words.

inline Error syntax_error() { return Error("ERR syntax error"); }
inline Error not_an_integer() { return Error("ERR value is not an integer or out of range"); }
inline Error no_such_key() { return Error("ERR no such key"); }
inline Error wrong_arity(std::string_view command) {
  return Error("ERR wrong number of arguments for '" + std::string(command) + "' command");
}

}  // namespace redis

#endif  // EXAMPLES_REDIS_ERRORS_H_
