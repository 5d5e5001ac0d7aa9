#ifndef KEYSPACE_BENCHMARKS_JSON_H_
#define KEYSPACE_BENCHMARKS_JSON_H_

#include <iosfwd>
#include <vector>

#include "results.h"

namespace results {

// Writes the results as one JSON object: the compiler with its flags, and the rows.
void write_json(std::ostream& out, const std::vector<Result>& results);

}  // namespace results

#endif  // KEYSPACE_BENCHMARKS_JSON_H_
