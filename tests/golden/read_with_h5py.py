"""read_with_h5py.py FILE: the Python of README.md reads the golden FILE.

Runs the block as it stands there, with FILE for its file name, and compares every line it prints
with what this script decodes from the file with the struct module. Exit code 77 without h5py.
"""

import contextlib
import io
import math
import pathlib
import re
import struct
import sys

try:
    import h5py
    import numpy
except ImportError as missing:
    print(f"NOT RUN: {missing}")
    sys.exit(77)

SHOWN = 4  # elements that the block prints of each tensor
CODES = {"f32": "<{}f", "i64": "<{}q", "bf16": "<{}H"}


def readme_block(file_name):
    """The Python block of the section "Golden files", its file name replaced."""
    readme = pathlib.Path(__file__).resolve().parents[2] / "README.md"
    section = re.search(r"^## Golden files\n(.*?)^## ", readme.read_text(), re.M | re.S).group(1)
    block = re.search(r"^```python\n(.*?)^```", section, re.M | re.S).group(1)
    opened = re.compile(r'(?<=h5py\.File\()"[^"]*"')
    changed, count = opened.subn(lambda _: repr(file_name), block)
    assert count == 1, "README.md: the block does not open exactly one file"
    return changed


def decoded(dataset):
    """dtype and the first elements as Python numbers, from the stored bytes."""
    dtype = dataset.attrs["dtype"].decode()
    count = min(SHOWN, dataset.size)
    raw = dataset[()].tobytes()
    code = CODES.get(dtype, "<{}B").format(count)
    values = struct.unpack(code, raw[: struct.calcsize(code)])
    if dtype == "bf16":
        values = [struct.unpack("<f", struct.pack("<HH", 0, bits))[0] for bits in values]
    return dtype, list(values)


def same(printed, value, dtype):
    """Whether a printed number is the value, to the bit: of a float numpy prints the shortest
    digits that only this binary32 has."""
    if dtype not in ("f32", "bf16"):
        return int(printed) == value
    if math.isnan(value):
        return printed == "nan"
    return struct.pack("<f", float(printed)) == struct.pack("<f", value)


def main():
    file_name = sys.argv[1]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), numpy.printoptions(precision=60, linewidth=10000):
        exec(compile(readme_block(file_name), "README.md", "exec"), {})  # pylint: disable=exec-used
    lines = dict(line.split(" ", 1) for line in printed.getvalue().splitlines())

    failures, datasets, tensors, elements = [], [], 0, 0
    with h5py.File(file_name) as file:

        def note(path, item):
            if isinstance(item, h5py.Dataset):
                datasets.append(path)

        file.visititems(note)
        if sorted(lines) != sorted(datasets):
            failures.append(f"printed {len(lines)} tensors, the file has {len(datasets)}")
        for path in datasets:
            dtype, values = decoded(file[path])
            shape = file[path].shape
            match = re.fullmatch(r"(\w+) (\(.*?\)) \[(.*)\]", lines.get(path, ""))
            if not match or match.group(1) != dtype or match.group(2) != str(shape):
                failures.append(f"{path}: printed '{lines.get(path)}', expected {dtype} {shape}")
                continue
            shown = match.group(3).split()
            equal = len(shown) == len(values) and all(
                same(text, value, dtype) for text, value in zip(shown, values)
            )
            if not equal:
                failures.append(f"{path}: printed {shown}, expected {values}")
            tensors += 1
            elements += len(values)
    for failure in failures:
        print(f"FAILED {file_name}: {failure}")
    print(f"{elements} elements of {tensors} tensors are what README.md's Python prints")
    return 1 if failures or elements == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
