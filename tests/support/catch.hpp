#ifndef KEYSPACE_TESTS_SUPPORT_CATCH_HPP_
#define KEYSPACE_TESTS_SUPPORT_CATCH_HPP_

// Catch2, version 3 or 2: whichever is installed.

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_message.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/catch_tostring.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_adapters.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#ifdef CATCH_CONFIG_ENABLE_BENCHMARKING
#include <catch2/benchmark/catch_benchmark_all.hpp>
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#endif
#else
#include <catch2/catch.hpp>
#endif

#endif  // KEYSPACE_TESTS_SUPPORT_CATCH_HPP_
