#!/usr/bin/env bash
# read_with_h5dump.sh FILE: the h5dump line of README.md, with the golden FILE for its file name,
# shows every dataset with its attribute dtype. Exit code 77 without h5dump.
set -euo pipefail

file=$(realpath -- "$1")
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
if ! command -v h5dump >/dev/null; then
  echo "NOT RUN: no h5dump"
  exit 77
fi
mapfile -t lines < <(sed -n 's/^\$ \(h5dump .*\)$/\1/p' README.md)
if ((${#lines[@]} != 1)); then
  echo "FAILED: README.md has ${#lines[@]} lines that start with '$ h5dump', expected 1" >&2
  exit 1
fi
read -ra words <<<"${lines[0]}"
words[-1]=$file  # the file's name comes last
shown=$("${words[@]}")

datasets=$(grep -c '^ *DATASET "' <<<"$shown") || true
dtypes=$(grep -c '^ *ATTRIBUTE "dtype" {' <<<"$shown") || true
listed=$(h5ls -r "$file" | grep -c ' Dataset ') || true
contracts=$(grep -c '^ *ATTRIBUTE "contract" {' <<<"$shown") || true
if ((datasets == 0 || datasets != dtypes || datasets != listed || contracts != 1)); then
  echo "FAILED: $file: $datasets datasets, $dtypes attributes dtype, $listed datasets in h5ls," \
    "$contracts attributes contract; expected as many of the first three, and one contract" >&2
  exit 1
fi
echo "h5dump shows $datasets datasets of $file"
