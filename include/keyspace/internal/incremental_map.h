// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_INCREMENTAL_MAP_H_
#define KEYSPACE_INTERNAL_INCREMENTAL_MAP_H_

#include "keyspace/internal/config.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/container/flat_hash_map.h"
#include "keyspace/internal/exceptions.h"
#include "keyspace/internal/probe.h"
#include "keyspace/internal/reconstruct.h"
#include "keyspace/internal/table_memory.h"

namespace keyspace::internal {

// A hash map that grows and shrinks in steps: an absl::flat_hash_map with incremental rehashing.
//
// When the table is too full or too empty, the map makes another table beside it. Each later
// insertion, and each call of step(), moves a few elements. Meanwhile a look-up searches both
// tables. So a call takes constant time, except those that say otherwise, and with these
// exceptions: a new table writes one byte for each bucket, and the move of a table with few
// elements reads one byte for each bucket.
//
//   phase      what a step does
//   preparing  writes to a page of the next table's memory
//   moving     moves a few elements to the next table
//   releasing  releases a few pages of the previous table
//
// Tables of less than StepSize::large_table bytes are only moved. A step that could do several of
// these moves first, and releases last. While a phase is under way, threshold_ is 0. So one
// comparison tells an insertion that it must call make_room().
//
// erase() takes no step. Pointers to elements stay valid until make_room(), step(),
// shrink_to_fit(), reserve() or clear() is called.
//
// Invariants
//   1. Each element is in table_ or in old_. An insertion adds to table_.
//   2. old_ is empty unless elements move. While they move, next_ is the first element of old_.
//   3. table_.size() <= most_in(table_.bucket_count()). So no insertion makes flat_hash_map
//      allocate. Nor does it make flat_hash_map rehash a table of more than kMostRehashed buckets
//      in place, because the map replaces the table before that, unless there is no memory for
//      another one (see rehash_threshold()).
//   4. While elements move, table_ has room for all of them. The move ends before it is full.
//
// Move::prefetch(table, hash) begins to load the memory where a table would put an element with
// this hash. Move::to(table, hash, element) moves an element, whose hash this is, to another table.
// It must not throw.
template <class Key, class T, class Hash, class Equal, class Allocator, class Move>
class IncrementalMap {
  using Element = std::pair<const Key, T>;
  using Memory = TableMemory<Allocator, Element>;
  using MemoryDeleter = typename Memory::Deleter;
  using TableAllocator = internal::TableAllocator<Element, Allocator, Element>;
  using Table = absl::flat_hash_map<Key, T, Hash, Equal, TableAllocator>;

 public:
  using value_type = Element;

  IncrementalMap(const Hash& hash, const Equal& equal, const Allocator& allocator)
      : hash_(hash),
        memory_(nullptr, MemoryDeleter{allocator}),
        table_(0, hash, equal, TableAllocator(allocator, nullptr)),
        old_(make_table(0)),
        next_(old_.begin()) {}
  // Leaves `other` empty.
  IncrementalMap(IncrementalMap&& other) noexcept
      : hash_(other.hash_),
        memory_(std::move(other.memory_)),
        table_(std::move(other.table_)),
        old_(std::move(other.old_)),
        next_(old_.begin()),
        threshold_(std::exchange(other.threshold_, 0)),
        few_(std::exchange(other.few_, 0)),
        erased_(std::exchange(other.erased_, 0)),
        marks_(std::exchange(other.marks_, 0)),
        prepared_buckets_(std::exchange(other.prepared_buckets_, 0)),
        reserved_buckets_(std::exchange(other.reserved_buckets_, 0)) {
    reconstruct(other.table_, other.make_table(0));
    reconstruct(other.old_, other.make_table(0));
    other.next_ = other.old_.begin();
  }
  IncrementalMap& operator=(IncrementalMap&&) = delete;

  [[nodiscard]] Allocator allocator() const { return table_.get_allocator().inner(); }
  [[nodiscard]] const Hash& hash_function() const noexcept { return hash_; }
  [[nodiscard]] Equal equality() const { return table_.key_eq(); }
  [[nodiscard]] std::size_t size() const noexcept { return table_.size() + old_.size(); }

