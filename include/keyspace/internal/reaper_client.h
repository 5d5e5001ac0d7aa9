// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_REAPER_CLIENT_H_
#define KEYSPACE_INTERNAL_REAPER_CLIENT_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "keyspace/internal/lock.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/probe.h"

namespace keyspace::internal {

// How a Reaper's thread erases expired entries:
//
//   ReaperState    belongs to a Reaper. Its run() is the thread's loop: passes and sleeps.
//   ReaperClient   belongs to a keyspace. It erases a step of entries for the thread. It wakes the
//                  thread when a call sets a deadline that is earlier than all that the thread
//                  knows.
//
// A pass calls ReaperClient::run_step() once for each client. Then the thread sleeps until the next
// deadline of any client. If more is due after a pass, the next pass follows at once.
//
// Either may be destroyed first: a client holds a shared_ptr to the state, and leaves it before the
// client is destroyed.

class ReaperClient;

// Invariants
//   1. The thread is inside run_step() of a client only while that client is current_.
//   2. When remove() returns, the thread is not inside run_step() of that client, and will not be.
//      Exception: on the thread itself, remove() returns during a step. If exit() made that call,
//      it does not return to the step.
//   3. wake() during a pass makes another pass follow.
class ReaperState {
 public:
  void add(ReaperClient& client) {
    const WriterLock lock(mutex_);
    clients_.push_back(&client);
    is_woken_ = true;
    changed_.notify_all();
  }
  // Removes a client. Waits for the step of that client if one is running on another thread.
  void remove(ReaperClient& client) {
    const WriterLock lock(mutex_);
    clients_.erase(std::remove(clients_.begin(), clients_.end(), &client), clients_.end());
    while (current_ == &client && thread_ != std::this_thread::get_id()) changed_.wait(mutex_);
  }
  // Makes the thread begin a pass: now if it sleeps, or else after the pass that is running.
  void wake() {
    const WriterLock lock(mutex_);
    is_woken_ = true;
    changed_.notify_all();
  }
  // Makes run() return after the step that is running.
  void stop() {
    const WriterLock lock(mutex_);
    is_stopped_ = true;
    clients_.clear();
    changed_.notify_all();
  }

  // The loop of the reaper's thread. After each pass, sleeps until a client has something due or
  // calls wake(), but for at least `interval` and at most `longest_sleep`. Does not sleep if
  // something is due already. Returns after stop(). Passes `step` to ReaperClient::run_step().
  void run(std::chrono::milliseconds interval, std::chrono::milliseconds longest_sleep,
           std::size_t step);

 private:
  friend struct TestPeer;
  using Clock = std::chrono::steady_clock;

  // Runs a step of each client. Returns the time of the next pass, which is now or in the past if
  // something is due already.
  Clock::time_point run_pass(std::size_t step, std::chrono::milliseconds longest_sleep);

  // Returns the clients of a pass. The pass answers every wake() before this.
  std::vector<ReaperClient*> begin_pass() {
    const WriterLock lock(mutex_);
    is_woken_ = false;
    return clients_;
  }
  // Makes a client current, so that it exists until end_step(). Returns false if it was removed
  // during this pass.
  bool begin_step(ReaperClient& client) {
    const WriterLock lock(mutex_);
    if (std::find(clients_.begin(), clients_.end(), &client) == clients_.end()) return false;
    current_ = &client;
    thread_ = std::this_thread::get_id();
    return true;
  }
  void end_step() {
    const WriterLock lock(mutex_);
    current_ = nullptr;
    changed_.notify_all();
  }

  // Sleeps until `time` or stop(); also until wake() if `ends_on_wake`.
  void sleep_until(Clock::time_point time, bool ends_on_wake)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!is_stopped_ && !(ends_on_wake && is_woken_)) {
      if (changed_.wait_until(mutex_, time) == std::cv_status::timeout) return;
    }
  }

  Mutex mutex_;
  // Not absl::CondVar: in some releases it measures time by a clock that may be set back.
  std::condition_variable_any changed_;
  std::vector<ReaperClient*> clients_ ABSL_GUARDED_BY(mutex_);
  const ReaperClient* current_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::thread::id thread_ ABSL_GUARDED_BY(mutex_);  // of run(), during a step
  bool is_woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

// The part of a keyspace that a Reaper knows. A derived class must call leave() in its destructor,
// before the members that its virtual functions use are destroyed.
//
// Invariant: after run_step(), the reaper wakes no later than the next deadline of the keyspace. If
// an earlier deadline is stored, during run_step() or after it, note_due() wakes the reaper.
class ReaperClient {
 public:
  ReaperClient() = default;
  ReaperClient(const ReaperClient&) = delete;
  ReaperClient& operator=(const ReaperClient&) = delete;

