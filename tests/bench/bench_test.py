#!/usr/bin/env python3
"""bench_test.py PROGRAM SCRATCH: the bench on its smallest cases. It looks at structure, verdicts,
never at speeds: every case has the reference, our candidates and the rivals, each judged before it
was timed, with quartiles about the median and both limits."""
import json
import os
import subprocess
import sys

program, scratch = sys.argv[1:3]
report_file = os.path.join(scratch, "bench_test.json")
failures, checks = [], 0


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        failures.append(what)


def run(*words):
    return subprocess.run([program, "bench", *words], capture_output=True, text=True)


done = run("--smallest", "--min-time", "0.001", "--repetitions", "3", "--json", report_file)
check(done.returncode == 0, f"exit code {done.returncode}: {done.stderr}")
with open(report_file) as stream:
    report = json.load(stream)
os.remove(report_file)

for key in ("format", "contract", "date", "machine", "versions", "threads", "clock", "cases"):
    check(key in report, f"no {key}")
check(report["machine"]["processor"] != "", "no processor")
check({case["op"] for case in report["cases"]} == {"linear", "rmsnorm"}, "not both ops")

for case in report["cases"]:
    name = case["name"]
    check(name in done.stdout, f"{name} is not in the table")
    check(case["peak_flops_per_second"] > 1e6, f"{name}: no peak")
    check(case["bandwidth_bytes_per_second"] > 1e6, f"{name}: no bandwidth")
    check(case["limit_seconds"] > 0, f"{name}: no limit")
    rows = {row["name"]: row for row in case["contenders"]}
    ours = [row for row in rows.values() if row["ours"]]
    check("reference" in rows and len(ours) >= 2, f"{name}: no candidate")
    check(len(rows) > len(ours), f"{name}: no rival")
    for row in rows.values():
        what = f"{name} {row['name']}: {row['verdict']}"
        if row["ours"] and row["name"] != "reference":
            check(row["verdict"] == "BIT-EXACT", what)
        elif row["verdict"] == "NOT RUN":
            check(row["reason"] != "", f"{what} without a reason")
            check("median_seconds" not in row, f"{what}, and timed")
            continue
        else:
            check(row["verdict"] == "WITHIN BOUND", what)
        check(row["compared"] > 0, f"{what}, nothing compared")
        low, high = row["quartiles_seconds"]
        check(0 < low <= row["median_seconds"] <= high, f"{what}: quartiles")
    check(any(row["verdict"] == "WITHIN BOUND" and not row["ours"] for row in rows.values()),
          f"{name}: no rival was timed")

listed = run("--all", "--list").stdout.split()
check(len(listed) > 50 and len(listed) == len(set(listed)), "the list of all cases")
check("linear/bf16/normal/C5120_F5120_T1024/cold" in listed, "the published width is not listed")
check(run("no_such_op").returncode == 2, "an unknown op")
check(run("--filter", "(").returncode == 2, "a broken expression")
check(run("--clock", "cpu", "--threads", "2").returncode == 2, "processor time of two threads")
check(run("--smallest", "--json", "/no/such/folder/x.json").returncode != 0, "an unwritable report")
check("--smallest" in run("--help").stdout, "the bench's own help")

for failure in failures:
    print("FAILED:", failure)
print(f"{checks} checks, {len(failures)} failed")
sys.exit(1 if failures or checks == 0 else 0)