  // Returns an element that matches `lookup`; null if there is none. Searches table_ first.
  template <class L>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE Element* find(const L& lookup) {
    return find_in(table_, old_, lookup);
  }
  template <class L>
  [[nodiscard]] ABSL_ATTRIBUTE_ALWAYS_INLINE const Element* find(const L& lookup) const {
    return find_in(table_, old_, lookup);
  }
  // Begins to load the memory that find() reads.
  template <class L>
  void prefetch(const L& lookup) const {
    table_.prefetch(lookup);
    if (is_moving()) [[unlikely]]
      old_.prefetch(lookup);
  }
  // Calls f(element) for each element. f must not insert or erase.
  template <class F>
  void for_each(const F& f) {
    for (auto it = next_; it != old_.end(); ++it) f(*it);
    for (Element& element : table_) f(element);
  }
  template <class F>
  void for_each(const F& f) const {
    for (typename Table::const_iterator it = next_; it != old_.end(); ++it) f(*it);
    for (const Element& element : table_) f(element);
  }

  // Calls f(element) for one element after the other, until f returns false.
  template <class F>
  void visit_until_false(const F& f) {
    for (auto it = next_; it != old_.end(); ++it) {
      if (!f(*it)) return;
    }
    for (auto it = table_.begin(); it != table_.end(); ++it) {
      if (!f(*it)) return;
    }
  }

  // Returns how many elements table_ may hold. The map may make a larger table before that.
  [[nodiscard]] std::size_t capacity() const noexcept { return most_in(table_.bucket_count()); }
  // Returns true if an insertion must call make_room() first.
  [[nodiscard]] bool must_make_room() const noexcept { return table_.size() >= threshold_; }

  // Makes room for one insertion: takes up to two steps, and begins to grow if that is due. Throws
  // what the allocator throws, and then has no effect.
  void make_room() {
    if (must_make_room()) [[unlikely]]
      grow_or_step();
  }
  // Takes one step if a phase is under way. If the table is too empty, begins to replace it.
  // Without memory for another table, keeps it until half of its elements are erased.
  void step() noexcept {
    if (needs_step()) [[unlikely]]
      replace_or_step();
  }
  // Returns true if step() has something to do.
  [[nodiscard]] bool needs_step() const noexcept {
    return threshold_ == 0 && (table_.bucket_count() != 0 || is_releasing());
  }

  // Makes an element of `args`. REQUIRES: no element matches. Since the last insertion, make_room()
  // or erase_before_insertion() was called.
  template <class... Args>
  Element& emplace(Args&&... args) noexcept {
    assert(table_.size() < capacity());
    return *table_.try_emplace(std::forward<Args>(args)...).first;
  }
  // Finds an element, or makes it of `args`. Returns a pair: an iterator of flat_hash_map, and true
  // if it made the element. REQUIRES: !must_make_room().
  template <class... Args>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto find_or_emplace(Args&&... args) {
    assert(!must_make_room());
    return table_.try_emplace(std::forward<Args>(args)...);
  }

  // Erases an element that matches `lookup`. Calls f(element) just before. f() may move from the
  // element. If f() throws, the map does not change. Returns false if no element matches.
  template <class L, class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool erase(const L& lookup, const F& f) {
    if (!erase_before_insertion(lookup, f)) return false;
    if (table_.size() < few_) [[unlikely]]
      shrink_later();
    return true;
  }
  // The same, but the map keeps its table even if no element is left. So an emplace() may follow.
  template <class L, class F>
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool erase_before_insertion(const L& lookup, const F& f) {
    const auto it = table_.find(lookup);
    if (it == table_.end()) [[unlikely]]
      return !old_.empty() && erase_old(lookup, f);
    f(*it);
    table_.erase(it);
    if (++erased_ % kErasuresPerCheck == 0) [[unlikely]]
      check_marks();
    return true;
  }

  // Erases each element for which f(element) returns true. f() may move from such an element. If
  // f() throws, no more elements are erased. Takes time in proportion to the table.
  template <class F>
  void erase_if(const F& f) {
    struct End {
      ~End() {
        if (!map.is_moving()) map.end_move();
        map.check_marks();
        if (map.table_.size() < map.few_) map.shrink_later();
      }
      IncrementalMap& map;
    } end{*this};
    for (auto it = next_; it != old_.end();) {
      const auto element = it++;
      if (!f(*element)) continue;
      if (element == next_) next_ = it;
      old_.erase(element);
    }
    for (auto it = table_.begin(); it != table_.end();) {
      const auto element = it++;
      if (!f(*element)) continue;
      table_.erase(element);
      ++erased_;
    }
  }

