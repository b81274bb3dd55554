"""One token of a golden model, followed through every op: what docs/chapters/token.md shows.

    ```{activation}
    layer.00/attention/q head 0
    layer.00/attention_norm
    ```
        the token's first elements of these tensors, in decimal and as exact hexadecimal floats
    ```{followed} attention 0
    ```
        a table or a calculation: attention LAYER, rotation, router LAYER, ties, layers, next
    {followed}`position`
        a fact in running text: a name of FACTS, `config KEY`, or NAME LAYER of LAYER_FACTS

What is recomputed here (the rotation by hand, the weights of attention, the temperature, the sums)
is compared with the trace, and a difference ends the build."""
import collections
import functools
import math
import re
from fractions import Fraction

import numpy
from docutils import nodes
from docutils.parsers.rst import roles
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from traced_model import layer_path, shown_byte, traced
from tsv_table import table_node

MODEL, RECIPE, POSITION = "scout-bytes", "bf16", 135
SHOWN = 4  # elements of a tensor
F32, BF16 = 24, 8  # bits of a significand


def trace():
    return traced(MODEL, RECIPE)


def row(path):
    return trace().row(path, POSITION)


def nearest(value, bits):
    """The number with a significand of `bits` bits nearest to a Fraction, ties to even, as a
    Fraction. Exponents have no limit here: the numbers of this page are normal."""
    if value == 0:
        return value
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    if abs(value) >= Fraction(2) ** exponent:
        exponent += 1  # now 2^(exponent - 1) <= |value| < 2^exponent
    unit = Fraction(2) ** (exponent - bits)
    return round(value / unit) * unit  # round() of a Fraction takes ties to even


def exact(value):
    """A number as C prints it with %a: every bit."""
    return re.sub(r"\.?0*p", "p", float(value).hex())


def decimal(value):
    return f"{float(value):.8g}"


def require(holds, what):
    if not holds:
        raise ExtensionError(f"docs/chapters/token.md: {what}")


# --- tensors as they are -------------------------------------------------------------------------

def activation_text(line):
    """`PATH`, or `PATH head N`, or `PATH pair N`."""
    path, _, which = line.strip().partition(" ")
    part, about = row(path), ""
    if which:
        kind, number = which.split(" ")
        part, about = part.part(int(number)), f", {kind} {number}"
    shape = ", ".join(str(extent) for extent in row(path).values.shape)
    values = part.values.ravel()
    head = f"{path}   {part.dtype} ({shape}){about}"
    if part.dtype == "i64":
        return f"{head}\n    {' '.join(str(value) for value in values)}"
    if values.size > SHOWN:
        largest = int(numpy.argmax(numpy.abs(values)))
        head += f"   rms {numpy.sqrt(numpy.mean(values**2)):.4g}, " \
                f"largest {values[largest]:.6g} at {largest}"
    shown = values[:SHOWN]
    cells = [[decimal(value) for value in shown], [exact(value) for value in shown]]
    more = "  ..." if values.size > SHOWN else ""
    return "\n".join([head] + ["".join(f"  {cell:>16}" for cell in line) + more for line in cells])


# --- recomputed here -----------------------------------------------------------------------------

def rotation_text():
    """RoPE of pair 0 of query head 0 in layer 0, with exact fractions and one rounding a step."""
    x0, x1 = (Fraction(float(value)) for value in row("layer.00/attention/q").values[0, :2])
    cosine, sine = (Fraction(float(value)) for value in row("rope_table").values[0])
    products = [nearest(x0 * cosine, F32), nearest(x1 * sine, F32),
                nearest(x0 * sine, F32), nearest(x1 * cosine, F32)]
    sums = [nearest(products[0] - products[1], F32), nearest(products[2] + products[3], F32)]
    stored = [nearest(value, BF16) for value in sums]
    got = row("layer.00/attention/q_rope").values[0, :2]
    for value, traced_value in zip(stored, got):
        require(float(value) == traced_value,
                f"the rotation by hand gives {exact(value)}, the trace has {exact(traced_value)}")
    names = ["x0", "x1", "cosine", "sine", "RN32(x0 cosine)", "RN32(x1 sine)", "RN32(x0 sine)",
             "RN32(x1 cosine)", "RN32(x0 cosine - x1 sine)", "RN32(x0 sine + x1 cosine)",
             "y0 = RN of that, bf16", "y1 = RN of that, bf16", "the trace has y0",
             "the trace has y1"]
    values = [x0, x1, cosine, sine, *products, *sums, *stored, *got]
    return "\n".join(f"{name:<26}{exact(value):>18}{decimal(value):>18}"
                     for name, value in zip(names, values))


