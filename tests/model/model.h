#ifndef KEYSPACE_TESTS_MODEL_MODEL_H_
#define KEYSPACE_TESTS_MODEL_MODEL_H_

// Compares a keyspace with a std::map of values and deadlines. A stream of bytes is read as a list
// of operations. Each operation runs on both. All results and the whole visible state must agree.
// The listener of a cache reports each removal and its cause. So the model knows which entries are
// stored, and checks each removal, its cause, the weights and the statistics. The bytes come from a
// seeded generator in model.cc and from libFuzzer in fuzz_keyspace.cc.
//
// byte_stream.h reads the bytes, reference_model.h is the map, comparison.h holds the keyspace
// beside it and compares. The operations are here.

#include <keyspace/computation.h>
#include <keyspace/condition.h>
#include <keyspace/expiry.h>
#include <keyspace/removal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/comparison.h"
#include "support/invariants.h"
#include "support/support.h"

namespace keyspace::testing {

// How often the expensive checks are made, in steps.
struct Cadence {
  std::size_t whole_state = 64;
  std::size_t invariants = 1;
};

// Thrown by the function of a get_or_compute().
struct ComputationFailure {};

// Runs the operations of one stream. Kind is one of the kinds in kinds.h.
template <class Kind>
class Model : Comparison<Kind> {
  using Base = Comparison<Kind>;
  using Base::bytes_, Base::keys_, Base::extreme_times_, Base::long_times_, Base::decode_deadline,
      Base::decode_key, Base::decode_span, Base::decode_ttl, Base::decode_keep,
      Base::decode_condition, Base::decode_time, Base::time_stands_still;
  using Base::kCopyable, Base::kIsCache, Base::kIsBounded, Base::ks_, Base::steps_, Base::put,
      Base::set_clock, Base::weight, Base::check_removals, Base::check_key, Base::check_cheaply,
      Base::check_whole_state;
  using Base::now_, Base::entries_, Base::newest_, Base::changed_, Base::capacity_, Base::counted_,
      Base::live, Base::is_live, Base::kept_deadline, Base::expire, Base::remove, Base::request,
      Base::count_live;
  using typename Base::Entry, typename Base::Key, typename Base::Ks, typename Base::Value;

 public:
  explicit Model(std::span<const std::uint8_t> bytes, Cadence cadence = {})
      : Base(bytes), cadence_(cadence) {}

  // Runs the whole stream and returns the number of steps. Throws Mismatch if the keyspace and the
  // map disagree.
  std::size_t run() {
    try {
      while (!bytes_.at_end()) {
        ++steps_;
        step();
        check_removals();
        check_cheaply();
        if (steps_ % cadence_.invariants == 0) check_invariants(ks_);
        if (steps_ % cadence_.whole_state == 0) check_whole_state();
      }
      check_whole_state();
      check_invariants(ks_);
      drain();
    } catch (const std::exception& e) {
      throw Mismatch(std::string(e.what()) + ", in step " + std::to_string(steps_) + " (" + name_ +
                     ")");
    }
    return steps_;
  }

 private:
  // --- The steps ---

  void step() {
    static constexpr std::array<void (Model::*)(), 64> kSteps = {
        &Model::do_set,           &Model::do_replace,
        &Model::do_set_ttl,       &Model::do_set_ttl,
        &Model::do_set_ttl,       &Model::do_set_ttl,
        &Model::do_set_deadline,  &Model::do_set_deadline,
        &Model::do_set_deadline,  &Model::do_insert,
        &Model::do_insert_ttl,    &Model::do_insert_ttl,
        &Model::do_insert_at,     &Model::do_replace_at,
        &Model::do_replace_ttl,   &Model::do_compute,
        &Model::do_change,        &Model::do_update,
        &Model::do_mget,          &Model::do_getex,
        &Model::do_getex,         &Model::do_get_or_compute,
        &Model::do_getdel,        &Model::do_erase,
        &Model::do_erase,         &Model::do_erase,
        &Model::do_read,          &Model::do_pexpire,
        &Model::do_pexpire,       &Model::do_pexpire,
        &Model::do_pexpire,       &Model::do_pexpire,
        &Model::do_pexpire,       &Model::do_pexpireat,
        &Model::do_pexpireat,     &Model::do_pexpireat,
        &Model::do_pexpireat,     &Model::do_persist,
        &Model::do_persist,       &Model::do_rename,
        &Model::do_rename,        &Model::do_rename,
        &Model::do_copy,          &Model::do_copy,
        &Model::do_erase_some,    &Model::do_erase_some,
        &Model::do_erase_some,    &Model::do_erase_some,
        &Model::do_erase_expired, &Model::do_advance,
        &Model::do_advance,       &Model::do_advance,
        &Model::do_advance,       &Model::do_advance,
        &Model::do_advance,       &Model::do_go_next,
        &Model::do_go_next,       &Model::do_go_near,
        &Model::do_go_near,       &Model::do_go_back,
        &Model::do_jump,          &Model::do_rarely,
        &Model::do_rarely,        &Model::do_fill,
    };
    (this->*kSteps[bytes_.byte() % kSteps.size()])();
  }

