#ifndef KEYSPACE_TESTS_REDIS_STREAM_H_
#define KEYSPACE_TESTS_REDIS_STREAM_H_

#include <cstdint>
#include <filesystem>
#include <string>

// Returns what a client might send over one connection: requests in either form of the protocol,
// for replies in either version, and mostly something amiss. The replies depend on no time.
std::string random_stream(std::uint64_t seed);

// Sends all of `stream` over a connection of its own, and returns all that comes back until the
// server ends it.
std::string exchange(const std::filesystem::path& socket, const std::string& stream);

#endif  // KEYSPACE_TESTS_REDIS_STREAM_H_
