"""mutations.py: deletes or weakens every barrier, wait, mask and bound of every kernel, one at a
time (mutation_sites.py finds them), and runs the kernels' cases under the CPU execution model: is
it caught? First by the bits, in three schedules; what survives by the race build, then by the
address build. Nothing of the repository is changed.

Exit codes: 0 at least 98 % of the mutations are caught, and every survivor has a reason; 1 not so,
or a verdict is not the committed table's; 2 usage; 3 there is no build to run them in."""

import argparse
import collections
import concurrent.futures
import dataclasses
import fnmatch
import json
import os
import pathlib
import random
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/faults"))

import mutation_sites  # noqa: E402
from mutation_builds import KINDS, TreeBuild  # noqa: E402
from mutation_programs import Programs, Sources  # noqa: E402
from planting import CannotPlant  # noqa: E402

TABLE, SCORES = "kernel_mutations.tsv", "kernel_mutation_scores.tsv"
REASONS = ROOT / "tests/kernels/mutation_survivors.tsv"
LEAST = 0.98
COLUMNS = ["site", "file", "line text", "kind", "mutation", "verdict", "by", "reason", "hash"]
KILLED = ("wrong bits", "execution error", "refusal", "crash", "time-out", "race", "address")
NOT_COMPILED = "does not compile"


@dataclasses.dataclass(frozen=True)
class Verdict:
    word: str  # of KILLED, NOT_COMPILED, or "survived"
    by: str    # the op and kernel whose cases killed it
    told: str  # in which words




class Ledger:
    """What was judged, a line each, so that a run that is stopped goes on where it was."""

    def __init__(self, path):
        self.path, self.lock, self.known = path, threading.Lock(), {}
        path.parent.mkdir(parents=True, exist_ok=True)
        for line in path.read_text().splitlines() if path.is_file() else []:
            try:
                one = json.loads(line)
            except ValueError:  # cut off while it was written
                continue
            self.known[one["kind"], one["site"], one["hash"]] = Verdict(*one["verdict"])

    def put(self, kind, site, hash_of, verdict):
        line = {"kind": kind, "site": site.id, "hash": hash_of,
                "verdict": dataclasses.astuple(verdict)}
        with self.lock:
            self.known[kind, site.id, hash_of] = verdict
            with open(self.path, "a") as file:
                file.write(json.dumps(line) + "\n")


class Judge:
    """Judges sites in the builds that there are, the cheapest first."""

    def __init__(self, builds, scratch, found, root=ROOT, again=False):
        self.sources, self.found, self.scratch = Sources(root), found, scratch
        self.programs = {kind: Programs(kind, build, self.sources,
                                        {file: list(sites) for file, sites in found.items()},
                                        scratch) for kind, build in builds.items()}
        self.ledger = Ledger(scratch / "ledger.jsonl")
        self.again, self.end, self.left = again, None, []

    def judge(self, sites, jobs):
        """{id: verdict}. Every build judges what those before it left alive."""
        judged, alive = {}, list(sites)
        for kind, programs in self.programs.items():
            if not alive:
                break
            known = {site.id: self.known(kind, site) for site in alive}
            unknown = [site for site in alive if known[site.id] is None]
            print(f"{kind} build: {len(unknown)} to be judged, {len(alive) - len(unknown)} known",
                  flush=True)
            if unknown:
                programs.prepare(jobs, unknown)
                self.run(kind, programs, unknown, jobs, known)
            for site in alive:
                if known[site.id]:
                    judged[site.id] = known[site.id]
            alive = [site for site in alive
                     if known[site.id] and known[site.id].word == "survived"]
        return judged

    def known(self, kind, site):
        if self.again:
            return None
        return self.ledger.known.get((kind, site.id, self.sources.hash_of(site.file)))

    def run(self, kind, programs, sites, jobs, known):
        kernels = {kernel for site in sites for kernel in self.sources.kernels_of(site.file)}
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            list(pool.map(programs.measure, sorted(kernels, key=str)))
            futures = {site.id: pool.submit(self.one, kind, programs, site) for site in sites}
            for done, site in enumerate(sites, 1):
                verdict = known[site.id] = futures[site.id].result()
                if verdict is None:
                    self.left.append(site)
                    continue
                print(f"{done:>5}/{len(sites)} {verdict.word:<16} {site.id}  {site.what}  "
                      f"[{verdict.told[:150]}]", flush=True)

    def one(self, kind, programs, site):
        if self.end and time.monotonic() > self.end:
            return None
        now = next(one for one in programs.found[site.file] if one.id == site.id)
        alone = None
        verdict = Verdict("survived", "-", "")
        try:
            if not now.switch:
                folder = self.scratch / "alone" / site.id.replace("/", "_").replace(":", "_")
                alone = programs.alone(site, folder)
            killed = programs.killed_by(site, alone)
            if killed:
                kernel, word, told = killed
                verdict = Verdict(word, f"{kernel.op}/{kernel.algorithm}", told)
        except CannotPlant as error:
            verdict = Verdict(NOT_COMPILED, "-", str(error).splitlines()[-1])
        for one in alone or []:
            one.unlink()
        self.ledger.put(kind, site, self.sources.hash_of(site.file), verdict)
        return verdict


