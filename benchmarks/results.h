#ifndef KEYSPACE_BENCHMARKS_RESULTS_H_
#define KEYSPACE_BENCHMARKS_RESULTS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

// What the suite finds out, and what it says of it.
namespace results {

// What a figure should be. A limit may be on the ratio of ours to the baseline, or on ours alone.
class Goal {
 public:
  Goal() = default;
  static Goal ratio_at_most(double limit) { return {Kind::kRatioAtMost, limit}; }
  static Goal ratio_at_least(double limit) { return {Kind::kRatioAtLeast, limit}; }
  static Goal at_most(double limit) { return {Kind::kAtMost, limit}; }

  // Returns whether a figure, and its ratio if there is a baseline, reach the goal; nullopt if
  // there is no goal.
  [[nodiscard]] std::optional<bool> is_met_by(double ours, std::optional<double> ratio) const;

  // Returns the limit if it is one on the ratio.
  [[nodiscard]] std::optional<double> ratio() const;

  // Returns the goal in signs, "<= 1.10", or "-" if there is none.
  [[nodiscard]] std::string text() const;

 private:
  enum class Kind { kNone, kRatioAtMost, kRatioAtLeast, kAtMost };
  Goal(Kind kind, double limit) : kind_(kind), limit_(limit) {}

  Kind kind_ = Kind::kNone;
  double limit_ = 0;
};

// What is measured, and against what.
struct Row {
  std::string work;
  std::string baseline;  // empty: there is none
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

  // The medians over the rounds. That of the ratio is taken of the rounds' ratios, as what disturbs
  // one round disturbs both of its halves.
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

// Returns the middle of `numbers`, or the mean of the middle two.
// REQUIRES: there is one at least.
double median(std::vector<double> numbers);

// Returns a number of keys in short: "10 M".
std::string short_count(std::size_t count);

// Returns the number with three digits in all, or with none after the point.
std::string short_number(double number);

// Takes down a result. A work's results stand together, in the order in which the works came.
void add(Result result);

// Takes down a figure that is no timing, or has been timed otherwise than by Catch2.
void add_figure(Row row, std::optional<double> base, double ours);

// All that was taken down.
const std::vector<Result>& all();

}  // namespace results

#endif  // KEYSPACE_BENCHMARKS_RESULTS_H_
