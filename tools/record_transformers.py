#!/usr/bin/env python3
"""Records what Hugging Face transformers computes for a Llama 4 checkpoint, for `agree` and `diff`.

The output holds the inputs, the result of every module under its name in the checkpoint, and what
no module returns: queries and keys after RoPE (rope.t.<n>.q, the n-th layer that has RoPE) and
around QK norm, the result of attention before o_proj (o_proj.in), router logits and scores, and the
sum over the routed experts (experts.sum). Attention is the eager one, on the CPU. Tried with
transformers 5.23.0 and torch 2.15.0 (pip install torch transformers h5py).
"""
import argparse
import contextlib
import json
import os
import sys

import h5py
import numpy

from record_hooks import ModuleOutputs, write_recording

PRECISIONS = {"f32": "float32", "bf16": "bfloat16"}
INPUT_TYPES = {"input_ids": "<i8", "attention_mask": "<i8", "lengths": "<i8", "pixel_values": "<f4"}


class Refused(Exception):
    """What is wrong with the request, in one line."""


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Records what transformers computes for a Llama 4 checkpoint.")
    parser.add_argument("--model", required=True, metavar="DIR",
                        help="checkpoint: config.json and safetensors")
    inputs = parser.add_mutually_exclusive_group(required=True)
    inputs.add_argument("--ids", metavar="1,2,3", help="the tokens of one sequence")
    inputs.add_argument("--inputs", metavar="IN.h5", help="an HDF5 file with input/input_ids "
                        "(B, T) and, optionally, input/attention_mask or input/lengths, for "
                        "sequences that are padded on the right, and input/pixel_values")
    parser.add_argument("--dtype", choices=PRECISIONS, default="f32",
                        help="of weights and activations (f32)")
    parser.add_argument("--prefill", type=int, metavar="N", help="records in decode/ the same "
                        "tokens again, N at once and then one by one with a cache")
    parser.add_argument("--out", required=True, metavar="A.h5", help="the recording")
    return parser.parse_args(words)


# ---- inputs --------------------------------------------------------------------------------------
def given_inputs(arguments: argparse.Namespace) -> dict[str, numpy.ndarray]:
    if arguments.ids is not None:
        try:
            return {"input_ids": numpy.array([[int(word) for word in arguments.ids.split(",")]])}
        except ValueError:
            raise Refused(f"--ids {arguments.ids}: expected whole numbers like 1,2,3") from None
    try:
        with h5py.File(arguments.inputs) as file:
            found = [name for name in INPUT_TYPES if f"input/{name}" in file]
            inputs = {name: file[f"input/{name}"][()] for name in found}
    except OSError as failure:
        raise Refused(f"{arguments.inputs}: {failure}") from None
    return inputs


def require_inputs(inputs: dict[str, numpy.ndarray], prefill: int | None):
    if "input_ids" not in inputs:
        raise Refused("no input/input_ids")
    for name, array in inputs.items():
        expected = numpy.dtype(INPUT_TYPES[name])
        if array.dtype != expected or array.size == 0:
            raise Refused(f"input/{name}: {array.dtype} {array.shape}; expected {expected}")
    ids = inputs["input_ids"]
    if ids.ndim != 2:
        raise Refused(f"input/input_ids: {ids.shape}; expected (B, T)")
    if prefill is not None and not 0 < prefill < ids.shape[1]:
        raise Refused(f"--prefill {prefill}: {ids.shape[1]} tokens; expected fewer, and 1 or more")
    if prefill is not None and "pixel_values" in inputs:
        raise Refused("--prefill: not recorded where there are pixel_values")


def require_vocabulary(ids: numpy.ndarray, vocabulary: int):
    if ids.min() < 0 or ids.max() >= vocabulary:
        raise Refused(f"input_ids: {ids.min()} to {ids.max()}; expected 0 to {vocabulary - 1}")


