#ifndef EXAMPLES_REDIS_DATABASE_H_
#define EXAMPLES_REDIS_DATABASE_H_

#include <keyspace/cache.h>
#include <keyspace/clock.h>
#include <keyspace/condition.h>
#include <keyspace/features.h>
#include <keyspace/statistics.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "names.h"

namespace redis {

// Unix time in milliseconds: what Redis counts deadlines in.
using Instant = keyspace::ManualClock::time_point;

// A keyspace of strings that numbers its keys and counts what is done with them. The verbs mean
// what they mean in keyspace::Keyspace.
class Database {
  struct Counted : keyspace::DefaultFeatures {
    static constexpr bool kStatistics = true;
  };
  using Store =
      keyspace::Cache<Name, std::string, Counted, keyspace::ManualClock, NameHash, NameEqual>;

 public:
  static constexpr auto kNever = Store::kNever;

  explicit Database(const keyspace::ManualClock& clock) : store_(clock) {}

  [[nodiscard]] std::string* find(std::string_view key) { return store_.find(key); }
  [[nodiscard]] bool contains(std::string_view key) const { return store_.contains(key); }
  [[nodiscard]] auto pttl(std::string_view key) const { return store_.pttl(key); }
  [[nodiscard]] auto pexpiretime(std::string_view key) const { return store_.pexpiretime(key); }

  void set(std::string_view key, std::string_view value, Instant deadline = Instant::max()) {
    store_.set(NewName{names_, key}, value, deadline);
  }
  bool insert(std::string_view key, std::string_view value, Instant deadline = Instant::max()) {
    return store_.insert(NewName{names_, key}, value, deadline);
  }
  bool replace(std::string_view key, std::string_view value, Instant deadline = Instant::max()) {
    return store_.replace(NewName{names_, key}, value, deadline);
  }

  bool pexpireat(std::string_view key, Instant deadline,
                 keyspace::Condition condition = keyspace::Condition::kAlways) {
    return store_.pexpireat(key, deadline, condition);
  }
  bool persist(std::string_view key) { return store_.persist(key); }
  bool rename(std::string_view from, std::string_view to) {
    return store_.rename(from, NewName{names_, to});
  }
  bool erase(std::string_view key) { return store_.erase(key); }
  std::optional<std::string> getdel(std::string_view key) { return store_.getdel(key); }
  void clear() { store_.clear(); }

  std::size_t erase_expired(std::size_t limit) { return store_.erase_expired(limit); }
  [[nodiscard]] auto next_deadline() const { return store_.next_deadline(); }

  // The number of stored keys; of those that are volatile. Dead keys count until they are erased.
  [[nodiscard]] std::size_t size() const { return store_.size(); }
  [[nodiscard]] std::size_t volatile_size() const { return store_.volatile_size(); }

  // The stored keys, dead ones included.
  [[nodiscard]] const Names& names() const { return names_; }

  [[nodiscard]] keyspace::Statistics statistics() const { return store_.statistics(); }

 private:
  Names names_;  // outlives the store, as the keys stored leave it
  Store store_;
};

}  // namespace redis

#endif  // EXAMPLES_REDIS_DATABASE_H_
