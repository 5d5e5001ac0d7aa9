// Expiry in an event loop. The loop sleeps until an entry may expire, then erases a bounded number
// of entries. So no turn of the loop takes long, even if many entries expire at once.

#include <keyspace/clock.h>
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
  // No entry expires before next_deadline(), but the first entry may expire later. next_deadline()
  // is in the past while expired entries are stored, and nullopt if no entry can expire.
  while (const auto next = ks.next_deadline()) {
    std::this_thread::sleep_until(*next);  // a server waits for its sockets here, with a timeout

    clock.refresh();  // reads the time once for this turn

    // The limit also counts work on entries that are not expired. So a result of 0 does not mean
    // that nothing is left: the loop asks next_deadline() again.
    erased += ks.erase_expired(1000);
    ++turns;
  }
  const auto elapsed = std::chrono::steady_clock::now() - start;

  std::cout << "erased " << erased << " keys in " << turns << " turns\n";
  // The longest ttl is 250 ms, and the clock counts whole milliseconds.
  const bool all_on_time = elapsed >= 249ms;
  return ks.empty() && all_on_time ? 0 : 1;
}
