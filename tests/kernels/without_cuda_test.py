"""without_cuda_test.py BUILD PROGRAM COMPILER: the kernels need nothing of CUDA where there is no
GPU. No object made from kernels/ has read a file of a CUDA toolkit, the program is linked to none
of its libraries, and where the toolkit is hidden everything but what needs nvcc is still there to
build. Planted: a kernel that includes a toolkit's header, and a toolkit that is not hidden."""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM, COMPILER = (pathlib.Path(word) for word in sys.argv[2:4])
BUILD = pathlib.Path(sys.argv[1]).resolve()
del sys.argv[1:4]
SOURCES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("kernels/*/*.cu"))
# Where a toolkit lies, and what its headers are called where they lie among others.
TOOLKIT = re.compile(r"/(cuda|nvidia|nvhpc|hpc_sdk)[^/]*/", re.I)
HEADER = re.compile(r"(cu(da|blas|fft|rand|solver|sparse|pti)|nv(cc|rtc|ml|tx|_|ToolsExt)|"
                    r"(builtin|driver|vector|device|library)_types|vector_functions|device_|"
                    r"host_(config|defines)|channel_descriptor|sm_\d|mma\.h|"
                    r"common_functions|math_(functions|constants)|(surface|texture)_)")
LIBRARY = re.compile(r"lib(cu(?!rl)|nv)\w*\.so")


def is_for_gpus_alone(source):
    """Not compiled for the CPU execution model: kernels/CMakeLists.txt."""
    return (source in ("kernels/model/device_library.cu", "kernels/cublas/product.cu") or
            "\n// library: cublas\n" in (ROOT / source).read_text())


def said(command, **options):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **options).stdout


def search_folders():
    """Where the compiler looks for <...> when nobody adds a folder."""
    text = said([COMPILER, "-x", "c++", "-E", "-v", "/dev/null"], env={**os.environ, "LC_ALL": "C"})
    listed = re.search(r"#include <...> search starts here:\n(.*?)End of search list", text, re.S)
    return [pathlib.Path(line.strip()).resolve() for line in listed[1].splitlines()]


FOLDERS = search_folders()


def foreign(files, folder=BUILD):
    """Of the files that a compilation has read, those of a toolkit: outside of the tree, and by
    their path, by their name, or because the compiler does not look there by itself."""
    found = []
    for file in files:
        path = pathlib.Path(os.path.normpath(folder / file))
        real = path.resolve()
        if real.name.endswith("_ignorelist.txt"):  # no header: what clang's sanitizers leave alone
            continue
        if any(real.is_relative_to(place) for place in (ROOT, BUILD, folder)):
            continue
        outside = not any(real.is_relative_to(place) for place in FOLDERS)
        if outside or HEADER.match(real.name) or TOOLKIT.search(str(path) + "\n" + str(real)):
            found.append(file)
    return found


def commands():
    """(source, object, command) of every object that is made from kernels/."""
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        source = os.path.relpath(entry["file"], ROOT)
        if source.startswith("kernels/"):
            words = shlex.split(entry["command"])
            yield source, words[words.index("-o") + 1], words


def files_read(folder, objects):
    """What ninja knows that each object was made from: {object: [file]}."""
    text = said(["ninja", "-C", folder, "-t", "deps", *objects])
    found = {}
    for head, lines in re.findall(r"^(\S+): #deps \d+.*\(VALID\)\n((?:    .*\n)*)", text, re.M):
        found[head] = [line.strip() for line in lines.splitlines()]
    return found


def configured(folder, *options, **environment):
    """What CMake says without whatever the caller's environment tells of a toolkit."""
    return said(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                 f"-DCMAKE_CXX_COMPILER={COMPILER}", *options],
                env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment})


def targets(folder):
    return [line.split(":")[0] for line in said(["ninja", "-C", folder, "-t", "targets",
                                                 "all"]).splitlines()]


