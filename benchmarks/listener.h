#ifndef KEYSPACE_BENCHMARKS_LISTENER_H_
#define KEYSPACE_BENCHMARKS_LISTENER_H_

#include <optional>
#include <string_view>

// The interface of the test cases to the listener that Catch2 calls at the end of benchmarks. The
// listener shows on standard error which row is being measured. At the end it writes the results:
// as a table to standard output, and as JSON and a chart to the files in the environment variables
// KEYSPACE_BENCHMARK_JSON and KEYSPACE_BENCHMARK_SVG. If only the first is set, the chart is
// written beside the JSON.
namespace listener {

// Returns the time of one run of the last benchmark, in nanoseconds; nullopt if it has another
// name, because the benchmark of this name failed or was skipped.
std::optional<double> time_of(std::string_view benchmark);

// Shows on standard error which work is measured from now on.
void show_progress(std::string_view work);

}  // namespace listener

#endif  // KEYSPACE_BENCHMARKS_LISTENER_H_
