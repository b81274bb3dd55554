"""The committed table of main loops: every kernel of products and of attention has its rows, those
that the table of resources has, and no other; the large tiles are as the walkthrough says. Rows of
an earlier text of a kernel are named, and are a failure where they could be written anew: where
nvcc and nvdisasm are. What the counting says is held on listings made up here."""

import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
import main_loop_table as table  # noqa: E402
import sass_main_loop as sass  # noqa: E402

ROWS = table.read_rows(ROOT / "docs/tables" / table.TABLE)
LISTING = """
.text.Kernel:
        /*0000*/ MOV R1, c[0x0][0x28] ;
.L_x_1:
        /*0010*/ @P0 LDGSTS.E.128 [R2], [R4.64] ;
        /*0020*/ BAR.SYNC.DEFER_BLOCKING 0x0 ;
.L_x_0:
        /*0030*/ LDS.128 R8, [R3] ;
        /*0040*/ FFMA R12, R8, R9, R12 ;
        /*0050*/ FFMA R13, R8, R10, R13 ;
        /*0060*/ FFMA R14, R8, R11, R14 ;
        /*0070*/ @P1 BRA `(.L_x_0) ;
        /*0080*/ @P2 BRA `(.L_x_1) ;
        /*0090*/ EXIT ;
"""


def number(cell):
    return 0 if cell == "-" else float(cell)


class Committed(unittest.TestCase):
    def test_rows_are_those_of_the_table_of_resources(self):
        keys = [(row["kernel"], row["function"], row["architecture"]) for row in ROWS]
        self.assertEqual(len(set(keys)), len(keys))
        self.assertEqual(set(keys), set(table.wanted_rows(ROOT)))
        self.assertTrue(all(list(row) == table.COLUMNS for row in ROWS))
        for row in ROWS:
            self.assertTrue((ROOT / f"kernels/{row['kernel']}.cu").is_file(), row["kernel"])

    def test_every_kernel_of_products_and_of_attention_has_rows(self):
        # Those that have none launch kernels of other files alone, or call a library.
        kernels = {f"{path.parent.name}/{path.stem}" for op in table.OPS
                   for path in (ROOT / "kernels" / op).glob("*.cu")}
        without = kernels - {row["kernel"] for row in ROWS}
        self.assertEqual(without, {
            "linear/cublas_gemm", "expert_linear/cublas_grouped", "feed_forward/fused_gate_up",
            "attention_block/launches", "nope_attention_block/launches"})
        for kernel in without:
            self.assertNotIn("__global__", (ROOT / f"kernels/{kernel}.cu").read_text())

    def test_of_kernels_that_are_there(self):
        stale = sorted({row["kernel"] for row in ROWS
                        if row["hash"] != table.hash_of(ROOT, row["kernel"])})
        if stale:
            print(f"of an earlier text: {', '.join(stale)}; tools/main_loop_table.py writes anew")
        nvcc = table.module_of("compile_kernels", ROOT / "tools/compile_kernels").find_nvcc(None)
        if nvcc and table.find_nvdisasm(None, nvcc):
            self.assertEqual(stale, [])

    def test_large_tiles_meet_the_aim(self):
        large = [row for row in ROWS if "Tile<" in row["function"] and
                 row["function"].endswith(", 16>")]
        self.assertEqual({row["kernel"] for row in large}, {
            "linear/register_tiles", "logits/register_tiles", "expert_linear/register_tiles",
            "gate_up_swiglu/register_tiles", "moe_block/sorted_rows"})
        self.assertEqual({row["architecture"] for row in large}, {"80", "90", "100"})
        for row in large:
            self.assertGreaterEqual(float(row["FFMA %"]), 85, row)
            self.assertGreaterEqual(float(row["with it %"]), 85, row)

    def test_no_main_loop_spills(self):
        for row in ROWS:
            self.assertEqual(number(row["LDL"]) + number(row["STL"]), 0, row)


class Counting(unittest.TestCase):
    def test_of_a_listing(self):
        loop = sass.hot_loop(*sass.kernels_of(LISTING)["Kernel"])
        self.assertEqual((loop["instructions"], loop["FFMA"], loop["LDS"]), (5, 3, 1))
        self.assertEqual((loop["LDGSTS"], loop["BAR"], loop["around"]), (0, 0, 3))
        self.assertEqual(loop["ffma_percent"], 60.0)
        cells = dict(zip(table.COLUMNS[3:], table.cells_of(ROOT, "Kernel", loop)))
        self.assertEqual((cells["loop"], cells["around"], cells["with it %"]), (5, 3, "-"))

    def test_of_a_tile(self):
        loop = dict.fromkeys(table.COUNTED, 0) | {"instructions": 150, "FFMA": 128, "around": 100,
                                                  "ffma_percent": 85.3}
        cells = dict(zip(table.COLUMNS[3:], table.cells_of(ROOT, "LinearTile<float, 4>", loop)))
        self.assertEqual(cells["with it %"], "73.1")  # 512 of 700
        with self.assertRaises(ValueError):  # not a quad of k
            table.cells_of(ROOT, "LinearTile<float, 8>", loop)

    def test_a_hash_is_of_code_and_of_what_it_includes(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "kernels/op").mkdir(parents=True)
            kernel, header = root / "kernels/op/one.cu", root / "kernels/op/part.cuh"
            kernel.write_text('// A kernel.\n#include "kernels/op/part.cuh"\nint a;\n')
            header.write_text("int b;  // first\n")
            first = table.hash_of(root, "op/one")
            header.write_text("int b;  // a comment\n")
            self.assertEqual(table.hash_of(root, "op/one"), first)
            header.write_text("int c;\n")
            self.assertNotEqual(table.hash_of(root, "op/one"), first)


if __name__ == "__main__":
    unittest.main()
