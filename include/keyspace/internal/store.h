#ifndef KEYSPACE_INTERNAL_STORE_H_
#define KEYSPACE_INTERNAL_STORE_H_

#include <cstddef>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "keyspace/internal/entry_map.h"
#include "keyspace/internal/expiry_table.h"
#include "keyspace/internal/millis.h"
#include "keyspace/internal/record.h"

namespace keyspace::internal {

// The entries and the expiry table, and all that keeps them in agreement.
//
// An entry keeps its deadline; the table keeps records of (hash, mark, time). Nothing points from
// one to the other. A record fits an entry if the entry's key has that hash, the entry has that
// mark, and either its deadline is that time, or the entry is *early*: its record is filed
// somewhere before its deadline. From that follows what each change does:
//
//   an expiry for a new or persistent key,  files a record at the deadline; an old one is stale
//   or a sooner deadline
//   a later deadline                        makes the entry early, and no more
//   the entry is erased, or persistent      leaves the record, stale
//   a record comes due                      each early entry that it fits is erased or gets a new
//                                           record, and one entry with that deadline is erased; if
//                                           it fits none, it was stale
//
// The mark is the colour of a mark-and-sweep collector, of which stale records are the garbage: see
// ExpiryTable::scrub.
//
// Invariants
//   1. For each entry with a deadline there is a record of its own that fits it, filed at its
//      deadline, or before that if the entry is early.
//   2. All other records are stale, and at most a constant plus twice the volatile entries. (A call
//      that an exception ends may leave more, and later calls make up for it.)
//
// The time comes as `now`, to be called only if it matters, and the same throughout a call.
// Deadlines are finite, or kNeverMillis for none.
template <class Key, class Value, class Hash, class Equal, class Allocator>
class Store {
 public:
  using Entries = EntryMap<Key, Value, Hash, Equal, Allocator>;
  using StoredKey = typename Entries::StoredKey;

  // What a look-up found.
  template <class Iterator>
  struct Found {
    Iterator it;       // end() if the key is not stored
    std::size_t hash;  // of the key
    bool live;
  };

  Store(const Hash& hash, const Equal& equal, const Allocator& allocator)
      : entries_(hash, equal, allocator), expiry_(allocator) {}

  [[nodiscard]] const Entries& entries() const noexcept { return entries_; }
  [[nodiscard]] std::size_t volatile_size() const noexcept { return entries_.volatile_size(); }
  // Returns a time at or before every deadline.
  [[nodiscard]] Millis next_due() const noexcept { return expiry_.next_due(); }
  [[nodiscard]] Millis deadline(const StoredKey& stored) const noexcept {
    return entries_.deadline(stored);
  }

  template <class Now>
  static bool is_over(Millis deadline, Now& now) {
    return deadline != kNeverMillis && deadline <= now();
  }
  template <class Now>
  bool is_live(const StoredKey& stored, Now& now) const {
    return !stored.is_volatile() || now() < entries_.deadline(stored);
  }

  // Looks up a key. Inlined by force: a call of its own would double the work of find().
  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto locate(const K& key, Now& now) {
    return locate_in(*this, key, now);
  }
  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto locate(const K& key, Now& now) const {
    return locate_in(*this, key, now);
  }

  // Stores a value under the key that was looked for, with a deadline, in place of what was found.
  // If the deadline is over, nothing is stored in its place.
  template <class F, class K, class V, class Now>
  void put(const F& found, K&& key, V&& value, Millis deadline, Now& now) {
    if (is_over(deadline, now)) {
      if (found.it != entries_.end()) erase(found.it);
    } else if (found.it == entries_.end()) {
      add(found.hash, make_slot<KeySlot>(std::forward<K>(key)),
          make_slot<ValueSlot>(as_value(std::forward<V>(value))), deadline, now);
    } else {
      prepare_deadline(found, deadline);
      if constexpr (std::is_assignable_v<Value&, V>) {
        found.it->second.get() = as_value(std::forward<V>(value));
      } else {
        found.it->second.replace(make_slot<ValueSlot>(std::forward<V>(value)));
      }
      commit_deadline(found.it->first, deadline);
    }
  }

  // Moves value and deadline of `from` to the key `to` that was looked for, in place of what was
  // found there. REQUIRES: `from` is live, and not the entry of `to`.
  template <class F, class K>
  void move(const F& from, const F& to, K&& key) {
    const Millis deadline = entries_.deadline(from.it->first);
    if (to.it != entries_.end()) {
      prepare_deadline(to, deadline);
      to.it->second.replace(std::move(from.it->second));
      commit_deadline(to.it->first, deadline);
      erase(from.it);
    } else {
      KeySlot key_slot = make_slot<KeySlot>(std::forward<K>(key));
      if (deadline != kNeverMillis) file(to.hash, deadline);
      ValueSlot value_slot = std::move(from.it->second);
      entries_.erase(from.it);
      entries_.insert(std::move(key_slot), std::move(value_slot), to.hash, deadline,
                      expiry_.mark());
      tidy();
    }
  }

  // Changes the deadline of a live entry. REQUIRES: the deadline is not over.
  template <class F>
  void set_deadline(const F& found, Millis deadline) {
    prepare_deadline(found, deadline);
    commit_deadline(found.it->first, deadline);
  }

