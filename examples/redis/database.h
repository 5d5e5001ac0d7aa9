#ifndef EXAMPLES_REDIS_DATABASE_H_
#define EXAMPLES_REDIS_DATABASE_H_

#include <keyspace/clock.h>
#include <keyspace/condition.h>
#include <keyspace/keyspace.h>
#include <keyspace/options.h>
#include <keyspace/statistics.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "names.h"

namespace redis {

// Unix time in milliseconds, the unit of Redis's deadlines.
using Instant = keyspace::ManualClock::time_point;

// A keyspace of strings that numbers its keys and counts requests. The calls have the names and the
// meaning of those of keyspace::Keyspace.
class Database {
  using Store =
      keyspace::Keyspace<Name, std::string, keyspace::ManualClock,
                         keyspace::WithHash<NameHash, NameEqual>, keyspace::WithStatistics>;

 public:
  using Expiry = Store::Expiry;

  explicit Database(const keyspace::ManualClock& clock) : store_(clock) {}

  [[nodiscard]] std::string* find(std::string_view key) { return store_.find(key); }
  [[nodiscard]] bool contains(std::string_view key) const { return store_.contains(key); }
  [[nodiscard]] auto pttl(std::string_view key) const { return store_.pttl(key); }
  [[nodiscard]] auto pexpiretime(std::string_view key) const { return store_.pexpiretime(key); }

  void set(std::string_view key, std::string_view value, Expiry expiry = {}) {
    store_.set(NewName{names_, key}, value, expiry);
  }
  bool insert(std::string_view key, std::string_view value, Expiry expiry = {}) {
    return store_.insert(NewName{names_, key}, value, expiry);
  }
  bool replace(std::string_view key, std::string_view value, Expiry expiry = {}) {
    return store_.replace(NewName{names_, key}, value, expiry);
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

  // The number of stored keys, and of those with a deadline. Expired keys count until they are
  // erased.
  [[nodiscard]] std::size_t size() const { return store_.size(); }
  [[nodiscard]] std::size_t volatile_size() const { return store_.volatile_size(); }

  // The stored keys, expired ones included.
  [[nodiscard]] const Names& names() const { return names_; }

  [[nodiscard]] keyspace::Statistics statistics() const { return store_.statistics(); }

 private:
  Names names_;  // outlives the store, because its keys remove themselves from the names
  Store store_;
};

}  // namespace redis

#endif  // EXAMPLES_REDIS_DATABASE_H_
