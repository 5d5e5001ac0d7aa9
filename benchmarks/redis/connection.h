#ifndef KEYSPACE_BENCHMARKS_REDIS_CONNECTION_H_
#define KEYSPACE_BENCHMARKS_REDIS_CONNECTION_H_

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "servers/socket.h"

// A small client for Redis's protocol. Throws a std::runtime_error on an error, and if the program
// receives a signal to end while it waits for a reply.
namespace redis {

class Connection {
 public:
  // Connects to a server that may still be starting.
  explicit Connection(const std::filesystem::path& socket) : socket_(socket) {}

  // Sends commands. A command is words with spaces between them and "\r\n" at the end.
  void send(std::string_view commands) { socket_.send(commands); }

  // Waits for a reply and returns it as text. Of an array, returns the last element. Throws if the
  // reply is an error.
  std::string receive();

  // Waits for a reply, until `time` at most. Returns true iff there is one.
  bool wait_until(std::chrono::system_clock::time_point time);

 private:
  // Returns the bytes before "\r\n". Ignores a "\r\n" within the first `size` bytes.
  std::string receive_line(std::size_t size = 0);
  bool wait_for_bytes_until(std::chrono::system_clock::time_point time);

  Socket socket_;
  std::string bytes_;  // received, and not returned yet
};

// Sends many commands without waiting for the reply to each.
class Pipeline {
 public:
  explicit Pipeline(Connection& connection) : connection_(connection) {}

  void add(std::string_view command);

  // Sends the remaining commands and waits for all replies.
  void finish();

 private:
  Connection& connection_;
  std::string commands_;
  std::size_t size_ = 0;
};

}  // namespace redis

#endif  // KEYSPACE_BENCHMARKS_REDIS_CONNECTION_H_
