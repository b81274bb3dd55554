"""The programs that judge kernels, each built once with all mutations of all kernels behind
switches, and the runs of them: every_case (tests/simt) compares bits, kernel_cases does so for more
shapes and for tensors that admit no wide load, refused_inputs gives wrong inputs."""

import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import re
import resource
import signal
import subprocess

from mutation_sites import is_for_nvcc_alone
from mutation_switches import HEADER, SOURCE, mutated, number_of, switched
from planting import CannotPlant

# The builds that watch every access need no unlucky schedule.
SCHEDULES = {"plain": "forward,reverse,random:7", "race": "forward", "address": "forward"}
MEMORY = 8 << 30  # bytes; a sanitizer's shadow is beyond any limit


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A file kernels/OP/ALGORITHM.cu."""
    op: str
    algorithm: str

    @property
    def file(self):
        return f"{self.op}/{self.algorithm}.cu"


class Sources:
    """What includes what under kernels/."""

    def __init__(self, root):
        self.folder = root / "kernels"
        self.texts = {path.relative_to(self.folder).as_posix(): path.read_text()
                      for path in sorted(self.folder.rglob("*"))
                      if path.suffix in (".cu", ".cuh", ".h")}
        self.includes = {name: re.findall(r'^#include "kernels/(.*)"$', text, re.M)
                         for name, text in self.texts.items()}

    def closure(self, name):
        """The file and all that it includes."""
        known, new = set(), [name]
        while new:
            one = new.pop()
            if one not in known and one in self.texts:
                known.add(one)
                new += self.includes[one]
        return known

    def hash_of(self, name):
        """Of the file and of the .cuh that it includes: the model and what only the host reads
        change without a word."""
        parts = [f"{one}\n{self.texts[one]}" for one in sorted(self.closure(name))
                 if one == name or one.endswith(".cuh") and not one.startswith("simt/")]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    def compiled_from(self, name):
        """The .cu whose objects change with a file."""
        return [one for one in self.texts if one.endswith(".cu") and name in self.closure(one)
                and not is_for_nvcc_alone(one, self.texts[one])]

    def kernels_of(self, name):
        """The kernels that have code of a file in them; those of a chain that only call one of
        these are not asked."""
        return [Kernel(*one[:-3].split("/")) for one in self.compiled_from(name)
                if not one.startswith("model/")]


class Programs:
    """One build of the programs: plain, race or address."""

    def __init__(self, kind, build, sources, found, scratch):
        self.kind, self.build, self.sources, self.found = kind, build, sources, found
        self.scratch = scratch / kind
        self.numbers = {number_of(site): site.id for sites in found.values() for site in sites}
        if len(self.numbers) != sum(map(len, found.values())):
            raise CannotPlant("two sites have the same number")
        self.seconds = {}  # that a kernel's cases take, right as they are
        self.patience = 5  # seconds beyond four times as many
        self.programs = []

    # ---- Built

    def prepare(self, jobs, sites):
        """Compiles the kernels that have the sites in them, with switches, those that did not
        change not again, and links them. A mutation that the compiler refuses beside the right
        text is left to be judged alone."""
        (self.scratch / "objects").mkdir(parents=True, exist_ok=True)
        write_changed(self.scratch / "switch.h", HEADER)
        write_changed(self.scratch / "switch.cc", SOURCE)
        self.flags = [*self.build.literal_flags(), *self.build.kernel_flags,
                      f"-I{self.scratch / 'switched'}", "-include", self.scratch / "switch.h"]
        files = self.found if self.build.needs_all else {site.file for site in sites}
        compiled = sorted({name for file in files for name in self.sources.compiled_from(file)})
        while True:
            for name, sites in self.found.items():
                write_changed(self.scratch / "switched/kernels" / name,
                              switched(self.sources.texts[name], sites))
            with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
                made = list(pool.map(self.compiled, compiled))
            errors = [one for one in made if isinstance(one, CannotPlant)]
            if not errors:
                break
            for error in errors:
                self.without_switch(error)
        switch = self.scratch / "objects/switch.o"
        self.build.run(["c++", "-O1", "-c", self.scratch / "switch.cc", "-o", switch])
        self.runtime = self.build.runtime(self.scratch / "objects")
        objects = [*made, switch, *self.runtime]
        self.programs = [self.build.link(name, objects, self.scratch / name)
                         for name in self.build.programs]

    def without_switch(self, error):
        """Takes the switches from the lines that a compiler's error names."""
        taken = 0
        for file, line in set(re.findall(r"switched/kernels/([\w/.]+):(\d+):\d+: error:",
                                         str(error))):
            for i, site in enumerate(self.found.get(file, [])):
                lines = range(site.line, site.line + site.original.count("\n") + 1)
                if site.switch and int(line) in lines:
                    self.found[file][i] = dataclasses.replace(site, switch=False)
                    taken += 1
        if taken == 0:
            raise error

    def compiled(self, name):
        output = self.scratch / "objects" / (name.replace("/", "_") + ".o")
        stamp = output.with_suffix(".key")
        parts = [switched(self.sources.texts[one], self.found.get(one, []))
                 for one in sorted(self.sources.closure(name))]
        key = hashlib.sha256("\n".join([str(self.build.compile_command(f"kernels/{name}")),
                                        str(self.flags), HEADER, *parts]).encode()).hexdigest()
        if output.exists() and stamp.exists() and stamp.read_text() == key:
            return output
        try:
            self.build.compile(f"kernels/{name}", output, self.flags,
                               text_of=self.scratch / "switched/kernels" / name)
        except CannotPlant as error:
            return error
        stamp.write_text(key)
        return output

    def alone(self, site, folder):
        """Programs with one mutation that can have no switch."""
        overlay = folder / "mutated"
        write_changed(overlay / "kernels" / site.file,
                      mutated(self.sources.texts[site.file], site))
        objects = []
        for name in self.sources.compiled_from(site.file):
            output = folder / (name.replace("/", "_") + ".o")
            text = overlay / "kernels" / name
            self.build.compile(f"kernels/{name}", output,
                               [*self.build.literal_flags(), *self.build.kernel_flags,
                                f"-I{overlay}"],
                               text_of=text if text.exists() else None)
            objects.append(output)
        objects += self.runtime
        return [self.build.link(name, objects, folder / name) for name in self.build.programs]

    # ---- Run

    def measure(self, kernel):
        """The time that a kernel's cases take, right as they are."""
        seconds = 0
        for program in self.programs:
            code, output, one = self.run(program, kernel, 0, 600)
            seconds += one
            if code != 0:
                raise CannotPlant(f"{kernel.file} without a mutation, {self.kind} build: exit code "
                                  f"{code}\n{output[-2000:]}")
        self.seconds[kernel] = seconds

    def killed_by(self, site, alone=None):
        """(kernel, what killed, the line that says it) of a site; or None. The cheapest kernels are
        tried first, and of a condition on inputs first the inputs that break it."""
        kernels = sorted(self.sources.kernels_of(site.file),
                         key=lambda kernel: self.seconds.get(kernel, 0))
        programs = alone or self.programs
        text = self.sources.texts[site.file].splitlines()[site.line - 1]
        if re.search(r"require\(", text, re.I):
            programs = programs[::-1]
        for program in programs:
            for kernel in kernels:
                limit = int(self.patience + 4 * self.seconds.get(kernel, 60))
                code, output, _ = self.run(program, kernel, 0 if alone else number_of(site), limit)
                if code != 0:
                    return kernel, *verdict(self.kind, code, output)
        return None

    def run(self, program, kernel, number, limit):
        """(exit code, output, seconds), the seconds being the processor's: one that hangs is ended
        by them, so that a busy machine makes nobody late."""
        def limits():
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if self.kind != "address":
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

        command = [program, "--op", kernel.op, "--kernel", kernel.algorithm]
        if pathlib.Path(program).name == "every_case":
            command += ["--schedules", SCHEDULES[self.kind], "--first"]
        with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              preexec_fn=limits, cwd=self.build.root,
                              env={**os.environ, "TOUCHSTONE_MUTATION": str(number),
                                   "ASAN_OPTIONS": "detect_leaks=0"}) as process:
            output = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode, output, usage.ru_utime + usage.ru_stime


def verdict(kind, code, output):
    """What a failed run says: by what it was caught, and in which words."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        if "ERROR: AddressSanitizer" in line or "runtime error:" in line:
            return "address", line.split("ERROR: ")[-1]
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return "time-out", "more than four times the time"
    if code < 0:
        return "crash", signal.Signals(-code).name
    told = next((line for line in lines if line.startswith("FAILED")), "")
    if not told:
        return "crash", f"exit code {code}: {lines[-1] if lines else ''}"
    if "elements differ" in told or "changes its input" in told:
        return "wrong bits", told
    if any(f": expected {word}, found" in told for word in ("nothing", "trap", "needs")):
        return "refusal", told
    # The plain build has run the same schedules to their end.
    return ("race" if kind == "race" else "execution error"), told


def write_changed(path, text):
    """Writes a file, unless it has the text."""
    path = pathlib.Path(path)
    if not path.is_file() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
