// Sends the same random commands to redis_server and to a real server, and compares the replies.
// See differences.h for the allowed differences.
//
//   differential SERVER ENGINE [--seed N] [--commands N | --forever]
//       [--without COMMAND] [--streams]
//
// ENGINE is redis or valkey. With --without, the real server does not have the command. Then there
// must be a mismatch. With --streams, it compares only streams.
//
// After each hundred commands it sends a stream of bytes with mistakes.
//
// It prints a mismatch as the shortest sequence with that mismatch that it finds. Returns 0 if
// there was none, and 1 if there was one. Returns 77 if it compared nothing, because the real
// server is not installed, or its version is unknown, or this is a 32-bit program.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "redis/render.h"
#include "servers/client.h"
#include "servers/differences.h"
#include "servers/private_server.h"
#include "servers/sequence.h"
#include "servers/server_version.h"
#include "servers/socket.h"
#include "servers/stream.h"
#include "servers/twins.h"

namespace {

constexpr int kSkipped = 77;
constexpr std::size_t kSequenceSize = 100;

struct Options {
  std::string server;
  std::optional<Engine> engine;
  std::uint64_t seed = std::random_device()();
  std::uint64_t commands = 200'000;
  bool forever = false;
  std::string without;
  bool only_streams = false;
};

std::uint64_t parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument(std::string(text) + " is no number");
  }
  return number;
}

Options parse(const std::vector<std::string_view>& words) {
  Options options;
  for (std::size_t i = 0; i != words.size(); ++i) {
    const bool has_value = i + 1 != words.size();
    if (words[i] == "--seed" && has_value) {
      options.seed = parse_number(words[++i]);
    } else if (words[i] == "--commands" && has_value) {
      options.commands = parse_number(words[++i]);
    } else if (words[i] == "--without" && has_value) {
      options.without = words[++i];
    } else if (words[i] == "--streams") {
      options.only_streams = true;
    } else if (words[i] == "--forever") {
      options.forever = true;
    } else if (options.server.empty()) {
      options.server = words[i];
    } else if (!options.engine) {
      options.engine = engine_named(words[i]);
    } else {
      throw std::invalid_argument("There is no option " + std::string(words[i]));
    }
  }
  if (!options.engine) throw std::invalid_argument("Give the path of redis_server and an engine");
  return options;
}

// Removes parts of `items`, in smaller and smaller pieces, as long as the rest fails. Returns the
// rest.
template <class Items, class Fails>
Items shrink(Items items, Fails fails) {
  for (std::size_t size = items.size() / 2; size != 0; size /= 2) {
    for (std::size_t begin = 0; begin < items.size();) {
      Items fewer = items;
      const auto first = fewer.begin() + static_cast<std::ptrdiff_t>(begin);
      fewer.erase(first, first + static_cast<std::ptrdiff_t>(std::min(size, fewer.size() - begin)));
      if (fails(fewer)) {
        items = std::move(fewer);
      } else {
        begin += size;
      }
    }
  }
  return items;
}

void report(Twins& twins, std::uint64_t seed, const Sequence& sequence, const Mismatch& found) {
  std::vector<Sequence::Step> steps = sequence.steps();
  steps.resize(found.step + 1);
  steps = shrink(std::move(steps), [&](const std::vector<Sequence::Step>& fewer) {
    return twins.run(fewer, sequence.deadlines()).has_value();
  });
  const Mismatch mismatch = twins.run(steps, sequence.deadlines()).value_or(found);
  std::cout << "The replies differ, in the sequence of --seed " << seed << ":\n";
  for (const Sequence::Step& step : steps) {
    std::cout << ' ';
    for (const std::string& word : step.command) std::cout << ' ' << redis::quoted(word);
    std::cout << '\n';
  }
  std::cout << "redis_server: " << mismatch.ours << "\nreal server: " << mismatch.theirs << '\n';
}

std::int64_t unix_millis() {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::floor<std::chrono::milliseconds>(since_epoch).count();
}

