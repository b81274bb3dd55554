#!/usr/bin/env bash
# link_graph_test.sh BUILD COMPILER: the dependency rule is real. A source of each library that
# includes what its library may not see does not compile with that library's include roots; one that
# includes what it may see does.
set -euo pipefail

build=$1 compiler=$2
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
cd -- "$scratch"  # the current folder is searched too
checks=0

# The include roots that the build gives to a source, read from its compile command.
roots_of() {
  /usr/bin/python3 - "$build/compile_commands.json" "$1" <<'PYTHON'
import json, shlex, sys
for entry in json.load(open(sys.argv[1])):
    file = entry["file"]  # the source, or a file that includes it with others of its folder
    sources = open(file).read() if "/Unity/" in file else f'"{file}"'
    if f'/{sys.argv[2]}"' in sources:
        words = shlex.split(entry["command"])
        flags = [w for w in words if w.startswith("-I")]
        flags += [f"-isystem{words[i + 1]}" for i, w in enumerate(words) if w == "-isystem"]
        print("\n".join(flags))
        break
else:
    sys.exit(f"no compile command for {sys.argv[2]}")
PYTHON
}

# sees SOURCE yes|no HEADER...
sees() {
  local source=$1 wanted=$2 found header
  shift 2
  mapfile -t roots < <(roots_of "$source")
  for header in "$@"; do
    found=no
    if echo "#include \"$header\"" |
      "$compiler" -x c++ -std=c++20 -fsyntax-only "${roots[@]}" - 2>"$scratch/errors"; then
      found=yes
    fi
    if [[ $found != "$wanted" ]]; then
      cat "$scratch/errors"
      echo "FAILED: may $source include $header? wanted $wanted, found $found"
      exit 1
    fi
    checks=$((checks + 1))
  done
}

formats=reference/formats/bf16.h arithmetic=reference/arithmetic/chain.h
op=reference/ops/linear/linear.h exact=reference/exact/enclosure.h
golden=golden/hdf5_file.h lab=lab/spec.h model=reference/model/text_config.h
checkpoint=reference/checkpoint/safetensors.h

sees reference/ops/linear/linear.cc yes $formats $arithmetic $op
sees reference/ops/linear/linear.cc no $exact $golden $lab
sees reference/exact/linear.cc yes $formats $op $exact
sees reference/exact/linear.cc no $arithmetic $golden $lab
sees golden/hdf5_file.cc yes $formats $golden
sees golden/hdf5_file.cc no $arithmetic $op $exact $lab
sees reference/model/decoder.cc yes $formats $op $model
sees reference/model/decoder.cc no $arithmetic $exact $checkpoint $golden $lab
sees reference/checkpoint/sharded.cc yes $formats $model $checkpoint
sees reference/checkpoint/sharded.cc no $arithmetic $op $exact $golden $lab
sees optimized/linear/packed_panels.cc yes $formats $arithmetic $op
sees optimized/linear/packed_panels.cc no $exact $golden $lab $model $checkpoint
sees lab/verify.cc yes $formats $arithmetic $op $exact $golden $lab
# A stranger's kernel finds no right answers in its process.
sees lab/worker/serve.cc yes lab/worker/protocol.h lab/include/touchstone.h
sees lab/worker/serve.cc no $formats $arithmetic $op $exact $golden $lab
echo "$checks includes are allowed or refused as they should be"
