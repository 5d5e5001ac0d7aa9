#ifndef EXAMPLES_REDIS_SIZES_H_
#define EXAMPLES_REDIS_SIZES_H_

#include <cstddef>

namespace redis {

// The defaults of Redis, in bytes.
inline constexpr std::size_t kBulkLimit = std::size_t{512} << 20;  // a word, and a value
inline constexpr std::size_t kLineLimit = std::size_t{64} << 10;   // a line of a request
inline constexpr std::size_t kRequestLimit = std::size_t{1}
                                             << 30;  // a request that is not complete yet

}  // namespace redis

#endif  // EXAMPLES_REDIS_SIZES_H_
