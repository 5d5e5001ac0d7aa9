#ifndef KEYSPACE_TESTS_SERVERS_SEQUENCE_H_
#define KEYSPACE_TESTS_SERVERS_SEQUENCE_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

using Command = std::vector<std::string>;

// A sequence of random commands for a server with an empty keyspace.
//
// Two servers, which run a command at slightly different times, must give the same replies. So a
// ttl or a deadline in the future is a multiple of ten seconds, and no ttl is used twice. Then the
// order of two deadlines does not depend on the time of a command. After a command with a ttl of a
// few milliseconds, the sequence waits until the key is expired.
class Sequence {
 public:
  struct Step {
    Command command;
    bool waits;  // whether to wait until none of all_keys() expires within a second
  };

  // REQUIRES: `now` is Unix time in milliseconds.
  Sequence(std::uint64_t seed, std::size_t size, std::int64_t now);

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }

  // The deadlines in the commands. They are equal on both servers, to the millisecond.
  [[nodiscard]] const std::set<std::int64_t>& deadlines() const { return deadlines_; }

 private:
  std::vector<Step> steps_;
  std::set<std::int64_t> deadlines_;
};

// Returns the keys that sequences use.
const std::vector<std::string>& all_keys();

#endif  // KEYSPACE_TESTS_SERVERS_SEQUENCE_H_
