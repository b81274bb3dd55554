#!/usr/bin/env bash
# fast_math_test.sh COMPILER: a build under fast-math is refused, by CMake and by the headers.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
compiler=$1
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

compile() {
  echo '#include "reference/formats/bf16.h"' |
    "$compiler" -x c++ -std=c++20 -fsyntax-only -I . "$@" - 2>"$scratch/errors"
}
compile -O2 || { cat "$scratch/errors"; echo "FAILED: the header does not compile at all"; exit 1; }
for flag in -ffast-math -Ofast -ffinite-math-only; do
  if compile "$flag"; then
    echo "FAILED: reference/formats/bf16.h compiles under $flag"
    exit 1
  fi
  grep -qi 'fast-math' "$scratch/errors" || { cat "$scratch/errors"; echo "FAILED: no reason"; exit 1; }
done

# refused HOW COMMAND...: CMake says no before it looks for anything.
refused() {
  local how=$1
  shift
  rm -rf -- "$scratch/build"
  if "$@" cmake -S . -B "$scratch/build" -G Ninja "${flags[@]}" >"$scratch/said" 2>&1; then
    echo "FAILED: CMake takes $how"
    exit 1
  fi
  grep -qiE 'fast-math|contract' "$scratch/said" || {
    cat "$scratch/said"
    echo "FAILED: CMake stops under $how for another reason"
    exit 1
  }
}
for flag in -ffast-math -Ofast -funsafe-math-optimizations -ffp-contract=fast; do
  flags=(-DCMAKE_CXX_FLAGS="$flag")
  refused "CMAKE_CXX_FLAGS=$flag" env
done
flags=(-DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-Ofast)
refused "CMAKE_CXX_FLAGS_RELEASE=-Ofast" env
flags=()
refused "CXXFLAGS=-ffast-math" env CXXFLAGS=-ffast-math
echo "fast-math is refused in 9 ways"
