// Measures the hit ratios of several policies, for traces and sizes of the cache.
//
//   hit_ratio [--requests N] [--keys FILE | --lirs FILE | --arc FILE]...
//
// Without a file it takes synthetic workloads of N requests each, by default a million. If the
// environment variable KEYSPACE_HIT_RATIO_SVG is set, it draws a chart to that file.

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "hit_ratio/chart.h"
#include "hit_ratio/models.h"
#include "hit_ratio/optimum.h"
#include "hit_ratio/trace.h"
#include "hit_ratio/workloads.h"

namespace {

using hit_ratio::Trace;

// The sizes of the cache, in percent of the different keys of a trace.
constexpr std::size_t kPercents[] = {1, 5, 10, 20, 50};

Trace read_file(const std::string& path, hit_ratio::Form form) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + " cannot be opened");
  return hit_ratio::read_trace(file, form, path);
}

std::vector<Trace> read_traces(const std::vector<std::string>& words) {
  std::vector<Trace> traces;
  std::size_t requests = 1'000'000;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::string& name = words[i];
    if (i + 1 == words.size()) throw std::runtime_error(name + " needs a value");
    const std::string& value = words[i + 1];
    if (name == "--keys") {
      traces.push_back(read_file(value, hit_ratio::Form::kKeys));
    } else if (name == "--lirs") {
      traces.push_back(read_file(value, hit_ratio::Form::kLirs));
    } else if (name == "--arc") {
      traces.push_back(read_file(value, hit_ratio::Form::kArc));
    } else if (name == "--requests") {
      requests = std::stoul(value);
    } else {
      throw std::runtime_error("There is no option " + name);
    }
  }
  return traces.empty() ? hit_ratio::workloads(requests) : traces;
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

hit_ratio::Row measure(const Trace& trace, std::size_t percent) {
  hit_ratio::Row row = {trace.name, percent, {}, 0};
  const std::size_t capacity = std::max<std::size_t>(trace.keys * percent / 100, 1);
  const auto print = [&](std::size_t hits) {
    const double ratio = static_cast<double>(hits) / static_cast<double>(trace.requests.size());
    std::cout << std::setw(11) << 100 * ratio << std::flush;
    return ratio;
  };
  std::cout << std::left << std::setw(16) << trace.name << std::right << std::setw(7) << capacity
            << std::setw(4) << percent << '%';
  for (const hit_ratio::Policy& policy : hit_ratio::policies()) {
    row.ratios.push_back(print(hits(trace, policy, capacity)));
  }
  row.optimum = print(hit_ratio::optimal_hits(trace, capacity));
  std::cout << '\n';
  return row;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<Trace> traces = read_traces({argv + 1, argv + argc});
    print_head();
    std::vector<hit_ratio::Row> rows;
    for (const Trace& trace : traces) {
      for (const std::size_t percent : kPercents) rows.push_back(measure(trace, percent));
    }
    if (const char* const path = std::getenv("KEYSPACE_HIT_RATIO_SVG")) {
      std::ofstream file(path);
      hit_ratio::write_chart(file, rows);
      if (!file.flush()) throw std::runtime_error(std::string(path) + " cannot be written");
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
