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

// What all clients of a server share: sixteen databases, and one time. One thread at a time.
class Instance {
 public:
  static constexpr std::size_t kDatabases = 16;
  using Time = std::chrono::sys_time<std::chrono::microseconds>;

  // Figures that the program around an instance keeps, for INFO.
  struct Host {
    Time start = {};
    int port = 0;
    std::size_t clients = 0;
    std::uint64_t connections = 0;  // since the start
  };

  Instance();

  // An instance never asks for the time: this says what it is, until the next call.
  void set_time(Time now);
  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] Instant instant() const { return clock_.now(); }

  // REQUIRES: index < kDatabases
  [[nodiscard]] Database& database(std::size_t index) { return databases_[index]; }
  [[nodiscard]] const Database& database(std::size_t index) const { return databases_[index]; }

  // Erases dead keys of each database, with work bounded by `limit` as in Keyspace.
  void erase_expired(std::size_t limit);

  // Returns a time before which no key of any database dies; nullopt if none ever will.
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  Host host;
  std::uint64_t commands = 0;   // run so far
  bool active_expire = true;    // the program is to reclaim dead keys, at next_deadline()
  bool shutdown_asked = false;  // the program is to end
  std::minstd_rand random;

 private:
  Time now_;
  keyspace::ManualClock clock_;
  std::deque<Database> databases_;
};

// What an instance knows of one client.
struct Session {
  std::uint64_t id = 0;
  std::string name;
  std::size_t database = 0;
  int protocol = 2;      // of RESP
  bool is_over = false;  // the client has said so
};

}  // namespace redis

#endif  // EXAMPLES_REDIS_INSTANCE_H_
