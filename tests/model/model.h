#ifndef KEYSPACE_TESTS_MODEL_MODEL_H_
#define KEYSPACE_TESTS_MODEL_MODEL_H_

// A keyspace against a std::map of value and deadline. A stream of bytes is read as a list of
// operations; each is done to both, and every result and the whole visible state must agree. Of a
// cache, the listener tells the model what leaves and why: so the model knows what is stored, and
// holds each departure, its cause, the weights and the statistics against the rules. The bytes come
// from a seeded generator in model.cc and from libFuzzer in fuzz_keyspace.cc.

#include <keyspace/clock.h>
#include <keyspace/condition.h>
#include <keyspace/features.h>
#include <keyspace/keyspace.h>
#include <keyspace/statistics.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/invariants.h"
#include "support/support.h"

namespace keyspace::testing {

// A stream of bytes that reads as zeros after its end.
class Bytes {
 public:
  explicit Bytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  bool at_end() const { return next_ >= bytes_.size(); }
  std::uint8_t byte() { return at_end() ? std::uint8_t{0} : bytes_[next_++]; }
  // Returns an integer of `size` bytes.
  std::int64_t integer(int size) {
    std::uint64_t all = 0;
    for (int i = 0; i < size; ++i) all = all << 8 | byte();
    return static_cast<std::int64_t>(all);
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t next_ = 0;
};

struct Mismatch : std::logic_error {
  using std::logic_error::logic_error;
};

// How often the dear checks are made, in steps.
struct Cadence {
  std::size_t whole_state = 64;
  std::size_t invariants = 1;
};

template <class Config>
class Model {
  using Ks = typename Config::Ks;
  using Key = decltype(Config::key(0));
  using Value = decltype(Config::value(0));
  static constexpr bool kCopyable = std::is_copy_constructible_v<Value>;
  static constexpr bool kIsCache = requires { typename Config::Policy; };
  static constexpr bool kIsBounded = requires { requires Config::kIsBounded; };
  static constexpr bool kMayBeShared = requires { Config::kMostShards; };

  // How many entries a policy looks at, if it must, to find the one that goes.
  static constexpr std::size_t kMostExact = 1000;

  struct Entry {
    std::uint64_t value;
    Instant deadline;
    std::uint64_t last_request = 0;
    std::size_t weight = 1;
  };
  struct Departure {
    std::uint64_t key;
    std::uint64_t value;
    RemovalCause cause;
    friend bool operator==(const Departure&, const Departure&) = default;
  };
  // By the number of the key. The dead stay here until it is certain that they are not stored any
  // more: if the clock goes back before that, some of them may live again.
  using Entries = std::map<std::uint64_t, Entry>;

 public:
  explicit Model(std::span<const std::uint8_t> bytes, Cadence cadence = {})
      : bytes_(bytes), cadence_(cadence) {
    static constexpr std::array<std::uint64_t, 8> kUniverses = {1, 3, 12, 24, 48, 100, 300, 1500};
    const std::uint8_t header = bytes_.byte();
    keys_ = kUniverses[header % 8];
    extreme_times_ = (header & 8) != 0;
    long_times_ = (header & 16) != 0;
    set_clock(decode_start(header >> 5));
    // The rarer time passes, the more keys live and the more stale records pile up.
    static constexpr std::array<std::int64_t, 4> kPatience = {1, 1, 30, 500};
    patience_ = kPatience[bytes_.byte() % 4];
    if constexpr (kIsCache) {
      static constexpr std::array<std::uint64_t, 4> kShares = {1, 2, 4, 16};
      capacity_ = Config::kMeanWeight * (keys_ / kShares[bytes_.byte() % 4] + 1);
      if constexpr (kMayBeShared) {
        if (Config::kMostShards != 1) capacity_ = std::size_t{1} << 30;  // no shard evicts
      }
      typename Ks::Options options = make_options(capacity_);
      options.listener = [this](const Key& key, Value value, RemovalCause cause) {
        departures_.push_back({Config::number(key), Config::number(value), cause});
      };
      if constexpr (kMayBeShared) {
        options.shards =
            std::min<std::size_t>(std::size_t{1} << bytes_.byte() % 8, Config::kMostShards);
      }
      ks_ = Ks(ks_.clock(), std::move(options));
    }
  }

