#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <list>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "hit_ratio/chart.h"
#include "hit_ratio/models.h"
#include "hit_ratio/optimum.h"
#include "hit_ratio/row.h"
#include "hit_ratio/summary.h"
#include "hit_ratio/trace.h"
#include "hit_ratio/trace_file.h"
#include "hit_ratio/workloads.h"
#include "support/catch.hpp"

namespace hit_ratio {
namespace {

// The first of workloads(): zipf, scans, loops, mixed.
constexpr std::size_t kCommonWorkloads = 7;

using Numbers = std::vector<std::uint64_t>;

Trace read(const std::string& text, Form form) {
  std::istringstream in(text);
  return read_trace(in, form, "text");
}

std::size_t hits(const Trace& trace, const Policy& policy, std::size_t capacity) {
  const auto model = policy.make(capacity, trace.keys);
  return static_cast<std::size_t>(
      std::ranges::count_if(trace.requests, [&](Key key) { return model->request(key); }));
}

const Policy& policy(std::string_view name) {
  return *std::ranges::find(policies(), name, &Policy::name);
}

// Returns a letter for each request: 'h' for a hit, '-' for a miss.
std::string outcomes(std::string_view name, std::size_t capacity, const Numbers& numbers) {
  const Trace trace = make_trace("numbers", numbers);
  const auto model = policy(name).make(capacity, trace.keys);
  std::string letters;
  for (const Key key : trace.requests) letters += model->request(key) ? 'h' : '-';
  return letters;
}

TEST_CASE("A trace of keys has one key in each line, which may be any text") {
  const Trace trace = read("a\nb c\r\n\na\n*\n", Form::kKeys);
  CHECK(trace.requests == std::vector<Key>{0, 1, 2, 0, 3});
  CHECK(trace.keys == 4);
}

TEST_CASE("A trace in the form of LIRS has the number of a block in each line") {
  const Trace trace = read("7\n 9\r\n7\n*\n\n18446744073709551615\n", Form::kLirs);
  CHECK(trace.requests == std::vector<Key>{0, 1, 0, 2});
  CHECK(trace.keys == 3);
  CHECK_THROWS_WITH(read("7\n7 8\n", Form::kLirs),
                    "text, line 2: this line does not have the form of such a trace");
  CHECK_THROWS(read("-1\n", Form::kLirs));
  CHECK_THROWS(read("18446744073709551616\n", Form::kLirs));
}

TEST_CASE("A trace in the form of ARC has runs of blocks") {
  const Trace trace = read("10 3 0 1\n11 1 0 2\n\n5 0 0 3\n", Form::kArc);
  CHECK(trace.requests == std::vector<Key>{0, 1, 2, 1});
  CHECK(trace.keys == 3);
  CHECK_THROWS(read("10 3 0\n", Form::kArc));
  CHECK_THROWS(read("10 3 0 1 2\n", Form::kArc));
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// A new folder, which is removed at the end.
class Folder {
 public:
  Folder() { std::filesystem::create_directory(path_); }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
  }

 private:
  std::filesystem::path path_ = std::filesystem::temp_directory_path() /
                                ("keyspace-" + std::to_string(std::random_device()()));
};

// "7\n9\n7\n", as gzip compresses it.
constexpr std::string_view kGzip(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x33\xe7\xb2\xe4\x32\xe7\x02\x00"
    "\xc0\xf5\x6b\x12\x06\x00\x00\x00",
    26);

TEST_CASE("The traces of a folder are the files with certain extensions, in the order of names") {
  const Folder folder;
  folder.write("b.keys", "x\ny\nx\n");
  folder.write("a.b.lirs", "1\n*\n");
  folder.write("c.arc", "10 3 0 0\n");
  folder.write("README.md", "text");
  folder.write("lirs", "text");
  std::ostringstream messages;
  const std::vector<Trace> traces = read_traces(folder.path(), messages);
  REQUIRE(traces.size() == 3);
  CHECK(traces[0].name == "a.b");
  CHECK(traces[0].keys == 1);
  CHECK(traces[1].name == "b");
  CHECK(traces[1].requests == std::vector<Key>{0, 1, 0});
  CHECK(traces[2].name == "c");
  CHECK(traces[2].keys == 3);
  CHECK(messages.str().empty());
}

TEST_CASE("A file of gzip is read with zlib, and skipped without") {
  const Folder folder;
  folder.write("a.lirs.gz", kGzip);
  folder.write("b.lirs", "1\n");
  std::ostringstream messages;
  const std::vector<Trace> traces = read_traces(folder.path(), messages);
  if (reads_gzip()) {
    REQUIRE(traces.size() == 2);
    CHECK(traces[0].name == "a");
    CHECK(traces[0].requests == std::vector<Key>{0, 1, 0});
    CHECK(messages.str().empty());
  } else {
    CHECK(traces.size() == 1);
    CHECK(messages.str().starts_with("1 traces of " + folder.path().string()));
    CHECK(contains(messages.str(), "without zlib"));
  }
}

TEST_CASE("A trace file that cannot be read throws an error with its path") {
  const Folder folder;
  folder.write("bad.lirs", "1\nx\n");
  folder.write("short.lirs.gz", kGzip.substr(0, 14));
  const auto error_of = [&](const char* name) -> std::string {
    try {
      read_trace_file(folder.path() / name, Form::kLirs);
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  };
  CHECK(contains(error_of("bad.lirs"), "bad.lirs, line 2: "));
  CHECK(contains(error_of("short.lirs.gz"), "short.lirs.gz cannot be read"));
  CHECK(contains(error_of("none.lirs"), "none.lirs cannot be opened"));
}

TEST_CASE("An empty trace has no keys") {
  CHECK(read("", Form::kKeys).keys == 0);
  CHECK(optimal_hits(read("", Form::kArc), 1) == 0);
}

// Tries every choice of victims.
std::size_t most_hits(const Trace& trace, std::size_t capacity, std::size_t at,
                      const std::vector<Key>& stored) {
  if (at == trace.requests.size()) return 0;
  const Key key = trace.requests[at];
  if (std::ranges::find(stored, key) != stored.end()) {
    return 1 + most_hits(trace, capacity, at + 1, stored);
  }
  std::vector<Key> more = stored;
  more.push_back(key);
  if (more.size() <= capacity) return most_hits(trace, capacity, at + 1, more);
  std::size_t most = 0;
  for (std::size_t i = 0; i != more.size(); ++i) {
    std::vector<Key> fewer = more;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    most = std::max(most, most_hits(trace, capacity, at + 1, fewer));
  }
  return most;
}

TEST_CASE("No choice of victims has more hits than the optimum") {
  for (std::uint64_t seed = 1; seed != 200; ++seed) {
    Numbers numbers;
    std::uint64_t state = seed;
    for (int i = 0; i != 10; ++i) {
      state = state * 6364136223846793005 + 1442695040888963407;
      numbers.push_back((state >> 33) % 5);
    }
    const Trace trace = make_trace("random", numbers);
    for (const std::size_t capacity : {1U, 2U, 3U}) {
      CHECK(optimal_hits(trace, capacity) == most_hits(trace, capacity, 0, {}));
    }
  }
}

TEST_CASE("With a capacity for all keys, every policy misses each key once") {
  for (const Trace& trace : workloads(3'000)) {
    for (const Policy& policy : policies()) {
      INFO(trace.name << ", " << policy.name);
      CHECK(hits(trace, policy, trace.keys) == trace.requests.size() - trace.keys);
    }
  }
}

TEST_CASE("No policy has more hits than the optimum, in a cache of any size") {
  for (const Trace& trace : workloads(3'000)) {
    for (const std::size_t capacity : {1U, 2U, 3U, 7U, 20U, 100U, 500U}) {
      for (const Policy& policy : policies()) {
        INFO(trace.name << ", " << policy.name << ", " << capacity);
        CHECK(hits(trace, policy, capacity) <= optimal_hits(trace, capacity));
      }
    }
  }
}

// Counts the hits of a list that moves each requested key to its front.
std::size_t hits_of_list(const Trace& trace, std::size_t capacity) {
  std::list<Key> keys;
  std::size_t hits = 0;
  for (const Key key : trace.requests) {
    const auto found = std::find(keys.begin(), keys.end(), key);
    hits += found != keys.end();
    if (found != keys.end()) keys.erase(found);
    keys.push_front(key);
    if (keys.size() > capacity) keys.pop_back();
  }
  return hits;
}

TEST_CASE("LRU evicts the least recently used key") {
  for (const Trace& trace : workloads(20'000)) {
    for (const std::size_t capacity : {1U, 2U, 10U, 100U, 700U}) {
      INFO(trace.name << ", " << capacity);
      CHECK(hits(trace, policies()[0], capacity) == hits_of_list(trace, capacity));
    }
  }
}

TEST_CASE("SIEVE evicts the first key behind its hand that was not requested, and moves no key") {
  // 4 evicts 2, as 1 was requested. 5 evicts 4, as the hand is at 3, which was requested.
  CHECK(outcomes("SIEVE", 3, {1, 2, 3, 1, 4, 3, 5, 1, 4}) == "---h-h-h-");
}

TEST_CASE("S3-FIFO keeps keys that were requested again") {
  Numbers numbers = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 1, 2, 11, 2};
  CHECK(outcomes("S3-FIFO", 10, numbers) == "----------hhh--");
  // Two requests more keep 1. After one request more, 2 is evicted, and comes back as a ghost.
  for (std::uint64_t i = 20; i != 40; ++i) numbers.push_back(i);
  numbers.insert(numbers.end(), {1, 2, 3});
  CHECK(outcomes("S3-FIFO", 10, numbers).ends_with("hh-"));
}

TEST_CASE("ARC moves its target to the list whose evicted keys are requested") {
  // The second request for 3 is for a ghost of the first list. It evicts 2. The third request for 2
  // is for a ghost of the second list. It evicts 4.
  CHECK(outcomes("ARC", 2, {1, 2, 3, 2, 4, 3, 2, 3, 4, 3, 2}) == "---h---h-h-");
  // The third request for 1 is for a ghost of the second list. It evicts 4, although the first list
  // has no more keys than its target, which is 1.
  CHECK(outcomes("ARC", 3, {1, 1, 2, 3, 4, 2, 3, 1, 4}) == "-h-------");
  // The second request for 3 raises the target by 2, because the second list has 2 ghosts and the
  // first has 1.
  CHECK(outcomes("ARC", 3, {1, 2, 2, 3, 4, 1, 5, 5, 6, 4, 3, 2, 6}) == "--h----h-h--h");
  // The third request for 1 lowers the target from 2 to 0, because the lists have 2 ghosts and 1.
  CHECK(outcomes("ARC", 5, {1, 2, 3, 1, 4, 5, 6, 2, 3, 7, 8, 1, 9, 6, 2}) == "---h----------h");
}

TEST_CASE("ARC remembers as many evicted keys as it stores") {
  // The third request for 1 is not for a ghost.
  CHECK(outcomes("ARC", 2, {1, 2, 1, 3, 2, 4, 4, 5, 3, 1, 5}) == "--h---h-h-h");
  // 1 is no ghost, because the first list filled the cache.
  CHECK(outcomes("ARC", 2, {1, 2, 3, 1, 4, 5, 1}) == "-------");
}

TEST_CASE("LIRS keeps the keys with the fewest other keys between two requests") {
  // 1 has the low recency. The second request for 2 gives it to 2, and then to 1 again.
  CHECK(outcomes("LIRS", 2, {1, 2, 3, 2, 1, 3, 1, 2}) == "----h--h");
}

TEST_CASE("LIRS gives 99 % of the cache to the keys with a low recency") {
  Numbers numbers;
  for (std::uint64_t i = 0; i != 300; ++i) numbers.push_back(i);
  for (std::uint64_t i = 0; i != 200; ++i) numbers.push_back(i);
  const std::string letters = outcomes("LIRS", 200, numbers).substr(300);
  CHECK(letters.find('-') == 198);
  CHECK(letters.ends_with("--"));
}

TEST_CASE("LIRS counts two requests in a row as one") {
  CHECK(outcomes("LIRS", 2, {1, 2, 3, 3, 4, 1}) == "---h-h");
}

TEST_CASE("LIRS remembers twice as many evicted keys as it stores") {
  CHECK(outcomes("LIRS", 2, {1, 2, 3, 4, 5, 6, 7, 3, 8, 1}) == "----------");
  CHECK(outcomes("LIRS", 2, {1, 2, 3, 4, 5, 6, 7, 2, 8, 1}) == "---------h");
}

TEST_CASE("W-TinyLFU admits a key that was requested more often than the next victim") {
  // One key is in the window, and one is in probation. 3 pushes 2 out of the window, which is
  // rejected because 1 has as many requests.
  CHECK(outcomes("W-TinyLFU", 2, {1, 2, 3, 1, 3, 3, 4, 3, 1}) == "---hhh-h-");
  CHECK(outcomes("W-TinyLFU", 2, {1, 2, 3, 2, 1}) == "----h");
}

TEST_CASE("W-TinyLFU enlarges a window that was at its least size for a long time") {
  constexpr std::uint64_t kCapacity = 100;
  Numbers numbers;
  // All keys fit. Each sample has the same hit ratio, so the border keeps its direction.
  for (std::uint64_t i = 0; i != 1'000 * kCapacity; ++i) numbers.push_back(i % kCapacity);
  // Each key is requested twice, with 20 requests of other keys between.
  const std::size_t change = numbers.size();
  for (std::uint64_t i = 0; i != 100 * kCapacity; ++i) {
    numbers.push_back(kCapacity + (i % 2 == 0 ? i / 2 + 10 : i / 2));
  }
  const std::string letters = outcomes("W-TinyLFU", kCapacity, numbers).substr(change);
  CHECK(std::ranges::count(letters, 'h') > 1'000);
}

// The other workloads are hard for every policy that protects older keys.
TEST_CASE("On the common workloads the default policy has no fewer hits than LRU") {
  const std::vector<Trace> traces = workloads(100'000);
  for (std::size_t i = 0; i != kCommonWorkloads; ++i) {
    const Trace& trace = traces[i];
    for (const std::size_t percent : {1U, 5U, 10U, 20U, 50U}) {
      const std::size_t capacity = std::max<std::size_t>(trace.keys * percent / 100, 1);
      INFO(trace.name << ", " << percent << " %");
      CHECK(hits(trace, policies().back(), capacity) >= hits(trace, policies()[0], capacity));
    }
  }
}

TEST_CASE("On zipf 0.9 and on loops with scans the default policy has a tenth fewer misses") {
  for (const Trace& trace : workloads(100'000)) {
    if (trace.name != "zipf 0.9" && trace.name != "loop + scans") continue;
    const auto misses = [&](const Policy& policy) {
      return trace.requests.size() - hits(trace, policy, trace.keys / 10);
    };
    INFO(trace.name);
    CHECK(misses(policies().back()) * 10 <= misses(policies()[0]) * 9);
  }
}

TEST_CASE("In a loop that does not fit, LRU has no hits and the default policy has nearly all") {
  Numbers numbers;
  for (std::uint64_t i = 0; i != 20'000; ++i) numbers.push_back(i % 200);
  const Trace trace = make_trace("loop", numbers);
  CHECK(hits(trace, policies()[0], 150) == 0);
  CHECK(hits(trace, policies().back(), 150) >= optimal_hits(trace, 150) * 95 / 100);
}

TEST_CASE("The summary compares each policy with LRU and with the best of the others") {
  // The last policy removes half of the misses of LRU, then none. The second is below LRU by 1
  // point, then by 10.
  std::vector<double> first(policies().size(), 0.5);
  std::vector<double> second(policies().size(), 0.8);
  first.back() = 0.75;
  first[1] = 0.49;
  second[1] = 0.7;
  const std::vector<Row> rows = {{"a", 1, first, 1}, {"b", 10, second, 1}};
  const std::vector<Summary> summaries = summarize(rows);
  REQUIRE(summaries.size() == policies().size());
  const auto check = [&](std::size_t policy, double removed, double mean, double largest) {
    CHECK(std::abs(summaries[policy].removed - removed) < 1e-9);
    CHECK(std::abs(summaries[policy].mean_regret - mean) < 1e-9);
    CHECK(std::abs(summaries[policy].largest_regret - largest) < 1e-9);
  };
  check(0, 0, 12.5, 25);
  check(1, -26, 18, 26);
  check(policies().size() - 1, 25, 0, 0);
  CHECK(summaries[0].below_lru == 0);
  CHECK(summaries[1].below_lru == 2);
}

TEST_CASE("The chart has lines for each policy and the optimum, for each trace") {
  const std::vector<double> ratios(policies().size(), 0.25);
  std::ostringstream out;
  write_chart(out, {{"a < b", 1, ratios, 0.5}, {"a < b", 10, ratios, 1}, {"c", 1, ratios, 0.5}});
  const std::string svg = out.str();
  const auto count = [&](const std::string& text) {
    std::size_t times = 0;
    for (auto at = svg.find(text); at != std::string::npos; at = svg.find(text, at + 1)) ++times;
    return times;
  };
  CHECK(svg.starts_with("<svg"));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(count("a &lt; b</text>") == 1);
  // The two traces and the legend have lines.
  CHECK(count("<polyline") == 3 * (policies().size() + 1));
  CHECK(count("class=\"policy" + std::to_string(policies().size() - 1) + "\"") == 3);
}

TEST_CASE("The charts of four traces stand in two lines, and those of three in one") {
  const auto height = [](std::size_t traces) {
    std::vector<Row> rows;
    for (std::size_t i = 0; i != traces; ++i) {
      rows.push_back({std::to_string(i), 0.1, std::vector<double>(policies().size()), 0.5});
    }
    std::ostringstream out;
    write_chart(out, rows);
    const std::string svg = out.str();
    CHECK(contains(svg, ">0.1</text>"));
    return std::stoi(svg.substr(svg.find("height=\"") + 8));
  };
  CHECK(height(2) == height(1));
  CHECK(height(3) == height(1));
  CHECK(height(4) > height(3));
  CHECK(height(5) == height(4));
  CHECK(height(7) > height(6));
}

}  // namespace
}  // namespace hit_ratio
