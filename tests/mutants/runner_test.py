"""runner_test.py BUILD: the runner of mutants, on lists of its own. A list that cannot be right is
refused, a mutant that cannot be planted is an error, and a mutant that changes nothing survives."""

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "faults"))
sys.path.insert(0, str(HERE))

from catalogue import BadList, hash_of, read_ids, read_mutants  # noqa: E402
from judges import op_rows  # noqa: E402
from kernel_judging import by_the_kernels_cases, by_the_suite  # noqa: E402
from planting import CannotPlant, Edit, edited_files, without_precompiled  # noqa: E402
import tables  # noqa: E402

BUILD = sys.argv.pop(1)
FILE = "reference/ops/residual_add/residual_add.cc"
SUM = "Widen(a(t, c)) + Widen(b(t, c))"
IDS = "9.1\tXX-1\tP\t-\n"


KERNEL = "kernels/residual_add/chunk_per_thread"
KERNEL_SUM = "Widen(sum.value[j]) + Widen(other.value[j])"


def row(anchor, text, name="XX-1", kind="mutant", target="residual_add", why="-", file=FILE):
    return "\t".join([name, kind, target, "yes", "a trial", why, file, anchor, text]) + "\n"


def kernel_row(anchor, text, file=f"{KERNEL}.cu", target=KERNEL, **cells):
    return row(anchor, text, target=target, file=file, **cells)


@contextlib.contextmanager
def lists(mutants, ids=IDS):
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder) / name for name in ("mutants.tsv", "ids.tsv")]
        for path, text in zip(paths, (mutants, ids)):
            path.write_text(text)
        yield paths


