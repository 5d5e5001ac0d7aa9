// Checks all schedules of a few threads that lock a SharedMutex or a BiasedMutex. A schedule is an
// order of their atomic operations.
//
// A step runs one operation of one thread. For that it calls lock() or unlock() from the beginning.
// The operations of earlier steps return the same results as before. Then one new operation runs,
// and the next one throws Paused. So the state of a thread is the list of the results of its
// operations, which can be copied and compared.
//
// Every operation is sequentially consistent here, whatever its memory order. The memory orders are
// tested in locks.cc, by ThreadSanitizer.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "keyspace/internal/biased_mutex.h"
#include "keyspace/internal/shared_mutex.h"
#include "support/catch.hpp"
#include "support/length.h"

namespace keyspace::testing {
namespace {

struct Schedules {
  static constexpr std::size_t kNone = ~std::size_t{0};
  // Numbers of the words: the members of SharedMutex (0 to 3) and BiasedMutex (4 and 5), in order.
  static constexpr std::size_t kStateWord = 0;
  static constexpr std::size_t kWokenWords[] = {1, 2};
  static constexpr std::size_t kBiasWord = 4;
  static constexpr std::size_t kSlotWords = 6;
  static constexpr std::size_t kSlots = 2;

  struct Thread {
    int calls = 0;                       // calls that have returned: lock, unlock, and so on
    std::vector<std::uint64_t> results;  // of the operations of the call in progress
    void* slot = nullptr;                // the slot with which it has locked a BiasedMutex
    std::size_t asleep_on = kNone;       // the number of a word
    // In a loop that waits for a word: the number of the word, and the number of operations before
    // the loop.
    std::size_t waits_on = kNone;
    std::size_t loop = 0;
    // For a thread that has begun to wait for the lock, and does not hold it yet:
    bool has_arrived = false;
    bool is_after_writer = false;  // when it arrived, a writer waited and none held the lock
    int writers_before = 0;        // writers that have entered since then
  };
  struct State {
    std::array<std::uint64_t, kSlotWords + kSlots> words = {};  // of the lock, then the slots
    int readers = 0;                                            // readers that hold the lock
    int writers = 0;                                            // writers that hold the lock
    std::vector<Thread> threads;
  };

  // --- The Threading of the mutexes ---

  struct Paused {};

  // Runs an operation of the running thread. If it ran in an earlier step, returns its result.
  template <class Operation>
  static std::uint64_t make(const Operation& operation) {
    Thread& self = state->threads[running];
    if (repeated == self.results.size()) {
      if (has_moved) throw Paused();
      has_moved = true;
      self.results.push_back(operation(self));
    }
    return self.results[repeated++];
  }

  template <class T>
  class Atomic {
   public:
    // Every word starts with 0: see explore().
    explicit Atomic(T value) : word_(words_made++) { require(value == T(), "a word is not 0"); }

    T load(std::memory_order) const {
      return static_cast<T>(make([&](Thread& self) {
        if (counts_wakes() || word_ >= kSlotWords) {
          self.waits_on = word_;
          self.loop = self.results.size();
        }
        return state->words[word_];
      }));
    }
    T fetch_add(T more, std::memory_order) {
      return static_cast<T>(make([&](Thread& self) {
        const std::uint64_t before =
            std::exchange(state->words[word_], static_cast<T>(state->words[word_] + more));
        if (word_ != kStateWord) return std::uint64_t{0};  // it is not used
        arrive(self, before);
        return before;
      }));
    }
    T fetch_sub(T less, std::memory_order) {
      return static_cast<T>(make([&](Thread&) {
        return std::exchange(state->words[word_], static_cast<T>(state->words[word_] - less));
      }));
    }
    void store(T value, std::memory_order) {
      make([&](Thread&) {
        change(value);
        return std::uint64_t{0};
      });
    }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order, std::memory_order) {
      const T found = static_cast<T>(make([&](Thread&) {
        const std::uint64_t before = state->words[word_];
        if (before == expected) change(desired);
        return before;
      }));
      return std::exchange(expected, found) == found;
    }
    T exchange(T value, std::memory_order) {
      return static_cast<T>(
          make([&](Thread&) { return std::exchange(state->words[word_], value); }));
    }

    [[nodiscard]] std::size_t number() const { return word_; }

   private:
    [[nodiscard]] bool counts_wakes() const {
      return std::find(std::begin(kWokenWords), std::end(kWokenWords), word_) !=
             std::end(kWokenWords);
    }
    // Also wakes the threads that wait for a slot: see wait_with_limit().
    void change(T value) {
      state->words[word_] = value;
      if (word_ >= kSlotWords) wake_all_on(word_);
    }
    std::size_t word_;
  };

