// Forks while a ConcurrentKeyspace exists. The child may use the keyspace if no other thread does.

#include <keyspace/concurrent_keyspace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

using Ints = ConcurrentKeyspace<int, int>;

// Returns the exit code of a child that calls f(); -1 if it did not exit.
template <class F>
int code_of_child(const F& f) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);  // in case it does not end
    _exit(f());
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

// Makes calls of all kinds, on several threads. Returns true if they have the right results.
bool uses(Ints& ks) {
  for (int i = 0; i != 10'000; ++i) {  // enough that readers use the slots of their threads
    if (ks.get(1) != 10) return false;
  }
  std::thread([&] { ks.set(2, 20, 1h); }).join();
  const bool is_there = ks.get(2) == 20 && ks.get_or_compute(3, 1h, [] { return 30; }) == 30;
  return is_there && ks.rename(3, 2) && ks.erase(2) && ks.erase_expired() == 0 && ks.size() == 1;
}

// The child uses and destroys a keyspace that no thread uses at the fork.
bool child_may_use_an_idle_keyspace() {
  std::optional<Ints> ks;
  ks.emplace();
  ks->set(1, 10);
  const bool is_used_before = uses(*ks);
  const int code = code_of_child([&] {
    const bool is_used = uses(*ks);
    ks.reset();
    return is_used ? 7 : 1;
  });
  return is_used_before && code == 7 && uses(*ks);
}

}  // namespace
}  // namespace keyspace::testing

int main() {
  if (keyspace::testing::child_may_use_an_idle_keyspace()) return 0;
  std::fputs("the child could not use the keyspace\n", stderr);
  return 1;
}