def run_on(mutants, *flags):
    """(exit code, output, what --json holds by id)"""
    with lists(mutants) as (list_path, ids_path):
        report = list_path.parent / "report.json"
        done = subprocess.run(
            [sys.executable, HERE / "mutants.py", "--build", BUILD, "--list", list_path,
             "--list-ids", ids_path, "--json", report, *flags],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        rows = json.loads(report.read_text())["mutants"] if report.exists() else []
        return done.returncode, done.stdout, {r["id"]: r for r in rows}


class TheCommittedList(unittest.TestCase):
    def test_holds_every_id_and_every_anchor_once(self):
        mutants, ids = read_mutants(op_rows())
        self.assertGreater(len(ids), 150)
        self.assertEqual({m.id.split("/")[0] for m in mutants}, set(ids))
        for mutant in mutants:
            if mutant.is_judged:
                edited_files([Edit(*edit) for edit in mutant.edits])

    def test_has_every_op_that_computes(self):
        mutants, _ = read_mutants(op_rows())
        without = set(op_rows()) - {m.target for m in mutants}
        # One rounding of a sum: the rows of the catalogue name no way to get it wrong.
        self.assertEqual(without, {"residual_add"})

    def test_has_every_op_and_chain_that_has_a_kernel(self):
        mutants, _ = read_mutants(op_rows())
        mutated = {m.target.split("/")[1] for m in mutants if m.is_of_a_kernel}
        kernels = {path.parent.name for path in (HERE.parents[1] / "kernels").glob("*/*.cu")}
        # One rounding of a sum, a copy of a row, and a chain of two launches that others mutate.
        self.assertEqual(kernels - mutated - {"cublas", "model"},
                         {"residual_add", "embedding", "feed_forward"})

    def test_is_in_the_committed_table(self):
        mutants, _ = read_mutants(op_rows())
        self.assertEqual(tables.lacking(tables.FILE, mutants), [])


class Commands(unittest.TestCase):
    def test_leave_out_what_is_precompiled(self):
        gcc = "g++ -O2 -include a.h -Winvalid-pch -include /b/cmake_pch.hxx -o x.o -c x.cc"
        clang = ("clang++ -Xclang -disable-O0-optnone -Xclang -include-pch -Xclang "
                 "/b/cmake_pch.hxx.pch -Xclang -include -Xclang /b/cmake_pch.hxx -o x.o -c x.cc")
        self.assertEqual(" ".join(without_precompiled(gcc.split())),
                         "g++ -O2 -include a.h -Winvalid-pch -o x.o -c x.cc")
        self.assertEqual(" ".join(without_precompiled(clang.split())),
                         "clang++ -Xclang -disable-O0-optnone -o x.o -c x.cc")


class BadLists(unittest.TestCase):
    def refused(self, mutants, wanted, ids=IDS):
        with lists(mutants, ids) as (list_path, ids_path):
            with self.assertRaisesRegex(BadList, wanted):
                read_mutants(op_rows(), [list_path], ids_path)

    def test_are_refused_with_the_reason(self):
        good = row(SUM, SUM)
        self.refused(good, "no row for XX-2", IDS + "9.1\tXX-2\tV\t-\n")
        self.refused(good + good, "XX-1 is there twice")
        self.refused(good + row(SUM, SUM, name="XX-3"), "no id XX-3")
        self.refused(row(SUM, SUM, target="addition"), "target 'addition'")
        self.refused(row(SUM, SUM, kind="harmless"), "kind 'harmless'")
        self.refused(row(SUM, SUM, kind="equivalent"), "equivalent without its reason")
        self.refused(good.replace("\tyes\t", "\tperhaps\t"), "formula is 'perhaps'")
        self.refused("XX-1\tmutant\n", "9 fields wanted, 2 found")
        self.refused("+" + good[4:], "a further edit belongs to a mutant above it")
        self.refused(good, "XX-1 is there twice", IDS + IDS)
        self.refused(row(SUM, SUM, target="kernels/residual_add/none"), "target 'kernels/resid")


class Planting(unittest.TestCase):
    def test_wants_each_anchor_exactly_once(self):
        for anchor, count in (("Widen", "2"), ("no such text", "0"), ("", "0")):
            with self.assertRaisesRegex(CannotPlant, f"occurs {count} times, not once"):
                edited_files([Edit(FILE, anchor, "x")])

    def test_applies_edits_one_after_the_other(self):
        texts = edited_files([Edit(FILE, SUM, "Added(a, b)"), Edit(FILE, "Added(a, b)", "0.0f")])
        self.assertIn("Narrow<Storage>(0.0f)", texts[FILE])

    def test_the_hash_is_of_code_and_row(self):
        with lists(row(SUM, "0.0f")) as paths:
            mutant = read_mutants(op_rows(), [paths[0]], paths[1])[0][0]
        first = hash_of(mutant, {FILE: "code"})
        self.assertNotEqual(first, hash_of(mutant, {FILE: "other code"}))
        mutant.row += " "
        self.assertNotEqual(first, hash_of(mutant, {FILE: "code"}))


class WhatAKernelsJudgesSay(unittest.TestCase):
    def program(self, text, code):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        script = pathlib.Path(folder.name) / "judge"
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{text}END\n{code}\n")
        script.chmod(0o755)
        return script

    def test_by_case(self):
        said = self.program("BIT-EXACT\tf32/a/T1\nWITHIN BOUND\tf32/b/T1\nFAILED\tbf16/c/T1\n"
                            "FAILED\tf32/c/T1\n", "exit 1")
        self.assertEqual(by_the_suite(said, "op", "kernel"), (["b", "c"], ["c"]))
        said = self.program("FAILED op kernels/k f32/a/T1 forward: y[t=0]: 1; within the bound\n"
                            "FAILED op kernels/k f32/b/T1 reverse: y[t=0]: 1; beyond the bound\n"
                            "FAILED op kernels/k f32/c/T1 forward: a barrier\n", "exit 1")
        self.assertEqual(by_the_kernels_cases(said, "op", "k"), (["a", "b", "c"], ["b", "c"]))

    def test_that_ended(self):
        said = self.program("BIT-EXACT\tf32/a/T1\n", "kill -SEGV $$")
        self.assertEqual(by_the_suite(said, "op", "k"), (["crashed"], ["crashed"]))

    def test_that_says_nothing_is_an_error(self):
        for judge in (by_the_suite, by_the_kernels_cases):
            for code in ("exit 1", "exit 2"):
                with self.assertRaisesRegex(CannotPlant, "ends with exit code"):
                    judge(self.program("", code), "op", "k")
        with self.assertRaisesRegex(CannotPlant, "ends with exit code 0"):
            by_the_suite(self.program("FAILED\tf32/a/T1\n", "exit 0"), "op", "k")


class TheRun(unittest.TestCase):
    def test_kills_a_mutant_and_lets_the_identity_live(self):
        code, output, found = run_on(row(SUM, SUM.replace("+", "-")) +
                                     row(SUM, SUM, name="XX-1/identity"))
        self.assertTrue(found["XX-1"]["exact"] and found["XX-1"]["bounded"], output)
        self.assertTrue(found["XX-1"]["exact_by"], output)
        self.assertFalse(found["XX-1/identity"]["exact"], output)
        self.assertFalse(found["XX-1/identity"]["bounded"], output)
        self.assertEqual(code, 1, output)  # one of two is less than the suite must kill
        self.assertIn("survived (exact): XX-1/identity", output)

    def test_takes_no_equivalent_that_is_killed(self):
        code, output, _ = run_on(row(SUM, SUM.replace("+", "-"), kind="equivalent",
                                     why="a sum is a difference"))
        self.assertEqual(code, 1)
        self.assertIn("called equivalent, but killed", output)

    def test_says_what_cannot_be_planted(self):
        code, output, found = run_on(row("Widen", "x") + row(SUM, "no code", name="XX-1/broken"))
        self.assertEqual(code, 1)
        self.assertIn("occurs 2 times, not once", found["XX-1"]["error"])
        self.assertIn("does not compile", found["XX-1/broken"]["error"])
        self.assertIn("FAILED XX-1: ", output)

    def test_judges_kernels(self):
        far = "head[t] = kNone"  # of a kernel that this one does not call
        code, output, found = run_on(
            kernel_row(KERNEL_SUM, KERNEL_SUM.replace("+", "-")) +
            kernel_row(KERNEL_SUM, KERNEL_SUM, name="XX-1/identity") +
            # Where no 16 bytes are stored at once: the lab's own tensors never are such.
            kernel_row("StoreChunk(sum, elements - i,", "StoreChunk(sum, wide ? elements - i : 1,",
                       name="XX-1/narrow") +
            kernel_row(far, "", name="XX-1/far", file="kernels/combine/list_per_token.cu"))
        self.assertEqual(code, 1, output)
        self.assertTrue(found["XX-1"]["exact"] and found["XX-1"]["bounded"], output)
        self.assertIn("normal", found["XX-1"]["bounded_by"])
        self.assertFalse(found["XX-1/identity"]["exact"], output)
        self.assertFalse(found["XX-1/identity"]["bounded"], output)
        self.assertTrue(found["XX-1/narrow"]["exact"], output)
        self.assertTrue(found["XX-1/narrow"]["bounded"], output)
        self.assertIn("has nothing of kernels/combine", found["XX-1/far"]["error"])

    def test_knows_its_words(self):
        good = row(SUM, SUM)
        self.assertEqual(run_on(good, "XX-9")[0], 2)
        self.assertEqual(run_on(good, "--op", "addition")[0], 2)
        self.assertEqual(run_on(good, "--write", "docs/tables", "XX-1")[0], 2)


if __name__ == "__main__":
    unittest.main()
