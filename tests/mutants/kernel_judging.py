"""Builds a mutant of a CUDA kernel for the CPU execution model and has it judged: by kernel_judge
on the small cases of the lab's default suite, and by kernel_cases, which has the cases that tiles
and wide loads ask for."""

import re
import signal
import sys

from planting import ROOT, CannotPlant, run_limited

sys.path.insert(0, str(ROOT / "tests/kernels"))

from mutation_programs import Sources  # noqa: E402

PROGRAMS = ("kernel_judge", "kernel_cases")
REJECTED = ("FAILED", "CRASHED", "TIMED OUT")


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
        exact_by, bounded_by = by_the_suite(programs["kernel_judge"], op, algorithm)
        if not exact_by or not bounded_by:
            more_exact, more_bounded = by_the_kernels_cases(programs["kernel_cases"], op, algorithm)
            exact_by, bounded_by = exact_by or more_exact, bounded_by or more_bounded
        return bool(exact_by), exact_by, bool(bounded_by), bounded_by

    def programs(self, mutant, texts, overlay):
        changed = {name for path in texts
                   for name in self.sources.compiled_from(path.removeprefix("kernels/"))}
        target = mutant.target.removeprefix("kernels/") + ".cu"
        wanted = [name for name in needed(self.sources, target) if name in changed]
        if not wanted:
            raise CannotPlant(f"{mutant.target} has nothing of {', '.join(texts)} in it")
        objects = [self.build.compile(f"kernels/{name}", overlay / f"mutant{i}.o",
                                      [*self.build.literal_flags(), f"-I{overlay}"],
                                      overlay / "kernels" / name
                                      if f"kernels/{name}" in texts else None)
                   for i, name in enumerate(wanted)]
        return {name: self.build.link(f"bin/{name}", objects, overlay / name)
                for name in PROGRAMS}


def by_the_suite(program, op, algorithm):
    """(input classes of other bits, input classes beyond the bound)"""
    code, output = run_limited([program, op, algorithm])
    lines = re.findall(r"^([A-Z -]+)\t(\S+)$", output, re.M)
    exact_by = [name for verdict, name in lines if verdict != "BIT-EXACT"]
    bounded_by = [name for verdict, name in lines if verdict in REJECTED]
    if code == 2 or code >= 0 and (code == 0) != (not exact_by):
        raise CannotPlant(f"kernel_judge ends with exit code {code}:\n{output[-2000:]}")
    return classes_of(exact_by, code), classes_of(bounded_by, code)


def by_the_kernels_cases(program, op, algorithm):
    """The same; what is no question of bits, such as a launch that ends with an error, is beyond
    any bound."""
    code, output = run_limited([program, "--op", op, "--kernel", algorithm])
    lines = re.findall(r"^FAILED \S+ \S+ (\S+) (.*)$", output, re.M)
    if code == 2 or code >= 0 and (code == 0) != (not lines):
        raise CannotPlant(f"kernel_cases ends with exit code {code}:\n{output[-2000:]}")
    return (classes_of([name for name, _ in lines], code),
            classes_of([name for name, text in lines if not text.endswith("; within the bound")],
                       code))


def classes_of(cases, code):
    """normal of f32/normal/C80_T3, each once; and how a program ended that did not return."""
    classes = list(dict.fromkeys(name.split("/")[1] for name in cases))
    if code not in (0, 1):
        classes.append("timed out" if code == -signal.SIGXCPU else "crashed")
    return classes
