#include <keyspace/clock.h>
#include <keyspace/concurrent_keyspace.h>
#include <keyspace/condition.h>
#include <keyspace/policy.h>
#include <keyspace/statistics.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "model/kinds.h"
#include "model/random_streams.h"
#include "support/catch.hpp"
#include "support/invariants.h"

// Compares a ConcurrentKeyspace, on one thread, with the model.

namespace keyspace::testing {

// Gives a ConcurrentKeyspace the interface of a Keyspace, for one thread. find() returns the
// address of the stored value; mget() and getex() return addresses of copies, which are valid until
// the next call. A ConcurrentKeyspace cannot be moved, so this holds it by pointer.
template <class Shared>
class OneThread {
  using Key = typename Shared::key_type;
  using Value = typename Shared::mapped_type;

 public:
  using key_type = Key;
  using mapped_type = Value;
  using Config = typename Shared::Config;

  explicit OneThread(Config config) : config_(std::move(config)) {}
  OneThread(OneThread&& other) noexcept
      : config_(other.config_), shared_(std::exchange(other.shared_, other.make())) {}
  OneThread& operator=(OneThread&& other) noexcept {
    std::swap(config_, other.config_);
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~OneThread() = default;

  const ManualClock& clock() const { return shared().clock(); }
  const Shared& shared() const { return *shared_; }

  template <class... Args>
  void set(Args&&... args) {
    shared_->set(std::forward<Args>(args)...);
  }
  template <class... Args>
  bool insert(Args&&... args) {
    return shared_->insert(std::forward<Args>(args)...);
  }
  template <class... Args>
  bool replace(Args&&... args) {
    return shared_->replace(std::forward<Args>(args)...);
  }
  template <class K>
  Value* find(const K& key) {
    Value* found = nullptr;
    shared_->visit(key, [&](const Value& value) { found = const_cast<Value*>(&value); });
    return found;
  }
  template <class K>
  std::optional<Value> peek(const K& key) const {
    return shared().peek(key);
  }
  template <class K>
  bool contains(const K& key) const {
    return shared().contains(key);
  }
  template <class K>
  auto pttl(const K& key) const {
    return shared().pttl(key);
  }
  template <class K>
  auto pexpiretime(const K& key) const {
    return shared().pexpiretime(key);
  }
  template <class O>
  O mget(const std::vector<Key>& keys, O out) {
    copies_.assign(keys.size(), std::nullopt);
    shared_->mget(keys, copies_.begin());
    for (std::optional<Value>& copy : copies_) *out++ = copy ? &*copy : nullptr;
    return out;
  }
  template <class K, class Expiry>
  const Value* getex(const K& key, Expiry expiry) {
    copies_.assign(1, shared_->getex(key, expiry));
    return copies_[0] ? &*copies_[0] : nullptr;
  }
  template <class K>
  std::optional<Value> getdel(const K& key) {
    return shared_->getdel(key);
  }
  template <class K>
  bool erase(const K& key) {
    return shared_->erase(key);
  }
  template <class K, class Time>
  bool pexpire(const K& key, Time ttl, Condition condition) {
    return shared_->pexpire(key, ttl, condition);
  }
  template <class K, class Time>
  bool pexpireat(const K& key, Time deadline, Condition condition) {
    return shared_->pexpireat(key, deadline, condition);
  }
  template <class K>
  bool persist(const K& key) {
    return shared_->persist(key);
  }
  template <class K>
  bool rename(const K& from, Key to) {
    return shared_->rename(from, std::move(to));
  }
  template <class K>
  bool copy(const K& from, Key to) {
    return shared_->copy(from, std::move(to));
  }
  template <class K, class F>
  bool update(const K& key, const F& f) {
    return shared_->update(key, f);
  }
  template <class K, class... Arguments>
  auto get_or_compute(const K& key, const Arguments&... arguments) {
    return shared_->get_or_compute(key, arguments...);
  }
  template <class K, class F>
  auto compute(const K& key, const F& f) {
    return shared_->compute(key, f);
  }
  template <class F>
  std::size_t erase_if(const F& pred) {
    return shared_->erase_if(pred);
  }
  template <class... Limit>
  std::size_t erase_expired(Limit... limit) {
    return shared_->erase_expired(limit...);
  }
  void clear() { shared_->clear(); }
  void set_capacity(std::size_t capacity) {
    config_.capacity = capacity;
    shared_->set_capacity(capacity);
  }
  void reserve(std::size_t size) { shared_->reserve(size); }
  void shrink_to_fit() { shared_->shrink_to_fit(); }
  template <class F>
  void for_each(const F& f) const {
    shared().for_each(f);
  }
  template <class F>
  void for_each_until(Instant until, const F& f) const {
    shared().for_each_until(until, f);
  }
  auto next_deadline() const { return shared().next_deadline(); }
  std::size_t size() const { return shared().size(); }
  bool empty() const { return shared().empty(); }
  std::size_t volatile_size() const { return shared().volatile_size(); }
  std::size_t capacity() const { return shared().capacity(); }
  std::size_t weight() const { return shared().weight(); }
  Statistics statistics() const { return shared().statistics(); }

 private:
  std::unique_ptr<Shared> make() const { return std::make_unique<Shared>(config_); }

  Config config_;
  std::unique_ptr<Shared> shared_ = make();
  std::vector<std::optional<Value>> copies_;
};

template <class Shared>
void check_invariants(const OneThread<Shared>& ks) {
  const std::string broken = internal::TestPeer::broken_in_shards(ks.shared());
  if (!broken.empty()) throw std::logic_error(broken);
}

namespace {

// A hash of three bits, so nearly all keys share a hash with other keys.
struct FewHashes : Numbers {
  struct Hash {
    std::size_t operator()(std::uint64_t key) const noexcept { return key % 8; }
  };
  using Ks = Keyspace<std::uint64_t, std::uint64_t, ManualClock, WithHash<Hash>>;
};

// Like Cached, but the stream chooses the number of shards, up to kMostShards. If kMostShards is
// not 1, the capacity is so large that nothing is evicted.
template <class Base, class P, bool kIsWeighed = false, std::size_t kShards = 1>
struct Shared : Cached<Base, P, kIsWeighed> {
  static constexpr std::size_t kMostShards = kShards;
  using Ks = OneThread<typename Cached<Base, P, kIsWeighed>::template In<ConcurrentCache>>;
};

TEST_CASE("keyspaces with shards agree with the model", "[long]") {
  run_random_streams<Shared<Numbers, Unbounded, false, 64>>(150'000);
  run_random_streams<Shared<FewHashes, Lru, true, 8>>(100'000);
}
TEST_CASE("shared caches with one shard agree with the model", "[long]") {
  run_random_streams<Shared<Texts, EarliestDeadline, true>>(50'000);
  run_random_streams<Shared<FewHashes, ScanResistant>>(50'000);
}

}  // namespace
}  // namespace keyspace::testing
