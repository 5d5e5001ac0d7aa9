#ifndef KEYSPACE_TESTS_SERVERS_PRIVATE_SERVER_H_
#define KEYSPACE_TESTS_SERVERS_PRIVATE_SERVER_H_

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// A server program that speaks the Redis protocol. Valkey began as a copy of Redis 7.2.
enum class Engine { kRedis, kValkey };

// Returns "redis-server" or "valkey-server".
std::string program_of(Engine engine);

// Returns the engine called "redis" or "valkey"; throws std::invalid_argument for other names.
Engine engine_named(std::string_view name);

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

  // Starts a real server from the PATH, with the additional arguments `more`. It listens only on
  // the socket and writes nothing to disk. Debian has each server in two packages. One starts it as
  // a service too. The other, redis-tools or valkey-tools, has it as redis-check-rdb or
  // valkey-check-rdb. Either works here.
  static std::unique_ptr<PrivateServer> start_real(Engine engine,
                                                   const std::vector<std::string>& more);

  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;
  ~PrivateServer();

  [[nodiscard]] std::filesystem::path socket() const { return directory_ / "socket"; }
  [[nodiscard]] pid_t process() const { return process_; }

  // Waits until the server has ended by itself. Returns its exit code, or -1 if a signal ended it.
  int wait();

 private:
  PrivateServer();

  // Starts `program`. `words` are its arguments; the first is argv[0], the name it is called by.
  static std::unique_ptr<PrivateServer> start(const std::string& program,
                                              std::vector<std::string> words);

  std::filesystem::path directory_;
  pid_t process_ = 0;  // 0: it does not run
};

// From the first start() on, SIGHUP, SIGINT, SIGQUIT and SIGTERM no longer end the program but make
// this return true: so a program can end in the way that destroys its servers.
bool is_told_to_end();

#endif  // KEYSPACE_TESTS_SERVERS_PRIVATE_SERVER_H_
