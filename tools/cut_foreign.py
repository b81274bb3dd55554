#!/usr/bin/env python3
"""Cuts golden/foreign/ out of the recordings of two other implementations.

usage: cut_foreign.py RECORDINGS OUTPUT

RECORDINGS holds a folder for each small model (checkpoint and what Hugging Face transformers gave
on it), meta/ with the same for Meta's llama-models, and contract_hashes.json. OUTPUT/<model>.h5
gets what the tests in tests/outside/ read, OUTPUT/contract_hashes.json the hashes up to the end of
the first layer. golden/foreign/README.md says what is in them. Run by hand: no build and no test
needs the recordings themselves. The same recordings give the same bytes.
"""
import json
import pathlib
import struct
import sys

import h5py
import numpy

DTYPES = {"BF16": ("bf16", "<u2"), "F32": ("f32", "<f4")}
RECIPES = {"f32": "activations-float32.h5", "bf16": "activations-bfloat16.h5"}

# Names below one layer, `model.layers.<i>.`.
ATTENTION = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj.in"]
FULL_ATTENTION = ["input_layernorm", *ATTENTION, "self_attn.qk_norm.q", "self_attn.qk_norm.k",
                  "self_attn.o_proj", "post_attention_layernorm"]
ROUTER = ["feed_forward.router.logits", "feed_forward.router.scores"]
FEED_FORWARD = ["feed_forward.gate_proj", "feed_forward.up_proj", "feed_forward.down_proj"]
MIXTURE = ["post_attention_layernorm", *ROUTER, "feed_forward.experts.sum", "feed_forward",
           *(name.replace("feed_forward", "feed_forward.shared_expert") for name in FEED_FORWARD)]
FULL = [*FULL_ATTENTION, *MIXTURE, *FEED_FORWARD]

# Which layers, whether the final norm and the logits, and of which tokens the rows. The tokens
# stand on both sides of chunk edges (16; scout-bytes 128) and temperature steps (8; 128); those of
# scout-bytes have the largest outliers and chose three experts of layer 6. Attention reads the keys
# and values of all tokens, so these keep every row.
MODELS = {
    "scout-tiny": {
        "layers": {0: FULL, 3: ATTENTION}, "last": True,
        "transformers": [0, 1, 2, 3, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 22, 23, 24, 30, 31, 32, 33,
                         38, 39, 40, 44],
        "meta": [0, 1, 6, 7, 8, 14, 15, 16, 17, 23, 31, 32, 33, 40, 44],
        "decode": [19, 20, 22, 23, 31, 32, 33, 38, 39, 44]},
    "scout-launch-rope": {
        "layers": {0: FULL}, "last": False,
        "transformers": [0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 20, 23],
        "meta": [0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 20, 23]},
    "maverick-tiny": {
        "layers": {0: FULL, 1: MIXTURE, 3: ATTENTION}, "last": True,
        "transformers": [0, 6, 7, 8, 13, 15, 16, 22, 23, 31, 32, 39, 43, 44],
        "meta": [0, 6, 7, 8, 13, 15, 16, 22, 23, 31, 32, 39, 43, 44],
        "decode": [22, 23, 31, 32, 39, 43, 44]},
    "guard-tiny": {
        "layers": {0: FULL}, "last": False,
        "transformers": [0, 1, 2, 3, 7, 8, 15, 16, 17, 23, 31, 32, 38, 39],
        "meta": [0, 1, 2, 3, 7, 8, 15, 16, 17, 23, 31, 32, 38, 39]},
    "scout-bytes": {
        "layers": {6: FULL, 7: ATTENTION}, "last": True,
        "transformers": [0, 32, 39, 45, 112, 127, 132]},
}
# A trained router has near-ties; every layer's is kept, with all rows.
ALL_ROUTERS = ["scout-bytes"]

# What transformers records twice: the second name must hold the bits of the first.
COPIES = [("self_attn.o_proj", "self_attn"), ("feed_forward.down_proj", "feed_forward"),
          ("feed_forward.shared_expert.down_proj", "feed_forward.shared_expert")]

