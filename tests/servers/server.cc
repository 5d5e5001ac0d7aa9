// redis_server as a process: how it starts and ends, and how it serves clients.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "servers/private_server.h"
#include "servers/socket.h"
#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;

std::unique_ptr<PrivateServer> start() {
  return PrivateServer::start({REDIS_SERVER, "--port", "0"});
}

// Starts a server with only these options. (The shell ignores the path that start() adds.)
std::unique_ptr<PrivateServer> start_with(const std::string& options) {
  return PrivateServer::start({"sh", "-c", "exec " REDIS_SERVER " " + options});
}
std::unique_ptr<PrivateServer> start_on(const std::filesystem::path& path) {
  return start_with("--port 0 --unixsocket " + path.string());
}

// Returns the first `size` bytes of the reply to a line.
std::string ask(Socket& socket, const std::string& line, std::size_t size) {
  socket.send(line + "\r\n");
  return socket.receive(size);
}
bool answers(Socket& socket, const std::string& line, std::string_view reply) {
  return ask(socket, line, reply.size()) == reply;
}

// Returns a number of INFO.
std::uint64_t info(Socket& socket, const std::string& section, const std::string& name) {
  socket.send("INFO " + section + "\r\n");
  std::string head;
  while (!head.ends_with("\r\n")) head += socket.receive(1);
  const std::string text = socket.receive(std::stoul(head.substr(1)) + 2);
  const std::size_t begin = text.find(name + ":");
  REQUIRE(begin != std::string::npos);
  return std::stoull(text.substr(begin + name.size() + 1));
}

// Returns a port on which no program listens. (Another program may take the port before its use.)
std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

TEST_CASE("A signal ends the server, and the server removes its socket") {
  const int signal = GENERATE(SIGTERM, SIGINT);
  const auto server = start();
  Socket client(server->socket());
  REQUIRE(answers(client, "PING", "+PONG\r\n"));
  ::kill(server->process(), signal);
  CHECK(server->wait() == 0);
  CHECK_FALSE(std::filesystem::exists(server->socket()));
  CHECK(client.receive(1).empty());
}

TEST_CASE("SHUTDOWN ends the server without a reply") {
  const auto server = start();
  Socket client(server->socket());
  REQUIRE(answers(client, "PING", "+PONG\r\n"));
  CHECK(exchange(server->socket(), "SHUTDOWN nosave\r\nPING\r\n").empty());
  CHECK(server->wait() == 0);
  CHECK_FALSE(std::filesystem::exists(server->socket()));
  CHECK(client.receive(1).empty());
}

TEST_CASE(
    "The server also listens on a port, and a second server on that port ends with an error") {
  const std::string port = std::to_string(free_port());
  const auto server = PrivateServer::start({REDIS_SERVER, "--port", port});
  Socket tcp(static_cast<std::uint16_t>(std::stoul(port)));
  Socket path(server->socket());
  CHECK(answers(tcp, "SET a 1", "+OK\r\n"));
  CHECK(answers(path, "GET a", "$1\r\n1\r\n"));
  CHECK(info(tcp, "server", "tcp_port") == std::stoul(port));
  CHECK(info(tcp, "clients", "connected_clients") == 2);
  CHECK(PrivateServer::start({REDIS_SERVER, "--port", port})->wait() == 1);
}

TEST_CASE("A server that was killed leaves a socket that the next one replaces") {
  const auto server = start();
  Socket(server->socket()).send("");
  ::kill(server->process(), SIGKILL);
  CHECK(server->wait() == -1);
  REQUIRE(std::filesystem::exists(server->socket()));
  const auto next = start_on(server->socket());
  Socket client(server->socket());
  CHECK(answers(client, "PING", "+PONG\r\n"));
}

TEST_CASE("The socket of a running server is not removed") {
  const auto server = start();
  Socket client(server->socket());
  CHECK(start_on(server->socket())->wait() == 1);
  CHECK(answers(client, "PING", "+PONG\r\n"));
  Socket another(server->socket());
  CHECK(answers(another, "PING", "+PONG\r\n"));
}

TEST_CASE("The server does not replace a file that is no socket") {
  const auto server = start();
  const std::string file = server->socket().parent_path() / "file";
  std::ofstream(file) << "text";
  CHECK(start_on(file)->wait() == 1);
  CHECK(std::filesystem::is_regular_file(file));
}