  template <class Iterator>
  void erase(Iterator it) {
    entries_.erase(it);
    tidy();
  }

  // Erases up to `limit` entries whose deadline is over, with work in proportion to the limit, and
  // returns how many it erased.
  template <class Now>
  std::size_t erase_due(std::size_t limit, Now& now) {
    if (volatile_size() == 0) {
      expiry_.clear();  // of stale records, of which there are no more than a constant number
      return 0;
    }
    if (now() < expiry_.next_due()) return 0;
    Budget budget(limit);
    Settler settler{*this, now()};
    expiry_.advance(now(), budget, settler);
    const std::size_t erased = limit - budget.erasures;
    // Each erasure lowered the bound on stale records, as in erase().
    for (std::size_t i = 0; i != erased && has_too_many_records(); ++i) expiry_.scrub(entries_);
    return erased;
  }

  void clear() {
    entries_.clear();
    expiry_.clear();
  }

  void reserve(std::size_t size) { entries_.reserve(size); }

 private:
  friend struct TestPeer;
  using KeySlot = typename Entries::KeySlot;
  using ValueSlot = typename Entries::ValueSlot;

  // How many records beyond twice the volatile entries are put up with before they are scrubbed.
  static constexpr std::size_t kStaleSlack = 1024;

  // Decides for the expiry table what becomes of a record that is due.
  struct Settler {
    void prefetch(const Record& record) const { store.entries_.prefetch(record); }

    // Serves all early entries that the record fits, as it cannot be known whose it was; of those
    // with this very deadline one, as each has a record like this. Returns false if the budget did
    // not suffice.
    bool settle(const Record& record, Budget& budget) {
      for (;;) {
        const auto it = store.entries_.find(record);
        if (it == store.entries_.end()) return true;
        const StoredKey& stored = it->first;
        const bool early = stored.is_filed_early();
        if (const Millis deadline = store.entries_.deadline(stored); now < deadline) {
          store.expiry_.file(record.hash(), deadline);
          store.entries_.set_deadline(stored, deadline, store.expiry_.mark());
        } else {
          store.entries_.erase(it);
          --budget.erasures;
        }
        if (!early) return true;
        if (budget.spent()) return false;
        --budget.steps;
      }
    }

    Store& store;
    Millis now;
  };

  template <class Self, class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE static auto locate_in(Self& self, const K& key, Now& now) {
    const auto lookup = self.entries_.lookup(key);
    const auto it = self.entries_.find(lookup);
    const bool live = it != self.entries_.end() && self.is_live(it->first, now);
    return Found<std::remove_const_t<decltype(it)>>{it, lookup.hash, live};
  }

  // Passes a value on, but a number as a Value: a compiler that warns of the conversion would point
  // here, and not at the caller.
  template <class V>
  static decltype(auto) as_value(V&& value) noexcept {
    if constexpr (std::is_arithmetic_v<std::remove_cvref_t<V>> && std::is_arithmetic_v<Value>) {
      return static_cast<Value>(value);
    } else {
      return std::forward<V>(value);
    }
  }

  template <class S, class... Args>
  S make_slot(Args&&... args) const {
    return S(std::in_place, expiry_.allocator(), std::forward<Args>(args)...);
  }

  // Adds an entry. REQUIRES: the key is not stored, and the deadline not over.
  template <class Now>
  void add(std::size_t hash, KeySlot key, ValueSlot value, Millis deadline, Now& now) {
    if (volatile_size() != 0) erase_due(2, now);  // else the clock need not be read
    entries_.make_room(deadline);
    if (deadline != kNeverMillis) file(hash, deadline);
    entries_.insert(std::move(key), std::move(value), hash, deadline, expiry_.mark());
  }

  // A change of deadline in two parts: all that can throw, and all that cannot. No scrub may come
  // between them, or it takes the new record for a stale one.
  template <class F>
  void prepare_deadline(const F& found, Millis deadline) {
    entries_.make_room_for(deadline);
    if (deadline < entries_.deadline(found.it->first)) file(found.hash, deadline);
  }
  void commit_deadline(const StoredKey& stored, Millis deadline) noexcept {
    const Millis current = entries_.deadline(stored);
    if (current < deadline && deadline != kNeverMillis) {
      entries_.postpone(stored, deadline);
    } else if (deadline != current) {
      entries_.set_deadline(stored, deadline, expiry_.mark());
      tidy();
    }
  }

  // Files a record for an entry that the caller is about to change. Tidies up first: if the caller
  // fails before that change, the record is stale.
  ABSL_ATTRIBUTE_NOINLINE void file(std::size_t hash, Millis deadline) {
    tidy();
    expiry_.file(hash, deadline);
  }

  // Keeps invariant 2. Every call that makes a record stale comes here once for each, and a scrub
  // looks at a few dozen; so it is round before a fraction as many are added, and what was stale at
  // its start is gone.
  void tidy() noexcept {
    if (has_too_many_records()) expiry_.scrub(entries_);
  }
  [[nodiscard]] bool has_too_many_records() const noexcept {
    return expiry_.size() > 2 * volatile_size() + kStaleSlack;
  }

  Entries entries_;
  ExpiryTable<Allocator> expiry_;
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_STORE_H_
