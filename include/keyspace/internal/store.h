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

// The entries and the expiry table, and all that keeps them in agreement:
//
//   1. For each entry with a deadline there is a record of its own with the
//   entry's hash and mark,
//      filed at the deadline, or before it if the entry's stamp says so.
//   2. All other records are stale. There are at most a constant plus twice the
//   volatile entries.
//
// A sooner deadline files a record, and leaves the old one stale. A later one
// leaves the record where it is, and so does what removes an entry or makes it
// persistent.
//
// Takes the time as `now`, to be called as `Millis now()` and only if the time
// matters; it must return the same time throughout a call. Deadlines are
// finite, or kNeverMillis for none.
template <class Key, class Value, class Hash, class Equal, class Allocator>
class Store {
public:
  using Entries = EntryMap<Key, Value, Hash, Equal, Allocator>;
  using StoredKey = typename Entries::StoredKey;

  // What a look-up found.
  template <class Iterator> struct Found {
    Iterator it;      // end() if the key is not stored
    std::size_t hash; // of the key
    bool live;
  };

  Store(const Hash &hash, const Equal &equal, const Allocator &allocator)
      : entries_(hash, equal, allocator), expiry_(allocator) {}

  [[nodiscard]] const Entries &entries() const noexcept { return entries_; }
  [[nodiscard]] std::size_t volatile_size() const noexcept {
    return entries_.volatile_size();
  }
  // A time at or before every deadline.
  [[nodiscard]] Millis next_due() const noexcept { return expiry_.next_due(); }
  [[nodiscard]] Millis deadline(const StoredKey &stored) const noexcept {
    return entries_.deadline(stored);
  }

  template <class Now> static bool is_over(Millis deadline, Now &now) {
    return deadline != kNeverMillis && deadline <= now();
  }
  template <class Now> bool is_live(const StoredKey &stored, Now &now) const {
    return !stored.is_volatile() || now() < entries_.deadline(stored);
  }

  // Looks up a key, once a call. Inlined by force: a call of its own would
  // double the work of find.
  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto locate(const K &key, Now &now) {
    return locate_in(*this, key, now);
  }
  template <class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE auto locate(const K &key, Now &now) const {
    return locate_in(*this, key, now);
  }

  // Stores a value under the key that was looked for, with a deadline, in place
  // of what was found. If the deadline is over, nothing is stored in its place.
  template <class F, class K, class V, class Now>
  void put(const F &found, K &&key, V &&value, Millis deadline, Now &now) {
    if (is_over(deadline, now)) {
      if (found.it != entries_.end())
        erase(found.it);
    } else if (found.it == entries_.end()) {
      add(found.hash, make_slot<KeySlot>(std::forward<K>(key)),
          make_slot<ValueSlot>(std::forward<V>(value)), deadline, now);
    } else {
      prepare_deadline(found, deadline);
      if constexpr (std::is_assignable_v<Value &, V>) {
        found.it->second.get() = std::forward<V>(value);
      } else {
        found.it->second.replace(make_slot<ValueSlot>(std::forward<V>(value)));
      }
      commit_deadline(found.it->first, deadline);
    }
  }

  // Moves value and deadline of `from` to the key `to` that was looked for, in
  // place of what was found there. REQUIRES: `from` is live and not the entry
  // of `to`.
  template <class F, class K> void move(const F &from, const F &to, K &&key) {
    const Millis deadline = entries_.deadline(from.it->first);
    if (to.it != entries_.end()) {
      prepare_deadline(to, deadline);
      to.it->second.replace(std::move(from.it->second));
      commit_deadline(to.it->first, deadline);
      erase(from.it);
    } else {
      KeySlot key_slot = make_slot<KeySlot>(std::forward<K>(key));
      if (deadline != kNeverMillis)
        file(to.hash, deadline);
      ValueSlot value_slot = std::move(from.it->second);
      entries_.erase(from.it);
      entries_.insert(std::move(key_slot), std::move(value_slot), to.hash,
                      deadline, expiry_.mark());
      tidy();
    }
  }

  // Changes the deadline of a live entry. REQUIRES: the deadline is not over.
  template <class F> void set_deadline(const F &found, Millis deadline) {
    prepare_deadline(found, deadline);
    commit_deadline(found.it->first, deadline);
  }

