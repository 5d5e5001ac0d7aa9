#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_TRACE_FILE_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_TRACE_FILE_H_

#include <filesystem>
#include <iosfwd>
#include <vector>

#include "hit_ratio/trace.h"

namespace hit_ratio {

// Returns whether files that end with .gz can be read, which requires zlib.
bool reads_gzip();

// Reads a trace from a file, which is in the format of gzip if its name ends with .gz. The trace
// has the name of the file without extensions.
// Throws std::runtime_error if the file cannot be read, or has another form.
Trace read_trace_file(const std::filesystem::path& path, Form form);

// Reads the traces of a folder, in the order of their names: the files that end with .keys, .lirs
// or .arc, or with .gz after that. Without zlib it skips the latter, and says so in `messages`.
std::vector<Trace> read_traces(const std::filesystem::path& folder, std::ostream& messages);

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_TRACE_FILE_H_
