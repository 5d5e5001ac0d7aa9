// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_EXPIRY_H_
#define KEYSPACE_EXPIRY_H_

#include "keyspace/internal/config.h"

#include <chrono>
#include <cstdint>
#include <type_traits>

#include "absl/base/attributes.h"
#include "keyspace/internal/millis.h"

namespace keyspace {

namespace internal {
class ExpiryTime;
}

// How a call says when a key expires:
//
//   ks.set("key", 1);                         // no expiry
//   ks.set("key", 1, 1500ms);                 // a ttl
//   ks.set("key", 1, ks.clock().now() + 2s);  // a deadline: a time point of the keyspace's clock
//   ks.set("key", 1, keyspace::kNever);       // no expiry
//   ks.set("key", 1, keyspace::kKeep);        // the expiry that the key has (SET KEEPTTL)
//
// Ttls and deadlines count whole milliseconds, or a coarser unit, in integers. Bare numbers, finer
// units and floating point do not compile: convert them with
// std::chrono::ceil<std::chrono::milliseconds>(). A time that is too large saturates to the latest
// finite deadline, 1 ms before time_point::max(). A ttl of zero or less is over, and so is a
// deadline that is not after now. If a value is stored with such an expiry, the key is absent
// afterwards.

// No expiry, as a ttl. As a deadline it is time_point::max().
inline constexpr std::chrono::milliseconds kNever = (std::chrono::milliseconds::max)();

// The key's current expiry. If the key has none or is not live: no expiry.
struct KeepExpiry {};
inline constexpr KeepExpiry kKeep;

// A time to live: how long from now on a key is live.
class Ttl {
 public:
  template <class Rep, class Period>
  requires internal::WholeMilliseconds<Rep, Period>
  constexpr Ttl(std::chrono::duration<Rep, Period> ttl) noexcept  // NOLINT: implicit by design
      : millis_(internal::saturating_millis(ttl)), is_too_long_(internal::exceeds_millis(ttl)) {}

  // Compilers print the declaration of a deleted function that is called, with its comment.
  // clang-format off
  template <class Rep, class Period>
  Ttl(std::chrono::duration<Rep, Period>) = delete;  // NOLINT: use std::chrono::ceil<std::chrono::milliseconds>(ttl)
  template <class Number> requires std::is_arithmetic_v<Number>
  Ttl(Number) = delete;  // NOLINT: a ttl has a unit, for example 1500ms
  template <class Clock, class Duration>
  Ttl(std::chrono::time_point<Clock, Duration>) = delete;  // NOLINT: a ttl is a duration; pexpireat() takes a time point
  // clang-format on

  // Returns the ttl in milliseconds: kNever if there is no expiry; 1 ms less if it is too long.
  [[nodiscard]] constexpr std::chrono::milliseconds millis() const noexcept {
    return std::chrono::milliseconds(millis_);
  }

 private:
  friend class internal::ExpiryTime;
  internal::Millis millis_;
  bool is_too_long_;  // too long from any start
};

// A time point of a keyspace's clock, from which on a key is expired.
template <class Clock>
class Deadline {
 public:
  template <class Rep, class Period>
  requires internal::WholeMilliseconds<Rep, Period>
  constexpr Deadline(  // NOLINT: implicit by design
      std::chrono::time_point<Clock, std::chrono::duration<Rep, Period>> deadline) noexcept
      : millis_(internal::saturating_millis(deadline.time_since_epoch())) {}

  // clang-format off
  template <class Duration>
  Deadline(std::chrono::time_point<Clock, Duration>) = delete;  // NOLINT: use std::chrono::ceil<std::chrono::milliseconds>(deadline)
  template <class Other, class Duration>
  Deadline(std::chrono::time_point<Other, Duration>) = delete;  // NOLINT: this time point belongs to another clock than the keyspace's
  template <class Number> requires std::is_arithmetic_v<Number>
  Deadline(Number) = delete;  // NOLINT: a deadline is a time point of the keyspace's clock
  template <class Rep, class Period>
  Deadline(std::chrono::duration<Rep, Period>) = delete;  // NOLINT: a deadline is a time point; pexpire() takes a ttl
  // clang-format on