  template <class Iterator> void erase(Iterator it) {
    entries_.erase(it);
    tidy();
  }

  // Erases up to `limit` entries whose deadline is over, with work in
  // proportion to the limit, and returns how many it erased.
  template <class Now> std::size_t erase_due(std::size_t limit, Now &now) {
    if (volatile_size() == 0) {
      expiry_.clear(); // of stale records, and there is a constant number of
                       // them at most
      return 0;
    }
    if (now() < expiry_.next_due())
      return 0;
    Budget budget(limit);
    Settler settler{*this, now()};
    expiry_.advance(now(), budget, settler);
    return limit - budget.erasures;
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

  // How many records beyond twice the volatile entries are put up with before
  // they are scrubbed.
  static constexpr std::size_t kStaleSlack = 1024;

  // Decides for the expiry table what becomes of a record that is due.
  struct Settler {
    void prefetch(const Record &record) const {
      store.entries_.prefetch(record);
    }

    // It is not known which entry the record was filed for. So of the entries
    // it fits that are filed early all are served: erased, or filed again at
    // their deadline. Of those filed at this very time one is, as each has a
    // record like this. Returns false if the budget does not suffice.
    bool settle(const Record &record, Budget &budget) {
      for (;;) {
        const auto it = store.entries_.find(record);
        if (it == store.entries_.end())
          return true; // all are served, or the record is stale
        const StoredKey &stored = it->first;
        const bool early = stored.is_filed_early();
        if (const Millis deadline = store.entries_.deadline(stored);
            now < deadline) {
          store.expiry_.file(record.hash(), deadline);
          store.entries_.set_deadline(stored, deadline, store.expiry_.mark());
        } else {
          store.entries_.erase(it);
          --budget.erasures;
        }
        if (!early)
          return true;
        if (budget.spent())
          return false;
        --budget.steps;
      }
    }

    Store &store;
    Millis now;
  };

  template <class Self, class K, class Now>
  ABSL_ATTRIBUTE_ALWAYS_INLINE static auto locate_in(Self &self, const K &key,
                                                     Now &now) {
    const auto lookup = self.entries_.lookup(key);
    const auto it = self.entries_.find(lookup);
    const bool live = it != self.entries_.end() && self.is_live(it->first, now);
    return Found<std::remove_const_t<decltype(it)>>{it, lookup.hash, live};
  }

  template <class S, class... Args> S make_slot(Args &&...args) const {
    return S(std::in_place, expiry_.allocator(), std::forward<Args>(args)...);
  }

  // Adds an entry. REQUIRES: the key is not stored, and the deadline not over.
  template <class Now>
  void add(std::size_t hash, KeySlot key, ValueSlot value, Millis deadline,
           Now &now) {
    if (volatile_size() != 0)
      erase_due(2, now);
    entries_.make_room(deadline);
    if (deadline != kNeverMillis)
      file(hash, deadline);
    entries_.insert(std::move(key), std::move(value), hash, deadline,
                    expiry_.mark());
  }

  // A change of deadline in two parts: all that can throw, and all that cannot.
  template <class F> void prepare_deadline(const F &found, Millis deadline) {
    entries_.make_room_for(deadline);
    if (deadline < entries_.deadline(found.it->first))
      file(found.hash, deadline);
  }
  void commit_deadline(const StoredKey &stored, Millis deadline) noexcept {
    const Millis current = entries_.deadline(stored);
    if (current < deadline && deadline != kNeverMillis) {
      entries_.postpone(stored, deadline);
    } else if (deadline != current) {
      entries_.set_deadline(stored, deadline, expiry_.mark());
      tidy();
    }
  }

  // The caller may throw before an entry refers to the record; so it counts as
  // stale until then.
  ABSL_ATTRIBUTE_NOINLINE void file(std::size_t hash, Millis deadline) {
    tidy();
    expiry_.file(hash, deadline);
  }

  // Keeps the bound on stale records. Every call that may have made one comes
  // here. The few dozen records that are looked at each time suffice: a round
  // is over before a tenth as many are added.
  void tidy() noexcept {
    if (expiry_.size() > 2 * volatile_size() + kStaleSlack)
      expiry_.scrub(entries_);
  }

  Entries entries_;
  ExpiryTable<Allocator> expiry_;
};

} // namespace keyspace::internal

#endif // KEYSPACE_INTERNAL_STORE_H_
