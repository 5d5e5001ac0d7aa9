#include "redis/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "servers/private_server.h"

namespace redis {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;  // the longest wait for a reply

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

// --- Connection ---

std::string Connection::receive() {
  const std::string line = receive_line();
  std::string text = line.substr(1);
  switch (line.front()) {
    case '+':
    case ':':
      return text;
    case '$':
      return receive_line(std::stoul(text));
    case '*': {
      std::string last;
      for (auto left = std::stoul(text); left != 0; --left) last = receive();
      return last;
    }
    default:
      throw std::runtime_error("The server replied: " + line);
  }
}

bool Connection::wait_until(std::chrono::system_clock::time_point time) {
  return !bytes_.empty() || wait_for_bytes_until(time);
}

std::string Connection::receive_line(std::size_t size) {
  std::size_t end;
  while ((end = bytes_.find("\r\n", size)) == std::string::npos) {
    if (!wait_for_bytes_until(std::chrono::system_clock::now() + kPatience)) {
      throw std::runtime_error("The server does not reply");
    }
    std::array<char, 4096> chunk;
    const ssize_t received = ::recv(socket_.handle(), chunk.data(), chunk.size(), 0);
    if (received < 0) fail("Cannot receive from the server");
    if (received == 0) throw std::runtime_error("The server ended the connection");
    bytes_.append(chunk.data(), static_cast<std::size_t>(received));
  }
  std::string line = bytes_.substr(0, end);
  bytes_.erase(0, end + 2);
  return line;
}

bool Connection::wait_for_bytes_until(std::chrono::system_clock::time_point time) {
  // Waits in short turns, because a signal just before poll() does not interrupt it.
  constexpr std::chrono::system_clock::duration kTurn = 100ms;
  for (auto left = kTurn; left > 0ms;) {
    left = time - std::chrono::system_clock::now();
    const auto turn = std::chrono::ceil<std::chrono::milliseconds>(std::clamp(left, {}, kTurn));
    pollfd events = {socket_.handle(), POLLIN, 0};
    const int ready = ::poll(&events, 1, static_cast<int>(turn.count()));
    if (is_told_to_end()) throw std::runtime_error("The program received a signal to end");
    if (ready < 0 && errno != EINTR) fail("Cannot wait for the server");
    if (ready > 0) return true;
  }
  return false;
}

// --- Pipeline ---

void Pipeline::add(std::string_view command) {
  // With this number, neither side must wait until the other reads.
  constexpr std::size_t kMost = 1'000;
  commands_ += command;
  if (++size_ == kMost) finish();
}

void Pipeline::finish() {
  connection_.send(commands_);
  commands_.clear();
  for (; size_ != 0; --size_) connection_.receive();
}

}  // namespace redis