  void do_set() {
    name_ = "set";
    const std::uint64_t key = decode_key();
    ks_.set(Kind::key(key), Kind::value(++last_value_));
    put(key, last_value_, kNoDeadline);
    check_key(key);
  }
  void do_set_ttl() {
    name_ = "set with a ttl";
    const std::uint64_t key = decode_key();
    if (decode_keep()) {
      set_and_keep(key);
      return;
    }
    const Millis ttl = decode_ttl();
    ks_.set(Kind::key(key), Kind::value(++last_value_), ttl);
    put(key, last_value_, deadline_after(now_, ttl));
    check_key(key);
  }
  void set_and_keep(std::uint64_t key) {
    name_ = "set with kKeep";
    const Instant deadline = kept_deadline(key);
    ks_.set(Kind::key(key), Kind::value(++last_value_), kKeep);
    put(key, last_value_, deadline);
    check_key(key);
  }
  void do_set_deadline() {
    name_ = "set with a deadline";
    const std::uint64_t key = decode_key();
    const Instant deadline = decode_deadline();
    ks_.set(Kind::key(key), Kind::value(++last_value_), deadline);
    put(key, last_value_, deadline);
    check_key(key);
  }

  // Stores many keys with successive deadlines. They fill a slot of the timer wheel, and later move
  // to a lower level together.
  void do_fill() {
    name_ = "fill";
    const std::uint64_t first = decode_key();
    const std::uint64_t count = bytes_.byte() % 4 == 0 ? 64 : 4;
    const std::int64_t apart = bytes_.byte() % 4;
    const Millis ttl = decode_ttl();
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t key = (first + i) % keys_;
      const Instant deadline =
          deadline_after(deadline_after(now_, ttl), Millis{static_cast<std::int64_t>(i) * apart});
      ks_.set(Kind::key(key), Kind::value(++last_value_), deadline);
      put(key, last_value_, deadline);
      check_removals();
    }
  }

  // Calls replace() if `stores_over`, else insert(), with an expiry or without one.
  template <class... Expiry>
  void store_if(bool stores_over, Instant deadline, std::uint64_t key, Expiry... expiry) {
    const bool expected = (live(key) != nullptr) == stores_over;
    Key argument = Kind::key(key);
    Value value = Kind::value(++last_value_);
    const bool stored = stores_over ? ks_.replace(std::move(argument), std::move(value), expiry...)
                                    : ks_.insert(std::move(argument), std::move(value), expiry...);
    if (expected) {
      const auto refusals = counted_.refusals;
      put(key, last_value_, deadline);
      insist(stored == (counted_.refusals == refusals), "the reply is wrong");
    } else {
      insist(!stored, "the reply is wrong");
      insist(argument == Kind::key(key), "a refused key was moved from");
      insist(Kind::number(value) == last_value_, "a refused value was moved from");
    }
    check_key(key);
  }
  void do_insert() {
    name_ = "insert";
    store_if(false, kNoDeadline, decode_key());
  }
  void do_insert_ttl() {
    name_ = "insert with a ttl";
    const std::uint64_t key = decode_key();
    if (decode_keep()) {
      name_ = "insert with kKeep";
      store_if(false, kNoDeadline, key, kKeep);
      return;
    }
    const Millis ttl = decode_ttl();
    store_if(false, deadline_after(now_, ttl), key, ttl);
  }
  void do_insert_at() {
    name_ = "insert with a deadline";
    const std::uint64_t key = decode_key();
    const Instant deadline = decode_deadline();
    store_if(false, deadline, key, deadline);
  }
  void do_replace() {
    name_ = "replace";
    store_if(true, kNoDeadline, decode_key());
  }
  void do_replace_ttl() {
    name_ = "replace with a ttl";
    const std::uint64_t key = decode_key();
    if (decode_keep()) {
      name_ = "replace with kKeep";
      store_if(true, kept_deadline(key), key, kKeep);
      return;
    }
    const Millis ttl = decode_ttl();
    store_if(true, deadline_after(now_, ttl), key, ttl);
  }
  void do_replace_at() {
    name_ = "replace with a deadline";
    const std::uint64_t key = decode_key();
    const Instant deadline = decode_deadline();
    store_if(true, deadline, key, deadline);
  }