  // Runs the whole stream, and returns the number of steps. Throws Mismatch.
  std::size_t run() {
    try {
      while (!bytes_.at_end()) {
        ++steps_;
        step();
        check_departures();
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
  void insist(bool held, const char* what) const {
    if (!held) throw Mismatch(what);
  }

  // --- Reading the stream ---

  static Instant decode_start(int which) {
    static constexpr std::array<std::int64_t, 8> kStarts = {
        0, 0, 255, 1'700'000'000'123, -1, -70'000, 65'535, -(std::int64_t{1} << 40)};
    return at(kStarts[static_cast<std::size_t>(which) % kStarts.size()]);
  }

  std::uint64_t decode_key() {
    const auto raw = static_cast<std::uint64_t>(keys_ > 256 ? bytes_.integer(2) : bytes_.byte());
    return raw % keys_;
  }

  // A span of time, small ones most often: a few ticks, one level of a timer wheel, the border
  // between two, and, if the stream asks for them, hours to ages.
  std::int64_t decode_span() {
    const std::uint8_t kind = bytes_.byte();
    const std::int64_t small = bytes_.byte();
    if (!long_times_) return kind < 230 ? small % (1 + kind % 64) : small * 256 + kind;
    switch (kind % 8) {
      case 0:
      case 1:
        return small;
      case 2:
        return small * 256 + kind;
      case 3:
        return bytes_.integer(3) & 0xff'ffff;
      case 4:
        return (std::int64_t{1} << (8 * (small % 6))) + small % 3 - 1;
      case 5:
        return (std::int64_t{1} << (small % 48)) + bytes_.byte();
      case 6:
        return bytes_.integer(5) & 0xff'ffff'ffff;
      default:
        return small % 8;
    }
  }

  Millis decode_ttl() {
    const std::uint8_t kind = bytes_.byte();
    switch (kind) {
      case 0:
        return Millis::zero();
      case 1:
        return Ks::kNever;
      case 2:
        return Millis{-1};
      case 3:
        return Millis{-decode_span()};
      case 4:
        return Millis::min();
      case 5:
        return Millis::max() - Millis{1};
      case 6:
        return Millis::max() - Millis{1 + decode_span()};
      case 7:
        return Millis{bytes_.integer(8)};
      default:
        return Millis{1 + decode_span()};
    }
  }

  Instant decode_deadline() {
    const std::uint8_t kind = bytes_.byte();
    switch (kind) {
      case 0:
        return now_;
      case 1:
        return kNoDeadline;
      case 2:
        return Instant::min();
      case 3:
        return kLastDeadline;
      case 4:
        return at(-1);
      case 5:
        return at(bytes_.integer(8));
      case 6:
      case 7:
        return deadline_after(now_, Millis{-decode_span()});
      default:
        break;
    }
    if (kind < 64) {  // a deadline that another key has, or nearly
      const auto it = entries_.find(decode_key());
      if (it != entries_.end() && it->second.deadline != kNoDeadline) {
        return deadline_after(it->second.deadline, Millis{bytes_.byte() % 3 - 1});
      }
    }
    return deadline_after(now_, Millis{1 + decode_span()});
  }

  Condition decode_condition() {
    static constexpr std::array kConditions = {
        Condition::kAlways, Condition::kNx,   Condition::kXx,     Condition::kGt,
        Condition::kLt,     Condition::kXxLt, Condition::kAlways, Condition::kAlways};
    return kConditions[bytes_.byte() % kConditions.size()];
  }

  // --- The rules, spelled out again ---

  static Instant deadline_after(Instant now, Millis ttl) {
    if (ttl == Millis::max()) return kNoDeadline;
    const std::int64_t from = now.time_since_epoch().count();
    const std::int64_t more = ttl.count();
    constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max() - 1;
    constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
    if (more > 0 && from > kLast - more) return at(kLast);
    if (more < 0 && from < kFirst - more) return at(kFirst);
    return at(from + more);
  }

  static Millis time_left(Instant deadline, Instant now) {
    if (deadline == kNoDeadline) return Ks::kNever;
    const std::int64_t from = now.time_since_epoch().count();
    const std::int64_t to = deadline.time_since_epoch().count();
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() - 1;
    if (from < 0 && to > kMost + from) return Millis{kMost};
    return Millis{to - from};
  }

  static bool holds(Condition condition, Instant current, Instant next) {
    const bool persistent = current == kNoDeadline;
    switch (condition) {
      case Condition::kAlways:
        return true;
      case Condition::kNx:
        return persistent;
      case Condition::kXx:
        return !persistent;
      case Condition::kGt:
        return !persistent && next > current;
      case Condition::kLt:
        return persistent ? next != kNoDeadline : next < current;
      case Condition::kXxLt:
        return !persistent && next < current;
    }
    return false;
  }

  bool is_live(const Entry& entry) const { return now_ < entry.deadline; }
  Entry* live(std::uint64_t key) {
    const auto it = entries_.find(key);
    return it != entries_.end() && is_live(it->second) ? &it->second : nullptr;
  }

  // What the keyspace has just been told to store. A cache may have refused it.
  void put(std::uint64_t key, std::uint64_t value, Instant deadline) {
    newest_.reset();
    const bool was_live = live(key) != nullptr;
    const bool is_over = deadline <= now_;
    remove(key, is_over ? RemovalCause::kErased : RemovalCause::kReplaced);
    if (is_over) return;
    if (kIsCache && !ks_.contains(Config::look_up(Config::key(key)))) {
      ++counted_.refusals;
      refused_weight_ = weight(key, value);
      return;
    }
    ++(was_live ? counted_.replacements : counted_.inserts);
    counted_.peak_size = std::max(counted_.peak_size, ks_.size());
    entries_.insert_or_assign(key, Entry{value, deadline, ++last_request_, weight(key, value)});
    newest_ = key;
  }
  static Ks make() {
    if constexpr (kIsCache) {
      return Ks(ManualClock(), make_options(0));
    } else {
      return Ks(ManualClock());
    }
  }
  static auto make_options(std::size_t capacity) {
    if constexpr (kIsBounded) {
      return typename Ks::Options{.capacity = capacity};
    } else {
      return typename Ks::Options{};
    }
  }
  static std::size_t weight(std::uint64_t key, std::uint64_t value) {
    if constexpr (kIsCache) {
      return Config::weight(key, value);
    } else {
      return 1;
    }
  }
  // What it has just been told to give another deadline.
  void expire(std::uint64_t key, Instant deadline) {
    if (now_ < deadline) {
      entries_.at(key).deadline = deadline;
    } else {
      remove(key, RemovalCause::kErased);
    }
  }
  // What it must let go of, if it is stored.
  void remove(std::uint64_t key, RemovalCause cause) {
    const auto it = entries_.find(key);
    if (it == entries_.end()) return;
    if (kIsCache) {
      expected_.push_back(
          {key, it->second.value, is_live(it->second) ? cause : RemovalCause::kExpired});
      count_departure(it->second, expected_.back().cause);
    }
    entries_.erase(it);
  }
  // What was asked for.
  Entry* request(std::uint64_t key) {
    Entry* const entry = live(key);
    ++(entry == nullptr ? counted_.misses : counted_.hits);
    if (entry != nullptr) entry->last_request = ++last_request_;
    return entry;
  }
  std::size_t count_live() const {
    return static_cast<std::size_t>(std::count_if(
        entries_.begin(), entries_.end(), [&](const auto& e) { return is_live(e.second); }));
  }

  // --- The steps ---

  void step() {
    static constexpr std::array<void (Model::*)(), 64> kSteps = {
        &Model::do_set,           &Model::do_set,          &Model::do_set_ttl,
        &Model::do_set_ttl,       &Model::do_set_ttl,      &Model::do_set_ttl,
        &Model::do_set_deadline,  &Model::do_set_deadline, &Model::do_set_deadline,
        &Model::do_insert,        &Model::do_insert_ttl,   &Model::do_insert_ttl,
        &Model::do_insert_at,     &Model::do_replace,      &Model::do_replace_ttl,
        &Model::do_replace_at,    &Model::do_change,       &Model::do_read,
        &Model::do_mget,          &Model::do_getex,        &Model::do_getex,
        &Model::do_getex,         &Model::do_getdel,       &Model::do_erase,
        &Model::do_erase,         &Model::do_erase,        &Model::do_pexpire,
        &Model::do_pexpire,       &Model::do_pexpire,      &Model::do_pexpire,
        &Model::do_pexpire,       &Model::do_pexpire,      &Model::do_pexpire,
        &Model::do_pexpireat,     &Model::do_pexpireat,    &Model::do_pexpireat,
        &Model::do_pexpireat,     &Model::do_persist,      &Model::do_persist,
        &Model::do_rename,        &Model::do_rename,       &Model::do_rename,
        &Model::do_copy,          &Model::do_copy,         &Model::do_erase_some,
        &Model::do_erase_some,    &Model::do_erase_some,   &Model::do_erase_some,
        &Model::do_erase_expired, &Model::do_advance,      &Model::do_advance,
        &Model::do_advance,       &Model::do_advance,      &Model::do_advance,
        &Model::do_advance,       &Model::do_go_next,      &Model::do_go_next,
        &Model::do_go_near,       &Model::do_go_near,      &Model::do_go_back,
        &Model::do_jump,          &Model::do_rarely,       &Model::do_rarely,
        &Model::do_fill,
    };
    (this->*kSteps[bytes_.byte() % kSteps.size()])();
  }

  void do_set() {
    name_ = "set";
    const std::uint64_t key = decode_key();
    ks_.set(Config::key(key), Config::value(++last_value_));
    put(key, last_value_, kNoDeadline);
    check_key(key);
  }
  void do_set_ttl() {
    name_ = "set with a ttl";
    const std::uint64_t key = decode_key();
    const Millis ttl = decode_ttl();
    ks_.set(Config::key(key), Config::value(++last_value_), ttl);
    put(key, last_value_, deadline_after(now_, ttl));
    check_key(key);
  }
  void do_set_deadline() {
    name_ = "set with a deadline";
    const std::uint64_t key = decode_key();
    const Instant deadline = decode_deadline();
    ks_.set(Config::key(key), Config::value(++last_value_), deadline);
    put(key, last_value_, deadline);
    check_key(key);
  }

  // Many keys at once, at deadlines in a row: what fills a slot of the table and then moves
  // together.
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
      ks_.set(Config::key(key), Config::value(++last_value_), deadline);
      put(key, last_value_, deadline);
      check_departures();
    }
  }

  // An insert or a replace, with a ttl, a deadline or neither; `stores_over` tells which.
  template <class... Time>
  void store_if(bool stores_over, Instant deadline, std::uint64_t key, Time... time) {
    const bool expected = (live(key) != nullptr) == stores_over;
    Key argument = Config::key(key);
    Value value = Config::value(++last_value_);
    const bool stored = stores_over ? ks_.replace(std::move(argument), std::move(value), time...)
                                    : ks_.insert(std::move(argument), std::move(value), time...);
    if (expected) {
      const auto refusals = counted_.refusals;
      put(key, last_value_, deadline);
      insist(stored == (counted_.refusals == refusals), "the reply is wrong");
    } else {
      insist(!stored, "the reply is wrong");
      insist(argument == Config::key(key), "a refused key was moved from");
      insist(Config::number(value) == last_value_, "a refused value was moved from");
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
    Value* const found = ks_.find(Config::look_up(Config::key(key)));
    Entry* const entry = request(key);
    insist((found != nullptr) == (entry != nullptr), "find is wrong");
    if (found == nullptr) return;
    if (kIsCache && bytes_.byte() % 2 == 0) return;  // a request is enough
    *found = Config::value(++last_value_);           // its weight stays what it was
    entry->value = last_value_;
    check_key(key);
  }
  void do_read() {
    name_ = "read";
    check_key(decode_key());
  }
  void do_mget() {
    name_ = "mget";
    const std::uint64_t first = decode_key();
    const std::uint64_t count = bytes_.byte() % 70;
    std::vector<Key> keys;
    for (std::uint64_t i = 0; i != count; ++i) {
      keys.push_back(Config::key((first + i) % keys_));
    }
    std::vector<const Value*> found(keys.size());
    const bool leaves_a_trace = bytes_.byte() % 2 == 0;
    if (leaves_a_trace) {
      std::vector<Value*> requested(keys.size());
      insist(ks_.mget(keys, requested.begin()) == requested.end(), "the end is wrong");
      std::copy(requested.begin(), requested.end(), found.begin());
    } else {
      insist(std::as_const(ks_).mget(keys, found.begin()) == found.end(), "the end is wrong");
    }
    for (std::uint64_t i = 0; i != keys.size(); ++i) {
      const std::uint64_t key = (first + i) % keys_;
      const Entry* const entry = leaves_a_trace ? request(key) : live(key);
      insist((found[i] != nullptr) == (entry != nullptr), "mget is wrong");
      if (entry != nullptr) insist(Config::number(*found[i]) == entry->value, "the value is wrong");
    }
  }
  void do_getex() {
    name_ = "getex";
    const std::uint64_t key = decode_key();
    const Millis ttl = decode_ttl();
    const Instant deadline = deadline_after(now_, ttl);
    const Value* const found = ks_.getex(Config::look_up(Config::key(key)), ttl);
    Entry* const entry = request(key);
    insist((found != nullptr) == (entry != nullptr && now_ < deadline), "the reply is wrong");
    if (found != nullptr) insist(Config::number(*found) == entry->value, "the value is wrong");
    if (entry != nullptr) expire(key, deadline);
    check_key(key);
  }
  void do_getdel() {
    name_ = "getdel";
    if constexpr (kCopyable || !kIsCache) {
      const std::uint64_t key = decode_key();
      const std::optional<Value> taken = ks_.getdel(Config::look_up(Config::key(key)));
      const Entry* const entry = request(key);
      insist(taken.has_value() == (entry != nullptr), "the reply is wrong");
      if (entry != nullptr) {
        insist(Config::number(*taken) == entry->value, "the value is wrong");
        remove(key, RemovalCause::kErased);
      }
      check_key(key);
    }
  }
  void do_erase() {
    name_ = "erase";
    const std::uint64_t key = decode_key();
    const bool erased = ks_.erase(Config::look_up(Config::key(key)));
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
                  ks_.pexpire(Config::look_up(Config::key(key)), ttl, condition));
  }
  void do_pexpireat() {
    name_ = "pexpireat";
    const std::uint64_t key = decode_key();
    const Instant deadline = decode_deadline();
    const Condition condition = decode_condition();
    expect_expiry(key, deadline, condition,
                  ks_.pexpireat(Config::look_up(Config::key(key)), deadline, condition));
  }
  void do_persist() {
    name_ = "persist";
    const std::uint64_t key = decode_key();
    Entry* const entry = live(key);
    const bool expected = entry != nullptr && entry->deadline != kNoDeadline;
    insist(ks_.persist(Config::look_up(Config::key(key))) == expected, "the reply is wrong");
    if (expected) entry->deadline = kNoDeadline;
    check_key(key);
  }
  void do_rename() {
    name_ = "rename";
    const std::uint64_t from = decode_key();
    const std::uint64_t to = decode_key();
    Entry* const entry = live(from);
    const bool renamed = ks_.rename(Config::look_up(Config::key(from)), Config::key(to));
    insist(renamed == (entry != nullptr), "the reply is wrong");
    if (entry != nullptr && from != to) {
      remove(to, RemovalCause::kReplaced);
      auto node = entries_.extract(from);
      node.key() = to;
      node.mapped().weight = weight(to, node.mapped().value);
      entries_.insert(std::move(node));
      newest_.reset();  // it may be the one to go
      check_departures();
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
      const bool copied = ks_.copy(Config::look_up(Config::key(from)), Config::key(to));
      const auto refusals = counted_.refusals;
      if (expected) put(to, entry->value, entry->deadline);
      insist(copied == (expected && counted_.refusals == refusals), "the reply is wrong");
      check_departures();
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
    check_departures();
    std::erase_if(entries_, [&](const auto& e) { return !is_live(e.second); });
    insist(ks_.size() == entries_.size(), "size() is not the number of live entries");
    const auto next = ks_.next_deadline();
    insist(!next || *next > now_, "something is due though nothing dead is stored");
  }

  // --- The steps that move the clock ---

  // What is dead at the old time and live at the new one is stored or not, as it happens. If it is,
  // it is what it was.
  void set_clock(Instant to) {
    to = std::min(to, kLastDeadline);
    const Instant was = std::exchange(now_, to);
    ks_.clock().set(to);
    if (to >= was) return;
    for (auto it = entries_.begin(); it != entries_.end();) {
      const Instant deadline = it->second.deadline;
      const bool revived = deadline <= was && to < deadline;
      if (revived && !ks_.contains(Config::look_up(Config::key(it->first)))) {
        it = entries_.erase(it);
      } else {
        if (revived) check_key(it->first);
        ++it;
      }
    }
  }
  bool time_stands_still() { return patience_ > 1 && bytes_.integer(2) % patience_ != 0; }
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
  // To a key's deadline, or a tick beside it, backwards too.
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
    static constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
    static constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
    static constexpr std::array<std::int64_t, 16> kTimes = {kMin,
                                                            kMin + 1,
                                                            kMin + 257,
                                                            -(std::int64_t{1} << 61),
                                                            -(std::int64_t{1} << 61) - 1,
                                                            -256,
                                                            -1,
                                                            0,
                                                            1,
                                                            std::int64_t{1} << 40,
                                                            std::int64_t{1} << 60,
                                                            (std::int64_t{1} << 60) + 1,
                                                            std::int64_t{1} << 62,
                                                            kMax - 300,
                                                            kMax - 2,
                                                            kMax - 1};
    const std::uint8_t which = bytes_.byte();
    if (!extreme_times_) {
      set_clock(decode_start(which));
    } else if (which < 64) {
      set_clock(at(kTimes[which % kTimes.size()]));
    } else if (which < 96) {
      set_clock(at(bytes_.integer(8)));
    } else {
      set_clock(decode_start(which));
    }
  }

  void do_rarely() {
    const std::uint8_t which = bytes_.byte();
    if (which < 2) {
      name_ = "clear";
      ks_.clear();
      while (!entries_.empty()) remove(entries_.begin()->first, RemovalCause::kErased);
      insist(ks_.empty() && ks_.volatile_size() == 0, "a cleared keyspace is not empty");
    } else if (which < 64) {
      name_ = "reserve";
      ks_.reserve(which);
    } else if (which < 128) {
      name_ = "move";
      Ks other(std::move(ks_));
      insist(ks_.empty() && !ks_.next_deadline(), "a moved-from keyspace is not empty");
      if (which % 2 == 0) ks_.set(Config::key(0), Config::value(0), Millis{1});
      ks_ = std::move(other);
    } else {
      name_ = "walk";
      check_whole_state();
    }
  }

  // --- The checks ---

  void count_departure(const Entry& entry, RemovalCause cause) {
    ++counted_.removals[static_cast<std::size_t>(cause)];
    if (cause != RemovalCause::kExpired) return;
    const Millis lag = time_left(now_, entry.deadline);
    counted_.longest_lag = std::max(counted_.longest_lag, lag);
    counted_.total_lag = lag > Millis::max() - Millis{1} - counted_.total_lag
                             ? Millis::max() - Millis{1}
                             : counted_.total_lag + lag;
  }

  // What has left a cache is what had to, and what was dead or had to make room; what has not is
  // stored.
  void check_departures() {
    if constexpr (kIsCache) {
      for (const Departure& departure : std::exchange(departures_, {})) {
        const auto expected = std::find(expected_.begin(), expected_.end(), departure);
        if (expected != expected_.end()) {
          expected_.erase(expected);
          continue;
        }
        const auto it = entries_.find(departure.key);
        insist(it != entries_.end() && it->second.value == departure.value,
               "what left was not stored");
        if (departure.cause == RemovalCause::kEvicted) {
          check_victim(it->second);
        } else {
          insist(departure.cause == RemovalCause::kExpired, "the cause is wrong");
          insist(!is_live(it->second), "a live entry has expired");
        }
        count_departure(it->second, departure.cause);
        entries_.erase(it);
      }
      insist(expected_.empty(), "the listener was not told of a departure");
      insist(ks_.size() == entries_.size(), "size() is not the number of entries");
      if constexpr (kIsBounded) {
        if (entries_.size() < 100 || steps_ % 64 == 0) {
          insist(ks_.weight() == total_weight(), "weight() is not the sum of the weights");
        }
        insist(ks_.weight() <= ks_.capacity(), "the capacity is exceeded");
      }
      if (refused_weight_) {
        insist(*refused_weight_ > capacity_ ||
                   (std::is_same_v<typename Config::Policy, EarliestDeadline> &&
                    ks_.volatile_size() == 0 && total_weight() + *refused_weight_ > capacity_),
               "an entry was refused that had room");
        refused_weight_.reset();
      }
      newest_.reset();
      counted_.size = ks_.size();
      const Statistics statistics = ks_.statistics();
      if constexpr (kMayBeShared) {
        // Shards have their peaks at different times.
        insist(statistics.peak_size >= counted_.peak_size, "the peak is too low");
        if (Config::kMostShards != 1) counted_.peak_size = statistics.peak_size;
      }
      insist(statistics == counted_, "the statistics are wrong");
    }
  }
  [[nodiscard]] std::size_t total_weight() const {
    std::size_t total = 0;
    for (const auto& [key, entry] : entries_) total += entry.weight;
    return total;
  }

  // That one had to go, that it was not for a dead one to go, and that the policy wants this one
  // to.
  void check_victim(const Entry& victim) const {
    if (victim.weight > capacity_) return;  // by the key that it was renamed to
    insist(total_weight() + refused_weight_.value_or(0) > capacity_, "there was no need to evict");
    bool is_first = true;
    for (const auto& [key, entry] : entries_) {
      if (key == newest_) continue;
      insist(is_live(entry), "a live entry went before a dead one");
      if constexpr (std::is_same_v<typename Config::Policy, EarliestDeadline>) {
        is_first = is_first && victim.deadline <= entry.deadline;
      } else if constexpr (std::is_same_v<typename Config::Policy, Lru>) {
        is_first = is_first && victim.last_request <= entry.last_request;
      }
    }
    insist(is_first || entries_.size() > kMostExact, "another should have gone first");
    insist(!newest_ || &victim != &entries_.at(*newest_), "the newest entry was evicted");
  }

  void check_key(std::uint64_t number) {
    const Key key = Config::key(number);
    const auto& name = Config::look_up(key);
    const Ks& ks = ks_;
    const Entry* const entry = live(number);
    const Value* const found = ks.find(name);
    insist((found != nullptr) == (entry != nullptr), "find is wrong");
    insist(ks.pexpiretime(name) == (entry ? std::optional(entry->deadline) : std::nullopt),
           "pexpiretime is wrong");
    insist(
        ks.pttl(name) == (entry ? std::optional(time_left(entry->deadline, now_)) : std::nullopt),
        "pttl is wrong");
    insist(ks.contains(name) == (entry != nullptr), "contains is wrong");
    if (entry == nullptr) return;
    insist(Config::number(*found) == entry->value, "the value is wrong");
    if constexpr (kCopyable) {
      const std::optional<Value> got = ks.get(name);
      insist(got && Config::number(*got) == entry->value, "get is wrong");
    }
  }

  void check_cheaply() const {
    insist(ks_.volatile_size() <= ks_.size(), "volatile_size() exceeds size()");
    insist(ks_.empty() == (ks_.size() == 0), "empty() and size() disagree");
    insist(ks_.next_deadline().has_value() == (ks_.volatile_size() != 0),
           "next_deadline() and volatile_size() disagree");
    insist(ks_.size() <= entries_.size(), "an entry is stored that should not be");
  }

  void check_whole_state() {
    const Ks& ks = ks_;
    std::map<std::uint64_t, Instant> walked;
    std::size_t live_entries = 0;
    std::size_t live_volatile = 0;
    Instant earliest = kNoDeadline;
    ks.for_each([&](const auto& key, const Value& value, Instant deadline) {
      const auto it = entries_.find(Config::number(key));
      insist(it != entries_.end(), "for_each shows an unknown key");
      insist(Config::number(value) == it->second.value, "for_each shows a wrong value");
      insist(deadline == it->second.deadline, "for_each shows a wrong deadline");
      insist(now_ < deadline, "for_each shows a dead entry");
      insist(walked.emplace(it->first, deadline).second, "for_each shows an entry twice");
    });
    for (const auto& [key, entry] : entries_) {
      if (!is_live(entry)) continue;
      ++live_entries;
      if (entry.deadline != kNoDeadline) ++live_volatile;
      earliest = std::min(earliest, entry.deadline);
      insist(walked.contains(key), "for_each misses an entry");
    }
    for (std::uint64_t key = 0; key < std::min<std::uint64_t>(keys_, 100); ++key) check_key(key);

    // The dead are all volatile, so both counts include the same number of them.
    insist(ks.size() >= live_entries, "size() misses a live entry");
    insist(ks.size() - live_entries == ks.volatile_size() - live_volatile,
           "size() and volatile_size() disagree");
    if (const auto next = ks.next_deadline()) {
      insist(*next <= earliest, "next_deadline() is too late");
      insist(ks.size() == live_entries || *next <= now_, "next_deadline() misses the dead");
    }
  }

  // Lets time pass until nothing is volatile any more: everything must go on time, and the waking
  // must come to an end.
  void drain() {
    name_ = "drain";
    std::size_t wakes = 0;
    const std::size_t most_wakes = 64 * (ks_.volatile_size() + 2000);
    while (const auto next = ks_.next_deadline()) {
      insist(++wakes <= most_wakes, "waking at next_deadline() does not come to an end");
      set_clock(std::max(now_, *next));
      do_erase_expired();
    }
    check_whole_state();
  }

  Bytes bytes_;
  Cadence cadence_;
  std::uint64_t keys_ = 1;
  bool extreme_times_ = false;
  bool long_times_ = false;
  std::int64_t patience_ = 1;

  Ks ks_ = make();
  Instant now_{};
  Entries entries_;
  std::uint64_t last_value_ = 0;

  // Of a cache
  std::size_t capacity_ = 0;
  std::vector<Departure> departures_;          // that the listener was told of
  std::vector<Departure> expected_;            // that it must be told of
  std::optional<std::size_t> refused_weight_;  // of what this call was to store
  std::optional<std::uint64_t> newest_;        // that this call stored
  std::uint64_t last_request_ = 0;
  Statistics counted_;
  std::size_t steps_ = 0;
  const char* name_ = "start";
};

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_MODEL_MODEL_H_
