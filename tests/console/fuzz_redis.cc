// The checks of checks.h as a libFuzzer target. The first byte picks one.

#include <cstddef>
#include <cstdint>
#include <span>

#include "console/checks.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // What is Broken is not caught: it ends the program, which is what the fuzzer looks for.
  const std::span<const std::uint8_t> bytes(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    redis::testing::check_stream(bytes);
  } else {
    redis::testing::check_commands(bytes);
  }
  return 0;
}
