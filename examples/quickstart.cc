#include <keyspace/keyspace.h>

#include <chrono>
#include <iostream>
#include <string>

int main() {
  using namespace std::chrono_literals;
  using keyspace::Condition;

  keyspace::Keyspace<std::string, std::string> ks;
  const auto show = [&ks](bool reply) {
    std::cout << reply << ", " << ks.pttl("mykey").value_or(0ms).count() << " ms left\n";
  };

  ks.set("mykey", "Hello");                       // SET mykey "Hello"
  show(ks.pexpire("mykey", 1500ms));              // PEXPIRE mykey 1500: 1, 1500 ms left
  show(ks.pexpire("mykey", 1s, Condition::kXx));  // ... 1000 XX: 1, it had an expiry; 1000 ms left
  show(ks.pexpire("mykey", 2s, Condition::kNx));  // ... 2000 NX: 0, it has one; nothing happens

  if (const std::string* value = ks.find("mykey")) std::cout << *value << '\n';  // null once dead
  return ks.pttl("mykey").value_or(0ms) <= 1s ? 0 : 1;
}