  using Word = Atomic<std::uint32_t>;
  // After the sleep the loop begins again. The results in it do not matter any more.
  static void wait(const Word& word, std::uint32_t value) {
    make([&](Thread& self) -> std::uint64_t {
      if (state->words[word.number()] == value) self.asleep_on = word.number();
      self.results.resize(self.loop);
      throw Paused();
    });
  }
  // A wake before the slot has changed would only repeat the same state.
  static void wait_with_limit(const Word& slot, std::uint32_t value) { wait(slot, value); }
  static void wake_all_on(std::size_t word) {
    for (Thread& thread : state->threads) {
      if (thread.asleep_on == word) thread.asleep_on = kNone;
    }
  }
  static void wake_all(const Word& word) {
    make([&](Thread&) {
      wake_all_on(word.number());
      return std::uint64_t{0};
    });
  }
  // Wakes the sleeping thread that the schedule chooses.
  static void wake_one(const Word& word) {
    make([&](Thread&) {
      could_wake = 0;
      for (Thread& thread : state->threads) {
        if (thread.asleep_on == word.number() && could_wake++ == to_wake) thread.asleep_on = kNone;
      }
      return std::uint64_t{0};
    });
  }

  static inline int kSpins = 0;
  static constexpr std::uint32_t kReadsPerSlot = 0;  // biased after one read
  static std::size_t thread_number() { return running; }
  static void pause() {}
  static void before_wait(const void*) {}

  // A BiasedMutex with two slots. If there are more than two threads, some share a slot.
  struct Biased {
    Biased() {
      words_made = kSlotWords;
      slots.emplace();
      words_made = 0;
      mutex.emplace(*slots, 1U);
    }
    void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex->lock(); }
    void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex->unlock(); }
    void lock_shared() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      state->threads[running].slot = mutex->lock_shared();
      are_slots_used |= state->threads[running].slot != nullptr;
    }
    void unlock_shared() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      void*& slot = state->threads[running].slot;
      mutex->unlock_shared(static_cast<internal::ReaderSlot<Schedules>*>(slot));
      slot = nullptr;
    }
    // Static, because a thread that has locked the mutex keeps the address of its slot.
    static inline std::optional<std::array<internal::ReaderSlot<Schedules>, kSlots>> slots;
    static inline std::optional<internal::BiasedMutex<Schedules>> mutex;
  };

  // --- The promises of a mutex ---

  static void require(bool is_true, const char* broken) {
    if (!is_true) throw std::logic_error(broken);
  }
  static void arrive(Thread& self, std::uint64_t before) {
    if (self.has_arrived) return;
    self.has_arrived = true;
    const bool is_held_by_writer = (before >> 60 & 1) != 0;
    for (std::size_t i = 0; i != state->threads.size(); ++i) {
      if (i != running && is_writer(i) && state->threads[i].has_arrived && !is_held_by_writer) {
        self.is_after_writer = true;
      }
    }
  }
  static void enter(Thread& self) {
    require(state->writers == 0, "a thread holds the lock while a writer does");
    if (is_writer(running)) {
      require(state->readers == 0, "a writer holds the lock while a reader does");
      ++state->writers;
      for (std::size_t i = 0; i != state->threads.size(); ++i) {
        Thread& other = state->threads[i];
        if (i == running || !other.has_arrived || is_writer(i)) continue;
        require(++other.writers_before == 1, "two writers overtake a waiting reader");
      }
    } else {
      ++state->readers;
      most_readers = std::max(most_readers, state->readers);
      require(!self.is_after_writer || self.writers_before != 0,
              "a reader overtakes a writer that waited when it arrived");
    }
    self.has_arrived = self.is_after_writer = false;
    self.writers_before = 0;
  }

  // --- All schedules ---

  static bool is_writer(std::size_t thread) { return roles[thread] == 'w'; }

  // Returns the state after the next operation of a thread. If the operation wakes one of several
  // sleeping threads, it is number `wakes` of them.
  template <class Mutex>
  static State step(State from, std::size_t thread,
                    std::size_t wakes) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    state = &from;
    running = thread;
    to_wake = wakes;
    could_wake = repeated = words_made = 0;
    has_moved = false;
    Thread& self = from.threads[thread];
    const bool locks = self.calls % 2 == 0;
    if (!locks && self.results.empty()) --(is_writer(thread) ? from.writers : from.readers);
    Mutex mutex;
    try {
      if (is_writer(thread)) {
        locks ? mutex.lock() : mutex.unlock();
      } else {
        locks ? mutex.lock_shared() : mutex.unlock_shared();
      }
      self.results.clear();
      self.waits_on = kNone;
      self.loop = 0;
      ++self.calls;
      if (locks) enter(self);
    } catch (const Paused&) {
    }
    return from;
  }

  // Returns a text that is equal for states that differ only by exchanging threads of one role.
  static std::string text_of(const State& any) {
    std::vector<std::string> threads;
    for (std::size_t i = 0; i != roles.size(); ++i) {
      const Thread& thread = any.threads[i];
      std::string& text = threads.emplace_back(1, roles[i]);
      const auto append = [&text](std::uint64_t number) {
        text.append(reinterpret_cast<const char*>(&number), sizeof number);
      };
      for (const int small :
           {thread.calls, static_cast<int>(thread.asleep_on + 1), static_cast<int>(thread.loop),
            int{thread.has_arrived}, int{thread.is_after_writer}, thread.writers_before,
            thread.slot != nullptr ? 1 : 0, tells_slots_apart ? static_cast<int>(i % kSlots) : 0}) {
        text.push_back(static_cast<char>(small));
      }
      for (const std::uint64_t result : thread.results) append(result);
    }
    std::sort(threads.begin(), threads.end());
    std::string text(reinterpret_cast<const char*>(any.words.data()), sizeof any.words);
    for (const std::string& thread : threads) text += thread + '|';
    return text;
  }

  // Makes states equal that differ only in how often a word was incremented to wake threads.
  static void forget_counts(State& any) {
    for (Thread& thread : any.threads) {
      if (thread.waits_on >= kSlotWords || thread.results.size() <= thread.loop) continue;
      std::uint64_t& seen = thread.results[thread.loop];
      seen = seen == any.words[thread.waits_on] ? 0 : 1000;
    }
    for (const std::size_t word : kWokenWords) any.words[word] = 0;
  }

  // Explores all states. Returns their number. Throws if a promise is broken in any of them.
  template <class Mutex>
  static std::size_t explore(const std::string& of_roles, int rounds, bool is_biased = false) {
    roles = of_roles;
    most_readers = 0;
    are_slots_used = false;
    tells_slots_apart = std::is_same_v<Mutex, Biased>;
    State start;
    start.words[kBiasWord] = is_biased ? 1 : 0;
    start.threads.resize(roles.size());
    absl::flat_hash_set<std::string> seen = {text_of(start)};
    std::vector<State> left = {start};
    while (!left.empty()) {
      const State next = std::move(left.back());
      left.pop_back();
      bool can_go_on = false;
      for (std::size_t i = 0; i != roles.size(); ++i) {
        if (next.threads[i].calls == 2 * rounds || next.threads[i].asleep_on != kNone) continue;
        can_go_on = true;
        std::size_t wakes = 0;
        do {
          State after = step<Mutex>(next, i, wakes);
          forget_counts(after);
          if (seen.insert(text_of(after)).second) left.push_back(std::move(after));
        } while (++wakes < could_wake);
      }
      if (can_go_on) continue;
      for (const Thread& thread : next.threads) {
        require(thread.calls == 2 * rounds, "a thread sleeps forever");
      }
      require(std::popcount(next.words[kStateWord]) <= 1, "the lock is not free at the end");
      for (std::size_t i = kSlotWords; i != next.words.size(); ++i) {
        require(next.words[i] == 0, "a slot is not free at the end");
      }
    }
    return seen.size();
  }

  static inline std::string roles;
  static inline State* state;
  static inline std::size_t running;
  static inline std::size_t to_wake;
  static inline std::size_t could_wake;
  static inline std::size_t repeated;
  static inline bool has_moved;
  static inline std::size_t words_made;
  static inline int most_readers;
  static inline bool are_slots_used;
  static inline bool tells_slots_apart;
};

