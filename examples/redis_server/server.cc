#include "server.h"

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/ip/address.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "connection.h"

namespace redis_server {
namespace {

using namespace std::chrono_literals;

redis::Instance::Time now() {
  return std::chrono::floor<redis::Instance::Time::duration>(std::chrono::system_clock::now());
}

// Calls listen(). Adds the address or path to its error.
template <class F>
void listen_on(const std::string& where, F listen) {
  try {
    listen();
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), where);
  }
}

// Removes the socket at a path if no server listens on it. A killed server leaves its socket
// behind.
void remove_stale_socket(const std::string& path) {
  if (!std::filesystem::is_socket(path)) return;
  asio::io_context io;
  std::error_code error;
  asio::local::stream_protocol::socket(io).connect({path}, error);
  if (error == asio::error::connection_refused) std::filesystem::remove(path);
}

}  // namespace

Server::Server(const Options& options) {
  instance_.host.start = now();
  instance_.host.port = options.port;
  if (options.port != 0) {
    for (const std::string& address : options.addresses) {
      listen_on(address + " port " + std::to_string(options.port),
                [&] { listen_on_port(address, options.port); });
    }
  }
  if (const std::string& path = options.unix_socket; !path.empty()) {
    listen_on(path, [&] { listen_on_path(path); });
  }

  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  signals_.async_wait([this](std::error_code, int) { io_.stop(); });
}

Server::~Server() {
  std::error_code ignored;
  if (path_) std::filesystem::remove(path_->local_endpoint(ignored).path(), ignored);
}

void Server::run() { io_.run(); }

void Server::begin_turn() { instance_.set_time(now()); }

void Server::end_turn() {
  if (instance_.shutdown_asked) io_.stop();
  set_timer();
}

// --- Listening ---

void Server::listen_on_port(const std::string& address, std::uint16_t port) {
  std::error_code error;
  const asio::ip::address parsed = asio::ip::make_address(address, error);
  if (error) throw std::invalid_argument(address + " is not an IP address");
  if (!parsed.is_loopback()) {
    std::cerr << "redis_server: clients that reach " << address << " need no password\n";
  }
  accept(ports_.emplace_back(io_, asio::ip::tcp::endpoint(parsed, port)));
}

void Server::listen_on_path(const std::string& path) {
  remove_stale_socket(path);
  path_.emplace(io_, asio::local::stream_protocol::endpoint(path));
  accept(*path_);
}

template <class Acceptor>
void Server::accept(Acceptor& acceptor) {
  acceptor.async_accept([this, &acceptor](std::error_code error, auto socket) {
    if (!error) {
      greet(Socket(std::move(socket)));
      accept(acceptor);
      return;
    }
    // For example, there are too many open files. Tries again later.
    const auto pause = std::make_shared<asio::steady_timer>(io_, 100ms);
    pause->async_wait([this, &acceptor, pause](std::error_code) { accept(acceptor); });
  });
}

void Server::greet(Socket socket) {
  constexpr std::size_t kClients = 10'000;  // as in Redis
  constexpr std::string_view kRefusal = "-ERR max number of clients reached\r\n";
  std::error_code ignored;
  if (instance_.host.clients == kClients) {
    socket.non_blocking(true, ignored);
    socket.send(asio::buffer(kRefusal), 0, ignored);
    return;
  }
  // Fails for a socket at a path, which has no such option.
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  std::make_shared<Connection>(*this, std::move(socket), ++instance_.host.connections)->start();
}

// --- Expiry ---

void Server::set_timer() {
  // If the system clock is set, keys are erased late by at most this time.
  constexpr std::chrono::milliseconds kLongestWait = 1s;
  // Expired keys in each turn of the event loop. This number takes a fraction of a millisecond.
  constexpr std::size_t kEraseLimit = 128;

  const auto next = instance_.active_expire ? instance_.next_deadline() : std::nullopt;
  if (!next) return;
  const auto wait = std::clamp(*next - instance_.instant(), 0ms, kLongestWait);
  const auto time = instance_.instant() + wait;
  if (timer_time_ && *timer_time_ <= time) return;
  timer_time_ = time;
  timer_.expires_after(wait);
  timer_.async_wait([this](std::error_code error) {
    if (error) return;  // the timer was set to another time
    timer_time_.reset();
    begin_turn();
    if (instance_.active_expire) instance_.erase_expired(kEraseLimit);
    end_turn();
  });
}

}  // namespace redis_server
