#ifndef EXAMPLES_REDIS_INSTANCE_H_
#define EXAMPLES_REDIS_INSTANCE_H_

#include <keyspace/clock.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>

#include "database.h"

namespace redis {

// The part of a server that all clients share: sixteen databases, and one time. Not thread-safe.
class Instance {
 public:
  static constexpr std::size_t kDatabases = 16;
  using Time = std::chrono::sys_time<std::chrono::microseconds>;

  // Numbers that the program sets, for INFO.
  struct Host {
    Time start = {};
    int port = 0;
    std::size_t clients = 0;
    std::uint64_t connections = 0;  // since the start
  };

  Instance();

  // Sets the time. An instance never reads a clock.
  void set_time(Time now);
  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] Instant instant() const { return clock_.now(); }

  // REQUIRES: index < kDatabases
  [[nodiscard]] Database& database(std::size_t index) { return databases_[index]; }
  [[nodiscard]] const Database& database(std::size_t index) const { return databases_[index]; }

  // Erases expired keys of each database. `limit` bounds the work on each, as in a Keyspace.
  void erase_expired(std::size_t limit);

  // Returns a time before which no key of any database expires; nullopt if no key can expire.
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  Host host;
  std::uint64_t commands = 0;   // run so far
  bool active_expire = true;    // whether the program should call erase_expired()
  bool shutdown_asked = false;  // whether the program should end
  std::minstd_rand random;

 private:
  Time now_;
  keyspace::ManualClock clock_;
  std::deque<Database> databases_;
};

// The state of one client.
struct Session {
  std::uint64_t id = 0;
  std::string name;
  std::size_t database = 0;
  int protocol = 2;      // of RESP
  bool is_over = false;  // whether the server should close the connection
};

}  // namespace redis

#endif  // EXAMPLES_REDIS_INSTANCE_H_
