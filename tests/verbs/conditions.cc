#include <keyspace/condition.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

// --- The pure rule ---

constexpr Instant kSooner = at(100);
constexpr Instant kLater = at(200);
constexpr Instant kPast = Instant::min();

static_assert(admits(Condition::kAlways, kNoDeadline, kNoDeadline));
static_assert(admits(Condition::kAlways, kNoDeadline, kPast));
static_assert(admits(Condition::kAlways, kSooner, kSooner));
static_assert(admits(Condition::kAlways, kLater, kSooner));

static_assert(admits(Condition::kNx, kNoDeadline, kSooner));
static_assert(admits(Condition::kNx, kNoDeadline, kNoDeadline));
static_assert(!admits(Condition::kNx, kLastDeadline, kNoDeadline));
static_assert(!admits(Condition::kNx, kSooner, kPast));
static_assert(!admits(Condition::kNx, kPast, kSooner));

static_assert(!admits(Condition::kXx, kNoDeadline, kSooner));
static_assert(!admits(Condition::kXx, kNoDeadline, kNoDeadline));
static_assert(admits(Condition::kXx, kLastDeadline, kNoDeadline));
static_assert(admits(Condition::kXx, kSooner, kSooner));
static_assert(admits(Condition::kXx, kPast, kSooner));

static_assert(!admits(Condition::kGt, kNoDeadline, kLastDeadline));
static_assert(!admits(Condition::kGt, kNoDeadline, kNoDeadline));
static_assert(admits(Condition::kGt, kSooner, kLater));
static_assert(!admits(Condition::kGt, kSooner, kSooner));
static_assert(!admits(Condition::kGt, kLater, kSooner));
static_assert(admits(Condition::kGt, kLastDeadline, kNoDeadline));
static_assert(admits(Condition::kGt, at(-1), at(0)));

static_assert(admits(Condition::kLt, kNoDeadline, kLastDeadline));
static_assert(admits(Condition::kLt, kNoDeadline, kPast));
static_assert(!admits(Condition::kLt, kNoDeadline, kNoDeadline));
static_assert(admits(Condition::kLt, kLater, kSooner));
static_assert(!admits(Condition::kLt, kSooner, kSooner));
static_assert(!admits(Condition::kLt, kSooner, kLater));
static_assert(!admits(Condition::kLt, kLastDeadline, kNoDeadline));
static_assert(admits(Condition::kLt, at(0), at(-1)));

static_assert(!admits(Condition::kXxLt, kNoDeadline, kLastDeadline));
static_assert(!admits(Condition::kXxLt, kNoDeadline, kPast));
static_assert(!admits(Condition::kXxLt, kNoDeadline, kNoDeadline));
static_assert(admits(Condition::kXxLt, kLater, kSooner));
static_assert(!admits(Condition::kXxLt, kSooner, kSooner));
static_assert(!admits(Condition::kXxLt, kSooner, kLater));
static_assert(admits(Condition::kXxLt, kSooner, kPast));

// --- The rule in pexpire and pexpireat ---

enum class KeyState { kMissing, kExpired, kPersistent, kVolatile };

