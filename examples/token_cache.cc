// A cache of access tokens. Each token comes with its own lifetime, so the function returns both as
// a Computed. A token is fetched again a minute before it expires, by one caller. The others get
// the old one meanwhile. (A token that lives for less than a minute would be fetched by each call.)

#include <keyspace/concurrent_keyspace.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>
#include <utility>

using namespace std::chrono_literals;

// The answer of an authorization server.
struct Grant {
  std::string token;
  std::chrono::seconds expires_in;
};

template <class Clock = keyspace::SteadyClock>
class Tokens {
 public:
  explicit Tokens(std::function<Grant(const std::string& user)> fetch, Clock clock = {})
      : fetch_(std::move(fetch)), tokens_(std::move(clock)) {}

  std::string get(const std::string& user) {
    return tokens_.get_or_compute(user, {.refresh_ahead = 1min}, [&] {
      Grant grant = fetch_(user);
      return keyspace::Computed{std::move(grant.token), grant.expires_in};
    });
  }

 private:
  std::function<Grant(const std::string& user)> fetch_;
  keyspace::ConcurrentKeyspace<std::string, std::string, Clock> tokens_;
};

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "not true: " << what << '\n';
  std::exit(1);
}

int main() {
  int fetched = 0;
  const auto fetch = [&](const std::string& user) {
    return Grant{user + "-" + std::to_string(++fetched), user == "ada" ? 1h : 10min};
  };
  const keyspace::ManualClock clock;
  Tokens tokens(fetch, clock);
  expect(tokens.get("ada") == "ada-1", "the first call fetches a token");
  expect(tokens.get("bob") == "bob-2", "each user has one");
  clock.advance(9min);
  expect(tokens.get("ada") == "ada-1", "a token of an hour has time left");
  expect(tokens.get("bob") == "bob-3", "a token of ten minutes is fetched again after nine");
}
