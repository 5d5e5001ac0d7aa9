#ifndef EXAMPLES_REDIS_CONVERSATION_H_
#define EXAMPLES_REDIS_CONVERSATION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "instance.h"
#include "request.h"

namespace redis {

// The requests of one client and the replies of the instance, as bytes. The caller moves the bytes
// between this object and the client. Limits bounds the size of the replies that are not sent yet.
class Conversation {
 public:
  // In bytes.
  struct Limits {
    std::size_t unsent = std::size_t{64} << 20;  // with more, no request is answered
    std::size_t reply = std::size_t{1} << 30;    // a larger reply ends the conversation
  };

  Conversation(Instance& instance, std::uint64_t id) : Conversation(instance, id, Limits()) {}
  Conversation(Instance& instance, std::uint64_t id, const Limits& limits)
      : instance_(instance), limits_(limits) {
    session_.id = id;
  }

  // Returns a buffer for bytes from the client. Then call received() with the number of bytes that
  // came.
  [[nodiscard]] std::span<char> room() { return requests_.room(); }
  void received(std::size_t size) { requests_.received(size); }

  // Answers the complete requests, until none is left or the limit is reached.
  // REQUIRES: the time of the instance is set.
  void answer();

  // The bytes that are not sent yet. The caller removes them when it sends them.
  [[nodiscard]] std::string& unsent() { return unsent_; }

  // Returns whether answer() stopped at the limit. If so, remove the unsent bytes and call answer()
  // again, before you read more bytes from the client.
  [[nodiscard]] bool is_paused() const { return is_paused_; }

  // Returns whether the conversation ended: send the unsent bytes and close the connection.
  [[nodiscard]] bool is_over() const { return session_.is_over; }

 private:
  void append(const Reply& reply);

  Instance& instance_;
  const Limits limits_;
  Session session_;
  RequestReader requests_;
  std::string unsent_;
  bool is_paused_ = false;
};

}  // namespace redis

#endif  // EXAMPLES_REDIS_CONVERSATION_H_
