#!/usr/bin/env bash
# Every source is as clang-format 14 writes it. Exit 77, which ctest shows as skipped, without it.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
if ! command -v clang-format-14 >/dev/null; then
  echo "NOT RUN: no clang-format-14"
  exit 77
fi
mapfile -t files < <(find reference optimized kernels golden lab fuzz bench tests \
  \( -name '*.h' -o -name '*.cc' -o -name '*.cu' -o -name '*.cuh' \) 2>/dev/null | sort)
((${#files[@]} > 10)) || { echo "FAILED: only ${#files[@]} sources"; exit 1; }
printf '%s\0' "${files[@]}" | xargs -0 -n 8 -P "$(nproc)" clang-format-14 --dry-run --Werror
echo "${#files[@]} sources are formatted"
