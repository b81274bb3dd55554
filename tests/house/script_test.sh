#!/usr/bin/env bash
# The script `touchstone` and its tools, tried on a toy project in a folder whose name has spaces: it
# builds once, stays quiet, rebuilds what changed, passes arguments and exit codes on, fails clearly.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
toy="$scratch/a folder/with spaces"
unset TOUCHSTONE_PRESET TOUCHSTONE_INSTALL
checks=0

fail() { printf 'FAILED: %s\n' "$1" >&2; cat -- "$scratch/out" "$scratch/err" >&2; exit 1; }

# expect CODE WHAT COMMAND...: runs it with its output in out and err.
expect() {
  local code=0 wanted=$1 what=$2
  shift 2
  "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || code=$?
  ((code == wanted)) || fail "$what: exit code $code, not $wanted"
  checks=$((checks + 1))
}
says() { grep -qF -- "$1" "$scratch/err" || fail "does not say: $1"; checks=$((checks + 1)); }
prints() { [[ $(cat -- "$scratch/out") == "$1" ]] || fail "does not print: $1"; checks=$((checks + 1)); }
is_quiet() { [[ ! -s $scratch/err ]] || fail "is not quiet"; checks=$((checks + 1)); }

mkdir -p "$toy/tools" "$toy/tests/all"
cp "$root/touchstone" "$root/CMakePresets.json" "$toy"
cp "$root/tools/install_packages" "$root/tools/build_preset" "$toy/tools"
cp "$root/tests/all/run_all" "$toy/tests/all"
# Nothing to install: these are there wherever this test runs.
printf '# [core]\ncmake\n# [test]\nninja-build\n# [bench]\nninja-build\n' >"$toy/tools/packages.txt"
cat >"$toy/CMakeLists.txt" <<'TOY'
cmake_minimum_required(VERSION 3.25)
project(toy CXX)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
add_executable(touchstone main.cc)
add_executable(touchstone_bench EXCLUDE_FROM_ALL main.cc)
enable_testing()
add_test(NAME passes COMMAND touchstone 0)
TOY
cat >"$toy/main.cc" <<'TOY'
#include <cstdio>
#include <cstdlib>
int main(int count, char** words) {
  for (int i = 1; i < count; ++i) std::printf("[%s]", words[i]);
  return count > 1 ? std::atoi(words[1]) : 0;
}
TOY

export TOUCHSTONE_PRESET=portable
cd /
expect 0 "first run" "$toy/touchstone" 0 "two words" '*'
prints '[0][two words][*]'
says 'building (the first time'
expect 5 "second run" "$toy/touchstone" 5
is_quiet
prints '[5]'
ln -s "$toy/touchstone" "$scratch/link"
expect 3 "through a link" "$scratch/link" 3
is_quiet
expect 0 "without arguments" "$toy/touchstone"
prints ''

sed -i 's/\[%s\]/<%s>/' "$toy/main.cc"
expect 1 "after a change" "$toy/touchstone" 1
prints '<1>'
says 'building'

"$toy/touchstone" 0 >"$scratch/first" 2>&1 &
first=$!
sed -i 's/<%s>/{%s}/' "$toy/main.cc"
expect 0 "second of two at once" "$toy/touchstone" 0
prints '{0}'
wait "$first" || fail "first of two at once"

[[ ! -e $toy/build/portable/bin/touchstone_bench ]] || fail "the bench was built unasked"
expect 0 "bench" "$toy/touchstone" bench 7
prints '{bench}{7}'
[[ -x $toy/build/portable/bin/touchstone_bench ]] || fail "the bench was not built"
checks=$((checks + 2))

expect 0 "test" "$toy/touchstone" test
grep -q '100% tests passed' "$scratch/out" || fail "ctest did not run"
expect 1 "test that selects nothing" "$toy/touchstone" test -R no_such_test
sed -i 's/touchstone 0)/touchstone 1)/' "$toy/CMakeLists.txt"
expect 1 "test that fails" "$toy/touchstone" test
sed -i '/add_test/d' "$toy/CMakeLists.txt"
expect 1 "no tests" "$toy/touchstone" test

