"""Holds the walkthrough to the sources: a page for each op of reference/ops.def and no other, a
section for each chain and no other, the same sections in every page, a meaning for every shape
letter, the rules that the program explains, and no command that the program lacks. A breach ends
the build. The directive `op-pages` lists the pages in the order of the rows."""
import pathlib
import re

from docutils.statemachine import StringList
from sphinx.directives.other import TocTree
from sphinx.errors import ExtensionError

DOCS = pathlib.Path(__file__).resolve().parent.parent
ROOT = DOCS.parent

SECTIONS = [
    "Formula",
    "Contract",
    "The lines that run",
    "The kernels",
    "The second reference",
    "A worked example",
    "The inputs",
    "What others do differently",
]


def rows():
    """(kind, word) of every row, in order."""
    found = []
    for line in (ROOT / "reference/ops.def").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("//"):
            continue
        row = re.fullmatch(r"(OP|OP_F32|CHAIN)\(([a-z0-9_]+), [A-Za-z0-9_+]+\)", line)
        if row is None:
            raise ExtensionError(f"reference/ops.def: cannot read the row '{line}'")
        found.append(row.groups())
    return found


def ops():
    return [word for kind, word in rows() if kind != "CHAIN"]


def chains():
    return [word for kind, word in rows() if kind == "CHAIN"]


def outside_code(text):
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def same(what, expected, got):
    missing = [name for name in expected if name not in got]
    extra = [name for name in got if name not in expected]
    if missing:
        yield f"{what}: missing {', '.join(missing)}"
    if extra:
        yield f"{what}: no row of reference/ops.def names {', '.join(extra)}"


def unknown_commands():
    """Commands and flags in the texts that the program does not have."""
    sources = [ROOT / "lab/main.cc", *sorted(ROOT.glob("lab/**/*_command.cc")),
               *sorted(ROOT.glob("fuzz/search/*_command.cc")), ROOT / "lab/model/backends.cc",
               ROOT / "bench/main.cc",
               ROOT / "tests/mutants/mutants.py"]
    program = "".join(path.read_text(encoding="utf-8") for path in sources)
    commands = set(re.findall(r'add_subcommand\(\s*"(\w+)"', program)) | {"test"}
    flags = set(re.findall(r'"(?:-\w,)?(--[\w-]+)"', program)) | {"--help"}
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")  # a command of several lines
        for line in re.findall(r"\./touchstone ([^`\n]*)", text):
            words = line.split("#")[0].split()
            known = flags | ({"--all", "-R"} if words[:1] == ["test"] else set())
            for word in words[:1]:
                if re.fullmatch(r"[a-z_]+", word) and word not in commands:
                    yield f"{path.relative_to(ROOT)}: the program has no command '{word}'"
            for flag in re.findall(r"(?<=\s)--?[\w-]+", f" {line}"):
                if flag not in known:
                    yield f"{path.relative_to(ROOT)}: './touchstone {line}': no flag '{flag}'"


def breaches():
    pages = sorted(path.stem for path in (DOCS / "ops").glob("*.md") if path.stem != "chains")
    yield from same("docs/ops", ops(), pages)
    for op in pages:
        text = (DOCS / "ops" / f"{op}.md").read_text(encoding="utf-8")
        sections = re.findall(r"^## (.*)$", outside_code(text), flags=re.MULTILINE)
        if sections != SECTIONS:
            yield f"docs/ops/{op}.md: its sections are {sections}, expected {SECTIONS}"
        for path in (f"reference/ops/{op}/{op}.h", f"reference/ops/{op}/{op}.cc",
                     f"reference/exact/{op}.cc", f"lab/ops/{op}.cc"):
            if f"{{literalinclude}} ../../{path}\n" not in text:
                yield f"docs/ops/{op}.md: shows nothing of {path}"
        if f"{{kernels-of}} {op}\n" not in text:
            yield f"docs/ops/{op}.md: does not show the op's kernels"

    text = (DOCS / "ops/chains.md").read_text(encoding="utf-8")
    yield from same("docs/ops/chains.md", chains(), re.findall(r"^## `(.*)`$", text, re.MULTILINE))

    for chain in chains():
        if f"{{kernels-of}} {chain}\n" not in text:
            yield f"docs/ops/chains.md: does not show the kernels of {chain}"

    chapter = (DOCS / "chapters/numerics_contract.md").read_text(encoding="utf-8")
    program = (ROOT / "lab/rules.cc").read_text(encoding="utf-8")
    told = re.findall(r"^\(n\d+\)=\n## (N\d+): (.+)$", chapter, flags=re.MULTILINE)
    if told != re.findall(r'\{"(N\d+)",\s*"([^"]+)",', program):
        yield "docs/chapters/numerics_contract.md and lab/rules.cc: other rules, names or order"

    yield from unknown_commands()

    text = (DOCS / "chapters/dimensions.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^\| `([A-Z])` \|", text, flags=re.MULTILINE))
    for path in sorted((ROOT / "reference/ops").glob("*/*.h")):
        views = re.findall(r"View<[^<>']*((?:, '.')+)>", path.read_text(encoding="utf-8"))
        letters = set(re.findall(r"[A-Z]", "".join(views)))
        for letter in sorted(letters - known):
            yield f"{path.relative_to(ROOT)}: docs/chapters/dimensions.md has no letter {letter}"


class OpPages(TocTree):
    has_content = False

    def run(self):
        pages = [f"/ops/{op}" for op in ops()] + ["/ops/chains"]
        self.content = StringList(pages, source="reference/ops.def")
        self.env.note_dependency(str(ROOT / "reference/ops.def"))
        return super().run()


def check(app):
    found = list(breaches())
    if found:
        raise ExtensionError("the walkthrough and the sources disagree:\n  " + "\n  ".join(found))


def setup(app):
    app.add_directive("op-pages", OpPages)
    app.connect("builder-inited", check)
    return {"parallel_read_safe": True}
