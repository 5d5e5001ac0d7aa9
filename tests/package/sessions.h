#ifndef CONSUMER_SESSIONS_H_
#define CONSUMER_SESSIONS_H_

#include <keyspace/clock.h>
#include <keyspace/keyspace.h>

#include <string>

// One type, instantiated in both translation units.
using Sessions = keyspace::Keyspace<std::string, std::string, keyspace::ManualClock>;

void log_in(Sessions& sessions, const std::string& user);

#endif  // CONSUMER_SESSIONS_H_
