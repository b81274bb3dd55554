#!/usr/bin/env python3
"""What the main loop of each kernel of products and of attention consists of: compiles
kernels/OP/*.cu of those ops by nvcc with the flags of compile_kernels, for every architecture that
docs/tables/kernel_resources.tsv has, and counts as sass_main_loop.py does.

usage: tools/main_loop_table.py [--nvcc PROGRAM] [--nvdisasm PROGRAM] [--write FOLDER]

Needs nvcc, and an nvdisasm that is not older; both are parts of the CUDA toolkit (an installation
of nvcc alone has no nvdisasm). No GPU is needed. --write writes FOLDER/kernel_main_loops.tsv, else
the table is printed. A row's hash is that of the kernel's text and of the .cuh that it includes,
comments left out: a table of other kernels than those that are there is noticed by it.

Exit codes: 0 done; 1 an error; 2 usage; 77 NOT RUN: there is no nvcc or no nvdisasm."""

import argparse
import hashlib
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = "kernel_main_loops.tsv"
COUNTED = ["LDS", "STS", "LDG", "LDGSTS", "LDL", "STL", "BAR"]
COLUMNS = ["kernel", "function", "architecture", "loop", "FFMA", "FFMA %", *COUNTED, "around",
           "with it %", "nvcc", "hash"]
# The ops and chains whose time is in products and in attention.
OPS = ["linear", "logits", "expert_linear", "gate_up_swiglu", "feed_forward", "moe_block",
       "attention", "attention_block", "nope_attention_block"]
# Tiles of chain_tiles.cuh: the main loop is one quad of k, and with the loop around it kQuads of
# them make a step. The last argument says a thread's rows.
TILES = "kernels/parts/chain_tiles.cuh"
TILE = re.compile(r"\w*Tile<.*\b(\d+)>$")


def module_of(name, path):
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = kept
    return module


def read_rows(path):
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return [dict(zip(lines[0], cells)) for cells in lines[1:]]


def wanted_rows(root):
    """{(kernel, function, architecture): nvcc} of what has rows here."""
    return {(row["kernel"], row["function"], row["architecture"]): row["nvcc"]
            for row in read_rows(root / "docs/tables/kernel_resources.tsv")
            if row["kernel"].split("/")[0] in OPS}


def closure(root, file, seen):
    """The file and all under kernels/ that it includes, apart from the execution model."""
    if file in seen or not (root / file).is_file():
        return seen
    seen[file] = text = (root / file).read_text(encoding="utf-8")
    for name in re.findall(r'^#include "(kernels/(?!simt/)[^"]+)"', text, re.MULTILINE):
        closure(root, name, seen)
    return seen


def hash_of(root, kernel):
    """Of the file and of the .cuh that it includes: what only the host reads has no main loop."""
    file, parts = f"kernels/{kernel}.cu", []
    for name, text in sorted(closure(root, file, {}).items()):
        if name == file or name.endswith(".cuh"):
            parts += [name, " ".join(re.sub(r"//.*", "", text).split())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def turns_of(root, function, ffma):
    """How many main loops the loop around makes, where the kernel's text tells."""
    rows = TILE.match(function)
    if not rows:
        return None
    text = (root / TILES).read_text(encoding="utf-8")
    step, quad, columns = (int(re.search(pattern, text)[1]) for pattern in (
        r"kStep = (\d+);", r"kQuads = kStep / (\d+);", r"kThreadColumns = (\d+);"))
    if ffma != int(rows[1]) * columns * quad:
        raise ValueError(f"{function}: {ffma} FFMA in its main loop are not a quad of k")
    return step // quad


def cells_of(root, function, loop):
    if loop is None:
        return ["-"] * (len(COLUMNS) - 5)
    ffma, around = loop["FFMA"], loop["around"]
    turns, whole = turns_of(root, function, ffma), "-"
    if turns:
        whole = f"{100 * turns * ffma / (turns * loop['instructions'] + around):.1f}"
    return [loop["instructions"], ffma, loop["ffma_percent"], *(loop[name] for name in COUNTED),
            around or "-", whole]


def loops_of(kernel, architecture, nvcc, nvdisasm, tools):
    """{function: main loop}"""
    compile_kernels, sass = tools
    with tempfile.TemporaryDirectory() as folder:
        cubin = f"{folder}/kernel.cubin"
        subprocess.run([nvcc, *compile_kernels.FLAGS, f"-arch=sm_{architecture}", "-cubin",
                        f"kernels/{kernel}.cu", "-o", cubin], cwd=ROOT, check=True)
        listing = subprocess.run([nvdisasm, "-c", cubin], text=True, capture_output=True,
                                 check=True).stdout
    kernels = sass.kernels_of(listing)
    names = compile_kernels.short_names(list(kernels))
    return {names[symbol]: sass.hot_loop(*code) for symbol, code in kernels.items()}


def rows_of(kernel, known, nvcc, nvdisasm, tools):
    found = {(kernel, function, architecture): loop
             for architecture in sorted({key[2] for key in known if key[0] == kernel}, key=int)
             for function, loop in loops_of(kernel, architecture, nvcc, nvdisasm, tools).items()}
    wanted = {key for key in known if key[0] == kernel}
    if set(found) != wanted:
        raise ValueError(f"{kernel}: nvdisasm shows {sorted(found)}, the table of resources has "
                         f"{sorted(wanted)}")
    hash_now = hash_of(ROOT, kernel)
    return [[*key, *cells_of(ROOT, key[1], found[key]), known[key], hash_now]
            for key in sorted(found, key=lambda key: (key[1], int(key[2])))]


def find_nvdisasm(asked, nvcc):
    if asked:
        return shutil.which(asked)
    beside = os.path.join(os.path.dirname(nvcc), "nvdisasm")
    return shutil.which("nvdisasm") or shutil.which(beside)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--nvcc", metavar="PROGRAM")
    parser.add_argument("--nvdisasm", metavar="PROGRAM")
    parser.add_argument("--write", metavar="FOLDER", type=pathlib.Path)
    options = parser.parse_args()
    compile_kernels = module_of("compile_kernels", ROOT / "tools/compile_kernels")
    sass = module_of("sass_main_loop", ROOT / "tools/sass_main_loop.py")
    nvcc = compile_kernels.find_nvcc(options.nvcc)
    nvdisasm = find_nvdisasm(options.nvdisasm, nvcc) if nvcc else None
    if not nvcc or not nvdisasm:
        print(f"NOT RUN: no {'nvdisasm' if nvcc else 'nvcc'} (of the CUDA toolkit)")
        return 77
    known = wanted_rows(ROOT)
    release = compile_kernels.Compiler(nvcc, ROOT, None).release
    if set(known.values()) != {release}:
        print(f"FAILED: the table of resources is not of nvcc {release}; write it first")
        return 1
    lines = ["\t".join(COLUMNS)]
    try:
        for kernel in sorted({key[0] for key in known}):
            rows = rows_of(kernel, known, nvcc, nvdisasm, (compile_kernels, sass))
            lines += ["\t".join(map(str, row)) for row in rows]
    except (ValueError, subprocess.CalledProcessError, compile_kernels.Failed) as error:
        print(f"FAILED: {error}")
        return 1
    text = "\n".join(lines) + "\n"
    if options.write:
        (options.write / TABLE).write_text(text, encoding="utf-8")
        print(f"{len(lines) - 1} rows in {options.write / TABLE}")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
