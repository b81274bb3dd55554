"""The battery's parts that need neither a GPU nor nvcc: what they make of what tools and programs
say, for which architecture a kernel is compiled, what is asked of which sizes."""

import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import time
import types

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import bench_part
import building
import machine
import report
import sanitize_part
import verify_part

ROOT = building.ROOT
failures = []
checks = 0


def expect(what, found, wanted):
    global checks
    checks += 1
    if found != wanted:
        failures.append(what)
        print(f"FAILED: {what}: found {found!r}, expected {wanted!r}")


def check_architectures():
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        file = pathlib.Path(name, "kernel.cu").relative_to(ROOT)

        def chosen(names, capability):
            (ROOT / file).write_text(f"// architectures: {names}\n")
            try:
                return building.architecture_for(str(file), capability)
            except building.NotBuilt:
                return None

        expect("its own", chosen("80 90 100", 90), "90")
        expect("an older one of the same kind", chosen("80 90 100", 89), "80")
        expect("none of another kind", chosen("80 90", 120), None)
        expect("no newer one", chosen("103", 100), None)
        expect("the one with more instructions", chosen("90 90a", 90), "90a")
        expect("which runs nowhere else", chosen("100a", 103), None)
        (ROOT / file).write_text("// code of the host\n")
        expect("code of the host", building.architecture_for(str(file), 90), "90")
    for path in ROOT.glob("kernels/*/*.cu"):
        if path.parent.name not in ("cublas", "model"):
            building.architecture_for(str(path.relative_to(ROOT)), 90)


def check_sanitizer():
    judged = sanitize_part.judged
    clean = "0 failed\n========= ERROR SUMMARY: 0 errors\n"
    expect("clean", judged(clean, 0), ("CLEAN", ""))
    expect("a failed program is not clean", judged(clean, 1)[0], "FAILED")
    stray = ("========= COMPUTE-SANITIZER\n========= Invalid __global__ write of size 4 bytes\n"
             "=========     at Kernel+0x70 in kernel.cu:7\n========= ERROR SUMMARY: 1 error\n")
    expect("a stray write", judged(stray, 9),
           ("FAILED", "1 errors; ========= Invalid __global__ write of size 4 bytes"))
    race = "========= RACECHECK SUMMARY: %d hazards displayed (%d errors, %d warnings)\n"
    expect("no race", judged(race % (0, 0, 0), 0), ("CLEAN", ""))
    expect("a race", judged(race % (1, 1, 0), 9)[0], "FAILED")
    expect("a race that is a warning", judged(race % (1, 0, 1), 0)[0], "FAILED")
    expect("no summary", judged("Segmentation fault\n", 139)[0], "NOT RUN")
    expect("no such device", judged("========= Error: Device not supported\n", 1)[0], "NOT RUN")


def check_verdicts():
    kernels = {f"{path.parent.name}/{path.stem}" for path in ROOT.glob("kernels/*/*.cu")
               if path.parent.name not in ("cublas", "model")}
    exact = dict.fromkeys(kernels, "BIT-EXACT")
    expect("confirmed by all", verify_part.wrapper_verdicts(exact), {"ptx/cp_async": "BIT-EXACT"})
    one = dict(exact, **{"linear/slices_per_warp": "FAILED"})
    expect("failed by one", verify_part.wrapper_verdicts(one), {"ptx/cp_async": "FAILED"})
    through = dict(exact, **{"feed_forward/fused_gate_up": "FAILED"})
    expect("failed by one that calls another's kernel", verify_part.wrapper_verdicts(through),
           {"ptx/cp_async": "FAILED"})
    other = dict(exact, **{"swiglu/chunk_per_thread": "FAILED"})
    expect("of one that does not use it", verify_part.wrapper_verdicts(other),
           {"ptx/cp_async": "BIT-EXACT"})
    expect("nothing of nothing", verify_part.wrapper_verdicts({}), {})
    expect("the worst of two", verify_part.worst("BIT-EXACT", "FAILED"), "FAILED")


PROGRAM = r"""#!/usr/bin/python3
import json, pathlib, sys
words = sys.argv[1:]
if words[0] == "list":
    print(json.dumps({"ops": [{"name": "linear"}, {"name": "rmsnorm"}, {"name": "no_kernel"}]}))
elif words[0] == "verify" and "--kernel" in words:
    if "past_the_end" in words[3]:
        print("FAILED: swiglu: writes 2 bytes past the end of y, the first 0 bytes after it")
        sys.exit(1)
    if words[1] == "swiglu":
        sys.exit(3)
    print("WITHIN BOUND, largest ratio 0.5: rmsnorm by a kernel")
elif words[0] == "verify":
    if words[1] == "rmsnorm":
        sys.exit("Segmentation fault, says the shell")
    rows = [{"implementation": "kernels/register_tiles", "verdict": "BIT-EXACT", "cases": 7},
            {"implementation": "kernels/slices_per_warp",
             "verdict": "BIT-EXACT" if "default" in words else "FAILED", "cases": 9,
             "failures": [{"got": "writes 4 bytes past the end of argument 3 (TF)"}]},
            {"implementation": "kernels/cublas_gemm", "verdict": "NOT RUN",
             "reason": "there is no cuBLAS here"}]
    pathlib.Path(words[words.index("--json") + 1]).write_text(json.dumps({"reports": rows}))
elif words[0] == "trace":
    pathlib.Path(words[words.index("--out") + 1]).write_text("")
elif words[0] == "diff":
    sys.exit(1 if "guard-tiny_bf16" in words[1] else 0)
else:
    print("text")
"""


