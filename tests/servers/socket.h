#ifndef KEYSPACE_TESTS_SERVERS_SOCKET_H_
#define KEYSPACE_TESTS_SERVERS_SOCKET_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

// A connection to a server for bytes as they are. What goes wrong in connecting is thrown.
class Socket {
 public:
  // Connects to a path, or to a port of 127.0.0.1; to a server that may still be starting.
  explicit Socket(const std::filesystem::path& path);
  explicit Socket(std::uint16_t port);
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  // Sends all bytes, or as many as the other side takes before it ends the connection.
  void send(std::string_view bytes);

  // Says that nothing more will be sent.
  void end();

  [[nodiscard]] int handle() const { return socket_; }

  // Returns what comes: up to `size` bytes, fewer only if the other side ends the connection.
  std::string receive(std::size_t size);

 private:
  int socket_ = -1;
};

// Sends all of `stream` over a connection of its own, and returns all that comes back until the
// server ends it.
std::string exchange(const std::filesystem::path& path, std::string_view stream);

#endif  // KEYSPACE_TESTS_SERVERS_SOCKET_H_
