#ifndef EXAMPLES_REDIS_CALL_H_
#define EXAMPLES_REDIS_CALL_H_

#include <cstddef>
#include <string_view>

#include "database.h"
#include "instance.h"
#include "words.h"

namespace redis {

// One command that is running.
struct Call {
  std::string_view name;  // as in the table
  Instance& instance;
  Session& session;
  WordViews words;

  [[nodiscard]] Database& database() const { return instance.database(session.database); }
  [[nodiscard]] std::string_view key() const { return words[1]; }
  [[nodiscard]] WordViews words_from(std::size_t i) const { return words.subspan(i); }
  [[nodiscard]] Instant now() const { return instance.instant(); }
};

}  // namespace redis

#endif  // EXAMPLES_REDIS_CALL_H_
