"""Records what the modules of a torch model return, in the HDF5 file that `agree` and `diff` read.

    with torch.no_grad(), record_hooks.ModuleOutputs(model) as outputs:
        logits = model(input_ids)
    record_hooks.write_recording("a.h5", "my model 1.0, CPU", {
        "input/input_ids": input_ids, **outputs.tensors, "output/logits": logits})

The names must be those of transformers' modules or of Meta's, lab/recording/foreign_names.h.
`rename` gives them, from a module's path in the model; None leaves the module out.
"""
import functools
import os

import h5py
import numpy

DTYPES = {"<f4": "f32", "<i8": "i64", "<u2": "bf16"}  # bf16 as its 16 bits


class ModuleOutputs:
    """While open, keeps a copy of what each module returns; of a tuple, the first part. A module's
    second call is kept as <name>.1, so a forward pass needs an object of its own."""

    def __init__(self, model, rename=lambda path: path):
        named = ((rename(path), module) for path, module in model.named_modules() if path)
        self._named = [(name, module) for name, module in named if name]
        self._hooks, self._calls, self.tensors = [], {}, {}

    def __enter__(self):
        self._hooks = [module.register_forward_hook(functools.partial(self.record, name))
                       for name, module in self._named]
        return self

    def __exit__(self, *_):
        for hook in self._hooks:
            hook.remove()

    def record(self, name: str, _module, _inputs: tuple, output):
        output = output[0] if isinstance(output, tuple) and output else output
        if hasattr(output, "detach"):
            self.keep(name, output)

    def keep(self, name: str, tensor):
        calls = self._calls[name] = self._calls.get(name, 0) + 1
        name = name if calls == 1 else f"{name}.{calls - 1}"
        self.tensors[f"activation/{name}"] = tensor.detach().cpu().clone()  # may change in place


def stored_array(tensor) -> numpy.ndarray:
    """A tensor as the file holds it; a numpy array is taken as it is, one of uint16 for bf16."""
    if isinstance(tensor, numpy.ndarray):
        return tensor
    tensor = tensor.detach().cpu().contiguous()
    if str(tensor.dtype) == "torch.bfloat16":
        import torch  # here, because the rest of this file does without
        return tensor.view(torch.int16).numpy().view(numpy.uint16)
    return tensor.numpy()


def write_recording(path: str, made_by: str, tensors: dict, prefill: int | None = None):
    """The whole file or none. `prefill`: how many tokens output/logits_decode was given at once."""
    unfinished = f"{path}.{os.getpid()}.part"
    try:
        with h5py.File(unfinished, "w") as file:
            file.attrs["made_by"] = numpy.bytes_(made_by)
            for name, array in ((name, stored_array(tensor)) for name, tensor in tensors.items()):
                if array.dtype.str not in DTYPES:
                    raise ValueError(f"{name}: {array.dtype}; expected float32, bf16 or int64")
                dataset = file.create_dataset(name, data=array, track_times=False)
                dataset.attrs["dtype"] = numpy.bytes_(DTYPES[array.dtype.str])
            if prefill is not None:
                file["output/logits_decode"].attrs["prefill"] = prefill
        os.replace(unfinished, path)
    finally:
        if os.path.exists(unfinished):
            os.remove(unfinished)