# Meta's names below one layer, `layer.<i>.`. Its keys, values and queries are one fused product.
META = {
    "input_layernorm": "attention_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attention.wq", "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv", "self_attn.o_proj.in": "attention.heads",
    "self_attn.qk_norm.q": "attention.qk_norm.q", "self_attn.qk_norm.k": "attention.qk_norm.k",
    "self_attn.o_proj": "attention", "self_attn.q_final": "attention.q_final",
    "feed_forward.router.logits": "router.logits", "feed_forward.router.scores": "router.scores",
    "feed_forward.experts.sum": "routed", "feed_forward": "feed_forward",
    "feed_forward.shared_expert.down_proj": "shared_expert",
}


# ---- reading ------------------------------------------------------------------------------------
def read_safetensors(path):
    """Header length (8 bytes), header (JSON), data: name -> (dtype, array of stored bits)."""
    raw = path.read_bytes()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    tensors = {}
    for name, entry in json.loads(raw[8:start]).items():
        if name != "__metadata__":
            dtype, stored = DTYPES[entry["dtype"]]
            begin, end = entry["data_offsets"]
            bits = numpy.frombuffer(raw[start + begin:start + end], stored)
            tensors[name] = (dtype, bits.reshape(entry["shape"]))
    return tensors


def read_checkpoint(folder):
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors.update(read_safetensors(path))
    return tensors


class Recording:
    """One run of one implementation; tensors have the token as their first axis."""

    def __init__(self, file, group):
        self.file, self.group = file, group

    def has(self, name):
        return self.group + name in self.file

    def read(self, name):
        dataset = self.file[self.group + name]
        array = dataset[()]
        batched = array.ndim > 2 or array.shape[0] == 1
        return dataset.attrs["dtype"], array[0] if batched else array


# ---- writing ------------------------------------------------------------------------------------
def fixed(text):
    return numpy.bytes_(text.encode("ascii"))


class Output:
    """HDF5 whose bytes follow from the calls: version bounds 1.8, contiguous, no time stamps."""

    def __init__(self, path):
        access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_V18)
        create = h5py.h5p.create(h5py.h5p.FILE_CREATE)
        create.set_obj_track_times(False)
        self.id = h5py.h5f.create(str(path).encode(), h5py.h5f.ACC_TRUNC, create, access)
        self.file = h5py.File(self.id)

    def close(self):
        self.file.close()

    def group(self, path):
        parent = self.file
        for part in path.split("/"):
            if part not in parent:
                create = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
                create.set_obj_track_times(False)
                h5py.h5g.create(parent.id, part.encode(), gcpl=create)
            parent = parent[part]
        return parent

    def put(self, path, dtype, array, **attributes):
        folder, name = path.rsplit("/", 1)
        dataset = self.group(folder).create_dataset(name, data=numpy.ascontiguousarray(array),
                                                    track_times=False)
        dataset.attrs["dtype"] = fixed(dtype)
        for key, value in attributes.items():
            dataset.attrs[key] = fixed(value)


