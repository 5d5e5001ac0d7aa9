# shellcheck shell=bash
# Functions that the scripts tests/run, tests/cross, tests/mutate, examples/run, benchmarks/run and .ci/run share. They
# install what a build needs, and build. Source this file after `set -euo pipefail`, then call:
#
#   setup WHAT... [-- WHAT...]   says what is missing, and installs it with apt-get. The script ends if anything before the
#                                `--` stays missing, and goes on without the others. With KEYSPACE_NO_INSTALL=1 in the
#                                environment it installs nothing.
#   configure DIR ARG...         runs CMake on this checkout, to build in build/DIR
#   configure_tests DIR ARG...   the same, for the tests
#   build DIR ARG...             builds there
#   show_progress LOG DOING      shows the progress of a build or of CTest
#
# WHAT is any of: cmake compiler make ninja abseil catch2 clang clang-format clang-tidy mingw asio hiredis redis-server valkey-server
# redis-benchmark zlib. Each is looked for by use, so what you installed without apt-get is found too.
#
# They print to standard error, except show_progress for CTest. The output of apt-get, CMake and compilers goes to
# build/logs, and is printed only after a failure. None of them reads the script's standard input, but show_progress.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$root/build/logs
mkdir -p "$logs"
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(getconf _NPROCESSORS_ONLN)}

name=${0#"${0%/*/*}/"}
say() { printf '%s: %s\n' "$name" "$*" >&2; }

die() {
  say "$@"
  exit 1
}

# Returns whether CMake finds the package. Its answers are kept, so asking again is quick. Where there is no CMake or no
# compiler yet to ask, the package has to be in one of the usual places.
has_package() {
  if ! has cmake || ! has compiler || ! has make; then
    find /usr/lib /usr/share /usr/local -path "*/cmake/$1" 2>/dev/null | grep -q .
    return
  fi
  local probe=$root/build/probe
  mkdir -p "$probe"
  cat >"$probe/CMakeLists.txt" <<'PROBE'
cmake_minimum_required(VERSION 3.21)
project(probe LANGUAGES CXX)
find_package(${PACKAGE} REQUIRED)
PROBE
  cmake -S "$probe" -B "$probe/$1-${CMAKE_GENERATOR-default}" -DPACKAGE="$1" </dev/null &>"$logs/probe.log"
}

has_header() {
  if ! has compiler; then
    [[ -e /usr/include/$1 || -e /usr/local/include/$1 ]]
  else
    echo "#include <$1>" | "${CXX:-c++}" -std=c++20 -x c++ -E - &>/dev/null
  fi
}

has_version() {
  command -v "$1" >/dev/null &&
    printf '%s\n' "$2" "$("$1" --version | grep -om1 '[0-9][0-9.]*')" | sort -CV
}

has() {
  case $1 in
    cmake) has_version cmake 3.21 ;;
    compiler) echo '#include <concepts>' | "${CXX:-c++}" -std=c++20 -x c++ -fsyntax-only - 2>/dev/null ;;
    make) command -v make >/dev/null || command -v ninja >/dev/null ;;
    ninja) command -v ninja >/dev/null ;;
    abseil) has_package absl ;;
    catch2) has_package Catch2 ;;
    clang) command -v clang++ >/dev/null ;;
    clang-format) command -v clang-format >/dev/null ;;
    mingw) command -v x86_64-w64-mingw32-g++-posix >/dev/null ;;
    clang-tidy) command -v clang-tidy >/dev/null && command -v run-clang-tidy >/dev/null ;;
    asio) has_header asio.hpp ;;
    hiredis) has_header hiredis/hiredis.h ;;
    # Debian's redis-tools and valkey-tools have the server under the second name (see tests/servers/private_server.h).
    redis-server) command -v redis-server >/dev/null || command -v redis-check-rdb >/dev/null ;;
    valkey-server) command -v valkey-server >/dev/null || command -v valkey-check-rdb >/dev/null ;;
    redis-benchmark) command -v redis-benchmark >/dev/null ;;
    zlib) has_header zlib.h ;;
  esac
}

describe() {
  case $1 in
    cmake) echo "CMake 3.21 or newer" ;;
    compiler) echo "a C++20 compiler (${CXX:-c++})" ;;
    make) echo "make or ninja" ;;
    abseil) echo "abseil (CMake package absl)" ;;
    catch2) echo "Catch2 (CMake package Catch2)" ;;
    asio) echo "standalone Asio (asio.hpp)" ;;
    *) echo "$1" ;;
  esac
}

# Debian's packages redis-server and valkey-server would start a service; redis-tools and valkey-tools do not.
package_of() {
  case $1 in
    compiler) echo g++ ;;
    ninja) echo ninja-build ;;
    mingw) echo g++-mingw-w64-x86-64-posix ;;
    abseil) echo libabsl-dev ;;
    asio) echo libasio-dev ;;
    hiredis) echo libhiredis-dev ;;
    redis-server | redis-benchmark) echo redis-tools ;;
    valkey-server) echo valkey-tools ;;
    zlib) echo zlib1g-dev ;;
    *) echo "$1" ;;
  esac
}

# Sets `missing` to what is missing of the arguments.
look_for() {
  missing=()
  local what
  for what in "$@"; do
    has "$what" || missing+=("$what")
  done
}

