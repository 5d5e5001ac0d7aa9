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

// How two servers answered the same command, where they should have answered alike.
struct Mismatch {
  std::size_t step;  // its number in the sequence
  std::string ours;
  std::string theirs;
};

// A server of ours and a real one, that are sent the same commands.
class Twins {
 public:
  Twins(const std::filesystem::path& ours, const std::filesystem::path& theirs,
        Generation generation_of_theirs)
      : ours_(ours), theirs_(theirs), generation_(generation_of_theirs) {}

  // Runs steps on empty servers, up to the first whose replies differ. `deadlines` are those that
  // the commands give as such.
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
  void wait_for_deaths();

  Client ours_;
  Client theirs_;
  Generation generation_;
  std::chrono::milliseconds last_ask_{0};     // how long the last command took on both
  std::chrono::milliseconds longest_ask_{0};  // of those since the servers were empty
};

#endif  // KEYSPACE_TESTS_SERVERS_TWINS_H_
