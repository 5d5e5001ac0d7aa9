#include "words.h"

#include <algorithm>

namespace redis {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r';
}

// As in redis-cli, a vertical tab or a form feed inside a word belongs to the word.
bool ends_word(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Returns 0 to 15, or -1 if `c` is not a hexadecimal digit.
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

char escaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Splits a line from left to right.
class Splitter {
 public:
  explicit Splitter(std::string_view line) : rest_(before_nul(line)) {}

  // Skips blanks. Returns whether a word follows.
  bool at_word() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    return !rest_.empty();
  }

  // Appends the next word to `word`. Returns false if its quotes do not balance.
  bool take_word(std::string& word) {
    while (!rest_.empty() && !ends_word(rest_.front())) {
      const char c = take();
      if (c != '"' && c != '\'') {
        word += c;
        continue;
      }
      const bool balanced = c == '"' ? take_double_quoted(word) : take_single_quoted(word);
      if (!balanced) return false;
      return rest_.empty() || is_blank(rest_.front());
    }
    return true;
  }

 private:
  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  bool take_double_quoted(std::string& word) {
    while (!rest_.empty()) {
      const char c = take();
      if (c == '"') return true;
      word += c == '\\' && !rest_.empty() ? take_escape() : c;
    }
    return false;
  }

  bool take_single_quoted(std::string& word) {
    while (!rest_.empty()) {
      const char c = take();
      if (c == '\'') return true;
      const bool quote_follows = !rest_.empty() && rest_.front() == '\'';
      word += c == '\\' && quote_follows ? take() : c;
    }
    return false;
  }

  char take_escape() {
    const char c = take();
    if (c != 'x' || rest_.size() < 2) return escaped(c);
    const int high = hex_digit(rest_[0]);
    const int low = hex_digit(rest_[1]);
    if (high < 0 || low < 0) return c;
    rest_.remove_prefix(2);
    return static_cast<char>(high * 16 + low);
  }

  std::string_view rest_;
};

}  // namespace

std::optional<Words> split_words(std::string_view line) {
  Splitter splitter(line);
  Words words;
  while (splitter.at_word()) {
    if (!splitter.take_word(words.emplace_back())) return std::nullopt;
  }
  return words;
}

std::string_view before_nul(std::string_view word) { return word.substr(0, word.find('\0')); }

bool is_option(std::string_view word, std::string_view name) {
  return std::ranges::equal(before_nul(word), name, {}, lower);
}

std::string lower_case(std::string_view text) {
  std::string lowered(text);
  std::ranges::transform(lowered, lowered.begin(), lower);
  return lowered;
}

}  // namespace redis