class Objects(unittest.TestCase):
    def test_read_no_file_of_a_toolkit(self):
        objects = {output: source for source, output, _ in commands()}
        read = files_read(BUILD, objects)
        self.assertEqual(set(read), set(objects), "objects that are not built")
        wanted = {source for source in SOURCES if not is_for_gpus_alone(source)}
        self.assertEqual({s for s in objects.values() if s.endswith(".cu")}, wanted)
        self.assertGreater(len(wanted), 30)
        self.assertGreater(sum(s.startswith("kernels/simt/") for s in objects.values()), 2)
        for output, files in read.items():
            self.assertGreater(len(files), 1, output)
            self.assertEqual(foreign(files), [], objects[output])

    def test_a_planted_include_is_found(self):
        source, _, words = next(one for one in commands() if one[0].endswith(".cu"))
        with tempfile.TemporaryDirectory() as name:
            scratch = pathlib.Path(name)
            kernel, listing = scratch / "kernel.cu", scratch / "kernel.d"
            right = (ROOT / source).read_text()
            words[words.index("-o") + 1] = str(scratch / "kernel.o")
            words[-1] = str(kernel)
            # In a toolkit's folder; in a folder of any name; under its name among others.
            for planted in ("cuda-0/include/any.h", "elsewhere/any.h", "elsewhere/cuda_runtime.h"):
                header = scratch / planted
                header.parent.mkdir(parents=True, exist_ok=True)
                header.write_text("#pragma once\n")
                kernel.write_text(f"#include <{header.name}>\n" + right)
                said([*words, "-fsyntax-only", "-isystem", header.parent, "-MD", "-MF", listing],
                     cwd=BUILD)
                files = listing.read_text().replace("\\\n", " ").split()[1:]
                self.assertIn(str(kernel), files)
                # The scratch kernel itself lies outside of the tree and of the compiler's folders.
                self.assertEqual(foreign(files), [str(kernel), str(header)], planted)
        self.assertEqual(foreign(["/usr/include/stdio.h", "/usr/include/cuda.h"]),
                         ["/usr/include/cuda.h"])

    def test_the_program_is_linked_to_no_library_of_a_toolkit(self):
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", said(["readelf", "-d", PROGRAM]))
        self.assertTrue(any(name.startswith("libc.so") for name in needed), needed)
        self.assertEqual([name for name in needed if LIBRARY.match(name)], [])
        self.assertTrue(LIBRARY.match("libcudart.so.13") and LIBRARY.match("libcuda.so.1"))
        self.assertFalse(LIBRARY.match("libcurl.so.4"))


class Configuration(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)

    def test_without_a_toolkit_has_every_kernel_and_says_what_is_left_out(self):
        places = {str(path.parent) for pattern in ("usr/local/cuda*/bin/nvcc", "opt/cuda*/bin/nvcc",
                                                   "usr/local/bin/nvcc")
                  for path in pathlib.Path("/").glob(pattern)}
        options = [f"-DCMAKE_MAKE_PROGRAM={shutil.which('ninja')}"]
        if places:
            options.append("-DCMAKE_IGNORE_PATH=" + ";".join(sorted(places)))
        if shutil.which("nvcc", path="/usr/bin:/bin"):  # beside what everything needs
            options.append("-DTOUCHSTONE_NVCC=OFF")
        text = configured(self.scratch, *options)
        self.assertRegex(text, r"nvcc: not found; left out: --device cuda, .*")
        names = targets(self.scratch)
        for source in SOURCES:
            name = "kernels/CMakeFiles/kernels.dir/" + source.removeprefix("kernels/") + ".o"
            self.assertEqual(name in names, not is_for_gpus_alone(source), source)
        for name in ("kernels/libkernels.a", "kernels/libsimt.a", "bin/touchstone",
                     "bin/kernel_cases"):
            self.assertIn(name, names)
        self.assertNotIn("touchstone_cuda", names)

    def test_with_a_pretended_toolkit_leaves_nothing_out(self):
        nvcc = self.scratch / "toolkit/bin/nvcc"
        nvcc.parent.mkdir(parents=True)
        nvcc.write_text("#!/bin/sh\nexit 1\n")
        nvcc.chmod(0o755)
        text = configured(self.scratch / "build", CUDA_HOME=str(nvcc.parents[1]))
        self.assertIn(f"nvcc: {nvcc}", text)
        self.assertNotIn("left out: --device cuda", text)
        self.assertIn("touchstone_cuda", targets(self.scratch / "build"))


if __name__ == "__main__":
    unittest.main()