void try_all_schedules(const std::string& roles, int rounds, int tries) {
  CAPTURE(roles, rounds, tries);
  Schedules::kSpins = tries;
  CHECK(Schedules::explore<internal::SharedMutex<Schedules>>(roles, rounds) > roles.size());
  CHECK(Schedules::most_readers == std::count(roles.begin(), roles.end(), 'r'));
}

TEST_CASE("a SharedMutex keeps its promises in all schedules of readers and writers", "[long]") {
  for (const char* const roles : {"rr", "ww", "rw"}) {
    try_all_schedules(roles, 2, 0);
    try_all_schedules(roles, 2, 1);
  }
  for (const char* const roles : {"rrr", "rrw", "rww"}) try_all_schedules(roles, 1, 0);
  const bool is_full = shortened(10) == 10;
  if (is_full) {
    for (const char* const roles : {"rrw", "rww", "www"}) try_all_schedules(roles, 1, 1);
    for (const char* const roles : {"rrrw", "rrww"}) try_all_schedules(roles, 1, 0);
  }
}

void try_all_biased_schedules(const std::string& roles, int rounds, bool is_biased) {
  CAPTURE(roles, rounds, is_biased);
  Schedules::kSpins = 0;
  CHECK(Schedules::explore<Schedules::Biased>(roles, rounds, is_biased) > roles.size());
  const auto readers = std::count(roles.begin(), roles.end(), 'r');
  CHECK(Schedules::most_readers == readers);
  // If it is not biased at the start, the first read makes it biased, and the second uses a slot.
  CHECK(Schedules::are_slots_used == (is_biased || readers * rounds > 1));
}

TEST_CASE("a BiasedMutex keeps its promises in all schedules of readers and writers", "[long]") {
  const bool is_full = shortened(10) == 10;
  for (const bool is_biased : {true, false}) {
    for (const char* const roles : {"rr", "rw"}) try_all_biased_schedules(roles, 2, is_biased);
    for (const char* const roles : {"rrr", "rrw"}) try_all_biased_schedules(roles, 1, is_biased);
    if (!is_full) continue;
    try_all_biased_schedules("rw", 3, is_biased);
    for (const char* const roles : {"rww", "rrrw"}) try_all_biased_schedules(roles, 1, is_biased);
  }
}

}  // namespace
}  // namespace keyspace::testing
