// A program and a shared library, both with hidden symbols, use one keyspace.

#include <keyspace/clock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>

#include "shared_library.h"

namespace {

void require(bool is_true, const char* what) {
  if (is_true) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

void visit(const Numbers& numbers, const std::function<void(int)>& f) { numbers.visit(1, f); }
void set(Numbers& numbers, int value) { numbers.set(1, value); }

// One side reads while the other writes.
template <class Visit, class Set>
void check_that_a_write_waits_for_a_read(const Visit& visit_one, const Set& set_one) {
  for (const int reads : {0, 10'000}) {  // BiasedMutex: later readers use slots
    Numbers numbers(Numbers::Config{.shards = 1});
    numbers.set(1, 10);
    for (int i = 0; i != reads; ++i) visit_one(numbers, [](int) {});
    std::atomic<bool> is_set = false;
    std::jthread writer;
    visit_one(numbers, [&](int value) {
      writer = std::jthread([&] {
        set_one(numbers, 20);
        is_set = true;
      });
      for (int i = 0; i != 10'000; ++i) std::this_thread::yield();
      require(value == 10 && !is_set, "a write waits for a read");
    });
    writer.join();
    require(numbers.get(1) == 20, "a write comes after a read");
  }
}

}  // namespace

int main() {
  const auto before = keyspace::SteadyClock::now();
  const auto between = library::now();
  require(before <= between && between <= keyspace::SteadyClock::now(), "the clocks agree");

  check_that_a_write_waits_for_a_read(visit, library::set);
  check_that_a_write_waits_for_a_read(library::visit, set);

  // The library waits for a lock that this thread holds.
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) {
    alarm(10);  // ends a process that waits forever
    Numbers numbers(Numbers::Config{.shards = 1});
    numbers.set(1, 10);
    numbers.visit(1, [&](int) { library::set(numbers, 20); });
    _exit(0);
  }
  int status = 0;
  require(waitpid(child, &status, 0) == child, "waitpid");
  require(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "the program is aborted");
}
