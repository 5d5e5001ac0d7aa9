#ifndef KEYSPACE_BENCHMARKS_HIT_RATIO_TRACE_H_
#define KEYSPACE_BENCHMARKS_HIT_RATIO_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace hit_ratio {

// A key of a trace: keys have numbers from 0 on, in the order in which they first appear.
using Key = std::uint32_t;

// What a cache is asked for.
struct Trace {
  std::string name;
  std::vector<Key> requests;
  std::size_t keys = 0;  // how many different ones
};

// What a line of a trace file means.
enum class Form : std::uint8_t {
  kKeys,  // a key, whatever it is
  kLirs,  // the number of a block; a line "*" means nothing
  kArc,   // the number of a block, how many blocks from there on, and two numbers that mean nothing
};

// Reads a trace. Throws std::runtime_error, with the number of the line, if one has another form.
Trace read_trace(std::istream& in, Form form, std::string name);

// Returns the trace of these numbers.
Trace make_trace(std::string name, const std::vector<std::uint64_t>& numbers);

}  // namespace hit_ratio

#endif  // KEYSPACE_BENCHMARKS_HIT_RATIO_TRACE_H_
