#include "servers/private_server.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

extern char** environ;  // NOLINT: POSIX wants the program to declare it

namespace {

volatile sig_atomic_t was_told_to_end = 0;

}  // namespace

PrivateServer::PrivateServer() {
  std::string name = std::filesystem::temp_directory_path() / "keyspace.XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "No temporary directory can be made");
  }
  directory_ = name;
}

PrivateServer::~PrivateServer() {
  if (process_ != 0) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::unique_ptr<PrivateServer> PrivateServer::start(std::vector<std::string> words) {
  const std::string program = words[0];
  return start(program, std::move(words));
}

std::unique_ptr<PrivateServer> PrivateServer::start(const std::string& program,
                                                    std::vector<std::string> words) {
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) {
    ::signal(signal, [](int) { was_told_to_end = 1; });
  }
  ::signal(SIGPIPE, SIG_IGN);

  std::unique_ptr<PrivateServer> server(new PrivateServer);
  words.insert(words.end(), {"--unixsocket", server->socket()});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t process;
  const int error =
      ::posix_spawnp(&process, program.c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT || error == EACCES) return nullptr;
  if (error != 0) {
    throw std::system_error(error, std::generic_category(), program + " cannot be started");
  }
  server->process_ = process;
  return server;
}

std::unique_ptr<PrivateServer> PrivateServer::start_real(Engine engine,
                                                         const std::vector<std::string>& more) {
  std::vector<std::string> words = {program_of(engine), "--port", "0", "--save", "",
                                    "--appendonly",     "no"};
  words.insert(words.end(), more.begin(), more.end());
  // The checker and the server are one program. The program is the server if argv[0] is the name
  // of the server.
  const bool is_redis = engine == Engine::kRedis;
  for (const std::string& program :
       {words[0], std::string(is_redis ? "redis-check-rdb" : "valkey-check-rdb")}) {
    if (auto server = start(program, words)) return server;
  }
  return nullptr;
}

int PrivateServer::wait() {
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string program_of(Engine engine) {
  return engine == Engine::kRedis ? "redis-server" : "valkey-server";
}

Engine engine_named(std::string_view name) {
  if (name == "redis") return Engine::kRedis;
  if (name == "valkey") return Engine::kValkey;
  throw std::invalid_argument("There is no engine called " + std::string(name));
}

bool is_told_to_end() { return was_told_to_end != 0; }
