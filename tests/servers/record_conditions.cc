// Tries each expiry condition on a real server. Prints the results as rows of C++, for
// recorded_conditions.inc.
//
//   record_conditions ENGINE         prints the rows
//   record_conditions ENGINE FILE    returns 0 if FILE has the same rows, 1 if not
//
// ENGINE is redis or valkey. Returns 77 if there is no such server.

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "servers/client.h"
#include "servers/private_server.h"
#include "servers/server_version.h"

namespace {

constexpr int kSkipped = 77;

constexpr std::array<std::string_view, 4> kOptions = {"NX", "XX", "GT", "LT"};

// Deadlines, in milliseconds from now. Those in kNext lie before, at and after those in kCurrent.
constexpr std::string_view kMissing = "kMissing";
constexpr std::string_view kNever = "kNever";
constexpr std::array<std::string_view, 4> kCurrent = {kMissing, kNever, "100000", "200000"};
constexpr std::array<std::int64_t, 8> kNext = {-100000, -1,     50000,  100000,
                                               150000,  200000, 250000, 9000000000000};

// A server, and the time from which deadlines count.
class Recorder {
 public:
  explicit Recorder(const PrivateServer& server) : client_(server.socket()) {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    now_ = std::chrono::floor<std::chrono::milliseconds>(since_epoch).count();
  }

  ServerVersion version() { return version_of(client_); }

  // Returns all rows, each on one line.
  std::string rows() {
    std::ostringstream out;
    for (unsigned options = 0; options != 1U << kOptions.size(); ++options) {
      for (const std::string_view current : kCurrent) {
        for (const std::int64_t next : kNext) write_row(out, options, current, next);
      }
    }
    return out.str();
  }

 private:
  // `options` has a bit for each of kOptions.
  void write_row(std::ostream& out, unsigned options, std::string_view current, std::int64_t next) {
    set_key(current);
    Answer reply;
    {
      std::vector<std::string> command = {"PEXPIREAT", "key", std::to_string(now_ + next)};
      for (std::size_t i = 0; i != kOptions.size(); ++i) {
        if ((options >> i & 1U) != 0) command.emplace_back(kOptions[i]);
      }
      out << "{\"";
      for (std::size_t i = 3; i < command.size(); ++i) out << (i == 3 ? "" : " ") << command[i];
      reply = client_.ask(command);
    }
    const bool is_refused = reply.kind == Answer::Kind::kError;
    out << "\", " << current << ", " << next << ", "
        << (is_refused ? "kRefused" : std::to_string(reply.number)) << ", " << deadline() << "},\n";
  }

  void set_key(std::string_view current) {
    client_.ask({"DEL", "key"});
    if (current == kMissing) return;
    client_.ask({"SET", "key", "value"});
    if (current == kNever) return;
    client_.ask({"PEXPIREAT", "key", std::to_string(now_ + std::stoll(std::string(current)))});
  }

  std::string deadline() {
    const std::int64_t time = client_.ask({"PEXPIRETIME", "key"}).number;
    if (time == -2) return std::string(kMissing);
    return time == -1 ? std::string(kNever) : std::to_string(time - now_);
  }

  Client client_;
  std::int64_t now_;
};

int run(Engine engine, const char* path) {
  const auto server = PrivateServer::start_real(engine, {});
  if (server == nullptr) {
    std::cout << "Skipped: there is no " << program_of(engine) << " on the PATH.\n";
    return kSkipped;
  }
  Recorder recorder(*server);
  const std::string head =
      "// Recorded from " + to_string(recorder.version()) +
      " by record_conditions: the options of PEXPIREAT, the old deadline of "
      "the key,\n// the deadline in the command, the reply, the deadline after "
      "the command. Deadlines are in milliseconds from now.\n";
  const std::string rows = recorder.rows();
  if (path == nullptr) {
    std::cout << head << rows;
    return EXIT_SUCCESS;
  }
  std::ifstream file(path);
  std::string recorded(std::istreambuf_iterator<char>(file), {});
  recorded.erase(0, recorded.find('{'));
  if (recorded == rows) return EXIT_SUCCESS;
  std::cout << to_string(recorder.version()) << " gives other results than " << path << ".\n";
  return EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2) throw std::invalid_argument("Name an engine: redis or valkey");
    return run(engine_named(argv[1]), argc > 2 ? argv[2] : nullptr);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