echo 'int broken = "text";' >>"$toy/main.cc"
expect 3 "source with an error" "$toy/touchstone" 0
says 'main.cc'
says 'build/portable/build.log'
sed -i '/broken/d' "$toy/main.cc"
expect 0 "error mended" "$toy/touchstone" 0

mv "$toy" "$scratch/moved"
toy=$scratch/moved
expect 0 "moved tree" "$toy/touchstone" 0
prints '{0}'
expect 3 "unknown preset" env TOUCHSTONE_PRESET=no_such "$toy/touchstone" 0

# Installing: a stand-in for apt-get writes down what it was asked for.
if command -v dpkg-query >/dev/null; then
  mkdir "$scratch/bin"
  printf '#!/bin/sh\necho "$@" >>"%s"\n' "$scratch/apt" >"$scratch/bin/apt-get"
  chmod +x "$scratch/bin/apt-get"
  printf '# [core]\ncmake\nno-such-package\n' >"$toy/tools/packages.txt"
  if ((EUID == 0)); then
    expect 0 "package missing" env PATH="$scratch/bin:$PATH" "$toy/tools/install_packages" core
    says 'apt-get install --yes --no-install-recommends no-such-package'
    grep -q 'update$' "$scratch/apt" || fail "no update"
    grep -q 'install .*--no-install-recommends no-such-package$' "$scratch/apt" || fail "no install"
    printf '#!/bin/sh\necho cannot reach it; exit 100\n' >"$scratch/bin/apt-get"
    expect 3 "apt-get fails" env PATH="$scratch/bin:$PATH" "$toy/tools/install_packages" core
    says 'cannot reach it'
    chmod 755 "$scratch"
    # Without root: neither sudo (hidden) nor a terminal.
    printf '#!/bin/sh\nexit 1\n' >"$scratch/bin/sudo"
    chmod +x "$scratch/bin/sudo"
    expect 3 "neither root nor sudo" setpriv --reuid=65534 --clear-groups \
      env PATH="$scratch/bin:$PATH" "$toy/tools/install_packages" core
    says 'neither root nor sudo'
  fi
  expect 0 "told not to install" env TOUCHSTONE_INSTALL=no "$toy/tools/install_packages" core
  says 'going on without no-such-package'
fi
expect 2 "unknown section" "$toy/tools/install_packages" no_such_section

# The runner of the long checks.
tab=$'\t'
row() { printf '%s\n' "$1$tab$2$tab$3${tab}why" >>"$scratch/table"; }
all() {
  env TOUCHSTONE_ALL_TABLE="$scratch/table" TOUCHSTONE_ALL_LOGS="$scratch/logs" \
    TOUCHSTONE_ALL_MINUTE=1 "$toy/touchstone" test --all "$@"
}
printf '#!/bin/sh\necho "NOT RUN: no such tool"; exit 77\n' >"$scratch/skip"
chmod +x "$scratch/skip"
row good 1 "true"
row bad 1 "false"
row slow 1 "sleep 20"
row absent 1 "$scratch/skip"
expect 1 "four items" all
[[ $(tail -n 1 "$scratch/out") == '1 passed, 2 failed, 1 skipped' ]] || fail "closing line"
grep -q '^slow .*FAILED.*over thrice its 1 minutes' "$scratch/out" || fail "slow item"
grep -q '^absent .*NOT RUN .*no such tool' "$scratch/out" || fail "absent item"
expect 0 "one item" all good
[[ $(tail -n 1 "$scratch/out") == '1 passed, 0 failed, 0 skipped' ]] || fail "closing line of one"
expect 3 "nothing ran" all absent
expect 2 "unknown item" all no_such_item
row long 42 "true"
expect 2 "over 45 minutes" all
says 'the items take 46 minutes'
printf 'bad row\n' >"$scratch/table"
expect 2 "unreadable row" all

echo "$checks checks passed"
