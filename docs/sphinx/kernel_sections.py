"""The directive `kernels-of`: every CUDA kernel of an op or chain, beside its reference.

    ```{kernels-of} rmsnorm
    ```

For each file kernels/OP/*.cu, in the order of names: what a GPU has said of it (the last row of
docs/tables/hardware_runs.tsv; without one, that none ever ran it), what the compiler says of its
registers (docs/tables/kernel_resources.tsv) and of its main loop on sm_90
(docs/tables/kernel_main_loops.tsv), and its source. Headers under kernels/OP follow.

The directives `main-loops` and `spills` show both tables for all kernels: a row a kernel, and the
rows with spills."""
import pathlib
import sys

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from tsv_table import DOCS, table_node

ROOT = DOCS.parent
RUNS = ["kernel", "gpu", "date", "driver", "verdict"]
SHOWN = "90"  # the architecture whose main loops the pages show

sys.path.insert(0, str(ROOT / "tools"))
from main_loop_table import COLUMNS as LOOPS, hash_of  # noqa: E402


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


def resources():
    return rows_of("kernel_resources.tsv")


def loops():
    """The main loops on one architecture, those without FFMA left out."""
    return [row for row in rows_of("kernel_main_loops.tsv", LOOPS)
            if row["architecture"] == SHOWN and row["loop"] != "-"]


def spills(row):
    return int(row["spill stores"]) + int(row["spill loads"])


def per_ffma(row, *names):
    return sum(int(row[name]) for name in names) / int(row["FFMA"])


def function_table(kernel):
    """A row a function: registers and spills by architecture, shared memory, the main loop."""
    rows = [row for row in resources() if row["kernel"] == kernel]
    of_loop = {row["function"]: row for row in loops() if row["kernel"] == kernel}
    architectures = list(dict.fromkeys(row["architecture"] for row in rows))
    by_function = {}
    for row in rows:
        by_function.setdefault(row["function"], []).append(row)
    header = ["function", "registers", "bytes spilled", "bytes of static shared memory"]
    if of_loop:
        header += ["FFMA in the main loop", "shared loads per FFMA", "global loads per FFMA"]
    body = []
    for function, found in by_function.items():
        cells = [function, ", ".join(row["registers"] for row in found),
                 ", ".join(str(spills(row)) for row in found), found[0]["static shared"]]
        loop = of_loop.get(function)
        if loop:
            cells += [f"{loop['FFMA %']} %", f"{per_ffma(loop, 'LDS'):.3f}",
                      f"{per_ffma(loop, 'LDG', 'LDGSTS'):.3f}"]
        elif of_loop:
            cells += ["-"] * 3
        body.append(cells)
    if not body:
        return [nodes.paragraph("", "It has no kernel of its own: what it calls is shown with its "
                                "op, or is a library's.")]
    release = rows[0]["nvcc"]
    said = f"By nvcc {release} for sm_{', sm_'.join(architectures)}, in this order"
    said += f"; the main loop is that of sm_{SHOWN}." if of_loop else "."
    if any(row["hash"] != hash_of(ROOT, kernel) for row in of_loop.values()):
        said += " The main loops are of an EARLIER TEXT of this kernel."
    return [nodes.paragraph("", said), table_node(header, body)]


class MainLoops(SphinxDirective):
    """A row a kernel: the least and the most of its functions."""

    def run(self):
        known = {}
        for row in resources():
            known.setdefault(row["kernel"], []).append(row)
        by_kernel = {}
        for row in loops():
            by_kernel.setdefault(row["kernel"], []).append(row)
        if not by_kernel:
            raise self.error("docs/tables/kernel_main_loops.tsv has no rows")

        def span(values, form):
            low, high = form.format(min(values)), form.format(max(values))
            return low if low == high else f"{low} to {high}"

        body = []
        for kernel, rows in by_kernel.items():
            here = [row for row in known[kernel] if row["architecture"] == SHOWN]
            whole = [float(row["with it %"]) for row in rows if row["with it %"] != "-"]
            stale = rows[0]["hash"] != hash_of(ROOT, kernel)
            body.append([kernel + (" (an EARLIER TEXT)" if stale else ""),
                         span([int(row["registers"]) for row in here], "{}"),
                         str(sum(spills(row) for row in here)),
                         span([float(row["FFMA %"]) for row in rows], "{:.1f} %"),
                         span(whole, "{:.1f} %") if whole else "-",
                         span([per_ffma(row, "LDS") for row in rows], "{:.3f}"),
                         span([per_ffma(row, "LDG", "LDGSTS") for row in rows], "{:.3f}")])
        header = ["kernel", "registers", "bytes spilled", "FFMA in the main loop",
                  "with the loop around", "shared loads per FFMA", "global loads per FFMA"]
        return [table_node(header, body)]


class Spills(SphinxDirective):
    def run(self):
        header = ["kernel", "function", "architecture", "registers", "spill stores", "spill loads"]
        body = [[row[column] for column in header] for row in resources() if spills(row) > 0]
        if not body:
            return [nodes.paragraph("", "There are none.")]
        return [table_node(header, body)]


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
                found += function_table(f"{op}/{path.stem}")
            found.append(code(path))
        return found


def setup(app):
    app.add_directive("kernels-of", KernelsOf)
    app.add_directive("main-loops", MainLoops)
    app.add_directive("spills", Spills)
    return {"parallel_read_safe": True}
