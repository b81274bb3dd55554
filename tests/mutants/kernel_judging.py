"""Builds a mutant of a CUDA kernel for the CPU execution model and has it judged: by kernel_judge
on the small cases of the lab's default suite, and by kernel_cases, which has the cases that tiles
and wide loads ask for."""

import re
import signal
import sys

from planting import ROOT, CannotPlant, run_limited

sys.path.insert(0, str(ROOT / "tests/kernels"))

from mutation_programs import Sources  # noqa: E402

# Wrong code must do what it says: nothing is concluded from an index that is out of bounds. A
# mutant may leave a variable unused.
FLAGS = ("-O1", "-fno-aggressive-loop-optimizations", "-w", "-Wno-error")
PROGRAMS = ("kernel_judge", "kernel_cases")
REJECTED = ("FAILED", "CRASHED", "TIMED OUT")
MOST_CASES = 4  # of kernel_cases, that are judged by the bound


def needed(sources, kernel):
    """The .cu of a kernel, and those whose launches it calls."""
    known, new = [], [kernel]
    while new:
        one = new.pop()
        if one in known or one not in sources.texts:
            continue
        known.append(one)
        new += [name.removesuffix(".h") + ".cu" for name in sources.closure(one)
                if name.endswith(".h")]
    return known


class KernelJudge:
    def __init__(self, build):
        self.build = build
        self.sources = Sources(ROOT)

    def judge(self, mutant, texts, overlay):
        """As Judge.judge_op: killed by bits and by what, by the bound and by what."""
        programs = self.programs(mutant, texts, overlay)
        _, op, algorithm = mutant.target.split("/")
        kernel = ["--op", op, "--kernel", algorithm]
        exact_by, bounded_by = self.by_the_suite(programs["kernel_judge"], kernel)
        if not exact_by or not bounded_by:
            failed, ended = self.failed_cases(programs["kernel_cases"], kernel)
            exact_by = exact_by or failed or ended
            bounded_by = bounded_by or ended
            for name in failed[:MOST_CASES] if not bounded_by else ():
                bounded_by += self.by_the_suite(programs["kernel_judge"],
                                                [*kernel, "--case", name])[1]
            exact_by, bounded_by = ([one if one in ended else classes_of(one) for one in by]
                                    for by in (exact_by, bounded_by))
        return (bool(exact_by), list(dict.fromkeys(exact_by)),
                bool(bounded_by), list(dict.fromkeys(bounded_by)))

    def programs(self, mutant, texts, overlay):
        changed = {name for path in texts
                   for name in self.sources.compiled_from(path.removeprefix("kernels/"))}
        target = mutant.target.removeprefix("kernels/") + ".cu"
        wanted = [name for name in needed(self.sources, target) if name in changed]
        if not wanted:
            raise CannotPlant(f"{mutant.target} has nothing of {', '.join(texts)} in it")
        objects = [self.build.compile(f"kernels/{name}", overlay / f"mutant{i}.o",
                                      [*FLAGS, f"-I{overlay}"],
                                      overlay / "kernels" / name
                                      if f"kernels/{name}" in texts else None)
                   for i, name in enumerate(wanted)]
        return {name: self.build.link(f"bin/{name}", objects, overlay / name)
                for name in PROGRAMS}

    def by_the_suite(self, program, words):
        """(input classes of other bits, input classes beyond the bound)"""
        code, output = run_limited([program, *words])
        lines = re.findall(r"^([A-Z -]+)\t(\S+)$", output, re.M)
        exact_by = [name for verdict, name in lines if verdict != "BIT-EXACT"]
        bounded_by = [name for verdict, name in lines if verdict in REJECTED]
        if code == 2 or (code == 0) != (not exact_by) and code > 0:
            raise CannotPlant(f"kernel_judge ends with exit code {code}:\n{output[-2000:]}")
        ended = how_it_ended(code)
        return ([*map(classes_of, exact_by), *ended], [*map(classes_of, bounded_by), *ended])

    def failed_cases(self, program, words):
        """(cases with other bits, how it ended if it did not run to its end)"""
        code, output = run_limited([program, *words])
        if code == 2:
            raise CannotPlant(f"kernel_cases ends with exit code 2:\n{output[-2000:]}")
        names = re.findall(r"^FAILED \S+ \S+ (\S+) ", output, re.M)
        return list(dict.fromkeys(names)), how_it_ended(code)


def classes_of(case):
    """normal of f32/normal/C80_T3; what is no case's name stays."""
    return case.split("/")[1] if "/" in case else case


def how_it_ended(code):
    if code in (0, 1):
        return []
    return ["timed out" if code == -signal.SIGXCPU else "crashed"]
