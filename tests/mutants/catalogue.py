"""The lists of mutants, of the reference and of the CUDA kernels, and the ids that they must hold,
catalogue_ids.tsv."""

import dataclasses
import hashlib
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LISTS = (HERE / "mutants.tsv", HERE / "kernel_mutants.tsv")
IDS = HERE / "catalogue_ids.tsv"
KINDS = ("mutant", "equivalent", "not applicable")
WHOLE_MODEL_TARGETS = ("decoder", "loader", "generation")


class BadList(Exception):
    """The list cannot be read, or lacks an id."""


@dataclasses.dataclass
class Mutant:
    id: str
    kind: str
    target: str
    changes_formula: bool
    what: str
    why: str
    edits: list  # of (path, anchor, text)
    row: str     # as it stands in the list

    @property
    def is_judged(self):
        return self.kind != "not applicable"

    @property
    def is_of_a_kernel(self):
        return self.target.startswith("kernels/")


@dataclasses.dataclass(frozen=True)
class CatalogueRow:
    section: str
    id: str
    provenance: str
    seen_in: str


def unescaped(text):
    return text.replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\")


def rows_of(path, fields):
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != fields:
            raise BadList(f"{path}:{number}: {fields} fields wanted, {len(cells)} found")
        yield f"{path}:{number}", line, cells


def read_ids(path=IDS):
    ids = {}
    for where, _, cells in rows_of(path, 4):
        row = CatalogueRow(*cells)
        if row.id in ids:
            raise BadList(f"{where}: {row.id} is there twice")
        ids[row.id] = row
    return ids


def is_kernel(target):
    """kernels/OP/ALGORITHM, a file's name without its .cu"""
    return target.startswith("kernels/") and (ROOT / f"{target}.cu").is_file()


def read_mutants(ops, paths=LISTS, ids_path=IDS):
    """The mutants in the lists' order, checked against the ids."""
    ids = read_ids(ids_path)
    mutants, known = [], set()
    for where, line, cells in (row for path in paths for row in rows_of(path, 9)):
        name, kind, target, formula, what, why = cells[:6]
        edit = (cells[6], unescaped(cells[7]), unescaped(cells[8]))
        if name == "+":
            if not mutants or not mutants[-1].edits or any(cells[1:6]):
                raise BadList(f"{where}: a further edit belongs to a mutant above it, and tells "
                              "nothing else")
            mutants[-1].edits.append(edit)
            mutants[-1].row += "\n" + line
            continue
        if name.split("/")[0] not in ids:
            raise BadList(f"{where}: no id {name.split('/')[0]} in {ids_path}")
        if name in known:
            raise BadList(f"{where}: {name} is there twice")
        if kind not in KINDS:
            raise BadList(f"{where}: kind '{kind}', wanted one of {', '.join(KINDS)}")
        is_judged = kind != "not applicable"
        if is_judged and target not in (*ops, *WHOLE_MODEL_TARGETS) and not is_kernel(target):
            raise BadList(f"{where}: target '{target}' is neither an op nor a part of the model "
                          "nor a kernel")
        if is_judged and formula not in ("yes", "no"):
            raise BadList(f"{where}: formula is '{formula}', wanted yes or no")
        if kind != "mutant" and len(why) < 10:
            raise BadList(f"{where}: {kind} without its reason")
        known.add(name)
        mutants.append(Mutant(name, kind, target, formula == "yes", what, why,
                              [edit] if is_judged else [], line))
    missing = sorted(set(ids) - {m.id.split("/")[0] for m in mutants})
    if missing:
        raise BadList(f"{paths[0]}: no row for {', '.join(missing)}")
    return mutants, ids


def hash_of(mutant, texts):
    """Of the mutated files and the mutant's row: what a verdict was made of."""
    digest = hashlib.sha256(mutant.row.encode())
    for path in sorted(texts):
        digest.update(b"\0" + path.encode() + b"\0" + texts[path].encode())
    return digest.hexdigest()