def attention_mask(inputs: dict[str, numpy.ndarray]) -> numpy.ndarray | None:
    """1 for the real tokens, which stand on the left; None where all are real."""
    batch, tokens = inputs["input_ids"].shape
    if "lengths" in inputs:
        lengths = inputs["lengths"]
    elif "attention_mask" in inputs:
        lengths = inputs["attention_mask"].sum(-1)
    else:
        return None
    if lengths.shape != (batch,) or lengths.min() < 1 or lengths.max() > tokens:
        raise Refused(f"lengths {lengths.tolist()}: expected {batch} numbers from 1 to {tokens}")
    mask = (numpy.arange(tokens) < lengths[:, None]).astype(numpy.int64)
    if not numpy.array_equal(inputs.get("attention_mask", mask), mask):
        raise Refused(f"attention_mask: expected ({batch}, {tokens}), in each row as many ones as "
                      "the sequence has tokens, then zeros: padding on the right")
    return mask


# ---- the model -----------------------------------------------------------------------------------
def model_class(folder: str) -> str:
    """The name of transformers' class for the checkpoint."""
    try:
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
    except (OSError, ValueError) as failure:
        raise Refused(f"{folder}: no checkpoint: {failure}") from None
    kind = config.get("model_type") if isinstance(config, dict) else None
    kinds = {"llama4_text": "Llama4ForCausalLM", "llama4": "Llama4ForConditionalGeneration"}
    if kind not in kinds:
        raise Refused(f"{folder}: model_type {kind}; expected {' or '.join(kinds)}")
    return kinds[kind]


def load_model(folder: str, precision: str):
    import torch
    import transformers
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    kind = getattr(transformers, model_class(folder))
    try:
        # Not model.to(dtype), which rounds the frequencies of RoPE as well.
        model, report = kind.from_pretrained(
            folder, dtype=getattr(torch, PRECISIONS[precision]), attn_implementation="eager",
            local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True)
    except Exception as failure:  # of many kinds, down to a subscript out of range
        raise Refused(f"{folder}: transformers cannot load it: {type(failure).__name__}: "
                      f"{' '.join(str(failure).split())}") from failure
    for fault in ("missing_keys", "mismatched_keys", "unexpected_keys"):  # else random weights
        if report[fault]:
            raise Refused(f"{folder}: {fault.replace('_', ' ')}: {min(map(str, report[fault]))}, "
                          f"{len(report[fault])} in all")
    return model.eval()


class Llama4Outputs(ModuleOutputs):
    """The results of transformers' Llama 4 modules, and what flows between them."""

    def __init__(self, model):
        from transformers.models.llama4 import modeling_llama4 as llama4
        super().__init__(model, lambda path: None if path.endswith(("act_fn", "activation_fn"))
                         else path)
        self._llama4 = llama4
        self._restored = contextlib.ExitStack()
        try:
            self._special = {
                llama4.Llama4TextRotaryEmbedding: self._record_table,
                llama4.Llama4VisionRotaryEmbedding: self._record_table,
                llama4.Llama4TextL2Norm: self._record_qk_norm,
                llama4.Llama4Router: self._record_router,
                llama4.Llama4TextExperts: self._record_experts,
            }
        except AttributeError as failure:
            raise Refused(f"another transformers than this was written for: {failure}") from None

    def __enter__(self):
        for name, kind in (("apply_rotary_emb", "t"), ("vision_apply_rotary_emb", "v")):
            plain = getattr(self._llama4, name)
            self._restored.callback(setattr, self._llama4, name, plain)
            setattr(self._llama4, name, self._recorded_rotation(plain, kind))
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__()
        self._restored.close()

    def record(self, name, module, inputs, output):
        if type(module) in self._special:
            self._special[type(module)](name, module, inputs, output)
            return
        if name.endswith("o_proj"):
            self.keep(f"{name}.in", inputs[0])
        super().record(name, module, inputs, output)

    def _recorded_rotation(self, plain, kind: str):
        layers_before = 0

        def rotation(q, k, *rest, **named):
            nonlocal layers_before
            rotated = plain(q, k, *rest, **named)
            for part, tensor in zip("qk", rotated):
                self.keep(f"rope.{kind}.{layers_before}.{part}", tensor)
            layers_before += 1
            return rotated
        return rotation

    def _record_table(self, name, _module, _inputs, output):
        import torch
        self.keep(name, torch.view_as_real(output))

    def _record_qk_norm(self, name, _module, inputs, output):
        part = "k" if f"activation/{name}.q" in self.tensors else "q"  # called for q, then for k
        self.keep(f"{name}.{part}.in", inputs[0])
        self.keep(f"{name}.{part}", output)

    def _record_router(self, name, _module, _inputs, output):
        scores, logits = output
        self.keep(f"{name}.scores", scores)
        self.keep(f"{name}.logits", logits)

    def _record_experts(self, name, module, _inputs, output):
        # One row for every pair of an expert and a token; the layer adds the experts, as here.
        self.keep(f"{name}.sum", output.reshape(module.num_experts, -1, output.shape[-1]).sum(0))


