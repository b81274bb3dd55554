#!/usr/bin/env bash
# model_commands_test.sh PROGRAM: what the commands on checkpoints promise: exit codes, one clear
# message for bad input, and no half-written file.
set -euo pipefail

program=$(readlink -f -- "$1")
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
models=$root/golden/models
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
cd -- "$scratch"

commands=0
# expect CODE WORD ARGUMENT...: the exit code, and a word that the output must hold. One line at most
# goes to standard error where the command fails.
expect() {
  local code=0 wanted=$1 word=$2
  shift 2
  commands=$((commands + 1))
  "$program" "$@" >out 2>err </dev/null || code=$?
  if ((code != wanted)) || ! grep -qF -- "$word" out err; then
    printf "FAILED: '%s' gave exit code %d (wanted %d) and must say '%s':\n" "$*" "$code" "$wanted" "$word"
    cat out err
    exit 1
  fi
  if ((wanted == 4)) && (($(wc -l <err) != 1)); then
    printf "FAILED: '%s' must say one line on standard error:\n" "$*"
    cat err
    exit 1
  fi
}

bytes=$models/scout-bytes tiny=$models/scout-tiny

# generate: the trained model's text; ids where asked; sampling by seed.
expect 0 'Ge1:1 In the same day the LORD' generate --model "$bytes" --prompt 'Ge1:1 In the' --max-new 24
expect 0 '256 71 101 52' generate --model "$bytes" --prompt-ids 71,101 --ids --max-new 1
cp out with_begin
expect 0 '256 71 101 52' generate --model "$bytes" --prompt-ids 256,71,101 --ids --max-new 1
cmp out with_begin  # a begin token that is there is not doubled
expect 0 '71 101' generate --model "$bytes" --prompt-ids 71,101 --no-bos --ids --max-new 0
grep -qx '71 101' out
expect 2 "not '-1'" generate --model "$bytes" --prompt 'And' --temperature 0.8 --seed -1
expect 2 '2^64 - 1' generate --model "$bytes" --prompt 'And' --temperature 0.8 --seed 99999999999999999999
expect 0 '' generate --model "$bytes" --prompt 'And' --max-new 16 --temperature 0.8 --seed 5 --recipe bf16
cp out sampled
expect 0 '' generate --model "$bytes" --prompt 'And' --max-new 16 --temperature 0.8 --seed 5 --recipe bf16
cmp out sampled
expect 2 'not bytes' generate --model "$tiny" --prompt text
expect 2 'expected --prompt-ids or --prompt' generate --model "$tiny"
expect 2 '200 is too large' generate --model "$tiny" --prompt-ids 200
expect 2 'no number at character 1' generate --model "$tiny" --prompt-ids x
expect 2 '--temperature -1' generate --model "$tiny" --prompt-ids 1 --temperature -1
expect 2 '--temperature nan' generate --model "$tiny" --prompt-ids 1 --temperature nan
expect 2 '--top-p 1.5' generate --model "$tiny" --prompt-ids 1 --top-p 1.5
expect 4 'no_such_folder' generate --model no_such_folder --prompt-ids 1
mkdir empty
expect 4 'config.json' generate --model empty --prompt-ids 1

