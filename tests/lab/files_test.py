"""files_test.py PROGRAM: kernels that ran somewhere else, from the cases to the verdict.

The example of the documentation is run and must pass; the same lines with a mistake in one place
must FAIL. Digests are computed again as the documentation says. Files in which anything is not what
it must be end with exit code 4 and one line that names what, where and what was expected."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from time_limits import stretched

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs/examples/rmsnorm_numpy.py"

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"NOT RUN: {missing}")
    sys.exit(77)

# A text of the example, and in its place a wrong one.
MISTAKES = [
    ("np.mean(x * x,", "np.sum(x * x,"),
    ("float32(case.attrs[\"eps\"])", "float32(1e-3)"),
    ("bits + 0x7fff + (bits >> 16 & 1)", "bits"),
    ("widen(unit) * weight", "widen(unit)"),
    ("x, weight, dtype = widen(case[\"x\"][()])", "x, weight, dtype = widen(case[\"x\"][()] * 0)"),
]


class Checks:
    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)
        self.done, self.failures = 0, 0

    def expect(self, what, holds, shown=""):
        self.done += 1
        if not holds:
            self.failures += 1
            print(f"FAILED: {what}\n{shown}")

    def run(self, *words, root=ROOT):
        ran = subprocess.run([self.program, *map(str, words)], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=stretched(60), check=False,
                             env={**os.environ, "TOUCHSTONE_ROOT": str(root)})
        return ran.returncode, ran.stdout.decode()

    def file(self, name):
        return self.folder / name

    def judge(self, op, inputs, outputs):
        return self.run("verify", op, "--inputs", self.file(inputs), "--outputs",
                        self.file(outputs))

    def expect_judged(self, what, op, inputs, outputs, code, *words):
        got, text = self.judge(op, inputs, outputs)
        self.expect(f"{what}: code {code} and {words}",
                    got == code and all(word in text for word in words), f"code {got}\n{text}")
        return text


def example(checks, text, inputs, outputs):
    script = checks.file("example.py")
    script.write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, script, checks.file(inputs), checks.file(outputs)], check=True,
                   timeout=stretched(60))


def check_example(checks):
    code, text = checks.run("cases", "rmsnorm", "--out", checks.file("in.h5"))
    checks.expect("cases rmsnorm", code == 0 and "1 of them from golden/worst" in text, text)
    right = EXAMPLE.read_text(encoding="utf-8")
    checks.expect("the example has about 20 lines", len(right.splitlines()) <= 25)
    example(checks, right, "in.h5", "out.h5")
    text = checks.expect_judged("the example", "rmsnorm", "in.h5", "out.h5", 0, "WITHIN BOUND",
                                "cannot be run again")
    checks.expect("the example in the exact contract",
                  checks.run("verify", "rmsnorm", "--contract", "exact", "--inputs",
                             checks.file("in.h5"), "--outputs", checks.file("out.h5"))[0] == 1)
    # One rounding in place of two is right, and said.
    example(checks, right.replace("unit = narrow(x *", "unit = (lambda value, _: value)(x *"),
            "in.h5", "once.h5")
    checks.expect_judged("rounded once", "rmsnorm", "in.h5", "once.h5", 0, "not at norm_unit")
    edited(checks, "some.h5", keep("small", "ties"), "in.h5")
    for anchor, wrong in MISTAKES:
        checks.expect(f"'{anchor}' stands in the example once", right.count(anchor) == 1)
        example(checks, right.replace(anchor, wrong), "some.h5", "wrong.h5")
        checks.expect_judged(f"with '{wrong}'", "rmsnorm", "some.h5", "wrong.h5", 1, "FAILED")


KEPT = "rmsnorm/f32/subnormals/C8_T4_eps=1e-06_seed=772632935"


def check_kept(checks):
    """The cases of golden/worst are in the file, judged, and told apart from given values."""
    with h5py.File(checks.file("in.h5")) as file:
        checks.expect("the kept case is in the file", KEPT in file)
    for words in (["--smallest"], ["--recipe", "bf16"], ["--case", PATH[8:]]):
        code, text = checks.run("cases", "rmsnorm", *words, "--out", checks.file("without.h5"))
        with h5py.File(checks.file("without.h5")) as file:
            checks.expect(f"{words} leaves the kept case out", code == 0 and KEPT not in file and
                          "golden/worst" not in text, text)
    text = checks.expect_judged("with a kept case", "rmsnorm", "in.h5", "out.h5", 0,
                                "1 from golden/worst", "planted faults rejected")
    checks.expect("a kept case is not given", "values of the file" not in text, text)

    def spoil(file):
        file[KEPT]["y"][0, 0] = 1.0
    wrong = edited(checks, "wrong.h5", spoil)
    text = checks.expect_judged("a wrong kept case", "rmsnorm", "in.h5", wrong, 1, "FAILED")
    lines = [line.split() for line in text.splitlines() if "--case" in line]
    checks.expect("one line repeats it", len(lines) == 1 and lines[0].count("--inputs") == 1, text)
    code, text = checks.run(*lines[0][1:])
    checks.expect("which it does", code == 1 and "1 ran" in text, f"code {code}\n{text}")


def digest(contract, path, group):
    sha256 = hashlib.sha256(f"touchstone {contract} {path}\n".encode())
    for name in sorted(group):
        tensor = group[name]
        extents = "x".join(str(extent) for extent in tensor.shape)
        sha256.update(f"{name} {tensor.attrs['dtype'].decode()} {extents}\n".encode())
        sha256.update(tensor[()].tobytes())
    return sha256.hexdigest()


def groups(file):
    found = {}
    file.visititems(lambda path, item: found.update({path: item} if "digest" in item.attrs else {}))
    return found


def check_digests(checks):
    ops = ["kv_append", "attention", "rope_frequencies", "moe_block"]
    code, text = checks.run("cases", *ops, "--smallest", "--out", checks.file("several.h5"))
    checks.expect("cases of several ops", code == 0, text)
    with h5py.File(checks.file("several.h5")) as file:
        found = groups(file)
        contract = int(file.attrs["contract"])
        checks.expect("each op has cases", {path.split("/")[0] for path in found} == set(ops))
        for path, group in found.items():
            checks.expect(f"digest of {path}", digest(contract, path, group) ==
                          group.attrs["digest"].decode())
        checks.expect("a size that no shape shows is an attribute",
                      all(group.attrs["A"] >= 1 for path, group in found.items()
                          if path.startswith("moe_block")))


def edited(checks, name, edit, source="out.h5"):
    """A copy of a file, case by case, edited."""
    target = checks.file(name)
    with h5py.File(checks.file(source)) as old, h5py.File(target, "w") as new:
        for key, value in old.attrs.items():
            new.attrs[key] = value
        for path, group in groups(old).items():
            copied = new.create_group(path)
            for key, value in group.attrs.items():
                copied.attrs[key] = value
            for tensor in group:
                copied[tensor] = group[tensor][()]
                copied[tensor].attrs["dtype"] = group[tensor].attrs["dtype"]
        edit(new)
    return name


def keep(*classes):
    """An edit that leaves the cases of these input classes."""
    def edit(file):
        for path in [path for path in groups(file) if path.split("/")[2] not in classes]:
            del file[path]
    return edit


def replace(group, name, values, dtype):
    del group[name]
    group[name] = values
    group[name].attrs["dtype"] = np.bytes_(dtype)


PATH = "rmsnorm/f32/ties/C80_T3"


def check_refused(checks):
    edited(checks, "few.h5", keep("ties", "outliers"), "in.h5")
    example(checks, EXAMPLE.read_text(encoding="utf-8"), "few.h5", "few_out.h5")

    def refused(what, edit, *words, source="few_out.h5"):
        name = edited(checks, "edited.h5", edit, source)
        pair = (name, "few_out.h5") if source == "few.h5" else ("few.h5", name)
        text = checks.expect_judged(what, "rmsnorm", *pair, 4, *words)
        checks.expect(f"{what}: one line", len(text.splitlines()) == 1, text)

    def of(path=PATH):
        return lambda file: file[path]

    group = of()
    refused("no digest", lambda f: group(f).attrs.__delitem__("digest"), PATH, "digest", "expected")
    refused("another digest", lambda f: group(f).attrs.modify("digest", np.bytes_("00")), PATH,
            "outputs of other inputs")
    refused("digest is a number", lambda f: group(f).attrs.create("digest", 5), PATH, "digest")
    refused("a case that the inputs do not have",
            lambda f: f.move(PATH, "rmsnorm/f32/ties/C80_T4"), "C80_T4")
    refused("no such op", lambda f: f.move("rmsnorm/f32", "layernorm/f32"), "layernorm")
    refused("a tensor that is missing", lambda f: f.move(PATH + "/y", PATH + "/x"), PATH + "/y")
    refused("a misspelt tensor", lambda f: group(f).create_dataset("Y", data=1.0).attrs.create(
        "dtype", np.bytes_("f32")), PATH + "/Y")
    refused("another shape", lambda f: replace(group(f), "y", np.zeros((80, 3), "f4"), "f32"),
            PATH + "/y", "(80, 3)", "(3, 80)")
    refused("f64", lambda f: replace(group(f), "y", np.zeros((3, 80)), "f32"), PATH + "/y")
    refused("f16 as f32", lambda f: replace(group(f), "y", np.zeros((3, 80), "f2"), "f32"),
            PATH + "/y")
    refused("bf16 in recipe f32", lambda f: replace(group(f), "y", np.zeros((3, 80), "u2"), "bf16"),
            PATH + "/y", "bf16", "f32")
    bf16 = of("rmsnorm/bf16/ties/C80_T3")
    refused("f16 as bf16", lambda f: replace(bf16(f), "y", np.zeros((3, 80), "f2"), "bf16"), "/y")
    refused("no dtype", lambda f: group(f)["y"].attrs.__delitem__("dtype"), PATH + "/y", "dtype")
    refused("compressed", lambda f: (group(f).__delitem__("y"), group(f).create_dataset(
        "y", data=np.zeros((3, 80), "f4"), compression="gzip").attrs.create(
            "dtype", np.bytes_("f32"))), PATH + "/y")
    refused("another contract", lambda f: f.attrs.create("contract", 999), "999")

    refused("inputs of another contract", lambda f: f.attrs.create("contract", 999), "999",
            source="few.h5")
    refused("an input that was changed",
            lambda f: group(f)["x"].write_direct(np.ones((3, 80), "f4")), PATH, "inputs",
            source="few.h5")
    refused("an attribute that was changed", lambda f: group(f).attrs.create("eps", 0.5), PATH,
            "eps", source="few.h5")
    refused("an input that is missing", lambda f: group(f).__delitem__("weight"),
            PATH + "/weight", source="few.h5")

    checks.file("text.h5").write_text("no HDF5\n", encoding="utf-8")
    checks.expect_judged("no HDF5", "rmsnorm", "few.h5", "text.h5", 4, "text.h5")
    checks.expect_judged("outputs as inputs", "rmsnorm", "few_out.h5", "few_out.h5", 4,
                         "few_out.h5", "format")
    checks.expect_judged("no such file", "rmsnorm", "few.h5", "missing.h5", 4, "missing.h5")


def check_partial(checks):
    def keep_one(file):
        for path in [path for path in groups(file) if path != PATH]:
            del file[path]

    total = len(groups(h5py.File(checks.file("few.h5"))))
    one = edited(checks, "one.h5", keep_one, "few_out.h5")
    checks.expect_judged("cases without outputs are not run", "rmsnorm", "few.h5", one, 1,
                         "1 ran", f"{total - 1} cases", "UNDERPOWERED")
    none = edited(checks, "none.h5", lambda file: file.__delitem__("rmsnorm"),
                  "few_out.h5")
    checks.expect_judged("no case at all", "rmsnorm", "few.h5", none, 3, "NOT RUN")


def check_given(checks):
    """Inputs that somebody made, with the digest computed anew, are judged and said to be."""
    def change(file):
        group = file[PATH]
        group["x"].write_direct(np.full((3, 80), 3, "f4"))
        group.attrs.modify("digest", np.bytes_(digest(int(file.attrs["contract"]), PATH, group)))

    given = edited(checks, "given.h5", change, source="few.h5")
    example(checks, EXAMPLE.read_text(encoding="utf-8"), given, "given_out.h5")
    checks.expect_judged("given values", "rmsnorm", given, "given_out.h5", 0, "given")
    checks.expect_judged("given values, outputs of others", "rmsnorm", given, "few_out.h5", 4, PATH)

    source, library = checks.file("mine.c"), checks.file("mine.so")
    checks.run("new", "rmsnorm", "--out", source)
    subprocess.run(["gcc", "-std=c99", "-O2", "-shared", "-fPIC", f"-I{ROOT}/lab/include", source,
                    "-o", library, "-lm"], check=True, timeout=stretched(60))
    words = ["verify", "rmsnorm", "--inputs", checks.file(given), "--kernel", library]
    code, text = checks.run(*words, "--case", PATH[8:])
    checks.expect("a kernel is run on given values", code == 0 and "given" in text and
                  "1 ran" in text, f"code {code}\n{text}")
    code, text = checks.run(*words, "--outputs", checks.file("few_out.h5"))
    checks.expect("a kernel or outputs", code == 2 and "--kernel" in text, text)
    code, text = checks.run(*words[:4], "--suite", "full", "--kernel", library)
    checks.expect("a file says which cases there are", code == 2 and "--suite" in text, text)


def check_same_name(checks):
    """A file has one case of a name: the op's own, and not one that is kept."""
    root = checks.file("root")
    (root / "golden/worst/rmsnorm").mkdir(parents=True)
    for part in (ROOT / "golden").iterdir():
        if part.name != "worst":
            (root / "golden" / part.name).symlink_to(part)
    shutil.copy(checks.file("given.h5"), root / "golden/worst/rmsnorm/same.h5")
    code, text = checks.run("cases", "rmsnorm", "--out", checks.file("own.h5"), root=root)
    checks.expect("a kept case of the same name", code == 0 and
                  f"left out: {PATH} of golden/worst/rmsnorm/same.h5" in text, text)
    with h5py.File(checks.file("own.h5")) as own, h5py.File(checks.file("in.h5")) as before:
        checks.expect("the op's own is in the file", own[PATH].attrs["digest"] ==
                      before[PATH].attrs["digest"])


