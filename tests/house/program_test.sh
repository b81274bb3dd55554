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
echo "11 commands gave the promised exit codes"
