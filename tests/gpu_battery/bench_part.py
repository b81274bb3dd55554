"""Part bench: bench/kernels, compiled here, over bench/kernel_sizes.tsv."""

import json
import subprocess
import time

import report
from building import ROOT


def rate(value, unit, name):
    return f"{value / unit:.3g} {name}"


def rows_of(results):
    rows = []
    for one in results:
        judged = one["verdict"]
        if one["runs"] == 0:
            rows.append([one["where"], one["op"], one["case"], one["kernel"], judged, "-", "-", "-",
                         "-", one["what"][:100]])
            continue
        median, (low, high) = one["median_seconds"], one["quartiles_seconds"]
        of_floor = 100 * one["floor_seconds"] / median
        speed = (rate(one["flops"] / median, 1e12, "Tflop/s") if one["bound_by"] == "fma"
                 else rate(one["bytes"] / median, 1e9, "GB/s"))
        rows.append([one["where"], one["op"], one["case"], one["kernel"], judged,
                     report.time_of(median), f"{report.time_of(low)} - {report.time_of(high)}",
                     speed, f"{of_floor:.0f} % ({one['bound_by']})", one["what"][:100]])
    return rows


def run_part(build, about, options, deadline, out):
    seconds = max(10.0, deadline - time.monotonic() - 15)
    command = [str(build.bench), "bench/kernel_sizes.tsv", f"{seconds:.0f}"]
    try:
        done = subprocess.run(command, cwd=ROOT, env=build.environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=seconds + 60, check=False)
        code, said, complaint = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        code, complaint = 1, f"stopped after {seconds + 60:.0f} s"
        said = (error.stdout or b"").decode()
    device, limits, results, left_out = {}, {}, [], []
    for line in said.splitlines():
        if not line.startswith("{") or not line.endswith("}"):
            continue
        value = json.loads(line)
        if "gpu" in value:
            device = value
        elif "copy_bytes_per_second" in value:
            limits = value
        elif "left_out" in value:
            left_out.append(value["left_out"])
        else:
            results.append(value)
    text = ""
    if limits:
        text += report.table(["limit", "measured here"], [
            ["copy, read and written", rate(limits["copy_bytes_per_second"], 1e12, "TB/s")],
            ["fma in registers", rate(limits["fma_flops_per_second"], 1e12, "Tflop/s")],
            ["cuBLAS bf16, 8192 cube",
             rate(limits["cublas_bf16_flops_per_second"], 1e12, "Tflop/s")],
            ["an empty launch", report.time_of(limits["empty_launch_seconds"])],
            ["cuBLAS", device.get("cublas", "-")]])
    text += report.table(["where", "op", "case", "kernel", "judged", "median", "quartiles", "speed",
                          "of the floor", "why"], rows_of(results))
    text += ("The floor is the larger of bytes over the copy's speed and flops over that of fma in "
             "registers. Cold second-level cache; the kernels of a case in turns. cuBLAS in bf16 "
             "uses tensor cores: its floor is another.\n")
    if left_out:
        text += f"\nLeft out, the time was over: {'; '.join(left_out)}\n"
    if complaint.strip():
        text += f"\nSaid by the program: {complaint.strip()[-1500:]}\n"
    return {"device": device, "limits": limits, "results": results, "left_out": left_out,
            "exit_code": code}, text, code == 0 and bool(results)
