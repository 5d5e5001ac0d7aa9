#include "options.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>

#include "number.h"
#include "replies.h"
#include "words.h"

namespace redis {
namespace {

using std::chrono::milliseconds;

bool counts_seconds(ExpiryForm form) {
  return form == ExpiryForm::kEx || form == ExpiryForm::kExAt;
}

bool starts_now(ExpiryForm form) { return form == ExpiryForm::kEx || form == ExpiryForm::kPx; }

std::optional<std::int64_t> to_millis(std::int64_t number, ExpiryForm form) {
  constexpr std::int64_t kPerSecond = 1000;
  if (!counts_seconds(form)) return number;
  if (number > std::numeric_limits<std::int64_t>::max() / kPerSecond) return std::nullopt;
  if (number < std::numeric_limits<std::int64_t>::min() / kPerSecond) return std::nullopt;
  return number * kPerSecond;
}

Error invalid_expire_time(std::string_view command) {
  return Error("ERR invalid expire time in '" + std::string(command) + "' command");
}

Result<Instant> deadline(std::int64_t number, ExpiryForm form, Instant now,
                         std::string_view command) {
  std::optional<std::int64_t> millis = to_millis(number, form);
  if (millis && starts_now(form)) millis = checked_add(*millis, now.time_since_epoch().count());
  if (!millis) return invalid_expire_time(command);
  return std::min(Instant(milliseconds(*millis)), Instant::max() - milliseconds(1));
}

std::optional<ExpiryForm> expiry_form(std::string_view word) {
  if (is_option(word, "ex")) return ExpiryForm::kEx;
  if (is_option(word, "px")) return ExpiryForm::kPx;
  if (is_option(word, "exat")) return ExpiryForm::kExAt;
  if (is_option(word, "pxat")) return ExpiryForm::kPxAt;
  return std::nullopt;
}

// Takes words[i] and the number behind it, if they are an expiry. If there was one before, both
// must have the same form. Leaves `i` on the last word that was taken. Returns whether it took any.
bool take_expiry(WordViews words, std::size_t& i, std::optional<ExpiryOption>& expiry) {
  const std::optional<ExpiryForm> form = expiry_form(words[i]);
  if (!form || i + 1 == words.size()) return false;
  if (expiry && expiry->form != *form) return false;
  expiry = ExpiryOption{*form, words[++i]};
  return true;
}

}  // namespace

Result<Instant> deadline(const ExpiryOption& expiry, Instant now, std::string_view command) {
  const std::optional<std::int64_t> number = parse_integer(expiry.number);
  if (!number) return not_an_integer();
  return deadline(*number, expiry.form, now, command);
}

Result<Instant> positive_deadline(const ExpiryOption& expiry, Instant now,
                                  std::string_view command) {
  const std::optional<std::int64_t> number = parse_integer(expiry.number);
  if (!number) return not_an_integer();
  if (*number <= 0) return invalid_expire_time(command);
  return deadline(*number, expiry.form, now, command);
}

Result<SetOptions> parse_set_options(WordViews words) {
  using Presence = SetOptions::Presence;
  SetOptions options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (is_option(words[i], "nx") && options.presence != Presence::kPresent) {
      options.presence = Presence::kAbsent;
    } else if (is_option(words[i], "xx") && options.presence != Presence::kAbsent) {
      options.presence = Presence::kPresent;
    } else if (is_option(words[i], "get")) {
      options.get = true;
    } else if (is_option(words[i], "keepttl") && !options.expiry) {
      options.keep_ttl = true;
    } else if (options.keep_ttl || !take_expiry(words, i, options.expiry)) {
      return syntax_error();
    }
  }
  return options;
}

Result<GetexOptions> parse_getex_options(WordViews words) {
  GetexOptions options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (is_option(words[i], "persist") && !options.expiry) {
      options.persist = true;
    } else if (options.persist || !take_expiry(words, i, options.expiry)) {
      return syntax_error();
    }
  }
  return options;
}

Result<keyspace::Condition> parse_condition(WordViews words) {
  using keyspace::Condition;
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
  for (const std::string_view word : words) {
    if (is_option(word, "nx")) {
      nx = true;
    } else if (is_option(word, "xx")) {
      xx = true;
    } else if (is_option(word, "gt")) {
      gt = true;
    } else if (is_option(word, "lt")) {
      lt = true;
    } else {
      return Error("ERR Unsupported option " + std::string(before_nul(word)));
    }
  }
  if (nx && (xx || gt || lt)) {
    return Error("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (gt && lt) return Error("ERR GT and LT options at the same time are not compatible");
  if (nx) return Condition::kNx;
  if (gt) return Condition::kGt;  // XX GT is the same: GT already refuses a key without an expiry.
  if (lt) return xx ? Condition::kXxLt : Condition::kLt;
  return xx ? Condition::kXx : Condition::kAlways;
}

}  // namespace redis
