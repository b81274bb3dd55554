"""What mutants gave: the summary that is printed, and the committed tables."""

import collections
import dataclasses
import pathlib

from planting import ROOT

FILE = ROOT / "docs/tables/mutants.tsv"
LEAST = 0.98  # of what each contract must kill
COLUMNS = ["id", "provenance", "target", "what is wrong", "formula", "exact", "bounded",
           "killed by", "hash"]
SCORES = ["target", "mutants", "killed", "survived", "equivalent", "exact %", "of the formula",
          "killed within bounds", "survived within bounds", "bounded %"]


@dataclasses.dataclass(frozen=True)
class Known:
    """A row of the committed table."""
    exact: str
    bounded: str
    killed_by: str
    hash: str


def word(killed):
    return "killed" if killed else "survived"


def read(path=FILE):
    """The rows of a committed table by id; none where there is no table."""
    path = pathlib.Path(path)
    if not path.is_file():
        return {}
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    at = [COLUMNS.index(name) for name in ("exact", "bounded", "killed by", "hash")]
    return {row[0]: Known(*(row[i] for i in at)) for row in rows[1:] if len(row) == len(COLUMNS)}


def known_of(judgement):
    """What a judgement is as a row of the table."""
    by = judgement.bounded_by if judgement.bounded else judgement.exact_by
    shown = ", ".join(by[:4]) + (f" and {len(by) - 4} more" if len(by) > 4 else "")
    return Known(word(judgement.exact), word(judgement.bounded), shown or "-",
                 short(judgement.hash))


def short(judgement_hash):
    return judgement_hash[:16]


def percent(part, whole):
    return f"{100 * part / whole:.1f}" if whole else "-"


@dataclasses.dataclass
class Score:
    """Of one target: counts of what is no equivalent, and of those that change the formula."""
    judged: int = 0
    killed: int = 0
    equivalent: int = 0
    formula: int = 0
    formula_killed: int = 0

    def add(self, mutant, known):
        if mutant.kind == "equivalent":
            self.equivalent += 1
            return
        self.judged += 1
        self.killed += known.exact == "killed"
        self.formula += mutant.changes_formula
        self.formula_killed += mutant.changes_formula and known.bounded == "killed"

    def cells(self, target):
        return [target, self.judged, self.killed, self.judged - self.killed, self.equivalent,
                percent(self.killed, self.judged), self.formula, self.formula_killed,
                self.formula - self.formula_killed, percent(self.formula_killed, self.formula)]


def scores_of(mutants, found):
    scores, total = collections.defaultdict(Score), Score()
    for mutant in mutants:
        if mutant.id in found:
            scores[mutant.target].add(mutant, found[mutant.id])
            total.add(mutant, found[mutant.id])
    return scores, total


def survivors(mutants, found):
    """(mutant, contract) of what should have been killed and was not."""
    for mutant in mutants:
        if mutant.kind != "mutant" or mutant.id not in found:
            continue
        if found[mutant.id].exact == "survived":
            yield mutant, "exact"
        if mutant.changes_formula and found[mutant.id].bounded == "survived":
            yield mutant, "bounded"


def must_be_killed(mutants, found, known):
    """Failures: shares below what is wanted. Survivors that the table knows are no news."""
    failures = []
    for contract in ("exact", "bounded"):
        survived = [m.id for m, which in survivors(mutants, found) if which == contract]
        asked = [m for m in mutants if m.kind == "mutant" and m.id in found and
                 (contract == "exact" or m.changes_formula)]
        news = [i for i in survived if i not in known or getattr(known[i], contract) != "survived"]
        if news and len(survived) > (1 - LEAST) * len(asked):
            failures.append(f"{contract}: {len(asked) - len(survived)} of {len(asked)} killed, "
                            f"less than {LEAST:.0%}; survived: {', '.join(survived)}")
    return failures


def lacking(table, mutants):
    """Failures: mutants without a row in the committed table, and rows without a mutant."""
    known, wanted = read(table), {m.id for m in mutants if m.is_judged}
    return ([f"{name}: no row in the table" for name in sorted(wanted - set(known))] +
            [f"{name}: a row in the table, but no mutant" for name in sorted(set(known) - wanted)])


def summary(mutants, ids, chosen, found):
    scores, total = scores_of(chosen, found)
    rows = [score.cells(target) for target, score in scores.items()] + [total.cells("all")]
    head = f"{'':<18}{'all':>5} {'killed':>7} {'survived':>9} {'equivalent':>11} {'exact %':>8}"
    lines = ["", head + f" | {'formula':>8} {'killed':>7} {'survived':>9} {'bounded %':>10}"]
    lines += [f"{r[0]:<18}{r[1]:>5} {r[2]:>7} {r[3]:>9} {r[4]:>11} {r[5]:>8} | {r[6]:>8} {r[7]:>7} "
              f"{r[8]:>9} {r[9]:>10}" for r in rows]
    for mutant, contract in survivors(chosen, found):
        lines.append(f"survived ({contract}): {mutant.id}  {mutant.target}: {mutant.what}")
    for mutant in chosen:
        if mutant.kind == "equivalent" and mutant.id in found:
            lines.append(f"equivalent: {mutant.id}  {mutant.what}: {mutant.why}")
    left = {m.id.split("/")[0] for m in mutants if not m.is_judged}
    lines.append(f"{len(left)} of {len(ids)} rows of the catalogue are not applicable (the list "
                 "says why)")
    return "\n".join(lines)


def as_json(chosen, ids, judged, errors):
    rows = []
    for mutant in chosen:
        row = {"id": mutant.id, "provenance": ids[mutant.id.split("/")[0]].provenance,
               "kind": mutant.kind, "target": mutant.target, "what": mutant.what,
               "changes_formula": mutant.changes_formula}
        if mutant.id in errors:
            row["error"] = errors[mutant.id]
        if mutant.id in judged:
            row |= dataclasses.asdict(judged[mutant.id])
        rows.append(row)
    return rows


def write_table(path, header, rows):
    lines = ["\t".join(str(cell) for cell in row) for row in [header, *rows]]
    path.write_text("\n".join(lines) + "\n")


def write(folder, mutants, ids, found):
    """mutants.tsv, mutant_scores.tsv, and mutants_not_asked.tsv: equivalent and not applicable."""
    rows = []
    for mutant in mutants:
        if mutant.id not in found:
            continue
        row, is_equivalent = found[mutant.id], mutant.kind == "equivalent"
        rows.append([mutant.id, ids[mutant.id.split("/")[0]].provenance, mutant.target, mutant.what,
                     "yes" if mutant.changes_formula else "no",
                     "equivalent" if is_equivalent else row.exact,
                     "equivalent" if is_equivalent else row.bounded, row.killed_by, row.hash])
    write_table(folder / "mutants.tsv", COLUMNS, rows)
    scores, total = scores_of(mutants, found)
    write_table(folder / "mutant_scores.tsv", SCORES,
                [score.cells(target) for target, score in scores.items()] + [total.cells("all")])
    write_table(folder / "mutants_not_asked.tsv", ["id", "provenance", "kind", "what", "why"],
                [[m.id, ids[m.id.split("/")[0]].provenance, m.kind, m.what, m.why]
                 for m in mutants if m.kind != "mutant"])
