#!/usr/bin/env bash
# command_test.sh PROGRAM COMPILER: `fuzz` on the command line: exit codes, a stranger's kernel, and
# what an interrupt and a kill leave.
set -euo pipefail

program=$1 compiler=$2
include=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)/lab/include
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
cd -- "$scratch"
checks=0

fail() { printf 'FAILED: %s\n' "$1"; cat out; exit 1; }

# expect CODE WORD ARGUMENT...
expect() {
  local code=0 wanted=$1 word=$2
  shift 2
  "$program" fuzz "$@" >out 2>&1 </dev/null || code=$?
  ((code == wanted)) || fail "'fuzz $*' gave exit code $code, not $wanted"
  grep -qF -- "$word" out || fail "'fuzz $*' does not say '$word'"
  checks=$((checks + 1))
}

expect 2 'no op' no_such_op
expect 2 'expected a time' swiglu --time soon
expect 2 'expected a time' swiglu --time -5s
expect 2 'there is no' swiglu --resume
expect 2 'no folder' swiglu --cases 5 --out /dev/null
expect 2 'expected an integer' swiglu --seed -1
expect 3 'none.so' swiglu --kernel ./none.so
expect 2 'there is no' swiglu --kernel ./none.so --out new/folder --resume
echo 'no library' >text.so
expect 3 'text.so' swiglu --kernel ./text.so --out new/folder
[[ ! -e touchstone-failures && ! -e new ]] || fail "a search that did not begin leaves a folder"
expect 0 'no failure found with seed 1, trials 0 to 49' swiglu --cases 50
expect 0 'trials 50 to 69' swiglu --cases 20 --resume
expect 2 'seed 1' swiglu --cases 20 --resume --seed 2
expect 0 'trials 17 to 17' swiglu --cases 1 --from 17
echo '{}' >touchstone-failures/swiglu.ledger.json
expect 4 'swiglu.ledger.json' swiglu --resume

cat >kernel.c <<'KERNEL'
#include <stdlib.h>
#include "touchstone.h"
static int run(const touchstone_call* call) {
  const touchstone_tensor *a = call->inputs, *b = call->inputs + 1, *y = call->outputs;
  const long T = (long)a->shape[0], C = (long)a->shape[1];
  for (long i = 0; i < T * C; ++i) {
    ((float*)y->data)[i] = ((const float*)a->data)[i] + ((const float*)b->data)[i];
  }
  FAULT
  return 0;
}
TOUCHSTONE_KERNEL(residual_add) = {TOUCHSTONE_ABI, sizeof(touchstone_kernel), "c", "residual_add",
                                   TOUCHSTONE_F32, TOUCHSTONE_CPU, 0, 0, run};
KERNEL
library() { "$compiler" -x c -shared -fPIC -I "$include" "-DFAULT=$2" kernel.c -o "$1"; }
library right.so ''
library wrong.so 'if (C % 16 == 5 && T > 0) ((float*)y->data)[T * C - 1] += 1;'
library crash.so 'if (T == 3) abort();'

expect 0 'no failure found' residual_add --kernel ./right.so --cases 300 --jobs 2 --out right
expect 1 'smallest f32' residual_add --kernel ./wrong.so --cases 3000 --out wrong
grep -q 'C5_T1' wrong/*.txt || fail "the report has no smallest case"
expect 1 'found before' residual_add --kernel ./wrong.so --cases 1 --resume --out wrong
expect 0 'is not the one' residual_add --kernel ./right.so --cases 1 --resume --out wrong
expect 5 'CRASHED' residual_add --kernel ./crash.so --cases 3000 --out crash
grep -q 'C1_T3' crash/*.txt || fail "the crash is not at its smallest"

# `verify` names the search that makes a failure small.
library always.so 'if (C > 1) ((float*)y->data)[C - 1] += 1;'
code=0
"$program" verify residual_add --kernel ./always.so --contract exact >out 2>&1 || code=$?
search=$(sed -n 's|^    ./touchstone fuzz ||p' out)
((code == 1)) && [[ $search == 'residual_add --kernel ./always.so --contract exact' ]] ||
  fail "verify gave exit code $code and the search '$search'"
read -ra words <<<"$search"
expect 1 'smallest f32/' "${words[@]}" --out always
code=0
"$program" verify residual_add --kernel ./right.so >out 2>&1 || code=$?
((code == 0)) && ! grep -q 'touchstone fuzz' out || fail "a right kernel: exit code $code"

# Interrupted it sums up and ends as if its time were over; killed it continues.
"$program" fuzz rmsnorm --time 60s --out stopped >out 2>&1 &
pid=$!
while [[ ! -s stopped/rmsnorm.ledger.json ]]; do sleep 0.05; done
sleep 0.5
kill -INT "$pid"
code=0
wait "$pid" || code=$?
((code == 0)) && grep -qF -- '--resume continues' out || fail "interrupted: exit code $code"
[[ $(find stopped -type f | wc -l) -eq 1 ]] || fail "interrupted: more is left than its ledger"
"$program" fuzz rmsnorm --time 60s --resume --out stopped >out 2>&1 &
pid=$!
sleep 1.5
kill -KILL "$pid"
wait "$pid" 2>/dev/null || true
expect 0 'resumed: seed 1, trial' rmsnorm --resume --cases 5 --out stopped
echo "$checks commands and two signals behave as written"
