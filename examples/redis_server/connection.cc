#include "connection.h"

#include <asio/buffer.hpp>
#include <asio/write.hpp>
#include <cstddef>
#include <system_error>
#include <utility>

namespace redis_server {

Connection::Connection(Server& server, Socket socket, std::uint64_t id)
    : server_(server), socket_(std::move(socket)), conversation_(server.instance(), id) {
  ++server_.instance().host.clients;
}

Connection::~Connection() { --server_.instance().host.clients; }

void Connection::answer() {
  server_.begin_turn();
  conversation_.answer();
  server_.end_turn();
  write();
  if (!conversation_.is_over() && !conversation_.is_paused()) read();
}

void Connection::read() {
  const auto room = conversation_.room();
  socket_.async_read_some(
      asio::buffer(room.data(), room.size()),
      [this, self = shared_from_this()](std::error_code error, std::size_t size) {
        if (error) return;
        conversation_.received(size);
        answer();
      });
}

void Connection::write() {
  if (!sending_.empty() || conversation_.unsent().empty()) return;
  sending_.swap(conversation_.unsent());
  asio::async_write(socket_, asio::buffer(sending_),
                    [this, self = shared_from_this()](std::error_code error, std::size_t) {
                      if (error) {
                        socket_.close(error);
                        return;
                      }
                      constexpr std::size_t kKept = std::size_t{64} << 10;
                      sending_.clear();
                      if (sending_.capacity() > kKept) sending_.shrink_to_fit();
                      if (conversation_.is_paused()) {
                        answer();
                      } else {
                        write();
                      }
                    });
}

}  // namespace redis_server