  // Removes all elements and releases the memory. Takes time in proportion to the table.
  void clear() noexcept {
    reconstruct(table_, make_table(0));
    reconstruct(old_, make_table(0));
    next_ = old_.begin();
    reserved_buckets_ = marks_ = 0;
    end_phases();
  }
  // Makes room for `size` elements in all. Until clear() or shrink_to_fit(), the map keeps this
  // room. Takes time in proportion to the table. Throws what the allocator throws, and then has no
  // effect.
  void reserve(std::size_t size) {
    // Growth begins a little before a table is full: see growth_threshold().
    const std::size_t buckets = buckets_for(plus(size, size / 1024 + 2));
    if (buckets > table_.bucket_count()) move_all(buckets);
    if (prepared_buckets_ < buckets) drop_prepared();
    reserved_buckets_ = std::max<std::size_t>(reserved_buckets_, buckets);
    set_thresholds();
  }
  // Moves the elements to a table with as many buckets as they need, and ends all phases. Takes
  // time in proportion to the table. Throws what the allocator throws, and then has no effect.
  void shrink_to_fit() {
    if (size() == 0) return clear();
    const std::size_t buckets = buckets_for(size());
    finish_move();
    if (buckets < table_.bucket_count()) move_all(buckets);
    reserved_buckets_ = 0;
    end_phases();
  }

 private:
  friend struct TestPeer;

  // flat_hash_map writes a few more bytes than one for each bucket.
  static constexpr std::size_t kMostGuards = 64;
  // Tables with at most this many buckets do not become smaller.
  static constexpr std::size_t kMinBuckets = 31;
  // How many elements move_some() moves together.
  static constexpr std::size_t kMovesAtOnce = 16;
  // Tables with at most this many buckets may be rehashed in place.
  static constexpr std::size_t kMostRehashed = 32767;
  // If more than this many sixteenths of the buckets hold an element, a table with too many
  // deletion marks is replaced by a larger one. If entries are erased and inserted in random order,
  // a table of the same size lasts for 2.2 erasures for each element at this load. At the highest
  // load, it would last for 0.3.
  static constexpr std::size_t kMostToKeepSize = 10;
  // After this many erasures, the map estimates the number of deletion marks.
  static constexpr std::size_t kErasuresPerCheck = 1024;

  // Returns how many elements a table may hold: 25/32 of its buckets, and at least 1 if there is a
  // bucket. Up to this load, flat_hash_map makes room by a rehash in place, and allocates nothing.
  // (That is the limit of raw_hash_set::rehash_and_grow_if_necessary and its successors, in every
  // release up to 2026.)
  static std::size_t most_in(std::size_t buckets) noexcept {
    return std::max<std::size_t>(buckets / 32 * 25 + buckets % 32 * 25 / 32,
                                 std::min<std::size_t>(buckets, 1));
  }
  // Returns the number of buckets of the smallest table with room for `size` elements. (A
  // flat_hash_map has one bucket less than a power of two.)
  static std::size_t buckets_for(std::size_t size) noexcept {
    return ~std::size_t{0} >> std::countl_zero(plus(size, size / 25 * 7 + 7));
  }
  // Returns the sum, or the largest number if the sum is larger.
  static std::size_t plus(std::size_t a, std::size_t b) noexcept {
    return a + std::min<std::size_t>(b, (std::numeric_limits<std::size_t>::max)() - a);
  }
  // Returns how many bytes a table takes, rounded up a little.
  static std::size_t bytes_of(std::size_t buckets) noexcept {
    return buckets * (sizeof(Element) + 1) + kMostGuards + 2 * alignof(Element);
  }
  // Returns how many calls of prepare_step() write the control bytes of a table: one for each
  // bucket, and a few more. 0 for a table that is not large.
  static std::size_t steps_to_prepare(std::size_t buckets) noexcept {
    return Memory::is_large(bytes_of(buckets)) ? Memory::steps_to_prepare(buckets + kMostGuards)
                                               : 0;
  }

  [[nodiscard]] bool is_moving() const noexcept { return !old_.empty(); }
  [[nodiscard]] bool is_releasing() const noexcept {
    return memory_ != nullptr && memory_->is_releasing();
  }

  template <class AnyTable, class L>
  ABSL_ATTRIBUTE_ALWAYS_INLINE static auto* find_in(AnyTable& table, AnyTable& old,
                                                    const L& lookup) {
    auto it = table.find(lookup);
    if (it != table.end()) [[likely]]
      return std::addressof(*it);
    if (old.empty()) [[likely]]
      return static_cast<decltype(std::addressof(*it))>(nullptr);
    it = old.find(lookup);
    return it == old.end() ? nullptr : std::addressof(*it);
  }

