#include "redis/number.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "support/catch.hpp"

namespace redis {
namespace {

using namespace std::string_view_literals;
using Limits = std::numeric_limits<std::int64_t>;

TEST_CASE("parse_integer accepts the plain form of every 64-bit integer") {
  CHECK(parse_integer("0") == 0);
  CHECK(parse_integer("1") == 1);
  CHECK(parse_integer("-1") == -1);
  CHECK(parse_integer("1500") == 1500);
  CHECK(parse_integer("9223372036854775807") == Limits::max());
  CHECK(parse_integer("-9223372036854775808") == Limits::min());
}

TEST_CASE("parse_integer refuses every other form") {
  const auto text = GENERATE(values<std::string_view>({"",
                                                       "-",
                                                       "+1",
                                                       "-0",
                                                       "00",
                                                       "01",
                                                       "-01",
                                                       " 1",
                                                       "1 ",
                                                       "\n1",
                                                       "1\0"sv,
                                                       "\0"sv,
                                                       "1.0",
                                                       "1e3",
                                                       "0x10",
                                                       "--1",
                                                       "a",
                                                       "9223372036854775808",
                                                       "-9223372036854775809",
                                                       "99999999999999999999999"}));
  CAPTURE(text);
  CHECK(parse_integer(text) == std::nullopt);
}

TEST_CASE("checked_add refuses sums that overflow") {
  CHECK(checked_add(1, -2) == -1);
  CHECK(checked_add(Limits::max(), Limits::min()) == -1);
  CHECK(checked_add(Limits::max() - 1, 1) == Limits::max());
  CHECK(checked_add(Limits::min() + 1, -1) == Limits::min());
  CHECK(checked_add(Limits::max(), 1) == std::nullopt);
  CHECK(checked_add(1, Limits::max()) == std::nullopt);
  CHECK(checked_add(Limits::min(), -1) == std::nullopt);
  CHECK(checked_add(-1, Limits::min()) == std::nullopt);
}

TEST_CASE("parse_float accepts a text that strtold parses to its end") {
  CHECK(parse_float("3.25") == 3.25L);
  CHECK(parse_float("-.5") == -0.5L);
  CHECK(parse_float("+5.") == 5.0L);
  CHECK(parse_float("5e3") == 5000.0L);
  CHECK(parse_float("0x1p4") == 16.0L);
  CHECK(parse_float("inf") == std::numeric_limits<long double>::infinity());
  CHECK(parse_float("-Infinity") == -std::numeric_limits<long double>::infinity());
}

TEST_CASE("parse_float refuses blanks, trailing text, NaN and numbers out of range") {
  const auto text =
      GENERATE(values<std::string_view>({"", " 1", "1 ", "\t1", "1,5", "1e", "abc", "nan", "-NAN",
                                         "1\0"sv, "\0"sv, "1e99999", "-1e99999", "1e-99999"}));
  CAPTURE(text);
  CHECK(parse_float(text) == std::nullopt);
}

TEST_CASE("parse_float refuses 5 KiB of digits") {
  CHECK(parse_float("1." + std::string(5 * 1024 - 3, '0')) == 1.0L);
  CHECK(parse_float("1." + std::string(5 * 1024 - 2, '0')) == std::nullopt);
}

TEST_CASE("format_float writes no zeros at the end and no exponent") {
  CHECK(format_float(0.0L) == "0");
  CHECK(format_float(-0.0L) == "0");
  CHECK(format_float(-1e-30L) == "0");
  CHECK(format_float(10.0L) == "10");
  CHECK(format_float(-10.5L) == "-10.5");
  CHECK(format_float(0.1L + 0.2L) == "0.3");
  CHECK(format_float(1e17L) == "100000000000000000");
  CHECK(format_float(1e-17L) == "0.00000000000000001");
}

}  // namespace
}  // namespace redis
