#ifndef KEYSPACE_BENCHMARKS_TABLE_H_
#define KEYSPACE_BENCHMARKS_TABLE_H_

#include <iosfwd>
#include <vector>

#include "results.h"

namespace results {

// Writes the results as a table of plain text, one result on each line.
void write_table(std::ostream& out, const std::vector<Result>& results);

}  // namespace results

#endif  // KEYSPACE_BENCHMARKS_TABLE_H_
