"""The directive `drawn`: a drawing made from numbers that ran, with a caption.

    ```{drawn} visible_keys
    Which key a query sees.
    ```

visible_keys, temperature and rope_bands come from the committed tables docs/tables/NAME.tsv, which
tests/docs/figures.cc writes and checks; expert_routing from a trace of scout-bytes made while
the pages are built. A table with other columns, or rows that contradict the drawing, ends the
build."""
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from svg import Axis, Drawing, axes
from traced_model import layer_path, shown_byte, traced
from tsv_table import DOCS, read_table


def table_rows(name, columns):
    header, rows = read_table(DOCS / "tables" / f"{name}.tsv")
    if header != columns:
        raise ExtensionError(f"docs/tables/{name}.tsv: its columns are {', '.join(header)}; "
                             f"expected {', '.join(columns)}")
    return rows


def visible_keys(_):
    rows = table_rows("visible_keys", ["layer", "chunk", "query", "keys", "seen"])
    size, panels = 15, {}
    for layer, chunk, query, keys, seen in rows:
        panels.setdefault((layer, int(chunk)), []).append((int(query), int(keys), seen))
    tokens = len(next(iter(panels.values())))
    side = tokens * size
    drawing = Drawing(
        "visible-keys", 2 * side + 150, side + 80, "Which keys a query sees",
        "Two squares, a row a query and a column a key. On a layer with RoPE the seen keys are "
        "triangles along the diagonal, one a chunk; on a layer without, all keys up to the query.")
    for number, ((layer, chunk), queries) in enumerate(panels.items()):
        left, top = 50 + number * (side + 60), 28
        kind = f"chunks of {chunk}" if chunk else "global"
        drawing.text(left + side / 2, 16, f"{layer}: {kind}", "heading")
        for query, keys, seen in queries:
            if len(seen) != tokens or seen.count("o") != keys:
                raise ExtensionError("docs/tables/visible_keys.tsv: a row that is not whole")
            for key, mark in enumerate(seen):
                tip = f"query {query} {'sees' if mark == 'o' else 'does not see'} key {key}"
                drawing.rect(left + key * size, top + query * size, size - 1, size - 1,
                             "seen" if mark == "o" else "unseen", tip)
        for tick in range(0, tokens, 4):
            drawing.text(left + (tick + 0.5) * size, top + side + 15, str(tick))
            drawing.text(left - 6, top + (tick + 0.5) * size + 4, str(tick), anchor="end")
        drawing.text(left + side / 2, top + side + 36, "position of the key")
    drawing.text(14, 28 + side / 2, "position of the query",
                 transform=f"rotate(-90 14 {28 + side / 2:g})")
    return drawing


def temperature(_):
    rows = table_rows("temperature", ["position", "temperature", "bits", "q of 1 in bf16"])
    points = [(int(row[0]), float(row[1]), float(row[3])) for row in rows if int(row[0]) > 0]
    drawing = Drawing(
        "temperature", 860, 400, "Attention temperature against position",
        "The temperature is 1 up to position 8190 and then grows in steps with the logarithm of "
        f"the position, to {points[-1][1]:.4f} at position {points[-1][0]}.")
    x = Axis(1, 1e7 * 1.3, 60, 840, logarithmic=True)
    y = Axis(0.95, 1.8, 350, 15)
    axes(drawing, x, y, [(10**e, f"{10**e:,}") for e in range(8)],
         [(1 + i / 10, f"{1 + i / 10:.1f}") for i in range(9)],
         "position, logarithmic", "factor of the query")
    drawing.path([(x(position), y(factor)) for position, factor, _ in points], "series one")
    for position, factor, stored in points:
        drawing.circle(x(position), y(stored), 2.4, "mark two",
                       f"position {position:,}: {factor:.7f}, stored in bf16 {stored:.7f}")
    legend(drawing, 90, 40, [("series one", "the temperature, binary32"),
                             ("mark two", "a query of 1 times it, stored in bf16")])
    return drawing


def legend(drawing, left, top, entries):
    for number, (klass, text) in enumerate(entries):
        middle = top + 20 * number
        if klass.startswith("series"):
            drawing.line(left, middle, left + 24, middle, klass)
        else:
            drawing.circle(left + 12, middle, 3.2, klass)
        drawing.text(left + 32, middle + 4, text, anchor="start")