  void do_change() {
    name_ = "change in place";
    const std::uint64_t key = decode_key();
    Value* const found = ks_.find(Kind::look_up(Kind::key(key)));
    Entry* const entry = request(key);
    insist((found != nullptr) == (entry != nullptr), "find is wrong");
    if (found == nullptr) return;
    if (kIsCache && bytes_.byte() % 2 == 0) return;  // a request is enough
    *found = Kind::value(++last_value_);             // its weight stays what it was
    entry->value = last_value_;
    check_key(key);
  }
  void do_read() {
    name_ = "read";
    check_key(decode_key());
  }
  void do_update() {
    name_ = "update";
    const std::uint64_t key = decode_key();
    const bool is_updated = ks_.update(Kind::look_up(Kind::key(key)),
                                       [&](Value& value) { value = Kind::value(++last_value_); });
    Entry* const entry = request(key);
    insist(is_updated == (entry != nullptr), "the reply is wrong");
    if (entry != nullptr) {
      entry->value = last_value_;
      entry->weight = weight(key, last_value_);
      newest_.reset();  // it may be evicted
      changed_ = key;
      check_removals();
    }
    check_key(key);
  }
  // Reads an entry, and then changes it in one of four ways, or not.
  void do_compute() {
    name_ = "compute";
    if constexpr (std::is_copy_constructible_v<Key>) {
      const std::uint64_t key = decode_key();
      const int change = bytes_.byte() % 5;
      const bool keeps = decode_keep();
      const Millis ttl = keeps ? Millis(0) : decode_ttl();
      const auto expiry = keeps ? Expiry<ManualClock>(kKeep) : Expiry<ManualClock>(ttl);
      const Instant deadline = keeps ? kept_deadline(key) : deadline_after(now_, ttl);
      Entry* const entry = request(key);
      const std::uint64_t number = ++last_value_;
      const bool reply = ks_.compute(Kind::look_up(Kind::key(key)), [&](auto& found) {
        Value* const value = found.value();
        insist((value != nullptr) == (entry != nullptr), "value() is wrong");
        insist(found.deadline() == (entry ? std::optional(entry->deadline) : std::nullopt),
               "deadline() is wrong");
        if (value != nullptr) insist(Kind::number(*value) == entry->value, "the value is wrong");
        if (change == 1) found.store(Kind::value(number), expiry);
        if (change == 2 && value != nullptr) *value = Kind::value(number);
        return change == 3 ? found.expire(expiry) : change == 4 ? found.erase() : false;
      });
      insist(reply == (change >= 3 && entry != nullptr), "the reply is wrong");
      if (change == 1) {
        put(key, number, deadline);
      } else if (change == 4) {
        remove(key, RemovalCause::kErased);
      } else if (entry != nullptr) {
        if (change == 2) entry->value = number;
        entry->weight = weight(key, entry->value);
        newest_.reset();  // it may be evicted
        if (change == 3) expire(key, deadline);
      }
      check_removals();
      check_key(key);
    }
  }
  void do_mget() {
    name_ = "mget";
    const std::uint64_t first = decode_key();
    const std::uint64_t count = bytes_.byte() % 70;
    std::vector<Key> keys;
    for (std::uint64_t i = 0; i != count; ++i) {
      keys.push_back(Kind::key((first + i) % keys_));
    }
    std::vector<std::optional<std::uint64_t>> found;
    const auto add = [&found](const auto& value) {
      found.push_back(value ? std::optional(Kind::number(*value)) : std::nullopt);
    };
    const bool is_request = bytes_.byte() % 2 == 0;
    if (is_request) {
      std::vector<Value*> values(keys.size());
      insist(ks_.mget(keys, values.begin()) == values.end(), "the end is wrong");
      std::for_each(values.begin(), values.end(), add);
    } else if constexpr (kIsCache) {
      for (const Key& key : keys) add(std::as_const(ks_).peek(Kind::look_up(key)));
    } else {
      std::vector<const Value*> values(keys.size());
      insist(std::as_const(ks_).mget(keys, values.begin()) == values.end(), "the end is wrong");
      std::for_each(values.begin(), values.end(), add);
    }
    for (std::uint64_t i = 0; i != keys.size(); ++i) {
      const std::uint64_t key = (first + i) % keys_;
      const Entry* const entry = is_request ? request(key) : live(key);
      insist(found[i].has_value() == (entry != nullptr), "mget is wrong");
      if (entry != nullptr) insist(*found[i] == entry->value, "the value is wrong");
    }
  }
  // What the function of a get_or_compute() does.
  enum class Computing { kValue, kExpiry, kNothing, kFailure };

