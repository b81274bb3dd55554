"""starters_test.py PROGRAM COMPILER: the sources that `new` writes build as their first lines say,
without a warning, and pass as they stand; every op and chain has one in C. They are judged on the
op's suite; what that suite is worth is not asked again for each.

Those in CUDA are never run on a GPU here. They are compiled as C++, their launches written as calls
and threads as fibers (cuda_on_processor.h), and judged like any plug-in; where clang 14 is there it
checks the text itself, for host and device (cuda_declarations.h)."""

import json
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
CUDA = ["linear", "residual_add", "rmsnorm", "rope", "swiglu"]
LAUNCH = re.compile(r"(\w+)<<<(.+?), (\w+), 0, stream>>>\((.*?)\);", re.DOTALL)


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

    def judge(self, op, library):
        code, text = self.run(self.program, "verify", op, "--kernel", library, "--no-invariance",
                              "--no-decoys", "--quiet", "--json", f"{library}.json")
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
    long = [line for line in source.splitlines() if len(line) > 100 and not line.startswith("//")]
    checks.expect(f"{op}.c has at most 100 columns of code", not long, "\n".join(long))
    checks.judge(op, f"./{op}.so")


def check_cuda(checks, op, compiler):
    code, text = checks.run(checks.program, "new", op, "--lang", "cuda")
    checks.expect(f"new {op} --lang cuda", code == 0, text)
    source = (checks.folder / f"{op}.cu").read_text(encoding="utf-8")
    launched = LAUNCH.sub(r"Launch(\2, \3, stream, [&] { \1(\4); });", source)
    code_alone = re.sub(r"^//.*$", "", launched, flags=re.MULTILINE)
    checks.expect(f"{op}.cu launches once", "<<<" in source and "<<<" not in code_alone)
    checks.expect(f"{op}.cu names the other way", f"verify {op} --kernel ./mine.cu" in source)
    launched = launched.replace("TOUCHSTONE_CUDA", "TOUCHSTONE_CPU")
    (checks.folder / f"{op}.cc").write_text(launched, encoding="utf-8")
    code, text = checks.run(compiler, "-std=c++20", "-O0", "-Wall", "-Wextra", "-Werror", "-shared",
                            "-fPIC", "-include", HERE / "cuda_on_processor.h",
                            f"-I{ROOT}/lab/include", f"{op}.cc", "-o", f"{op}_cuda.so")
    checks.expect(f"{op}.cu compiles as C++", code == 0, text)
    checks.judge(op, f"./{op}_cuda.so")
    if shutil.which("clang-14") is None:
        return
    for side in ("host", "device"):
        code, text = checks.run(
            "clang-14", "-x", "cuda", "-std=c++17", "-nocudainc", "-nocudalib",
            f"--cuda-{side}-only", "--cuda-gpu-arch=sm_80", "-fsyntax-only", "-Wall", "-Wextra",
            "-Wno-unknown-cuda-version", "-Werror", "-include", HERE / "cuda_declarations.h",
            f"-I{ROOT}/lab/include", f"{op}.cu")
        checks.expect(f"{op}.cu is CUDA for clang 14, {side}", code == 0, text)


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
    refused(3, "sampling", "--lang", "cuda")


def main():
    program, compiler = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(program, folder)
        listed = json.loads(checks.run(program, "list", "--json")[1])
        for op in [op["name"] for op in listed["ops"]]:
            check_c(checks, op)
        for op in CUDA:
            check_cuda(checks, op, compiler)
        code, text = checks.run(program, "new", "attention", "--lang", "cuda")
        checks.expect("an op without a starter in CUDA names those that have one",
                      code == 3 and "there is linear.cu, residual_add.cu, rmsnorm.cu" in text, text)
        check_command_line(checks)
    if shutil.which("clang-14") is None:
        print("NOT RUN: clang 14 is not installed; the CUDA starters were compiled as C++ only")
    print(f"{checks.done} checks, {checks.failures} failures")
    return 0 if checks.failures == 0 and checks.done > 0 else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("usage: starters_test.py PROGRAM COMPILER", file=sys.stderr)
        sys.exit(2)
    sys.exit(main())
