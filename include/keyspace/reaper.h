#ifndef KEYSPACE_REAPER_H_
#define KEYSPACE_REAPER_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>
#include <type_traits>

#include "keyspace/internal/millis.h"
#include "keyspace/internal/reaped.h"

namespace keyspace {

namespace internal {
// A ConcurrentKeyspace, that is; not a const one, nor a Keyspace, which has no lock.
template <class K>
concept Reapable = requires(K& keyspace) {
  {keyspace.shards()};
}
&&!std::is_const_v<K>;
}  // namespace internal

// Erases dead entries of ConcurrentKeyspaces, on a thread of its own that lives as long as this.
//
//   keyspace::ConcurrentKeyspace<std::string, Session> sessions;
//   keyspace::ConcurrentKeyspace<std::string, Page> pages;
//   keyspace::Reaper reaper(sessions, pages);
//
// The thread sleeps until the next deadline, and is woken when a sooner one is set. It erases in
// steps, between which it holds no lock. The destructor waits for the step under way, and no
// longer; keyspaces and reapers may be destroyed in any order, but not by a listener. Where
// update() or visit() is long at one key, the thread may have to wait for it, and so may the other
// keyspaces.
//
// The listeners of the keyspaces are called on the thread. What they throw ends the program, as
// from any thread; so does memory that runs out.
//
// Time left is counted in real time. Where a clock may leap ahead, as a ManualClock does, the dead
// are found when the thread looks the next time: call wake(). Any thread may call any member.
class Reaper {
 public:
  struct Options {
    // How long the thread sleeps at least between two looks, once nothing is due: so many
    // milliseconds may dead entries stay, but it wakes no more often.
    internal::Ttl interval = std::chrono::milliseconds(1);
    // How long it sleeps at most; a day if this is longer. REQUIRES: interval <= longest_sleep
    internal::Ttl longest_sleep = std::chrono::seconds(1);
    // How many entries it erases in a step, of one keyspace. REQUIRES: at least 1
    std::size_t step = 256;
  };

  Reaper() : Reaper(Options()) {}
  explicit Reaper(Options options) {
    assert(options.interval.millis() <= options.longest_sleep.millis() && options.step != 0);
    thread_ = std::thread([state = state_, options] {
      state->run(within_a_day(options.interval), within_a_day(options.longest_sleep), options.step);
    });
  }
  // Looks after these from the start.
  template <internal::Reapable... Keyspaces>
  requires(sizeof...(Keyspaces) != 0) explicit Reaper(Keyspaces&... keyspaces) : Reaper() {
    (add(keyspaces), ...);
  }
  template <internal::Reapable... Keyspaces>
  requires(sizeof...(Keyspaces) != 0) explicit Reaper(Options options, Keyspaces&... keyspaces)
      : Reaper(options) {
    (add(keyspaces), ...);
  }
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;
  ~Reaper() {
    state_->stop();
    thread_.join();
  }

  // Looks after a keyspace, and no other reaper does any more. Neither this nor remove() is to be
  // called by a listener, or by what a keyspace calls under a lock.
  template <internal::Reapable Keyspace>
  void add(Keyspace& keyspace) {
    keyspace.reaped().join(state_);
  }
  // Leaves a keyspace alone, if it looks after it. When this returns, the thread is done with it.
  template <internal::Reapable Keyspace>
  void remove(Keyspace& keyspace) {
    keyspace.reaped().leave(state_);
  }

  // Makes the thread look now.
  void wake() { state_->ring(); }

 private:
  static std::chrono::milliseconds within_a_day(internal::Ttl time) noexcept {
    return std::min<std::chrono::milliseconds>(std::chrono::milliseconds(time.millis()),
                                               std::chrono::milliseconds(std::chrono::hours(24)));
  }

  std::shared_ptr<internal::ReaperState> state_ = std::make_shared<internal::ReaperState>();
  std::thread thread_;
};

}  // namespace keyspace

#endif  // KEYSPACE_REAPER_H_
