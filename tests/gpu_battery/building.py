"""What is compiled on the machine with the GPU: the kernels' library and the kernels' bench, by
nvcc, and the reference's ops, by the C++ compiler, from the sources of the repository alone. ninja
does it, and does not do again what is done."""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACK = ROOT / "build/gpu_battery"
OBJECTS = ROOT / "build/gpu_objects"
INCLUDE = ["-I.", "-Ibuild/gpu_battery/include/kernel_rows", "-Ibuild/gpu_battery/include/all_ops"]
# As kernels/CMakeLists.txt compiles them, but for warnings, which another compiler has more of.
NVCC_FLAGS = ["-std=c++20", "-O3", "-fmad=false", "--expt-relaxed-constexpr", "-lineinfo",
              "-Xcompiler=-fPIC,-fvisibility=hidden,-ffp-contract=off"]
CXX_FLAGS = ["-std=c++20", "-O2", "-ffp-contract=off"]


class NotBuilt(Exception):
    pass


def find_nvcc():
    folders = [os.environ.get("CUDA_HOME"), "/usr/local/cuda"]
    places = [os.path.join(folder, "bin/nvcc") for folder in folders if folder]
    return next(filter(None, map(shutil.which, ["nvcc", *places])), None)


def architecture_for(file, capability):
    """The newest of those that the file names whose code runs on a device of this capability."""
    found = re.search(r"^// architectures: (.+)$", (ROOT / file).read_text(), re.MULTILINE)
    if not found:
        return str(capability)  # code of the host
    names = found[1].split()
    fits = [name for name in names if int(re.match(r"\d+", name)[0]) // 10 == capability // 10 and
            int(re.match(r"\d+", name)[0]) <= capability and
            (name.isdigit() or int(name[:-1]) == capability)]
    if not fits:
        raise NotBuilt(f"{file} has code for {', '.join(names)}, which does not run on "
                       f"sm_{capability}")
    return max(fits, key=lambda name: (int(re.match(r"\d+", name)[0]), name))


def sources(pattern):
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern))


class Build:
    def __init__(self, capability, jobs):
        self.nvcc = find_nvcc()
        if self.nvcc is None:
            raise NotBuilt("no nvcc (of the CUDA toolkit, in PATH or /usr/local/cuda/bin)")
        self.cxx = shutil.which("c++") or shutil.which("g++")
        if self.cxx is None:
            raise NotBuilt("no C++ compiler (c++, g++)")
        if shutil.which("ninja") is None:
            raise NotBuilt("no ninja")
        if not (PACK / "include/kernel_rows/kernels.def").exists():
            raise NotBuilt("build/gpu_battery is not there: tests/gpu_battery/pack makes it")
        self.capability, self.jobs = capability, jobs
        self.folder = OBJECTS / f"sm_{capability}"
        self.program = self.folder / "bin/touchstone"
        self.bench = self.folder / "bin/kernel_bench"

    def write(self):
        """The rules, as a file of ninja's."""
        (self.folder / "bin").mkdir(parents=True, exist_ok=True)
        lines = ["ninja_required_version = 1.5", f"builddir = {self.folder}",
                 "rule nvcc",
                 f"  command = {self.nvcc} {' '.join(NVCC_FLAGS)} $arch {' '.join(INCLUDE)} -MD "
                 "-MF $out.d -c $in -o $out",
                 "  depfile = $out.d", "rule cxx",
                 f"  command = {self.cxx} {' '.join(CXX_FLAGS)} {' '.join(INCLUDE)} -MD "
                 "-MF $out.d -c $in -o $out",
                 "  depfile = $out.d",
                 "rule shared", f"  command = {self.nvcc} -shared -cudart static $in -o $out",
                 "rule program",
                 f"  command = {self.nvcc} -cudart static $in -o $out -lpthread -ldl"]

        def compiled(files):
            objects = []
            for file in files:
                target = self.folder / (file + ".o")
                if file.endswith(".cu"):
                    name = architecture_for(file, self.capability)
                    lines.append(f"build {target}: nvcc {file}")
                    lines.append(f"  arch = -gencode arch=compute_{name},code=sm_{name}")
                else:
                    lines.append(f"build {target}: cxx {file}")
                objects.append(str(target))
            return objects

        table = "kernels/model/device_library.cu"
        kernels = compiled([file for file in sources("kernels/*/*.cu") if file != table])
        library = self.folder / "bin/touchstone_cuda.so"
        lines.append(f"build {library}: shared {' '.join(kernels + compiled([table]))}")
        bench = compiled(sources("bench/kernels/*.cu") + sources("bench/kernels/*.cc") +
                         sources("reference/ops/*/*.cc"))
        lines.append(f"build {self.bench}: program {' '.join(bench + kernels)}")
        (self.folder / "build.ninja").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(self, *targets):
        """Builds `touchstone_cuda.so`, `kernel_bench` or both, and lays the program beside them."""
        self.write()
        for name in ("touchstone", "touchstone_worker"):
            source, target = PACK / "bin" / name, self.folder / "bin" / name
            if not target.exists() or target.read_bytes() != source.read_bytes():
                shutil.copy(source, target)
                target.chmod(0o755)  # also where copying the pack lost it
        wanted = [str(self.folder / "bin" / name) for name in targets]
        if not wanted:
            return
        done = subprocess.run(["ninja", "-f", str(self.folder / "build.ninja"), "-j",
                               str(self.jobs), *wanted], cwd=ROOT, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        (self.folder / "build.log").write_text(done.stdout, encoding="utf-8")
        if done.returncode != 0:
            raise NotBuilt(f"it does not compile:\n{done.stdout[-4000:]}")

    def environment(self):
        """For the program: where the repository is, and cuBLAS."""
        environment = dict(os.environ, TOUCHSTONE_ROOT=str(ROOT), LC_ALL="C.UTF-8")
        if "TOUCHSTONE_CUBLAS" not in environment and (found := self.find_cublas()):
            environment["TOUCHSTONE_CUBLAS"] = str(found)
        return environment

    def find_cublas(self):
        """Beside nvcc, or in what Python's packages brought; else the loader may know one."""
        toolkit = pathlib.Path(self.nvcc).resolve().parent.parent
        folders = [toolkit / "lib64", toolkit / "lib", toolkit / "targets/x86_64-linux/lib"]
        packages = importlib.util.find_spec("nvidia")
        for root in (packages.submodule_search_locations if packages else None) or []:
            folders += sorted(pathlib.Path(root).glob("*/lib"))
        for folder in folders:
            for name in ("libcublas.so.13", "libcublas.so.12"):
                if (folder / name).exists():
                    return folder / name
        return None

    def dependencies(self):
        """Every file that a compiler read for the objects that are there."""
        files = set()
        for path in self.folder.rglob("*.o.d"):
            files.update(re.findall(r"[^\s\\]+", path.read_text().split(":", 1)[1]))
        return files
