#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/support.h"

namespace keyspace::testing {
namespace {

using namespace std::chrono_literals;

Visible visible(const Strings& ks) {
  Visible all;
  ks.for_each([&](const std::string& key, const std::string& value, Instant deadline) {
    all.emplace(key, entry(value, deadline));
  });
  for (const char* key : {"k", "live", "volatile", "other"}) {
    const auto seen = see(ks, key);
    if (seen) CHECK(all.at(key) == *seen);
    CHECK(all.contains(key) == seen.has_value());
  }
  return all;
}

// An operation on "k", and its reply as text.
struct Operation {
  const char* name;
  std::function<std::string(Strings&)> call;
};

std::string text(bool reply) { return reply ? "true" : "false"; }
std::string text(const std::string* found) { return found == nullptr ? "null" : *found; }
std::string text(const std::optional<std::string>& got) { return got.value_or("nothing"); }
std::string text(const std::optional<Millis>& ttl) {
  return ttl ? std::to_string(ttl->count()) : "nothing";
}
std::string text(const std::optional<Instant>& deadline) {
  return deadline ? std::to_string(deadline->time_since_epoch().count()) : "nothing";
}

const std::vector<Operation>& operations() {
  static constexpr Millis kNever = Strings::kNever;
  static const std::vector<Operation> all = {
      {"set", [](Strings& ks) { return ks.set("k", "new"), "set"; }},
      {"set with a ttl", [](Strings& ks) { return ks.set("k", "new", 70ms), "set"; }},
      {"set with a ttl that is over", [](Strings& ks) { return ks.set("k", "new", 0ms), "set"; }},
      {"set with a deadline", [](Strings& ks) { return ks.set("k", "new", at(200)), "set"; }},
      {"set with a past deadline", [](Strings& ks) { return ks.set("k", "new", at(1)), "set"; }},
      {"set with kNever", [](Strings& ks) { return ks.set("k", "new", kNever), "set"; }},
      {"set with kKeep", [](Strings& ks) { return ks.set("k", "new", kKeep), "set"; }},
      {"set with an empty expiry", [](Strings& ks) { return ks.set("k", "new", {}), "set"; }},
      {"insert", [](Strings& ks) { return text(ks.insert("k", "new")); }},
      {"insert with a ttl", [](Strings& ks) { return text(ks.insert("k", "new", 70ms)); }},
      {"insert with a ttl that is over",
       [](Strings& ks) { return text(ks.insert("k", "new", 0ms)); }},
      {"insert with a deadline", [](Strings& ks) { return text(ks.insert("k", "new", at(200))); }},
      {"insert with kKeep", [](Strings& ks) { return text(ks.insert("k", "new", kKeep)); }},
      {"replace", [](Strings& ks) { return text(ks.replace("k", "new")); }},
      {"replace with a ttl", [](Strings& ks) { return text(ks.replace("k", "new", 70ms)); }},
      {"replace with a deadline",
       [](Strings& ks) { return text(ks.replace("k", "new", at(200))); }},
      {"replace with kKeep", [](Strings& ks) { return text(ks.replace("k", "new", kKeep)); }},
      {"peek", [](Strings& ks) { return text(ks.peek("k")); }},
      {"find", [](Strings& ks) { return text(ks.find("k")); }},
      {"get", [](Strings& ks) { return text(ks.get("k")); }},
      {"contains", [](Strings& ks) { return text(ks.contains("k")); }},
      {"getex", [](Strings& ks) { return text(ks.getex("k", 70ms)); }},
      {"getex with a ttl that is over", [](Strings& ks) { return text(ks.getex("k", 0ms)); }},
      {"getex with kNever", [](Strings& ks) { return text(ks.getex("k", kNever)); }},
      {"getex with a deadline", [](Strings& ks) { return text(ks.getex("k", at(200))); }},
      {"getex with a past deadline", [](Strings& ks) { return text(ks.getex("k", at(1))); }},
      {"getex with kKeep", [](Strings& ks) { return text(ks.getex("k", kKeep)); }},
      {"getex with an empty expiry", [](Strings& ks) { return text(ks.getex("k", {})); }},
      {"getdel", [](Strings& ks) { return text(ks.getdel("k")); }},
      {"erase", [](Strings& ks) { return text(ks.erase("k")); }},
      {"pexpire", [](Strings& ks) { return text(ks.pexpire("k", 70ms)); }},
      {"pexpire with a ttl that is over", [](Strings& ks) { return text(ks.pexpire("k", 0ms)); }},
      {"pexpire with kNever", [](Strings& ks) { return text(ks.pexpire("k", kNever)); }},
      {"pexpire kNx", [](Strings& ks) { return text(ks.pexpire("k", 70ms, Condition::kNx)); }},
      {"pexpire kXx", [](Strings& ks) { return text(ks.pexpire("k", 70ms, Condition::kXx)); }},
      {"pexpire kGt", [](Strings& ks) { return text(ks.pexpire("k", 70ms, Condition::kGt)); }},
      {"pexpire kLt", [](Strings& ks) { return text(ks.pexpire("k", -70ms, Condition::kLt)); }},
      {"pexpireat", [](Strings& ks) { return text(ks.pexpireat("k", at(200))); }},
      {"pttl", [](Strings& ks) { return text(ks.pttl("k")); }},
      {"pexpiretime", [](Strings& ks) { return text(ks.pexpiretime("k")); }},
      {"persist", [](Strings& ks) { return text(ks.persist("k")); }},
      {"rename from it", [](Strings& ks) { return text(ks.rename("k", "other")); }},
      {"rename from it onto a live key", [](Strings& ks) { return text(ks.rename("k", "live")); }},
      {"rename it to itself", [](Strings& ks) { return text(ks.rename("k", "k")); }},
      {"rename a persistent key onto it", [](Strings& ks) { return text(ks.rename("live", "k")); }},
      {"rename a volatile key onto it",
       [](Strings& ks) { return text(ks.rename("volatile", "k")); }},
      {"copy from it", [](Strings& ks) { return text(ks.copy("k", "other")); }},
      {"copy it to itself", [](Strings& ks) { return text(ks.copy("k", "k")); }},
      {"copy a persistent key onto it", [](Strings& ks) { return text(ks.copy("live", "k")); }},
      {"copy a volatile key onto it", [](Strings& ks) { return text(ks.copy("volatile", "k")); }},
      {"reserve", [](Strings& ks) { return ks.reserve(1000), "reserved"; }},
      {"clear", [](Strings& ks) { return ks.clear(), "cleared"; }},
  };
  return all;
}

// A way to let the key expire. Afterwards the key is not visible to any operation.
struct WayToExpire {
  const char* name;
  std::function<void(Strings&)> prepare;  // leaves the clock at 100
};

const std::vector<WayToExpire>& ways_to_expire() {
  static const std::vector<WayToExpire> all = {
      {"by a ttl", [](Strings& ks) { ks.set("k", "old", 10ms); }},
      {"by a deadline this very tick", [](Strings& ks) { ks.set("k", "old", at(100)); }},
      {"by a deadline that was moved later",
       [](Strings& ks) {
         ks.set("k", "old", 10ms);
         CHECK(ks.pexpire("k", 60ms));
       }},
      {"by a deadline that was moved sooner",
       [](Strings& ks) {
         ks.set("k", "old", 500ms);
         CHECK(ks.pexpire("k", 60ms));
       }},
      {"after a rename",
       [](Strings& ks) {
         ks.set("other", "old", 60ms);
         CHECK(ks.rename("other", "k"));
       }},
      {"after it was erased and set again",
       [](Strings& ks) {
         ks.set("k", "older", 300ms);
         CHECK(ks.erase("k"));
         ks.set("k", "old", 60ms);
       }},
  };
  return all;
}

Strings with_an_expired_key(const WayToExpire* way) {
  Strings ks;
  ks.set("live", "p");
  ks.set("volatile", "v", at(150));
  if (way != nullptr) way->prepare(ks);
  ks.clock().set(at(100));
  return ks;
}

TEST_CASE("every operation treats an expired key that is still stored as a missing one") {
  for (const Operation& operation : operations()) {
    Strings without = with_an_expired_key(nullptr);
    const std::string reply = operation.call(without);
    const Visible expected = visible(without);
    for (const WayToExpire& way : ways_to_expire()) {
      CAPTURE(operation.name, way.name);
      Strings ks = with_an_expired_key(&way);
      REQUIRE(ks.size() == 3);  // the expired key is stored
      CHECK(operation.call(ks) == reply);
      CHECK(visible(ks) == expected);

      // Neither the value nor the deadline of the expired key returns later. Its deadline erases no
      // other entry.
      CHECK(ks.erase_expired() <= 1);
      CHECK(ks.size() == expected.size());
      CHECK(visible(ks) == expected);
      ks.clock().set(at(1000));
      without.clock().set(at(1000));
      ks.erase_expired();
      CHECK(visible(ks) == visible(without));
    }
  }
}

TEST_CASE("a write over an expired key keeps neither its value nor its ttl") {
  Strings ks = with_an_expired_key(&ways_to_expire()[0]);
  ks.set("k", "new");
  CHECK(see(ks, "k") == entry("new"));
  ks.clock().advance(1000ms);
  CHECK(see(ks, "k") == entry("new"));
}

TEST_CASE(
    "after a write with an expiry that is over an expired key stays absent, although the clock "
    "goes back") {
  const auto write = GENERATE(0, 1, 2, 3);
  Strings ks = with_an_expired_key(&ways_to_expire()[0]);
  switch (write) {
    case 0:
      ks.set("k", "new", 0ms);
      break;
    case 1:
      ks.set("k", "new", at(1));
      break;
    case 2:
      CHECK(ks.insert("k", "new", 0ms));
      break;
    default:
      CHECK(ks.insert("k", "new", at(1)));
      break;
  }
  ks.clock().set(at(0));
  CHECK(see(ks, "k") == std::nullopt);
}

TEST_CASE("each key is invisible from its deadline on") {
  Strings ks;
  for (int i = 1; i <= 50; ++i) ks.set(std::to_string(i), "v", Millis{i});
  for (int now = 0; now <= 50; ++now) {
    ks.clock().set(at(now));
    CHECK(live_count(ks) == static_cast<std::size_t>(50 - now));
    for (int i = 1; i <= 50; ++i) REQUIRE(ks.contains(std::to_string(i)) == (i > now));
  }
  CHECK(ks.size() == 50);
  CHECK(ks.erase_expired() == 50);
}

}  // namespace
}  // namespace keyspace::testing
