#ifndef EXAMPLES_REDIS_NAMES_H_
#define EXAMPLES_REDIS_NAMES_H_

#include <absl/hash/hash.h>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace redis {

class Name;

// The names of all keys that a keyspace stores, expired ones included, by number: 0 to size() - 1.
//
// RANDOMKEY and SCAN need an order of the keys that lasts, and a keyspace has none. So each stored
// key is a Name. It adds itself to the Names in its constructor, and removes itself in its
// destructor. When a name is removed, the last name takes its number. So the number of a name only
// decreases. A walk from the last number to the first finds every name that is stored throughout,
// and has to remember only a number between two steps.
class Names {
 public:
  Names() = default;
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  [[nodiscard]] std::size_t size() const { return names_.size(); }

  // Returns the name with that number. The text is valid until the keyspace changes.
  // REQUIRES: number < size()
  [[nodiscard]] inline std::string_view operator[](std::size_t number) const;

 private:
  friend class Name;

  std::vector<Name*> names_;
};

// A name that is not stored yet. A keyspace makes a Name of it if it stores the key.
struct NewName {
  Names& names;
  std::string_view text;

  operator std::string_view() const noexcept { return text; }  // NOLINT: implicit by design
};

// A stored key. It must not outlive its Names.
class Name {
 public:
  Name(const NewName& name)  // NOLINT: implicit, for the keyspace
      : text_(name.text), names_(&name.names), number_(name.names.names_.size()) {
    names_->names_.push_back(this);
  }

  Name(Name&& other) noexcept
      : text_(std::move(other.text_)),
        names_(std::exchange(other.names_, nullptr)),
        number_(other.number_) {
    if (names_ != nullptr) names_->names_[number_] = this;
  }
  Name& operator=(Name&&) = delete;

  ~Name() {
    if (names_ == nullptr) return;
    std::vector<Name*>& names = names_->names_;
    names[number_] = names.back();
    names[number_]->number_ = number_;
    names.pop_back();
  }

  operator std::string_view() const noexcept { return text_; }  // NOLINT: implicit by design

 private:
  std::string text_;
  Names* names_;  // null if this object was moved from
  std::size_t number_;
};

inline std::string_view Names::operator[](std::size_t number) const {
  assert(number < size());
  return *names_[number];
}

// Hash and equality of names by their text, stored or not.
struct NameHash {
  using is_avalanching = void;
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const noexcept {
    return absl::Hash<std::string_view>()(name);
  }
};
struct NameEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const noexcept { return a == b; }
};

}  // namespace redis

#endif  // EXAMPLES_REDIS_NAMES_H_
