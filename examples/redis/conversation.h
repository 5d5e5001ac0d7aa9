#ifndef EXAMPLES_REDIS_CONVERSATION_H_
#define EXAMPLES_REDIS_CONVERSATION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "instance.h"
#include "request.h"

namespace redis {

// What is said between an instance and one client, apart from how it travels: bytes in, bytes out.
//
// What is not yet sent is bounded: see Limits.
class Conversation {
 public:
  // In bytes.
  struct Limits {
    std::size_t unsent = std::size_t{64} << 20;  // above it, no request is answered
    std::size_t reply = std::size_t{1} << 30;    // a larger one ends the conversation
  };

  Conversation(Instance& instance, std::uint64_t id) : Conversation(instance, id, Limits()) {}
  Conversation(Instance& instance, std::uint64_t id, const Limits& limits)
      : instance_(instance), limits_(limits) {
    session_.id = id;
  }

  // Returns room for bytes from the client, of which received() then says how many came.
  [[nodiscard]] std::span<char> room() { return requests_.room(); }
  void received(std::size_t size) { requests_.received(size); }

  // Answers the requests that are there, until none is left or the limit is reached. The instance
  // knows the time.
  void answer();

  // The bytes for the client, for the caller to take away.
  [[nodiscard]] std::string& unsent() { return unsent_; }

  // Whether answer() has stopped at the limit, so that it is to be called again once what is unsent
  // is taken away; more bytes from the client can wait until then.
  [[nodiscard]] bool is_paused() const { return is_paused_; }

  // Whether there will be no more answers. The client gets what is unsent, and no more.
  [[nodiscard]] bool is_over() const { return session_.is_over; }

 private:
  void say(const Reply& reply);

  Instance& instance_;
  const Limits limits_;
  Session session_;
  RequestReader requests_;
  std::string unsent_;
  bool is_paused_ = false;
};

}  // namespace redis

#endif  // EXAMPLES_REDIS_CONVERSATION_H_