TEST_CASE("Wrong options end the server at once") {
  CHECK(PrivateServer::start({REDIS_SERVER, "--port", "x"})->wait() == 1);
  CHECK(PrivateServer::start({REDIS_SERVER, "--port", "65536"})->wait() == 1);
  CHECK(PrivateServer::start({REDIS_SERVER, "--nosuch", "1"})->wait() == 1);
  CHECK(PrivateServer::start({REDIS_SERVER, "--port", "0", "--bind"})->wait() == 1);
  CHECK(start_with("--port 0")->wait() == 1);
  CHECK(PrivateServer::start({REDIS_SERVER, "--port", "7", "--bind", "nowhere"})->wait() == 1);
}

TEST_CASE(
    "A client that sends a bad request gets an error and loses its connection, and others are "
    "served") {
  const auto server = start();
  Socket good(server->socket());
  REQUIRE(answers(good, "SET a 1", "+OK\r\n"));
  CHECK(exchange(server->socket(), "*1\r\n:1\r\n") ==
        "-ERR Protocol error: expected '$', got ':'\r\n");
  CHECK(exchange(server->socket(), "*3\r\n$3\r\nSET\r\n").empty());
  CHECK(exchange(server->socket(), "PING\r\nQUIT\r\nPING\r\n") == "+PONG\r\n+OK\r\n");
  CHECK(answers(good, "GET a", "$1\r\n1\r\n"));
}

TEST_CASE(
    "A client may send many requests before it reads: it gets all replies, and memory is bounded") {
  constexpr std::size_t kValue = 1 << 20;
  constexpr std::size_t kReplies = 400;
  const auto server = start();
  Socket watcher(server->socket());
  REQUIRE(answers(watcher, "SETRANGE a " + std::to_string(kValue - 1) + " x", ":1048576\r\n"));

  Socket client(server->socket());
  std::string requests;
  for (std::size_t i = 0; i != kReplies; ++i) requests += "GET a\r\n";
  client.send(requests);
  // The server stops at its limit. Then its number of commands no longer grows.
  std::uint64_t commands = 0;
  for (std::uint64_t before = 1; commands != before + 1;) {
    before = commands;
    for (int i = 0; i != 100; ++i) CHECK(answers(watcher, "PING", "+PONG\r\n"));
    before = info(watcher, "stats", "total_commands_processed");
    commands = info(watcher, "stats", "total_commands_processed");
  }
  CHECK(info(watcher, "memory", "used_memory") < 200 * kValue);

  const std::string reply = "$1048576\r\n" + std::string(kValue - 1, '\0') + "x\r\n";
  std::size_t same = 0;
  for (std::size_t i = 0; i != kReplies; ++i) same += client.receive(reply.size()) == reply;
  CHECK(same == kReplies);
  CHECK(answers(client, "PING", "+PONG\r\n"));
}

TEST_CASE("The server drops a client that disconnects in the middle of a reply") {
  const auto server = start();
  Socket watcher(server->socket());
  REQUIRE(answers(watcher, "SETRANGE a 1000000 x", ":1000001\r\n"));
  for (int i = 0; i != 20; ++i) {
    Socket client(server->socket());
    client.send("GET a\r\nGET a\r\nGET a\r\n");
    CHECK(client.receive(10).size() == 10);
  }
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (info(watcher, "clients", "connected_clients") != 1) {
    REQUIRE(std::chrono::steady_clock::now() < give_up);
  }
}

TEST_CASE("Expired keys are erased even if no client requests them") {
  const auto server = start();
  Socket client(server->socket());
  std::string requests;
  constexpr int kKeys = 5'000;
  for (int i = 0; i != kKeys; ++i) {
    requests += "SET key:" + std::to_string(i) + " value PX " + std::to_string(1 + i % 50) + "\r\n";
  }
  CHECK(answers(client, "SELECT 3", "+OK\r\n"));
  client.send(requests);
  for (int i = 0; i != kKeys; ++i) CHECK(client.receive(5) == "+OK\r\n");
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (info(client, "stats", "expired_keys") != kKeys) {
    REQUIRE(std::chrono::steady_clock::now() < give_up);
  }
}

}  // namespace
