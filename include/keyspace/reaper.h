// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_REAPER_H_
#define KEYSPACE_REAPER_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <thread>

#include "keyspace/expiry.h"
#include "keyspace/internal/reaper_client.h"

namespace keyspace {

namespace internal {
// A keyspace that a Reaper can look after: a ConcurrentKeyspace that is not const. A Keyspace does
// not satisfy this, because it has no lock.
template <class K>
concept Reapable = requires(K& keyspace) {
  { reaper_client(keyspace) } -> std::same_as<ReaperClient&>;
};
}  // namespace internal

// Erases the expired entries of ConcurrentKeyspaces, on a thread of its own. The constructor starts
// the thread, and the destructor stops it.
//
//   keyspace::ConcurrentKeyspace<std::string, Session> sessions;
//   keyspace::ConcurrentKeyspace<std::string, Page> pages;
//   keyspace::Reaper reaper(sessions, pages);
//
// The thread sleeps until the next deadline. A call that sets a sooner deadline wakes it. It erases
// in steps, and holds no lock between two steps. It waits for the lock of each shard. So if the
// function of an update() or visit() runs long, the entries of all keyspaces may be erased late.
//
// Lifetime. Keyspaces and reapers may be destroyed in any order, but not by a listener. The
// destructor of either waits for the step that is running, and for nothing else.
//
// exit(). A listener or a computation may call exit(), which destroys static keyspaces and reapers.
// On the reaper's own thread their destructors do not wait, because exit() does not return to the
// step. A function that a keyspace calls under a lock must not call exit() while a reaper serves
// that keyspace: a destructor could wait for a step that waits for the lock. As for all objects, no
// other thread may use what exit() destroys. fork(): see concurrent_keyspace.h.
//
// Listeners. The thread calls the listeners of the keyspaces. If a listener throws, or if memory
// runs out, the program ends, as with an exception on any thread.
//
// Clocks. The thread measures its sleep in real time. If the clock of a keyspace can jump ahead, as
// a ManualClock can, call wake() after the jump. Without that call the thread notices the jump
// within `longest_sleep`.
//
// Thread-safe: any thread may call any member.
class Reaper {
 public:
  struct Config {
    // The shortest sleep between two passes. Expired entries may stay this long. The thread does
    // not sleep if a step leaves expired entries. More than a day counts as a day.
    Ttl interval = std::chrono::milliseconds(1);
    // The longest sleep between two passes. More than a day counts as a day.
    // REQUIRES: interval <= longest_sleep
    Ttl longest_sleep = std::chrono::seconds(1);
    // How many entries of one keyspace a step erases at most. REQUIRES: step >= 1
    std::size_t step = 256;
  };

  Reaper() : Reaper(Config()) {}
  explicit Reaper(Config config) {
    assert(config.interval.millis() <= config.longest_sleep.millis() && config.step != 0);
    thread_ = std::thread([state = state_, config] {
      state->run(within_a_day(config.interval), within_a_day(config.longest_sleep), config.step);
    });
  }
  // Start the thread, and add() each keyspace.
  template <internal::Reapable... Keyspaces>
  requires(sizeof...(Keyspaces) != 0) explicit Reaper(Keyspaces&... keyspaces) : Reaper() {
    (add(keyspaces), ...);
  }
  template <internal::Reapable... Keyspaces>
  requires(sizeof...(Keyspaces) != 0) explicit Reaper(Config config, Keyspaces&... keyspaces)
      : Reaper(config) {
    (add(keyspaces), ...);
  }
  // clang-format off
  template <class... Others> requires(sizeof...(Others) != 0)
  explicit Reaper(const Others&...) = delete;  // a Reaper serves ConcurrentKeyspaces that are not const: in one thread, call erase_expired() of a Keyspace
  template <class... Others> requires(sizeof...(Others) != 0)
  explicit Reaper(Config, const Others&...) = delete;  // a Reaper serves ConcurrentKeyspaces that are not const: in one thread, call erase_expired() of a Keyspace
  // clang-format on
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;
  ~Reaper() {
    state_->stop();
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();  // the thread cannot wait for itself
    } else {
      thread_.join();
    }
  }

  // Looks after a keyspace from now on. If another reaper looks after it, removes it there first.
  // Neither add() nor remove() may be called by a function that a keyspace calls under a lock, or
  // by a listener. (A function that exit() calls may call them. On the reaper's own thread they do
  // not wait.)
  template <internal::Reapable Keyspace>
  void add(Keyspace& keyspace) {
    reaper_client(keyspace).join(state_);
  }
  // Stops looking after a keyspace. Does nothing if this reaper does not look after it. Waits for
  // the step of that keyspace if one is running.
  template <internal::Reapable Keyspace>
  void remove(Keyspace& keyspace) {
    reaper_client(keyspace).leave(state_);
  }
  // clang-format off
  template <class Other>
  void add(const Other&) = delete;     // a Reaper serves ConcurrentKeyspaces that are not const: in one thread, call erase_expired() of a Keyspace
  template <class Other>
  void remove(const Other&) = delete;  // a Reaper serves ConcurrentKeyspaces that are not const: in one thread, call erase_expired() of a Keyspace
  // clang-format on

  // Makes the thread erase expired entries now, even if no deadline that it knows has passed.
  void wake() { state_->wake(); }

 private:
  static std::chrono::milliseconds within_a_day(Ttl time) noexcept {
    return std::min<std::chrono::milliseconds>(time.millis(),
                                               std::chrono::milliseconds(std::chrono::hours(24)));
  }

  std::shared_ptr<internal::ReaperState> state_ = std::make_shared<internal::ReaperState>();
  std::thread thread_;
};

}  // namespace keyspace

#endif  // KEYSPACE_REAPER_H_
