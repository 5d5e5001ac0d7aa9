// The model of model.h as a libFuzzer target. The first byte picks what the keyspace holds.

#include <cstddef>
#include <cstdint>
#include <span>

#include "model/kinds.h"
#include "model/model.h"

namespace {

template <class Kind>
void run(std::span<const std::uint8_t> bytes) {
  // A Mismatch is not caught: it ends the program, which is what the fuzzer looks for.
  keyspace::testing::Model<Kind>(bytes, {.whole_state = 16, .invariants = 8}).run();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keyspace::testing;
  if (size == 0) return 0;
  const std::span<const std::uint8_t> bytes(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      run<Numbers>(bytes);
      break;
    case 1:
      run<Texts>(bytes);
      break;
    case 2:
      run<MoveOnly>(bytes);
      break;
    case 3:
      run<Boxed>(bytes);
      break;
    default:
      run<Colliding>(bytes);
      break;
  }
  return 0;
}
