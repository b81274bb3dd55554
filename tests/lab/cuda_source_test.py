"""cuda_source_test.py PROGRAM DRIVER: kernels given as CUDA sources, under the CPU execution model.
Right ones are bit-exact; wrong ones fail with the reason and the place; what is no such source, or
does not compile, is NOT RUN with exit code 3. Nothing is left in the temporary folder.

DRIVER is a folder with a libcuda.so.1 that only pretends. With it, where nvcc is, the way of
`--device cuda` is gone up to the launch, which CUDA's runtime refuses: no kernel runs."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from time_limits import stretched

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROWS = ROOT / "docs" / "examples" / "rms_norm_rows.cu"
ELEMENTS = ROOT / "tests" / "lab" / "cuda" / "swiglu_elements.cu"
HEADER = "// touchstone: RmsNormRows<Storage><<<T, 256>>>(x, weight, eps, C, y)\n"
SMALL = ["--case", "f32/normal/C80_T3", "--no-decoys"]


class Checks:
    def __init__(self, program, driver, folder):
        self.driver = driver
        self.program, self.folder = program, pathlib.Path(folder)
        self.temporary = self.folder / "temporary"
        self.temporary.mkdir()
        self.environment = dict(os.environ, TMPDIR=str(self.temporary), LC_ALL="C.UTF-8")
        self.done, self.failures = 0, 0

    def expect(self, what, holds, shown=""):
        self.done += 1
        if not holds:
            self.failures += 1
            print(f"FAILED: {what}\n{shown}")

    def verify(self, op, file, *flags, environment=None):
        ran = subprocess.run([self.program, "verify", op, "--kernel", file, *map(str, flags)],
                             cwd=self.folder, env=environment or self.environment,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=stretched(200), check=False)
        left = list(self.temporary.iterdir())
        self.expect(f"nothing is left in the temporary folder: {file}", not left, left)
        return ran.returncode, ran.stdout.decode()

    def says(self, what, code, words, op, file, *flags, environment=None):
        got, text = self.verify(op, file, *flags, environment=environment)
        text = " ".join(text.split())  # reasons are wrapped
        self.expect(f"{what}: code {code} and {words}",
                    got == code and all(re.search(word, text) if isinstance(word, re.Pattern)
                                        else word in text for word in words),
                    f"code {got}\n{text}")

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")
        return f"./{name}"


def check_right(checks):
    for op, source in (("rmsnorm", ROWS), ("swiglu", ELEMENTS)):
        code, text = checks.verify(op, source, "--no-decoys", "--json", "report.json")
        report = json.loads((checks.folder / "report.json").read_text())["reports"][0]
        checks.expect(f"{op} is bit-exact, in both recipes and every case",
                      code == 0 and text.startswith("BIT-EXACT: ") and
                      "under the CPU execution model" in text.splitlines()[0] and
                      report["kernel"]["device"] == "simt" and report["cases_not_run"] == 0 and
                      set(report["kernel"]["recipes"]) == {"f32", "bf16"} and
                      report["elements"] > 1000, f"code {code}\n{text}\n{report['kernel']}")
    source = ROWS.read_text(encoding="utf-8")
    one = source.replace("RmsNormRows<Storage><<<", "RmsNormRows<touchstone::Bf16><<<")
    checks.says("a kernel for one recipe", 0, ["BIT-EXACT", "recipe bf16"], "rmsnorm",
                checks.write("bf16.cu", one), "--smallest", "--no-decoys")


def check_wrong(checks):
    source = ROWS.read_text(encoding="utf-8")

    def wrong(name, old, new, code, words, *flags, count=1):
        checks.expect(f"{name}.cu differs", source.count(old) >= 1)
        checks.says(name, code, words, "rmsnorm",
                    checks.write(f"{name}.cu", source.replace(old, new, count)), *(flags or SMALL))

    barrier = "    __syncthreads();\n"
    wrong("fold_without_barrier", barrier, "", 1, ["FAILED"])
    wrong("store_without_barrier", "  __syncthreads();\n  for", "  for", 1, ["FAILED"])
    # Right where thread 0 is the first, as in the run that is judged; not in the second one.
    wrong("broadcast_without_barrier", "  const float r =",
          "  __syncthreads();\n  if (j == 0) shared.lane[1] = shared.lane[0];\n"
          "  shared.lane[0] = shared.lane[1];\n  const float r =", 1,
          ["FAILED", "run again"])
    wrong("divergent_barrier", "    if (j < half) shared",
          "    if (j == 7) return;\n    if (j < half) shared", 1,
          ["FAILED", "some threads of the block have exited", "block (0,0,0)",
           "divergent_barrier.cu:2"])
    wrong("writes_past_the_end", "    out[c] = ", "    out[c + 1] = ", 1,
          ["FAILED", "past the end of y"])
    wrong("too_many_threads", "<<<T, 256>>>", "<<<T, 2048>>>", 1, ["FAILED", "2048 threads"])
    wrong("too_much_shared_memory", "<<<T, 256>>>", "<<<T, 256, C * 1000000>>>", 1,
          ["FAILED", "dynamic shared memory"])
    wrong("negative_grid", "<<<T, 256>>>", "<<<T - 1000, 256>>>", 1, ["FAILED", "a launch of -997"])
    wrong("crashes", "  const unsigned j = threadIdx.x;",
          "  const unsigned j = threadIdx.x;\n  __builtin_trap();", 5, ["CRASHED"])


def check_headers(checks):
    body = ROWS.read_text(encoding="utf-8").replace(HEADER, "")

    def refused(line, *words, op="rmsnorm"):
        file = checks.write("header.cu", body + line)
        checks.says(line, 3, ["NOT RUN", "expected one line like // touchstone: ", *words], op,
                    file)

    def launch(configuration="<<<T, 256>>>", arguments="(x, weight, eps, C, y)",
               kernel="RmsNormRows<Storage>"):
        return f"// touchstone: {kernel}{configuration}{arguments}\n"

    refused("", "header.cu: no comment names the launch")
    plugin = checks.write("plugin.cu", body + "TOUCHSTONE_KERNEL(rmsnorm) = {};\n")
    checks.says("a plug-in's source", 3, ["NOT RUN", "is the source of a plug-in", "nvcc ",
                                          "then --kernel ./plugin.so", "new rmsnorm --lang cuda"],
                "rmsnorm", plugin)
    refused(HEADER + HEADER, "lines 33 and 34 both name a launch")
    refused(launch(arguments="(x, wieght, eps, C, y)"), "'wieght' is unknown here; rmsnorm has",
            "x, weight, y (tensors); T, C (sizes); eps (attributes)")
    refused(launch(arguments="(x, shared, eps, C, y)"), "'shared' is unknown")
    refused(launch("<<<T, kBlock>>>"), "'kBlock' is unknown")
    refused(launch(arguments="(x, weight, eps, C)"), "does not pass y, which rmsnorm computes")
    refused(launch(), "'x' is unknown here; swiglu has", op="swiglu")
    refused(launch(arguments="(x, weight, (eps, C, y)"), "a ')' is missing in the arguments")
    refused(launch(arguments="(x, weight, eps), C, y)"),
            "a ')' in the arguments that closes nothing")
    refused(launch("<<<dim3(T, 256>>>"), "a ')' is missing in <<<>>>")
    refused(launch("<<<T, 256"), "<<< is not closed by >>>")
    refused(launch("(T, 256)"), "there is no <<<grid, block>>>")
    refused(launch("<<<T>>>"), "<<<>>> holds 1 expressions")
    refused(launch("<<<T, 256, 0, 0>>>"), "<<<>>> holds 4 expressions", "the stream is the lab's")
    refused(launch("<<<T, , 0>>>"), "an empty expression in <<<>>>")
    refused(launch(arguments=""), "the arguments in (brackets) are expected")
    refused(launch(kernel=""), "no kernel before <<<")
    refused(launch(kernel="Rms-Norm"), "is no kernel's name")
    refused(launch(arguments='(x, weight, eps, C, y); system("true")'), "has no place in a launch")
    refused(launch(arguments="(x, weight, eps, C, y /*) */)"), "a comment within the launch")


def check_compiling(checks):
    source = ROWS.read_text(encoding="utf-8")
    error = checks.write("error.cu", source.replace("unsigned j =", "unsigned jj ="))
    undeclared = re.compile("'j' was not declared|undeclared identifier 'j'")  # g++, clang
    checks.says("a compile error", 3, ["NOT RUN", "does not compile", "error.cu:21:", undeclared],
                "rmsnorm", error)
    shared = checks.write("shared.cu", source.replace("Lanes& shared = simt::Shared<Lanes>();",
                                                      "__shared__ Lanes shared;"))
    checks.says("CUDA's own shared memory", 3, ["NOT RUN", "use simt::Shared<T>()"], "rmsnorm",
                shared)
    absent = checks.write("absent.cu", source.replace("sqrtf(", "root_of(").replace(
        "struct Lanes", "float root_of(float);\nstruct Lanes"))
    checks.says("a function that is nowhere", 3, ["NOT RUN", "undefined reference"], "rmsnorm",
                absent)
    open_comment = checks.write("open_comment.cu", source + "/* not closed")
    unterminated = re.compile(r"unterminated (/\* )?comment")
    checks.says("a comment that is not closed", 3, ["NOT RUN", unterminated], "rmsnorm",
                open_comment)
    checks.says("no such file", 3, ["NOT RUN", "no such file"], "rmsnorm", "./nothing.cu")
    (checks.folder / "folder.cu").mkdir()
    checks.says("a folder", 3, ["NOT RUN", "is no file"], "rmsnorm", "./folder.cu")
    os.mkfifo(checks.folder / "pipe.cu")
    checks.says("a pipe", 3, ["NOT RUN", "is no file"], "rmsnorm", "./pipe.cu")
    full = dict(checks.environment, TMPDIR=str(checks.folder / "nowhere"))
    here = dict(checks.environment, TMPDIR="temporary", TOUCHSTONE_ROOT=os.path.relpath(
        ROOT, checks.folder))
    checks.says("relative names of folders", 0, ["BIT-EXACT"], "rmsnorm", str(ROWS), *SMALL,
                environment=here)
    checks.says("a temporary folder that is not there", 0, ["BIT-EXACT"], "rmsnorm", str(ROWS),
                *SMALL, environment=full)


def check_hostile_names(checks):
    """A folder and a file that a shell would read otherwise, and what lies beside the source."""
    folder = checks.folder / "a b'c\"d$(touch evil)\n\\;e"
    folder.mkdir()
    source = ROWS.read_text(encoding="utf-8")
    (folder / "lanes.cuh").write_text(
        "#pragma once\nstruct Lanes {\n  float lane[256];\n};\n", encoding="utf-8")
    text = source.replace("struct Lanes {\n  float lane[256];\n};\n", '#include "lanes.cuh"\n')
    name = "k \"'`touch evil`$(touch evil)\n.cu"
    (folder / name).write_text(text, encoding="utf-8")
    checks.says("a hostile name", 0, ["BIT-EXACT"], "rmsnorm", str(folder / name), *SMALL)
    (folder / name).write_text(text.replace("unsigned j =", "unsigned jj ="), encoding="utf-8")
    checks.says("a hostile name and an error", 3, ["does not compile"], "rmsnorm",
                str(folder / name), *SMALL)
    evil = list(checks.folder.rglob("evil"))
    checks.expect("no shell has read a name", not evil, evil)


def check_devices(checks):
    gpu = pathlib.Path("/dev/nvidiactl").exists()
    if not gpu:
        checks.says("no GPU", 3, ["NOT RUN", "--device cuda: there is no CUDA"], "rmsnorm",
                    str(ROWS), "--device", "cuda")
    checks.says("the CPU by name", 0, ["BIT-EXACT", "CPU execution model"], "rmsnorm", str(ROWS),
                *SMALL, "--device", "cpu")
    checks.says("no other device", 2, ["--device"], "rmsnorm", str(ROWS), "--device", "tpu")


    (checks.folder / "lib.cc").write_text(
        '#include "touchstone.h"\nstatic int run(const touchstone_call*) { return 1; }\n'
        'TOUCHSTONE_KERNEL(rmsnorm) = {TOUCHSTONE_ABI, sizeof(touchstone_kernel), "l", "rmsnorm",\n'
        'TOUCHSTONE_F32, TOUCHSTONE_CPU, nullptr, nullptr, run};\n', encoding="utf-8")
    subprocess.run(["c++", "-shared", "-fPIC", f"-I{ROOT}/lab/include", "lib.cc", "-o", "lib.so"],
                   cwd=checks.folder, check=True)
    checks.says("a library for another device", 3,
                ["NOT RUN", "computes on cpu, and --device cuda was asked for"], "rmsnorm",
                "./lib.so", "--device", "cuda")


def check_nvcc(checks):
    """What nvcc is given, and what becomes of it, as far as that goes without a GPU."""
    if shutil.which("nvcc", path=f"{os.environ['PATH']}:/usr/local/cuda/bin") is None:
        print("NOT RUN: no nvcc: --device cuda is not tried")
        return
    pretended = dict(checks.environment, LD_LIBRARY_PATH=checks.driver)
    plain = ROWS.read_text(encoding="utf-8").replace(
        "Lanes& shared = simt::Shared<Lanes>();", "__shared__ Lanes shared;").replace(
        '#include "kernels/simt/simt.cuh"\n', "")
    checks.says("CUDA with nothing of ours comes to its launch", 1,
                ["FAILED", "CUDA driver version is insufficient"], "rmsnorm",
                checks.write("plain.cu", plain), *SMALL, "--device", "cuda", environment=pretended)
    error = checks.write("wrong.cu", plain.replace("unsigned j =", "unsigned jj ="))
    checks.says("nvcc's messages", 3,
                ["NOT RUN", 'wrong.cu(20): error: identifier "j" is undefined'], "rmsnorm", error,
                *SMALL, "--device", "cuda", environment=pretended)


def check_types(checks):
    """What a call passes compiles for ops whose arguments are of every kind. The kernel does
    nothing, which is wrong."""
    kernel = ('#include "kernels/simt/simt.cuh"\n'
              "struct Any { template <typename T> Any(T) {} };\n"
              "template <typename Storage> __global__ void Kernel(%s) {}\n")
    for op in ("sampling", "attention", "rope_frequencies", "moe_block"):
        file = checks.write("empty.cu", "\n")
        _, text = checks.verify(op, file)
        line = " ".join(text.split()).split("one line like ")[1]
        count = line.split(">>>")[1].count(",") + 1
        file = checks.write("any.cu", kernel % ", ".join(["Any"] * count) + line + "\n")
        checks.says(f"a kernel that does nothing: {op}", 1, ["FAILED"], op, file, "--smallest",
                    "--no-invariance", "--no-decoys")


def check_signal(checks):
    """The compiler, given what takes it long, ends with the program, and the folder goes."""
    slow = ROWS.read_text(encoding="utf-8") + """
