#ifndef KEYSPACE_TESTS_SERVERS_SERVER_VERSION_H_
#define KEYSPACE_TESTS_SERVERS_SERVER_VERSION_H_

#include <string>

#include "servers/client.h"
#include "servers/private_server.h"

// The engine of a server, and the engine's version. Valkey also reports a version of Redis, which
// is not this version.
struct ServerVersion {
  Engine engine;
  int major;
  int minor;
  std::string text;  // the whole version, such as "7.0.15"
};

// Asks the server for its version. Throws std::runtime_error if the reply has none.
ServerVersion version_of(Client& client);

// Returns for example "Redis 7.0.15".
std::string to_string(const ServerVersion& version);

#endif  // KEYSPACE_TESTS_SERVERS_SERVER_VERSION_H_
