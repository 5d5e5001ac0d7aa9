#ifndef KEYSPACE_TESTS_SERVERS_TWINS_H_
#define KEYSPACE_TESTS_SERVERS_TWINS_H_

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "servers/client.h"
#include "servers/differences.h"
#include "servers/sequence.h"

// Replies of two servers to the same command that should agree, but do not.
struct Mismatch {
  std::size_t step;  // the index of the command in the sequence
  std::string ours;
  std::string theirs;
};

// redis_server and a real server, which get the same commands.
class Twins {
 public:
  Twins(const std::filesystem::path& ours, const std::filesystem::path& theirs,
        Generation generation_of_theirs)
      : ours_(ours), theirs_(theirs), generation_(generation_of_theirs) {}

  // Empties the servers and runs steps, up to the first with replies that disagree. `deadlines` are
  // the deadlines in the commands.
  std::optional<Mismatch> run(const std::vector<Sequence::Step>& steps,
                              const std::set<std::int64_t>& deadlines);

 private:
  struct Answers {
    Answer ours;
    Answer theirs;
  };

  void reset();
  Answers ask(const Command& command);
  bool agree(const Command& command, const Answers& answers,
             const std::set<std::int64_t>& deadlines);
  bool agree_on_time(const Command& command, const Answers& answers,
                     const std::set<std::int64_t>& deadlines);
  void wait_for_expiries();

  Client ours_;
  Client theirs_;
  Generation generation_;
  std::chrono::milliseconds last_ask_{0};     // how long the last command took on both servers
  std::chrono::milliseconds longest_ask_{0};  // the longest since reset()
};

#endif  // KEYSPACE_TESTS_SERVERS_TWINS_H_
