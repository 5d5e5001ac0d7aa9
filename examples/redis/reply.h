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

// A constant text, such as OK.
struct Status {
  std::string_view text;
};

// An error. Its text starts with a code word, mostly ERR. It contains no line break, because a line
// break ends an error in Redis's protocol.
struct Error {
  // Takes any text. Removes line breaks at its ends, and replaces those inside by spaces.
  explicit Error(std::string_view message);

  std::string text;
};

using Bulk = std::string;

// A bulk that belongs to a database or to the command. Valid until the next command.
using View = std::string_view;

// A bulk that is a text for people.
struct Text {
  std::string text;
};

using Array = std::vector<Reply>;

// Keys and values, alternating.
struct Map {
  Array elements;
};

// The result of a command, independent of a protocol.
struct Reply {
  using Value = std::variant<Nil, Status, Error, std::int64_t, Bulk, View, Text, Array, Map>;

  Reply(Nil) {}                                          // NOLINT: implicit by design
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

// A T, or an error.
template <class T>
class Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::move(error)) {}  // NOLINT

  [[nodiscard]] explicit operator bool() const { return std::holds_alternative<T>(state_); }

  // REQUIRES: there is a value.
  [[nodiscard]] const T& operator*() const {
    assert(*this);
    return *std::get_if<T>(&state_);
  }
  [[nodiscard]] const T* operator->() const { return &**this; }

  // REQUIRES: there is no value.
  [[nodiscard]] const Error& error() const {
    assert(!*this);
    return *std::get_if<Error>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

}  // namespace redis

#endif  // EXAMPLES_REDIS_REPLY_H_
