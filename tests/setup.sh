# shellcheck shell=bash
# What a build needs, made sure of in one place. Source this, then:
#
#   setup WHAT...               installs through apt-get what is missing of WHAT, or names it and stops
#   setup_if_possible WHAT...   the same for what a build can do without: names what stays missing, and goes on
#   configure DIR ARG...        runs CMake on this checkout, to build in build/DIR
#   build DIR ARG...            builds there
#
# WHAT is any of: cmake compiler make ninja abseil catch2 clang clang-tidy asio hiredis redis-server
# redis-benchmark. What was installed by other means than apt-get counts as well: everything is looked for by use.
# Standard input is left to the caller.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(getconf _NPROCESSORS_ONLN)}

say() { printf '%s: %s\n' "${0#"${0%/*/*}/"}" "$*" >&2; }

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
  cmake -S "$probe" -B "$probe/$1" -DPACKAGE="$1" </dev/null &>"$probe/$1.log"
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
    redis-server | redis-benchmark) command -v "$1" >/dev/null ;;
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

package_of() {
  case $1 in
    compiler) echo g++ ;;
    ninja) echo ninja-build ;;
    abseil) echo libabsl-dev ;;
    asio) echo libasio-dev ;;
    hiredis) echo libhiredis-dev ;;
    redis-benchmark) echo redis-tools ;;
    *) echo "$1" ;;
  esac
}

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  else
    sudo "$@"
  fi
}

apt_updated=
apt_install() {
  say "installing $*"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
  if [[ -z $apt_updated ]]; then
    as_root "${apt[@]}" update </dev/null >&2
    apt_updated=yes
  fi
  as_root "${apt[@]}" install --no-install-recommends "$@" </dev/null >&2
}

# Sets `missing` to what is missing of the arguments.
look_for() {
  missing=()
  local what
  for what in "$@"; do
    has "$what" || missing+=("$what")
  done
}

can_install() {
  command -v apt-get >/dev/null && { [[ $(id -u) == 0 ]] || command -v sudo >/dev/null; }
}

# Returns false if apt-get fails.
install() {
  look_for "$@"
  [[ ${#missing[@]} != 0 ]] || return 0
  local what packages=()
  for what in "${missing[@]}"; do
    packages+=("$(package_of "$what")")
  done
  apt_install "${packages[@]}"
}

setup() {
  if can_install; then
    local what tools=() packages=()
    for what in "$@"; do
      case $what in
        abseil | catch2) packages+=("$what") ;;
        *) tools+=("$what") ;;
      esac
    done
    # In this order: it takes CMake and a compiler to look for a package.
    install "${tools[@]}" || die "apt-get failed"
    [[ ${#packages[@]} == 0 ]] || install "${packages[@]}" || die "apt-get failed"
  fi

  look_for "$@"
  if [[ ${#missing[@]} != 0 ]]; then
    say "missing:"
    for what in "${missing[@]}"; do
      say "  $(describe "$what")"
    done
    if can_install; then
      die "apt-get does not bring it here: install it by other means, then run this again"
    elif command -v apt-get >/dev/null; then
      die "run this again as root or with sudo installed"
    else
      die "there is no apt-get here: install what is missing, then run this again"
    fi
  fi

  if command -v ninja >/dev/null; then
    export CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja}
  fi
}

setup_if_possible() {
  if can_install; then install "$@" || true; fi
  look_for "$@"
  local what
  for what in "${missing[@]}"; do
    say "goes on without $(describe "$what")"
  done
}

configure() {
  cmake -S "$root" -B "$root/build/$1" "${@:2}" </dev/null
}

build() {
  cmake --build "$root/build/$1" "${@:2}" </dev/null
}