# ---- runs ----------------------------------------------------------------------------------------
def at_once(model, inputs: dict) -> dict:
    import torch
    with torch.no_grad(), Llama4Outputs(model) as outputs:
        logits = model(**inputs, use_cache=False).logits
    return {**outputs.tensors, "output/logits": logits}


def joined(steps: list, batch: int):
    """The tensors of all steps along their tokens; (B T, ...) is (B, T, ...) flattened."""
    import torch
    if steps[0].dim() > 2:
        return torch.cat(steps, 1)
    rows = torch.cat([step.reshape(batch, -1, step.shape[-1]) for step in steps], 1)
    return rows.reshape(-1, rows.shape[-1])


def decoded(model, inputs: dict, prefill: int) -> dict:
    import torch
    from transformers import DynamicCache
    cache, steps = DynamicCache(config=model.config), []
    batch, tokens = inputs["input_ids"].shape
    mask = inputs.get("attention_mask")
    for begin, end in [(0, prefill), *((t, t + 1) for t in range(prefill, tokens))]:
        with torch.no_grad(), Llama4Outputs(model) as outputs:
            logits = model(input_ids=inputs["input_ids"][:, begin:end], past_key_values=cache,
                           attention_mask=None if mask is None else mask[:, :end],
                           use_cache=True).logits
        steps.append({**outputs.tensors, "output/logits_decode": logits})
    tensors = {name: joined([step[name] for step in steps], batch) for name in steps[0]}
    return {name if name.startswith("output/") else f"decode/{name}": tensor
            for name, tensor in tensors.items()}


def record(arguments: argparse.Namespace) -> int:
    inputs = given_inputs(arguments)
    require_inputs(inputs, arguments.prefill)
    mask = attention_mask(inputs)
    try:
        import torch
        import transformers
    except ImportError as failure:
        raise Refused(f"{failure}; this needs torch and transformers, from pip") from None
    model = load_model(arguments.model, arguments.dtype)
    require_vocabulary(inputs["input_ids"], model.config.get_text_config().vocab_size)

    given = {"input_ids": torch.from_numpy(inputs["input_ids"])}
    if mask is not None:
        given["attention_mask"] = torch.from_numpy(mask)
    if "pixel_values" in inputs:
        given["pixel_values"] = torch.from_numpy(inputs["pixel_values"]).to(model.dtype)
    tensors = {f"input/{name}": array for name, array in inputs.items()}
    tensors |= at_once(model, given)
    if arguments.prefill is not None:
        tensors |= decoded(model, given, arguments.prefill)
    made_by = (f"transformers {transformers.__version__}, torch {torch.__version__}, CPU, "
               "eager attention")
    write_recording(arguments.out, made_by, tensors, arguments.prefill)
    return len(tensors)


def main():
    arguments = parsed(sys.argv[1:])
    try:
        count = record(arguments)
    except (Refused, OSError, ValueError) as failure:
        sys.exit(f"record_transformers.py: {failure}")
    print(f"{arguments.out}: {count} tensors")


if __name__ == "__main__":
    main()
