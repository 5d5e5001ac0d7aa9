// Compares the conditions of a Keyspace with the recorded replies of a real Redis.

#include <keyspace/keyspace.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "support/catch.hpp"

namespace keyspace {
namespace {

using std::chrono::milliseconds;
using TestKeyspace = Keyspace<std::string, std::string, ManualClock>;
using TimePoint = TestKeyspace::time_point;

// The file of rows uses the names kMissing and kNever.
namespace recorded {

// Special values of a deadline.
constexpr std::int64_t kMissing = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
// Special value of a reply.
constexpr int kRefused = -1;

struct Row {
  std::string_view options;
  std::int64_t before;
  std::int64_t next;
  int reply;
  std::int64_t after;
};

constexpr Row kRows[] = {
#include "servers/recorded_conditions.inc"
};

}  // namespace recorded

const std::map<std::string_view, Condition> kConditions = {
    {"", Condition::kAlways},    {"NX", Condition::kNx}, {"XX", Condition::kXx},
    {"GT", Condition::kGt},      {"LT", Condition::kLt}, {"XX GT", Condition::kGt},
    {"XX LT", Condition::kXxLt},
};

// Returns a deadline of a row in the form in which a keyspace returns it, at the time `now`.
std::optional<TimePoint> deadline(std::int64_t millis, TimePoint now) {
  if (millis == recorded::kMissing) return std::nullopt;
  return millis == recorded::kNever ? TimePoint::max() : now + milliseconds(millis);
}

TEST_CASE("Condition has a value for each condition that Redis accepts, and for no other") {
  for (const recorded::Row& row : recorded::kRows) {
    CAPTURE(row.options);
    CHECK(kConditions.contains(row.options) == (row.reply != recorded::kRefused));
  }
}

TEST_CASE("pexpireat and pexpire reply to each condition as a real Redis did") {
  const bool by_ttl = GENERATE(false, true);
  const TimePoint now(milliseconds(GENERATE(std::int64_t{0}, 1'700'000'000'000)));
  int compared = 0;
  for (const recorded::Row& row : recorded::kRows) {
    if (row.reply == recorded::kRefused) continue;
    CAPTURE(row.options, row.before, row.next, by_ttl);
    ManualClock clock;
    clock.set(now);
    TestKeyspace ks(clock);
    if (const auto before = deadline(row.before, now)) ks.set("key", "value", *before);
    const Condition condition = kConditions.at(row.options);

    const bool reply = by_ttl ? ks.pexpire("key", milliseconds(row.next), condition)
                              : ks.pexpireat("key", now + milliseconds(row.next), condition);

    CHECK(reply == (row.reply == 1));
    CHECK(ks.pexpiretime("key") == deadline(row.after, now));
    ++compared;
  }
  CHECK(compared == 7 * 4 * 8);
}

}  // namespace
}  // namespace keyspace
