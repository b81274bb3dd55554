"""The directive `kernels-of`: every CUDA kernel of an op or chain, beside its reference.

    ```{kernels-of} rmsnorm
    ```

For each file kernels/OP/*.cu, in the order of names: what a GPU has said of it (the last row of
docs/tables/hardware_runs.tsv; without one, that none ever ran it), what the compiler says of its
registers (docs/tables/kernel_resources.tsv), and its source. Headers under kernels/OP follow."""
import pathlib

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from tsv_table import DOCS

ROOT = DOCS.parent
RUNS = ["kernel", "gpu", "date", "driver", "verdict"]


def rows_of(name, columns=None):
    """The rows of a table as dictionaries; the table may have none, or not be there yet."""
    path = DOCS / "tables" / name
    if not path.exists():
        return []
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    if columns is not None and lines[0] != columns:
        raise ExtensionError(f"docs/tables/{name}: its columns are {lines[0]}; expected {columns}")
    return [dict(zip(lines[0], cells)) for cells in lines[1:]]


def last_run(kernel):
    runs = [row for row in rows_of("hardware_runs.tsv", RUNS) if row["kernel"] == kernel]
    if not runs:
        return "NEVER RUN ON A GPU."
    row = runs[-1]
    return (f"Last run on a GPU: {row['verdict']}, {row['gpu']}, {row['date']}, "
            f"driver {row['driver']}.")


def code(path):
    text = path.read_text(encoding="utf-8")
    block = nodes.literal_block(text, text)
    block["language"] = "cuda"
    return block


class KernelsOf(SphinxDirective):
    required_arguments = 1

    def run(self):
        op = self.arguments[0]
        folder = ROOT / "kernels" / op
        kernels = sorted(folder.glob("*.cu"))
        if not kernels:
            return [nodes.paragraph("", "There is no CUDA kernel of this op.")]
        found = []
        for path in [*kernels, *sorted(folder.glob("*.cuh"))]:
            name = str(path.relative_to(ROOT))
            self.env.note_dependency(str(path))
            found.append(nodes.rubric("", "", nodes.literal("", name)))
            if path.suffix == ".cu":
                first = nodes.paragraph("", "", nodes.strong("", last_run(f"{op}/{path.stem}")))
                found.append(first)
            found.append(code(path))
        return found


def setup(app):
    app.add_directive("kernels-of", KernelsOf)
    return {"parallel_read_safe": True}
