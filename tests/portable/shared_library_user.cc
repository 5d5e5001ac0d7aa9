// A program and a shared library, both with hidden symbols, lock one keyspace.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include "shared_library.h"

namespace {

using namespace std::chrono_literals;

void require(bool is_true, const char* what) {
  if (is_true) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

// Writes on one side, reads on the other.
template <class Write, class Read>
void share(const Write& write, const Read& read) {
  Pairs pairs(Pairs::Options{.shards = 1});
  pairs.set(1, {0, 0}, 1h);
  const std::jthread writer([&] {
    for (int i = 0; i != 200; ++i) {
      write(pairs);
      std::this_thread::yield();
    }
  });
  for (int i = 0; i != 40'000; ++i) require(read(pairs), "a read sees all of a write");
}

}  // namespace

int main() {
  const auto before = keyspace::SteadyClock::now();
  const auto between = time_of_library();
  require(before <= between && between <= keyspace::SteadyClock::now(), "the clocks agree");

  share([](Pairs& pairs) { add_one_to_both(pairs, 1); },
        [](Pairs& pairs) {
          const auto pair = pairs.get(1);
          return pair.has_value() && pair->first == pair->second;
        });
  share(
      [](Pairs& pairs) {
        pairs.update(1, [](std::pair<int, int>& pair) {
          ++pair.first;
          ++pair.second;
        });
      },
      [](Pairs& pairs) { return are_alike(pairs, 1); });

  // A function that is called under a lock on one side calls the keyspace on the other.
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) {
    alarm(10);  // if it waits for ever
    Pairs pairs(Pairs::Options{.shards = 1});
    pairs.set(1, {0, 0});
    pairs.visit(1, [&](const auto&) { add_one_to_both(pairs, 1); });
    _exit(0);
  }
  int status = 0;
  require(waitpid(child, &status, 0) == child, "waitpid");
  require(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "the program is aborted");
}
