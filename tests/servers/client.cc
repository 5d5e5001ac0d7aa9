#include "servers/client.h"

#include <hiredis/hiredis.h>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <thread>

#include "redis/render.h"

namespace {

using namespace std::chrono_literals;

std::string text_of(const redisReply& reply) {
  return {reply.str, static_cast<std::size_t>(reply.len)};
}

Answer to_answer(const redisReply& reply) {
  Answer answer;
  switch (reply.type) {
    case REDIS_REPLY_NIL:
      return {};
    case REDIS_REPLY_STATUS:
      return {Answer::Kind::kStatus, text_of(reply), 0, {}};
    case REDIS_REPLY_ERROR:
      return {Answer::Kind::kError, text_of(reply), 0, {}};
    case REDIS_REPLY_INTEGER:
      return {Answer::Kind::kInteger, {}, reply.integer, {}};
    case REDIS_REPLY_STRING:
      return {Answer::Kind::kBulk, text_of(reply), 0, {}};
    case REDIS_REPLY_ARRAY:
      answer.kind = Answer::Kind::kArray;
      for (std::size_t i = 0; i != reply.elements; ++i) {
        answer.elements.push_back(to_answer(*reply.element[i]));
      }
      return answer;
    default:
      throw std::runtime_error("The reply has an unknown type");
  }
}

}  // namespace

std::string describe(const Answer& answer) {
  switch (answer.kind) {
    case Answer::Kind::kNil:
      return "nil";
    case Answer::Kind::kStatus:
      return "+" + redis::quoted(answer.text);
    case Answer::Kind::kError:
      return "-" + redis::quoted(answer.text);
    case Answer::Kind::kInteger:
      return std::to_string(answer.number);
    case Answer::Kind::kBulk:
      return redis::quoted(answer.text);
    case Answer::Kind::kArray:
      break;
  }
  std::string text = "[";
  for (const Answer& element : answer.elements) {
    if (text.size() > 1) text += ", ";
    text += describe(element);
  }
  return text + "]";
}

Client::Client(const std::filesystem::path& socket) {
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (true) {
    context_.reset(::redisConnectUnix(socket.c_str()));
    if (context_ != nullptr && context_->err == 0) return;
    if (std::chrono::steady_clock::now() > give_up) fail();
    std::this_thread::yield();  // the server may still be starting
  }
}

Client::~Client() = default;

void Client::Free::operator()(redisContext* context) const { ::redisFree(context); }

void Client::send(const std::vector<std::string>& words) {
  std::vector<const char*> bytes;
  std::vector<std::size_t> sizes;
  for (const std::string& word : words) {
    bytes.push_back(word.data());
    sizes.push_back(word.size());
  }
  ::redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), bytes.data(),
                           sizes.data());
  for (int done = 0; done == 0;) {
    if (::redisBufferWrite(context_.get(), &done) != REDIS_OK) fail();
  }
}

Answer Client::receive() {
  void* reply = nullptr;
  if (::redisGetReply(context_.get(), &reply) != REDIS_OK) fail();
  const auto free = [](redisReply* r) { ::freeReplyObject(r); };
  const std::unique_ptr<redisReply, decltype(free)> owner(static_cast<redisReply*>(reply), free);
  return to_answer(*owner);
}

void Client::fail() const {
  throw std::runtime_error(std::string("The connection to the server failed: ") +
                           (context_ == nullptr ? "no memory" : context_->errstr));
}