  Table make_table(std::size_t buckets) const {
    return Table(buckets, hash_, table_.key_eq(), TableAllocator(allocator(), memory_.get()));
  }

  template <class L, class F>
  ABSL_ATTRIBUTE_NOINLINE bool erase_old(const L& lookup, const F& f) {
    const auto it = old_.find(lookup);
    if (it == old_.end()) return false;
    f(*it);
    if (it == next_) ++next_;
    old_.erase(it);
    if (!is_moving()) end_move();
    return true;
  }

  // Does the work of make_room().
  ABSL_ATTRIBUTE_NOINLINE void grow_or_step() {
    replace_or_step();
    if (is_moving()) return;
    if (prepared_buckets_ == 0 && table_.size() >= growth_threshold()) {
      begin_resize(2 * table_.bucket_count() + 1);
    }
    if (prepared_buckets_ != 0 && table_.size() == capacity()) begin_move(prepared_buckets_);
    if (is_moving()) take_step();  // so that a few elements move in one call
  }
  // Does the work of step().
  ABSL_ATTRIBUTE_NOINLINE void replace_or_step() noexcept {
    if (!is_moving() && prepared_buckets_ == 0) {
      const std::size_t buckets = other_size();
      if (buckets != 0 && !succeeds([&] { begin_resize(buckets); })) {
        few_ = table_.size() / 2;
        threshold_ = growth_threshold();
        return;
      }
    }
    if (prepared_buckets_ != 0 && memory_->is_prepared() &&
        !succeeds([&] { begin_move(prepared_buckets_); })) {
      drop_prepared();
    }
    take_step();
  }
  // Does what the phase requires next.
  void take_step() noexcept {
    if (is_moving()) {
      // More moves if few insertions are left until the new table is full.
      const std::size_t moves = old_.size() / (capacity() - size() + 1) + 1;
      move_some(std::max<std::size_t>(StepSize::moves, moves));
      if (!is_moving()) end_move();
    } else if (prepared_buckets_ != 0) {
      memory_->prepare_step();
    } else {
      if (memory_ != nullptr) memory_->release_step();
      set_thresholds();
    }
  }

  // Returns the size of a smaller table, with room for twice the elements; 0 if the table is not
  // too empty.
  [[nodiscard]] std::size_t smaller_size() const noexcept {
    const std::size_t least = std::max<std::size_t>(kMinBuckets, reserved_buckets_);
    if (table_.bucket_count() <= least || table_.size() >= capacity() / 4) return 0;
    return std::clamp<std::size_t>(buckets_for(2 * table_.size()), least,
                                   table_.bucket_count() / 2);
  }
  // Returns at how many elements the map begins to prepare a larger table.
  [[nodiscard]] std::size_t growth_threshold() const noexcept {
    const std::size_t steps = steps_to_prepare(2 * table_.bucket_count() + 1);
    // Not 0, which means that a step is due.
    return std::max<std::size_t>(capacity() - std::min<std::size_t>(capacity(), steps),
                                 std::min<std::size_t>(capacity(), 1));
  }

  // Returns at how many elements table_ should be replaced, because flat_hash_map would soon rehash
  // it in place. It does that when 7/8 of the buckets hold an element or a deletion mark. Tables of
  // at most kMostRehashed buckets are rehashed in place, which takes less time.
  [[nodiscard]] std::size_t rehash_threshold() const noexcept {
    const std::size_t buckets = table_.bucket_count();
    if (buckets <= kMostRehashed) return (std::numeric_limits<std::size_t>::max)();
    // The estimate may be a little too low, and marks are added until the next one.
    const std::size_t marks = marks_ + buckets / 64 + kErasuresPerCheck;
    return buckets / 8 * 7 - std::min<std::size_t>(buckets / 8 * 7, marks);
  }
  ABSL_ATTRIBUTE_NOINLINE void check_marks() noexcept {
    const std::size_t buckets = table_.bucket_count();
    if (buckets > kMostRehashed && !is_moving()) marks_ = memory_->deletion_marks(buckets);
    set_thresholds();
  }
  // Returns the size of the table that should replace table_ although it is not full; 0 if none
  // should.
  [[nodiscard]] std::size_t other_size() const noexcept {
    if (is_releasing()) return 0;  // there is time until the end of the release
    if (const std::size_t buckets = smaller_size(); buckets != 0) return buckets;
    if (table_.size() < rehash_threshold()) return 0;
    // A table of the same size, unless that would soon have to be replaced too.
    const bool is_crowded = table_.size() > table_.bucket_count() / 16 * kMostToKeepSize;
    return is_crowded ? 2 * table_.bucket_count() + 1 : table_.bucket_count();
  }

