#!/usr/bin/env python3
"""What the hot loop of each kernel consists of: counts over nvdisasm's output.

usage: tools/sass_main_loop.py [--json] [--nvdisasm PATH] [--kernel REGEX] [--min-share PERCENT]
                               CUBIN...

The hot loop is the body of the backward branch that holds the most FFMA outside of the loops in
it. Printed a kernel: registers, bytes of stack (spills), instructions of the loop, the share of
FFMA among them, their number, and those of LDS and STS (shared memory), LDG (global memory), LDGSTS
(asynchronous copies), LDL and STL (spills), BAR (barriers). "around": the instructions of the next
loop outwards that are not of the hot loop; where that one turns n times for each of these, the
share of both is n FFMA / (n loop + around).

With --min-share the exit status is 1 where a kernel's share lies below it. Exit status 77, with
"NOT RUN", where there is no nvdisasm. Registers come from cuobjdump beside nvdisasm, else null.
"""

import argparse
import collections
import json
import os
import re
import shutil
import subprocess
import sys

INSTRUCTION = re.compile(
    r"/\*([0-9a-f]{4,})\*/\s+(?:\{\s*)?(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)(.*?);"
)
LABEL = re.compile(r"^(\.L_\w+):")
SECTION = re.compile(r"^\.text\.(\S+):")
COUNTED = ("FFMA", "LDS", "STS", "LDG", "LDGSTS", "LDL", "STL", "BAR")


def kernels_of(listing):
    """{mangled name: ([(address, opcode, operands)], {label: address})} of a listing."""
    kernels = {}
    code, labels, waiting = [], {}, []
    for line in listing.splitlines():
        section = SECTION.match(line)
        if section:
            code, labels, waiting = [], {}, []
            kernels[section.group(1)] = (code, labels)
        elif LABEL.match(line):
            waiting.append(LABEL.match(line).group(1))
        else:
            found = INSTRUCTION.search(line)
            if found:
                address = int(found.group(1), 16)
                labels.update((label, address) for label in waiting)
                waiting = []
                code.append((address, found.group(2), found.group(3)))
    return kernels


def loops_of(code, labels):
    """The [first, last] addresses of every backward branch's body."""
    loops = []
    for address, opcode, operands in code:
        target = re.search(r"`\((\.L_\w+)\)", operands)
        if opcode.split(".")[0] == "BRA" and target:
            first = labels.get(target.group(1))
            if first is not None and first < address:
                loops.append((first, address))
    return loops


def hot_loop(code, labels):
    """Counts over the loop whose own FFMA, outside of the loops in it, are the most; of equals,
    the one with the least around it."""

    def count(loop, name=""):
        return sum(op.startswith(name) for at, op, _ in code if loop[0] <= at <= loop[1])

    def within(one, two):
        return one != two and two[0] <= one[0] and one[1] <= two[1]

    loops = sorted(set(loops_of(code, labels)), key=lambda loop: (loop[1] - loop[0], loop))
    best, best_key = None, (0, 0)
    for loop in loops:
        inner = [one for one in loops if within(one, loop)]
        outermost = [one for one in inner if not any(within(one, two) for two in inner)]
        own = count(loop, "FFMA") - sum(count(one, "FFMA") for one in outermost)
        around = [count(outer) - count(loop) for outer in loops if within(loop, outer)]
        key = (own, -around[0] if around else 0)
        if key > best_key:
            best, best_key, best_around = loop, key, around[0] if around else None
    if best is None:
        return None
    body = [op for at, op, _ in code if best[0] <= at <= best[1]]
    counts = collections.Counter(op.split(".")[0] for op in body)
    return {
        "instructions": len(body),
        **{name: counts[name] for name in COUNTED},
        "around": best_around,
        "ffma_percent": round(100.0 * counts["FFMA"] / len(body), 1),
    }


def resources_of(cubin, nvdisasm):
    """{mangled name: {"registers", "stack"}} by cuobjdump beside nvdisasm, or in PATH."""
    beside = os.path.join(os.path.dirname(nvdisasm), "cuobjdump")
    tool = beside if os.access(beside, os.X_OK) else shutil.which("cuobjdump")
    if tool is None:
        return {}
    listing = subprocess.run([tool, "--dump-resource-usage", cubin], text=True, capture_output=True)
    found = re.findall(r"Function (\S+):\s*REG:(\d+) STACK:(\d+)", listing.stdout)
    return {name: {"registers": int(reg), "stack": int(stack)} for name, reg, stack in found}


def demangled(names):
    if shutil.which("c++filt") is None or not names:
        return names
    text = subprocess.run(
        ["c++filt"], input="\n".join(names), text=True, capture_output=True, check=True
    ).stdout
    return [
        re.sub(r"\(anonymous namespace\)::|^void ", "", name).split("(")[0]
        for name in text.splitlines()
    ]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cubins", nargs="+", metavar="CUBIN")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--nvdisasm", default="nvdisasm")
    parser.add_argument("--kernel", default="", metavar="REGEX", help="of the demangled name")
    parser.add_argument("--min-share", type=float, default=0.0, metavar="PERCENT")
    arguments = parser.parse_args()

    nvdisasm = shutil.which(arguments.nvdisasm)
    if nvdisasm is None:
        print("NOT RUN: no nvdisasm")
        return 77

    rows = []
    for cubin in arguments.cubins:
        listing = subprocess.run([nvdisasm, "-c", cubin], text=True, capture_output=True)
        if listing.returncode != 0:
            print(f"{cubin}: {listing.stderr.strip()}", file=sys.stderr)
            return 2
        kernels = kernels_of(listing.stdout)
        resources = resources_of(cubin, nvdisasm)
        for mangled, name in zip(kernels, demangled(list(kernels))):
            if not re.search(arguments.kernel, name):
                continue
            row = {"cubin": cubin, "kernel": name, "registers": None, "stack": None}
            row.update(resources.get(mangled, {}))
            row["loop"] = hot_loop(*kernels[mangled])
            rows.append(row)

    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        print(f"{'regs':>4} {'stack':>5} {'loop':>5} {'FFMA%':>5} {'around':>6}", end=" ")
        print(*(f"{name:>6}" for name in COUNTED), " kernel")
        for row in rows:
            registers = "-" if row["registers"] is None else row["registers"]
            stack = "-" if row["stack"] is None else row["stack"]
            loop = row["loop"]
            if loop is None:
                print(f"{registers:>4} {stack:>5}  no loop with FFMA", " " * 57, row["kernel"])
                continue
            print(f"{registers:>4} {stack:>5} {loop['instructions']:>5}", end=" ")
            print(f"{loop['ffma_percent']:>5} {loop['around'] or '-':>6}", end=" ")
            print(*(f"{loop[name]:>6}" for name in COUNTED), end="  ")
            print(row["kernel"])
    if not rows:
        print("no kernel", file=sys.stderr)
        return 2
    low = [row for row in rows if row["loop"] and row["loop"]["ffma_percent"] < arguments.min_share]
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
