#ifndef KEYSPACE_TESTS_SERVERS_DIFFERENCES_H_
#define KEYSPACE_TESTS_SERVERS_DIFFERENCES_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "servers/server_version.h"

// What may differ between the replies of redis_server and those of a real server to commands. What
// may differ between their replies to streams of bytes stands in differential.cc.

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

// How two replies are compared. They, and errors too, have to be equal to the byte, unless the
// comparison allows a difference.
enum class Comparison : std::uint8_t {
  kExact,
  kTime,       // a number: as much apart as time may have passed between the two
  kUnordered,  // an array: the same elements, in any order
  kScan,       // the elements of a whole iteration, of which this is the start
  kKey,        // nil, or a key that is there
  kHello,      // the same but for the id
  kKind,       // the same kind of reply
  kNewScan,    // as kScan; but one server may refuse a cursor that is no number below 2^63, and
               // theirs may refuse a type
  kNewHello,  // equal but for the id, server, version and modules; an error may be another one; and
              // redis_server alone may refuse a user, or a word with a NUL
  kNewClient,  // as kKind; but any reply if a word has a NUL
};

// The differences on purpose. For each command, the first row counts whose generation is not newer
// than the real server's; so newer rows come first.
struct Difference {
  Generation since;
  std::string_view command;  // its first word, in upper case
  Comparison comparison;
  std::string_view why;
};

inline constexpr Difference kDifferences[] = {
    {Generation::k7, "TTL", Comparison::kTime,
     "the servers run a command one a moment after the other"},
    {Generation::k7, "PTTL", Comparison::kTime, "the same"},
    {Generation::k7, "EXPIRETIME", Comparison::kTime,
     "the same; a deadline that was given as such is exact"},
    {Generation::k7, "PEXPIRETIME", Comparison::kTime,
     "the same; and of a keyspace 2^63-1 ms means never, so that such a deadline is 1 ms less"},
    {Generation::k7, "TIME", Comparison::kKind, "the same"},
    {Generation::k7, "KEYS", Comparison::kUnordered, "Redis leaves the order open"},
    {Generation::k8, "SCAN", Comparison::kNewScan,
     "Redis leaves the order and the cursors open; 7.0 takes an empty cursor, newer servers take "
     "spaces before it; newer servers refuse an unknown TYPE"},
    {Generation::k7, "SCAN", Comparison::kScan, "Redis leaves the order and the cursors open"},
    {Generation::k7, "RANDOMKEY", Comparison::kKey, "it is random"},
    {Generation::k8, "HELLO", Comparison::kNewHello,
     "each server names itself and its modules; 7.0 applies each option at once, newer servers "
     "read all options first and use the last AUTH"},
    {Generation::k7, "HELLO", Comparison::kHello,
     "clients are counted from 1, each server for itself"},
    {Generation::k8, "CLIENT", Comparison::kNewClient,
     "each server numbers its clients and keeps other facts; for newer ones a NUL ends a name"},
    {Generation::k7, "CLIENT", Comparison::kKind, "the same; and fewer facts are kept of a client"},
    {Generation::k7, "COMMAND", Comparison::kKind, "it has fewer commands, described more briefly"},
    {Generation::k7, "CONFIG", Comparison::kKind, "it has fewer parameters"},
    {Generation::k7, "INFO", Comparison::kKind, "it tells other figures"},
};

#endif  // KEYSPACE_TESTS_SERVERS_DIFFERENCES_H_
