// Calls exit(7) on the thread of a Reaper or beside it. Each case runs in a child process, which
// must end with the code 7.

#include <keyspace/concurrent_keyspace.h>
#include <keyspace/reaper.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <latch>
#include <utility>

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

constexpr int kCode = 7;

using Listener = std::function<void(int, int, RemovalCause)>;
using Sessions = ConcurrentKeyspace<int, int, WithListener<Listener>>;

Sessions::Config calling(std::function<void()> f) {
  return {.listener = [f = std::move(f)](int, int, RemovalCause) { f(); }};
}
Sessions::Config exiting() {
  return calling([] { std::exit(kCode); });
}

[[noreturn]] void wait_forever() {
  std::promise<void>().get_future().wait();
  std::abort();
}
[[noreturn]] void expire_one(Sessions& ks) {
  ks.set(1, 1, 1ms);
  wait_forever();
}

// --- On the reaper's thread

void static_reaper_is_destroyed_first() {
  static Sessions ks(exiting());
  static Reaper reaper(ks);
  expire_one(ks);
}
void static_keyspace_is_destroyed_first() {
  static Reaper reaper;
  static Sessions ks(exiting());
  reaper.add(ks);
  expire_one(ks);
}
void local_reaper_and_keyspace() {
  Sessions ks(exiting());
  Reaper reaper(ks);
  expire_one(ks);
}
void local_keyspace_of_static_reaper() {
  static Reaper reaper;
  Sessions ks(exiting());
  reaper.add(ks);
  expire_one(ks);
}
void static_keyspace_of_local_reaper() {
  static Sessions ks(exiting());
  Reaper reaper(ks);
  expire_one(ks);
}
void several_keyspaces() {
  static Sessions first;
  static Reaper reaper(first);
  static Sessions second(exiting());
  static Sessions third;
  reaper.add(second);
  reaper.add(third);
  first.set(1, 1, 1h);
  third.set(1, 1, 1h);
  expire_one(second);
}
void second_reaper() {
  static Sessions ks(exiting());
  static Sessions other;
  static Reaper reaper(ks);
  static Reaper reaper_of_other(other);
  other.set(1, 1, 1h);
  expire_one(ks);
}
void main_waits_for_the_step() {
  static std::latch in_step(1);
  Sessions ks(calling([] {
    in_step.count_down();
    std::exit(kCode);
  }));
  {
    Reaper reaper(ks);
    ks.set(1, 1, 1ms);
    in_step.wait();
  }
  wait_forever();
}
void quick_exit_is_called() {
  static Sessions ks(calling([] { std::quick_exit(kCode); }));
  static Reaper reaper(ks);
  expire_one(ks);
}
void exit_handler_removes_and_adds() {
  static Sessions ks(exiting());
  static Reaper reaper(ks);
  static Reaper other;
  std::atexit([] {
    reaper.remove(ks);
    reaper.add(ks);
    other.add(ks);
  });
  expire_one(ks);
}
void computation_in_listener() {
  static Sessions* self = nullptr;
  static Sessions ks(
      calling([] { self->get_or_compute(2, 1h, []() -> int { std::exit(kCode); }); }));
  self = &ks;
  static Reaper reaper(ks);
  expire_one(ks);
}

// --- On a thread of the user, while the reaper runs

void listener_on_main() {
  static Sessions ks(exiting());
  static Reaper reaper(ks);
  ks.set(1, 1, 1h);
  ks.erase(1);
}
void computation() {
  static Sessions ks;
  static Reaper reaper(ks);
  ks.set(1, 1, 1ms);
  ks.get_or_compute(2, 1h, []() -> int { std::exit(kCode); });
}
void listener_waits_for_the_step() {
  static std::latch in_step(1);
  static Sessions ks({.listener = [](int key, int, RemovalCause) {
    if (key == 1) in_step.count_down();
    if (key == 2) std::exit(kCode);
  }});
  static Reaper reaper(ks);
  ks.set(2, 2);
  ks.set(1, 1, 1ms);
  in_step.wait();
  ks.erase(2);
}

struct Case {
  const char* name;
  void (*run)();
};
constexpr Case kCases[] = {
    {"static_reaper_is_destroyed_first", static_reaper_is_destroyed_first},
    {"static_keyspace_is_destroyed_first", static_keyspace_is_destroyed_first},
    {"local_reaper_and_keyspace", local_reaper_and_keyspace},
    {"local_keyspace_of_static_reaper", local_keyspace_of_static_reaper},
    {"static_keyspace_of_local_reaper", static_keyspace_of_local_reaper},
    {"several_keyspaces", several_keyspaces},
    {"second_reaper", second_reaper},
    {"main_waits_for_the_step", main_waits_for_the_step},
    {"quick_exit_is_called", quick_exit_is_called},
    {"exit_handler_removes_and_adds", exit_handler_removes_and_adds},
    {"computation_in_listener", computation_in_listener},
    {"listener_on_main", listener_on_main},
    {"computation", computation},
    {"listener_waits_for_the_step", listener_waits_for_the_step},
};

// Returns whether the case ends with the code 7.
bool passes(const Case& tested) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);  // in case it does not end
    tested.run();
    _exit(1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return false;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kCode) return true;
  std::fprintf(stderr, "%s: ended with status %#x, not with the code %d\n", tested.name,
               static_cast<unsigned>(status), kCode);
  return false;
}

}  // namespace
}  // namespace keyspace::testing

int main() {
  bool is_passed = true;
  for (const auto& tested : keyspace::testing::kCases) {
    if (!keyspace::testing::passes(tested)) is_passed = false;
  }
  return is_passed ? 0 : 1;
}
