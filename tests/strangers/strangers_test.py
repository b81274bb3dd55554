"""strangers_test.py PROGRAM FOLDER: kernels of op linear that nobody here wrote, and wrong ones.

The plug-ins of tests/strangers lie in FOLDER; one whose library is not installed is NOT RUN. Each
right one must be judged honestly: within the bound, whatever its order of summation, with the order
named where the panel of profiles has it. Each wrong one must be FAILED with the words that help."""

import ctypes
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from time_limits import stretched


class Checks:
    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)
        self.done, self.failures, self.not_run = 0, 0, []

    def expect(self, what, holds, shown=""):
        self.done += 1
        if not holds:
            self.failures += 1
            print(f"FAILED: {what}\n{shown}")

    def judge(self, kernel, *flags):
        """(exit code, text, report) of `verify linear`."""
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.json"
            ran = subprocess.run(
                [self.program, "verify", "linear", "--kernel", f"{self.folder}/{kernel}", "--json",
                 report, *flags], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=stretched(120), check=False)
            read = json.loads(report.read_text())["reports"][0] if report.exists() else {}
            return ran.returncode, ran.stdout.decode(), read

    def has(self, library):
        if (self.folder / library).exists():
            return True
        self.not_run.append(library)
        return False


def processor_has(flag):
    return f" {flag}" in pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii")


def causes_of(report):
    return [cause for failure in report.get("failures", []) for cause in failure.get("causes", [])]


def check_right(checks, library, name):
    """A right kernel: passed, its ratio at most 1, the order said to be found or not to be."""
    if not checks.has(library):
        return
    code, text, report = checks.judge(library)
    first = text.splitlines()[0] if text else ""
    checks.expect(f"{name} passes", code == 0 and first.startswith(("BIT-EXACT", "WITHIN BOUND")),
                  f"code {code}\n{text}")
    checks.expect(f"{name} is named in the report", name in first, text)
    checks.expect(f"{name}: a ratio of at most 1", 0 < report.get("largest_ratio", 2) <= 1, text)
    checks.expect(f"{name}: compared elements, and decoys rejected",
                  report.get("elements", 0) > 100 and len(report["decoys"]["list"]) > 5, text)
    checks.expect(f"{name}: profiles were tried", report["profiles"]["tried"] and
                  ("profile" in text), text)
    print(f"{name}: {first.split(':')[0]}; profiles with equal bits: "
          f"{', '.join(report['profiles']['equal_bits']) or 'none'}; "
          f"batch {'NOT ' if report['batch_invariance']['rows_different'] else ''}invariant")


# A case in which the orders of summation of most libraries can be told apart.
TELLING = "f32/normal/C1030_F7_T2"


def check_order(checks, library, name):
    """The names of the profiles that give a library's bits in one case."""
    if not (checks.folder / library).exists():
        return []
    code, text, report = checks.judge(library, "--case", TELLING)
    found = report["profiles"]["equal_bits"]
    print(f"{name} in {TELLING}: {', '.join(found) or 'no declared profile'}")
    for profile in found:
        # A row alone takes another path in these libraries, and another order.
        code, text, _ = checks.judge(library, "--case", TELLING, "--profile", profile,
                                     "--no-invariance")
        checks.expect(f"{name} keeps to {profile}", code == 0 and text.startswith("BIT-EXACT"),
                      f"code {code}\n{text}")
    return found


def check_orders(checks):
    """What is found depends on the processor, for which each library has kernels of its own: with
    AVX2 and no more, OpenBLAS 0.3.21 sums blocks of 320 and halves what is left."""
    orders = {name: check_order(checks, library, name)
              for library, name in (("openblas.so", "OpenBLAS sgemm"), ("blis.so", "BLIS sgemm"),
                                    ("eigen.so", "Eigen product"))}
    if processor_has("avx2") and not processor_has("avx512f") and checks.has("openblas.so"):
        checks.expect("the order of OpenBLAS is named", "order=blocked:320 last=half" in
                      orders["OpenBLAS sgemm"], str(orders))