  void do_get_or_compute() {
    name_ = "get_or_compute";
    if constexpr (kCopyable && std::is_copy_constructible_v<Key>) {
      const std::uint64_t key = decode_key();
      const auto computing = static_cast<Computing>(bytes_.byte() % 4);
      const bool keeps = computing != Computing::kExpiry && decode_keep();
      const Millis ttl = keeps ? Millis(0) : decode_ttl();
      const Millis refresh_ahead = bytes_.byte() % 2 == 0 ? Millis(0) : decode_ttl();
      const Instant deadline = keeps ? kept_deadline(key) : deadline_after(now_, ttl);
      const Entry* const entry = request(key);
      const bool is_computed = entry == nullptr || must_refresh(*entry, refresh_ahead);
      constexpr std::uint64_t kNothing = ~std::uint64_t{0};
      std::uint64_t expected = entry == nullptr ? kNothing : entry->value;  // the result
      const std::uint64_t number = ++last_value_;
      if (is_computed && computing == Computing::kNothing) expected = kNothing;
      if (is_computed && computing < Computing::kNothing) expected = number;

      int calls = 0;
      std::uint64_t reply = kNothing;
      const auto call = [&](auto expiry, const auto& f) {
        try {
          const std::optional<Value> value =
              ks_.get_or_compute(Kind::look_up(Kind::key(key)), expiry, f, refresh_ahead);
          if (value) reply = Kind::number(*value);
        } catch (const ComputationFailure&) {
          insist(computing == Computing::kFailure, "an exception is not the function's own");
        }
      };
      const auto compute = [&] {
        ++calls;
        if (computing == Computing::kFailure) throw ComputationFailure();
        return Kind::value(number);
      };
      if (computing == Computing::kExpiry) {
        call(Expiry<ManualClock>(), [&] { return Computed{compute(), ttl}; });
      } else if (computing == Computing::kNothing) {
        call(Expiry<ManualClock>(ttl), [&] {
          ++calls;
          return std::optional<Value>();
        });
      } else if (keeps) {
        call(Expiry<ManualClock>(kKeep), compute);
      } else {
        call(Expiry<ManualClock>(ttl), compute);
      }
      insist(reply == expected, "the result is wrong");
      insist(calls == (is_computed ? 1 : 0), "the number of computations is wrong");
      if (is_computed) {
        ++counted_.computations;
        if (computing == Computing::kFailure) ++counted_.failed_computations;
        if (computing == Computing::kNothing) remove(key, RemovalCause::kErased);
        if (computing < Computing::kNothing) put(key, number, deadline);
      }
      check_removals();
      check_key(key);
    }
  }
  [[nodiscard]] bool must_refresh(const Entry& entry, Millis refresh_ahead) const {
    return refresh_ahead > Millis(0) && entry.deadline != kNoDeadline &&
           time_left(entry.deadline, now_) <= refresh_ahead;
  }

