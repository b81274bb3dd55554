#!/usr/bin/env bash
# headers_test.sh COMPILER: every header compiles alone, without a warning, but the one that is CUDA.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
compiler=$1
mapfile -t headers < <(find reference optimized kernels golden lab fuzz bench tests -name '*.h' ! -name cuda_runtime.h 2>/dev/null | sort)
((${#headers[@]} > 10)) || { echo "FAILED: only ${#headers[@]} headers"; exit 1; }

# Two libraries keep their headers outside the compiler's own path.
export flags="-x c++ -std=c++20 -fsyntax-only -Wall -Wextra -Wconversion -Wshadow -Werror -ffp-contract=off
  -I . -isystem /usr/include/eigen3 -isystem /usr/include/hdf5/serial"
# shellcheck disable=SC2016
printf '%s\0' "${headers[@]}" | xargs -0 -n 1 -P "$(nproc)" \
  sh -c 'echo "#include \"$1\"" | "$0" $flags - || { echo "FAILED: $1" >&2; exit 1; }' "$compiler"
echo "${#headers[@]} headers compile alone"
