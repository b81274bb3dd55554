"""Builds a mutant and has it judged: an op's as a plug-in by `verify`, a kernel's under the CPU
execution model (kernel_judging.py), any other by the hashes of the whole models and by `agree`."""

import dataclasses
import json
import re
import signal

from planting import ROOT, CannotPlant, Edit, edited_files, run_limited, run_tool, \
    traced_disagreement, write_overlay
from catalogue import WHOLE_MODEL_TARGETS, hash_of
from kernel_judging import KernelJudge

# No flag reaches a bit (tests/bits); a mutant may leave a variable unused.
FLAGS = ("-O1", "-Wno-error")
# A library has no sanitizers of its own: the worker's program has them, and `c++` links none.
PLUGIN_FLAGS = ("-fPIC", "-fno-sanitize=all")
MODELS = ("scout-tiny", "maverick-tiny", "guard-tiny", "scout-launch-rope")


@dataclasses.dataclass
class Judgement:
    hash: str
    exact: bool       # killed
    exact_by: list    # input classes; of whole models the model and recipe
    bounded: bool
    bounded_by: list


def op_rows():
    """The rows of ops.def by word; chains have no code to mutate."""
    rows = {}
    for line in (ROOT / "reference/ops.def").read_text().splitlines():
        if line.startswith("OP"):
            rows[line.split("(")[1].split(",")[0]] = line
    return rows


class Judge:
    def __init__(self, build, scratch):
        self.build, self.scratch = build, scratch
        self.program = build.folder / "bin/touchstone"
        self.ops = op_rows()
        self.parts = {}  # by op: the objects that every plug-in of it needs
        self.kernels = KernelJudge(build)

    def texts_of(self, mutant):
        return edited_files([Edit(*edit) for edit in mutant.edits])

    def hash_of(self, mutant):
        return hash_of(mutant, self.texts_of(mutant))

    def judge(self, mutant):
        texts = self.texts_of(mutant)
        overlay = self.scratch / mutant.id.replace("/", "_")
        write_overlay(texts, overlay)
        judged = (self.kernels.judge if mutant.is_of_a_kernel else
                  self.judge_models if mutant.target in WHOLE_MODEL_TARGETS else self.judge_op)
        return Judgement(hash_of(mutant, texts), *judged(mutant, texts, overlay))

    # ---- Ops

    def prepare(self, op):
        """Compiles what all plug-ins of an op share. Called before its mutants, from one thread."""
        folder = self.scratch / "parts"
        folder.mkdir(exist_ok=True)
        parts = [self.build.compile(f"lab/ops/{op}.cc", folder / f"{op}_plugin.o",
                                    [*PLUGIN_FLAGS, "-O0",
                                     f"-DTOUCHSTONE_PLUGIN_ROW={self.ops[op]}", "-include",
                                     ROOT / "tests/mutants/reference_plugin.cc"])]
        source = (ROOT / f"reference/ops/{op}/{op}.cc").read_text()
        for other in re.findall(r'"reference/ops/(\w+)/\w+\.h"', source):
            if other != op:
                parts.append(self.build.compile(f"reference/ops/{other}/{other}.cc",
                                                folder / f"{op}_{other}.o",
                                                [*PLUGIN_FLAGS, "-O1"]))
        self.parts[op] = parts

    def plugin_of(self, mutant, texts, overlay):
        op = mutant.target
        source = f"reference/ops/{op}/{op}.cc"
        wrong = self.build.compile(source, overlay / "mutant.o",
                                   [*PLUGIN_FLAGS, *FLAGS, f"-I{overlay}"],
                                   overlay / source if source in texts else None)
        library = overlay / f"{op}.so"
        run_tool(["c++", "-shared", "-Wl,-Bsymbolic", "-Wl,--no-undefined", "-o", library, wrong,
                  *self.parts[op]], self.build.folder, "the plug-in does not link")
        return library

    def judge_op(self, mutant, texts, overlay):
        library = self.plugin_of(mutant, texts, overlay)
        report = overlay / "report.json"
        report.unlink(missing_ok=True)
        code, output = run_limited([self.program, "verify", mutant.target, "--kernel", library,
                                    "--json", report, "--threads", "1", "--no-invariance",
                                    "--time-limit", "600"])
        if code not in (0, 1, 5) or not report.is_file():
            raise CannotPlant(f"verify ends with exit code {code}:\n{output}")
        return verdict_of(json.loads(report.read_text())["reports"][0])

    # ---- Whole models

    def judge_models(self, mutant, texts, overlay):
        objects = {path: self.build.compile(path, overlay / f"mutant{i}.o",
                                            [*FLAGS, f"-I{overlay}"], overlay / path)
                   for i, path in enumerate(p for p in texts if p.endswith(".cc"))}

        def linked(name, sees=""):
            chosen = [o for path, o in objects.items() if path.startswith(sees)]
            return self.build.link(f"bin/{name}", chosen, overlay / name) if chosen else None

        exact_by = failing_tests(linked("whole_models_test"), "-*EqualsTheIndependentReading*")
        if mutant.target == "generation":
            return bool(exact_by), exact_by, bool(exact_by), exact_by
        bounded_by = self.disagreements(linked("touchstone"))
        if mutant.target == "loader" and not (exact_by and bounded_by):
            # What no golden model asks of the loader, its own tests do. Their numbers are exact.
            own = [f"{name}: {test}" for name, sees in (("checkpoint_test", ""),
                                                        ("model_test", "reference/model/"))
                   for test in failing_tests(linked(name, sees), "*")]
            exact_by, bounded_by = exact_by or own, bounded_by or own
        return bool(exact_by), exact_by, bool(bounded_by), bounded_by

    def disagreements(self, wrong_program):
        """The first model, recipe and way of prefill whose trace `agree` rejects, or that ends
        without a trace."""
        for prefill in (None, 7):
            for model in MODELS:
                for recipe in ("f32", "bf16"):
                    rejected = traced_disagreement(wrong_program, self.program, model, recipe,
                                                   prefill)
                    if rejected is None or rejected:
                        way = f"{model} {recipe}" + (" decode" if prefill else "")
                        return [way if rejected else way + ": no trace"]
        return []


