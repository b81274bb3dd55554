"""A golden model, traced by the built program when the pages are built.

The program is build/PRESET/bin/touchstone, PRESET from TOUCHSTONE_PRESET (release if that is not
set); TOUCHSTONE_PROGRAM names another one. Without it, or where it fails, the build of the pages
ends: a page never shows a number that nothing computed."""
import functools
import json
import os
import pathlib
import subprocess
import tempfile

import h5py
import numpy
from sphinx.errors import ExtensionError

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def program():
    preset = os.environ.get("TOUCHSTONE_PRESET", "release")
    path = pathlib.Path(os.environ.get("TOUCHSTONE_PROGRAM",
                                       ROOT / "build" / preset / "bin/touchstone"))
    if not path.is_file():
        raise ExtensionError(f"no program {path}, which computes the numbers of the pages; "
                             "`./touchstone list` builds it")
    return path


class Row:
    """One token's part of a tensor: its stored bits, and their values in binary64 (exact)."""

    def __init__(self, dtype, stored):
        self.dtype = dtype
        self.stored = stored
        widened = stored
        if dtype == "bf16":
            widened = (stored.astype(numpy.uint32) << 16).view(numpy.float32)
        self.values = widened if dtype == "i64" else widened.astype(numpy.float64)

    def part(self, index):
        return Row(self.dtype, self.stored[index])


class Trace:
    """Every activation of a golden model on its own inputs, in one recipe. Sequence 0 alone."""

    def __init__(self, model, recipe):
        self.folder = ROOT / "golden/models" / model
        self.config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        self.name = f"{model}, recipe {recipe}"
        with tempfile.TemporaryDirectory() as scratch:
            out = pathlib.Path(scratch) / "trace.h5"
            words = [program(), "trace", "--model", self.folder, "--inputs",
                     self.folder / "input.h5", "--recipe", recipe, "--out", out]
            try:
                subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               encoding="utf-8", check=True)
            except subprocess.CalledProcessError as error:
                raise ExtensionError(f"cannot trace {model}: exit code {error.returncode}: "
                                     f"{error.stdout.strip()}") from error
            except OSError as error:
                raise ExtensionError(f"cannot run {words[0]}: {error}") from error
            self.tensors = {}
            with h5py.File(out) as file:
                file.visititems(self._read)
        self.ids = self.tensors["input/input_ids"].values

    def _read(self, path, item):
        if isinstance(item, h5py.Dataset) and item.ndim > 1:
            self.tensors[path] = Row(item.attrs["dtype"].decode(), item[()][0])

    def tensor(self, path):
        """All tokens, (T, ...)."""
        if path not in self.tensors:
            raise ExtensionError(f"{self.name}: the trace has no tensor '{path}'")
        return self.tensors[path]

    def row(self, path, token):
        return self.tensor(path).part(token)

    @property
    def layers(self):
        return self.config["num_hidden_layers"]

    def has_rope(self, layer):
        return bool(self.config["no_rope_layers"][layer])

    def first_visible(self, layer, token):
        """The first key that a token may see."""
        chunk = self.config["attention_chunk_size"]
        return token // chunk * chunk if self.has_rope(layer) else 0


@functools.lru_cache(maxsize=None)
def traced(model, recipe):
    return Trace(model, recipe)


def layer_path(layer):
    return f"layer.{layer:02}"


def shown_byte(token):
    """A token of a model whose tokens are bytes, as text."""
    if token == 10:
        return "\\n"
    if token == 32:
        return "␣"
    return chr(token) if 32 < token < 127 else f"<{token}>"
