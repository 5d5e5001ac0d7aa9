#include "redis/conversation.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

#include "support/catch.hpp"

namespace redis {
namespace {

using namespace std::chrono_literals;

void say(Conversation& conversation, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto room = conversation.room();
    const std::size_t size = std::min(bytes.size(), room.size());
    std::copy_n(bytes.begin(), size, room.begin());
    conversation.received(size);
    bytes.remove_prefix(size);
  }
}

// Returns the unsent bytes, and removes them from the conversation.
std::string take(Conversation& conversation) {
  std::string unsent;
  unsent.swap(conversation.unsent());
  return unsent;
}

std::string answer(Conversation& conversation, std::string_view bytes) {
  say(conversation, bytes);
  conversation.answer();
  return take(conversation);
}

TEST_CASE("Requests are answered in order, as soon as they are complete") {
  Instance instance;
  Conversation conversation(instance, 1);
  CHECK(answer(conversation, "SET a 1\r\nINCR a\r\nGE") == "+OK\r\n:2\r\n");
  CHECK(answer(conversation, "T a\r\n") == "$1\r\n2\r\n");
  CHECK_FALSE(conversation.is_over());
}

TEST_CASE("Each client has its database, protocol and name") {
  Instance instance;
  Conversation one(instance, 1);
  Conversation two(instance, 2);
  CHECK(answer(one, "SELECT 3\r\nSET a 1\r\nCLIENT SETNAME me\r\nCLIENT ID\r\n") ==
        "+OK\r\n+OK\r\n+OK\r\n:1\r\n");
  CHECK(answer(two, "GET a\r\nCLIENT GETNAME\r\nCLIENT ID\r\n") == "$-1\r\n$-1\r\n:2\r\n");
  CHECK(answer(one, "HELLO 3\r\nGET b\r\n").ends_with("_\r\n"));
  CHECK(answer(two, "SELECT 3\r\nGET a\r\nGET b\r\n") == "+OK\r\n$1\r\n1\r\n$-1\r\n");
}

TEST_CASE("QUIT ends a conversation, and later commands are not run") {
  Instance instance;
  Conversation conversation(instance, 1);
  CHECK(answer(conversation, "QUIT\r\nSET a 1\r\n") == "+OK\r\n");
  CHECK(conversation.is_over());
  CHECK(answer(conversation, "PING\r\n").empty());
  CHECK(instance.database(0).size() == 0);
}

TEST_CASE("Bytes that are no request get an error and end only that conversation") {
  Instance instance;
  Conversation bad(instance, 1);
  Conversation good(instance, 2);
  CHECK(answer(bad, "PING\r\n*1\r\n+\r\nPING\r\n") ==
        "+PONG\r\n-ERR Protocol error: expected '$', got '+'\r\n");
  CHECK(bad.is_over());
  CHECK(answer(good, "PING\r\n") == "+PONG\r\n");
}

TEST_CASE("A client that does not read gets no answers above the limit, and loses none") {
  Instance instance;
  Conversation conversation(instance, 1, {.unsent = 100});
  std::string requests = "SET a " + std::string(60, 'x') + "\r\n";
  for (int i = 0; i != 10; ++i) requests += "GET a\r\n";
  const std::string reply = "$60\r\n" + std::string(60, 'x') + "\r\n";
  CHECK(answer(conversation, requests) == "+OK\r\n" + reply + reply);
  for (int left = 8; left != 0; left -= 2) {
    CHECK(conversation.is_paused());
    conversation.answer();
    CHECK(take(conversation) == reply + reply);
  }
  conversation.answer();
  CHECK_FALSE(conversation.is_paused());
  CHECK(take(conversation).empty());
}

TEST_CASE("A reply above the limit ends the conversation and is not sent") {
  Instance instance;
  Conversation conversation(instance, 1, {.reply = 200});
  CHECK(answer(conversation, "SET a " + std::string(60, 'x') + "\r\nGET a\r\n").ends_with("x\r\n"));
  CHECK(answer(conversation, "MGET a a a\r\nPING\r\n").empty());
  CHECK(conversation.is_over());
}

TEST_CASE("An HTTP request gets no answer, and no command in it is run") {
  Instance instance;
  instance.set_time({});
  for (const std::string_view request :
       {"POST / HTTP/1.1\r\n\r\nSET a 1\r\n", "GET / HTTP/1.1\r\nHost: here\r\n\r\nSET a 1\r\n",
        "PING\r\n*1\r\n$4\r\npost\r\nSET a 1\r\n"}) {
    Conversation conversation(instance, 1);
    CHECK(answer(conversation, request).empty());
    CHECK(conversation.is_over());
  }
  Conversation other(instance, 2);
  CHECK(answer(other, "GET a\r\nHOST:80\r\n").starts_with("$-1\r\n-ERR unknown command 'HOST:80'"));
}

TEST_CASE("SHUTDOWN gets no reply, and nothing is answered after it") {
  Instance instance;
  Conversation conversation(instance, 1);
  CHECK(answer(conversation, "PING\r\nSHUTDOWN NOSAVE\r\nPING\r\n") == "+PONG\r\n");
  CHECK(instance.shutdown_asked);
  Conversation other(instance, 2);
  CHECK(answer(other, "PING\r\n").empty());
}

}  // namespace
}  // namespace redis
