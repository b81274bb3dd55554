"""Part verify: every kernel on every case of its op, in a process an op; whole models on the GPU
against the CPU; what is to be added to docs/tables/hardware_runs.tsv."""

import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess
import time

import report
from building import ROOT

COLUMNS = ["kernel", "gpu", "date", "driver", "verdict"]
PASSES = {"BIT-EXACT", "WITHIN BOUND"}
MODELS = ["scout-tiny", "scout-launch-rope", "maverick-tiny", "guard-tiny", "scout-bytes"]
PROMPTS = [["--prompt", "In the beginning", "--max-new", "24"],
           ["--prompt", "12+5=", "--max-new", "24", "--temperature", "0.8", "--top-p", "0.9",
            "--seed", "3", "--recipe", "bf16"]]


def run(build, words, seconds):
    """Exit code and output; 124 where the time was over."""
    try:
        done = subprocess.run([str(build.program), *words], cwd=ROOT, env=build.environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=max(1.0, seconds), check=False)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return 124, "stopped: the time was over"


def verified(build, options, op, suite, deadline, threads, scratch):
    """What `verify` says of an op's kernels, by name."""
    file = scratch / f"{op}_{suite}.json"
    file.unlink(missing_ok=True)
    words = ["verify", op, "--device", options.device, "--suite", suite, "--threads", str(threads),
             "--json", str(file)]
    if options.device == "simt":
        words.append("--smallest")
    code, said = run(build, words, deadline - time.monotonic())
    if not file.exists():
        verdict = "NOT RUN" if code == 124 else "FAILED"
        return {f"{path.stem}": {"verdict": verdict, "reason": f"code {code}: {said[-600:]}"}
                for path in sorted((ROOT / "kernels" / op).glob("*.cu"))}
    found = {}
    for row in json.loads(file.read_text(encoding="utf-8"))["reports"]:
        name = row["implementation"].removeprefix("kernels/")
        found[name] = {key: row[key] for key in ("verdict", "cases", "elements", "bits_compared",
                                                 "seconds", "device_seconds", "largest_ratio",
                                                 "reason", "failures") if key in row}
    return found