  // Joins a reaper, and leaves the one that it has joined before.
  void join(const std::shared_ptr<ReaperState>& reaper) {
    const WriterLock one_at_a_time(join_mutex_);
    set_reaper(reaper);
  }
  // Leaves `reaper`. Does nothing if this client has joined another reaper, or none. After this
  // call, the reaper's thread is not inside run_step() and will not call it.
  void leave(const std::shared_ptr<ReaperState>& reaper) {
    const WriterLock one_at_a_time(join_mutex_);
    {
      const WriterLock lock(mutex_);
      if (reaper_ != reaper) return;
    }
    set_reaper(nullptr);
  }
  // The same for any reaper that this client has joined.
  void leave() {
    const WriterLock one_at_a_time(join_mutex_);
    set_reaper(nullptr);
  }

  // Wakes the reaper if `due`, the next deadline of a shard, is earlier than all deadlines that the
  // reaper knows. Called after every change of a shard, when the shard's lock is released.
  void note_due(Millis due) {
    if (due < wake_deadline_.load(std::memory_order_relaxed)) [[unlikely]]
      wake_reaper();
  }

  // Erases expired entries in one step of at most `step` entries. Returns the number of
  // milliseconds until something is due: 0 if something is due already, kNeverMillis if nothing is.
  // Called by the reaper's thread.
  Millis run_step(std::size_t step) {
    // Until the end of next_due(), note_due() wakes the reaper for every deadline: next_due() may
    // have read the shard already. No deadline is missed. next_due() locks each shard after this
    // store; a call that changes a shard reads wake_deadline_ after it has unlocked the shard. So
    // either next_due() sees the change, or the call sees this store.
    wake_deadline_.store(kNeverMillis, std::memory_order_relaxed);
    erase_step(step);
    const Due due = next_due();
    wake_deadline_.store(due.deadline, std::memory_order_relaxed);
    return due.left;
  }

 protected:
  // When something is due next: as a deadline, and as the milliseconds from now until then.
  struct Due {
    Millis deadline = kNeverMillis;
    Millis left = kNeverMillis;
  };
  ~ReaperClient() = default;

 private:
  friend struct TestPeer;

  // Erases at most `step` expired entries.
  virtual void erase_step(std::size_t step) = 0;
  // Returns when the next entry expires; a time in the past if a hash map has steps to take. (No
  // call wakes the reaper for such steps.) Locks each shard.
  virtual Due next_due() = 0;

  void set_reaper(const std::shared_ptr<ReaperState>& reaper)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(join_mutex_) {
    std::shared_ptr<ReaperState> old;
    {
      const WriterLock lock(mutex_);
      old = std::exchange(reaper_, reaper);
      if (reaper == nullptr) wake_deadline_.store(kEarliestMillis, std::memory_order_relaxed);
    }
    if (old != nullptr) old->remove(*this);
    if (reaper != nullptr) reaper->add(*this);
  }

  void wake_reaper() {
    std::shared_ptr<ReaperState> reaper;
    {
      const WriterLock lock(mutex_);
      wake_deadline_.store(kEarliestMillis,
                           std::memory_order_relaxed);  // one wake is enough until run_step()
      reaper = reaper_;
    }
    if (reaper != nullptr) reaper->wake();
  }

  // Held while reaper_ changes. The change may wait for the reaper's thread, so it cannot hold
  // mutex_ all the time.
  Mutex join_mutex_;

  // note_due() wakes the reaper for a deadline before this. kEarliestMillis: for none, because
  // there is no reaper or it was woken already.
  std::atomic<Millis> wake_deadline_ = kEarliestMillis;
  Mutex mutex_;
  std::shared_ptr<ReaperState> reaper_ ABSL_GUARDED_BY(mutex_);
};

inline ReaperState::Clock::time_point ReaperState::run_pass(
    std::size_t step, std::chrono::milliseconds longest_sleep) {
  Clock::time_point next = Clock::now() + longest_sleep;
  for (ReaperClient* const client : begin_pass()) {
    if (!begin_step(*client)) continue;
    const Millis left = std::min<Millis>(client->run_step(step), longest_sleep.count());
    next = std::min<Clock::time_point>(next, Clock::now() + std::chrono::milliseconds(left));
    end_step();
  }
  return next;
}

inline void ReaperState::run(std::chrono::milliseconds interval,
                             std::chrono::milliseconds longest_sleep, std::size_t step) {
  for (;;) {
    const Clock::time_point next = run_pass(step, longest_sleep);
    const Clock::time_point now = Clock::now();
    const WriterLock lock(mutex_);
    if (next > now) {
      Probe::count(Probe::kReaperSleeps);
      sleep_until(next, /*ends_on_wake=*/true);
      sleep_until(now + interval, /*ends_on_wake=*/false);
    }
    if (is_stopped_) return;
  }
}

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_REAPER_CLIENT_H_
