// A cache of rendered pages with a capacity in bytes. It keeps the pages that are requested often,
// each for ten minutes.

#include <keyspace/cache.h>
#include <keyspace/clock.h>
#include <keyspace/options.h>
#include <keyspace/removal.h>
#include <keyspace/statistics.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

// The capacity counts bytes, not pages.
struct PageBytes {
  std::size_t operator()(const std::string& path, const std::string& page) const noexcept {
    return path.size() + page.size();
  }
};

// Receives each page that leaves the cache. It may call the cache.
using PageListener =
    std::function<void(std::string path, std::string page, keyspace::RemovalCause)>;

// The clock is the default one, except in main() below.
template <class Clock = keyspace::SteadyClock>
using PageCache =
    keyspace::Cache<std::string, std::string, keyspace::WithWeigher<PageBytes>,
                    keyspace::WithListener<PageListener>, keyspace::WithStatistics, Clock>;

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "not true: " << what << '\n';
  std::exit(1);
}

int main() {
  int evictions = 0;
  const auto count_evictions = [&](auto&&, auto&&, keyspace::RemovalCause cause) {
    evictions += cause == keyspace::RemovalCause::kEvicted;
  };
  // With a ManualClock ten minutes pass at once.
  const keyspace::ManualClock clock;
  PageCache<keyspace::ManualClock> pages(
      {.capacity = 65'536, .clock = clock, .listener = count_evictions});

  const auto serve = [&](const std::string& path) {
    if (const std::string* const page = pages.find(path)) return *page;
    std::string page(1000, 'x');
    pages.set(path, page, 10min);  // does not store a page that is larger than the capacity
    return page;
  };

  for (int visit = 0; visit != 10; ++visit) {
    for (int i = 0; i != 30; ++i) serve("/news/" + std::to_string(i));
  }
  for (int i = 0; i != 10'000; ++i) serve("/archive/" + std::to_string(i));  // as a crawler does
  expect(pages.weight() <= pages.capacity(), "the pages have no more bytes than the capacity");
  expect(evictions > 9'000, "most pages of the archive were evicted");
  for (int i = 0; i != 30; ++i) {
    // peek() is not a request: it does not change what the policy evicts.
    expect(pages.peek("/news/" + std::to_string(i)) != nullptr, "the popular pages are stored");
  }

  clock.advance(10min);
  pages.erase_expired();
  expect(pages.empty(), "no page is older than ten minutes");

  std::cout << to_string(pages.statistics());
}
