"""The three ways in which mutated kernels are built, all beside one build folder: plain; race,
where the detector of kernels/simt sees every access; address, under the compiler's sanitizers of
addresses and undefined behaviour. The lab's own code is as it was in that folder."""

import json
import re

from planting import ROOT, Build, run_tool

KINDS = ("plain", "race", "address")
# Of the kernels, of the model's runtime, and of the link.
KERNEL = {"plain": [],
          "race": ["-fsanitize=thread", "-g1", "-fno-optimize-sibling-calls"],
          "address": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1",
                      "-fno-omit-frame-pointer"]}
RUNTIME = {"race": ["-DTOUCHSTONE_SIMT_RACE"], "address": ["-fsanitize=address"]}
LINK = {"plain": [], "race": [], "address": ["-fsanitize=address,undefined"]}
RUNTIME_SOURCES = {"race": r".*", "address": r"(?!race_).*"}


class TreeBuild(Build):
    """A build folder of this tree, for one of the kinds."""

    def __init__(self, folder, kind="plain", root=ROOT):
        super().__init__(folder)
        # A file that is compiled for more than one target, watched by the race build too, is the
        # first one's.
        for entry in reversed(json.loads((self.folder / "compile_commands.json").read_text())):
            self.commands[entry["file"]] = entry["command"]
        self.kind, self.root = kind, root
        self.kernel_flags = KERNEL[kind]
        # What an unwatched kernel of a chain has written the detector takes for unwritten.
        self.needs_all = kind == "race"
        self.programs = ("every_case", "kernel_cases", "refused_inputs")
        if kind == "race":  # the other two do not tell the detector of their tensors
            self.programs = ("every_case",)
        self.mains = {}  # by the end of the name of the object that they replace

    def run(self, command):
        run_tool(command, self.root, "a part of the programs does not compile")

    def runtime(self, folder):
        """Compiles what else must be watched; the objects go before the libraries."""
        if self.kind == "plain":
            return []
        objects = []
        for source in sorted((self.root / "kernels/simt").glob("*.cc")):
            if re.fullmatch(RUNTIME_SOURCES[self.kind], source.name):
                objects.append(self.compile_as("kernels/simt/runtime.cc", source,
                                               folder / f"simt_{source.stem}.o"))
        if self.kind == "race":
            source = "tests/simt/every_case.cc"
            self.mains["every_case.cc.o"] = self.compile_as(source, self.root / source,
                                                            folder / "every_case.o")
        return objects

    def compile_as(self, command_of, source, output):
        return self.compile(command_of, output, ["-O1", "-w", *RUNTIME[self.kind]], text_of=source)

    def link_command(self, program):
        words = super().link_command(program)
        for end, other in self.mains.items():
            words = [str(other) if word.endswith(f"/{end}") else word for word in words]
        return [words[0], *LINK[self.kind], *words[1:]]
