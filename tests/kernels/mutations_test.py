"""mutations_test.py SIMT_LIBRARY COMPILER: the finder and the judge of mutations on one planted
kernel, whose every mutation is known here."""
import collections
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/kernels"), str(ROOT / "tests/faults")]

import mutation_programs  # noqa: E402
import mutation_sites  # noqa: E402
import mutation_switches  # noqa: E402
import mutations  # noqa: E402
from planting import CannotPlant, literal_flags, run_tool  # noqa: E402

HEADER = """#pragma once
#include "kernels/ptx/cp_async.cuh"
#include "kernels/simt/simt.cuh"
namespace touchstone::kernels::planted {
constexpr int kThreads = 64;
constexpr int kBlocksOf(int n) { return (n + kThreads - 1) / kThreads; }
constexpr int kMost = (65 + kThreads - 1) / kThreads;
template <typename T>
__device__ __forceinline__ T Least(T a, T b) { return a < b ? a : b; }
template <int kLeft>
__device__ void Landed() {
  ptx::CpAsyncCommit();
  ptx::CpAsyncWait<kLeft - 1>();
}
}
"""
KERNEL = """// __syncthreads() in a comment, i < count.
#include "kernels/planted/least.cuh"
namespace touchstone::kernels::planted {
namespace {
static_assert(sizeof(int) < 8, "i < count");
struct Tile { alignas(16) int64_t value[2 * kThreads]; };
__global__ void __launch_bounds__(kThreads)
    Neighbours(const int64_t* x, int64_t count, int64_t limit, int64_t* y) {
  auto& tile = simt::Shared<Tile>();
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int64_t left = Least<int64_t>(count - int64_t{blockIdx.x} * kThreads, kThreads);
  if (i < count) {
    simt::Require(x[i] <= limit && kMost == 2);
    tile.value[threadIdx.x] = x[i];
  }
  __syncthreads();
  const int64_t same = __shfl_sync(simt::kWholeWarp, left, 3);
  if (i >= count) return;
  y[i] = tile.value[threadIdx.x] + tile.value[same - 1 - threadIdx.x];
}
}
void neighbours(const int64_t* x, int64_t count, int64_t limit, int64_t* y) {
  if (count == 0) return;
  const char* const text = "a < b && __syncthreads()";
  int64_t rest = count;
  while (rest > 0) rest -= rest > 7 ? 7 : rest;
  simt::Launch({.grid = dim3(simt::BlocksFor(count, kThreads)), .block = dim3(kThreads)},
               Neighbours, x, count, limit, y + (text == nullptr ? 1 : 0));
}
}
"""
# What becomes of each mutation: (kind, what) -> by what it is caught.
WANTED = {
    ("bound", "a < b -> a <= b"): "survived",
    ("rounding", "n + kThreads - 1 -> n"): "survived",     # called by nobody
    ("rounding", "65 + kThreads - 1 -> 65"): "execution error",
    ("wait", "ptx::CpAsyncCommit() deleted"): "survived",
    ("wait", "ptx::CpAsyncWait<kLeft - 1>() deleted"): "survived",
    ("wait", "ptx::CpAsyncWait<kLeft - 1>() -> ptx::CpAsyncWait<kLeft - 1 + 1>()"): "survived",
    ("mask", "simt::kWholeWarp -> (simt::kWholeWarp & 0x0000ffffu)"): "execution error",
    ("bound", "i < count -> i <= count"): "execution error",
    ("require", "simt::Require(x[i] <= limit && kMost == 2) deleted"): "refusal",
    ("bound", "x[i] <= limit -> x[i] < limit"): "survived",  # no value is the limit
    ("conjunct", "x[i] <= limit -> true"): "refusal",
    ("conjunct", "kMost == 2 -> true"): "survived",
    ("barrier", "__syncthreads() deleted"): "wrong bits",
    ("bound", "i >= count -> i > count"): "wrong bits",
    ("guard", "i >= count -> false"): "wrong bits",
    ("guard", "count == 0 -> false"): "execution error",
    ("bound", "rest > 0 -> rest >= 0"): "time-out",
    ("bound", "rest > 7 -> rest >= 7"): "survived",
    ("rounding", "simt::BlocksFor(count, kThreads) -> static_cast<unsigned>((count) / (kThreads))"):
        "execution error",
}


class PlantedBuild:
    programs = ("planted_cases",)
    kernel_flags = ()
    needs_all = False

    def __init__(self, root, library, compiler):
        self.root, self.library, self.compiler = root, library, compiler
        self.main = root / "planted_cases.o"
        self.compile_main()

    def literal_flags(self):
        return literal_flags(self.compiler)

    def compile_command(self, source):
        return [self.compiler, "-std=c++20", "-x", "c++", "-c", source]

    def compile_main(self):
        run_tool([self.compiler, "-std=c++20", "-O1", f"-I{ROOT}", "-c",
                  ROOT / "tests/kernels/planted_cases.cc", "-o", self.main], self.root, "main")

    def compile(self, source, output, flags=(), text_of=None):
        run_tool([self.compiler, "-std=c++20", *flags, f"-I{self.root}", f"-I{ROOT}", "-x", "c++",
                  "-c", text_of or self.root / source, "-o", output], self.root,
                 f"{source} does not compile")
        return output

    def link(self, _, objects, output):
        run_tool([self.compiler, self.main, *objects, self.library, "-o", output], self.root,
                 "does not link")
        return output

    def runtime(self, _):
        return []

    def run(self, command):
        run_tool([self.compiler, *command[1:]], self.root, "does not compile")


