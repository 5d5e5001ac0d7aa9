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

// --- The rule as pexpire and pexpireat apply it ---

enum class KeyState { kMissing, kDead, kPersistent, kVolatile };

// Offsets from now. A volatile key's own deadline is the one called "equal".
constexpr std::array<std::optional<Millis>, 6> kNext = {-1ms,     0ms,       50'000ms,
                                                        100000ms, 200'000ms, std::nullopt};

struct ConditionRow {
  KeyState state;
  Condition condition;
  // One letter for each of: past, now, sooner, equal, later, never.
  //   '-' the call returns false and nothing happens
  //   'D' the call returns true and the key is gone
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
    {KeyState::kDead, Condition::kAlways, "------"},
    {KeyState::kDead, Condition::kNx, "------"},
    {KeyState::kDead, Condition::kXx, "------"},
    {KeyState::kDead, Condition::kGt, "------"},
    {KeyState::kDead, Condition::kLt, "------"},
    {KeyState::kDead, Condition::kXxLt, "------"},
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

// A keyspace at `now` whose one key, "k", is in `state`, with a persistent bystander.
Strings keyspace_with(KeyState state, Instant now) {
  ManualClock clock;
  clock.set(now - 1000ms);
  Strings ks(clock);
  ks.set("bystander", "kept");
  switch (state) {
    case KeyState::kMissing:
      break;
    case KeyState::kDead:
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

TEST_CASE("every condition decides as the table says for every state of a key") {
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

TEST_CASE("a dead key stays dead under every condition though its deadline was moved before") {
  for (const ConditionRow& row : kTable) {
    if (row.state != KeyState::kDead) continue;
    for (const std::optional<Millis>& next : kNext) {
      ManualClock clock;
      Strings ks(clock);
      ks.set("k", "v", 10ms);
      REQUIRE(ks.pexpire("k", 500ms));  // a later deadline, for which nothing need be filed anew
      clock.advance(500ms);
      CHECK_FALSE(ks.pexpire("k", next.value_or(Strings::kNever), row.condition));
      CHECK(see(ks, "k") == std::nullopt);
    }
  }
}

TEST_CASE("a refused deadline in the past deletes nothing") {
  // Redis decides on the condition first; only an admitted deadline can delete.
  Strings ks = keyspace_with(KeyState::kVolatile, at(0));
  CHECK_FALSE(ks.pexpire("k", -1ms, Condition::kGt));
  CHECK_FALSE(ks.pexpire("k", -1ms, Condition::kNx));
  CHECK(see(ks, "k") == entry("v", at(100'000)));
}

TEST_CASE("consecutive conditions see the deadline the last one stored") {
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
