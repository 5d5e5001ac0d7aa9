#ifndef KEYSPACE_TESTS_REDIS_SERVER_VERSION_H_
#define KEYSPACE_TESTS_REDIS_SERVER_VERSION_H_

#include <string>

#include "redis/client.h"
#include "redis/private_server.h"

// Which real server this is, and its own version: Valkey also has a version of Redis that it
// claims.
struct ServerVersion {
  Engine engine;
  int major;
  int minor;
  std::string text;  // the whole version, such as "7.0.15"
};

// Asks the server. Throws std::runtime_error if it does not say.
ServerVersion version_of(Client& client);

// Returns for example "Redis 7.0.15".
std::string to_string(const ServerVersion& version);

#endif  // KEYSPACE_TESTS_REDIS_SERVER_VERSION_H_
