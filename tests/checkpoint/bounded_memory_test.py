"""bounded_memory_test.py PROGRAM INPUTS FOLDER: the memory of `trace` does not grow with the
checkpoint.

Writes a sharded checkpoint of 2.2 GB into a folder of its own below FOLDER, traces the tokens of
INPUTS with it, and requires that the most memory that the program ever held (its peak resident set)
is at most one layer without its routed experts, twice one routed expert (gate and up are read
together and then cut apart) and 64 MiB for the program and its activations.
"""
import json
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time

NOT_RUN = 77
WIDTH, HEADS, KV_HEADS, HEAD_WIDTH = 1024, 8, 2, 128
EXPERTS, EXPERT_WIDTH, LAYERS, VOCABULARY = 16, 2048, 10, 2048
SLACK = 64 << 20

CONFIG = {
    "model_type": "llama4_text",
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": HEAD_WIDTH,
    "num_hidden_layers": LAYERS,
    "num_local_experts": EXPERTS,
    "num_experts_per_tok": 1,
    "intermediate_size": EXPERT_WIDTH,
    "interleave_moe_layer_step": 1,
    "attention_chunk_size": 8192,
    "use_qk_norm": True,
    "attn_temperature_tuning": True,
}


def layer_tensors(layer):
    """Name and shape; the routed experts last."""
    prefix = f"model.layers.{layer}."
    ffn = prefix + "feed_forward."
    query, key = HEADS * HEAD_WIDTH, KV_HEADS * HEAD_WIDTH
    return {
        prefix + "input_layernorm.weight": [WIDTH],
        prefix + "self_attn.q_proj.weight": [query, WIDTH],
        prefix + "self_attn.k_proj.weight": [key, WIDTH],
        prefix + "self_attn.v_proj.weight": [key, WIDTH],
        prefix + "self_attn.o_proj.weight": [WIDTH, query],
        prefix + "post_attention_layernorm.weight": [WIDTH],
        ffn + "router.weight": [EXPERTS, WIDTH],
        ffn + "shared_expert.gate_proj.weight": [EXPERT_WIDTH, WIDTH],
        ffn + "shared_expert.up_proj.weight": [EXPERT_WIDTH, WIDTH],
        ffn + "shared_expert.down_proj.weight": [WIDTH, EXPERT_WIDTH],
        ffn + "experts.gate_up_proj": [EXPERTS, WIDTH, 2 * EXPERT_WIDTH],
        ffn + "experts.down_proj": [EXPERTS, EXPERT_WIDTH, WIDTH],
    }


def size_of(shape):
    size = 2  # bytes of a bf16
    for extent in shape:
        size *= extent
    return size


def block_of_weights():
    """A MiB of bf16 numbers from 2^-7 to 2^-5, of either sign."""
    drawn = random.Random(1).randbytes(1 << 20)
    signs = bytes(0x3C | byte & 0x80 for byte in range(256))
    block = bytearray(drawn)
    block[1::2] = drawn[1::2].translate(signs)
    return bytes(block)


def write_shard(path, tensors, weights):
    header, end = {}, 0
    for name, shape in tensors.items():
        begin, end = end, end + size_of(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    ones = b"\x80\x3f" * (len(weights) // 2)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors.items():
            block, left = ones if "norm" in name else weights, size_of(shape)
            while left > 0:
                left -= file.write(block[:left])


def write_checkpoint(folder):
    """A shard a layer, cut between gate_up and down of its experts. Returns the bytes of all."""
    shards = [{"model.embed_tokens.weight": [VOCABULARY, WIDTH]}]
    for layer in range(LAYERS):
        tensors = layer_tensors(layer)
        down = f"model.layers.{layer}.feed_forward.experts.down_proj"
        shards[-1].update((name, shape) for name, shape in tensors.items() if name != down)
        shards.append({down: tensors[down]})
    shards[-1].update({"model.norm.weight": [WIDTH], "lm_head.weight": [VOCABULARY, WIDTH]})
    weight_map, total = {}, 0
    weights = block_of_weights()
    for number, tensors in enumerate(shards):
        file = f"model-{number + 1:05}-of-{len(shards):05}.safetensors"
        write_shard(os.path.join(folder, file), tensors, weights)
        for name, shape in tensors.items():
            weight_map[name] = file
            total += size_of(shape)
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as index:
        json.dump({"metadata": {"total_size": total}, "weight_map": weight_map}, index)
    with open(os.path.join(folder, "config.json"), "w") as config:
        json.dump(CONFIG, config)
    return total


def peak_of(command):
    """Runs it; returns its exit code and the most bytes that it held."""
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024


def main(program, inputs, parent):
    free = shutil.disk_usage(parent).free
    if free < 3_000_000_000:
        print(f"NOT RUN: {free:,} bytes of disk are free, the checkpoint needs 3,000,000,000")
        return NOT_RUN
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the folder goes, too
    with tempfile.TemporaryDirectory(prefix="bounded-memory-", dir=parent) as folder:
        begin = time.monotonic()
        total = write_checkpoint(folder)
        written = time.monotonic()
        out = os.path.join(folder, "trace.h5")
        code, peak = peak_of([program, "trace", "--model", folder, "--inputs", inputs,
                              "--recipe", "bf16", "--out", out])
        traced = time.monotonic()
        made = os.path.getsize(out) if os.path.exists(out) else 0
    shapes = layer_tensors(0)
    routed = sum(size_of(shape) for name, shape in shapes.items() if ".experts." in name)
    layer = sum(size_of(shape) for shape in shapes.values()) - routed
    limit = layer + 2 * routed // EXPERTS + SLACK
    print(f"checkpoint {total:,} bytes, written in {written - begin:.0f} s; traced in "
          f"{traced - written:.0f} s; peak {peak:,} bytes, at most {limit:,} allowed; "
          f"trace of {made:,} bytes")
    if code != 0 or made == 0:
        print(f"FAILED: {program} ended with {code}")
        return 1
    if not 0 < peak <= limit:
        print("FAILED: the program held more than a layer and an expert")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