  // Computes the values of a few keys together. (In a bounded cache, the values that are stored
  // first may be evicted for later ones.)
  void do_get_or_compute_many() {
    name_ = "get_or_compute of many keys";
    if constexpr (kCopyable && std::is_copy_constructible_v<Key> && !kIsBounded) {
      std::vector<Key> keys;
      std::vector<std::uint64_t> numbers;
      for (int count = bytes_.byte() % 8; count != 0; --count) {
        numbers.push_back(decode_key());
        keys.push_back(Kind::key(numbers.back()));
      }
      const Millis ttl = decode_ttl();
      const std::uint64_t base = last_value_ + 1;
      std::vector<std::uint64_t> missing;
      for (const std::uint64_t key : numbers) {
        if (request(key) == nullptr &&
            std::find(missing.begin(), missing.end(), key) == missing.end()) {
          missing.push_back(key);
        }
      }
      const auto values = ks_.get_or_compute(keys, ttl, [&](const std::vector<Key>& asked) {
        insist(asked.size() == missing.size(), "the number of missing keys is wrong");
        std::vector<Value> computed;
        for (std::size_t i = 0; i != asked.size(); ++i) {
          insist(asked[i] == Kind::key(missing[i]), "another key is missing");
          computed.push_back(Kind::value(base + i));
        }
        return computed;
      });
      if (!missing.empty()) ++counted_.computations;
      for (std::size_t i = 0; i != numbers.size(); ++i) {
        const auto at = std::find(missing.begin(), missing.end(), numbers[i]) - missing.begin();
        const auto place = static_cast<std::size_t>(at);
        insist(Kind::number(values.at(i)) ==
                   (place == missing.size() ? live(numbers[i])->value : base + place),
               "the result is wrong");
      }
      for (const std::uint64_t key : missing) put(key, ++last_value_, deadline_after(now_, ttl));
      check_removals();
      for (const std::uint64_t key : numbers) check_key(key);
    }
  }
  void do_getex() {
    const std::uint64_t key = decode_key();
    if (decode_keep()) {
      name_ = "getex with kKeep";
      getex(key, kept_deadline(key), kKeep);
    } else if (bytes_.byte() % 4 == 0) {
      name_ = "getex with a deadline";
      const Instant deadline = decode_deadline();
      getex(key, deadline, deadline);
    } else {
      name_ = "getex with a ttl";
      const Millis ttl = decode_ttl();
      getex(key, deadline_after(now_, ttl), ttl);
    }
  }
  template <class Expiry>
  void getex(std::uint64_t key, Instant deadline, Expiry expiry) {
    const Value* const found = ks_.getex(Kind::look_up(Kind::key(key)), expiry);
    Entry* const entry = request(key);
    insist((found != nullptr) == (entry != nullptr && now_ < deadline), "the reply is wrong");
    if (found != nullptr) insist(Kind::number(*found) == entry->value, "the value is wrong");
    if (entry != nullptr) expire(key, deadline);
    check_key(key);
  }
  void do_getdel() {
    name_ = "getdel";
    if constexpr (kCopyable || !kIsCache) {
      const std::uint64_t key = decode_key();
      const std::optional<Value> taken = ks_.getdel(Kind::look_up(Kind::key(key)));
      const Entry* const entry = request(key);
      insist(taken.has_value() == (entry != nullptr), "the reply is wrong");
      if (entry != nullptr) {
        insist(Kind::number(*taken) == entry->value, "the value is wrong");
        remove(key, RemovalCause::kErased);
      }
      check_key(key);
    }
  }
  void do_erase() {
    name_ = "erase";
    const std::uint64_t key = decode_key();
    const bool erased = ks_.erase(Kind::look_up(Kind::key(key)));
    insist(erased == (live(key) != nullptr), "the reply is wrong");
    remove(key, RemovalCause::kErased);
    check_key(key);
  }

