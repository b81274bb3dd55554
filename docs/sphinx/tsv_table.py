"""The directive `tsv`: a committed table of results, as it is.

    ```{tsv} tables/smallest_errors.tsv
    :columns: op, recipe, class
    :where: weak=yes
    :by: op, recipe
    :least: log2
    :none: No op is weak.
    ```

The path is relative to docs/. The first line names the columns; cells are separated by tabs and
shown unchanged. `columns` is what the first line must be. `where` keeps the rows with that cell
(and that one: `exact=killed; formula=yes`);
`by` and `least` keep one row of those that agree in the columns `by`, the one with the least number
in the column `least` (a cell that is no number counts as the largest). `none` is said where no row
is kept. A file that is missing, empty or ragged is a warning."""
import pathlib

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

DOCS = pathlib.Path(__file__).resolve().parent.parent


def read_table(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    table = [line.split("\t") for line in lines]
    if len(table) < 2:
        raise ValueError("has no rows")
    for number, cells in enumerate(table, start=1):
        if len(cells) != len(table[0]):
            raise ValueError(f"line {number} has {len(cells)} cells, expected {len(table[0])}")
    return table[0], table[1:]


def number(cell):
    try:
        return float(cell)
    except ValueError:
        return float("inf")


def least_of_each(rows, groups, column):
    """One row of each group, in the order in which the groups come."""
    kept = {}
    for row in rows:
        key = tuple(row[group] for group in groups)
        if key not in kept or number(row[column]) < number(kept[key][column]):
            kept[key] = row
    return list(kept.values())


def words(text):
    return [word.strip() for word in text.split(",")]


def row_node(cells):
    row = nodes.row()
    for cell in cells:
        row += nodes.entry("", nodes.paragraph(text=cell))
    return row


def table_node(header, rows):
    table = nodes.table()
    group = nodes.tgroup(cols=len(header))
    table += group
    for column in range(len(header)):
        width = max(len(row[column]) for row in [header] + rows)
        group += nodes.colspec(colwidth=max(width, 1))
    group += nodes.thead("", row_node(header))
    group += nodes.tbody("", *[row_node(row) for row in rows])
    return table


class TsvTable(SphinxDirective):
    required_arguments = 1
    option_spec = {
        "columns": words,
        "where": directives.unchanged_required,
        "by": words,
        "least": directives.unchanged_required,
        "none": directives.unchanged_required,
    }

    def run(self):
        name = self.arguments[0]
        self.env.note_dependency(str(DOCS / name))
        try:
            header, rows = read_table(DOCS / name)
        except (OSError, ValueError) as error:
            raise self.error(f"docs/{name}: {error}")
        wanted = self.options.get("columns")
        if wanted is not None and wanted != header:
            raise self.error(f"docs/{name}: its columns are {', '.join(header)}; expected "
                             f"{', '.join(wanted)}")
        cells = dict(condition.strip().split("=", 1)
                     for condition in self.options.get("where", "").split(";") if condition)
        groups, least = self.options.get("by", []), self.options.get("least")
        for used in [*groups, *cells, *([least] if least else [])]:
            if used not in header:
                raise self.error(f"docs/{name}: no column '{used}'")
        for column, value in cells.items():
            rows = [row for row in rows if row[header.index(column)] == value]
        if least:
            rows = least_of_each(rows, [header.index(group) for group in groups],
                                 header.index(least))
        if not rows and "none" in self.options:
            return [nodes.paragraph(text=self.options["none"])]
        return [table_node(header, rows)]


def setup(app):
    app.add_directive("tsv", TsvTable)
    return {"parallel_read_safe": True}
