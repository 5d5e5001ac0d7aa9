#include "conversation.h"

#include "commands.h"
#include "resp.h"
#include "words.h"

namespace redis {
namespace {

// Returns whether this is a line of an HTTP request. A web page can make a browser send one here.
bool is_http(WordViews words) {
  return is_option(words[0], "post") || is_option(words[0], "host:");
}

}  // namespace

void Conversation::answer() {
  is_paused_ = false;
  while (!session_.is_over && !instance_.shutdown_asked) {
    if (unsent_.size() > limits_.unsent) {
      is_paused_ = true;
      return;
    }
    switch (requests_.next()) {
      case RequestReader::Next::kMore:
        return;
      case RequestReader::Next::kError:
        append(requests_.error());
        session_.is_over = true;
        return;
      case RequestReader::Next::kRequest:
        if (is_http(requests_.words())) {
          // As in Redis: ends the conversation, so that the next lines are not run as commands.
          unsent_.clear();
          session_.is_over = true;
          return;
        }
        append(run(instance_, session_, requests_.words()));
    }
  }
}

void Conversation::append(const Reply& reply) {
  // As in Redis, a server sends no reply after SHUTDOWN.
  if (instance_.shutdown_asked) return;
  if (resp_size_bound(reply) > limits_.reply) {
    session_.is_over = true;
    return;
  }
  append_resp(unsent_, reply, session_.protocol);
}

}  // namespace redis
