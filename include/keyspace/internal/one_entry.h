// SPDX-License-Identifier: Apache-2.0

#ifndef KEYSPACE_INTERNAL_ONE_ENTRY_H_
#define KEYSPACE_INTERNAL_ONE_ENTRY_H_

#include <chrono>
#include <optional>
#include <utility>

#include "keyspace/clock.h"
#include "keyspace/expiry.h"
#include "keyspace/internal/call_time.h"
#include "keyspace/internal/engine.h"
#include "keyspace/internal/hashing.h"
#include "keyspace/internal/millis.h"

namespace keyspace::internal {

// The entry of one key, live or not, during a compute(). Keyspace::compute() describes the public
// members.
//
// It is looked up once, and again only if it is used after store(). Each member takes effect at
// once, except that finish() weighs the entry again and calls the listener. on_change() is called
// before a change of the value, or before the caller gets a pointer to it.
//
// The key may refer to an entry, which store() and erase() may move or destroy. So they copy it.
template <class Choices>
template <class K, class OnChange, class Now>
class Engine<Choices>::OneEntry {
  using Clock = ClockOf<typename Choices::Clock>;
  using Expiry = keyspace::Expiry<Clock>;
  using duration = std::chrono::milliseconds;
  using time_point = std::chrono::time_point<Clock, duration>;

 public:
  OneEntry(Engine& engine, const K& key, const OnChange& on_change, Now& now)
      : engine_(engine),
        key_(key),
        on_change_(on_change),
        now_(now),
        found_(engine.map().locate(key)) {
    engine_.request(found_, now_);
  }
  OneEntry(const OneEntry&) = delete;
  OneEntry& operator=(const OneEntry&) = delete;

  [[nodiscard]] Value* value() {
    if (!is_live()) return nullptr;
    on_change_();
    must_reweigh_ = true;
    return value_of(found_);
  }
  [[nodiscard]] std::optional<time_point> deadline() {
    const auto deadline = deadline_millis();
    return deadline ? std::optional(time_point(duration(*deadline))) : std::nullopt;
  }
  [[nodiscard]] std::optional<duration> ttl() { return ttl_until(deadline_millis(), now_); }

  template <class V = Value>
  void store(V&& value, Expiry expiry = {}) {
    on_change_();
    look_up();
    copy_key();
    must_look_up_ = true;
    engine_.store_.put_at(found_, *own_key_, std::forward<V>(value),
                          engine_.lifetime_for(expiry.time(), found_, now_), now_);
    must_reweigh_ = false;
  }
  bool expire(Expiry expiry) {
    if (!is_live()) return false;
    const Lifetime lifetime = engine_.lifetime_for(expiry.time(), found_, now_);
    if (Map::is_over(lifetime.deadline(), now_)) return erase();
    engine_.store_.set_lifetime(found_, lifetime);
    return true;
  }
  bool erase() {
    on_change_();
    look_up();
    if (found_.entry == nullptr) return false;
    copy_key();
    const bool was_live = engine_.store_.erase(found_, now_);
    found_.entry = nullptr;
    return was_live;
  }

  // Ends the compute(). Pointers to values are invalid afterwards.
  void finish() {
    if constexpr (Choices::kIsWeighed) {
      if (must_reweigh_ && is_live()) engine_.store_.reweigh(found_, now_);
    }
    engine_.step();
    engine_.store_.call_listener();
  }

 private:
  [[nodiscard]] bool is_live() {
    look_up();
    return engine_.map().is_live(found_, now_);
  }
  [[nodiscard]] std::optional<Millis> deadline_millis() {
    return is_live() ? std::optional(engine_.map().deadline(found_.entry->first)) : std::nullopt;
  }
  // Brings found_ up to date.
  void look_up() {
    if (must_look_up_) {
      found_ = engine_.map().locate(*own_key_, found_.hash);
      must_look_up_ = false;
    } else if (found_.entry != nullptr) {
      found_.packed = found_.entry->first.packed_deadline();
    }
  }
  void copy_key() {
    if (!own_key_) own_key_.emplace(key_of(key_));
  }

  Engine& engine_;
  const K& key_;
  const OnChange& on_change_;
  Now& now_;
  typename Map::template Found<typename Map::Entry> found_;
  std::optional<Key> own_key_;  // a copy of the key, after store() or erase()
  bool must_look_up_ = false;   // whether found_ is invalid
  bool must_reweigh_ = false;   // whether the caller has a pointer to the value
};

}  // namespace keyspace::internal

#endif  // KEYSPACE_INTERNAL_ONE_ENTRY_H_
