"""mutants.py [ID...] --build FOLDER: plants the mutants of mutants.tsv and kernel_mutants.tsv, one
at a time, in copies of the right code, and has the lab's default suite judge each. Prints what was
killed, survived and is equivalent, and by which input classes.

Exit codes: 0 all were judged and the suite kills what it must; 1 a mutant could not be built or its
anchor does not match, or what must be killed survives; 2 usage; 3 a compiler is missing."""

import argparse
import concurrent.futures
import fcntl
import json
import os
import pathlib
import random
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))

import tables  # noqa: E402
from catalogue import IDS, LISTS, BadList, read_mutants  # noqa: E402
from judges import Judge, op_rows  # noqa: E402
from planting import ROOT, Build, CannotPlant  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(prog="touchstone mutants",
                                     description=__doc__.split("\n\n")[0])
    parser.add_argument("ids", nargs="*", metavar="ID", help="NM-3, or CH-3/late (default: all)")
    parser.add_argument("--op", help="only those of an op, decoder, loader or generation, of a "
                        "kernel (kernels/OP/ALGORITHM), or of all kernels (kernels)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", metavar="FILE", help="write what was found to this file")
    parser.add_argument("--write", metavar="FOLDER",
                        help="write the tables; with --stale the rows of the others are kept")
    parser.add_argument("--table", default=tables.FILE, help="the committed table (for --stale)")
    parser.add_argument("--stale", action="store_true",
                        help="only those whose code or row is not the committed table's")
    parser.add_argument("--sample", type=int, default=0, metavar="N",
                        help="with --stale: N of the others too")
    parser.add_argument("--seed", default="", help="of the sample")
    parser.add_argument("--minutes", type=float, help="begin no mutant after so many")
    parser.add_argument("--build", required=True, help="a build folder of ninja")
    parser.add_argument("--list", action="append", help=argparse.SUPPRESS)
    parser.add_argument("--list-ids", default=IDS, help=argparse.SUPPRESS)
    return parser.parse_args()


def refuse(code, text):
    print(f"touchstone: {text}", file=sys.stderr)
    sys.exit(code)


def chosen_of(mutants, options):
    chosen = [m for m in mutants if m.is_judged]
    if options.op:
        chosen = [m for m in chosen if options.op in
                  (m.target, "kernels" if m.is_of_a_kernel else "")]
        if not chosen:
            refuse(2, f"no mutant of '{options.op}'")
    if options.ids:
        known = {m.id for m in mutants} | {m.id.split("/")[0] for m in mutants}
        for wanted in options.ids:
            if wanted not in known:
                refuse(2, f"no mutant '{wanted}' (tests/mutants/*.tsv list them)")
        chosen = [m for m in chosen if m.id in options.ids or m.id.split("/")[0] in options.ids]
    return chosen


def stale_of(judge, chosen, options):
    """Those that the committed table does not know as they are, and a sample of the others."""
    known = tables.read(options.table)
    stale = [m for m in chosen
             if m.id not in known or known[m.id].hash != tables.short(judge.hash_of(m))]
    fresh = [m for m in chosen if m not in stale]
    sample = random.Random(options.seed).sample(fresh, min(options.sample, len(fresh)))
    print(f"{len(stale)} mutants are not in the table as they are; of {len(fresh)} others "
          f"{len(sample)} are tried again", flush=True)
    return stale, sample


