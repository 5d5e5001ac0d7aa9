// A cache that the threads of a server share: each page is rendered by one of them, whoever else
// asks waits for it, and a page that is near its end is rendered anew while others get the old one.

#include <keyspace/concurrent_keyspace.h>
#include <keyspace/reaper.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {  // NOLINT(bugprone-exception-escape)
  keyspace::ConcurrentKeyspace<std::string, std::string> pages;
  // Frees pages on time, on a thread of its own. Without it pages still die on time, but they take
  // memory until erase_expired() is called.
  const keyspace::Reaper reaper(pages);

  std::atomic<int> rendered = 0;
  std::atomic<int> served = 0;
  const auto serve = [&](const std::string& path) {
    const std::string page = pages.get_or_compute(
        path, 10min,
        [&] {
          ++rendered;  // slow: a database is asked
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
  std::cout << "served " << served << " requests, rendered " << rendered << " pages\n";

  // Instead of pointers, which other threads could invalidate, there are functions to call.
  pages.update("/1", [](std::string& page) { page += "<p>news</p>"; });
  const bool is_there =
      pages.visit("/1", [](const std::string& page) { std::cout << page << '\n'; });
  return is_there && served == kThreads * kRequests && rendered == kPages ? 0 : 1;
}
