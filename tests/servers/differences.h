#ifndef KEYSPACE_TESTS_SERVERS_DIFFERENCES_H_
#define KEYSPACE_TESTS_SERVERS_DIFFERENCES_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "servers/server_version.h"

// The differences that are allowed between the replies of redis_server and of a real server to
// commands. Those between their replies to streams of bytes are in differential.cc.

// Groups of real servers, oldest first. redis_server behaves as Redis 7.0 does.
enum class Generation : std::uint8_t {
  k7,  // Redis 7.0
  k8,  // Redis 8.x and Valkey 8.1, which differ from 7.0 in the same ways
};

// Returns the group of a server; nullopt if its version is not known here.
inline std::optional<Generation> generation_of(const ServerVersion& version) {
  if (version.engine == Engine::kValkey) {
    if (version.major == 8 && version.minor == 1) return Generation::k8;
  } else if (version.major == 8) {
    return Generation::k8;
  } else if (version.major == 7 && version.minor == 0) {
    return Generation::k7;
  }
  return std::nullopt;
}

// How two replies are compared. All their bytes, also those of errors, must be equal, unless the
// comparison allows a difference.
enum class Comparison : std::uint8_t {
  kExact,
  kTime,       // numbers that differ by at most the time between the two commands
  kUnordered,  // arrays with the same elements, in any order
  kScan,       // starts of iterations, which return the same elements in all
  kKey,        // nil, or a key that is stored
  kHello,      // equal except for the id
  kKind,       // the same kind of reply
  kNewScan,    // as kScan, but one server may refuse a cursor that is not a number below
               // 2^63, and the real server may refuse a type
  kNewHello,   // equal except for the id, server, version and modules. Errors may differ. Only
               // redis_server may refuse a user, or a word with a NUL
  kNewClient,  // as kKind, but any reply if a word has a NUL
};

// The intended differences. The first row of a command whose generation is not newer than the real
// server applies. So newer rows come first.
struct Difference {
  Generation since;
  std::string_view command;  // its first word, in upper case
  Comparison comparison;
  std::string_view why;
};

inline constexpr Difference kDifferences[] = {
    {Generation::k7, "TTL", Comparison::kTime,
     "the servers run a command at slightly different times"},
    {Generation::k7, "PTTL", Comparison::kTime, "the same"},
    {Generation::k7, "EXPIRETIME", Comparison::kTime, "the same; a deadline in a command is exact"},
    {Generation::k7, "PEXPIRETIME", Comparison::kTime,
     "the same; and in a keyspace 2^63-1 ms means no expiry, so such a deadline is 1 ms less"},
    {Generation::k7, "TIME", Comparison::kKind, "the same"},
    {Generation::k7, "KEYS", Comparison::kUnordered, "Redis does not specify the order"},
    {Generation::k8, "SCAN", Comparison::kNewScan,
     "Redis does not specify the order and the cursors; 7.0 accepts an empty cursor, newer servers "
     "accept spaces before it; newer servers refuse an unknown TYPE"},
    {Generation::k7, "SCAN", Comparison::kScan, "Redis does not specify the order and the cursors"},
    {Generation::k7, "RANDOMKEY", Comparison::kKey, "it is random"},
    {Generation::k8, "HELLO", Comparison::kNewHello,
     "the reply has the server's name and modules; 7.0 applies each option at once, newer servers "
     "read all options first and use the last AUTH"},
    {Generation::k7, "HELLO", Comparison::kHello, "each server numbers its clients"},
    {Generation::k8, "CLIENT", Comparison::kNewClient,
     "each server numbers its clients and reports other facts; in newer ones a NUL ends a name"},
    {Generation::k7, "CLIENT", Comparison::kKind, "the same; redis_server reports fewer facts"},
    {Generation::k7, "COMMAND", Comparison::kKind,
     "redis_server has fewer commands and shorter descriptions"},
    {Generation::k7, "CONFIG", Comparison::kKind, "redis_server has fewer parameters"},
    {Generation::k7, "INFO", Comparison::kKind, "redis_server reports other numbers"},
};

#endif  // KEYSPACE_TESTS_SERVERS_DIFFERENCES_H_
