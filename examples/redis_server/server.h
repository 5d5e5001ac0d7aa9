#ifndef EXAMPLES_REDIS_SERVER_SERVER_H_
#define EXAMPLES_REDIS_SERVER_SERVER_H_

#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "redis/instance.h"

namespace redis_server {

struct Options {
  std::vector<std::string> addresses = {"127.0.0.1"};
  std::uint16_t port = 6379;  // 0 for none
  std::string unix_socket;    // a path; empty for none
};

// An instance that clients reach over sockets, on one thread.
//
// A timer erases expired keys. It runs at the next deadline, and erases a bounded number of keys in
// each turn of the event loop. So clients are served in between, even if many keys expire at once.
class Server {
 public:
  // Listens on the addresses and the path of the options. Throws std::system_error if it cannot
  // listen, and std::invalid_argument if an address is not an IP address.
  explicit Server(const Options& options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  // Serves clients until SIGINT, SIGTERM or SHUTDOWN.
  void run();

  // --- For its connections ---

  [[nodiscard]] redis::Instance& instance() { return instance_; }

  // Call begin_turn() before commands run: it sets their time. Call end_turn() after it: it sets
  // the timer, and ends the server after a SHUTDOWN.
  void begin_turn();
  void end_turn();

 private:
  using Socket = asio::generic::stream_protocol::socket;

  void listen_on_port(const std::string& address, std::uint16_t port);
  void listen_on_path(const std::string& path);
  template <class Acceptor>
  void accept(Acceptor& acceptor);
  void greet(Socket socket);
  void set_timer();

  asio::io_context io_{1};
  redis::Instance instance_;
  std::deque<asio::ip::tcp::acceptor> ports_;
  std::optional<asio::local::stream_protocol::acceptor> path_;
  asio::signal_set signals_{io_};
  asio::steady_timer timer_{io_};
  std::optional<redis::Instant> timer_time_;  // nullopt if the timer does not run
};

}  // namespace redis_server

#endif  // EXAMPLES_REDIS_SERVER_SERVER_H_
