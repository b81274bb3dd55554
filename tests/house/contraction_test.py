"""contraction_test.py BUILD COMPILER: no compiler has fused what rule N1 keeps apart. In objects of
the reference, of the optimized kernels and of the CUDA kernels as compiled for the CPU there is no
vfmaddsub or vfmsubadd, which no source asks for and which g++ 12.2 makes of a b - c d beside
e f + g h whatever -ffp-contract says; and no fused instruction at all in objects none of whose
sources writes an fma. Planted: code of which the compiler does make either.

Exit code 77: not run, the machine's code is not x86-64."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD, COMPILER = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
del sys.argv[1:3]
FOLDERS = ("reference/", "optimized/", "kernels/")
FUSED = re.compile(r"\bvfn?m(?:add|sub|addsub|subadd)(?:132|213|231)?[ps][sd]\b")
ALTERNATING = re.compile(r"\bvfm(?:addsub|subadd)")
WRITTEN = re.compile(r"(?<!_)(?:\b|__builtin_|__)(?:fmaf?|fmaf_rn|Fma|MulAdd|NegMulAdd|MulSub)"
                     r"\s*\(")
ALTERNATES = """
void Turn(const float* x, const float* table, float* y, long pairs) {
  for (long j = 0; j < pairs; ++j) {
    const float x0 = x[2 * j], x1 = x[2 * j + 1], c = table[2 * j], s = table[2 * j + 1];
    y[2 * j] = x0 * c - x1 * s;
    y[2 * j + 1] = x0 * s + x1 * c;
  }
}
"""
CONTRACTS = "float Contracted(float a, float b, float c) { return a * b + c; }\n"


def said(command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True,
                          text=True, **options).stdout


def fused(objects):
    """The fused instructions of each object, by its path as objdump repeats it."""
    found, at = {}, None
    text = said(["objdump", "-d", "--no-show-raw-insn", *objects], cwd=BUILD)
    for line in text.splitlines():
        if ":     file format" in line:
            at = line.split(":     file format")[0]
            found[at] = []
        elif "\tv" in line:
            found[at] += FUSED.findall(line)
    return found


def sources_of(objects):
    """What ninja knows of the tree's files that each object was made from."""
    text = said(["ninja", "-C", BUILD, "-t", "deps", *objects])
    for head, lines in re.findall(r"^(\S+): #deps \d+.*\(VALID\)\n((?:    .*\n)*)", text, re.M):
        files = {(BUILD / line.strip()).resolve() for line in lines.splitlines()}
        yield head, {file for file in files if file.is_relative_to(ROOT)}


def objects_of_this_build():
    """(object, source)"""
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        yield words[words.index("-o") + 1], os.path.relpath(entry["file"], ROOT)


def is_of_these_folders(output, source):
    return source.startswith(FOLDERS) or output.startswith(FOLDERS)  # several sources in one


def writes_fma(file, known={}):
    """Whether a file of the tree writes an fma, outside of its comments. What the execution model
    defines it does not use."""
    if file not in known:
        text = re.sub(r"//.*", "", file.read_text(errors="replace"))
        known[file] = (WRITTEN.search(text) is not None and
                       not file.is_relative_to(ROOT / "kernels/simt"))
    return known[file]


class Objects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        chosen = [output for output, source in objects_of_this_build()
                  if is_of_these_folders(output, source)]
        cls.sources = dict(sources_of(chosen))
        cls.missing = sorted(set(chosen) - set(cls.sources))
        cls.fused = fused(list(cls.sources))

    def test_are_all_there(self):
        self.assertEqual(self.missing, [], "objects that are not built")
        for folder, least in (("reference/", 20), ("kernels/", 30)):
            self.assertGreater(sum(name.startswith(folder) for name in self.sources), least)
        self.assertEqual(set(self.fused), set(self.sources))

    def test_add_and_subtract_by_turns_nowhere(self):
        for name, instructions in self.fused.items():
            found = [word for word in instructions if ALTERNATING.match(word)]
            self.assertEqual(found, [], f"{name}: fused although rule N1 rounds every operation "
                             "(docs/chapters/numerics_contract.md)")

    def test_fuse_nothing_where_no_source_writes_an_fma(self):
        # Eigen and Highway, which the others use, have fused instructions of their own.
        exact = [name for name in self.sources if re.search(r"/(ops|model|kernels)\.dir/", name)]
        without = [name for name in exact if not any(map(writes_fma, self.sources[name]))]
        for op in ("rope", "residual_add", "combine", "dispatch"):
            self.assertIn(f"reference/CMakeFiles/ops.dir/ops/{op}/{op}.cc.o", without)
        self.assertIn("kernels/CMakeFiles/kernels.dir/combine/list_per_token.cu.o", without)
        for name in without:
            self.assertEqual(self.fused[name], [], name)


class Planted(unittest.TestCase):
    def compiled(self, text, *flags):
        with tempfile.TemporaryDirectory() as scratch:
            source, output = pathlib.Path(scratch) / "planted.cc", pathlib.Path(scratch) / "o.o"
            source.write_text(text)
            said([COMPILER, "-std=c++20", "-O3", "-mavx2", "-mfma", *flags, "-c", source, "-o",
                  output])
            return fused([output])[str(output)]

    def test_alternating_code_is_found_where_the_compiler_makes_it(self):
        found = self.compiled(ALTERNATES, "-ffp-contract=off")
        version = said([COMPILER, "--version"]).splitlines()[0]
        if not found:
            self.skipTest(f"{version} makes no vfmaddsub of the planted code")
        self.assertTrue(any(map(ALTERNATING.match, found)), found)

    def test_contracted_code_is_found(self):
        self.assertTrue(self.compiled(CONTRACTS, "-ffp-contract=fast"))
        self.assertEqual(self.compiled(CONTRACTS, "-ffp-contract=off"), [])

    def test_every_form_is_known(self):
        for word in ("vfmaddsub132ps", "vfmsubadd231pd", "vfmaddsubps"):
            self.assertTrue(FUSED.fullmatch(word) and ALTERNATING.match(word), word)
        for word in ("vfmadd213ss", "vfnmsub132pd", "vfmsub231ps"):
            self.assertTrue(FUSED.fullmatch(word) and not ALTERNATING.match(word), word)
        self.assertFalse(FUSED.search("vmaddsub vaddsubps vfrczps"))
        for text in ("std::fma(a, b, c)", "fmaf(a, b, c)", "__builtin_fma(a, b, c)",
                     "hn::MulAdd(a, b, c)"):
            self.assertTrue(WRITTEN.search(text), text)


if __name__ == "__main__":
    if "x86_64" not in said([COMPILER, "-dumpmachine"]):
        print("NOT RUN: the fused instructions of x86-64 are looked for, and this compiler makes "
              "code for another processor")
        sys.exit(77)
    unittest.main()