 private:
  friend class internal::ExpiryTime;
  internal::Millis millis_;
};

namespace internal {

// An Expiry without its clock.
class ExpiryTime {
 public:
  constexpr ExpiryTime() noexcept = default;                         // the keyspace's default
  constexpr ExpiryTime(KeepExpiry) noexcept : kind_(Kind::kKeep) {}  // NOLINT: implicit by design
  constexpr ExpiryTime(Ttl ttl) noexcept                             // NOLINT: implicit by design
      : millis_(ttl.millis_), kind_(ttl.is_too_long_ ? Kind::kDeadline : Kind::kTtl) {}
  template <class Clock>
  constexpr ExpiryTime(Deadline<Clock> deadline) noexcept  // NOLINT: implicit by design
      : millis_(deadline.millis_), kind_(Kind::kDeadline) {}

  [[nodiscard]] constexpr bool is_default() const noexcept { return kind_ == Kind::kDefault; }
  [[nodiscard]] constexpr bool is_keep() const noexcept { return kind_ == Kind::kKeep; }

  // Returns the deadline, of a ttl counted from now(). Calls now() only if it matters.
  // REQUIRES: !is_default() && !is_keep()
  template <class Now>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE constexpr Millis deadline(Now& now) const {
    if (kind_ == Kind::kDeadline) return millis_;
    // What quick_deadline() does, written out: a call of it takes more instructions here.
    if (0 < millis_ && millis_ < kLongMillis) [[likely]] {
      const Millis start = now();
      if (0 <= start && start < kLongMillis) [[likely]]
        return start + millis_;
    }
    return millis_ == kNeverMillis ? kNeverMillis : saturating_add(now(), millis_);
  }
  // The same for a ttl where neither the ttl nor the time is extreme. Returns 0 for all else.
  template <class Now>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE constexpr Millis quick_deadline(Now& now) const {
    if (kind_ != Kind::kTtl || millis_ <= 0 || millis_ >= kLongMillis) [[unlikely]]
      return 0;
    const Millis start = now();
    return 0 <= start && start < kLongMillis ? start + millis_ : 0;
  }

 private:
  enum class Kind : std::uint8_t { kDefault, kKeep, kTtl, kDeadline };

  Millis millis_ = 0;
  Kind kind_ = Kind::kDefault;
};

}  // namespace internal

// A Ttl, a Deadline or kKeep. By default: no expiry. (With WithExpireAfterAccess, every entry also
// expires if it is not requested: see options.h.)
template <class Clock>
class Expiry {
 public:
  constexpr Expiry() noexcept = default;
  constexpr Expiry(KeepExpiry keep) noexcept : time_(keep) {}  // NOLINT: implicit by design
  constexpr Expiry(Ttl ttl) noexcept : time_(ttl) {}           // NOLINT: implicit by design
  constexpr Expiry(Deadline<Clock> deadline) noexcept          // NOLINT: implicit by design
      : time_(deadline) {}
  template <class Rep, class Period>
  requires internal::WholeMilliseconds<Rep, Period>
  constexpr Expiry(std::chrono::duration<Rep, Period> ttl) noexcept  // NOLINT: implicit by design
      : time_(Ttl(ttl)) {}
  template <class Rep, class Period>
  requires internal::WholeMilliseconds<Rep, Period>
  constexpr Expiry(  // NOLINT: implicit by design
      std::chrono::time_point<Clock, std::chrono::duration<Rep, Period>> deadline) noexcept
      : time_(Deadline<Clock>(deadline)) {}

  // clang-format off
  template <class Rep, class Period>
  Expiry(std::chrono::duration<Rep, Period>) = delete;  // NOLINT: use std::chrono::ceil<std::chrono::milliseconds>(ttl)
  template <class Number> requires std::is_arithmetic_v<Number>
  Expiry(Number) = delete;  // NOLINT: a ttl has a unit, for example 1500ms
  template <class Duration>
  Expiry(std::chrono::time_point<Clock, Duration>) = delete;  // NOLINT: use std::chrono::ceil<std::chrono::milliseconds>(deadline)
  template <class Other, class Duration>
  Expiry(std::chrono::time_point<Other, Duration>) = delete;  // NOLINT: this time point belongs to another clock than the keyspace's
  // clang-format on

  // For the library.
  [[nodiscard]] constexpr internal::ExpiryTime time() const noexcept { return time_; }

 private:
  internal::ExpiryTime time_;
};

}  // namespace keyspace

#endif  // KEYSPACE_EXPIRY_H_
