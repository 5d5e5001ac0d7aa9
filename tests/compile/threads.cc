// What threads may ask of a keyspace that they share.

#include <keyspace/concurrent_keyspace.h>
#include <keyspace/keyspace.h>
#include <keyspace/reaper.h>

#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using Ints = keyspace::ConcurrentKeyspace<int, int>;
using Boxes = keyspace::ConcurrentCache<int, std::unique_ptr<int>>;
using Boxed = keyspace::ConcurrentKeyspace<std::unique_ptr<int>, int>;
using Single = keyspace::Keyspace<int, int>;

// Is called as a temporary alone.
struct Once {
  void operator()(int) && {}
};
struct Listener {
  void operator()(int, const std::unique_ptr<int>&, keyspace::RemovalCause) const {}
};
using ObservedBoxes =
    keyspace::ConcurrentKeyspace<int, std::unique_ptr<int>, keyspace::WithListener<Listener>>;

using keyspace::Reaper;
static_assert(std::is_constructible_v<Reaper, Reaper::Config&>);
static_assert(std::is_constructible_v<Reaper, Ints&, Boxes&>);
static_assert(std::is_constructible_v<Reaper, Reaper::Config, Ints&>);
static_assert(!std::is_constructible_v<Reaper, const Ints&>);
static_assert(!std::is_constructible_v<Reaper, Ints>);
static_assert(!std::is_constructible_v<Reaper, Ints&, Single&>);
static_assert(!std::is_move_constructible_v<Reaper>);

void accepted(Ints& ints, Boxes& boxes, Boxed& boxed, ObservedBoxes& observed, Single& single) {
  std::vector<std::optional<int>> out;
  ints.mget(std::vector{1, 2}, std::back_inserter(out));
  std::as_const(ints).mget(std::vector{1, 2}, std::back_inserter(out));
  (void)ints.get_or_compute(1, 1s, [] { return 10; });
  (void)ints.get_or_compute(
      1, 1s, [](int key) { return key; }, 100ms);
  (void)ints.get_or_compute(1, {.max_wait = 1s}, [] { return keyspace::Computed{10, 1s}; });
  (void)ints.get_or_compute(std::vector{1, 2}, {},
                            [](const std::vector<int>& keys) { return keys; });
  ints.compute(1, [](auto& entry) { entry.store(10, 1s); });
  ints.visit(1, [](int) {});
  std::as_const(ints).visit(1, [](int) {});
  boxes.visit(1, [](const std::unique_ptr<int>&) {});
  boxes.update(1, [](std::unique_ptr<int>& box) { box.reset(); });
  (void)boxes.getdel(1);
  (void)boxed.getdel(std::make_unique<int>(1));
  std::as_const(ints).for_each_until(ints.clock().now() + 1s, [](int, int, auto) {});
  boxed.for_each([](const auto&, int, auto) {});
  observed.erase(1);
  Reaper reaper(ints, boxes);
  reaper.add(boxed);
  reaper.remove(boxed);
  single.erase_expired();
}

