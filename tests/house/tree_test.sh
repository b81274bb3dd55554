#!/usr/bin/env bash
# The rules of the house that can be read off the tree: lengths, names, sizes, the two lists, and that
# nothing names one machine or the way the project came about.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
failures=0 checks=0
breach() { printf 'FAILED: %s\n' "$*" >&2; failures=$((failures + 1)); }

# What git would commit; without git everything but the build folder.
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  mapfile -d '' files < <(git ls-files -z --cached --others --exclude-standard)
else
  mapfile -d '' files < <(find . -path ./build -prune -o -path ./.git -prune -o -type f -print0 |
    sed -z 's|^\./||')
fi
((${#files[@]} > 50)) || breach "only ${#files[@]} files: is this the repository?"

# Words and paths that must not occur; written so that this file does not hold them.
forbidden='(^|[^A-Za-z0-9_.~/-])/(wor[k]|roo[t]|hom[e]|tm[p])/'
forbidden+='|deb\.debian[.]org|pypi[.]org|npmjs[.]'
forbidden+='|[iI]ssue #?[0-9]|[sS]ession [0-9]'
text_names='\.(h|cc|cu|cuh|c|py|sh|md|txt|tsv|def|json|cmake|yml|conf|css)$|(^|/)[^.]+$'

bytes=0 golden_bytes=0 foreign_bytes=0 op_bytes=0
for file in "${files[@]}"; do
  [[ -f $file && ! -L $file ]] || continue
  size=$(stat -c %s -- "$file")
  bytes=$((bytes + size))
  case $file in
    golden/foreign/*) foreign_bytes=$((foreign_bytes + size)) golden_bytes=$((golden_bytes + size)) ;;
    golden/ops/*) op_bytes=$((op_bytes + size)) golden_bytes=$((golden_bytes + size)) ;;
    golden/*) golden_bytes=$((golden_bytes + size)) ;;
  esac
  checks=$((checks + 1))

  name=${file##*/}
  stem=${name%%.*}
  stem=${stem/fast_math/}  # a thing of that name; code must not be called fast
  if [[ _${stem}_ =~ _(util|utils|common|helper|helpers|misc|fast|v2|new|opt)_ ]]; then
    breach "$file: a name that says nothing"
  fi
  [[ $file =~ [[:space:]] ]] && breach "$file: white space in a name"
  [[ $file =~ $text_names && $file != LICENSE && $file != golden/* && $file != fuzz/corpus/* ]] || continue

  lines=$(wc -l <"$file")
  case $file in
    *.h | *.cc | *.cu | *.cuh | *.inc | *.py | *.sh | *.cmake)
      ((lines <= 500)) || breach "$file: $lines lines, 500 are allowed"
      ;;
  esac
  if [[ $file =~ \.(h|cc|cu|cuh|inc|py)$ ]]; then
    ! LC_ALL=C.UTF-8 grep -nHP '^.{101}' -- "$file" || breach "$file: over 100 columns"
  fi
  if [[ $file =~ \.(h|cc|cu|cuh|inc)$ && $file != lab/starter/* && $file != tests/toy_op/* ]]; then
    # Anything else than a path from the root would go around the link graph.
    ! grep -nHE '^ *# *include +"' -- "$file" |
      grep -vE '"(reference|optimized|kernels|golden|lab|fuzz|bench|tests)/[A-Za-z0-9_/]+\.(h|cuh|def|inc)"|"(all_ops\.h|candidates\.def|kernels\.def|touchstone\.h)"' ||
      breach "$file: an include that is no path from the root"
  fi
  if [[ $file == reference/ops/*.cc ]]; then
    ((lines <= 120)) || breach "$file: $lines lines, 120 are allowed"
  fi
  if [[ $file == *.h ]]; then
    [[ $file == lab/include/touchstone.h ]] || grep -q '^#pragma once$' -- "$file" || breach "$file: no #pragma once"
    ! grep -nH '^using namespace' -- "$file" || breach "$file: using namespace in a header"
  fi
  ! grep -nHIE "$forbidden" -- "$file" || breach "$file: names a machine, a registry or an episode"
  [[ $file == *.tsv ]] || ! grep -nHI '[[:blank:]]$' -- "$file" || breach "$file: white space at a line's end"
  [[ $file == *.tsv ]] || ! grep -nHIP '\t' -- "$file" || breach "$file: a tab"
done

# at_most WHAT BYTES MEGABYTES
at_most() {
  checks=$((checks + 1))
  (($2 <= $3 * 1000000)) || breach "$1 has $2 bytes, $3 MB are allowed"
}
at_most "the whole tree" "$bytes" 48
at_most "golden/" "$golden_bytes" 34
at_most "golden/foreign/" "$foreign_bytes" 10
at_most "golden/ops/" "$op_bytes" 8

(($(wc -l <CMakeLists.txt) < 120)) || breach "CMakeLists.txt: 120 lines or more"
for file in touchstone .ci/run tools/install_packages tools/build_preset tests/all/*; do
  [[ -x $file || $file == *.txt ]] || breach "$file: not executable"
done

# The list of packages: no name twice in a section, each section sorted, all that the tests need installed.
if [[ -n $(sed '/^$/d' tools/packages.txt | awk '/^# \[/ { s = $2 } !/^#/ { print s, $0 }' | sort | uniq -d) ]]; then
  breach "tools/packages.txt: a package twice in one section"
fi
for section in core test all bench; do
  names=$(awk -v section="[$section]" \
    '/^#/ { if ($2 ~ /^\[/) inside = ($2 == section); next } inside && NF' tools/packages.txt)
  [[ -n $names ]] || breach "tools/packages.txt: no section [$section]"
  [[ $names == "$(LC_ALL=C sort <<<"$names")" ]] || breach "tools/packages.txt: [$section] is not sorted"
  checks=$((checks + 1))
done
if command -v dpkg-query >/dev/null; then
  said=$(TOUCHSTONE_INSTALL=no tools/install_packages core test 2>&1)
  [[ -z $said ]] || breach "$said"
fi

# The table of the long checks: each command exists, and together they keep to their minutes.
sum=0
while IFS=$'\t' read -r item minutes command _; do
  [[ $item == \#* ]] && continue
  sum=$((sum + minutes)) checks=$((checks + 1))
  [[ -x ${command%% *} ]] || breach "tools/all.tsv: $item has no script $command"
done <tools/all.tsv
((sum <= 45)) || breach "tools/all.tsv: $sum minutes, 45 are allowed"

((failures == 0)) || exit 1
echo "$checks checks passed; the tree has $((bytes / 1000)) kB, golden/ $((golden_bytes / 1000)) kB"
