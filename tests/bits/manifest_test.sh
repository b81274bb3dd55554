#!/usr/bin/env bash
# manifest_test.sh BITS: this build, on 1 and 3 threads, writes the bytes of tests/bits/MANIFEST.
# tests/all/bits does the same for other compilers and another processor.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
wanted=$(cut -d ' ' -f 1 tests/bits/MANIFEST)
[[ $wanted =~ ^[0-9a-f]{64}$ ]] || { echo "FAILED: tests/bits/MANIFEST holds no hash"; exit 1; }
written=$(mktemp)
trap 'rm -f -- "$written"' EXIT

for threads in 1 3; do
  "$1" --threads "$threads" "$written"
  hash=$(sha256sum <"$written" | cut -d ' ' -f 1)
  if [[ $hash != "$wanted" ]]; then
    echo "FAILED: on $threads threads the bits are $hash, expected $wanted"
    exit 1
  fi
done
echo "$(wc -c <"$written") bytes of $wanted"