void refused(Ints& ints, Boxes& boxes, Boxed& boxed, ObservedBoxes& observed, Single& single) {
  (void)ints;
  (void)boxes;
  (void)boxed;
  (void)observed;
  (void)single;
#if REFUSED == 1  // visit with what is called once
  // says: must be callable, as an lvalue, as f(const Value&)
  ints.visit(1, Once());
#elif REFUSED == 2   // visit with a function of something else
  // says: must be callable, as an lvalue, as f(const Value&)
  boxes.visit(1, [](int) {});
#elif REFUSED == 3   // visit with a function that changes the value
  // says: to change the value, use update()
  ints.visit(1, [](int& value) { ++value; });
#elif REFUSED == 4   // update with a function of something else
  // says: must be callable, as an lvalue, as f(Value&)
  ints.update(1, [](std::unique_ptr<int>&) {});
#elif REFUSED == 5   // get of a move-only value
  // says: the value cannot be copied: use visit()
  (void)boxes.get(1);
#elif REFUSED == 6   // peek of a move-only value
  // says: the value cannot be copied: use visit()
  (void)boxes.peek(1);
#elif REFUSED == 7   // mget of a move-only value
  // says: the value cannot be copied: use visit()
  std::vector<std::optional<std::unique_ptr<int>>> out;
  boxes.mget(std::vector{1, 2}, std::back_inserter(out));
#elif REFUSED == 8   // getex of a move-only value
  // says: the value cannot be copied: use visit() and pexpire()
  (void)boxes.getex(1, 1s);
#elif REFUSED == 9   // copy of a move-only value
  // says: the value cannot be copied: use rename()
  boxes.copy(1, 2);
#elif REFUSED == 10  // getdel of a move-only value with a listener
  // says: use erase(), which passes it to the listener
  (void)observed.getdel(1);
#elif REFUSED == 11  // get_or_compute of a move-only value
  // says: the key or the value cannot be copied: store a std::shared_ptr
  (void)boxes.get_or_compute(1, 1s, [] { return std::make_unique<int>(10); });
#elif REFUSED == 12  // get_or_compute of a move-only key
  // says: the key or the value cannot be copied: store a std::shared_ptr
  (void)boxed.get_or_compute(std::make_unique<int>(1), 1s, [] { return 10; });
#elif REFUSED == 13  // a computation of something else
  // says: return what a Value can be made of
  (void)ints.get_or_compute(1, 1s, [] { return "10"; });
#elif REFUSED == 14  // a copy of a keyspace
  Ints copied = ints;
#elif REFUSED == 15  // mget into something else
  // says: `out` is an output iterator for std::optional<Value>
  std::vector<int> out;
  ints.mget(std::vector{1, 2}, std::back_inserter(out));
#elif REFUSED == 16  // a range-for over a keyspace
  // says: a keyspace is not a range: use for_each(f)
  for (const auto& entry : ints) (void)entry;
#elif REFUSED == 17  // a Reaper of a Keyspace
  // says: a Reaper serves ConcurrentKeyspaces that are not const
  Reaper reaper(single);
#elif REFUSED == 18  // a Reaper of a const ConcurrentKeyspace
  // says: a Reaper serves ConcurrentKeyspaces that are not const
  Reaper reaper({.interval = 10ms}, std::as_const(ints));
#elif REFUSED == 19  // a Keyspace that is added to a Reaper
  // says: call erase_expired() of a Keyspace
  Reaper reaper;
  reaper.add(single);
#elif REFUSED == 20  // get_or_compute with the function before the expiry
  // says: the expiry comes before the function
  (void)ints.get_or_compute(
      1, [] { return 10; }, 1s);
#elif REFUSED == 21  // find
  // says: another thread could invalidate a pointer: use get()
  (void)ints.find(1);
#elif REFUSED == 22  // for_each_until of a move-only key
  // says: the key cannot be copied: use for_each()
  boxed.for_each_until(boxed.clock().now() + 1s, [](const auto&, int, auto) {});
#elif REFUSED == 23  // a Computed without a unit, with options in braces
  // says: a ttl has a unit, for example 1500ms
  (void)ints.get_or_compute(1, {.refresh_ahead = 1min}, [] { return keyspace::Computed{10, 60}; });
#elif REFUSED == 24  // compute with a copy of the entry
  // says: take the entry as auto& entry
  ints.compute(1, [](auto entry) { entry.erase(); });
#elif REFUSED == 25  // compute of a Keyspace with a copy of the entry
  // says: take the entry as auto& entry
  single.compute(1, [](auto entry) { entry.erase(); });
#elif REFUSED == 26  // compute of a move-only key
  // says: the key cannot be copied: use update(), insert() or erase()
  boxed.compute(std::make_unique<int>(1), [](auto& entry) { entry.erase(); });
#elif REFUSED == 27  // a batch function that returns one value
  // says: return a container of what a Value can be made of
  (void)ints.get_or_compute(std::vector{1, 2}, 1s, [](const std::vector<int>&) { return 10; });
#elif REFUSED == 28  // a batch with the function before the expiry
  // says: the expiry comes before the function
  (void)single.get_or_compute(
      std::vector{1, 2}, [](const std::vector<int>& keys) { return keys; }, 1s);
#elif REFUSED == 29  // update of a Keyspace with another argument
  // says: as f(Value&)
  single.update(1, [](int&, int) {});
#endif
}