def check_part_verify():
    """To the end, with a program that pretends."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = folder / "touchstone"
        program.write_text(PROGRAM, encoding="utf-8")
        program.chmod(0o755)
        build = types.SimpleNamespace(program=program, folder=folder, environment=lambda: None)
        about = {"gpu": {"name": "A GPU", "driver_version": "1.2"}, "date": "2026-01-02"}
        options = types.SimpleNamespace(device="cuda", jobs=4)
        value, text, passed = verify_part.run_part(build, about, options, time.monotonic() + 60,
                                                   folder)
        expect("a failure is one", passed, False)
        rows = (folder / "hardware_runs.tsv").read_text().splitlines()
        expect("the columns are those of the table", rows[0],
               (ROOT / "docs/tables/hardware_runs.tsv").read_text().splitlines()[0])
        expect("a row", rows[1], "linear/register_tiles\tA GPU\t2026-01-02\t1.2\tBIT-EXACT")
        words = dict((row.split("\t")[0], row.split("\t")[-1]) for row in rows[1:])
        expect("verdicts", words, {
            "linear/register_tiles": "BIT-EXACT", "linear/slices_per_warp": "FAILED",
            "rmsnorm/block_per_row": "FAILED", "rmsnorm/row_in_registers": "FAILED",
            "ptx/cp_async": "FAILED"})
        expect("why", "writes 4 bytes past the end of argument 3 (TF)" in text and
               "there is no cuBLAS here" in text and "Segmentation fault" in text, True)
        expect("plug-ins", [row[1] for row in value["plug_ins"]],
               ["WITHIN BOUND", "NOT RUN", "PASSED"])
        expect("a model that differs", [row[1] for row in value["models"]
                                        if row[0] == "trace guard-tiny bf16"], ["FAILED"])
        expect("texts that agree", {row[1] for row in value["models"] if "generate" in row[0]},
               {"BIT-EXACT"})


def check_part_bench():
    with tempfile.TemporaryDirectory() as name:
        program = pathlib.Path(name, "kernel_bench")
        line = ('{"where": "qkv", "op": "linear", "case": "bf16 C5120_F7168_T1", "kernel": "%s", '
                '"verdict": "%s", "what": "", "compared": 5, "flops": 73400320, "bytes": 73424896, '
                '"floor_seconds": 1.7e-05, "bound_by": "memory", "runs": %d, '
                '"median_seconds": 3.4e-05, "quartiles_seconds": [3.3e-05, 3.5e-05]}')
        program.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join([
            '{"gpu": "A GPU", "multiprocessors": 1, "cache_bytes": 1, "cublas": "cuBLAS 13.0.1"}',
            '{"copy_bytes_per_second": 4.3e12, "fma_flops_per_second": 6e13, '
            '"cublas_bf16_flops_per_second": 7.9e14, "empty_launch_seconds": 2.1e-06}',
            line % ("slices_per_warp", "BIT-EXACT", 30), line % ("wrong", "FAILED", 0),
            '{"left_out": "sampling f32 B64"}', '{"where": "cut in the mid']) + "\nEND\nexit 1\n")
        program.chmod(0o755)
        build = types.SimpleNamespace(bench=program, environment=lambda: None)
        value, text, passed = bench_part.run_part(build, {}, None, time.monotonic() + 30, None)
        expect("a failure is one", passed, False)
        expect("both rows", [row["kernel"] for row in value["results"]],
               ["slices_per_warp", "wrong"])
        expect("half of the floor", "| 34 us | 33 us - 35 us | 2.16e+03 GB/s | 50 % (memory) |"
               in text, True)
        expect("what is left out", "Left out, the time was over: sampling f32 B64" in text, True)
        expect("a failed one has no time", "| wrong | FAILED | - | - |" in text, True)


def check_sizes():
    """Every op with a kernel is timed; a row is written once."""
    lines = [line.split("\t") for line in
             (ROOT / "bench/kernel_sizes.tsv").read_text().splitlines() if not line.startswith("#")]
    ops = {path.parent.name for path in ROOT.glob("kernels/*/*.cu")} - {"cublas", "model"}
    expect("the ops", {line[1] for line in lines}, ops)
    expect("no row twice", len({tuple(line[1:]) for line in lines}), len(lines))


def check_usage():
    done = subprocess.run([HERE / "run", "nothing"], capture_output=True, text=True, check=False)
    expect("no such part", (done.returncode, "invalid choice" in done.stderr), (2, True))
    with contextlib.redirect_stdout(io.StringIO()):
        text = report.heading("T", {"gpu": None, "date": "d", "nvcc": None, "processor": "p",
                                    "commit": "c"}, {"clocks.sm": [345.0, 1980.0, 1980.0]})
    expect("clocks", "| clocks.sm while it ran | 345 to 1980, median 1980 |" in text, True)
    expect("a name", report.stem({"gpu": {"name": "NVIDIA H200"}, "date": "2026-12-31"}, "cuda",
                                 "bench"), "nvidia_h200_2026_12_31_bench")
    with machine.Clocks(0.01) as clocks:
        pass
    expect("clocks without a GPU, or with one", isinstance(clocks.summary(), dict), True)


def main():
    (ROOT / "build").mkdir(exist_ok=True)
    check_architectures()
    check_sanitizer()
    check_verdicts()
    check_part_verify()
    check_part_bench()
    check_sizes()
    check_usage()
    print(f"{checks} checks, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
