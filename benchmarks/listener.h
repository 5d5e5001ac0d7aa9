#ifndef KEYSPACE_BENCHMARKS_LISTENER_H_
#define KEYSPACE_BENCHMARKS_LISTENER_H_

#include <optional>
#include <string_view>

// What passes between the test cases and the listener that Catch2 tells of their benchmarks. The
// listener shows which row is being measured on standard error, and when all is done writes the
// results: as a table on standard output; as JSON and as a chart to the files that the environment
// variables KEYSPACE_BENCHMARK_JSON and KEYSPACE_BENCHMARK_SVG name. Without the second, the chart
// goes beside the JSON.
namespace listener {

// Returns what one run of the last benchmark took, in nanoseconds; nullopt if the last was not of
// this name, so if the one of this name failed or was skipped.
std::optional<double> time_of(std::string_view benchmark);

// Says on standard error what is measured from now on.
void show_progress(std::string_view work);

}  // namespace listener

#endif  // KEYSPACE_BENCHMARKS_LISTENER_H_