def check_command_line(checks):
    def refused(code, *words):
        got, text = checks.run("cases", *words)
        checks.expect(f"cases {words}", got == code and "touchstone" in text, text)

    refused(2, "nothing", "--out", checks.file("x.h5"))
    refused(2, "rmsnorm", "rmsnorm", "--out", checks.file("x.h5"))
    refused(2, "rmsnorm", "--case", "f32/abnormal/C1", "--out", checks.file("x.h5"))
    refused(2, "rmsnorm", "linear", "--case", PATH[8:], "--out", checks.file("x.h5"))
    refused(2, "sampling", "--recipe", "bf16", "--out", checks.file("x.h5"))
    refused(2, "rmsnorm", "--out", checks.folder)
    refused(3, "rmsnorm", "--out", checks.folder / "no" / "x.h5")
    checks.expect("nothing was written", not checks.file("x.h5").exists())


def main():
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(sys.argv[1], folder)
        for check in (check_example, check_kept, check_digests, check_refused, check_partial,
                      check_given, check_same_name, check_command_line):
            check(checks)
    print(f"{checks.done} checks, {checks.failures} failures")
    return 0 if checks.failures == 0 and checks.done > 0 else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: files_test.py PROGRAM", file=sys.stderr)
        sys.exit(2)
    sys.exit(main())
