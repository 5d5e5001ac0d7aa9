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

// A server for Redis's protocol, for this program only. It listens on a Unix socket in a temporary
// directory. The destructor kills the server, and removes the socket and the directory.
class PrivateServer {
 public:
  // Starts `words`, a program and its arguments, with "--unixsocket PATH" behind them. Its standard
  // output is dropped. Returns null if the program is missing. The server may not listen yet when
  // this returns.
  //
  // From then on SIGPIPE is ignored, so that sending to a closed connection is an error.
  static std::unique_ptr<PrivateServer> start(std::vector<std::string> words);

  // Starts a real server from the PATH, with the additional arguments `more`. It listens only on
  // the socket and writes nothing to disk. Debian has the program of each server in two packages.
  // One package also starts the server as a service. The other, redis-tools or valkey-tools, has
  // the program as redis-check-rdb or valkey-check-rdb. Either package works here.
  static std::unique_ptr<PrivateServer> start_real(Engine engine,
                                                   const std::vector<std::string>& more);

  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;
  ~PrivateServer();

  [[nodiscard]] std::filesystem::path socket() const { return directory_ / "socket"; }
  [[nodiscard]] pid_t process() const { return process_; }

  // Waits until the server ends by itself. Returns its exit code, or -1 if a signal ended it.
  int wait();

 private:
  PrivateServer();

  // Starts `program` with the arguments `words`. The first is argv[0].
  static std::unique_ptr<PrivateServer> start(const std::string& program,
                                              std::vector<std::string> words);

  std::filesystem::path directory_;
  pid_t process_ = 0;  // 0 if it does not run
};

// Returns whether the program received SIGHUP, SIGINT, SIGQUIT or SIGTERM. From the first start()
// on, these signals do not end the program. So it can destroy its servers before it ends.
bool is_told_to_end();

#endif  // KEYSPACE_TESTS_SERVERS_PRIVATE_SERVER_H_
