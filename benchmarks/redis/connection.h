#ifndef KEYSPACE_BENCHMARKS_REDIS_CONNECTION_H_
#define KEYSPACE_BENCHMARKS_REDIS_CONNECTION_H_

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "servers/socket.h"

// A client of a server that speaks Redis's protocol, as small as can be. What goes wrong is thrown,
// as a std::runtime_error that says it in a sentence; so is, while a reply is waited for, that the
// program is told to end.
namespace redis {

class Connection {
 public:
  // Connects to a server that may still be starting.
  explicit Connection(const std::filesystem::path& socket) : socket_(socket) {}

  // Sends commands. Each is words with a space between them, and ends with "\r\n".
  void send(std::string_view commands) { socket_.send(commands); }

  // Waits for a reply and returns it as text; of an array, the last element. Throws if it is an
  // error.
  std::string receive();

  // Waits for a reply to come, until `time` at most. Returns true if one has.
  bool wait_until(std::chrono::system_clock::time_point time);

 private:
  // Returns what comes before "\r\n", which is looked for from the byte at `size` on.
  std::string receive_line(std::size_t size = 0);
  bool wait_for_bytes_until(std::chrono::system_clock::time_point time);

  Socket socket_;
  std::string bytes_;  // received, and not yet part of a reply that was returned
};

// Sends many commands, without waiting for the reply to one before the next is sent.
class Pipeline {
 public:
  explicit Pipeline(Connection& connection) : connection_(connection) {}

  void add(std::string_view command);

  // Waits until all that was added is done.
  void finish();

 private:
  Connection& connection_;
  std::string commands_;
  std::size_t size_ = 0;
};

}  // namespace redis

#endif  // KEYSPACE_BENCHMARKS_REDIS_CONNECTION_H_
