"""faults_test.py BUILD: plants each fault of faults.tsv in a copy of its file, links the program
with it and asks who notices: the second reference (its bound alone), the golden files, the
independent reading of the contract; and `agree`, which is given what the wrong program traces.

Every fault must be noticed by one of them; those of the decoder by the independent reading and, in
both recipes, by `agree`. The table of who noticed what is printed. The build folder gives the
compile and link commands; nothing of it is changed.
"""

import concurrent.futures
import os
import pathlib
import sys
import tempfile

from planting import ROOT, Build, CannotPlant, Edit, edited_files, exit_code, traced_disagreement, \
    write_overlay


def read_faults():
    faults = []
    for number, line in enumerate((ROOT / "tests/faults/faults.tsv").read_text().splitlines(), 1):
        if line.startswith("#") or not line:
            continue
        fields = line.split("\t")
        if len(fields) != 4:
            sys.exit(f"tests/faults/faults.tsv:{number}: 4 fields wanted, {len(fields)} found")
        faults.append(fields)
    return faults


class Planter:
    def __init__(self, build, scratch):
        self.build, self.scratch = build, scratch

    def plant(self, number, op, path, anchor, text):
        try:
            return self.noticed(number, op, path, Edit(path, anchor, text.replace("\\n", "\n")))
        except CannotPlant as error:
            return str(error), []

    def noticed(self, number, op, path, edit):
        overlay = self.scratch / str(number)
        write_overlay(edited_files([edit]), overlay)
        is_decoder = op == "decoder"
        source = path if is_decoder else f"reference/ops/{op}/{op}.cc"
        wrong = self.build.compile(source, overlay / "fault.o", [f"-I{overlay}"],
                                   overlay / path if path == source else None)

        noticed = []
        program = self.build.link("bin/touchstone", [wrong], overlay / "touchstone")
        if not is_decoder and exit_code([program, "verify", op, "--no-golden"]) == 1:
            noticed.append("second reference")
        if not is_decoder and exit_code([program, "verify", op]) == 1:
            noticed.append("golden")
        reading = "--gtest_filter=*EqualsTheIndependentReading*tiny*"
        models = self.build.link("bin/whole_models_test", [wrong], overlay / "whole_models_test")
        if exit_code([models, "--gtest_brief=1", reading]) == 1:
            noticed.append("independent reading")
        if not is_decoder:
            return None, noticed
        recipes = [recipe for recipe in ("f32", "bf16") if self.disagrees(program, recipe)]
        noticed += [f"agree ({recipe})" for recipe in recipes]
        if "independent reading" not in noticed or len(recipes) != 2:
            return f"noticed by {', '.join(noticed) or 'nobody'} alone", noticed
        return None, noticed

    def disagrees(self, wrong_program, recipe):
        """Whether the right program's `agree` rejects what the wrong one traces, of some model; a
        wrong program may fail by itself."""
        right_program = self.build.folder / "bin/touchstone"
        return any(traced_disagreement(wrong_program, right_program, model, recipe)
                   for model in ("scout-tiny", "maverick-tiny"))


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    faults = read_faults()
    rows = (ROOT / "reference/ops.def").read_text().splitlines()
    ops = {row.split("(")[1].split(",")[0] for row in rows if row.startswith("OP")}
    missing = ops - {op for op, path, _, _ in faults if path.startswith("reference/ops/")}
    failures = [f"no fault is planted in {op}" for op in sorted(missing)]

    with tempfile.TemporaryDirectory() as folder:
        planter = Planter(Build(build), pathlib.Path(folder))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = pool.map(lambda item: planter.plant(item[0], *item[1]), enumerate(faults))
            for (op, path, _, _), (error, noticed) in zip(faults, results):
                print(f"{op:<18} {path:<58} {error or ', '.join(noticed) or 'NOBODY'}", flush=True)
                if error or not noticed:
                    failures.append(error or f"nobody notices the fault in {path}")
    for failure in failures:
        print("FAILED", failure)
    print(f"{len(faults)} faults planted, {len(failures)} failures")
    return 1 if failures or not faults else 0


if __name__ == "__main__":
    sys.exit(main())