def check_flushed(checks, kernel, name, *flags):
    """Subnormals flushed to zero: FAILED, in the classes with subnormals, and within the bound
    where that is allowed."""
    code, text, report = checks.judge(kernel, *flags)
    checks.expect(f"{name} FAILED", code == 1 and text.startswith("FAILED"), f"code {code}\n{text}")
    failed = {failure["case"].split("/")[1] for failure in report.get("failures", [])}
    checks.expect(f"{name} fails where subnormals are", failed and
                  failed <= {"subnormals", "tiny", "specials"}, f"{failed}\n{text}")
    checks.expect(f"{name}: the cause", any("flushed to zero" in cause
                                            for cause in causes_of(report)), text)
    code, text, _ = checks.judge(kernel, "--allow", "ftz", *flags)
    checks.expect(f"{name} with --allow ftz", code == 0 and text.startswith("WITHIN BOUND") and
                  "ftz" in text, f"code {code}\n{text}")


def check_onednn(checks):
    if not checks.has("onednn.so"):
        return
    library = ctypes.CDLL(str(checks.folder / "onednn.so"))
    library.matmul_path.restype = ctypes.c_char_p
    f32, bf16 = (library.matmul_path(is_bf16).decode() for is_bf16 in (0, 1))
    flushes = processor_has("avx512_bf16")
    print(f"oneDNN takes '{f32}' for f32 and {repr(bf16) if bf16 else 'nothing'} for bf16; this "
          f"processor has {'' if flushes else 'no '}avx512_bf16")
    code, text, report = checks.judge("onednn.so", "--recipe", "f32")
    checks.expect("oneDNN f32 passes", code == 0 and text.startswith("WITHIN BOUND"),
                  f"code {code}\n{text}")
    if not bf16:
        code, text, report = checks.judge("onednn.so", "--recipe", "bf16")
        checks.expect("without a path for bf16 nothing is judged", code == 3 and
                      text.startswith("NOT RUN") and report["cases"] == 0, f"code {code}\n{text}")
        checks.not_run.append("oneDNN bf16 (no path on this processor)")
    elif flushes:
        check_flushed(checks, "onednn.so", "oneDNN bf16", "--recipe", "bf16")
    else:
        code, text, _ = checks.judge("onednn.so", "--recipe", "bf16")
        checks.expect("oneDNN bf16 passes", code == 0, f"code {code}\n{text}")


def check_wrong(checks, symbol, *words, flags=()):
    """FAILED, with a cause, a pattern or a kind of failure in which all the words are."""
    code, text, report = checks.judge(f"wrong.so:{symbol}", *flags)
    checks.expect(f"{symbol} FAILED", code == 1 and text.startswith("FAILED") and
                  symbol in text.splitlines()[0], f"code {code}\n{text}")
    said = causes_of(report) + [failure["what"] for failure in report.get("failures", [])]
    for word in words:
        checks.expect(f"{symbol}: '{word}'", any(word in text for text in said), text)
    return text, report


def check_wrong_kernels(checks):
    check_wrong(checks, "truncated_operands", "cut to tf32", flags=("--recipe", "f32"))
    code, text, _ = checks.judge("wrong.so:truncated_operands", "--allow", "tf32_truncated")
    checks.expect("truncated_operands where that is allowed", code == 0 and "widened" in text, text)
    check_wrong(checks, "transposed_tile", "t and f are transposed")
    check_wrong(checks, "dropped_channels", "the tail of c beyond the last multiple of 8")
    check_wrong(checks, "dropped_columns", "never written")
    check_wrong(checks, "half_sums", "partial sums in f16")
    check_flushed(checks, "wrong.so:flushed_subnormals", "flushed_subnormals")
    text, report = check_wrong(checks, "racing_threads", flags=("--smallest",))
    checks.expect("racing_threads: two runs differ", report["determinism"]["different"] > 0 and
                  "determinism  NO" in text, text)
    code, text, _ = checks.judge("wrong.so:truncated_operands", "--recipe", "bf16")
    checks.expect("bf16 operands lose nothing in tf32", code == 0, text)


def main():
    checks = Checks(*sys.argv[1:])
    check_right(checks, "openblas.so", "OpenBLAS sgemm")
    check_right(checks, "blis.so", "BLIS sgemm")
    check_right(checks, "eigen.so", "Eigen product")
    check_orders(checks)
    check_onednn(checks)
    check_wrong_kernels(checks)
    for what in checks.not_run:
        print(f"NOT RUN: {what}")
    print(f"{checks.done} checks, {checks.failures} failures")
    return 0 if checks.failures == 0 and checks.done > 0 else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("usage: strangers_test.py PROGRAM FOLDER", file=sys.stderr)
        sys.exit(2)
    sys.exit(main())
