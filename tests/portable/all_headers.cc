// Includes all public headers while min and max are macros, as <windows.h> of MSVC defines them.
// The standard headers and abseil's come before, because most of them do not compile with these
// macros.

#ifdef _WIN32
#include <windows.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <iterator>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <ratio>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/base/config.h"
#include "absl/base/optimization.h"
#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"

#ifndef min
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#endif

#include "all_headers.h"

namespace {

using namespace std::chrono_literals;

template <class Ks>
bool use(Ks& ks) {
  keyspace::Jitter jitter(0.1);
  ks.set("a", "1", jitter(1min));
  ks.pexpire("a", 2min, keyspace::Condition::kGt);
  ks.rename("a", "b");
  ks.erase_expired();
  return ks.pttl("b") > 1min;
}

}  // namespace

int main() {
  keyspace::Keyspace<std::string, std::string> ks;
  keyspace::ConcurrentKeyspace<std::string, std::string> shared;
  keyspace::Cache<std::string, std::string, keyspace::WithStatistics,
                  keyspace::WithExpireAfterAccess>
      cache({.capacity = 100, .expire_after_access = 1h});
  keyspace::ConcurrentCache<std::string, std::string> shared_cache({.capacity = 100});
  keyspace::Reaper reaper(shared, shared_cache);
  shared.get_or_compute("c", 1min, [] { return "2"; });
  const bool is_right = use(ks) && use(shared) && use(cache) && use(shared_cache);
  return is_right && cache.statistics().hits == 0 ? 0 : 1;
}
