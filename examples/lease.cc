// Leases, as with SET NX PX and the script that deletes a key only if it still holds the token.
// A holder that dies loses its lease after the ttl. Each step of a lease is one compute(). So no
// holder can release or extend the lease of another.

#include <keyspace/concurrent_keyspace.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;

template <class Clock = keyspace::SteadyClock>
class Leases {
 public:
  using Token = std::uint64_t;  // the caller makes a new one for each acquire()

  explicit Leases(Clock clock = {}) : leases_(std::move(clock)) {}

  // Takes the lease if nobody holds it. Returns true iff it did.
  bool acquire(std::string_view name, Token token, std::chrono::milliseconds ttl) {
    return leases_.insert(name, token, ttl);
  }
  // Extends the lease to `ttl` from now. Returns false if it is lost.
  bool extend(std::string_view name, Token token, std::chrono::milliseconds ttl) {
    return leases_.compute(name, [&](auto& lease) {
      return lease.value() != nullptr && *lease.value() == token && lease.expire(ttl);
    });
  }
  // Returns false if the lease was lost before. It may belong to another holder then.
  bool release(std::string_view name, Token token) {
    return leases_.compute(name, [&](auto& lease) {
      return lease.value() != nullptr && *lease.value() == token && lease.erase();
    });
  }

 private:
  keyspace::ConcurrentKeyspace<std::string, Token, Clock> leases_;
};

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "not true: " << what << '\n';
  std::exit(1);
}

int main() {
  const keyspace::ManualClock clock;
  Leases leases(clock);
  expect(leases.acquire("report", 1, 5s), "the first caller gets the lease");
  expect(!leases.acquire("report", 2, 5s), "the second caller does not");
  clock.advance(4s);
  expect(leases.extend("report", 1, 5s), "the holder extends the lease");
  clock.advance(5s);
  expect(leases.acquire("report", 2, 5s), "another caller gets an expired lease");
  expect(!leases.extend("report", 1, 5s), "the first holder has lost it");
  expect(!leases.release("report", 1), "and cannot release the lease of the second");
  expect(leases.release("report", 2), "the second holder releases it");
  expect(leases.acquire("report", 3, 5s), "and it is free");
}
