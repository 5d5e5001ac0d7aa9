#ifndef KEYSPACE_INTERNAL_REAPED_H_
#define KEYSPACE_INTERNAL_REAPED_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "keyspace/internal/lock.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/probe.h"

namespace keyspace::internal {

class Reaped;

// What a Reaper and the keyspaces that it looks after share: so any of them may be destroyed first.
class ReaperState {
 public:
  void add(Reaped& reaped) {
    const WriterLock lock(mutex_);
    all_.push_back(&reaped);
    is_rung_ = true;
    changed_.notify_all();
  }
  // When this returns, the reaper is done with it.
  void remove(Reaped& reaped) {
    const WriterLock lock(mutex_);
    all_.erase(std::remove(all_.begin(), all_.end(), &reaped), all_.end());
    while (busy_with_ == &reaped) changed_.wait(mutex_);
  }
  // Wakes the reaper.
  void ring() {
    const WriterLock lock(mutex_);
    is_rung_ = true;
    changed_.notify_all();
  }
  void stop() {
    const WriterLock lock(mutex_);
    is_stopped_ = true;
    all_.clear();
    changed_.notify_all();
  }

  // The reaper's thread: lets each of them reclaim in steps, then sleeps until one of them has
  // something to do; but no less than `interval`, and no more than `longest_sleep`.
  void run(std::chrono::milliseconds interval, std::chrono::milliseconds longest_sleep,
           std::size_t step);

 private:
  friend struct TestPeer;
  using Clock = std::chrono::steady_clock;

  // Lets one after the other make a step, and returns until when nothing is to be done.
  Clock::time_point make_round(std::size_t step, std::chrono::milliseconds longest_sleep);

  // Returns those that are to have a turn in the next round, which sees all that was rung before.
  std::vector<Reaped*> begin_round() {
    const WriterLock lock(mutex_);
    is_rung_ = false;
    return all_;
  }
  // Returns false if it has left meanwhile. Until end_turn() it does not leave.
  bool begin_turn(Reaped& reaped) {
    const WriterLock lock(mutex_);
    if (std::find(all_.begin(), all_.end(), &reaped) == all_.end()) return false;
    busy_with_ = &reaped;
    return true;
  }
  void end_turn() {
    const WriterLock lock(mutex_);
    busy_with_ = nullptr;
    changed_.notify_all();
  }

  void wait_until(Clock::time_point time, bool may_be_rung) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!is_stopped_ && !(may_be_rung && is_rung_)) {
      if (changed_.wait_until(mutex_, time) == std::cv_status::timeout) return;
    }
  }

  Mutex mutex_;
  // Not absl::CondVar, which in some releases measures time by a clock that may be set back.
  std::condition_variable_any changed_;
  std::vector<Reaped*> all_ ABSL_GUARDED_BY(mutex_);
  const Reaped* busy_with_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool is_rung_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

// What a Reaper knows of a keyspace. A class that is derived from it calls leave() when it is
// destroyed.
class Reaped {
 public:
  Reaped() = default;
  Reaped(const Reaped&) = delete;
  Reaped& operator=(const Reaped&) = delete;

  // Is looked after by `reaper` from now on, and by no other.
  void join(const std::shared_ptr<ReaperState>& reaper) {
    const WriterLock one_at_a_time(joining_);
    change_to(reaper);
  }
  // Is looked after by none, if it is by `reaper` now.
  void leave(const std::shared_ptr<ReaperState>& reaper) {
    const WriterLock one_at_a_time(joining_);
    {
      const WriterLock lock(mutex_);
      if (reaper_ != reaper) return;
    }
    change_to(nullptr);
  }
  // Is looked after by none.
  void leave() {
    const WriterLock one_at_a_time(joining_);
    change_to(nullptr);
  }

  // Tells the reaper if something is due before it would have looked. Called after every change,
  // when the lock of its shard was released.
  void note_due(Millis due) {
    if (due < alarm_.load(std::memory_order_relaxed)) [[unlikely]]
      ring();
  }

  // Makes one step, and returns how many milliseconds from now on nothing is to be done.
  Millis reap(std::size_t step) {
    // From here on whatever changes is told, as it may be where next_due() has looked already. That
    // locks each shard after this, and who changes one reads the alarm after that: so either the
    // look sees the change, or the change sees this.
    alarm_.store(kNeverMillis, std::memory_order_relaxed);
    make_step(step);
    const Due due = next_due();
    alarm_.store(due.deadline, std::memory_order_relaxed);
    return due.left;
  }

 protected:
  // When something is due next: as a deadline, and from now on.
  struct Due {
    Millis deadline = kNeverMillis;
    Millis left = kNeverMillis;
  };
  ~Reaped() = default;

 private:
  friend struct TestPeer;

  virtual void make_step(std::size_t step) = 0;
  // Looks at each shard under its lock.
  virtual Due next_due() = 0;

  void change_to(const std::shared_ptr<ReaperState>& reaper)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(joining_) {
    std::shared_ptr<ReaperState> old;
    {
      const WriterLock lock(mutex_);
      old = std::exchange(reaper_, reaper);
      if (reaper == nullptr) alarm_.store(kEarliestMillis, std::memory_order_relaxed);
    }
    if (old != nullptr) old->remove(*this);
    if (reaper != nullptr) reaper->add(*this);
  }

  void ring() {
    std::shared_ptr<ReaperState> reaper;
    {
      const WriterLock lock(mutex_);
      alarm_.store(kEarliestMillis,
                   std::memory_order_relaxed);  // once is enough, until the next reap()
      reaper = reaper_;
    }
    if (reaper != nullptr) reaper->ring();
  }

  Mutex joining_;  // held for longer than mutex_: until the reaper is done with this

  // A deadline before this has to be told to the reaper.
  std::atomic<Millis> alarm_ = kEarliestMillis;
  Mutex mutex_;
  std::shared_ptr<ReaperState> reaper_ ABSL_GUARDED_BY(mutex_);
};

inline ReaperState::Clock::time_point ReaperState::make_round(
    std::size_t step, std::chrono::milliseconds longest_sleep) {
  Clock::time_point next = Clock::now() + longest_sleep;
  for (Reaped* const reaped : begin_round()) {
    if (!begin_turn(*reaped)) continue;
    const Millis left = std::min<Millis>(reaped->reap(step), longest_sleep.count());
    next = std::min<Clock::time_point>(next, Clock::now() + std::chrono::milliseconds(left));
    end_turn();
  }
  return next;
}

inline void ReaperState::run(std::chrono::milliseconds interval,
                             std::chrono::milliseconds longest_sleep, std::size_t step) {
  for (;;) {
    const Clock::time_point next = make_round(step, longest_sleep);
    const Clock::time_point now = Clock::now();
    const WriterLock lock(mutex_);
    if (next > now) {
      Probe::count(Probe::kReaperSleeps);
      wait_until(next, /*may_be_rung=*/true);
      wait_until(now + interval, /*may_be_rung=*/false);
    }
    if (is_stopped_) return;
  }
}

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_REAPED_H_
