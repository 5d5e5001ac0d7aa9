#ifndef EXAMPLES_REDIS_REPLY_H_
#define EXAMPLES_REDIS_REPLY_H_

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace redis {

struct Reply;

struct Nil {};

// Words of the program's own, such as OK.
struct Status {
  std::string_view text;
};

// A refusal. Its text starts with a code word, mostly ERR, and holds no line break, because a line
// break ends an error in Redis's protocol.
struct Error {
  // Takes any text: drops line breaks at its ends and turns those inside into spaces.
  explicit Error(std::string_view message);

  std::string text;
};

using Bulk = std::string;

// A bulk that stands in a database or in the command: valid until the next command.
using View = std::string_view;

// A bulk for people to read.
struct Text {
  std::string text;
};

using Array = std::vector<Reply>;

// Keys and values in turn.
struct Map {
  Array elements;
};

// What a command answers, before any protocol or screen gives it a form.
struct Reply {
  using Value = std::variant<Nil, Status, Error, std::int64_t, Bulk, View, Text, Array, Map>;

  Reply(Nil) {}                                          // NOLINT: a nil is a reply, and so on
  Reply(Status status) : value(status) {}                // NOLINT
  Reply(Error error) : value(std::move(error)) {}        // NOLINT
  Reply(std::int64_t number) : value(number) {}          // NOLINT
  Reply(Bulk bytes) : value(std::move(bytes)) {}         // NOLINT
  Reply(View bytes) : value(bytes) {}                    // NOLINT
  Reply(Text text) : value(std::move(text)) {}           // NOLINT
  Reply(Array elements) : value(std::move(elements)) {}  // NOLINT
  Reply(Map map) : value(std::move(map)) {}              // NOLINT

  Value value;
};

// A T, or the error that stands in its place.
template <class T>
class Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: both are results
  Result(Error error) : state_(std::move(error)) {}  // NOLINT

  [[nodiscard]] explicit operator bool() const { return std::holds_alternative<T>(state_); }

  // REQUIRES: there is a value.
  [[nodiscard]] const T& operator*() const {
    assert(*this);
    return *std::get_if<T>(&state_);
  }
  [[nodiscard]] const T* operator->() const { return &**this; }

  // REQUIRES: there is none.
  [[nodiscard]] const Error& error() const {
    assert(!*this);
    return *std::get_if<Error>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

}  // namespace redis

#endif  // EXAMPLES_REDIS_REPLY_H_
