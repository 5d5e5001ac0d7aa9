# shellcheck shell=bash
# What a build needs, made sure of in one place. Source this after `set -euo pipefail`, then:
#
#   setup WHAT... [-- WHAT...]   installs with apt-get what is missing, and says so before. Ends the script if anything
#                                before the `--` stays missing; goes on without the others.
#   configure DIR ARG...         runs CMake on this checkout, to build in build/DIR
#   build DIR ARG...             builds there
#   show_progress LOG DOING      see below
#
# WHAT is any of: cmake compiler make ninja abseil catch2 clang clang-tidy asio hiredis redis-server valkey-server
# redis-benchmark. Everything is looked for by use, so what was installed by other means counts as well.
#
# All that these functions print goes to standard error. What apt-get, CMake and compilers write goes to files in
# build/logs, and is printed only if they fail. Standard input is left to the caller.

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

# Returns whether CMake finds the package. Its answers are kept, so asking again is quick.
has_package() {
  local probe=$root/build/probe
  mkdir -p "$probe"
  cat >"$probe/CMakeLists.txt" <<'PROBE'
cmake_minimum_required(VERSION 3.21)
project(probe LANGUAGES CXX)
find_package(${PACKAGE} REQUIRED)
PROBE
  cmake -S "$probe" -B "$probe/$1" -DPACKAGE="$1" </dev/null &>"$logs/probe.log"
}

has_header() {
  echo "#include <$1>" | "${CXX:-c++}" -std=c++20 -x c++ -E - &>/dev/null
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
    clang-tidy) command -v clang-tidy >/dev/null && command -v run-clang-tidy >/dev/null ;;
    asio) has_header asio.hpp ;;
    hiredis) has_header hiredis/hiredis.h ;;
    # The packages of package_of() have the servers under these other names (see tests/redis/private_server.h).
    redis-server) command -v redis-server >/dev/null || command -v redis-check-rdb >/dev/null ;;
    valkey-server) command -v valkey-server >/dev/null || command -v valkey-check-rdb >/dev/null ;;
    redis-benchmark) command -v redis-benchmark >/dev/null ;;
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

# The packages redis-server and valkey-server would start a service.
package_of() {
  case $1 in
    compiler) echo g++ ;;
    ninja) echo ninja-build ;;
    abseil) echo libabsl-dev ;;
    asio) echo libasio-dev ;;
    hiredis) echo libhiredis-dev ;;
    redis-server | redis-benchmark) echo redis-tools ;;
    valkey-server) echo valkey-tools ;;
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

# Prints the packages that bring the arguments, on one line.
packages_of() {
  local what
  for what in "$@"; do package_of "$what"; done | sort -u | paste -sd ' '
}

# sudo is there for who may use it, by a password only if somebody can be asked for it.
can_install() {
  command -v apt-get >/dev/null &&
    { [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null || { [[ -t 2 ]] && command -v sudo >/dev/null; }; }
}

# Runs apt-get, and prints what it wrote if it fails.
apt_get() {
  local as_root=()
  [[ $(id -u) == 0 ]] || as_root=(sudo)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null \
    &>"$logs/apt.log" || {
    cat "$logs/apt.log" >&2
    return 1
  }
}

# Installs what this release has of these packages.
install() {
  # A new machine may have no lists of packages yet, or old ones.
  if [[ ! -e $logs/apt.log ]] || ! compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null; then
    apt_get update || return
  fi
  local package known=()
  for package in "$@"; do
    ! apt-cache show "$package" &>/dev/null || known+=("$package")
  done
  [[ ${#known[@]} != 0 ]] || return 0
  say "installs with apt-get: ${known[*]}"
  apt_get install --no-install-recommends "${known[@]}"
}

setup() {
  local what required=() optional=()
  while [[ $# != 0 && $1 != -- ]]; do
    required+=("$1")
    shift
  done
  optional=("${@:2}")

  look_for "${required[@]}" "${optional[@]}"
  if [[ ${#missing[@]} != 0 ]] && can_install; then
    local packages
    read -ra packages <<<"$(packages_of "${missing[@]}")"
    install "${packages[@]}" || say "apt-get failed"
    look_for "${required[@]}" "${optional[@]}"
  fi

  local is_stopped=
  for what in "${missing[@]}"; do
    if [[ " ${required[*]} " == *" $what "* ]]; then
      say "missing: $(describe "$what")"
      is_stopped=yes
    else
      say "goes on without $(describe "$what")"
    fi
  done
  if [[ $is_stopped ]]; then
    if can_install; then
      die "apt-get does not bring it here: install it by other means, then run this again"
    elif command -v apt-get >/dev/null; then
      die "as root, run: apt-get install --no-install-recommends $(packages_of "${missing[@]}")"
    else
      die "there is no apt-get here: install what is missing, then run this again"
    fi
  fi

  if command -v ninja >/dev/null; then
    export CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja}
  fi
}

# Copies what ninja, make or CTest writes from standard input to build/logs/LOG.log, and says how far it is. Of CTest it
# prints on standard output all but the tests that pass.
show_progress() {
  local log=$1 doing=$2 line so_far all percent shown=0
  : >"$logs/$log.log"
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$logs/$log.log"
    if [[ $line =~ ^\[\ *([0-9]+)(/([0-9]+)|%)\] ]]; then
      so_far=${BASH_REMATCH[1]} all=${BASH_REMATCH[3]:-100}
    elif [[ $line =~ ^\ *([0-9]+)/([0-9]+)\ Test\ +# ]]; then
      so_far=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
      [[ $line == *" Passed "* ]] || printf '%s\n' "$line"
    else
      [[ $log != ctest || $line =~ ^\ +Start\ +[0-9]+: ]] || printf '%s\n' "$line"
      continue
    fi
    percent=$((100 * so_far / all))
    if [[ -t 2 ]]; then
      printf '\r%s: %s, %d %%' "$name" "$doing" "$percent" >&2
      ((so_far != all)) || echo >&2
    elif ((percent >= shown + 20)); then
      shown=$percent
      say "$doing, $percent % ($SECONDS s)"
    fi
  done
}

configure() {
  cmake -S "$root" -B "$root/build/$1" "${@:2}" </dev/null &>"$logs/cmake.log" || {
    cat "$logs/cmake.log" >&2
    die "CMake failed"
  }
}

build() {
  cmake --build "$root/build/$1" "${@:2}" </dev/null 2>&1 | show_progress build building || {
    cat "$logs/build.log" >&2
    die "the build failed"
  }
}
