#ifndef EXAMPLES_REDIS_SERVER_CONNECTION_H_
#define EXAMPLES_REDIS_SERVER_CONNECTION_H_

#include <asio/generic/stream_protocol.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "redis/conversation.h"
#include "server.h"

namespace redis_server {

// Moves the bytes of a conversation over a socket. The object is destroyed when the last operation
// on the socket ends: after the client has ended its side and received all replies, or after an
// error.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = asio::generic::stream_protocol::socket;

  Connection(Server& server, Socket socket, std::uint64_t id);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  void start() { read(); }

 private:
  void answer();
  void read();
  void write();

  Server& server_;
  Socket socket_;
  redis::Conversation conversation_;
  std::string sending_;  // the bytes that are being sent; empty if there are none
};

}  // namespace redis_server

#endif  // EXAMPLES_REDIS_SERVER_CONNECTION_H_
