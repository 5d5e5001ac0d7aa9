#ifndef KEYSPACE_TESTS_REDIS_PRIVATE_SERVER_H_
#define KEYSPACE_TESTS_REDIS_PRIVATE_SERVER_H_

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

// A server that speaks Redis's protocol, for the program alone: on a Unix socket in a directory of
// its own, which go when it goes. The destructor kills it.
class PrivateServer {
 public:
  // Starts `words`, a program and its arguments, with "--unixsocket PATH" behind them.
  // From then on, SIGPIPE is ignored: to send what nobody takes fails instead.
  //
  // Returns null if there is no such program to run. It may not listen yet when this returns; what
  // it writes to standard output is dropped.
  static std::unique_ptr<PrivateServer> start(std::vector<std::string> words);

  // The same for a redis-server on the PATH that listens nowhere else and keeps nothing on disk.
  static std::unique_ptr<PrivateServer> start_redis(const std::vector<std::string>& more);

  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;
  ~PrivateServer();

  [[nodiscard]] std::filesystem::path socket() const { return directory_ / "socket"; }
  [[nodiscard]] pid_t process() const { return process_; }

  // Waits until the server has ended by itself. Returns its exit code, or -1 if a signal ended it.
  int wait();

 private:
  PrivateServer();

  std::filesystem::path directory_;
  pid_t process_ = 0;  // 0: it does not run
};

// From the first start() on, SIGHUP, SIGINT, SIGQUIT and SIGTERM no longer end the program but make
// this return true: so a program can end in the way that destroys its servers.
bool is_told_to_end();

#endif  // KEYSPACE_TESTS_REDIS_PRIVATE_SERVER_H_
