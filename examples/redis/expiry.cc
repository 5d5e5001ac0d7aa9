// The commands that read and change deadlines.

#include <keyspace/expiry.h>

#include <cstdint>

#include "handlers.h"
#include "options.h"

namespace redis::handlers {
namespace {

constexpr std::int64_t kNoKey = -2;
constexpr std::int64_t kPersistent = -1;

Reply expire_by(Call& call, ExpiryForm form) {
  const auto condition = parse_condition(call.words_from(3));
  if (!condition) return condition.error();
  const auto when = deadline({form, call.words[2]}, call.now(), call.name);
  if (!when) return when.error();
  return call.database().pexpireat(call.key(), *when, *condition);
}

std::int64_t remaining_millis(const Call& call) {
  const auto ttl = call.database().pttl(call.key());
  if (!ttl) return kNoKey;
  return *ttl == keyspace::kNever ? kPersistent : ttl->count();
}

std::int64_t deadline_millis(const Call& call) {
  const auto deadline = call.database().pexpiretime(call.key());
  if (!deadline) return kNoKey;
  return *deadline == Instant::max() ? kPersistent : deadline->time_since_epoch().count();
}

// Rounds to the nearest second. Does not change kNoKey and kPersistent.
std::int64_t to_seconds(std::int64_t millis) {
  if (millis < 0) return millis;
  return millis / 1000 + (millis % 1000 >= 500 ? 1 : 0);
}

}  // namespace

Reply expire(Call& call) { return expire_by(call, ExpiryForm::kEx); }
Reply pexpire(Call& call) { return expire_by(call, ExpiryForm::kPx); }
Reply expireat(Call& call) { return expire_by(call, ExpiryForm::kExAt); }
Reply pexpireat(Call& call) { return expire_by(call, ExpiryForm::kPxAt); }

Reply pttl(Call& call) { return remaining_millis(call); }
Reply ttl(Call& call) { return to_seconds(remaining_millis(call)); }
Reply pexpiretime(Call& call) { return deadline_millis(call); }
Reply expiretime(Call& call) { return to_seconds(deadline_millis(call)); }
Reply persist(Call& call) { return call.database().persist(call.key()); }

}  // namespace redis::handlers