# ---- The table ---------------------------------------------------------------------------------

def read_reasons(path, found):
    """{site: (survived or equivalent, reason)}; a row without a site is an error."""
    ids = {site.id for sites in found.values() for site in sites}
    reasons, errors = {}, []
    for number, line in enumerate(path.read_text().splitlines() if path.is_file() else [], 1):
        if line.startswith("#") or not line:
            continue
        cells = line.split("\t")
        if len(cells) != 3 or cells[1] not in ("survived", "equivalent") or not cells[2]:
            errors.append(f"{path.name}:{number}: expected a site, 'survived' or 'equivalent', and "
                          "a reason, between tabs")
        elif cells[0] not in ids:
            errors.append(f"{path.name}:{number}: there is no site {cells[0]}")
        elif cells[0] in reasons:
            errors.append(f"{path.name}:{number}: {cells[0]} a second time")
        else:
            reasons[cells[0]] = (cells[1], cells[2])
    return reasons, errors


def read_table(path):
    """The rows of a committed table by site."""
    if not path.is_file():
        return {}
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    return {row[0]: dict(zip(COLUMNS, row)) for row in rows}


def cell(text):
    return " ".join(text.split())


def row_of(site, verdict, reasons, sources):
    text = sources.texts[site.file].splitlines()[site.line - 1]
    word, reason = verdict.word, ""
    if word == "survived":
        word, reason = reasons.get(site.id, ("survived", ""))
    return [site.id, site.file, cell(text), site.kind, cell(site.what), word, verdict.by,
            reason or "-", sources.hash_of(site.file)]


def write_rows(path, header, rows):
    path.write_text("".join("\t".join(str(one) for one in row) + "\n" for row in [header, *rows]))


def scores(rows):
    """Rows of the table of scores, a kind each and one for all."""
    counts = collections.defaultdict(collections.Counter)
    for row in rows:
        for kind in (row["kind"], "all"):
            counts[kind][row["verdict"]] += 1
    table = []
    for kind in [*mutation_sites.KINDS, "all"]:
        one = counts[kind]
        killed = sum(one[word] for word in KILLED)
        asked = killed + one["survived"]
        table.append([kind, sum(one.values()), killed, *(one[word] for word in KILLED),
                      one["survived"], one["equivalent"], one[NOT_COMPILED],
                      f"{100 * killed / asked:.1f}" if asked else "-"])
    return table


SCORE_COLUMNS = ["kind", "mutations", "caught", *KILLED, "survived", "equivalent", NOT_COMPILED,
                 "caught %"]


def failures_of(rows, judged, reasons):
    failures = []
    asked = [row for row in rows if row["verdict"] not in ("equivalent", NOT_COMPILED)]
    caught = [row for row in asked if row["verdict"] in KILLED]
    if asked and len(caught) < LEAST * len(asked):
        failures.append(f"{len(caught)} of {len(asked)} mutations are caught, less than "
                        f"{LEAST:.0%}")
    for row in rows:
        if row["verdict"] == "survived" and row["reason"] == "-":
            failures.append(f"{row['site']} survives without a reason: {row['mutation']}")
    for site, (word, _) in reasons.items():
        if site in judged and judged[site].word in KILLED:
            failures.append(f"{site} is called {word}, but is caught: {judged[site].told}")
    return failures


# ---- The command -------------------------------------------------------------------------------

