#ifndef EXAMPLES_REDIS_REQUEST_H_
#define EXAMPLES_REDIS_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reply.h"
#include "words.h"

namespace redis {

// Takes the requests out of the bytes that a client sends, in whatever pieces they come: Redis's
// protocol, or lines to be split as a console's. Its limits and errors are Redis's.
class RequestReader {
 public:
  enum class Next : std::uint8_t {
    kRequest,  // words() holds it
    kMore,     // it takes more bytes
    kError,    // what was sent is no request: error() says why, and nothing else can be read
  };

  // Returns room for bytes to come, of which received() then says how many did.
  [[nodiscard]] std::span<char> room();
  void received(std::size_t size);

  // Looks for the next request. A request without words counts as none.
  Next next();

  // The words of the request found last, at least one. Valid until the next call of room() or
  // next().
  [[nodiscard]] WordViews words() const { return words_; }
  [[nodiscard]] const Error& error() const { return *error_; }

 private:
  // Where a word is, counted from the start of its request: bytes move while a request comes in.
  struct Place {
    std::uint32_t begin;
    std::uint32_t size;
  };

  [[nodiscard]] std::string_view unread() const;
  // Takes a line, without its end; kRequest means that it did.
  Next take_line(const char* what, std::string_view& line);
  Next next_line();
  Next next_array();
  Next read_count();
  Next read_word();
  Next refuse(const std::string& why);

  // What is received and not yet done with is [request_, end_) of the buffer, of which the bytes
  // before position_ are read.
  std::vector<char> buffer_;
  std::size_t request_ = 0;
  std::size_t position_ = 0;
  std::size_t end_ = 0;

  // Of a request that is an array: how many words are still to come, the size of the next one if it
  // is read, and where those before it are.
  std::int64_t words_left_ = 0;
  std::optional<std::size_t> word_size_;
  std::vector<Place> places_;

  std::vector<std::string_view> words_;
  Words line_words_;  // what words_ views, of a request that is a line
  std::optional<Error> error_;
};

}  // namespace redis

#endif  // EXAMPLES_REDIS_REQUEST_H_