@functools.lru_cache(maxsize=None)
def attention_weights(layer):
    """(H, keys), binary64, of the visible keys; the heads that they give are those of the trace."""
    t, path = trace(), layer_path(layer) + "/attention/"
    rope, norm = t.has_rope(layer), t.config["use_qk_norm"]
    rotated = ("q_norm", "k_norm") if norm else ("q_rope", "k_rope")
    query, key = rotated if rope else ("q_temperature", "k")
    q = row(path + query).values
    visible = slice(t.first_visible(layer, POSITION), POSITION + 1)
    group = q.shape[0] // t.tensor(path + key).values.shape[1]
    keys = t.tensor(path + key).values[visible].repeat(group, axis=1)
    values = t.tensor(path + "v").values[visible].repeat(group, axis=1)
    scores = numpy.einsum("hd,jhd->hj", q, keys) / math.sqrt(q.shape[1])
    weights = numpy.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    heads = numpy.einsum("hj,jhd->hd", weights, values)
    # Half a unit of bf16, and what binary32 may add.
    room = 2.0**-8 * numpy.abs(heads) \
        + 2.0**-18 * numpy.einsum("hj,jhd->hd", weights, numpy.abs(values))
    require((numpy.abs(heads - row(path + "heads").values) <= room).all(),
            f"attention of layer {layer} recomputed is not what the trace has")
    return weights


def attention_table(layer):
    weights = attention_weights(layer)
    first = trace().first_visible(layer, POSITION)
    shown = numpy.argsort(-weights.max(axis=0), kind="stable")[:10]
    header = ["key", "byte"] + [f"head {head}" for head in range(weights.shape[0])]
    lines = [[str(first + key), shown_byte(trace().ids[first + key])]
             + [f"{100 * weight:.1f} %" for weight in weights[:, key]] for key in sorted(shown)]
    return table_node(header, lines)


def router_table(layer):
    logits = row(layer_path(layer) + "/feed_forward/router_logits").values
    best = numpy.argsort(-logits, kind="stable")[:5]
    chosen = int(row(layer_path(layer) + "/feed_forward/chosen").values[0])
    require(best[0] == chosen, f"layer {layer}: the trace chose expert {chosen}, not {best[0]}")
    return table_node(["expert", "logit", "exact", ""],
                      [[str(expert), decimal(logits[expert]), exact(logits[expert]),
                        "chosen" if expert == chosen else ""] for expert in best])


def ties_table():
    """Every token of the input whose two largest stored router logits are equal, by layer."""
    t, lines = trace(), []
    for layer in range(t.layers):
        path = layer_path(layer) + "/feed_forward/"
        logits, chosen = t.tensor(path + "router_logits").values, t.tensor(path + "chosen").values
        tied = (logits == logits.max(axis=1, keepdims=True)).sum(axis=1) > 1
        for token in numpy.nonzero(tied)[0]:
            equal = numpy.nonzero(logits[token] == logits[token].max())[0]
            require(chosen[token, 0] == equal[0], f"layer {layer}, position {token}: rule N6")
            lines.append([str(layer), str(token), shown_byte(t.ids[token]),
                          " ".join(map(str, equal)), exact(logits[token].max()),
                          str(chosen[token, 0])])
    require(lines, "no token of the input ties")
    return table_node(["layer", "position", "byte", "equal experts", "logit", "chosen"], lines)


def layers_table():
    header = ["layer", "positions", "keys seen", "expert", "score", "rms of the stream", "largest",
              "at channel"]
    lines = []
    for layer in range(trace().layers):
        path = layer_path(layer)
        stream = row(path + "/output").values
        largest = int(numpy.argmax(numpy.abs(stream)))
        lines.append([str(layer), "RoPE" if trace().has_rope(layer) else "none",
                      str(layer_fact("keys", layer)), layer_fact("expert", layer),
                      layer_fact("score", layer), f"{numpy.sqrt(numpy.mean(stream**2)):.4f}",
                      decimal(stream[largest]), str(largest)])
    return table_node(header, lines)


def chances():
    logits = row("output/logits").values
    weights = numpy.exp(logits - logits.max())
    return numpy.argsort(-logits, kind="stable"), weights / weights.sum()


def next_table():
    order, chance = chances()
    logits = row("output/logits").values
    return table_node(["token", "byte", "logit", "exact", "chance"],
                      [[str(token), shown_byte(int(token)), decimal(logits[token]),
                        exact(logits[token]), f"{100 * chance[token]:.1f} %"]
                       for token in order[:5]])


# --- facts in running text -----------------------------------------------------------------------

def temperature():
    """By the formula, each step rounded to binary32, and held against every query of the token."""
    config, layer = trace().config, first_global()
    steps = numpy.floor(numpy.float32(POSITION + 1) / numpy.float32(config["floor_scale"]))
    logarithm = numpy.float32(math.log(float(steps) + 1.0))
    factor = logarithm * numpy.float32(config["attn_scale"]) + numpy.float32(1.0)
    path = layer_path(layer) + "/attention/"
    for x, y in zip(row(path + "q").values.ravel(), row(path + "q_temperature").values.ravel()):
        product = nearest(Fraction(float(x)) * Fraction(float(factor)), F32)
        require(float(nearest(product, BF16)) == y, "the temperature is not that of the trace")
    return float(factor)


def first_global():
    return next(layer for layer in range(trace().layers) if not trace().has_rope(layer))


def text_of(first, last):
    return "".join(shown_byte(int(token)) for token in trace().ids[first:last + 1])


