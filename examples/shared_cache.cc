// A cache of rendered pages that the threads of a server share. One thread renders a page, and the
// threads that request the same page wait for it. A page that expires soon is rendered again while
// other threads get the old one.

#include <keyspace/concurrent_keyspace.h>
#include <keyspace/options.h>
#include <keyspace/reaper.h>
#include <keyspace/statistics.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {  // NOLINT(bugprone-exception-escape)
  // At most 10,000 pages. The number of shards is left to the library.
  keyspace::ConcurrentCache<std::string, std::string, keyspace::WithStatistics> pages(
      {.capacity = 10'000});
  // Erases expired pages on a thread of the reaper. Without a reaper, the cache does not serve
  // expired pages either, but frees their memory later.
  const keyspace::Reaper reaper(pages);

  std::atomic<int> rendered = 0;
  std::atomic<int> served = 0;
  const auto serve = [&](const std::string& path) {
    const std::string page = pages.get_or_compute(
        path, 10min,
        [&] {
          ++rendered;  // slow: a server would query a database here
          return "<h1>" + path + "</h1>";
        },
        /*refresh_ahead=*/30s);
    served += page == "<h1>" + path + "</h1>";
  };

  constexpr int kThreads = 4;
  constexpr int kRequests = 10'000;
  constexpr int kPages = 100;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread != kThreads; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i != kRequests; ++i) serve("/" + std::to_string(i % kPages));
      });
    }
  }
  std::cout << "served " << served << " requests, rendered " << rendered << " pages\n"
            << to_string(pages.statistics());

  // Other threads could invalidate a pointer to a value. So update() and visit() call a function
  // with the value instead.
  pages.update("/1", [](std::string& page) { page += "<p>news</p>"; });
  const bool is_live =
      pages.visit("/1", [](const std::string& page) { std::cout << page << '\n'; });
  return is_live && served == kThreads * kRequests && rendered == kPages ? 0 : 1;
}
