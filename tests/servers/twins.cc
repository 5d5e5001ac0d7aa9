#include "servers/twins.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "servers/differences.h"

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string upper_case(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

Comparison comparison_of(const std::string& name, Generation generation) {
  for (const Difference& difference : kDifferences) {
    if (difference.command == name && difference.since <= generation) return difference.comparison;
  }
  return Comparison::kExact;
}

bool is_below_2_to_63(std::string_view text) {
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= 0;
}

// Returns whether only one of Redis 7.0 and newer servers gives this error to a SCAN.
bool may_refuse_alone(const Command& scan, const Answer& ours, const Answer& theirs) {
  constexpr std::string_view kCursor = "ERR invalid cursor";
  if (scan.size() < 2) return false;
  if (!is_below_2_to_63(scan[1]) && (ours.text == kCursor || theirs.text == kCursor)) return true;
  return theirs.text.starts_with("ERR unknown type name '") &&
         std::any_of(scan.begin() + 2, scan.end(),
                     [](const std::string& word) { return upper_case(word) == "TYPE"; });
}

std::vector<std::string> sorted_texts(const Answer& array) {
  std::vector<std::string> texts;
  for (const Answer& element : array.elements) texts.push_back(describe(element));
  std::ranges::sort(texts);
  return texts;
}

// Returns a reply to HELLO with empty values, of the same kind, in `fields`.
Answer without(const std::set<std::string>& fields, Answer hello) {
  for (std::size_t i = 0; i + 1 < hello.elements.size(); i += 2) {
    Answer& value = hello.elements[i + 1];
    if (fields.contains(hello.elements[i].text)) value = {value.kind, {}, 0, {}};
  }
  return hello;
}

// Completes an iteration that starts with the reply `first`. Returns its keys, sorted and without
// duplicates.
std::vector<std::string> finish_scan(Client& client, Command command, Answer first) {
  std::set<std::string> keys;
  while (true) {
    for (const Answer& key : first.elements.at(1).elements) keys.insert(key.text);
    const std::string cursor = first.elements.at(0).text;
    if (cursor == "0") return {keys.begin(), keys.end()};
    command[1] = cursor;
    first = client.ask(command);
  }
}

}  // namespace

std::optional<Mismatch> Twins::run(const std::vector<Sequence::Step>& steps,
                                   const std::set<std::int64_t>& deadlines) {
  reset();
  for (std::size_t i = 0; i != steps.size(); ++i) {
    const Command& command = steps[i].command;
    if (upper_case(command[0]) == "DBSIZE") {
      // Expired keys may count until they are erased. Redis erases those that SCAN finds.
      ask({"DEBUG", "SET-ACTIVE-EXPIRE", "1"});
      ask({"SCAN", "0", "COUNT", "10000"});
    }
    const Answers answers = ask(command);
    if (!agree(command, answers, deadlines)) {
      return Mismatch{i, describe(answers.ours), describe(answers.theirs)};
    }
    if (steps[i].waits) wait_for_expiries();
  }
  return std::nullopt;
}

void Twins::reset() {
  longest_ask_ = {};
  for (const Command& command :
       {Command{"FLUSHALL"}, Command{"SELECT", "0"}, Command{"CLIENT", "SETNAME", ""},
        Command{"DEBUG", "SET-ACTIVE-EXPIRE", "1"}}) {
    const Answers answers = ask(command);
    const bool is_done = answers.ours.text == "OK" && answers.theirs.text == "OK";
    if (!is_done) throw std::runtime_error(command[0] + " was refused");
  }
}

Twins::Answers Twins::ask(const Command& command) {
  const auto start = steady_clock::now();
  ours_.send(command);
  theirs_.send(command);
  Answers answers = {ours_.receive(), theirs_.receive()};
  last_ask_ = std::chrono::ceil<milliseconds>(steady_clock::now() - start);
  longest_ask_ = std::max(longest_ask_, last_ask_);
  return answers;
}

bool Twins::agree(const Command& command, const Answers& answers,
                  const std::set<std::int64_t>& deadlines) {
  const auto& [ours, theirs] = answers;
  const bool is_error = ours.kind == Answer::Kind::kError;
  const std::string name = upper_case(command[0]);
  const Comparison comparison = comparison_of(name, generation_);
  const bool has_nul = std::ranges::any_of(
      command, [](const std::string& word) { return word.find('\0') != std::string::npos; });
  if (comparison == Comparison::kNewClient && has_nul) {
    ask({"CLIENT", "SETNAME", ""});  // because the clients may have different names now
    return true;
  }
  if (comparison == Comparison::kNewHello && is_error) {
    ask({"CLIENT", "SETNAME", ""});  // as above
    const bool is_about_user = ours.text.starts_with("WRONGPASS") &&
                               std::ranges::any_of(command, [](const std::string& word) {
                                 return upper_case(word) == "AUTH";
                               });
    return theirs.kind == Answer::Kind::kError || is_about_user || has_nul;
  }
  if (comparison == Comparison::kNewScan && may_refuse_alone(command, ours, theirs)) return true;
  if (ours == theirs) return true;
  if (ours.kind != theirs.kind || is_error) return false;
  switch (comparison) {
    case Comparison::kExact:
      return false;
    case Comparison::kTime:
      return agree_on_time(command, answers, deadlines);
    case Comparison::kUnordered:
      return sorted_texts(ours) == sorted_texts(theirs);
    case Comparison::kScan:
    case Comparison::kNewScan:
      // Each server has its own cursors other than 0.
      return command[1] != "0" ||
             finish_scan(ours_, command, ours) == finish_scan(theirs_, command, theirs);
    case Comparison::kKey:
      for (const Answer& key : {ours, theirs}) {
        const auto [in_ours, in_theirs] = ask({"EXISTS", key.text});
        if (in_ours.number != 1 || in_theirs.number != 1) return false;
      }
      return true;
    case Comparison::kHello:
      return without({"id"}, ours) == without({"id"}, theirs);
    case Comparison::kNewHello: {
      const std::set<std::string> own = {"id", "server", "version", "modules"};
      return without(own, ours) == without(own, theirs);
    }
    case Comparison::kKind:
    case Comparison::kNewClient:
      return true;
  }
  return false;
}

bool Twins::agree_on_time(const Command& command, const Answers& answers,
                          const std::set<std::int64_t>& deadlines) {
  const std::int64_t ours = answers.ours.number;
  const std::int64_t theirs = answers.theirs.number;
  if (ours < 0 || theirs < 0 || deadlines.contains(theirs)) return false;
  const std::int64_t passed = (last_ask_ + longest_ask_).count();
  const std::int64_t apart = std::abs(ours - theirs);
  if (upper_case(command[0]).starts_with('P')) return apart <= passed;

  // Seconds are rounded. So two times that are close together may differ by a second if they are
  // near the middle between two seconds.
  const std::int64_t millis = ask({"P" + command[0], command[1]}).theirs.number;
  const std::int64_t passed_until_now = passed + longest_ask_.count();
  return apart <= passed / 1000 + 1 && std::abs(millis % 1000 - 500) <= passed_until_now;
}

// Only a step that waits has set a ttl of less than a second.
void Twins::wait_for_expiries() {
  const auto expires_soon = [](const Answer& ttl) { return ttl.number >= 0 && ttl.number < 1000; };
  for (const std::string& key : all_keys()) {
    while (true) {
      const auto [ours, theirs] = ask({"PTTL", key});
      if (!expires_soon(ours) && !expires_soon(theirs)) break;
    }
  }
}