# trace: whole or not at all.
expect 0 '136 tensors of 5 layers' trace --model "$tiny" --inputs "$tiny/input.h5" --recipe f32 --out whole.h5
expect 0 'tensors of 2 layers' trace --model "$tiny" --inputs "$tiny/input.h5" --recipe bf16 --layers 0,3 --out part.h5
expect 0 '136 tensors' trace --model "$tiny" --inputs "$tiny/input.h5" --recipe f32 --prefill 7 --out decoded.h5
expect 2 '5 is too large' trace --model "$tiny" --inputs "$tiny/input.h5" --recipe f32 --layers 5 --out no.h5
expect 2 '--prefill' trace --model "$tiny" --inputs "$tiny/input.h5" --recipe f32 --prefill 0 --out no.h5
expect 2 '--recipe' trace --model "$tiny" --inputs "$tiny/input.h5" --recipe f16 --out no.h5
expect 4 'input/input_ids' trace --model "$tiny" --inputs "$root/golden/ops/rmsnorm.h5" --recipe f32 --out no.h5
expect 4 'expected an id from 0 to 199' trace --model "$tiny" --inputs "$bytes/input.h5" --recipe f32 --out no.h5
expect 3 'no_such_folder' trace --model "$tiny" --inputs "$tiny/input.h5" --recipe f32 --out no_such_folder/no.h5
for damage in truncated shard_missing wrong_width; do
  rm -rf broken
  cp -r "$models/maverick-tiny" broken
  case $damage in
    truncated) truncate -s -1 broken/model-00003-of-00008.safetensors ;;
    shard_missing) rm broken/model-00003-of-00008.safetensors ;;
    wrong_width) sed -i 's/"hidden_size": 96/"hidden_size": 95/' broken/config.json ;;
  esac
  expect 4 'broken/' trace --model broken --inputs "$models/maverick-tiny/input.h5" --recipe f32 --out no.h5
done

# A run that is killed leaves nothing at the name, and what was there before stays.
echo before >kept.h5
"$program" trace --model "$bytes" --inputs "$bytes/input.h5" --recipe f32 --prefill 1 --out kept.h5 &
sleep 0.15
kill -9 $! && wait $! 2>/dev/null || true
[[ $(cat kept.h5) == before ]]

# One that is interrupted takes its unfinished file with it.
mkdir interrupted
"$program" trace --model "$bytes" --inputs "$bytes/input.h5" --recipe f32 --prefill 1 --out interrupted/t.h5 &
sleep 0.15
kill -TERM $! && wait $! 2>/dev/null || true
[[ -z $(ls interrupted) ]] || { echo "FAILED: an interrupted trace left $(ls interrupted)"; exit 1; }

# What is read, and what is no regular file, is never replaced.
cp -r "$tiny" own
expect 2 'would replace' trace --model own --inputs own/input.h5 --recipe f32 --out own/input.h5
expect 2 'would replace' trace --model own --inputs "$tiny/input.h5" --recipe f32 --out own/model.safetensors
expect 2 'would replace' diff whole.h5 decoded.h5 --json decoded.h5
expect 2 'both go to' diff whole.h5 decoded.h5 --json x --html x
expect 2 'would replace' agree --model own --activations whole.h5 --json whole.h5
mkfifo pipe
expect 2 'no regular file' trace --model own --inputs own/input.h5 --recipe f32 --out pipe
expect 2 'a folder' trace --model own --inputs own/input.h5 --recipe f32 --out own
expect 2 "'--out' is followed by nothing" trace --model own --inputs own/input.h5 --recipe f32 --out ''
expect 2 '45' trace --model own --inputs own/input.h5 --recipe f32 --prefill 46 --out no.h5
[[ -p pipe ]] && cmp "$tiny/input.h5" own/input.h5 && cmp "$tiny/model.safetensors" own/model.safetensors

# Weights that are not numbers are data, and no reason to stop a trace.
/usr/bin/python3 - own/model.safetensors <<'PYTHON'
import struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
begin = 8 + struct.unpack("<Q", data[:8])[0]
data[begin:] = b"\xff\x7f" * ((len(data) - begin) // 2)
open(sys.argv[1], "wb").write(data)
PYTHON
expect 4 'hold a NaN' generate --model own --prompt-ids 5 --max-new 2
expect 0 'tensors' trace --model own --inputs own/input.h5 --recipe bf16 --out nan.h5

# A report that could not be written is no success.
code=0
"$program" inspect scout --json >/dev/full 2>err || code=$?
((code == 3)) && grep -q 'standard output' err || { echo "FAILED: a full disk gave exit code $code"; exit 1; }

# diff: decode is prefill, bit for bit; recipes differ.
expect 0 'identical' diff whole.h5 decoded.h5
expect 4 'no_such.h5' diff whole.h5 no_such.h5

[[ ! -e no.h5 ]]
echo "$commands commands on checkpoints gave the promised exit codes"