  void expect_expiry(std::uint64_t key, Instant deadline, Condition condition, bool reply) {
    Entry* const entry = live(key);
    const bool expected = entry != nullptr && holds(condition, entry->deadline, deadline);
    insist(reply == expected, "the reply is wrong");
    if (expected) expire(key, deadline);
    check_key(key);
  }
  void do_pexpire() {
    name_ = "pexpire";
    const std::uint64_t key = decode_key();
    const Millis ttl = decode_ttl();
    const Condition condition = decode_condition();
    expect_expiry(key, deadline_after(now_, ttl), condition,
                  ks_.pexpire(Kind::look_up(Kind::key(key)), ttl, condition));
  }
  void do_pexpireat() {
    name_ = "pexpireat";
    const std::uint64_t key = decode_key();
    const Instant deadline = decode_deadline();
    const Condition condition = decode_condition();
    expect_expiry(key, deadline, condition,
                  ks_.pexpireat(Kind::look_up(Kind::key(key)), deadline, condition));
  }
  void do_persist() {
    name_ = "persist";
    const std::uint64_t key = decode_key();
    Entry* const entry = live(key);
    const bool expected = entry != nullptr && entry->deadline != kNoDeadline;
    insist(ks_.persist(Kind::look_up(Kind::key(key))) == expected, "the reply is wrong");
    if (expected) entry->deadline = kNoDeadline;
    check_key(key);
  }
  void do_rename() {
    name_ = "rename";
    const std::uint64_t from = decode_key();
    const std::uint64_t to = decode_key();
    Entry* const entry = live(from);
    const bool renamed = ks_.rename(Kind::look_up(Kind::key(from)), Kind::key(to));
    insist(renamed == (entry != nullptr), "the reply is wrong");
    if (entry != nullptr && from != to) {
      remove(to, RemovalCause::kReplaced);
      auto node = entries_.extract(from);
      node.key() = to;
      node.mapped().weight = weight(to, node.mapped().value);
      entries_.insert(std::move(node));
      newest_.reset();  // it may be evicted
      changed_ = to;
      check_removals();
    }
    check_key(from);
    check_key(to);
  }
  void do_copy() {
    name_ = "copy";
    if constexpr (kCopyable) {
      const std::uint64_t from = decode_key();
      const std::uint64_t to = decode_key();
      const Entry* const entry = live(from);
      const bool expected = entry != nullptr && live(to) == nullptr;
      const bool copied = ks_.copy(Kind::look_up(Kind::key(from)), Kind::key(to));
      const auto refusals = counted_.refusals;
      if (expected) put(to, entry->value, entry->deadline);
      insist(copied == (expected && counted_.refusals == refusals), "the reply is wrong");
      check_removals();
      check_key(from);
      check_key(to);
    }
  }

  void do_erase_some() {
    name_ = "erase_expired with a limit";
    static constexpr std::array<std::size_t, 8> kLimits = {0, 1, 1, 2, 3, 7, 20, 100};
    const std::size_t limit = kLimits[bytes_.byte() % kLimits.size()];
    const std::size_t before = ks_.size();
    const std::size_t erased = ks_.erase_expired(limit);
    insist(erased <= limit, "the limit was exceeded");
    insist(ks_.size() == before - erased, "the reply is not what size() lost");
    insist(ks_.size() >= count_live(), "a live entry was erased");
  }
  void do_erase_expired() {
    name_ = "erase_expired";
    const std::size_t before = ks_.size();
    const std::size_t erased = ks_.erase_expired();
    insist(ks_.size() == before - erased, "the reply is not what size() lost");
    check_removals();
    // Without this->, g++ 12 fails with an internal error.
    std::erase_if(entries_, [&](const auto& e) { return !this->is_live(e.second); });
    insist(ks_.size() == entries_.size(), "size() is not the number of live entries");
    const auto next = ks_.next_deadline();
    insist(!next || *next > now_, "something is due though no expired entry is stored");
  }

  // --- The steps that move the clock ---

  void do_advance() {
    name_ = "advance";
    if (time_stands_still()) return;
    set_clock(deadline_after(now_, Millis{decode_span()}));
  }
  void do_go_next() {
    name_ = "go to next_deadline";
    if (time_stands_still()) return;
    if (const auto next = ks_.next_deadline()) set_clock(std::max(now_, *next));
  }
  // Sets the clock to the deadline of a key, or one tick beside it, also back.
  void do_go_near() {
    name_ = "go to a deadline";
    if (time_stands_still()) return;
    const auto it = entries_.find(decode_key());
    const int off = bytes_.byte() % 3 - 1;
    if (it == entries_.end() || it->second.deadline == kNoDeadline) return;
    const Instant deadline = it->second.deadline;
    if (!long_times_ &&
        (deadline > deadline_after(now_, std::chrono::minutes{2}) || deadline < at(-1000)))
      return;
    if (!extreme_times_ && (deadline > at(std::int64_t{1} << 50) || deadline < at(-1000))) return;
    set_clock(deadline_after(deadline, Millis{off}));
  }
  void do_go_back() {
    name_ = "go back";
    if (time_stands_still()) return;
    set_clock(deadline_after(now_, Millis{-decode_span()}));
  }
  void do_jump() {
    name_ = "jump";
    if (time_stands_still()) return;
    set_clock(decode_time());
  }

