#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_TRACE_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace hit_ratio {

// A key of a trace. Keys are numbered from 0, in the order of their first requests.
using Key = std::uint32_t;

// A sequence of requests to a cache.
struct Trace {
  std::string name;
  std::vector<Key> requests;
  std::size_t keys = 0;  // the number of different keys
};

// The meaning of a line of a trace file.
enum class Form : std::uint8_t {
  kKeys,  // a key, which may be any text
  kLirs,  // the number of a block; a line "*" is ignored
  kArc,   // the number of the first block, the number of blocks, and two numbers that are ignored
};

// Reads a trace. Throws std::runtime_error with the number of a line that has another form.
Trace read_trace(std::istream& in, Form form, std::string name);

// Returns the trace with these numbers as keys.
Trace make_trace(std::string name, const std::vector<std::uint64_t>& numbers);

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_TRACE_H_
