#ifndef KEYSPACE_TESTS_SERVERS_STREAM_H_
#define KEYSPACE_TESTS_SERVERS_STREAM_H_

#include <cstdint>
#include <string>

// Returns random bytes as a client may send them over one connection: requests in both forms and
// versions of the protocol, mostly with mistakes. The replies do not depend on the time.
std::string random_stream(std::uint64_t seed);

#endif  // KEYSPACE_TESTS_SERVERS_STREAM_H_
