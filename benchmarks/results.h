#ifndef KEYSPACE_BENCHMARKS_RESULTS_H_
#define KEYSPACE_BENCHMARKS_RESULTS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

// The results of the benchmarks.
namespace results {

// The goal of a figure. It limits the ratio of our figure to the baseline, or our figure alone.
class Goal {
 public:
  Goal() = default;
  static Goal ratio_at_most(double limit) { return {Kind::kRatioAtMost, limit}; }
  static Goal ratio_at_least(double limit) { return {Kind::kRatioAtLeast, limit}; }
  static Goal at_most(double limit) { return {Kind::kAtMost, limit}; }

  // Returns whether a figure and its ratio reach the goal; nullopt if there is no goal. The ratio
  // is nullopt if there is no baseline.
  [[nodiscard]] std::optional<bool> is_met_by(double ours, std::optional<double> ratio) const;

  // Returns the limit of the ratio, if there is one.
  [[nodiscard]] std::optional<double> ratio() const;

  // Returns the goal as text, for example "<= 1.10 x"; "-" if there is none.
  [[nodiscard]] std::string text() const;

 private:
  enum class Kind { kNone, kRatioAtMost, kRatioAtLeast, kAtMost };
  Goal(Kind kind, double limit) : kind_(kind), limit_(limit) {}

  Kind kind_ = Kind::kNone;
  double limit_ = 0;
};

// A measurement and its baseline.
struct Row {
  std::string work;
  std::string baseline;  // empty if there is none
  std::size_t keys;
  std::string types;
  Goal goal = {};
  std::string unit = "ns";
};

struct Round {
  std::optional<double> base;
  double ours;
};

// A row and its figures: one pair for each round.
class Result {
 public:
  Result(Row row, std::vector<Round> rounds);

  [[nodiscard]] const Row& row() const { return row_; }
  [[nodiscard]] std::size_t rounds() const { return rounds_.size(); }

  // The medians of the rounds. ratio() is the median of the rounds' ratios, because a disturbance
  // affects both figures of a round.
  [[nodiscard]] std::optional<double> base() const;
  [[nodiscard]] double ours() const;
  [[nodiscard]] std::optional<double> ratio() const;

  // The least and the greatest ratio.
  struct Spread {
    double least;
    double greatest;
  };
  [[nodiscard]] std::optional<Spread> spread() const;

  [[nodiscard]] std::string verdict() const;

 private:
  [[nodiscard]] std::vector<double> ratios() const;

  Row row_;
  std::vector<Round> rounds_;
};

// Returns the median: the middle of `numbers`, or the mean of the middle two.
// REQUIRES: `numbers` is not empty.
double median(std::vector<double> numbers);

// Returns a number of keys as a short text, for example "10 M".
std::string short_count(std::size_t count);

// Returns the number with three significant digits, or with no digits after the point.
std::string short_number(double number);

// Stores a result. The results of one work stay together. The works are in the order of their first
// results.
void add(Result result);

// Stores a figure that Catch2 did not measure.
void add_figure(Row row, std::optional<double> base, double ours);

// Returns all results.
const std::vector<Result>& all();

}  // namespace results

#endif  // KEYSPACE_BENCHMARKS_RESULTS_H_
