// Redis's expiry conditions, as a real Redis carried them out, on a Keyspace.

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

// In the place of a deadline.
constexpr std::int64_t kMissing = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
// In the place of a reply.
constexpr int kRefused = -1;

struct RecordedRow {
  std::string_view options;
  std::int64_t before;
  std::int64_t next;
  int reply;
  std::int64_t after;
};

constexpr RecordedRow kRows[] = {
#include "servers/recorded_conditions.inc"
};

const std::map<std::string_view, Condition> kConditions = {
    {"", Condition::kAlways},    {"NX", Condition::kNx}, {"XX", Condition::kXx},
    {"GT", Condition::kGt},      {"LT", Condition::kLt}, {"XX GT", Condition::kGt},
    {"XX LT", Condition::kXxLt},
};

// Returns what a row says of a deadline as a keyspace would say it, at the time `now`.
std::optional<TimePoint> deadline(std::int64_t millis, TimePoint now) {
  if (millis == kMissing) return std::nullopt;
  return millis == kNever ? TimePoint::max() : now + milliseconds(millis);
}

TEST_CASE("A condition that Redis refuses cannot be written, and all others can") {
  for (const RecordedRow& row : kRows) {
    CAPTURE(row.options);
    CHECK(kConditions.contains(row.options) == (row.reply != kRefused));
  }
}

TEST_CASE("pexpireat and pexpire do under each condition what a real Redis did") {
  const bool by_ttl = GENERATE(false, true);
  const TimePoint now(milliseconds(GENERATE(std::int64_t{0}, 1'700'000'000'000)));
  int compared = 0;
  for (const RecordedRow& row : kRows) {
    if (row.reply == kRefused) continue;
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
