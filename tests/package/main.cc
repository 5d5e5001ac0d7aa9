#include <keyspace/clock.h>
#include <keyspace/condition.h>
#include <keyspace/version.h>

#include <chrono>
#include <cstdio>

#include "sessions.h"

using namespace std::chrono_literals;

int main() {
  keyspace::ManualClock clock;
  Sessions sessions(clock);
  log_in(sessions, "alice");
  const bool sooner = sessions.pexpire("alice", 10s, keyspace::Condition::kLt);
  const bool live = sessions.pttl("alice") == 10s;
  clock.advance(10s);
  const bool expired = !sessions.contains("alice") && sessions.erase_expired() == 1;

  std::printf("keyspace %d.%d.%d: %d %d %d\n", KEYSPACE_VERSION_MAJOR, KEYSPACE_VERSION_MINOR,
              KEYSPACE_VERSION_PATCH, sooner, live, expired);
  return sooner && live && expired ? 0 : 1;
}