def chunk_first():
    return trace().first_visible(0, POSITION)


FACTS = {
    "model": lambda: MODEL,
    "position": lambda: str(POSITION),
    "tokens": lambda: str(len(trace().ids)),
    "id": lambda: str(trace().ids[POSITION]),
    "byte": lambda: shown_byte(int(trace().ids[POSITION])),
    "before": lambda: text_of(POSITION - 60, POSITION),
    "chunk first": lambda: str(chunk_first()),
    "chunk number": lambda: str(POSITION // trace().config["attention_chunk_size"]),
    "chunk text": lambda: text_of(chunk_first(), POSITION),
    "global layer": lambda: str(first_global()),
    "steps": lambda: str((POSITION + 1) // trace().config["floor_scale"]),
    "temperature": lambda: decimal(temperature()),
    "temperature exact": lambda: exact(temperature()),
    "next": lambda: shown_byte(int(chances()[0][0])),
    "next id": lambda: str(chances()[0][0]),
    "next chance": lambda: f"{100 * chances()[1][chances()[0][0]]:.0f} %",
    "second": lambda: shown_byte(int(chances()[0][1])),
    "true next": lambda: shown_byte(int(trace().ids[POSITION + 1])),
}


def equal_experts(layer):
    logits = row(layer_path(layer) + "/feed_forward/router_logits").values
    equal = numpy.nonzero(logits == logits.max())[0]
    require(len(equal) > 1, f"no experts tie in layer {layer}")
    return " and ".join(map(str, equal))


def expert_in_f32(layer):
    """The expert that the same token goes to where nothing is rounded to bf16, another one."""
    path = layer_path(layer) + "/feed_forward/chosen"
    chosen = traced(MODEL, "f32").row(path, POSITION).values[0]
    require(str(chosen) != layer_fact("expert", layer), f"layer {layer}: both recipes choose alike")
    return str(chosen)


def usual_share(layer):
    """How many of the input's tokens go to the expert that their own byte goes to most often."""
    chosen = trace().tensor(layer_path(layer) + "/feed_forward/chosen").values[:, 0]
    visits = collections.defaultdict(collections.Counter)
    for token, expert in zip(trace().ids, chosen):
        visits[token][expert] += 1
    usual = sum(max(counts.values()) for counts in visits.values())
    return f"{100 * usual / len(chosen):.0f} %"


def strongest_key(layer):
    weights = attention_weights(layer)
    head, key = numpy.unravel_index(numpy.argmax(weights), weights.shape)
    at = trace().first_visible(layer, POSITION) + key
    return f"head {head} gives {100 * weights[head, key]:.0f} % of its weight to position {at}, " \
           f"the byte {shown_byte(int(trace().ids[at]))}"


LAYER_FACTS = {
    "keys": lambda layer: str(POSITION + 1 - trace().first_visible(layer, POSITION)),
    "expert": lambda layer: str(row(layer_path(layer) + "/feed_forward/chosen").values[0]),
    "score": lambda layer: decimal(row(layer_path(layer) + "/feed_forward/scores").values[0]),
    "equal experts": equal_experts,
    "expert in f32": expert_in_f32,
    "usual share": usual_share,
    "strongest key": strongest_key,
}


def layer_fact(name, layer):
    return LAYER_FACTS[name](layer)


def fact(text):
    name, _, last = text.rpartition(" ")
    if name == "config":
        return str(trace().config[last])
    if name in LAYER_FACTS:
        return layer_fact(name, int(last))
    return FACTS[text]()


def followed_role(name, rawtext, text, lineno, inliner, options=None, content=None):
    try:
        said = fact(text)
    except (KeyError, ValueError, IndexError) as error:
        message = inliner.reporter.error(f"the followed token has no fact '{text}' ({error})",
                                         line=lineno)
        return [inliner.problematic(rawtext, rawtext, message)], [message]
    return [nodes.literal(rawtext, said, classes=["followed"])], []


class Activation(SphinxDirective):
    has_content = True

    def run(self):
        text = "\n\n".join(activation_text(line) for line in self.content if line.strip())
        return [nodes.literal_block(text, text, language="none", classes=["activation"])]


class Followed(SphinxDirective):
    required_arguments = 1
    optional_arguments = 1

    def run(self):
        what = self.arguments[0]
        if what == "rotation":
            text = rotation_text()
            return [nodes.literal_block(text, text, language="none", classes=["activation"])]
        plain = {"ties": ties_table, "layers": layers_table, "next": next_table}
        by_layer = {"attention": attention_table, "router": router_table}
        if what in plain and len(self.arguments) == 1:
            return [plain[what]()]
        if what in by_layer and len(self.arguments) == 2:
            return [by_layer[what](int(self.arguments[1]))]
        raise self.error(f"nothing to show for '{' '.join(self.arguments)}'")


def setup(app):
    roles.register_canonical_role("followed", followed_role)
    app.add_role("followed", followed_role, override=True)
    app.add_directive("activation", Activation)
    app.add_directive("followed", Followed)
    return {"parallel_read_safe": True}
