// A cache in front of a database. A page needs many rows. One call of get_or_compute() gets them
// all, and loads those that are missing with one query. If several threads ask for some of the same
// rows, each row is loaded once. Ids without a row are not stored, so each call asks for them
// again. (To remember them, let the values be optionals, and return Computed{row, ttl} for each
// id.)

#include <keyspace/cache.h>
#include <keyspace/concurrent_keyspace.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

using Row = std::string;
using Rows = std::vector<std::optional<Row>>;  // nullopt: the database has no such row

class Table {
 public:
  using Select = std::function<Rows(const std::vector<int>& ids)>;

  explicit Table(Select select) : select_(std::move(select)), rows_({.capacity = 10'000}) {}

  // Returns a row for each id, in the same order.
  Rows get(const std::vector<int>& ids) { return rows_.get_or_compute(ids, 10min, select_); }
  void erase(int id) { rows_.erase(id); }  // after a change in the database

 private:
  Select select_;
  keyspace::ConcurrentCache<int, Row> rows_;
};

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "not true: " << what << '\n';
  std::exit(1);
}

int main() {
  std::vector<std::vector<int>> queries;
  Table table([&](const std::vector<int>& ids) {
    queries.push_back(ids);
    Rows rows;
    for (const int id : ids) {
      rows.push_back(id < 1000 ? std::optional("row " + std::to_string(id)) : std::nullopt);
    }
    return rows;
  });
  expect(table.get({7, 8, 1000}) == Rows{"row 7", "row 8", std::nullopt}, "one query for all");
  expect(table.get({6, 7, 8, 9}) == Rows{"row 6", "row 7", "row 8", "row 9"}, "in order");
  table.erase(7);
  table.get({7, 8});
  expect(queries == std::vector<std::vector<int>>{{7, 8, 1000}, {6, 9}, {7}},
         "each query asks for the missing rows only");
}
