// A server for Redis's protocol on an embedded keyspace. redis-cli, client libraries and
// redis-benchmark work with it as with a Redis server. It stores strings, in memory only.
//
//   $ redis_server --port 7000 &
//   $ redis-cli -p 7000 set mykey Hello px 1500

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "server.h"

namespace {

constexpr std::string_view kUsage =
    R"(Usage: redis_server [--bind ADDRESS]... [--port N] [--unixsocket PATH]

  --bind ADDRESS     listens on this IP address instead of 127.0.0.1; may be given several times
  --port N           listens on this port instead of 6379; 0 means no port
  --unixsocket PATH  also listens on this path

There is no password. Everyone who can connect can read and change all data.
)";

std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument("--port needs a number up to 65535");
  }
  return port;
}

redis_server::Options parse(const std::vector<std::string_view>& words) {
  redis_server::Options options;
  std::vector<std::string> addresses;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::string name(words[i]);
    const bool is_known = name == "--bind" || name == "--port" || name == "--unixsocket";
    if (!is_known) throw std::invalid_argument("there is no option " + name + "; see --help");
    if (i + 1 == words.size()) throw std::invalid_argument(name + " needs a value");
    const std::string_view value = words[i + 1];
    if (name == "--bind") {
      addresses.emplace_back(value);
    } else if (name == "--port") {
      options.port = parse_port(value);
    } else {
      options.unix_socket = value;
    }
  }
  if (!addresses.empty()) options.addresses = addresses;
  if (options.port == 0 && options.unix_socket.empty()) {
    throw std::invalid_argument("--port 0 needs a --unixsocket");
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (std::ranges::find(words, "--help") != words.end()) {
    std::cout << kUsage;
    return EXIT_SUCCESS;
  }
  try {
    redis_server::Server server(parse(words));
    std::cout << "Ready to accept connections" << std::endl;
    server.run();
  } catch (const std::exception& error) {
    std::cerr << "redis_server: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