# Prints, on one line, the packages that provide the arguments. Leaves out what this release does not have, if it is known.
packages_of() {
  [[ $# != 0 ]] || return 0
  local what packages
  packages=$(for what in "$@"; do package_of "$what"; done | sort -u)
  if command -v apt-cache >/dev/null && compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
    # shellcheck disable=SC2086
    packages=$(LC_ALL=C apt-cache policy $packages | awk '/^[^ ]/ { name = $1 } /Candidate: [^(]/ { print name }' | tr -d :)
  fi
  paste -sd ' ' <<<"$packages"
}

# Returns whether the user allows this script to install packages.
may_install() { [[ ${KEYSPACE_NO_INSTALL:-0} == 0 ]]; }

# Returns whether apt-get can run as root. Uses sudo if it needs no password, or if there is a terminal to ask for one.
can_install() {
  command -v apt-get >/dev/null &&
    { [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null || { [[ -t 2 ]] && command -v sudo >/dev/null; }; }
}

# Runs apt-get. Prints what it wrote if it fails.
apt_get() {
  local as_root=env
  [[ $(id -u) == 0 ]] || as_root=sudo
  "$as_root" DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null &>"$logs/apt.log" || {
    cat "$logs/apt.log" >&2
    return 1
  }
}

# Installs what provides the arguments, as far as this release has it.
install() {
  local packages
  packages=$(packages_of "$@")
  [[ $packages ]] || return 0
  say "runs: apt-get install --no-install-recommends $packages"
  # shellcheck disable=SC2086
  apt_get install --no-install-recommends $packages
}

setup() {
  local what required=() optional=() missing
  while [[ $# != 0 && $1 != -- ]]; do
    required+=("$1")
    shift
  done
  [[ $# == 0 ]] || optional=("${@:2}")

  choose_generator
  look_for "${required[@]}" ${optional[@]+"${optional[@]}"}
  local packages
  packages=$(packages_of ${missing[@]+"${missing[@]}"})
  if [[ $packages ]] && may_install && can_install; then
    say "installs with apt-get: $packages (KEYSPACE_NO_INSTALL=1 prevents this)"
    say "runs: apt-get update"
    apt_get update || say "apt-get update failed"
    look_for "${required[@]}"
    install ${missing[@]+"${missing[@]}"} || say "apt-get install failed"
    look_for ${optional[@]+"${optional[@]}"}
    install ${missing[@]+"${missing[@]}"} || say "apt-get install failed"
    choose_generator
  fi

  look_for "${required[@]}"
  if [[ ${#missing[@]} == 0 ]]; then
    look_for ${optional[@]+"${optional[@]}"}
    for what in ${missing[@]+"${missing[@]}"}; do
      say "goes on without $(describe "$what")"
    done
    packages=$(packages_of ${missing[@]+"${missing[@]}"})
    if [[ $packages ]] && ! may_install; then
      say "installs nothing, as KEYSPACE_NO_INSTALL is set; by hand, as root: apt-get install --no-install-recommends $packages"
    fi
    return
  fi
  for what in "${missing[@]}"; do
    say "missing: $(describe "$what")"
  done
  packages=$(packages_of "${missing[@]}")
  may_install || say "installs nothing, as KEYSPACE_NO_INSTALL is set"
  if command -v apt-get >/dev/null; then
    die "install what is missing, for example as root with: apt-get install --no-install-recommends $packages"
  else
    die "there is no apt-get here: install what is missing, then run this again"
  fi
}

# Ninja, where it is installed, if the caller has chosen nothing else.
choose_generator() {
  if command -v ninja >/dev/null; then
    export CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja}
  fi
}

# Copies the output of ninja, make or CTest from standard input to build/logs/LOG.log, and says how far it is. For CTest,
# LOG is ctest, and all but the tests that pass is printed on standard output.
show_progress() {
  local log=$1 doing=$2 line so_far all percent shown=0
  : >"$logs/$log.log"
  while IFS= read -r line || [[ $line ]]; do
    printf '%s\n' "$line" >>"$logs/$log.log"
    if [[ $log != ctest && $line =~ ^\[\ *([0-9]+)(/([0-9]+)|%)\] ]]; then
      so_far=${BASH_REMATCH[1]} all=${BASH_REMATCH[3]:-100}
    elif [[ $log == ctest && $line =~ ^\ *([0-9]+)/([0-9]+)\ Test\ +# ]]; then
      so_far=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
      [[ $line == *" Passed "* ]] || printf '%s\n' "$line"
    else
      [[ $log != ctest || $line =~ ^\ +Start\ +[0-9]+: ]] || printf '%s\n' "$line"
      continue
    fi
    percent=$((10#$all == 0 ? 0 : 100 * 10#$so_far / 10#$all))
    if [[ -t 2 ]]; then
      printf '\r%s: %s, %d %%' "$name" "$doing" "$percent" >&2
      ((percent != 100)) || echo >&2
    elif ((percent >= shown + 20)); then
      shown=$percent
      say "$doing, $percent % ($SECONDS s)"
    fi
  done
}

configure() {
  cmake -S "$root" -B "$root/build/$1" "${@:2}" </dev/null &>"$logs/$1-cmake.log" || {
    cat "$logs/$1-cmake.log" >&2
    die "CMake failed"
  }
}

# The tests with assertions. Several sources are compiled as one (a unity build), without debug information, and with little
# optimization, so that the tests are quick: together this takes half of the time.
configure_tests() {
  configure "$@" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-Og -DKEYSPACE_BUILD_BENCHMARKS=OFF -DCMAKE_UNITY_BUILD=ON \
    -DCMAKE_UNITY_BUILD_BATCH_SIZE=6
}

# A failing build is noticed by the caller's `set -o pipefail`.
build() {
  cmake --build "$root/build/$1" "${@:2}" </dev/null 2>&1 | show_progress "$1-build" building || {
    cat "$logs/$1-build.log" >&2
    die "the build failed"
  }
}
