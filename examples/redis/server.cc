// The commands on the server and on the connection to it.

#include <keyspace/removal.h>
#include <keyspace/statistics.h>
#include <keyspace/version.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "commands.h"
#include "glob.h"
#include "handlers.h"
#include "number.h"
#include "replies.h"
#include "sizes.h"

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

namespace redis::handlers {
namespace {

// Clients use this version to choose the commands that they send.
constexpr std::string_view kRedisVersion = "7.0.15";

std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

std::string quoted_subcommand(const Call& call) {
  return "'" + std::string(before_nul(call.words[1]).substr(0, 128)) + "'";
}

std::string try_help(const Call& call) {
  return ". Try " + upper_case(call.name.substr(0, call.name.find('|'))) + " HELP.";
}

Error unknown_subcommand_or_arity(const Call& call) {
  return Error("ERR unknown subcommand or wrong number of arguments for " +
               quoted_subcommand(call) + try_help(call));
}

// --- Clients ------------------------------------------------------------------------------------

std::optional<Error> check_client_name(std::string_view name) {
  const bool is_valid = std::ranges::all_of(name, [](char c) { return c >= '!' && c <= '~'; });
  if (is_valid) return std::nullopt;
  return Error("ERR Client names cannot contain spaces, newlines or special characters.");
}

// There is one user, and any password is right.
std::optional<Error> check_user(std::string_view user) {
  if (user == "default") return std::nullopt;
  return Error("WRONGPASS invalid username-password pair or user is disabled.");
}

// --- COMMAND ------------------------------------------------------------------------------------

struct KeyPositions {
  std::int64_t first;
  std::int64_t last;  // -1 is the last word
  std::int64_t step;
};

KeyPositions positions_of(Command::Keys keys) {
  switch (keys) {
    case Command::Keys::kNone:
      return {0, 0, 0};
    case Command::Keys::kFirst:
      return {1, 1, 1};
    case Command::Keys::kTwo:
      return {1, 2, 1};
    case Command::Keys::kAll:
      return {1, -1, 1};
    case Command::Keys::kPairs:
      return {1, -1, 2};
  }
  return {};
}

Reply describe(const Command& command) {
  const KeyPositions positions = positions_of(command.keys);
  const Array flags = {Status{command.writes ? "write" : "readonly"}};
  return Array{
      View(command.name), std::int64_t{command.arity}, flags, positions.first, positions.last,
      positions.step};
}

bool is_subcommand(const Command& command) {
  return command.name.find('|') != std::string_view::npos;
}

// --- INFO ---------------------------------------------------------------------------------------

// Returns how many bytes the program has allocated, or 0 if that is unknown.
std::uint64_t used_bytes() {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  const auto heap = ::mallinfo2();
  return heap.uordblks + heap.hblkhd;
#else
  return 0;
#endif
}

class Report {
 public:
  void line(std::string_view name, std::string_view value) {
    text_.append(name).append(":").append(value).append("\r\n");
  }
  void line(std::string_view name, std::uint64_t value) { line(name, std::to_string(value)); }
  void title(std::string_view title) {
    if (!text_.empty()) text_ += "\r\n";
    text_.append("# ").append(title).append("\r\n");
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void report_server(Report& report, const Instance& instance) {
  const auto up =
      std::chrono::floor<std::chrono::seconds>(instance.now() - instance.host.start).count();
  report.line("redis_version", kRedisVersion);
  report.line("keyspace_version", std::to_string(KEYSPACE_VERSION_MAJOR) + "." +
                                      std::to_string(KEYSPACE_VERSION_MINOR) + "." +
                                      std::to_string(KEYSPACE_VERSION_PATCH));
  report.line("redis_mode", "standalone");
  report.line("tcp_port", static_cast<std::uint64_t>(instance.host.port));
  report.line("uptime_in_seconds", static_cast<std::uint64_t>(std::max<std::int64_t>(up, 0)));
}

void report_clients(Report& report, const Instance& instance) {
  report.line("connected_clients", instance.host.clients);
  report.line("blocked_clients", "0");
}

void report_memory(Report& report, const Instance&) { report.line("used_memory", used_bytes()); }

// Clients read here whether a server is ready.
void report_persistence(Report& report, const Instance&) { report.line("loading", "0"); }

void report_stats(Report& report, const Instance& instance) {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t expired = 0;
  for (std::size_t i = 0; i != Instance::kDatabases; ++i) {
    const keyspace::Statistics statistics = instance.database(i).statistics();
    hits += statistics.hits;
    misses += statistics.misses;
    expired += statistics.removed(keyspace::RemovalCause::kExpired);
  }
  report.line("total_connections_received", instance.host.connections);
  report.line("total_commands_processed", instance.commands);
  report.line("expired_keys", expired);
  report.line("keyspace_hits", hits);
  report.line("keyspace_misses", misses);
}

void report_replication(Report& report, const Instance&) {
  report.line("role", "master");
  report.line("connected_slaves", "0");
}

void report_keyspace(Report& report, const Instance& instance) {
  for (std::size_t i = 0; i != Instance::kDatabases; ++i) {
    const Database& database = instance.database(i);
    if (database.size() == 0) continue;
    report.line("db" + std::to_string(i),
                "keys=" + std::to_string(database.size()) +
                    ",expires=" + std::to_string(database.volatile_size()) + ",avg_ttl=0");
  }
}

struct Section {
  std::string_view name;
  void (*report)(Report&, const Instance&);
};
constexpr std::array<Section, 7> kSections = {{
    {"Server", report_server},
    {"Clients", report_clients},
    {"Memory", report_memory},
    {"Persistence", report_persistence},
    {"Stats", report_stats},
    {"Replication", report_replication},
    {"Keyspace", report_keyspace},
}};

bool is_wanted(const Section& section, WordViews names) {
  return names.empty() || std::ranges::any_of(names, [&](const std::string_view name) {
           return is_option(name, lower_case(section.name)) || is_option(name, "all") ||
                  is_option(name, "default") || is_option(name, "everything");
         });
}

}  // namespace

// --- Connections --------------------------------------------------------------------------------

Reply ping(Call& call) {
  if (call.words.size() > 2) return wrong_arity(call.name);
  if (call.words.size() == 2) return call.words[1];
  return Status{"PONG"};
}

Reply echo(Call& call) { return call.words[1]; }

Reply quit(Call& call) {
  call.session.is_over = true;
  return ok();
}

Reply auth(Call& call) {
  if (call.words.size() > 3) return syntax_error();
  if (call.words.size() == 2) {
    return Error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  if (auto error = check_user(call.words[1])) return *std::move(error);
  return ok();
}

Reply hello(Call& call) {
  Session& session = call.session;
  std::int64_t protocol = session.protocol;
  if (call.words.size() > 1) {
    const auto wanted = parse_integer(call.words[1]);
    if (!wanted) return Error("ERR Protocol version is not an integer or out of range");
    if (*wanted < 2 || *wanted > 3) return Error("NOPROTO unsupported protocol version");
    protocol = *wanted;
  }
  // Each option takes effect before the next is read.
  for (std::size_t i = 2; i < call.words.size(); ++i) {
    const std::size_t more = call.words.size() - 1 - i;
    if (is_option(call.words[i], "auth") && more >= 2) {
      if (auto error = check_user(call.words[i + 1])) return *std::move(error);
      i += 2;
    } else if (is_option(call.words[i], "setname") && more >= 1) {
      const std::string_view name = call.words[++i];
      if (auto error = check_client_name(name)) return *std::move(error);
      session.name = name;
    } else {
      return Error("ERR Syntax error in HELLO option '" + std::string(before_nul(call.words[i])) +
                   "'");
    }
  }
  session.protocol = static_cast<int>(protocol);
  return Map{{View("server"), View("redis"), View("version"), View(kRedisVersion), View("proto"),
              protocol, View("id"), static_cast<std::int64_t>(session.id), View("mode"),
              View("standalone"), View("role"), View("master"), View("modules"), Array()}};
}

Reply client_id(Call& call) { return static_cast<std::int64_t>(call.session.id); }

Reply client_getname(Call& call) {
  if (call.session.name.empty()) return Nil();
  return View(call.session.name);
}

Reply client_setname(Call& call) {
  if (auto error = check_client_name(call.words[2])) return *std::move(error);
  call.session.name = call.words[2];
  return ok();
}

Reply client_info(Call& call) {
  const Session& session = call.session;
  return Text{"id=" + std::to_string(session.id) + " name=" + session.name +
              " db=" + std::to_string(session.database) +
              " resp=" + std::to_string(session.protocol) + "\n"};
}

// --- The server ---------------------------------------------------------------------------------

Reply time(Call& call) {
  const auto since_epoch = call.instance.now().time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  return Array{std::to_string(seconds.count()), std::to_string((since_epoch - seconds).count())};
}

Reply info(Call& call) {
  Report report;
  for (const Section& section : kSections) {
    if (!is_wanted(section, call.words_from(1))) continue;
    report.title(section.name);
    section.report(report, call.instance);
  }
  return Text{report.take()};
}

Reply command(Call& call) {
  if (call.words.size() > 1) return unknown_subcommand(call);
  Array rows;
  for (const Command& row : commands()) {
    if (!is_subcommand(row)) rows.push_back(describe(row));
  }
  return rows;
}

Reply command_count(Call&) {
  return std::ranges::count_if(commands(), [](const Command& row) { return !is_subcommand(row); });
}

Reply command_info(Call& call) {
  if (call.words.size() == 2) {
    call.words = call.words.first(1);
    return command(call);
  }
  Array rows;
  for (const std::string_view name : call.words_from(2)) {
    const Command* const row = find_command(name);
    rows.push_back(row != nullptr ? describe(*row) : Nil());
  }
  return rows;
}

Reply config_get(Call& call) {
  const std::array<std::pair<std::string_view, std::string>, 8> parameters = {{
      {"appendonly", "no"},
      {"databases", std::to_string(Instance::kDatabases)},
      {"maxmemory", "0"},
      {"maxmemory-policy", "noeviction"},
      {"port", std::to_string(call.instance.host.port)},
      {"proto-max-bulk-len", std::to_string(kBulkLimit)},
      {"save", ""},
      {"timeout", "0"},
  }};
  Map found;
  for (const auto& [name, value] : parameters) {
    const auto matches = [&, name = name](const std::string_view pattern) {
      return glob_matches(lower_case(pattern), name);
    };
    if (!std::ranges::any_of(call.words_from(2), matches)) continue;
    found.elements.emplace_back(name);
    found.elements.emplace_back(value);
  }
  return found;
}

Reply debug(Call& call) {
  if (is_option(call.words[1], "set-active-expire") && call.words.size() == 3) {
    // As with the atoi() of Redis, a word that is not a number means 0.
    int wanted = 0;
    const std::string_view word = before_nul(call.words[2]);
    std::from_chars(word.data(), word.data() + word.size(), wanted);
    call.instance.active_expire = wanted != 0;
    return ok();
  }
  return unknown_subcommand_or_arity(call);
}

// Does nothing, because there are no functions. Test tools send this on every connection.
Reply function_flush(Call& call) {
  if (call.words.size() > 3) return unknown_subcommand_or_arity(call);
  const bool is_known = call.words.size() == 2 || is_option(call.words[2], "async") ||
                        is_option(call.words[2], "sync");
  if (!is_known) return Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  return ok();
}

Reply shutdown(Call& call) {
  enum : unsigned { kSave = 1, kNosave = 2, kNow = 4, kForce = 8, kAbort = 16 };
  unsigned asked = 0;
  for (const std::string_view word : call.words_from(1)) {
    if (is_option(word, "save")) {
      asked |= kSave;
    } else if (is_option(word, "nosave")) {
      asked |= kNosave;
    } else if (is_option(word, "now")) {
      asked |= kNow;
    } else if (is_option(word, "force")) {
      asked |= kForce;
    } else if (is_option(word, "abort")) {
      asked |= kAbort;
    } else {
      return syntax_error();
    }
  }
  const bool contradicts_itself =
      (asked & (kSave | kNosave)) == (kSave | kNosave) || (asked > kAbort);
  if (contradicts_itself) return syntax_error();
  // A shutdown takes no time, so none can be in progress.
  if (asked == kAbort) return Error("ERR No shutdown in progress.");
  // This server cannot save.
  const bool saves = (asked & kSave) != 0 && (asked & kForce) == 0;
  if (saves) return Error("ERR Errors trying to SHUTDOWN. Check logs.");
  call.instance.shutdown_asked = true;
  return ok();
}

Reply unknown_subcommand(Call& call) {
  return Error("ERR unknown subcommand " + quoted_subcommand(call) + try_help(call));
}

}  // namespace redis::handlers
