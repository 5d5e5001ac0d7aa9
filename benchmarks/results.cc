#include "results.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdio>
#include <utility>

namespace results {
namespace {

std::string fixed(double number, int digits) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%.*f", digits, number);
  return text.data();
}

std::vector<Result>& stored() {
  static std::vector<Result> results;
  return results;
}

}  // namespace

std::optional<bool> Goal::is_met_by(double ours, std::optional<double> ratio) const {
  switch (kind_) {
    case Kind::kRatioAtMost:
      return ratio && *ratio <= limit_;
    case Kind::kRatioAtLeast:
      return ratio && *ratio >= limit_;
    case Kind::kAtMost:
      return ours <= limit_;
    case Kind::kNone:
      break;
  }
  return std::nullopt;
}

std::optional<double> Goal::ratio() const {
  const bool limits_ratio = kind_ == Kind::kRatioAtMost || kind_ == Kind::kRatioAtLeast;
  return limits_ratio ? std::optional(limit_) : std::nullopt;
}

std::string Goal::text() const {
  switch (kind_) {
    case Kind::kRatioAtMost:
      return "<= " + fixed(limit_, 2) + " x";
    case Kind::kRatioAtLeast:
      return ">= " + fixed(limit_, 2) + " x";
    case Kind::kAtMost:
      return "<= " + short_number(limit_);
    case Kind::kNone:
      break;
  }
  return "-";
}

Result::Result(Row row, std::vector<Round> rounds)
    : row_(std::move(row)), rounds_(std::move(rounds)) {
  assert(!rounds_.empty());
}

std::optional<double> Result::base() const {
  std::vector<double> bases;
  for (const Round& round : rounds_) {
    if (round.base) bases.push_back(*round.base);
  }
  return bases.empty() ? std::nullopt : std::optional(median(std::move(bases)));
}

double Result::ours() const {
  std::vector<double> figures;
  for (const Round& round : rounds_) figures.push_back(round.ours);
  return median(std::move(figures));
}

std::optional<double> Result::ratio() const {
  std::vector<double> all = ratios();
  return all.empty() ? std::nullopt : std::optional(median(std::move(all)));
}

std::optional<Result::Spread> Result::spread() const {
  const std::vector<double> all = ratios();
  if (all.size() < 2) return std::nullopt;
  const auto [least, greatest] = std::minmax_element(all.begin(), all.end());
  return Spread{*least, *greatest};
}

std::string Result::verdict() const {
  const std::optional<bool> is_met = row_.goal.is_met_by(ours(), ratio());
  return !is_met ? "-" : *is_met ? "met" : "missed";
}

std::vector<double> Result::ratios() const {
  std::vector<double> ratios;
  for (const Round& round : rounds_) {
    if (round.base) ratios.push_back(round.ours / *round.base);
  }
  return ratios;
}

double median(std::vector<double> numbers) {
  assert(!numbers.empty());
  std::sort(numbers.begin(), numbers.end());
  const std::size_t middle = numbers.size() / 2;
  return numbers.size() % 2 == 1 ? numbers[middle] : (numbers[middle - 1] + numbers[middle]) / 2;
}

std::string short_count(std::size_t count) {
  if (count % 1'000'000 == 0) return std::to_string(count / 1'000'000) + " M";
  if (count % 1'000 == 0) return std::to_string(count / 1'000) + " k";
  return std::to_string(count);
}

std::string short_number(double number) {
  return fixed(number, number < 10 ? 2 : number < 100 ? 1 : 0);
}

void add(Result result) {
  std::vector<Result>& results = stored();
  const auto last = std::find_if(results.rbegin(), results.rend(), [&](const Result& other) {
    return other.row().work == result.row().work;
  });
  results.insert(last == results.rend() ? results.end() : last.base(), std::move(result));
}

void add_figure(Row row, std::optional<double> base, double ours) {
  add(Result(std::move(row), {{base, ours}}));
}

const std::vector<Result>& all() { return stored(); }

}  // namespace results
