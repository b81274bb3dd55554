"""starters_test.py PROGRAM COMPILER SIMT: the sources that `new` writes build as their first lines
say, without a warning, and pass as they stand. Every op and chain has one in C; every op and each
chain that is one launch has one in CUDA, which `verify` takes as it is. They are judged on the op's
suite; what that suite is worth is not asked again for each.

No plug-in in CUDA is run on a GPU here. They are compiled as C++ under the CPU execution model (the
library SIMT) and judged like any plug-in; where clang 14 is there it checks the text itself, for
host and device, against CUDA's declarations (declared/cuda_runtime.h); where nvcc is, it builds
some."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from time_limits import stretched

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SEVERAL_LAUNCHES = {"moe_block", "attention_block", "nope_attention_block"}
BUILT_BY_NVCC = ["linear", "feed_forward", "sampling"]
NVCC = shutil.which("nvcc", path=f"{os.environ['PATH']}:/usr/local/cuda/bin")
STREAM = "  simt::CurrentStream() = static_cast<cudaStream_t>(call->stream);\n"


class Checks:
    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)
        self.done, self.failures = 0, 0

    def expect(self, what, holds, shown=""):
        self.done += 1
        if not holds:
            self.failures += 1
            print(f"FAILED: {what}\n{shown}")

    def run(self, *words):
        ran = subprocess.run([*map(str, words)], cwd=self.folder, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=stretched(120), check=False)
        return ran.returncode, ran.stdout.decode()

    def judge(self, op, library, *flags):
        code, text = self.run(self.program, "verify", op, "--kernel", library, "--no-invariance",
                              "--no-decoys", "--quiet", "--json", f"{library}.json", *flags)
        report = self.folder / f"{library}.json"
        read = json.loads(report.read_text())["reports"][0] if report.exists() else {}
        self.expect(f"{library} passes: {op}", code == 0 and
                    read["verdict"] in ("BIT-EXACT", "WITHIN BOUND") and read["elements"] > 0 and
                    read["cases_not_run"] == 0, f"code {code}\n{text}")


def check_c(checks, op):
    code, text = checks.run(checks.program, "new", op)
    checks.expect(f"new {op}", code == 0, text)
    source = (checks.folder / f"{op}.c").read_text(encoding="utf-8")
    build = re.search(r"^//   (gcc .*)$", source, re.MULTILINE)
    checks.expect(f"{op}.c says how it is built", build is not None)
    command = build.group(1).split()
    command[1:1] = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror"]
    code, text = checks.run(*command)
    checks.expect(f"{op}.c compiles", code == 0, text)
    columns_of_code(checks, f"{op}.c", source)
    checks.judge(op, f"./{op}.so")


def columns_of_code(checks, name, source):
    long = [line for line in source.splitlines() if len(line) > 100 and not line.startswith("//")]
    checks.expect(f"{name} has at most 100 columns of code", not long, "\n".join(long))


def written(checks, op, *words):
    code, text = checks.run(checks.program, "new", op, *words)
    checks.expect(f"new {op} {words}", code == 0, text)
    return (checks.folder / words[-1]).read_text(encoding="utf-8")


def check_cuda(checks, op):
    """A source, judged by the command that its first lines say."""
    file = f"{op}.cu"
    source = written(checks, op, "--lang", "cuda", "--out", file)
    columns_of_code(checks, file, source)
    commands = re.findall(r"^//   (.*/touchstone verify .*)$", source, re.MULTILINE)
    checks.expect(f"{file} says how it is judged",
                  [command.split("/touchstone ")[1] for command in commands] ==
                  [f"verify {op} --kernel ./{file}",
                   f"verify {op} --kernel ./{file} --device cuda    (on a GPU)"], commands)
    checks.judge(op, f"./{file}")


def check_cuda_plugin(checks, op, compiler, simt):
    file = f"{op}_plugin.cu"
    source = written(checks, op, "--lang", "cuda-plugin", "--out", file)
    columns_of_code(checks, file, source)
    checks.expect(f"{file} names its stream and no launch of verify's",
                  source.count(STREAM) == 1 and "touchstone:" not in source, source)
    (checks.folder / f"{op}.cc").write_text(source.replace(STREAM, "").replace(
        "TOUCHSTONE_CUDA,", "TOUCHSTONE_CPU,"), encoding="utf-8")
    code, text = checks.run(compiler, "-std=c++20", "-O1", "-ffp-contract=off", "-Wall", "-Wextra",
                            "-Werror", "-shared", "-fPIC", f"-I{ROOT}", f"-I{ROOT}/lab/include",
                            f"{op}.cc", simt, "-o", f"{op}_cuda.so")
    checks.expect(f"{file} compiles as C++", code == 0, text)
    # The kernel is that of the source, which is judged on the whole suite.
    checks.judge(op, f"./{op}_cuda.so", "--smallest")
    if shutil.which("clang-14") is not None:
        for side in ("host", "device"):
            code, text = checks.run(
                "clang-14", "-x", "cuda", "-std=c++20", "-nocudainc", "-nocudalib",
                f"--cuda-{side}-only", "--cuda-gpu-arch=sm_80", "-fsyntax-only", "-Wall", "-Wextra",
                "-Wno-unknown-cuda-version", "-Werror", "-D__CUDACC__", "-isystem",
                HERE / "declared", f"-I{ROOT}", f"-I{ROOT}/lab/include", file)
            checks.expect(f"{file} is CUDA for clang 14, {side}", code == 0, text)
    if NVCC is not None and op in BUILT_BY_NVCC:
        command = re.search(r"^//   (nvcc .*)$", source, re.MULTILINE).group(1).split()
        command = [word.replace("-arch=native", "-arch=sm_90") for word in command]
        code, text = checks.run(NVCC, *command[1:], "-Werror", "all-warnings")
        checks.expect(f"{file} builds by nvcc", code == 0, text)


def check_way_from_plugin(checks):
    """A plug-in's source is refused by a message that says how it is built, and what else."""
    code, text = checks.run(checks.program, "verify", "rmsnorm", "--kernel", "./rmsnorm_plugin.cu")
    text = " ".join(text.split())
    checks.expect("verify of a plug-in's source says what to do",
                  code == 3 and "is the source of a plug-in" in text and
                  "./rmsnorm_plugin.cu -o rmsnorm_plugin.so, then --kernel ./rmsnorm_plugin.so" in
                  text and "`touchstone new rmsnorm --lang cuda`" in text, text)
    for op in sorted(SEVERAL_LAUNCHES):
        for language in ("cuda", "cuda-plugin"):
            code, text = checks.run(checks.program, "new", op, "--lang", language, "--out", "no.cu")
            checks.expect(f"new {op} --lang {language} says what to begin with",
                          code == 3 and len(text.splitlines()) == 1 and "linear" in text and
                          f"`new {op}`" in text and not (checks.folder / "no.cu").exists(), text)


