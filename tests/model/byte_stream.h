#ifndef KEYSPACE_TESTS_MODEL_BYTE_STREAM_H_
#define KEYSPACE_TESTS_MODEL_BYTE_STREAM_H_

#include <keyspace/condition.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

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

// Reads keys, times and conditions from a stream of bytes. Its first two bytes choose the number of
// keys, the time at the start, how far apart times are, and how rarely time passes.
class OperationStream {
 protected:
  explicit OperationStream(std::span<const std::uint8_t> bytes) : bytes_(bytes) {
    static constexpr std::array<std::uint64_t, 8> kUniverses = {1, 3, 12, 24, 48, 100, 300, 1500};
    const std::uint8_t header = bytes_.byte();
    keys_ = kUniverses[header % 8];
    extreme_times_ = (header & 8) != 0;
    long_times_ = (header & 16) != 0;
    start_ = decode_start(header >> 5);
    // If time rarely passes, more keys are live and more stale records pile up.
    static constexpr std::array<std::int64_t, 4> kPatience = {1, 1, 30, 500};
    patience_ = kPatience[bytes_.byte() % 4];
  }

  static Instant decode_start(int which) {
    static constexpr std::array<std::int64_t, 8> kStarts = {
        0, 0, 255, 1'700'000'000'123, -1, -70'000, 65'535, -(std::int64_t{1} << 40)};
    return at(kStarts[static_cast<std::size_t>(which) % kStarts.size()]);
  }

  std::uint64_t decode_key() {
    const auto raw = static_cast<std::uint64_t>(keys_ > 256 ? bytes_.integer(2) : bytes_.byte());
    return raw % keys_;
  }

  // Returns a length of time. Most are short: a few ticks, one level of the timer wheel, or near
  // the border between two levels. If long_times_ is set, some are hours and more.
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
        return Millis::max();
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

  // Returns true if an operation with an expiry should use kKeep.
  bool decode_keep() { return bytes_.byte() % 8 == 0; }

  Condition decode_condition() {
    static constexpr std::array kConditions = {
        Condition::kAlways, Condition::kNx,   Condition::kXx,     Condition::kGt,
        Condition::kLt,     Condition::kXxLt, Condition::kAlways, Condition::kAlways};
    return kConditions[bytes_.byte() % kConditions.size()];
  }

  // Returns any time, or one at an edge of time.
  Instant decode_time() {
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
    if (!extreme_times_) return decode_start(which);
    if (which < 64) return at(kTimes[which % kTimes.size()]);
    if (which < 96) return at(bytes_.integer(8));
    return decode_start(which);
  }

  bool time_stands_still() { return patience_ > 1 && bytes_.integer(2) % patience_ != 0; }

  Bytes bytes_;
  std::uint64_t keys_ = 1;
  bool extreme_times_ = false;
  bool long_times_ = false;
  std::int64_t patience_ = 1;
  Instant start_{};
};

}  // namespace keyspace::testing

#endif  // KEYSPACE_TESTS_MODEL_BYTE_STREAM_H_
