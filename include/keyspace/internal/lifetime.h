// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_LIFETIME_H_
#define KEYSPACE_INTERNAL_LIFETIME_H_

#include <algorithm>

#include "keyspace/internal/millis.h"

namespace keyspace::internal {

// How long an entry is live. With WithExpireAfterAccess (kHasIdleTime) an entry has two deadlines:
//
//   hard   from set(), pexpire() and the like; kNeverMillis if there is none
//   idle   the time of the last request or store, plus the idle time
//
// The entry expires at the sooner of the two. The map knows only that one: it is the deadline of
// the entry. The entry keeps a Rest beside it. The two together tell both deadlines.
//
// Without the option, an entry has only a hard deadline, and its Rest is empty.
template <bool kHasIdleTime>
struct Lifetime;

template <>
struct Lifetime<false> {
  struct Rest {};

  explicit Lifetime(Millis its_hard) noexcept : hard(its_hard) {}
  Lifetime(Millis deadline, Rest) noexcept : hard(deadline) {}

  // Returns the same with another hard deadline.
  [[nodiscard]] Lifetime with_hard(Millis other) const noexcept { return Lifetime(other); }

  [[nodiscard]] Millis deadline() const noexcept { return hard; }
  [[nodiscard]] Rest rest() const noexcept { return {}; }

  Millis hard;
};

template <>
struct Lifetime<true> {
  // The hard deadline minus the idle one. kNeverMillis and -kNeverMillis: the later one is
  // kNeverMillis. kLatestMillis and -kLatestMillis: the difference saturates, and the later one
  // counts as kLatestMillis. (That is inexact only if the sooner one is before the epoch, and the
  // two are more than 292 million years apart.)
  struct Rest {
    Millis hard_is_later_by = 0;
  };

  Lifetime(Millis its_hard, Millis its_idle) noexcept : hard(its_hard), idle(its_idle) {}
  Lifetime(Millis deadline, Rest rest) noexcept
      : hard(later(deadline, rest.hard_is_later_by)),
        idle(later(deadline, -rest.hard_is_later_by)) {}

  [[nodiscard]] Lifetime with_hard(Millis other) const noexcept { return Lifetime(other, idle); }

  [[nodiscard]] Millis deadline() const noexcept { return std::min<Millis>(hard, idle); }
  [[nodiscard]] Rest rest() const noexcept {
    return {hard < idle ? -difference(idle, hard) : difference(hard, idle)};
  }

  Millis hard;
  Millis idle;

 private:
  static Millis difference(Millis later, Millis sooner) noexcept {
    return later == kNeverMillis && sooner != kNeverMillis ? kNeverMillis
                                                           : time_left(later, sooner);
  }
  static Millis later(Millis deadline, Millis by) noexcept {
    if (by <= 0) return deadline;
    return by >= kLatestMillis ? by : saturating_add(deadline, by);
  }
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_LIFETIME_H_
