#!/usr/bin/env bash
# made_again.sh PROGRAM: `golden make` writes the committed golden files again, byte for byte.
set -euo pipefail

program=$1
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

"$program" golden make --out "$scratch"
diff -r "$root/golden/ops" "$scratch/golden/ops"
diff "$root/golden/MANIFEST" "$scratch/golden/MANIFEST"
echo "$(find "$scratch/golden/ops" -name '*.h5' | wc -l) golden files are the same bytes again"
