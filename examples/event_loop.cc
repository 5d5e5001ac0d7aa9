// Expiry in an event loop: sleep until something may be due, then erase a bounded number of keys,
// so that no turn of the loop takes long, however many keys die at once.

#include <keyspace/keyspace.h>

#include <chrono>
#include <cstddef>
#include <iostream>
#include <thread>

using namespace std::chrono_literals;

int main() {
  const auto start = std::chrono::steady_clock::now();
  const keyspace::CachedClock clock;
  keyspace::Keyspace<int, int, keyspace::CachedClock<>> ks(clock);
  constexpr int kKeys = 20'000;
  for (int key = 0; key < kKeys; ++key) ks.set(key, key, 100ms + key % 4 * 50ms);

  std::size_t erased = 0;
  int turns = 0;
  // Nothing dies before next_deadline(). It is past while dead keys are left, and it may come
  // before anything is due; when it is empty, nothing will ever die.
  while (const auto next = ks.next_deadline()) {
    std::this_thread::sleep_until(*next);  // where a server waits for its sockets, with a timeout

    clock.refresh();  // the time of this turn, read once for all that is done in it

    // Work on keys that are not due yet counts against the limit too. So even 0 does not mean that
    // nothing is left to do; the loop asks next_deadline() again.
    erased += ks.erase_expired(1000);
    ++turns;
  }
  const auto elapsed = std::chrono::steady_clock::now() - start;

  std::cout << "erased " << erased << " keys in " << turns << " turns\n";
  const bool all_on_time = elapsed >= 249ms;  // the last were given 250, and time has ticks of 1
  return ks.empty() && all_on_time ? 0 : 1;
}
