#!/usr/bin/env bash
# program_test.sh PROGRAM: what the README promises of the command line, whatever the ops compute.
set -euo pipefail

program=$1
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
cd -- "$scratch"  # the program must not depend on the current folder

# expect CODE WORD ARGUMENT...: the exit code, and a word that the output must hold.
expect() {
  local code=0 wanted=$1 word=$2
  shift 2
  "$program" "$@" >out 2>&1 </dev/null || code=$?
  if ((code != wanted)) || ! grep -qF -- "$word" out; then
    printf "FAILED: '%s' gave exit code %d (wanted %d) and must say '%s':\n" "$*" "$code" "$wanted" "$word"
    cat out
    exit 1
  fi
}

expect 0 verify --help
expect 0 golden --help
expect 2 "no command" no_such_command
expect 2 --no-such-flag verify --no-such-flag
expect 2 no_such_op verify no_such_op
expect 0 rmsnorm list
expect 0 N3 explain N3
expect 0 rmsnorm explain rmsnorm
expect 2 N99 explain N99
expect 0 processor doctor
expect 0 'BIT-EXACT' verify rmsnorm --smallest
expect 0 'WITHIN BOUND' verify rmsnorm --no-golden
expect 1 'WITHIN BOUND' verify rmsnorm --no-golden --contract exact
expect 0 'BIT-EXACT' verify rmsnorm --contract exact
expect 0 'WITHIN BOUND' verify rmsnorm --case bf16/normal/C80_T3
expect 2 'no input class' verify rmsnorm --case bf16/no_class/C80_T3
expect 2 'exactly one op' verify --case bf16/normal/C80_T3
expect 2 'no op' golden make no_such_op --out .
expect 4 'no_such_file' golden show no_such_file
echo text >file
expect 4 'file' golden show file
expect 0 '' verify rmsnorm --json report.json --junit report.xml
/usr/bin/python3 -c 'import json, xml.dom.minidom
assert json.load(open("report.json"))["reports"][0]["op"] == "rmsnorm"
xml.dom.minidom.parse("report.xml")'
expect 3 'cannot write' verify rmsnorm --json no_such_folder/report.json
# A value that is empty is no default.
expect 2 "'--json' is followed by nothing" verify rmsnorm --json ''
expect 2 "'--allow=' is followed by nothing" verify rmsnorm --kernel ./mine.so --allow=
expect 2 "'verify' is followed by nothing" verify ''
# Kernels that are not there, and flags that need one.
expect 3 'NOT RUN' verify rmsnorm --kernel ./no_such_kernel.so --json report.json --junit report.xml
/usr/bin/python3 -c 'import json, xml.dom.minidom
assert json.load(open("report.json"))["reports"][0]["verdict"] == "NOT RUN"
assert xml.dom.minidom.parse("report.xml").getElementsByTagName("skipped")'
expect 2 'exactly one op' verify rmsnorm linear --kernel ./mine.so
expect 2 'no op' verify no_such_op --kernel ./mine.so
expect 2 'give --kernel' verify rmsnorm --profile order=pairwise
expect 2 'give --kernel' verify rmsnorm --allow ftz
expect 2 'needs --profile' verify rmsnorm --kernel ./mine.so --contract profile
expect 2 '--profile' verify rmsnorm --kernel ./mine.so --profile order=nonsense
expect 2 '--allow' verify rmsnorm --kernel ./mine.so --allow everything
expect 2 '--memory-limit' verify rmsnorm --kernel ./mine.so --memory-limit much
expect 2 'needs --inputs' verify rmsnorm --outputs out.h5
expect 4 'no_such_file' verify rmsnorm --inputs no_such_file.h5 --outputs out.h5
# A golden file that is none; no golden file at all.
mkdir -p root/golden/ops
printf 'no HDF5' >root/golden/ops/rmsnorm.h5
export TOUCHSTONE_ROOT=$PWD/root
expect 4 'rmsnorm.h5' verify rmsnorm
rm root/golden/ops/rmsnorm.h5
expect 1 'no golden/ops/rmsnorm.h5' verify rmsnorm
expect 4 'MANIFEST' golden check
echo "36 commands gave the promised exit codes"
