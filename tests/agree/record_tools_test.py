"""record_tools_test.py: the two tools that record other implementations, where torch is not there.

Both compile; record_transformers.py explains itself, refuses wrong inputs, and says what it lacks;
record_hooks.py writes the layout that lab/recording/recording.h describes, whole or not at all.
What they record with torch is tried by hand: docs/chapters/agreement.md. Exit code 77 without h5py.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

try:
    import h5py
    import numpy
except ImportError as missing:
    print(f"NOT RUN: {missing}")
    sys.exit(77)

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOOLS))
import record_hooks  # noqa: E402
import record_transformers  # noqa: E402


class Tensor:
    """As much of a torch tensor as keeping a copy of it takes."""

    def __init__(self, values):
        self.values = values

    def detach(self):
        return self

    cpu = detach

    def clone(self):
        return Tensor(list(self.values))


class Module:
    """As much of a torch module as hooks on it take: called, it returns what it was made with."""

    def __init__(self, output, **parts):
        self.output, self.parts, self.hooks = output, parts, []

    def named_modules(self, path=""):
        yield path, self
        for name, part in self.parts.items():
            yield from part.named_modules(f"{path}.{name}".lstrip("."))

    def register_forward_hook(self, hook):
        self.hooks.append(hook)
        return self

    def remove(self):
        self.hooks.clear()

    def __call__(self):
        for hook in self.hooks:
            hook(self, (), self.output)


class Hooks(unittest.TestCase):
    def setUp(self):
        self.norm, self.moe = Module(Tensor([1])), Module((Tensor([2]), "router"))
        self.table = Module("no tensor")
        self.model = Module(Tensor([3]), norm=self.norm, moe=self.moe, table=self.table)

    def recorded(self, **how):
        with record_hooks.ModuleOutputs(self.model, **how) as outputs:
            for module in (self.norm, self.moe, self.norm, self.table, self.model):
                module()
            self.norm.output.values[0] = 9  # what changes later is not what was recorded
        self.norm()  # and after the end nothing is
        return {name: tensor.values for name, tensor in outputs.tensors.items()}

    def test_names_and_values(self):
        self.assertEqual(self.recorded(), {"activation/norm": [1], "activation/moe": [2],
                                           "activation/norm.1": [1]})

    def test_rename(self):
        names = {"norm": "model.norm"}
        self.assertEqual(self.recorded(rename=names.get),
                         {"activation/model.norm": [1], "activation/model.norm.1": [1]})


class Layout(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "recording.h5")

    def test_every_dtype(self):
        tensors = {
            "input/input_ids": numpy.array([[3, 1, 2]], "<i8"),
            "activation/model.norm": numpy.arange(6, dtype="<f4").reshape(1, 3, 2) / 7,
            "activation/lm_head": numpy.array([[[0x3F80, 0x7FC0]]], "<u2"),
            "output/logits_decode": numpy.zeros((1, 3, 4), "<f4"),
        }
        record_hooks.write_recording(self.path, "someone 1.0", tensors, prefill=2)
        dtypes = {}
        with h5py.File(self.path) as file:
            self.assertEqual(file.attrs["made_by"], b"someone 1.0")
            self.assertEqual(file["output/logits_decode"].attrs["prefill"], 2)
            for path, array in tensors.items():
                dataset = file[path]
                dtypes[path] = dataset.attrs["dtype"].decode()
                self.assertEqual(dataset.id.get_create_plist().get_layout(), h5py.h5d.CONTIGUOUS)
                self.assertEqual(dataset.dtype, array.dtype)
                self.assertEqual(dataset.shape, array.shape)
                self.assertEqual(dataset[()].tobytes(), array.tobytes())
        self.assertEqual(list(dtypes.values()), ["i64", "f32", "bf16", "f32"])
        self.assertEqual(os.listdir(self.folder.name), ["recording.h5"])

    def test_whole_or_not_at_all(self):
        good = {"input/input_ids": numpy.array([[1]], "<i8")}
        record_hooks.write_recording(self.path, "first", good)
        before = pathlib.Path(self.path).read_bytes()
        bad = {**good, "activation/lm_head": numpy.zeros(3, "<f8")}
        with self.assertRaisesRegex(ValueError, "activation/lm_head: float64; expected"):
            record_hooks.write_recording(self.path, "second", bad)
        self.assertEqual(pathlib.Path(self.path).read_bytes(), before)
        self.assertEqual(os.listdir(self.folder.name), ["recording.h5"])


class Inputs(unittest.TestCase):
    IDS = numpy.array([[5, 6, 7], [8, 9, 0]], "<i8")

    def refused(self, why, function, *arguments):
        with self.assertRaisesRegex(record_transformers.Refused, why):
            function(*arguments)

    def test_padding_stands_on_the_right(self):
        mask = record_transformers.attention_mask
        expected = [[1, 1, 1], [1, 1, 0]]
        given = numpy.array(expected, "<i8")
        lengths = numpy.array([3, 2], "<i8")
        self.assertIsNone(mask({"input_ids": self.IDS}))
        for inputs in ({"attention_mask": given}, {"lengths": lengths},
                       {"attention_mask": given, "lengths": lengths}):
            self.assertEqual(mask({"input_ids": self.IDS, **inputs}).tolist(), expected)
        for wrong in (given[:, ::-1], given * 2, given[:, :2]):
            self.refused("padding on the right|from 1 to 3", mask,
                         {"input_ids": self.IDS, "attention_mask": wrong})
        for wrong in ([3, 0], [4, 1], [3], [[3, 2]]):
            self.refused("from 1 to 3", mask,
                         {"input_ids": self.IDS, "lengths": numpy.array(wrong, "<i8")})
        self.refused("padding on the right", mask, {
            "input_ids": self.IDS, "attention_mask": given,
            "lengths": numpy.array([3, 1], "<i8")})

    def test_shapes_and_dtypes(self):
        require = record_transformers.require_inputs
        require({"input_ids": self.IDS}, None)
        require({"input_ids": self.IDS}, 2)
        self.refused("no input/input_ids", require, {}, None)
        self.refused("float64.*expected int64", require, {"input_ids": self.IDS * 1.0}, None)
        self.refused(r"expected \(B, T\)", require, {"input_ids": self.IDS[0]}, None)
        for prefill in (0, 3, -1):
            self.refused(f"--prefill {prefill}", require, {"input_ids": self.IDS}, prefill)
        photos = {"input_ids": self.IDS, "pixel_values": numpy.zeros((1, 3, 2, 2), "<f4")}
        self.refused("pixel_values", require, photos, 1)

    def test_vocabulary(self):
        record_transformers.require_vocabulary(self.IDS, 10)
        self.refused("0 to 9; expected 0 to 8", record_transformers.require_vocabulary, self.IDS, 9)


class CommandLine(unittest.TestCase):
    """With modules in the way of torch and transformers, wherever this test runs."""

    def run_tool(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("torch", "transformers"):
                pathlib.Path(folder, f"{name}.py").write_text(f"raise ImportError('no {name}')\n")
            out = os.path.join(folder, "out.h5")
            done = subprocess.run(
                [sys.executable, "-B", str(TOOLS / "record_transformers.py"), *arguments,
                 *(["--out", out] if arguments != ("--help",) else [])],
                env={**os.environ, "PYTHONPATH": folder}, capture_output=True, text=True,
                check=False)
            self.assertFalse(os.path.exists(out))
            return done

    def test_both_compile(self):
        for name in ("record_hooks.py", "record_transformers.py"):
            compile((TOOLS / name).read_text(encoding="utf-8"), name, "exec")

    def test_help_without_torch(self):
        done = self.run_tool("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for option in ("--model", "--ids", "--inputs", "--dtype", "--prefill", "--out"):
            self.assertIn(option, done.stdout)

    def test_one_line_says_what_is_wrong(self):
        for arguments, why in (
                (("--ids", "1,2"), "no torch; this needs torch and transformers"),
                (("--ids", "1,x"), "expected whole numbers"),
                (("--ids", "1,2", "--prefill", "2"), "--prefill 2"),
                (("--inputs", "no_such_file.h5"), "no_such_file.h5")):
            done = self.run_tool("--model", "no_such_folder", *arguments)
            self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertTrue(done.stderr.startswith("record_transformers.py: "), done.stderr)
            self.assertIn(why, done.stderr)


if __name__ == "__main__":
    unittest.main()
