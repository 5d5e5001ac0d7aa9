#include "listener.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

// In version 2, only the main program has the base of listeners without this macro.
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include "chart.h"
#include "json.h"
#include "results.h"
#include "support/catch.hpp"
#include "table.h"

namespace listener {
namespace {

#if __has_include(<catch2/catch_test_macros.hpp>)
using Base = Catch::EventListenerBase;
#else
using Base = Catch::TestEventListenerBase;
#endif

struct Benchmark {
  std::string name;
  double nanoseconds;
};
std::optional<Benchmark> last_benchmark;

// A line that the next one overwrites on a terminal, and not elsewhere.
class ProgressLine {
 public:
  void show(std::string_view text) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    std::cerr << (is_terminal_ ? "\r\033[K" : "") << std::fixed << std::setprecision(0)
              << std::setw(4) << elapsed.count() << " s  " << text << (is_terminal_ ? "" : "\n")
              << std::flush;
  }
  void remove() {
    if (is_terminal_) std::cerr << "\r\033[K" << std::flush;
  }

 private:
  const bool is_terminal_ = isatty(STDERR_FILENO) != 0;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

ProgressLine& progress() {
  static ProgressLine line;
  return line;
}

// Writes the results to a file. Ends the program with a message if it cannot.
void write_file(const std::filesystem::path& path,
                void (*write)(std::ostream&, const std::vector<results::Result>&)) {
  std::ofstream file(path);
  write(file, results::all());
  if (!file.flush()) {
    std::cerr << "cannot write " << path << '\n';
    std::exit(EXIT_FAILURE);
  }
}

void write_results() {
  results::write_table(std::cout, results::all());
  std::cout << std::flush;
  const char* const json = std::getenv("KEYSPACE_BENCHMARK_JSON");
  if (json != nullptr) write_file(json, results::write_json);
  if (const char* const svg = std::getenv("KEYSPACE_BENCHMARK_SVG")) {
    write_file(svg, results::write_chart);
  } else if (json != nullptr) {
    write_file(std::filesystem::path(json).replace_extension("svg"), results::write_chart);
  }
}

class Listener : public Base {
 public:
  using Base::Base;

  void benchmarkEnded(const Catch::BenchmarkStats<>& stats) override {
    std::vector<double> samples;
    for (const auto& sample : stats.samples) {
      samples.push_back(std::chrono::duration<double, std::nano>(sample).count());
    }
    last_benchmark = {stats.info.name, results::median(std::move(samples))};
  }

  void testRunEnded(const Catch::TestRunStats& stats) override {
    Base::testRunEnded(stats);
    progress().remove();
    if (!results::all().empty()) write_results();
  }
};
CATCH_REGISTER_LISTENER(Listener)

}  // namespace

std::optional<double> time_of(std::string_view benchmark) {
  if (!last_benchmark || last_benchmark->name != benchmark) return std::nullopt;
  return last_benchmark->nanoseconds;
}

void show_progress(std::string_view work) { progress().show(work); }

}  // namespace listener
