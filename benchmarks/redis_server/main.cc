// Compares redis_server with a real redis-server: the requests in a second, as redis-benchmark
// counts them, and how long a client waits for a PING while many keys expire.
//
//   keyspace_redis_server_benchmark SERVER [--keys N] [--requests N] [--rounds N]
//
// Both servers listen on Unix sockets, and are measured in turns. If a program is not installed, a
// message says so, and its measurement is left out.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "redis/connection.h"
#include "servers/private_server.h"

namespace {

using namespace std::chrono_literals;
using Millis = std::chrono::duration<double, std::milli>;

struct Options {
  std::string server;
  std::uint32_t keys = 1'000'000;      // keys that expire
  std::uint32_t requests = 1'000'000;  // requests of each kind in a round
  std::uint32_t rounds = 5;
};

Options parse(const std::vector<std::string_view>& words) {
  Options options;
  for (std::size_t i = 0; i != words.size(); ++i) {
    std::uint32_t* const number = words[i] == "--keys"       ? &options.keys
                                  : words[i] == "--requests" ? &options.requests
                                  : words[i] == "--rounds"   ? &options.rounds
                                                             : nullptr;
    if (number == nullptr) {
      if (!options.server.empty())
        throw std::invalid_argument("There is no option " + std::string(words[i]));
      options.server = words[i];
      continue;
    }
    const std::string_view text = i + 1 != words.size() ? words[i + 1] : "";
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
    if (error != std::errc() || end != text.data() + text.size() || *number == 0) {
      throw std::invalid_argument(std::string(words[i]) + " needs a positive number");
    }
    ++i;
  }
  if (options.server.empty()) throw std::invalid_argument("The path of redis_server is missing");
  return options;
}

struct Servers {
  std::unique_ptr<PrivateServer> ours;
  std::unique_ptr<PrivateServer> theirs;
};

double median(std::vector<double> numbers) {
  std::ranges::sort(numbers);
  return numbers[numbers.size() / 2];
}

// --- Throughput ---

struct Work {
  const char* name;
  const char* arguments;  // of redis-benchmark
};

// Each command takes random keys of a hundred thousand. PEXPIRE finds the keys that SET stored.
constexpr Work kWorks[] = {
    {"SET", "-t set"},
    {"GET", "-t get"},
    {"INCR", "-t incr"},
    {"MSET (10 keys)", "-t mset"},
    {"PEXPIRE", "PEXPIRE key:__rand_int__ 1000000"},
    {"PEXPIRE GT", "PEXPIRE key:__rand_int__ 2000000 GT"},
};

// Returns the requests in a second; nullopt if there is no redis-benchmark.
std::optional<double> throughput(const PrivateServer& server, const Work& work,
                                 std::uint32_t requests) {
  const std::string command = "redis-benchmark -s " + server.socket().string() + " -n " +
                              std::to_string(requests) + " -r 100000 -P 32 --csv " +
                              work.arguments + " 2>/dev/null";
  const auto close = [](FILE* file) { ::pclose(file); };
  const std::unique_ptr<FILE, decltype(close)> output(::popen(command.c_str(), "r"), close);
  if (output == nullptr) throw std::runtime_error("Cannot start redis-benchmark");
  // A line of titles, and one of figures: "name","requests a second",...
  std::string text;
  for (int c = 0; (c = std::fgetc(output.get())) != EOF;) text += static_cast<char>(c);
  constexpr std::string_view kSeparator = "\",\"";
  const std::size_t line = text.find('\n');
  const std::size_t begin = text.find(kSeparator, line);
  if (line == std::string::npos || begin == std::string::npos) return std::nullopt;
  return std::stod(text.substr(begin + kSeparator.size()));
}

void compare_throughput(const Servers& servers, const Options& options) {
  std::cout << std::left << std::setw(22) << "million requests/s" << std::right << std::setw(14)
            << "redis_server" << std::setw(14) << "redis-server" << std::setw(10) << "ratio"
            << std::endl;
  for (const Work& work : kWorks) {
    std::vector<double> ours;
    std::vector<double> theirs;
    std::vector<double> ratios;
    for (std::uint32_t round = 0; round != options.rounds; ++round) {
      const auto figure = throughput(*servers.ours, work, options.requests);
      const auto other = throughput(*servers.theirs, work, options.requests);
      if (!figure || !other) {
        std::cout << "There is no redis-benchmark on the PATH, or it fails.\n";
        return;
      }
      ours.push_back(*figure);
      theirs.push_back(*other);
      ratios.push_back(*figure / *other);
    }
    std::cout << std::left << std::setw(22) << work.name << std::right << std::fixed
              << std::setprecision(2) << std::setw(14) << median(ours) / 1e6 << std::setw(14)
              << median(theirs) / 1e6 << std::setw(10) << median(ratios) << std::endl;
  }
}

// --- PING while many keys expire ---

struct Waits {
  std::size_t pings = 0;
  Millis p99{0};
  Millis longest{0};
  std::size_t left = 0;  // keys still stored at the end
};

// Stores keys that expire within one second. Sends one PING after the other, from before that
// second until five seconds after it.
Waits wait_for_pings(const PrivateServer& server, std::uint32_t keys) {
  using Clock = std::chrono::system_clock;
  redis::Connection connection(server.socket());
  connection.send("FLUSHALL\r\n");
  connection.receive();
  const auto expiry = Clock::now() + 5s + keys * 4us;
  const auto first = std::chrono::floor<std::chrono::milliseconds>(expiry.time_since_epoch());
  redis::Pipeline pipeline(connection);
  for (std::uint32_t key = 0; key != keys; ++key) {
    pipeline.add("SET key:" + std::to_string(key) + " value PXAT " +
                 std::to_string(first.count() + key % 1000) + "\r\n");
  }
  pipeline.finish();
  if (Clock::now() > expiry) throw std::runtime_error("It took too long to store the keys");

  std::vector<Millis> waits;
  while (Clock::now() < expiry + 6s) {
    const auto start = std::chrono::steady_clock::now();
    connection.send("PING\r\n");
    connection.receive();
    const auto end = std::chrono::steady_clock::now();
    if (Clock::now() >= expiry - 500ms) waits.push_back(end - start);
  }
  connection.send("DBSIZE\r\n");
  const std::size_t left = std::stoul(connection.receive());
  std::ranges::sort(waits);
  return {waits.size(), waits[waits.size() / 100 * 99], waits.back(), left};
}

void write_waits(const char* name, const Waits& waits) {
  std::cout << std::left << std::setw(22) << name << std::right << std::setw(14) << waits.pings
            << std::fixed << std::setprecision(2) << std::setw(14) << waits.p99.count()
            << std::setw(14) << waits.longest.count() << std::setw(14) << waits.left << std::endl;
}

void compare_waits(const Servers& servers, const Options& options) {
  std::cout << "\nPING, one after the other, while " << options.keys
            << " keys expire in one second and until 5 s after it:\n"
            << std::left << std::setw(22) << "" << std::right << std::setw(14) << "PINGs"
            << std::setw(14) << "p99, ms" << std::setw(14) << "longest, ms" << std::setw(14)
            << "keys left" << std::endl;
  write_waits("redis_server", wait_for_pings(*servers.ours, options.keys));
  write_waits("redis-server", wait_for_pings(*servers.theirs, options.keys));
}

void run(const Options& options) {
  const Servers servers = {PrivateServer::start({options.server, "--port", "0"}),
                           PrivateServer::start_real(Engine::kRedis, {})};
  if (servers.ours == nullptr) throw std::runtime_error("There is no " + options.server);
  if (servers.theirs == nullptr) {
    std::cout << "There is no redis-server on the PATH to compare with.\n";
    return;
  }
  redis::Connection(servers.ours->socket());
  redis::Connection(servers.theirs->socket());
  compare_throughput(servers, options);
  compare_waits(servers, options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse({argv + 1, argv + argc}));
  } catch (const std::exception& error) {
    std::cerr << error.what() << ".\n";
    return EXIT_FAILURE;
  }
}
