// A cache of rendered pages: no more than so many bytes of them, the ones in demand, and each for
// ten minutes.

#include <keyspace/cache.h>
#include <keyspace/clock.h>
#include <keyspace/features.h>
#include <keyspace/statistics.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

// What the cache is to have beyond a keyspace: CacheFeatures bring a capacity, and the policy that
// keeps what is in demand.
struct PageFeatures : keyspace::CacheFeatures {
  // The capacity counts bytes, not pages.
  struct Weigher {
    std::size_t operator()(const std::string& path, const std::string& page) const noexcept {
      return path.size() + page.size();
    }
  };
  // Called with each page that leaves; it may call the cache.
  using Listener = std::function<void(std::string path, std::string page, keyspace::RemovalCause)>;
  static constexpr bool kStatistics = true;
};

void expect(bool held, const char* what) {
  if (held) return;
  std::cerr << "surprise: " << what << '\n';
  std::exit(1);
}

int main() {
  int evictions = 0;
  // A clock that is moved by hand shows ten minutes in no time; a program leaves it out.
  const keyspace::ManualClock clock;
  keyspace::Cache<std::string, std::string, PageFeatures, keyspace::ManualClock> pages(
      clock, {.capacity = 65'536, .listener = [&](auto&&, auto&&, keyspace::RemovalCause cause) {
                evictions += cause == keyspace::RemovalCause::kEvicted;
              }});

  const auto serve = [&](const std::string& path) {
    if (const std::string* const page = pages.find(path)) return *page;
    std::string page(1000, 'x');
    pages.set(path, page, 10min);  // is not stored if it is larger than the capacity
    return page;
  };

  for (int visit = 0; visit != 10; ++visit) {
    for (int i = 0; i != 30; ++i) serve("/news/" + std::to_string(i));
  }
  for (int i = 0; i != 10'000; ++i) serve("/archive/" + std::to_string(i));  // as a crawler would
  expect(pages.weight() <= pages.capacity(), "there are never more bytes than the capacity");
  expect(evictions > 9'000, "most of the archive had to go");
  for (int i = 0; i != 30; ++i) {
    // peek() looks without being a request.
    expect(pages.peek("/news/" + std::to_string(i)) != nullptr, "what is in demand is still there");
  }

  clock.advance(10min);
  pages.erase_expired();
  expect(pages.empty(), "after ten minutes all are gone");

  std::cout << to_string(pages.statistics());
}
