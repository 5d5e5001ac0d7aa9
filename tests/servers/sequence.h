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
// Its times are such that two servers, which run a command a moment one after the other, have to
// give the same replies. A ttl or a deadline that lies ahead is a multiple of ten seconds, and no
// ttl is used twice; so which of two deadlines is later depends on no moment. What may die within
// milliseconds is waited for.
class Sequence {
 public:
  struct Step {
    Command command;
    bool waits;  // until none of all_keys() is about to die
  };

  // REQUIRES: `now` is Unix time in milliseconds.
  Sequence(std::uint64_t seed, std::size_t size, std::int64_t now);

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }

  // The deadlines that were given as such: they are the same on both servers to the millisecond.
  [[nodiscard]] const std::set<std::int64_t>& deadlines() const { return deadlines_; }

 private:
  std::vector<Step> steps_;
  std::set<std::int64_t> deadlines_;
};

// The keys that sequences use.
const std::vector<std::string>& all_keys();

#endif  // KEYSPACE_TESTS_SERVERS_SEQUENCE_H_
