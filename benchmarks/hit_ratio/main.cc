// Measures the hit ratios of several policies, for traces and sizes of the cache.
//
//   hit_ratio [--requests N] [--traces DIR] [--draw NAME]...
//             [--keys FILE | --lirs FILE | --arc FILE]...
//
// Without a file it takes synthetic workloads of N requests each, by default a million. `--traces`
// adds the traces of a folder: its files *.keys, *.lirs and *.arc, and the same with .gz. At the
// end it sums up the traces of files.
//
// It draws the synthetic workloads to the file that KEYSPACE_HIT_RATIO_SVG names, and the traces of
// files to the file that KEYSPACE_HIT_RATIO_TRACES_SVG names, if these environment variables are
// set. `--draw` names the traces of files to draw. Without it, all are drawn.

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "hit_ratio/chart.h"
#include "hit_ratio/models.h"
#include "hit_ratio/optimum.h"
#include "hit_ratio/row.h"
#include "hit_ratio/summary.h"
#include "hit_ratio/trace.h"
#include "hit_ratio/trace_file.h"
#include "hit_ratio/workloads.h"

namespace {

using hit_ratio::Row;
using hit_ratio::Trace;

// The sizes of the cache, in percent of the different keys of a trace. Smaller sizes than
// kLeastCapacity are left out.
constexpr double kPercents[] = {0.1, 1, 5, 10, 20, 50};
constexpr std::size_t kLeastCapacity = 20;

struct Input {
  std::vector<Trace> synthetic;
  std::vector<Trace> files;
  std::vector<std::string> drawn;  // the names of the files to draw; all if it is empty
};

// Throws if two files have one name, or if a name to draw is unknown.
void check_names(const Input& input) {
  std::set<std::string> names;
  for (const Trace& trace : input.files) {
    if (!names.insert(trace.name).second) {
      throw std::runtime_error("There are two traces with the name " + trace.name);
    }
  }
  for (const std::string& name : input.drawn) {
    if (!names.contains(name)) throw std::runtime_error("There is no trace " + name + " to draw");
  }
}

Input read_input(const std::vector<std::string>& words) {
  Input input;
  std::size_t requests = 1'000'000;
  bool has_file = false;
  const auto read_file = [&](const std::string& path, hit_ratio::Form form) {
    input.files.push_back(hit_ratio::read_trace_file(path, form));
    has_file = true;
  };
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::string& name = words[i];
    if (i + 1 == words.size()) throw std::runtime_error(name + " needs a value");
    const std::string& value = words[i + 1];
    if (name == "--keys") {
      read_file(value, hit_ratio::Form::kKeys);
    } else if (name == "--lirs") {
      read_file(value, hit_ratio::Form::kLirs);
    } else if (name == "--arc") {
      read_file(value, hit_ratio::Form::kArc);
    } else if (name == "--traces") {
      std::ranges::move(hit_ratio::read_traces(value, std::cerr), std::back_inserter(input.files));
    } else if (name == "--draw") {
      input.drawn.push_back(value);
    } else if (name == "--requests") {
      requests = std::stoul(value);
    } else {
      throw std::runtime_error("There is no option " + name);
    }
  }
  check_names(input);
  if (!has_file && requests != 0) input.synthetic = hit_ratio::workloads(requests);
  return input;
}

std::size_t hits(const Trace& trace, const hit_ratio::Policy& policy, std::size_t capacity) {
  const auto model = policy.make(capacity, trace.keys);
  std::size_t hits = 0;
  for (const hit_ratio::Key key : trace.requests) hits += model->request(key);
  return hits;
}

void print_head() {
  std::cout << "hits in percent of requests, by capacity: in keys, and in percent of all keys\n\n"
            << std::left << std::setw(16) << "trace" << std::right << std::setw(12) << "capacity";
  for (const hit_ratio::Policy& policy : hit_ratio::policies()) {
    std::cout << std::setw(11) << policy.name;
  }
  std::cout << std::setw(11) << "optimum" << '\n' << std::fixed << std::setprecision(2);
}

Row measure(const Trace& trace, double percent, std::size_t capacity) {
  Row row = {trace.name, percent, {}, 0};
  const auto print = [&](std::size_t hits) {
    const double ratio = static_cast<double>(hits) / static_cast<double>(trace.requests.size());
    std::cout << std::setw(11) << 100 * ratio << std::flush;
    return ratio;
  };
  std::cout << std::left << std::setw(16) << trace.name << std::right << std::setw(7) << capacity
            << std::setw(4) << std::defaultfloat << percent << '%' << std::fixed;
  for (const hit_ratio::Policy& policy : hit_ratio::policies()) {
    row.ratios.push_back(print(hits(trace, policy, capacity)));
  }
  row.optimum = print(hit_ratio::optimal_hits(trace, capacity));
  std::cout << '\n';
  return row;
}

std::vector<Row> measure(const std::vector<Trace>& traces) {
  std::vector<Row> rows;
  for (const Trace& trace : traces) {
    for (const double percent : kPercents) {
      const auto capacity =
          static_cast<std::size_t>(static_cast<double>(trace.keys) * percent / 100);
      if (capacity >= kLeastCapacity) rows.push_back(measure(trace, percent, capacity));
    }
    if (rows.empty() || rows.back().trace != trace.name) {
      std::cout << trace.name << " is left out: it has too few keys\n";
    }
  }
  return rows;
}

// Draws the rows of the traces with these names, or all rows if there are no names.
void draw(const char* variable, std::vector<Row> rows, const std::vector<std::string>& names) {
  const char* const path = std::getenv(variable);
  if (path == nullptr || rows.empty()) return;
  if (!names.empty()) {
    std::erase_if(
        rows, [&](const Row& row) { return std::ranges::find(names, row.trace) == names.end(); });
  }
  std::ofstream file(path);
  hit_ratio::write_chart(file, rows);
  if (!file.flush()) throw std::runtime_error(std::string(path) + " cannot be written");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Input input = read_input({argv + 1, argv + argc});
    print_head();
    const std::vector<Row> synthetic = measure(input.synthetic);
    const std::vector<Row> files = measure(input.files);
    if (!files.empty()) {
      std::cout << '\n';
      hit_ratio::print_summary(std::cout, files);
    }
    draw("KEYSPACE_HIT_RATIO_SVG", synthetic, {});
    draw("KEYSPACE_HIT_RATIO_TRACES_SVG", files, input.drawn);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
