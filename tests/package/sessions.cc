#include "sessions.h"

#include <keyspace/condition.h>

#include <chrono>
#include <string>

void log_in(Sessions& sessions, const std::string& user) {
  sessions.set(user, "online", std::chrono::seconds(30));
  sessions.pexpire(user, std::chrono::seconds(20), keyspace::Condition::kLt);
}
