// A cache of pages. When a user changes, erase_if() erases all pages about that user: their paths
// begin with the same prefix. Other threads may add and read pages meanwhile.

#include <keyspace/concurrent_keyspace.h>

#include <chrono>
#include <cstddef>
#include <iostream>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

using Pages = keyspace::ConcurrentCache<std::string, std::string>;

// Erases the pages under a path, for example "/users/7/". Returns how many there were.
std::size_t invalidate(Pages& pages, std::string_view prefix) {
  return pages.erase_if([prefix](std::string_view path, const std::string&, Pages::time_point) {
    return path.substr(0, prefix.size()) == prefix;
  });
}

int main() {  // NOLINT(bugprone-exception-escape)
  Pages pages({.capacity = 10'000});
  for (const char* const path : {"/users/7/", "/users/7/posts", "/users/71/", "/about"}) {
    pages.set(path, "<h1>page</h1>", 10min);
  }
  const std::size_t erased = invalidate(pages, "/users/7/");
  std::cout << erased << " pages erased, " << pages.size() << " left\n";  // 2 pages erased, 2 left
  return erased == 2 && pages.contains("/users/71/") && pages.contains("/about") ? 0 : 1;
}
