"""faults_test.py BUILD: plants each fault of faults.tsv in a copy of its file, links the program
with it and asks who notices: the second reference (its bound alone), the golden files, the
independent reading of the contract; and `agree`, which is given what the wrong program traces.

Every fault must be noticed by one of them; those of the decoder by the independent reading and, in
both recipes, by `agree`. The table of who noticed what is printed. The build folder gives the
compile and link commands; nothing of it is changed.
"""

import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


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


def compile_command(build, source):
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"] == str(ROOT / source):
            return shlex.split(entry["command"])
    sys.exit(f"no compile command for {source}")


def link_command(build, program):
    listing = subprocess.run(["ninja", "-C", build, "-t", "commands", program], check=True,
                             capture_output=True, text=True).stdout
    words = shlex.split(listing.splitlines()[-1])
    return [w for w in words if w not in (":", "&&")]


class Planter:
    def __init__(self, build, scratch):
        self.build, self.scratch = build, scratch
        self.links = {name: link_command(build, f"bin/{name}")
                      for name in ("touchstone", "whole_models_test")}

    def plant(self, number, op, path, anchor, text):
        original = (ROOT / path).read_text()
        if original.count(anchor) != 1:
            return f"{path}: '{anchor}' occurs {original.count(anchor)} times, not once", []
        overlay = self.scratch / str(number)
        changed = overlay / path
        changed.parent.mkdir(parents=True)
        changed.write_text(original.replace(anchor, text.replace("\\n", "\n")))

        is_decoder = op == "decoder"
        source = path if is_decoder else f"reference/ops/{op}/{op}.cc"
        command = compile_command(self.build, source)
        command[command.index("-o") + 1] = str(overlay / "fault.o")
        command[-1] = str(changed if path == source else ROOT / source)
        if path != source:
            command.insert(1, f"-I{overlay}")
        result = subprocess.run(command, cwd=self.build, capture_output=True, text=True)
        if result.returncode != 0:
            return f"the fault in {path} does not compile:\n{result.stderr}", []

        noticed = []
        program = self.link("touchstone", overlay)
        if not is_decoder and run([program, "verify", op, "--no-golden"]) == 1:
            noticed.append("second reference")
        if not is_decoder and run([program, "verify", op]) == 1:
            noticed.append("golden")
        reading = "--gtest_filter=*EqualsTheIndependentReading*"
        if run([self.link("whole_models_test", overlay), "--gtest_brief=1", reading]) == 1:
            noticed.append("independent reading")
        if not is_decoder:
            return None, noticed
        recipes = [recipe for recipe in ("f32", "bf16") if self.disagrees(program, recipe)]
        noticed += [f"agree ({recipe})" for recipe in recipes]
        if "independent reading" not in noticed or len(recipes) != 2:
            return f"noticed by {', '.join(noticed) or 'nobody'} alone", noticed
        return None, noticed

    def disagrees(self, wrong_program, recipe):
        """Whether the right program's `agree` rejects what the wrong one traces, of some model."""
        for model in ("scout-tiny", "maverick-tiny"):
            folder = ROOT / "golden/models" / model
            trace = wrong_program.parent / f"{model}-{recipe}.h5"
            code = run([wrong_program, "trace", "--model", folder, "--inputs", folder / "input.h5",
                        "--recipe", recipe, "--out", trace])
            if code != 0:
                continue  # a wrong program may fail by itself
            if run([self.build / "bin/touchstone", "agree", "--model", folder,
                    "--activations", trace]) == 1:
                return True
        return False

    def link(self, program, overlay):
        words = list(self.links[program])
        output = overlay / program
        words[words.index("-o") + 1] = str(output)
        # Before the libraries: the object's symbols then hide the archive's member.
        first_library = next(i for i, w in enumerate(words) if w.endswith(".a"))
        words.insert(first_library, str(overlay / "fault.o"))
        subprocess.run(words, cwd=self.build, check=True)
        return output


def run(command):
    return subprocess.run(command, cwd=ROOT, capture_output=True).returncode


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    faults = read_faults()
    rows = (ROOT / "reference/ops.def").read_text().splitlines()
    ops = {row.split("(")[1].split(",")[0] for row in rows if row.startswith("OP")}
    missing = ops - {op for op, path, _, _ in faults if path.startswith("reference/ops/")}
    failures = [f"no fault is planted in {op}" for op in sorted(missing)]

    with tempfile.TemporaryDirectory() as folder:
        planter = Planter(build, pathlib.Path(folder))
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