class Mutations(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)
        (self.root / "kernels/planted").mkdir(parents=True)
        (self.root / "kernels/planted/least.cuh").write_text(HEADER)
        (self.root / "kernels/planted/neighbours.cu").write_text(KERNEL)

    def found(self):
        return mutation_sites.find(self.root)

    def sites(self):
        return [site for sites in self.found().values() for site in sites]

    def test_every_site_is_found_and_no_other(self):
        self.assertEqual(collections.Counter((s.kind, s.what) for s in self.sites()),
                         collections.Counter(list(WANTED)))

    def test_ids_outlive_other_edits(self):
        before = {site.id for site in self.sites()}
        file = self.root / "kernels/planted/neighbours.cu"
        file.write_text(KERNEL.replace("namespace {\n", "namespace {\n\nconstexpr int kX = 1;\n"))
        self.assertEqual({site.id for site in self.sites()}, before)
        # The second of two equal lines has a number.
        file.write_text(KERNEL.replace("  __syncthreads();\n", "  __syncthreads();\n" * 2))
        new = {site.id for site in self.sites()} - before
        self.assertEqual(len(new), 1)
        self.assertTrue(new.pop().endswith(".2"))

    def test_switches_keep_the_lines(self):
        for name, sites in self.found().items():
            text = (self.root / "kernels" / name).read_text()
            self.assertEqual(mutation_switches.switched(text, sites).count("\n"),
                             text.count("\n"))
            self.assertEqual(mutation_switches.switched(text, []), text)

    def test_device_code_in_a_header_of_the_host(self):
        (self.root / "kernels/planted/more.h").write_text("__device__ int One();\n")
        with self.assertRaisesRegex(mutation_sites.BadSource, "more.h"):
            self.found()

    def judge(self, **options):
        build = PlantedBuild(self.root, pathlib.Path(sys.argv[1]).resolve(), sys.argv[2])
        judge = mutations.Judge({"plain": build}, self.root / "scratch", self.found(), self.root,
                                **options)
        judge.programs["plain"].patience = 1
        return judge

    def test_verdicts(self):
        judge = self.judge()
        judged = judge.judge(self.sites(), 2)
        for site in self.sites():
            word, wanted = judged[site.id].word, WANTED[site.kind, site.what]
            self.assertEqual(word, wanted, f"{site.what}: {judged[site.id].told}")

        # A run that was stopped goes on where it was; of another text nothing is known.
        self.assertEqual(mutations.Judge({"plain": None}, self.root / "scratch", self.found(),
                                         self.root).judge(self.sites(), 1), judged)
        file = self.root / "kernels/planted/least.cuh"
        file.write_text(HEADER.replace("a < b", "b > a"))
        changed = mutations.Judge({"plain": None}, self.root / "scratch", self.found(), self.root)
        self.assertTrue(all(changed.known("plain", site) is None for site in self.sites()))

        # The table, and what makes it fail.
        rows = [dict(zip(mutations.COLUMNS, mutations.row_of(site, judged[site.id], {},
                                                             judge.sources)))
                for site in self.found_before(judge)]
        failures = mutations.failures_of(rows, judged, {})
        self.assertIn("11 of 19 mutations are caught, less than 98%", failures[0])
        self.assertEqual(len(failures), 9)
        survivor, killed = (next(row for row in rows if (row["verdict"] == "survived") == is_one)
                            for is_one in (True, False))
        failures = mutations.failures_of(
            rows, judged, {killed["site"]: ("equivalent", "so it is said")})
        self.assertIn("is called equivalent, but is caught", failures[-1])
        reasons = self.root / "reasons.tsv"
        reasons.write_text(f"{survivor['site']}\tequivalent\tnever equal\n"
                           f"none:bound:0\tsurvived\tx\n{survivor['site']}\tgone\t-\n")
        known, errors = mutations.read_reasons(reasons, judge.found)
        self.assertEqual(known, {survivor["site"]: ("equivalent", "never equal")})
        self.assertEqual(len(errors), 2)
        self.assertIn("there is no site none:bound:0", errors[0])

    def found_before(self, judge):
        return [site for sites in judge.found.values() for site in sites]

    def test_a_right_kernel_that_fails(self):
        file = self.root / "kernels/planted/neighbours.cu"
        file.write_text(KERNEL.replace("same - 1", "same - 2"))
        with self.assertRaisesRegex(CannotPlant, "without a mutation"):
            self.judge().judge(self.sites(), 1)

    def test_words(self):
        for kind, code, output, word in (
                ("plain", -11, "", "crash"), ("plain", -24, "", "time-out"),
                ("race", 1, "FAILED a b: y written by two threads", "race"),
                ("race", 1, "FAILED a b: y: got 1, expected 2; 1 of 2 elements differ",
                 "wrong bits"),
                ("address", 1, "==1==ERROR: AddressSanitizer: heap-buffer-overflow", "address"),
                ("plain", 1, "FAILED a b: C = 0: expected needs, found nothing", "refusal"),
                ("plain", 1, "FAILED a b: block (0,0,0) deadlock", "execution error")):
            self.assertEqual(mutation_programs.verdict(kind, code, output)[0], word)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
