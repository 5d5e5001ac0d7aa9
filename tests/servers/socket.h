#ifndef KEYSPACE_TESTS_SERVERS_SOCKET_H_
#define KEYSPACE_TESTS_SERVERS_SOCKET_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

// A connection to a server, for raw bytes. Throws if it cannot connect.
class Socket {
 public:
  // Connects to a path, or to a port of 127.0.0.1. Waits if the server is still starting.
  explicit Socket(const std::filesystem::path& path);
  explicit Socket(std::uint16_t port);
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  // Sends the bytes. Stops if the other side ends the connection.
  void send(std::string_view bytes);

  // Ends the sending side of the connection.
  void end();

  [[nodiscard]] int handle() const { return socket_; }

  // Returns `size` bytes, or fewer if the other side ends the connection.
  std::string receive(std::size_t size);

 private:
  int socket_ = -1;
};

// Sends `stream` over a new connection. Returns all replies, until the server ends the connection.
std::string exchange(const std::filesystem::path& path, std::string_view stream);

#endif  // KEYSPACE_TESTS_SERVERS_SOCKET_H_