// Offsets from now. A volatile key has the deadline called "equal".
constexpr std::array<std::optional<Millis>, 6> kNext = {-1ms,     0ms,       50'000ms,
                                                        100000ms, 200'000ms, std::nullopt};

struct ConditionRow {
  KeyState state;
  Condition condition;
  // One character stands for each new deadline: past, now, sooner, equal, later, never.
  //   '-' the call returns false and nothing happens
  //   'D' the call returns true and the key is erased
  //   'S' the call returns true and the new deadline is stored
  const char* outcome;
};

constexpr ConditionRow kTable[] = {
    {KeyState::kMissing, Condition::kAlways, "------"},
    {KeyState::kMissing, Condition::kNx, "------"},
    {KeyState::kMissing, Condition::kXx, "------"},
    {KeyState::kMissing, Condition::kGt, "------"},
    {KeyState::kMissing, Condition::kLt, "------"},
    {KeyState::kMissing, Condition::kXxLt, "------"},
    {KeyState::kExpired, Condition::kAlways, "------"},
    {KeyState::kExpired, Condition::kNx, "------"},
    {KeyState::kExpired, Condition::kXx, "------"},
    {KeyState::kExpired, Condition::kGt, "------"},
    {KeyState::kExpired, Condition::kLt, "------"},
    {KeyState::kExpired, Condition::kXxLt, "------"},
    {KeyState::kPersistent, Condition::kAlways, "DDSSSS"},
    {KeyState::kPersistent, Condition::kNx, "DDSSSS"},
    {KeyState::kPersistent, Condition::kXx, "------"},
    {KeyState::kPersistent, Condition::kGt, "------"},
    {KeyState::kPersistent, Condition::kLt, "DDSSS-"},
    {KeyState::kPersistent, Condition::kXxLt, "------"},
    {KeyState::kVolatile, Condition::kAlways, "DDSSSS"},
    {KeyState::kVolatile, Condition::kNx, "------"},
    {KeyState::kVolatile, Condition::kXx, "DDSSSS"},
    {KeyState::kVolatile, Condition::kGt, "----SS"},
    {KeyState::kVolatile, Condition::kLt, "DDS---"},
    {KeyState::kVolatile, Condition::kXxLt, "DDS---"},
};

// Returns a keyspace at `now`. Its key "k" is in `state`, and the key "bystander" is persistent.
Strings keyspace_with(KeyState state, Instant now) {
  ManualClock clock;
  clock.set(now - 1000ms);
  Strings ks(clock);
  ks.set("bystander", "kept");
  switch (state) {
    case KeyState::kMissing:
      break;
    case KeyState::kExpired:
      ks.set("k", "v", 1000ms);
      break;
    case KeyState::kPersistent:
      ks.set("k", "v");
      break;
    case KeyState::kVolatile:
      ks.set("k", "v", 101'000ms);
      break;
  }
  clock.advance(1000ms);
  return ks;
}

void check_row(const ConditionRow& row, Instant now, bool absolute) {
  for (std::size_t i = 0; i < kNext.size(); ++i) {
    CAPTURE(static_cast<int>(row.state), static_cast<int>(row.condition), i, absolute);
    CAPTURE(now.time_since_epoch().count());
    Strings ks = keyspace_with(row.state, now);
    const auto before = see(ks, "k");
    REQUIRE(before.has_value() == (row.state >= KeyState::kPersistent));
    const Instant next = kNext[i] ? now + *kNext[i] : kNoDeadline;

    const bool reply = absolute
                           ? ks.pexpireat("k", next, row.condition)
                           : ks.pexpire("k", kNext[i].value_or(Strings::kNever), row.condition);

    CHECK(reply == (row.outcome[i] != '-'));
    switch (row.outcome[i]) {
      case '-':
        CHECK(see(ks, "k") == before);
        break;
      case 'D':
        CHECK(see(ks, "k") == std::nullopt);
        break;
      case 'S':
        CHECK(see(ks, "k") == entry("v", next));
        CHECK(ks.volatile_size() == (next == kNoDeadline ? 0 : 1));
        break;
      default:
        FAIL("unknown outcome");
    }
    CHECK(see(ks, "bystander") == entry("kept"));
  }
}

TEST_CASE("pexpire and pexpireat follow the table for every condition and state of a key") {
  static_assert(std::size(kTable) == 4 * 6);
  const Instant now = GENERATE(at(-1'000'000), at(50'000), at(1'000'000), at(1'700'000'000'000));
  const bool absolute = GENERATE(false, true);
  for (const ConditionRow& row : kTable) check_row(row, now, absolute);
}

TEST_CASE("a condition defaults to kAlways") {
  Strings ks = keyspace_with(KeyState::kVolatile, at(0));
  CHECK(ks.pexpire("k", 7ms));
  CHECK(see(ks, "k") == entry("v", at(7)));
  CHECK(ks.pexpireat("k", at(900'000)));
  CHECK(see(ks, "k") == entry("v", at(900'000)));
}

TEST_CASE(
    "no condition makes an expired key live again, although its deadline was changed before") {
  for (const ConditionRow& row : kTable) {
    if (row.state != KeyState::kExpired) continue;
    for (const std::optional<Millis>& next : kNext) {
      ManualClock clock;
      Strings ks(clock);
      ks.set("k", "v", 10ms);
      REQUIRE(ks.pexpire("k", 500ms));  // a later deadline, so the record stays where it is
      clock.advance(500ms);
      CHECK_FALSE(ks.pexpire("k", next.value_or(Strings::kNever), row.condition));
      CHECK(see(ks, "k") == std::nullopt);
    }
  }
}

TEST_CASE("a refused deadline in the past erases nothing") {
  // Redis checks the condition first. Only an accepted deadline can erase the key.
  Strings ks = keyspace_with(KeyState::kVolatile, at(0));
  CHECK_FALSE(ks.pexpire("k", -1ms, Condition::kGt));
  CHECK_FALSE(ks.pexpire("k", -1ms, Condition::kNx));
  CHECK(see(ks, "k") == entry("v", at(100'000)));
}

TEST_CASE("each condition is checked against the deadline that the call before has stored") {
  ManualClock clock;
  Strings ks(clock);
  ks.set("k", "v");
  CHECK(ks.pexpire("k", 100ms, Condition::kNx));
  CHECK_FALSE(ks.pexpire("k", 100ms, Condition::kNx));
  CHECK(ks.pexpire("k", 101ms, Condition::kGt));
  CHECK_FALSE(ks.pexpire("k", 101ms, Condition::kGt));
  CHECK(ks.pexpire("k", 100ms, Condition::kLt));
  CHECK_FALSE(ks.pexpire("k", 100ms, Condition::kXxLt));
  CHECK(ks.pexpire("k", Strings::kNever, Condition::kGt));
  CHECK_FALSE(ks.pexpire("k", 5ms, Condition::kXx));
  CHECK(see(ks, "k") == entry("v"));
}

}  // namespace
}  // namespace keyspace::testing