template <int n> struct Slow { static constexpr long value = Slow<n - 1>::value + n; };
template <> struct Slow<0> { static constexpr long value = 0; };
constexpr long Steps(long n) { long s = 0; for (long i = 0; i < n; ++i) s += i % 7; return s; }
constexpr long a0 = Steps(3000000), a1 = Steps(3000001), a2 = Steps(3000002), a3 = Steps(3000003);
constexpr long a4 = Steps(3000004), a5 = Steps(3000005), a6 = Steps(3000006), a7 = Steps(3000007);
"""
    file = checks.write("slow.cu", slow)
    running = subprocess.Popen([checks.program, "verify", "rmsnorm", "--kernel", file],
                               cwd=checks.folder, env=checks.environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begin = time.monotonic()
    while (not list(checks.temporary.glob("*/said.txt")) and
           time.monotonic() - begin < stretched(20)):
        time.sleep(0.01)
    checks.expect("the compiler was there when the signal came",
                  bool(list(checks.temporary.glob("*/said.txt"))) and running.poll() is None)
    running.send_signal(signal.SIGTERM)
    code = running.wait(timeout=stretched(20))
    checks.expect("a signal ends the program as it should", code == -signal.SIGTERM, code)
    left = list(checks.temporary.iterdir())
    checks.expect("a signal leaves no folder", not left, left)


def check_fuzz(checks):
    wrong = checks.write("fuzzed.cu", ROWS.read_text(encoding="utf-8").replace(
        "c = j; c < C; c += 256) sum", "c = j; c < C - 1; c += 256) sum"))
    ran = subprocess.run([checks.program, "fuzz", "rmsnorm", "--kernel", wrong, "--time", "20s"],
                         cwd=checks.folder, env=checks.environment, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         timeout=stretched(120), check=False)
    checks.expect("fuzz finds what is wrong", ran.returncode == 1, ran.stdout.decode())


def main():
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(*sys.argv[1:], folder)
        for check in (check_right, check_wrong, check_headers, check_compiling,
                      check_hostile_names, check_devices, check_types, check_nvcc, check_signal,
                      check_fuzz):
            check(checks)
    print(f"{checks.done} checks, {checks.failures} failures")
    return 0 if checks.failures == 0 and checks.done > 0 else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("usage: cuda_source_test.py PROGRAM DRIVER", file=sys.stderr)
        sys.exit(2)
    sys.exit(main())