def verdict_of(report):
    """Killed or not under both contracts, and by which input classes, from what the bounded
    contract says of each case: only BIT-EXACT survives the exact one. A suite that its decoys find
    weak has not killed anything by that."""
    exact_by, bounded_by = [], []
    for case in report["case_results"]:
        word = case["verdict"]
        input_class = case["case"].split("/")[1] if "/" in case["case"] else case["case"]
        if word not in ("BIT-EXACT", "NOT RUN") and input_class not in exact_by:
            exact_by.append(input_class)
        if word in ("FAILED", "CRASHED", "TIMED OUT") and input_class not in bounded_by:
            bounded_by.append(input_class)
    if not any(case["verdict"] != "NOT RUN" for case in report["case_results"]):
        raise CannotPlant("no case was run")
    return bool(exact_by), exact_by, bool(bounded_by), bounded_by


def failing_tests(program, chosen):
    """Tests of a gtest program that fail, the model and recipe of those that have one."""
    if program is None:  # the mutant is in no part of it
        return []
    code, output = run_limited([program, "--gtest_brief=1", f"--gtest_filter={chosen}"])
    names = []
    for test, model in re.findall(r"^\[  FAILED  \] (?:\w+/)?(\w+\.\w+)(?:/(\w+))?", output, re.M):
        name = model.replace("_", " ") if model else test
        if model and test.endswith("DecodeEqualsPrefillBitForBit"):
            name += " decode"
        if name not in names:
            names.append(name)
    names.sort(key=lambda name: "." in name)  # models first
    if code not in (0, 1):
        names.append("timed out" if code == -signal.SIGXCPU else "crashed")
    return names