// Returns a stream of replies without the numbers of clients, which differ between servers.
std::string without_ids(std::string stream) {
  constexpr std::string_view kId = "$2\r\nid\r\n:";
  for (std::size_t at = 0; (at = stream.find(kId, at)) != std::string::npos;) {
    at += kId.size();
    stream.erase(at, stream.find('\r', at) - at);
  }
  return stream;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// Compares the replies of the servers to streams of bytes.
class Streams {
 public:
  Streams(const PrivateServer& ours, const PrivateServer& theirs, Generation generation_of_theirs)
      : ours_(ours), theirs_(theirs), generation_(generation_of_theirs) {}

  // Sends a random stream to both servers. Returns whether the replies agree.
  [[nodiscard]] bool agree(std::uint64_t seed) const {
    std::string stream = random_stream(seed);
    if (agree(stream)) return true;
    stream = shrink(std::move(stream), [&](const std::string& fewer) { return !agree(fewer); });
    std::cout << "The replies differ, to the stream of --seed " << seed << ":\n  "
              << redis::quoted(readable_by_all(stream))
              << "\nredis_server: " << redis::quoted(replies_of(ours_, stream))
              << "\nreal server: " << redis::quoted(replies_of(theirs_, stream)) << '\n';
    return false;
  }

 private:
  [[nodiscard]] bool is_new() const { return generation_ >= Generation::k8; }

  // Replaces or removes the bytes that newer servers read differently. In Redis 7.0 a line ends at
  // the first LF, unless a NUL comes before. In Valkey 8.1 it ends after the first CR. Valkey
  // removes bytes that are not ASCII from an error.
  [[nodiscard]] std::string readable_by_all(const std::string& stream) const {
    if (!is_new()) return stream;
    std::string readable;
    for (std::size_t i = 0; i != stream.size(); ++i) {
      const bool is_lone_cr = stream[i] == '\r' && stream.substr(i + 1, 1) != "\n";
      if (!is_lone_cr) readable += stream[i] == '\0' || stream[i] == '\xff' ? 'x' : stream[i];
    }
    return readable;
  }

  [[nodiscard]] std::string replies_of(const PrivateServer& server,
                                       const std::string& stream) const {
    Client(server.socket()).ask({"FLUSHALL"});
    return without_ids(exchange(server.socket(), readable_by_all(stream)));
  }

  [[nodiscard]] bool agree(const std::string& stream) const {
    std::string our_replies = replies_of(ours_, stream);
    std::string their_replies = replies_of(theirs_, stream);
    if (our_replies == their_replies) return true;
    if (is_new()) {
      // The reply has the server's name and modules.
      for (const std::string hello : {"HELLO 2\r\n", "HELLO 3\r\n"}) {
        const std::string reply = replies_of(theirs_, hello);
        if (reply.starts_with('*') || reply.starts_with('%')) {
          replace_all(their_replies, reply, replies_of(ours_, hello));
        }
      }
      // Redis 8.0 sends no reply to a refused AUTH if it received the AUTH together with an earlier
      // command. So replies after the first refusal are not compared.
      const std::size_t refusal = our_replies.find("-WRONGPASS");
      if (refusal != std::string::npos) {
        our_replies.resize(refusal);
        their_replies.resize(std::min(refusal, their_replies.size()));
      }
    }
    return our_replies == their_replies || is_command_of_theirs(our_replies, their_replies);
  }

  // Returns whether our first reply that differs is "unknown command", for a command that the real
  // server has. Damage to a stream may turn GET into HGET.
  [[nodiscard]] bool is_command_of_theirs(const std::string& our_replies,
                                          const std::string& their_replies) const {
    constexpr std::string_view kUnknown = "-ERR unknown command '";
    const auto [ours, other] = std::mismatch(our_replies.begin(), our_replies.end(),
                                             their_replies.begin(), their_replies.end());
    const std::string same(our_replies.begin(), ours);
    const std::string reply = our_replies.substr(same.rfind('\n') + 1);
    if (!reply.starts_with(kUnknown)) return false;
    const std::string name =
        reply.substr(kUnknown.size(), reply.find('\'', kUnknown.size()) - kUnknown.size());
    return Client(theirs_.socket()).ask({"COMMAND", "INFO", name}).elements.at(0) != Answer();
  }

  const PrivateServer& ours_;
  const PrivateServer& theirs_;
  Generation generation_;
};

int run(const Options& options) {
  if constexpr (sizeof(long) < sizeof(std::int64_t)) {  // NOLINT: the type that Redis uses
    std::cout << "Skipped: a 32-bit Redis reads numbers in another way.\n";
    return kSkipped;
  }
  std::vector<std::string> arguments = {"--enable-debug-command", "yes"};
  if (!options.without.empty()) {
    arguments.insert(arguments.end(), {"--rename-command", options.without, ""});
  }
  const auto theirs = PrivateServer::start_real(*options.engine, arguments);
  if (theirs == nullptr) {
    std::cout << "Skipped: there is no " << program_of(*options.engine) << " on the PATH.\n";
    return kSkipped;
  }
  const auto ours = PrivateServer::start({options.server, "--port", "0"});
  if (ours == nullptr) throw std::runtime_error("There is no " + options.server);
  const ServerVersion version = [&] {
    Client client(theirs->socket());
    return version_of(client);
  }();
  const auto generation = generation_of(version);
  if (!generation) {
    std::cout << "Skipped: the differences of " << to_string(version) << " are not known.\n";
    return kSkipped;
  }
  Twins twins(ours->socket(), theirs->socket(), *generation);
  const Streams streams(*ours, *theirs, *generation);

  std::uint64_t seed = options.seed;
  std::cout << "--seed " << seed << std::endl;
  std::uint64_t commands = 0;
  for (; (options.forever || commands < options.commands) && !is_told_to_end(); ++seed) {
    const Sequence sequence(seed, kSequenceSize, unix_millis());
    const auto mismatch =
        options.only_streams ? std::nullopt : twins.run(sequence.steps(), sequence.deadlines());
    if (mismatch) {
      report(twins, seed, sequence, *mismatch);
      return EXIT_FAILURE;
    }
    commands += sequence.steps().size();
    if (!streams.agree(seed)) return EXIT_FAILURE;
  }
  std::cout << commands << " commands got the same replies as from " << to_string(version) << ".\n";
  return is_told_to_end() && !options.forever ? EXIT_FAILURE : EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(parse({argv + 1, argv + argc}));
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
