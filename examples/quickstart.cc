#include <keyspace/keyspace.h>

#include <chrono>
#include <iostream>
#include <string>

int main() {
  using namespace std::chrono_literals;
  keyspace::Keyspace<std::string, std::string> sessions;
  sessions.set("alice", "token", 30min);                    // SET alice token PX 1800000
  sessions.pexpire("alice", 1h, keyspace::Condition::kGt);  // PEXPIRE alice 3600000 GT
  if (const auto* token = sessions.find("alice")) std::cout << *token << '\n';  // prints "token"
  sessions.pexpire("alice", 0s);  // over at once: erases the key
  return sessions.contains("alice") ? 1 : 0;
}
