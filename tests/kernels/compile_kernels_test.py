"""tools/compile_kernels on small kernels: one that spills, one with a warning, one that names no
architecture or one that there is not, tables that differ, and a machine without nvcc."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools/compile_kernels"
LINE = "// architectures: 80 90\n"
COPY = """
namespace touchstone { struct Bf16 { short bits; }; namespace {
template <typename T> __global__ void Copy(const T* a, T* b) {
  __shared__ T tile[64];
  tile[threadIdx.x] = a[threadIdx.x];
  __syncthreads();
  b[threadIdx.x] = tile[63 - threadIdx.x];
}
}
void Run(const Bf16* a, Bf16* b) { Copy<<<1, 64>>>(a, b); }
}
"""
# 64 live values a thread, of 32 registers.
SPILL = """
namespace {
__global__ void __launch_bounds__(1024, 2) Wide(const float* a, float* b) {
  float v[64];
#pragma unroll
  for (int i = 0; i < 64; ++i) v[i] = a[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 64; ++i) b[i * 1024 + threadIdx.x] = v[63 - i] * v[(i * 7) & 63];
}
}
void Run(const float* a, float* b) { Wide<<<1, 1024>>>(a, b); }
"""
WARNING = "__global__ void Unused(int* a) { int never_read; *a = 1; }\n"
NVCC = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")


class CompileKernels(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)

    def write(self, name, text):
        path = self.root / "kernels/toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_on(self, *words, code):
        done = subprocess.run([sys.executable, SCRIPT, "--root", self.root, *words],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def test_forms(self):
        self.run_on(code=1)  # no kernel
        self.write("copy.cu", COPY)
        self.assertIn("0 lines '// architectures: 80 90 100'", self.run_on(code=1))
        self.write("copy.cu", LINE + LINE + COPY)
        self.assertIn("2 lines", self.run_on(code=1))
        self.write("copy.cu", "// architectures: 80 80\n" + COPY)
        self.assertIn("cannot read", self.run_on(code=1))
        self.run_on("--write", ".", "--check", ".", code=2)

    def test_without_nvcc(self):
        self.write("copy.cu", LINE + COPY)
        said = self.run_on("--nvcc", "no_such_program", code=77)
        self.assertIn("left out: 1 kernels", said)
        self.assertIn("kernels/toy/copy.cu", said)
        self.assertTrue(said.splitlines()[-1].startswith("NOT RUN: no nvcc"))

    @unittest.skipUnless(NVCC, "no nvcc")
    def test_table(self):
        self.write("copy.cu", LINE + COPY)
        said = self.run_on("--check", self.root, code=1)
        self.assertIn("there is no such file", said)
        self.run_on("--write", self.root, code=0)
        table = self.root / "kernel_resources.tsv"
        right = table.read_text()
        rows = [line.split("\t") for line in right.splitlines()]
        self.assertEqual([row[:3] for row in rows[1:]],
                         [["toy/copy", "Copy<Bf16>", "80"], ["toy/copy", "Copy<Bf16>", "90"]])
        self.assertEqual([row[4:8] for row in rows[1:]], [["0", "0", "0", "128"]] * 2)
        self.run_on("--check", self.root, code=0)

        table.write_text(re.sub(r"\t90\t\d+\t", "\t90\t200\t", right))
        said = self.run_on("--check", self.root, code=1)
        self.assertIn("in the table 200; 0; 0; 0; 128", said)
        self.assertIn("run tools/compile_kernels --write", said)
        # Of another nvcc only spills are compared.
        table.write_text(re.sub(r"\t90\t\d+\t", "\t90\t200\t", right).replace(rows[1][-1], "1.0"))
        self.assertIn("only spills", self.run_on("--check", self.root, code=0))

        self.write("wide.cu", "// architectures: 90\n" + SPILL)
        said = self.run_on("--check", self.root, code=1)
        self.assertIn("FAILED a new spill: toy/wide Wide 90", said)
        self.run_on("--write", self.root, code=0)
        self.run_on("--check", self.root, code=0)
        (self.root / "kernels/toy/wide.cu").unlink()
        self.assertIn("now no row", self.run_on("--check", self.root, code=1))
        self.run_on("--write", self.root, code=0)

        # Out of time: what is in the cache is held to the table, the rest is left.
        self.write("later.cu", LINE + COPY.replace("[63 -", "[62 -"))
        said = self.run_on("--check", self.root, "--minutes", "0", code=77)
        self.assertIn("left out: kernels/toy/later.cu\nNOT RUN: 1 of 2 files", said)
        self.run_on("--write", self.root, "--minutes", "0", code=1)
        (self.root / "kernels/toy/later.cu").unlink()

        # A cached result is not one of another text.
        self.write("copy.cu", LINE + COPY.replace("[64]", "[65]"))
        self.assertIn("now", self.run_on("--check", self.root, code=1))

    @unittest.skipUnless(NVCC, "no nvcc")
    def test_errors(self):
        self.write("copy.cu", "// architectures: 90 17\n" + COPY)
        self.assertIn("no architecture '17'", self.run_on(code=1))
        self.write("copy.cu", "// architectures: 90\n" + WARNING)
        self.assertIn("never_read", self.run_on(code=1))
        self.write("copy.cu", "// architectures: 90\nnonsense\n")
        self.assertIn("copy.cu does not compile", self.run_on(code=1))


if __name__ == "__main__":
    if not NVCC:
        print(f"without nvcc, in {os.environ.get('PATH')}: only forms are tried")
    unittest.main()
