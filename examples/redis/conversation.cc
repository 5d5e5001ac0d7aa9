#include "conversation.h"

#include "commands.h"
#include "resp.h"
#include "words.h"

namespace redis {
namespace {

// Whether this is a line of an HTTP request, such as a web page can have a browser send here.
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
        say(requests_.error());
        session_.is_over = true;
        return;
      case RequestReader::Next::kRequest:
        if (is_http(requests_.words())) {
          // As Redis: hangs up, before what follows is taken for commands.
          unsent_.clear();
          session_.is_over = true;
          return;
        }
        say(run(instance_, session_, requests_.words()));
    }
  }
}

void Conversation::say(const Reply& reply) {
  // As in Redis, a server that is to shut down says no more.
  if (instance_.shutdown_asked) return;
  if (resp_size_bound(reply) > limits_.reply) {
    session_.is_over = true;
    return;
  }
  append_resp(unsent_, reply, session_.protocol);
}

}  // namespace redis