def check_command_line(checks):
    def refused(code, *words):
        got, text = checks.run(checks.program, "new", *words)
        checks.expect(f"new {words}", got == code and len(text.splitlines()) >= 1, text)

    refused(2, "nothing")
    refused(2, "rmsnorm", "--lang", "fortran")
    refused(2, "rmsnorm")  # rmsnorm.c is there already
    refused(0, "rmsnorm", "--force")
    refused(2, "rmsnorm", "--out", checks.folder)
    refused(3, "rmsnorm", "--out", "no/such/folder.c")


def main():
    program, compiler, simt = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(program, folder)
        listed = json.loads(checks.run(program, "list", "--json")[1])
        ops = [op["name"] for op in listed["ops"]]
        for op in ops:
            check_c(checks, op)
            if op not in SEVERAL_LAUNCHES:
                check_cuda(checks, op)
                check_cuda_plugin(checks, op, compiler, simt)
        checks.expect("there are such chains", SEVERAL_LAUNCHES < set(ops), ops)
        check_way_from_plugin(checks)
        check_command_line(checks)
    if shutil.which("clang-14") is None:
        print("NOT RUN: clang 14 is not installed; plug-ins in CUDA were compiled as C++ only")
    if NVCC is None:
        print("NOT RUN: no nvcc; no plug-in was built for a GPU")
    print(f"{checks.done} checks, {checks.failures} failures")
    return 0 if checks.failures == 0 and checks.done > 0 else 1


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print("usage: starters_test.py PROGRAM COMPILER SIMT", file=sys.stderr)
        sys.exit(2)
    sys.exit(main())
