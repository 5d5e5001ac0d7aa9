#ifndef KEYSPACE_TESTS_SERVERS_STREAM_H_
#define KEYSPACE_TESTS_SERVERS_STREAM_H_

#include <cstdint>
#include <string>

// Returns what a client might send over one connection: requests in either form of the protocol,
// for replies in either version, and mostly something amiss. The replies depend on no time.
std::string random_stream(std::uint64_t seed);

#endif  // KEYSPACE_TESTS_SERVERS_STREAM_H_
