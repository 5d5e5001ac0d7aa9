#ifndef KEYSPACE_TESTS_REDIS_DIFFERENCES_H_
#define KEYSPACE_TESTS_REDIS_DIFFERENCES_H_

#include <cstdint>
#include <string_view>

// How a reply of one server is compared with that of the other, where it is no error. An error has
// to be the same to the byte, and so has everything of which nothing is said here.
enum class Comparison : std::uint8_t {
  kExact,
  kTime,       // a number: as much apart as time may have passed between the two
  kUnordered,  // an array: the same elements, in any order
  kScan,       // the elements of a whole iteration, of which this is the start
  kKey,        // nil, or a key that is there
  kHello,      // the same but for the id
  kKind,       // the same kind of reply
};

// What differs on purpose.
struct Difference {
  std::string_view command;  // its first word, in upper case
  Comparison comparison;
  std::string_view why;
};

inline constexpr Difference kDifferences[] = {
    {"TTL", Comparison::kTime, "the servers run a command one a moment after the other"},
    {"PTTL", Comparison::kTime, "the same"},
    {"EXPIRETIME", Comparison::kTime, "the same; a deadline that was given as such is exact"},
    {"PEXPIRETIME", Comparison::kTime,
     "the same; and of a keyspace 2^63-1 ms means never, so that such a deadline is 1 ms less"},
    {"TIME", Comparison::kKind, "the same"},
    {"KEYS", Comparison::kUnordered, "Redis leaves the order open"},
    {"SCAN", Comparison::kScan, "Redis leaves the order and the cursors open"},
    {"RANDOMKEY", Comparison::kKey, "it is random"},
    {"HELLO", Comparison::kHello, "clients are counted from 1, each server for itself"},
    {"CLIENT", Comparison::kKind, "the same; and fewer facts are kept of a client"},
    {"COMMAND", Comparison::kKind, "it has fewer commands, described more briefly"},
    {"CONFIG", Comparison::kKind, "it has fewer parameters"},
    {"INFO", Comparison::kKind, "it tells other figures"},
};

#endif  // KEYSPACE_TESTS_REDIS_DIFFERENCES_H_
