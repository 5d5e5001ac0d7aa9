#ifndef KEYSPACE_INTERNAL_LRU_H_
#define KEYSPACE_INTERNAL_LRU_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "keyspace/internal/expiry_table.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/record.h"
#include "keyspace/internal/relaxed.h"
#include "keyspace/internal/victim_finder.h"

namespace keyspace::internal {

// The policy Lru: which entry is to go.
//
// A list would have to be changed by every request. Instead, requests are numbered, and the number
// of the last one for an entry is to it what a deadline is: it stands in the entry, and a table of
// records is in the order of these numbers. A request moves the "deadline" later, which leaves the
// record early. (See Store, of which all else is true here too.)
template <class Allocator>
class LruState {
 public:
  // What an entry keeps.
  class Mark {
   public:
   private:
    friend class LruState;
    friend struct TestPeer;

    // From the lowest bit: the mark of the entry's record, whether that is early, and the number of
    // the last request.
    static constexpr std::int64_t kRecordMark = 1;
    static constexpr std::int64_t kEarly = 2;
    static constexpr int kLastBit = 2;

    Mark(Millis last, bool record_mark) noexcept
        : bits_(last << kLastBit | (record_mark ? kRecordMark : 0)) {}

    [[nodiscard]] bool record_mark() const noexcept { return (bits_.get() & kRecordMark) != 0; }
    [[nodiscard]] bool is_early() const noexcept { return (bits_.get() & kEarly) != 0; }
    [[nodiscard]] Millis last() const noexcept { return bits_.get() >> kLastBit; }
    void flip_mark() noexcept { bits_.set(bits_.get() ^ kRecordMark); }
    void visit(Millis number) noexcept {
      bits_.set(number << kLastBit | kEarly | (bits_.get() & kRecordMark));
    }

    Relaxed<std::int64_t> bits_ = 0;
  };

  struct Arrival {};

  LruState(std::size_t, const Allocator& allocator) : table_(allocator) {}
  LruState(LruState&& other) noexcept
      : table_(std::move(other.table_)),
        requests_(other.requests_),
        weight_(std::exchange(other.weight_, 0)) {}

  [[nodiscard]] std::size_t weight() const noexcept { return weight_; }
  void reserve(std::size_t) noexcept {}

  void visit(Mark& mark) noexcept {
    requests_.set(requests_.get() + 1);
    mark.visit(requests_.get());
  }
  // Numbers must not fall: a record that is later than its entry's last request would be dropped.
  void shared_visit(Mark& mark) const noexcept { mark.visit(requests_.count()); }
  template <class Entries>
  Arrival arrive(Entries&, std::size_t, std::size_t) noexcept {
    return {};
  }

  // Numbers of requests only grow, so the cursor of the table may follow them: that is cheaper than
  // to look for the soonest record, unless very many are on their way down the wheel.
  template <class Entries, class Table>
  auto victim(Entries& entries, Table&) {
    VictimFinder<Entries, ByRequest<Entries>> finder{entries, {*this}};
    Budget budget(kMaxSteps);
    budget.erasures = 1;
    while (!budget.spent()) table_.advance(table_.next_due(), budget, finder);
    if (budget.erasures == 0) return finder.victim;
    return finder.find_in(table_, entries.size() <= kMostExact ? kUnlimited : kFew);
  }
  void leave_ghost(const Mark&, std::size_t) noexcept {}

  Mark link(std::size_t hash, std::size_t weight, Arrival) {
    Mark mark = file(hash, requests_.get() + 1);
    requests_.set(requests_.get() + 1);
    weight_ += weight;
    return mark;
  }
  // (A later tidy() drops the record.)
  void unlink(const Mark&, std::size_t weight) noexcept { weight_ -= weight; }
  template <class Entries>
  void tidy(Entries& entries) noexcept {
    Claimer<Entries> claimer{entries};
    table_.tidy(entries.size(), claimer);
  }

  Mark relink(const Mark& mark, std::size_t hash) { return file(hash, mark.last()); }
  void reweigh(const Mark&, std::size_t before, std::size_t after) noexcept {
    weight_ += after - before;
  }

  void clear() noexcept {
    table_.clear();
    weight_ = 0;
  }

 private:
  friend struct TestPeer;

  static constexpr std::size_t kMaxSteps = 4000;
  static constexpr std::size_t kMostExact = 1000;
  static constexpr std::size_t kFew = 16;

  // What an entry knows of its record. (See EntryMap::find.)
  template <class Entries>
  struct ByRequest {
    using StoredKey = typename Entries::StoredKey;
    static Record::Tag tag(const Record& record) noexcept { return record.mark(); }
    static Record::Tag tag(const StoredKey& stored) noexcept {
      return stored.extra().mark.record_mark();
    }
    static bool is_early(const StoredKey& stored) noexcept {
      return stored.extra().mark.is_early();
    }
    static Millis time(const Entries&, const StoredKey& stored) noexcept {
      return stored.extra().mark.last();
    }
    static void flip_mark(const StoredKey& stored) noexcept { stored.extra().mark.flip_mark(); }
    static std::size_t records_needed(const Entries& entries) noexcept { return entries.size(); }
    void file(std::size_t hash, const StoredKey& stored) {
      Mark& mark = stored.extra().mark;
      mark = state.file(hash, mark.last());
    }

    LruState& state;
  };

  template <class Entries>
  struct Claimer {
    void prefetch(std::size_t hash) const { entries.prefetch(hash); }
    bool claim(const Record& record) const noexcept {
      return entries.template claim<ByRequest<Entries>>(record);
    }
    Entries& entries;
  };

  Mark file(std::size_t hash, Millis last) {
    table_.file(hash, last);
    return Mark(last, (table_.tag(last) & Record::kTagMark) != 0);
  }

  ExpiryTable<Allocator> table_;
  mutable Relaxed<Millis> requests_ = 0;
  std::size_t weight_ = 0;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_LRU_H_
