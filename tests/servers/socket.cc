#include "servers/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "servers/private_server.h"

namespace {

using namespace std::chrono_literals;

template <class Address>
int connect_to(int family, const Address& address) {
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (true) {
    const int socket = ::socket(family, SOCK_STREAM, 0);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      return socket;
    }
    const int error = errno;
    ::close(socket);
    if (std::chrono::steady_clock::now() > give_up || is_told_to_end()) {
      throw std::system_error(error, std::generic_category(), "Cannot connect to a server");
    }
    std::this_thread::yield();
  }
}

}  // namespace

Socket::Socket(const std::filesystem::path& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) {
    throw std::invalid_argument("The path is too long for a socket: " + path.string());
  }
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  socket_ = connect_to(AF_UNIX, address);
}

Socket::Socket(std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socket_ = connect_to(AF_INET, address);
}

Socket::~Socket() { ::close(socket_); }

void Socket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket_, bytes.data(), bytes.size(), 0);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Socket::end() { ::shutdown(socket_, SHUT_WR); }

std::string Socket::receive(std::size_t size) {
  std::string bytes;
  std::array<char, 65536> chunk;
  while (bytes.size() != size) {
    const auto wanted = std::min(chunk.size(), size - bytes.size());
    const auto received = ::recv(socket_, chunk.data(), wanted, 0);
    if (received <= 0) break;
    bytes.append(chunk.data(), static_cast<std::size_t>(received));
  }
  return bytes;
}

std::string exchange(const std::filesystem::path& path, std::string_view stream) {
  Socket socket(path);
  socket.send(stream);
  socket.end();
  return socket.receive(std::numeric_limits<std::size_t>::max());
}