  void make_memory() {
    if (memory_ == nullptr) memory_.reset(MemoryDeleter{allocator()}.make());
  }
  // Begins to prepare the memory of the next table, or to move elements if it is small.
  void begin_resize(std::size_t buckets) {
    const std::size_t steps = steps_to_prepare(buckets);
    if (steps == 0) {
      begin_move(buckets);
      return;
    }
    make_memory();
    memory_->prepare(bytes_of(buckets), buckets + kMostGuards);
    prepared_buckets_ = buckets;
    set_thresholds();
  }
  void drop_prepared() noexcept {
    prepared_buckets_ = 0;
    if (memory_ != nullptr) memory_->drop_prepared();
  }
  void begin_move(std::size_t buckets) {
    assert(!is_moving() && size() <= most_in(buckets));
    if (steps_to_prepare(buckets) != 0) make_memory();
    Table next = make_table(buckets);
    if (memory_ != nullptr) memory_->drop_prepared();  // if it was not used
    reconstruct(old_, std::move(table_));
    reconstruct(table_, std::move(next));
    next_ = old_.begin();
    prepared_buckets_ = marks_ = 0;
    is_moving() ? set_thresholds() : end_move();
  }
  // Moves at most this many elements. Begins to load the memory of several before it moves them.
  void move_some(std::size_t most) noexcept {
    std::array<std::size_t, kMovesAtOnce> hashes;
    while (most != 0 && is_moving()) {
      const std::size_t count = std::min<std::size_t>({most, hashes.size(), old_.size()});
      auto it = next_;
      for (std::size_t i = 0; i != count; ++i, ++it) {
        hashes[i] = hash_(it->first);
        Move::prefetch(table_, hashes[i]);
      }
      for (std::size_t i = 0; i != count; ++i) {
        Move::to(table_, hashes[i], *next_);
        old_.erase(next_++);
      }
      most -= count;
    }
  }
  void end_move() noexcept {
    reconstruct(old_, make_table(0));
    next_ = old_.begin();
    set_thresholds();
  }
  // Moves all elements to a table with this many buckets.
  void move_all(std::size_t buckets) {
    finish_move();
    begin_move(buckets);
    finish_move();
    end_phases();
  }
  void finish_move() noexcept {
    move_some(old_.size());
    end_move();
  }
  void end_phases() noexcept {
    if (memory_ != nullptr) memory_->release_all();
    prepared_buckets_ = 0;
    set_thresholds();
  }
  // Makes the next insertion take a step. A program that only erases takes no step. So an empty map
  // drops its table here, unless room is reserved or a release is under way.
  ABSL_ATTRIBUTE_NOINLINE void shrink_later() noexcept {
    threshold_ = 0;
    few_ = 1;
    if (size() != 0 || reserved_buckets_ != 0 || is_releasing()) return;
    drop_prepared();
    marks_ = 0;
    reconstruct(table_, make_table(0));
    set_thresholds();
  }
  void set_thresholds() noexcept {
    const bool has_phase = is_moving() || prepared_buckets_ != 0 || is_releasing();
    const std::size_t buckets = table_.bucket_count();
    const bool may_shrink = buckets > kMinBuckets && buckets > reserved_buckets_;
    few_ = !may_shrink ? 0 : has_phase ? 1 : capacity() / 4;
    const std::size_t most = rehash_threshold();
    const bool is_step_due = has_phase || table_.size() < few_ || table_.size() >= most;
    threshold_ = is_step_due ? 0 : std::min<std::size_t>(growth_threshold(), most);
  }

  KEYSPACE_INTERNAL_NO_UNIQUE_ADDRESS Hash hash_;  // flat_hash_map only returns a copy of its own
  // Null until a large table is made. The allocators of all tables that were made since then point
  // to it.
  std::unique_ptr<Memory, MemoryDeleter> memory_;
  Table table_;
  Table old_;
  typename Table::iterator next_;
  std::size_t threshold_ = 0;  // must_make_room() compares the size of table_ with it
  std::size_t few_ = 0;        // with fewer elements, erase() calls shrink_later()
  std::size_t erased_ = 0;     // how many elements were erased from table_ or its predecessors
  std::size_t marks_ = 0;      // about how many deletion marks table_ has
  std::size_t prepared_buckets_ = 0;  // of the next table, while its memory is prepared
  std::size_t reserved_buckets_ = 0;  // the map does not become smaller than this
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_INCREMENTAL_MAP_H_
