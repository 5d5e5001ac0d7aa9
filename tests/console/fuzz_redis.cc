// The checks of checks.h as a libFuzzer target. The first byte chooses the check.

#include <cstddef>
#include <cstdint>
#include <span>

#include "console/checks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // Does not catch CheckFailed, so that a failed check ends the program: the fuzzer reports that.
  const std::span<const std::uint8_t> bytes(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    redis::testing::check_stream(bytes);
  } else {
    redis::testing::check_commands(bytes);
  }
  return 0;
}