  void do_set_capacity() {
    name_ = "set_capacity";
    if constexpr (kIsBounded) {
      const std::size_t part = bytes_.byte();
      if constexpr (Base::kMayBeShared) {
        if (Kind::kMostShards != 1) return;  // the model does not know what a shard refuses
      }
      // Up to the weight of all keys; 0 in one of 16 cases.
      capacity_ = part % 16 == 0 ? 0 : Kind::kMeanWeight * keys_ * part / 256;
      ks_.set_capacity(capacity_);
    }
  }

  void do_rarely() {
    const std::uint8_t which = bytes_.byte();
    if (which < 2) {
      name_ = "clear";
      ks_.clear();
      while (!entries_.empty()) remove(entries_.begin()->first, RemovalCause::kErased);
      insist(ks_.empty() && ks_.volatile_size() == 0, "a cleared keyspace is not empty");
    } else if (which < 40) {
      do_set_capacity();
    } else if (which < 64) {
      name_ = "reserve";
      ks_.reserve(which);
    } else if (which < 80) {
      name_ = "shrink_to_fit";
      ks_.shrink_to_fit();
    } else if (which < 96) {
      name_ = "erase_if";
      const auto is_chosen = [&](std::uint64_t value) { return value % 8 == which % 8; };
      std::vector<std::uint64_t> chosen;
      for (const auto& [key, entry] : entries_) {
        if (is_live(entry) && is_chosen(entry.value)) chosen.push_back(key);
      }
      for (const std::uint64_t key : chosen) remove(key, RemovalCause::kErased);
      const std::size_t erased = ks_.erase_if(
          [&](const Key&, const Value& value, Instant) { return is_chosen(Kind::number(value)); });
      insist(erased == chosen.size(), "the reply is wrong");
    } else if (which < 112) {
      do_get_or_compute_many();
    } else if (which < 128) {
      name_ = "move";
      Ks other(std::move(ks_));
      insist(ks_.empty() && !ks_.next_deadline(), "a moved-from keyspace is not empty");
      if (which % 2 == 0) ks_.set(Kind::key(0), Kind::value(0), Millis{1});
      ks_ = std::move(other);
    } else if (which < 192) {
      do_for_each_until();
    } else {
      name_ = "walk";
      check_whole_state();
    }
  }
  // Visits all entries that are due, or only the first ones.
  void do_for_each_until() {
    name_ = "for_each_until";
    const Instant until = decode_deadline();
    std::vector<std::pair<Instant, std::uint64_t>> expected;
    for (const auto& [key, entry] : entries_) {
      if (is_live(entry) && entry.deadline != kNoDeadline && entry.deadline <= until) {
        expected.emplace_back(entry.deadline, key);
      }
    }
    std::sort(expected.begin(), expected.end());
    const std::size_t most = bytes_.byte() % 2 == 0 ? bytes_.byte() % 16 + 1 : expected.size() + 1;
    std::vector<std::pair<Instant, std::uint64_t>> visited;
    std::as_const(ks_).for_each_until(
        until, [&](const Key& key, const Value& value, Instant deadline) {
          visited.emplace_back(deadline, Kind::number(key));
          const Entry* const entry = live(visited.back().second);
          insist(entry != nullptr && entry->value == Kind::number(value), "the value is wrong");
          insist(entry->deadline == deadline, "the deadline is wrong");
          return visited.size() < most;
        });
    insist(visited.size() == std::min(most, expected.size()), "the number of visits is wrong");
    for (std::size_t i = 0; i != visited.size(); ++i) {
      insist(visited[i].first == expected[i].first, "the order is wrong");
    }
    std::sort(visited.begin(), visited.end());
    insist(std::adjacent_find(visited.begin(), visited.end()) == visited.end(),
           "an entry was visited twice");
  }

  // Lets time pass until no entry is volatile. Each entry must expire on time, and the number of
  // wakes is limited.
  void drain() {
    name_ = "drain";
    std::size_t wakes = 0;
    const std::size_t most_wakes = 64 * (ks_.volatile_size() + 2000);
    while (const auto next = ks_.next_deadline()) {
      insist(++wakes <= most_wakes, "there are too many wakes at next_deadline()");
      set_clock(std::max(now_, *next));
      do_erase_expired();
    }
    check_whole_state();
  }

  Cadence cadence_;
  std::uint64_t last_value_ = 0;
  const char* name_ = "start";
};

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_MODEL_MODEL_H_