def arguments():
    parser = argparse.ArgumentParser(prog="mutations.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", metavar="GLOB", help="sites whose id matches")
    parser.add_argument("--changed", action="store_true",
                        help="those whose file, or what it includes, is not the table's")
    parser.add_argument("--sample", type=int, default=0, metavar="N",
                        help="with --changed: N of the others, which must be as the table says")
    parser.add_argument("--seed", default="", help="of the sample")
    parser.add_argument("--minutes", type=float, help="begin no site after so many")
    parser.add_argument("--build", metavar="FOLDER", type=pathlib.Path,
                        default=ROOT / "build/release", help="a build folder of ninja that has "
                        "every_case, kernel_cases and refused_inputs (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--builds", default="plain,race,address",
                        help="in which builds, in this order (default: %(default)s)")
    parser.add_argument("--table", type=pathlib.Path, default=ROOT / "docs/tables" / TABLE)
    parser.add_argument("--write", metavar="FOLDER", type=pathlib.Path, help="write the tables")
    options = parser.parse_args()
    if options.sample and not options.changed:
        parser.error("--sample needs --changed")
    if options.write and (options.only or options.minutes or options.builds.count(",") < 2):
        parser.error("--write needs all sites, in all builds")
    options.left_out = set(KINDS) - set(options.builds.split(","))
    if not set(options.builds.split(",")) <= set(KINDS):
        parser.error(f"builds are {', '.join(KINDS)}")
    return options


def builds_of(folder, kinds):
    return {kind: TreeBuild(folder, kind) for kind in kinds}


def chosen_of(found, known, sources, options):
    """(what is judged, what of it is a sample)."""
    sites = [site for all_of in found.values() for site in all_of]
    if options.only:
        sites = [site for site in sites if fnmatch.fnmatch(site.id, options.only)]
    if not options.changed:
        return sites, []
    stale = [site for site in sites
             if site.id not in known or known[site.id]["hash"] != sources.hash_of(site.file)]
    stale_ids = {site.id for site in stale}
    # What only a watching build catches costs another build of all kernels.
    fresh = [site for site in sites if site.id not in stale_ids and
             known[site.id]["verdict"] in set(KILLED) - {"race", "address"}]
    sample = random.Random(options.seed).sample(fresh, min(options.sample, len(fresh)))
    print(f"{len(stale)} sites are not in the table as they are; of {len(fresh)} others "
          f"{len(sample)} are tried again", flush=True)
    return stale + sample, sample


def main():
    options = arguments()
    begin = time.monotonic()
    try:
        found = mutation_sites.find()
        reasons, failures = read_reasons(REASONS, found)
        builds = builds_of(options.build, options.builds.split(","))
        known = read_table(options.table)
        judge = Judge(builds, ROOT / "build/kernel_mutations", found,
                      again=options.changed)
        chosen, sample = chosen_of(found, known, judge.sources, options)
        if options.minutes:
            judge.end = begin + 60 * options.minutes
        judged = judge.judge(chosen, options.jobs)
    except mutation_sites.BadSource as error:
        print(f"mutations.py: {error}", file=sys.stderr)
        return 1
    except (CannotPlant, OSError) as error:
        print(f"mutations.py: {str(error)[:2000]}", file=sys.stderr)
        return 3

    sites = {site.id: site for all_of in found.values() for site in all_of}
    rows = {name: row for name, row in known.items() if name in sites}
    for name, verdict in judged.items():
        if verdict.word == "survived" and rows.get(name, {}).get("verdict") in options.left_out:
            rows[name]["hash"] = judge.sources.hash_of(sites[name].file)
            continue  # only a build that was not asked can tell
        rows[name] = dict(zip(COLUMNS, row_of(sites[name], verdict, reasons, judge.sources)))
    ordered = [rows[name] for name in sites if name in rows]
    for line in scores(ordered):
        print("  ".join(f"{name}: {value}" for name, value in zip(SCORE_COLUMNS, line)))

    failures += failures_of(ordered, judged, reasons)
    for site in sample:
        if site.id in judged and judged[site.id].word not in KILLED:
            failures.append(f"{site.id} survives; the table says {known[site.id]['verdict']}")
    if options.changed or not options.only:
        left = [site for site in judge.left if site not in sample]
        failures += [f"{len(left)} sites were not judged, the minutes are over"] if left else []
        failures += [f"{name}: a row of the table without a site" for name in known
                     if name not in sites and not options.write]
        failures += [f"{name}: no row of the table" for name in sites if name not in rows]
    if options.write and len(rows) == len(sites):
        write_rows(options.write / TABLE, COLUMNS,
                   [[row[column] for column in COLUMNS] for row in ordered])
        write_rows(options.write / SCORES, SCORE_COLUMNS, scores(ordered))
    for failure in failures:
        print("FAILED", failure)
    print(f"{len(judged)} mutations judged in {time.monotonic() - begin:.0f} s, "
          f"{len(failures)} failures")
    return 1 if failures or (not judged and not options.changed) else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
