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

// Parses the requests in the bytes that a client sends. A request may come in any number of pieces.
// It is an array of Redis's protocol, or a line, which split_words() splits. Limits and errors are
// Redis's.
class RequestReader {
 public:
  enum class Next : std::uint8_t {
    kRequest,  // words() returns it
    kMore,     // the next request is not complete yet
    kError,    // the bytes are not a request: see error(). All later calls return kError too
  };

  // Returns a buffer for bytes. Then call received() with the number of bytes that came.
  [[nodiscard]] std::span<char> room();
  void received(std::size_t size);

  // Parses the next request. Skips requests without words.
  Next next();

  // Returns the words of the last request, at least one. They are valid until the next call of
  // room() or next().
  [[nodiscard]] WordViews words() const { return words_; }
  [[nodiscard]] const Error& error() const { return *error_; }

 private:
  // The position of a word, from the start of its request. (The bytes of a request may move until
  // it is complete.)
  struct Position {
    std::uint32_t begin;
    std::uint32_t size;
  };

  [[nodiscard]] std::string_view unread() const;
  // Takes a line, without its end. Returns kRequest if there was one.
  Next take_line(const char* what, std::string_view& line);
  Next next_line();
  Next next_array();
  Next read_count();
  Next read_word();
  Next refuse(const std::string& why);

  // [request_, end_) of the buffer holds the bytes from the start of the current request on. The
  // bytes before position_ are parsed.
  std::vector<char> buffer_;
  std::size_t request_ = 0;
  std::size_t position_ = 0;
  std::size_t end_ = 0;

  // The state of an array: the number of words that are missing, the size of the next word if it is
  // parsed, and the positions of the words before it.
  std::int64_t words_left_ = 0;
  std::optional<std::size_t> word_size_;
  std::vector<Position> positions_;

  std::vector<std::string_view> words_;
  Words line_words_;  // owns the words of a request that is a line
  std::optional<Error> error_;
};

}  // namespace redis

#endif  // EXAMPLES_REDIS_REQUEST_H_
