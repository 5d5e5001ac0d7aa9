#include "json.h"

#include <cstddef>
#include <optional>
#include <ostream>
#include <string_view>

#include "absl/base/config.h"

#ifndef KEYSPACE_BENCHMARKS_BUILD_FLAGS
#define KEYSPACE_BENCHMARKS_BUILD_FLAGS ""
#endif

namespace results {
namespace {

#if defined(__clang__)
constexpr std::string_view kCompiler = "clang " __clang_version__;
#elif defined(__GNUC__)
constexpr std::string_view kCompiler = "gcc " __VERSION__;
#else
constexpr std::string_view kCompiler = "unknown";
#endif

#ifdef ABSL_LTS_RELEASE_VERSION
constexpr std::optional<std::size_t> kAbseil = ABSL_LTS_RELEASE_VERSION;
#else
constexpr std::optional<std::size_t> kAbseil = std::nullopt;
#endif

// Writes an object on one line, member by member. The names of members need no escapes.
class Object {
 public:
  explicit Object(std::ostream& out) : out_(out) { out_ << '{'; }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object() { out_ << '}'; }

  template <class T>
  void add(std::string_view name, const T& value) {
    out_ << separator_ << '"' << name << "\": ";
    write(value);
    separator_ = ", ";
  }

 private:
  void write(std::string_view text) {
    out_ << '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') out_ << '\\';
      out_ << c;
    }
    out_ << '"';
  }
  void write(double number) { out_ << number; }
  void write(std::size_t number) { out_ << number; }
  template <class T>
  void write(const std::optional<T>& value) {
    if (value) {
      write(*value);
    } else {
      out_ << "null";
    }
  }

  std::ostream& out_;
  std::string_view separator_;
};

void write_build(std::ostream& out) {
  Object build(out);
  build.add("compiler", kCompiler);
  build.add("flags", std::string_view(KEYSPACE_BENCHMARKS_BUILD_FLAGS));
  build.add("abseil_lts", kAbseil);
}

void write_result(std::ostream& out, const Result& result) {
  const Row& row = result.row();
  const auto spread = result.spread();
  Object object(out);
  object.add("work", row.work);
  object.add("against", row.baseline);
  object.add("keys", row.keys);
  object.add("types", row.types);
  object.add("unit", row.unit);
  object.add("rounds", result.rounds());
  object.add("base", result.base());
  object.add("ours", result.ours());
  object.add("ratio", result.ratio());
  object.add("least_ratio", spread ? std::optional(spread->least) : std::nullopt);
  object.add("greatest_ratio", spread ? std::optional(spread->greatest) : std::nullopt);
  object.add("goal", row.goal.text());
  object.add("verdict", result.verdict());
}

}  // namespace

void write_json(std::ostream& out, const std::vector<Result>& results) {
  out << "{\n  \"build\": ";
  write_build(out);
  out << ",\n  \"results\": [";
  std::string_view separator = "\n    ";
  for (const Result& result : results) {
    out << separator;
    write_result(out, result);
    separator = ",\n    ";
  }
  out << "\n  ]\n}\n";
}

}  // namespace results