def rope_bands(_):
    rows = table_rows("rope_bands", ["pair", "Maverick", "Scout as corrected", "band",
                                     "Scout as first published", "its band"])
    drawing = Drawing(
        "rope-bands", 860, 430, "Wavelength of every pair of a head",
        "Below a wavelength of 2048 positions all three agree. Maverick's pairs grow evenly. Scout "
        "as corrected jumps by 16 at pair 35; Scout as first published bends away from pair 29 on "
        "and ends at 8 times Maverick's.")
    x, y = Axis(0, 63, 96, 840), Axis(5, 1e8, 380, 15, logarithmic=True)
    axes(drawing, x, y, [(pair, str(pair)) for pair in range(0, 64, 7)],
         [(10**e, f"{10**e:,}") for e in range(1, 9)], "pair of the head", "wavelength, positions")
    drawing.line(96, y(8192), 840, y(8192), "threshold")
    drawing.text(104, y(8192) - 5, "8192", anchor="start")
    drawing.line(96, y(2048), 840, y(2048), "threshold")
    drawing.text(104, y(2048) + 14, "2048", anchor="start")
    for column, klass, name in ((1, "one", "Maverick"), (4, "two", "Scout as first published"),
                                (2, "three", "Scout as corrected")):
        drawing.path([(x(int(row[0])), y(float(row[column]))) for row in rows], f"series {klass}")
        for row in rows:
            band = f", {row[column + 1]}" if column > 1 else ""
            drawing.circle(x(int(row[0])), y(float(row[column])), 2.4, f"mark {klass}",
                           f"{name}, pair {row[0]}: {row[column]} positions{band}")
    legend(drawing, 126, 40, [("mark three", "Scout as corrected: factor 16, no smooth band"),
                              ("mark two", "Scout as first published: factor 8, pairs 29 to 34 "
                               "between"),
                              ("mark one", "Maverick: plain")])
    # What the legend and the description say.
    between = [int(row[0]) for row in rows if row[5] == "between"]
    divided = [int(row[0]) for row in rows if row[3] == "divided"]
    if between != list(range(29, 35)) or divided != list(range(35, 64)):
        raise ExtensionError("docs/tables/rope_bands.tsv: the smooth band has the pairs "
                             f"{between}, the pairs {divided} are divided")
    return drawing


def expert_routing(options):
    if "text" not in options:
        raise ExtensionError("expert_routing: expected the option `text`")
    trace = traced("scout-bytes", "bf16")
    text, ids = options["text"], [int(token) for token in trace.ids]
    first = bytes(token if token < 128 else 0 for token in ids).find(text.encode())
    if first < 0:
        raise ExtensionError(f"expert_routing: the input of scout-bytes has no '{text}'")
    width, height, left, top = 14, 26, 96, 30
    drawing = Drawing(
        "expert-routing", left + width * len(text) + 10, top + height * trace.layers + 46,
        "The expert that each byte goes to",
        "A column a byte, a row a layer; the number and the colour of a cell are the chosen "
        "expert.")
    for column in range(len(text)):
        at = left + (column + 0.5) * width
        drawing.text(at, top - 8, shown_byte(ids[first + column]), "letter")
        if (first + column) % 10 == 0:
            drawing.text(at, top + height * trace.layers + 15, str(first + column))
    drawing.text(left + width * len(text) / 2, top + height * trace.layers + 36,
                 "position in the sequence; above, its byte")
    for layer in range(trace.layers):
        y = top + layer * height
        kind = "" if trace.has_rope(layer) else ", no RoPE"
        drawing.text(left - 6, y + height / 2 + 4, f"{layer}{kind}", anchor="end")
        path = layer_path(layer) + "/feed_forward/"
        for column in range(len(text)):
            token = first + column
            expert = int(trace.row(path + "chosen", token).values[0])
            score = trace.row(path + "scores", token).values[0]
            tip = (f"layer {layer}, position {token}, {shown_byte(ids[token])}: expert {expert}, "
                   f"score {score:.4f}")
            drawing.rect(left + column * width, y, width - 1, height - 1, f"expert e{expert}", tip)
            drawing.text(left + (column + 0.5) * width - 0.5, y + height / 2 + 4, str(expert),
                         "number", pointer_events="none")
    drawing.text(14, top + height * trace.layers / 2, "layer",
                 transform=f"rotate(-90 14 {top + height * trace.layers / 2:g})")
    return drawing


DRAWINGS = {function.__name__: function
            for function in (visible_keys, temperature, rope_bands, expert_routing)}


class Drawn(SphinxDirective):
    required_arguments = 1
    has_content = True
    option_spec = {"text": directives.unchanged_required}

    def run(self):
        name = self.arguments[0]
        if name not in DRAWINGS:
            raise self.error(f"no drawing '{name}' (there are: {', '.join(DRAWINGS)})")
        try:
            drawing = DRAWINGS[name](self.options)
        except (OSError, ValueError, IndexError) as error:
            raise ExtensionError(f"drawing '{name}': {error}") from error
        if (DOCS / "tables" / f"{name}.tsv").exists():
            self.env.note_dependency(str(DOCS / "tables" / f"{name}.tsv"))
        figure = nodes.container(classes=["drawn"])
        figure += nodes.raw("", drawing.svg(), format="html")
        caption = nodes.container(classes=["drawn-caption"])
        self.state.nested_parse(self.content, self.content_offset, caption)
        figure += caption
        return [figure]


def setup(app):
    app.add_directive("drawn", Drawn)
    return {"parallel_read_safe": True}
