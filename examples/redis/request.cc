#include "request.h"

#include <algorithm>
#include <limits>

#include "number.h"
#include "sizes.h"

namespace redis {
namespace {

// Returns the position of `c`. As in Redis, does not find it behind a NUL byte.
std::size_t find_in_text(std::string_view bytes, char c) {
  const std::size_t found = bytes.find(c);
  return bytes.substr(0, found).find('\0') == std::string_view::npos ? found
                                                                     : std::string_view::npos;
}

template <class T>
void free_if_large(std::vector<T>& items) {
  constexpr std::size_t kLarge = std::size_t{64} << 10;
  if (items.capacity() * sizeof(T) > kLarge) items = std::vector<T>();
}

}  // namespace

std::span<char> RequestReader::room() {
  constexpr std::size_t kLeast = std::size_t{16} << 10;
  words_.clear();  // their bytes may move
  if (position_ == end_ && words_left_ == 0) {
    request_ = position_ = end_ = 0;
    free_if_large(buffer_);
    free_if_large(positions_);
    free_if_large(words_);
  }
  if (buffer_.size() - end_ < kLeast) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(request_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    position_ -= request_;
    end_ -= request_;
    request_ = 0;
    if (buffer_.size() - end_ < kLeast) buffer_.resize(2 * end_ + kLeast);
  }
  return std::span(buffer_).subspan(end_);
}

void RequestReader::received(std::size_t size) { end_ += size; }

RequestReader::Next RequestReader::next() {
  words_.clear();
  if (error_) return Next::kError;
  while (true) {
    if (words_left_ == 0) {
      request_ = position_;
      if (unread().empty()) return Next::kMore;
    }
    const bool is_array = words_left_ != 0 || unread().front() == '*';
    const Next next = is_array ? next_array() : next_line();
    if (next == Next::kMore && end_ - request_ > kRequestLimit) return refuse("too big request");
    if (next != Next::kRequest || !words_.empty()) return next;
  }
}

std::string_view RequestReader::unread() const {
  return {buffer_.data() + position_, end_ - position_};
}

RequestReader::Next RequestReader::take_line(const char* what, std::string_view& line) {
  const std::string_view rest = unread();
  const std::size_t size = find_in_text(rest, '\r');
  if (size == std::string_view::npos) {
    const bool is_too_long = rest.size() > kLineLimit;
    return is_too_long ? refuse(std::string("too big ") + what + " string") : Next::kMore;
  }
  // As in Redis, the byte behind the carriage return is skipped, whatever it is.
  if (size + 2 > rest.size()) return Next::kMore;
  line = rest.substr(0, size);
  position_ += size + 2;
  return Next::kRequest;
}

RequestReader::Next RequestReader::next_line() {
  const std::string_view rest = unread();
  const std::size_t size = find_in_text(rest, '\n');
  if (size == std::string_view::npos) {
    return rest.size() > kLineLimit ? refuse("too big inline request") : Next::kMore;
  }
  std::optional<Words> words = split_words(rest.substr(0, size));
  if (!words) return refuse("unbalanced quotes in request");
  position_ += size + 1;
  line_words_ = *std::move(words);
  words_.assign(line_words_.begin(), line_words_.end());
  return Next::kRequest;
}

RequestReader::Next RequestReader::next_array() {
  if (words_left_ == 0) {
    if (const Next next = read_count(); next != Next::kRequest) return next;
  }
  while (words_left_ != 0) {
    if (const Next next = read_word(); next != Next::kRequest) return next;
  }
  for (const Position& position : positions_) {
    words_.emplace_back(buffer_.data() + request_ + position.begin, position.size);
  }
  return Next::kRequest;
}

RequestReader::Next RequestReader::read_count() {
  std::string_view line;
  if (const Next next = take_line("mbulk count", line); next != Next::kRequest) return next;
  const auto count = parse_integer(line.substr(1));
  if (!count || *count > std::numeric_limits<std::int32_t>::max()) {
    return refuse("invalid multibulk length");
  }
  words_left_ = std::max<std::int64_t>(*count, 0);
  positions_.clear();
  return Next::kRequest;
}

RequestReader::Next RequestReader::read_word() {
  if (!word_size_) {
    std::string_view line;
    if (const Next next = take_line("bulk count", line); next != Next::kRequest) return next;
    const char type = line.empty() ? '\r' : line.front();
    if (type != '$') return refuse(std::string("expected '$', got '") + type + "'");
    const auto size = parse_integer(line.substr(1));
    if (!size || *size < 0 || static_cast<std::uint64_t>(*size) > kBulkLimit) {
      return refuse("invalid bulk length");
    }
    word_size_ = static_cast<std::size_t>(*size);
  }
  if (unread().size() < *word_size_ + 2) return Next::kMore;
  positions_.push_back(
      {static_cast<std::uint32_t>(position_ - request_), static_cast<std::uint32_t>(*word_size_)});
  position_ += *word_size_ + 2;
  word_size_.reset();
  --words_left_;
  return Next::kRequest;
}

RequestReader::Next RequestReader::refuse(const std::string& why) {
  error_.emplace("ERR Protocol error: " + why);
  return Next::kError;
}

}  // namespace redis