def every_op(build, options, ops, suite, deadline, scratch):
    workers = max(1, min(options.jobs // 2, 6))
    threads = max(1, options.jobs // workers)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        each = pool.map(lambda op: verified(build, options, op, suite, deadline, threads, scratch),
                        ops)
        return dict(zip(ops, each))


def whole_models(build, options, deadline, scratch):
    """(what, verdict, reason) of each model and recipe, and of generated text."""
    models = MODELS if options.device == "cuda" else ["guard-tiny"]

    def traced(model, recipe):
        files = []
        for device in ("cpu", options.device):
            files.append(scratch / f"{model}_{recipe}_{device}.h5")
            code, said = run(build, ["trace", "--model", f"golden/models/{model}", "--inputs",
                                     f"golden/models/{model}/input.h5", "--recipe", recipe,
                                     "--prefill", "19", "--device", device, "--out",
                                     str(files[-1])], deadline - time.monotonic())
            if code != 0:
                return "NOT RUN" if code == 124 else "FAILED", said[-400:]
        code, said = run(build, ["diff", str(files[0]), str(files[1])], 60)
        for file in files:
            file.unlink()
        return ("BIT-EXACT", "") if code == 0 else ("FAILED", said[-600:])

    def generated(words):
        texts = []
        for device in ("cpu", options.device):
            code, said = run(build, ["generate", "--model", "golden/models/scout-bytes", *words,
                                     "--device", device], deadline - time.monotonic())
            texts.append(said)
            if code != 0:
                return "NOT RUN" if code == 124 else "FAILED", said[-400:]
        return ("BIT-EXACT", "") if texts[0] == texts[1] else ("FAILED", "other text: " + texts[1])

    rows = []
    for model in models:
        for recipe in ("f32", "bf16"):
            rows.append([f"trace {model} {recipe}", *traced(model, recipe)])
    if options.device == "cuda":
        for words in PROMPTS:
            rows.append([f"generate scout-bytes {' '.join(words)}", *generated(words)])
    return rows


def plug_ins(build, deadline, scratch):
    """(what, verdict, why) of CUDA sources given as a stranger's, compiled by nvcc and run in the
    worker's process; and of one that writes an element beyond, which must be FAILED for that."""
    source = (ROOT / "tests/lab/cuda/swiglu_elements.cu").read_text(encoding="utf-8")
    wrong = source.replace("if (i >= count) return;", "if (i > count) return;")
    (scratch / "past_the_end.cu").write_text(wrong, encoding="utf-8")

    def judged(op, file):
        return run(build, ["verify", op, "--kernel", str(file), "--device", "cuda", "--no-decoys"],
                   deadline - time.monotonic())

    rows = []
    for op, file in (("rmsnorm", "docs/examples/rms_norm_rows.cu"),
                     ("swiglu", "tests/lab/cuda/swiglu_elements.cu")):
        code, said = judged(op, ROOT / file)
        word = re.match(r"[A-Z -]+", said)
        verdict = word[0].strip() if word and code in (0, 1) else "NOT RUN"
        rows.append([f"{op} by {file}", verdict, "" if code == 0 else said[-400:]])
    code, said = judged("swiglu", scratch / "past_the_end.cu")
    seen = wrong != source and code == 1 and "past the end of y" in said
    rows.append(["an element beyond is seen", "NOT RUN" if code in (3, 124) else
                 "PASSED" if seen else "FAILED", "" if seen else said[-400:]])
    return rows


def includes_of(file, seen):
    """The files under kernels/ that this one includes, itself or through others. A header that has
    a .cu beside it declares what that defines: whoever includes the one runs the other."""
    if file in seen:
        return seen
    seen.add(file)
    beside = str(pathlib.PurePath(file).with_suffix(".cu"))
    if (ROOT / beside).exists():
        includes_of(beside, seen)
    for name in re.findall(r'^#include "(kernels/[^"]+)"', (ROOT / file).read_text(), re.MULTILINE):
        includes_of(name, seen)
    return seen


def wrapper_verdicts(verdicts):
    """A wrapper of PTX is confirmed where every kernel that includes it is bit-exact."""
    found = {}
    for path in sorted((ROOT / "kernels/ptx").glob("*.cuh")):
        file = str(path.relative_to(ROOT))
        users = [name for name in verdicts if file in includes_of(f"kernels/{name}.cu", set())]
        words = {verdicts[name] for name in users}
        if users and words == {"BIT-EXACT"}:
            found[f"ptx/{path.stem}"] = "BIT-EXACT"
        elif "FAILED" in words:
            found[f"ptx/{path.stem}"] = "FAILED"
    return found


def worst(first, second):
    order = ["FAILED", "NOT RUN", "WITHIN BOUND", "BIT-EXACT"]
    return min(first, second, key=order.index)


def run_part(build, about, options, deadline, out):
    scratch = build.folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    code, said = run(build, ["list", "--json"], 60)
    if code != 0:
        return {"error": said}, f"`touchstone list` ends with code {code}: {said}\n", False
    ops = [op["name"] for op in json.loads(said)["ops"] if (ROOT / "kernels" / op["name"]).is_dir()]
    suites = {"default": every_op(build, options, ops, "default", deadline, scratch)}
    models = whole_models(build, options, deadline, scratch)
    strangers = []
    if options.device == "cuda":
        strangers = plug_ins(build, deadline, scratch)
        suites["full"] = every_op(build, options, ops, "full", deadline, scratch)

    verdicts, rows = {}, []
    for op in ops:
        for name, row in suites["default"][op].items():
            full = suites.get("full", {}).get(op, {}).get(name)
            verdict = row["verdict"]
            # A full suite that was not run takes nothing from the default one's verdict.
            if full is not None and full["verdict"] != "NOT RUN":
                verdict = worst(verdict, full["verdict"])
            verdicts[f"{op}/{name}"] = verdict
            said = [one["got"] for one in (full or row).get("failures", [])]
            said.append(row.get("reason", ""))
            rows.append([f"{op}/{name}", verdict, row.get("cases", "-"),
                         full.get("cases", "-") if full else "-",
                         f"{row.get('device_seconds', 0.0):.3f}", said[0][:120]])
    wrappers = wrapper_verdicts({name: word for name, word in verdicts.items()
                                 if word != "NOT RUN"})
    text = ""
    if options.device != "cuda":
        text = "Under the CPU execution model: a rehearsal. Nothing here is a result.\n\n"
    text += report.table(["kernel", "verdict", "cases", "of the full suite", "s on the device",
                         "why"], rows)
    text += report.table(["whole model", "verdict", "why"], models)
    text += report.table(["PTX wrapper", "verdict"], list(wrappers.items()))
    text += report.table(["plug-in", "verdict", "why"], strangers)
    words = list(verdicts.values()) + [row[1] for row in models + strangers]
    passed = "FAILED" not in words and any(word in PASSES for word in words)
    if options.device == "cuda":
        gpu = about["gpu"]
        lines = ["\t".join(COLUMNS)]
        for name, word in [*verdicts.items(), *wrappers.items()]:
            if word != "NOT RUN":
                lines.append("\t".join([name, gpu["name"], about["date"], gpu["driver_version"],
                                        word]))
        report.write(out / "hardware_runs.tsv", "\n".join(lines) + "\n")
    shutil.rmtree(scratch, ignore_errors=True)
    return {"device": options.device, "suites": suites, "models": models, "wrappers": wrappers,
            "plug_ins": strangers, "verdicts": verdicts}, text, passed
