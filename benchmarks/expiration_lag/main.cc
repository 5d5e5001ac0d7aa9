// Measures how long an expired key still takes memory, in a Keyspace and in a Redis server. In
// both stores, a few of many volatile keys expire. Neither store returns an expired key, so only
// the memory matters.
//
//   keyspace_expiration_lag [--keys N] [--expiring N] [--seconds N]
//
// If the environment variable KEYSPACE_LAG_JSON is set, it also writes the results to that file.

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "lags.h"

namespace {

using expiration_lag::kPatience;
using expiration_lag::Lag;
using expiration_lag::Lags;

struct Options {
  std::uint32_t keys = 1'000'000;
  std::uint32_t expiring = 1'000;
  std::uint32_t seconds = 5;
};

Options parse(const std::vector<std::string_view>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string_view name = arguments[i];
    const std::string_view text = i + 1 < arguments.size() ? arguments[i + 1] : "";
    std::uint32_t* const number = name == "--keys"       ? &options.keys
                                  : name == "--expiring" ? &options.expiring
                                  : name == "--seconds"  ? &options.seconds
                                                         : nullptr;
    if (number == nullptr) throw std::invalid_argument("There is no option " + std::string(name));
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
    if (error != std::errc() || end != text.data() + text.size() || *number == 0) {
      throw std::invalid_argument(std::string(name) + " needs a positive number");
    }
  }
  return options;
}

struct Percentile {
  const char* name;
  double share;
};
constexpr Percentile kPercentiles[] = {{"p50", 0.5}, {"p99", 0.99}, {"max", 1}};

// --- Table ---

void write_cell(const std::string& text) { std::cout << std::setw(14) << text; }

void write_titles() {
  std::cout << std::left << std::setw(14) << "store" << std::right;
  write_cell("removed");
  for (const Percentile& percentile : kPercentiles) {
    write_cell(percentile.name + std::string(", ms"));
  }
  std::cout << std::endl;
}

std::string text_of(const std::optional<Lag>& lag) {
  std::ostringstream text;
  if (lag) {
    text << std::fixed << std::setprecision(2) << lag->count();
  } else {
    text << "> " << Lag(kPatience).count();
  }
  return text.str();
}

void write_row(const Lags& lags) {
  std::cout << std::left << std::setw(14) << lags.store() << std::right;
  write_cell(std::to_string(lags.removed()) + " of " + std::to_string(lags.expiring()));
  for (const Percentile& percentile : kPercentiles) {
    write_cell(text_of(lags.percentile(percentile.share)));
  }
  std::cout << std::endl;
}

// --- JSON ---

// A lag that is longer than kPatience is null.
void write_json(std::ostream& out, const Options& options, const std::vector<Lags>& results) {
  out << "{\n  \"keys\": " << options.keys << ", \"expiring\": " << options.expiring
      << ", \"seconds\": " << options.seconds << ", \"patience_ms\": " << Lag(kPatience).count()
      << ",\n  \"results\": [";
  const char* separator = "\n    ";
  for (const Lags& lags : results) {
    out << separator << "{\"store\": \"" << lags.store() << "\", \"removed\": " << lags.removed();
    for (const Percentile& percentile : kPercentiles) {
      out << ", \"" << percentile.name << "_ms\": ";
      if (const auto lag = lags.percentile(percentile.share)) {
        out << lag->count();
      } else {
        out << "null";
      }
    }
    out << '}';
    separator = ",\n    ";
  }
  out << "\n  ]\n}\n";
}

void run(const Options& options) {
  std::cout << "From deadline to removal: " << options.expiring << " keys that expire within "
            << options.seconds << " s, among " << options.keys << " others.\n"
            << "The keyspace calls erase_expired() every millisecond, Redis has its defaults. The "
               "measurement\nwaits "
            << kPatience.count() << " s at most.\n\n";
  write_titles();
  const auto plan = expiration_lag::make_plan(options.keys, options.expiring,
                                              std::chrono::seconds(options.seconds));
  std::vector<Lags> results = {expiration_lag::lags_of_keyspace(plan)};
  write_row(results.back());
  if (auto lags = expiration_lag::lags_of_redis(plan)) {
    results.push_back(*std::move(lags));
    write_row(results.back());
  } else {
    std::cout << "There is no redis-server on the PATH to compare with.\n";
  }

  if (const char* const path = std::getenv("KEYSPACE_LAG_JSON")) {
    std::ofstream file(path);
    write_json(file, options, results);
    if (!file.flush()) throw std::runtime_error("Cannot write to " + std::string(path));
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse({argv + 1, argv + argc}));
  } catch (const std::exception& error) {
    std::cerr << error.what() << ".\n";
    return 1;
  }
}
