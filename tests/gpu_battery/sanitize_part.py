"""Part sanitize: compute-sanitizer's tools over every op's kernels, on the smallest case of each
class. The tools say nothing of a byte beyond a tensor that still lies within its allocation: the
guard bands of kernels/model/staged_call.h do, in every run."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import time

import report
from building import ROOT

TOOLS = ["memcheck", "racecheck", "synccheck", "initcheck"]
ERRORS = re.compile(r"(?:ERROR SUMMARY: (\d+) errors?|RACECHECK SUMMARY: \d+ hazards? "
                    r"displayed \((\d+) errors?, (\d+) warnings?\))")


def find_sanitizer(nvcc):
    beside = pathlib.Path(nvcc).resolve().parent
    for place in ("compute-sanitizer", str(beside / "compute-sanitizer"),
                  str(beside.parent / "compute-sanitizer/compute-sanitizer")):
        if found := shutil.which(place):
            return found
    return None


def judged(said, code):
    """(verdict, why) from what the tool printed."""
    if "not supported" in said and "Device" in said:
        return "NOT RUN", "the tool does not support the device"
    summary = ERRORS.findall(said)
    if not summary:
        return "NOT RUN", f"no summary, code {code}: {said[-300:]}"
    errors = sum(int(number) for line in summary for number in line if number)
    if errors:
        first = next((line for line in said.splitlines() if line.startswith("========= ")
                      and "COMPUTE-SANITIZER" not in line), "")
        return "FAILED", f"{errors} errors; {first}"
    return ("CLEAN", "") if code == 0 else ("FAILED", f"the program ends with code {code}")


def run_part(build, about, options, deadline, out):
    sanitizer = find_sanitizer(build.nvcc)
    if sanitizer is None:
        return {"results": []}, "NOT RUN: there is no compute-sanitizer\n", None
    ops = sorted({path.parent.name for path in (ROOT / "kernels").glob("*/*.cu")} -
                 {"cublas", "model"})

    def one(tool_and_op):
        tool, op = tool_and_op
        left = deadline - time.monotonic()
        if left < 5:
            return [tool, op, "NOT RUN", "the time was over"]
        # cuBLAS's own kernels are not what is asked about.
        environment = dict(build.environment(), TOUCHSTONE_CUBLAS="none")
        command = [sanitizer, "--tool", tool, "--error-exitcode", "9",
                   str(build.program), "verify", op, "--device", "cuda", "--smallest", "--threads",
                   "2"]
        try:
            done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=left, check=False)
        except subprocess.TimeoutExpired:
            return [tool, op, "NOT RUN", "stopped: the time was over"]
        return [tool, op, *judged(done.stdout, done.returncode)]

    with concurrent.futures.ThreadPoolExecutor(max(1, min(options.jobs // 2, 8))) as pool:
        rows = list(pool.map(one, [(tool, op) for tool in TOOLS for op in ops]))
    words = [row[2] for row in rows]
    text = report.table(["op", *TOOLS],
                        [[op, *(row[2] for row in rows if row[1] == op)] for op in ops])
    faults = [row for row in rows if row[2] != "CLEAN"]
    if faults:
        text += report.table(["tool", "op", "verdict", "why"], faults)
    passed = None if "CLEAN" not in words and "FAILED" not in words else "FAILED" not in words
    return {"sanitizer": os.path.basename(sanitizer), "results": rows}, text, passed