# ---- the cut ------------------------------------------------------------------------------------
class Cut:
    def __init__(self, oracle, model, output):
        self.model, self.plan, self.output = model, MODELS[model], output
        self.folder, self.meta = oracle / model, oracle / "meta" / model
        self.config = json.loads((self.folder / "config.json").read_text())
        self.chosen = {}  # layer -> experts that some recorded token chose

    def run(self):
        self.output.file.attrs["origin"] = fixed("tools/cut_foreign.py; golden/foreign/README.md")
        self.output.file.attrs["config"] = fixed(json.dumps(self.config, sort_keys=True))
        with h5py.File(self.folder / RECIPES["f32"]) as file:
            ids = file["input/input_ids"][0]
        self.tokens = list(range(len(ids)))
        self.output.put("input/input_ids", "i64", ids)
        for recipe, name in RECIPES.items():
            if (self.folder / name).exists():
                self.recordings(recipe, name)
        self.weights()

    def recordings(self, recipe, name):
        with h5py.File(self.folder / name) as file:
            where = f"transformers/{recipe}"
            self.origin(where, file, f"{self.model}/{name}")
            self.start(f"{where}/prefill/", self.plan["transformers"], len(self.tokens))
            self.transformers(f"{where}/prefill/", Recording(file, "activation/"))
            if "decode" in file:
                prefilled = int(file["output/logits_decode"].attrs["prefill"])
                self.start(f"{where}/decode/", self.plan["decode"], prefilled)
                self.transformers(f"{where}/decode/", Recording(file, "decode/activation/"))
        if (self.meta / name).exists():
            with h5py.File(self.meta / name) as file:
                where = f"meta/{recipe}"
                self.origin(where, file, f"meta/{self.model}/{name}")
                self.start(f"{where}/prefill/", self.plan["meta"], len(self.tokens))
                self.meta_names(f"{where}/prefill/", Recording(file, "activation/"))

    def origin(self, where, file, name):
        group = self.output.group(where)
        group.attrs["made_by"] = fixed(file.attrs["made_by"])
        group.attrs["file"] = fixed(name)

    def start(self, where, rows, prefilled):
        """prefilled: how many tokens the first pass took."""
        self.rows = rows
        self.output.put(where + "rows", "i64", numpy.array(self.rows, "<i8"))
        self.output.put(where + "prefilled", "i64", numpy.array([prefilled], "<i8"))

    def every_row(self, name):
        """Keys as attention reads them, values, and the routers of a trained model."""
        parts = name.split(".")
        if name.startswith("rope.t."):
            return name.endswith("k") and not self.config["use_qk_norm"]
        if "router" in parts:
            return self.model in ALL_ROUTERS
        return name.endswith(("qk_norm.k", "v_proj")) or (
            name.endswith("k_proj") and not self.has_rope(int(parts[2])))

    def keep(self, where, name, recording, source=None):
        source = source or name
        if not recording.has(source):
            return
        dtype, array = recording.read(source)
        if name.endswith("self_attn.q_final"):  # (H, T, D)
            array = array.swapaxes(0, 1)
        whole = array
        if not self.every_row(name):
            array = array[self.rows]
        origin = {} if source == name else {"recorded_as": source}
        self.output.put(where + name, dtype, array, **origin)
        if name.endswith("router.scores"):
            layer = int(name.split(".")[2])
            # The bits of positive bf16 numbers have the order of the numbers.
            chosen = whole[self.rows].argmax(1).tolist()
            self.chosen.setdefault(layer, set()).update(chosen)

    def rope_index(self, layer):
        """Rotated queries and keys are numbered by the layers that have RoPE."""
        return sum(self.config["no_rope_layers"][:layer])

    def has_rope(self, layer):
        return self.config["no_rope_layers"][layer] == 1

    def transformers(self, where, recording):
        self.keep(where, "model.embed_tokens", recording)
        self.keep(where, "model.rotary_emb", recording)
        kept = set()
        for layer, names in self.plan["layers"].items():
            prefix = f"model.layers.{layer}."
            for first, second in COPIES:
                pair = [prefix + first, prefix + second]
                if all(map(recording.has, pair)):
                    a, b = (recording.read(name)[1] for name in pair)
                    assert a.tobytes() == b.tobytes(), pair
                    kept.add(pair[1])
            if names is FULL:
                self.full_layer(where, layer, recording)
            for name in dict.fromkeys(names):
                if prefix + name not in kept:
                    self.keep(where, prefix + name, recording)
        if self.model in ALL_ROUTERS:
            for layer in range(self.config["num_hidden_layers"]):
                for name in ROUTER:
                    if layer not in self.plan["layers"] or name not in self.plan["layers"][layer]:
                        self.keep(where, f"model.layers.{layer}.{name}", recording)
        self.last(where, recording, "model.layers.", "model.norm", "lm_head")

    def full_layer(self, where, layer, recording):
        if layer > 0:
            self.keep(where, f"model.layers.{layer - 1}", recording)
        self.keep(where, f"model.layers.{layer}", recording)
        n = self.rope_index(layer)
        for x in "qk":
            self.keep(where, f"rope.t.{n}.{x}", recording)
            twice = f"model.layers.{layer}.self_attn.qk_norm.{x}.in"
            if recording.has(twice):
                a, b = (recording.read(name)[1] for name in (f"rope.t.{n}.{x}", twice))
                assert a.tobytes() == b.tobytes(), twice

    def last(self, where, recording, layers, norm, head):
        if not self.plan["last"]:
            return
        last = self.config["num_hidden_layers"] - 1
        self.keep(where, f"model.layers.{last}", recording, f"{layers}{last}")
        self.keep(where, "model.norm", recording, norm)
        self.keep(where, "lm_head", recording, head)

    def meta_names(self, where, recording):
        self.keep(where, "model.embed_tokens", recording, "embed")
        for layer, names in self.plan["layers"].items():
            prefix, source = f"model.layers.{layer}.", f"layer.{layer}."
            if names is FULL:
                self.keep(where, prefix[:-1], recording, source[:-1])
                n = self.rope_index(layer)
                for x in "qk":
                    self.keep(where, f"rope.t.{n}.{x}", recording, f"{source}attention.rope.{x}")
            if not self.has_rope(layer):
                self.keep(where, prefix + "self_attn.q_final", recording,
                          source + META["self_attn.q_final"])
            for name in dict.fromkeys(names):
                dense = layer not in self.config["moe_layers"]
                if name in META and not (dense and name == "feed_forward"):
                    self.keep(where, prefix + name, recording, source + META[name])
                elif dense and name == "feed_forward.down_proj":
                    self.keep(where, prefix + name, recording, source + "feed_forward")
        self.last(where, recording, "layer.", "norm", "output")

    def weights(self):
        checkpoint = read_checkpoint(self.folder)
        layers = {0: FULL, **{i: n for i, n in self.plan["layers"].items() if n is not ATTENTION}}
        for name in sorted(checkpoint):
            parts = name.split(".")
            layer = int(parts[2]) if parts[1] == "layers" else None
            if layer is not None and layer not in layers:
                continue
            if name in ("model.norm.weight", "lm_head.weight") and not self.plan["last"]:
                continue
            if layer is not None and layers[layer] is MIXTURE and "feed_forward" not in parts:
                continue
            dtype, array = checkpoint[name]
            if ".experts." in name and layer > 0:  # layer 0 is computed for all tokens
                array = array[sorted(self.chosen[layer])]
            self.output.put("weight/" + name, dtype, array)
        for layer, names in layers.items():
            if layer in self.config["moe_layers"]:
                all_experts = range(self.config["num_local_experts"])
                stored = sorted(self.chosen[layer]) if layer > 0 else all_experts
                path = f"weight/model.layers.{layer}.feed_forward.experts.stored"
                self.output.put(path, "i64", numpy.array(stored, "<i8"))


def cut_hashes(source, target):
    """The layout stays: model -> recipe -> name -> [dtype, shape, SHA-256]."""
    def first_layer(name):
        return name.startswith(("model.embed_tokens", "model.rotary_emb", "rope.t.0.")) or (
            name + ".").startswith("model.layers.0.")
    hashes = json.loads(source.read_text())
    models = []
    for model, recipes in hashes.items():
        blocks = []
        for recipe, names in recipes.items():
            rows = [f"  {json.dumps(name)}: {json.dumps(entry)}"
                    for name, entry in sorted(names.items()) if first_layer(name)]
            blocks.append(f' "{recipe}": {{\n' + ",\n".join(rows) + "\n }")
        models.append(f'"{model}": {{\n' + ",\n".join(blocks) + "\n}")
    target.write_text("{\n" + ",\n".join(models) + "\n}\n")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    oracle, target = map(pathlib.Path, sys.argv[1:])
    target.mkdir(parents=True, exist_ok=True)
    for model in MODELS:
        output = Output(target / f"{model}.h5")
        Cut(oracle, model, output).run()
        output.close()
    cut_hashes(oracle / "contract_hashes.json", target / "contract_hashes.json")


if __name__ == "__main__":
    main()