class Run:
    """Judges mutants side by side, and keeps what became of each."""

    def __init__(self, judge, options):
        self.judge, self.options = judge, options
        self.judged, self.errors, self.left = {}, {}, []
        self.end = time.monotonic() + 60 * options.minutes if options.minutes else None

    def all(self, mutants):
        with concurrent.futures.ThreadPoolExecutor(max(1, self.options.jobs)) as pool:
            ops = dict.fromkeys(m.target for m in mutants if m.target in self.judge.ops)
            prepared = {op: pool.submit(self.judge.prepare, op) for op in ops}
            jobs = {m.id: pool.submit(self.one, m, prepared.get(m.target)) for m in mutants}
            for done, mutant in enumerate(mutants, 1):
                jobs[mutant.id].result()
                line = self.line(mutant)
                print(f"{done:>4}/{len(mutants)}  {mutant.id:<16} {mutant.target:<17} {line}",
                      flush=True)

    def one(self, mutant, prepared):
        if self.end and time.monotonic() > self.end:
            self.left.append(mutant)
            return
        try:
            if prepared:
                prepared.result()
            self.judged[mutant.id] = self.judge.judge(mutant)
        except CannotPlant as error:
            self.errors[mutant.id] = str(error)

    def line(self, mutant):
        if mutant.id in self.errors:
            return "ERROR " + self.errors[mutant.id]
        if mutant.id not in self.judged:
            return "not judged, the minutes are over"
        found = self.judged[mutant.id]
        word = tables.word(found.exact)
        by = ", ".join(found.exact_by[:6]) + (", ..." if len(found.exact_by) > 6 else "")
        return f"{word:<9} {tables.word(found.bounded):<9} {by}".rstrip()


def failures_of(run, mutants, found, sample, known):
    """What makes the run fail: errors, mutants left, equivalents that are none, and of the sample
    verdicts that are not the table's."""
    failures = [f"{name}: {error}" for name, error in run.errors.items()]
    # Of a sample fewer are enough, on a machine that is slow or busy.
    left = run.left if not found else [m for m in run.left if m not in sample]
    if left:
        failures.append(f"{len(left)} mutants were not judged: the minutes are over; "
                        "`touchstone mutants --stale --write docs/tables` judges all")
    for mutant in mutants:
        if mutant.kind == "equivalent" and mutant.id in found:
            if found[mutant.id].exact == "killed":
                failures.append(f"{mutant.id}: called equivalent, but killed by "
                                f"{found[mutant.id].killed_by}")
    for mutant in sample:
        if mutant.kind == "mutant" and mutant.id in found:
            then, now = known[mutant.id], found[mutant.id]
            if (then.exact, then.bounded) != (now.exact, now.bounded):
                failures.append(f"{mutant.id}: {now.exact} (exact), {now.bounded} (bounded); the "
                                f"table says {then.exact}, {then.bounded}")
    return failures


def main():
    options = arguments()
    if options.write and (options.ids or options.op or options.minutes):
        refuse(2, "--write needs all mutants")
    for tool in ("c++", "ninja"):
        if shutil.which(tool) is None:
            refuse(3, f"{tool} is not there, and no mutant can be built without")
    try:
        mutants, ids = read_mutants(op_rows(), options.list or LISTS, options.list_ids)
        build = Build(options.build)
    except BadList as error:
        refuse(1, error)
    except (CannotPlant, OSError) as error:
        refuse(3, error)

    scratch = build.folder / "mutants"
    scratch.mkdir(exist_ok=True)
    with open(scratch / "lock", "w") as lock:
        # One run at a time in a build folder.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"waiting for another run in {scratch}", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        return run_all(options, mutants, ids, Judge(build, scratch))


def run_all(options, mutants, ids, judge):
    chosen, sample, known = chosen_of(mutants, options), [], {}
    if options.stale:
        known = tables.read(options.table)
        try:
            stale, sample = stale_of(judge, chosen, options)
        except CannotPlant as error:
            refuse(1, error)
        chosen = stale + sample
    run = Run(judge, options)
    run.all(chosen)

    found = {name: tables.known_of(judgement) for name, judgement in run.judged.items()}

    print(tables.summary(mutants, ids, chosen, found))
    failures = failures_of(run, chosen, found, sample, known)
    failures += tables.must_be_killed(chosen, found, known)
    if options.json:
        report = {"format": 1, "mutants": tables.as_json(chosen, ids, run.judged, run.errors)}
        pathlib.Path(options.json).write_text(json.dumps(report, indent=2) + "\n")
    if options.write and not run.errors:
        tables.write(pathlib.Path(options.write), mutants, ids, known | found)
    elif options.stale:
        failures += tables.lacking(options.table, mutants)
    for failure in failures:
        print("FAILED", failure)
    print(f"{len(run.judged)} mutants judged, {len(failures)} failures")
    return 1 if failures or (not run.judged and not options.stale) else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
