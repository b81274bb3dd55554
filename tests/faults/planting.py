"""Plants wrong code: text edits in copies of files, compiled and linked by the build's own
commands. Nothing of the repository is changed.

The tests of planted faults and of mutants both stand on this."""

import dataclasses
import json
import pathlib
import re
import shlex
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CPU_SECONDS = 120  # of one command; wrong code may hang


class CannotPlant(Exception):
    """An anchor that does not occur exactly once, code that does not compile or link."""


@dataclasses.dataclass(frozen=True)
class Edit:
    path: str  # from the repository's root
    anchor: str
    text: str


def edited_files(edits):
    """The edited texts by path. Each edit sees what those before it left."""
    texts = {}
    for edit in edits:
        if edit.path not in texts:
            file = ROOT / edit.path
            if not file.is_file():
                raise CannotPlant(f"{edit.path}: there is no such file")
            texts[edit.path] = file.read_text()
        count = texts[edit.path].count(edit.anchor) if edit.anchor else 0
        if count != 1:
            raise CannotPlant(f"{edit.path}: '{edit.anchor}' occurs {count} times, not once")
        texts[edit.path] = texts[edit.path].replace(edit.anchor, edit.text)
    return texts


def write_overlay(texts, overlay):
    """Writes the texts below a folder, as they lie below the root."""
    for path, text in texts.items():
        changed = overlay / path
        changed.parent.mkdir(parents=True, exist_ok=True)
        changed.write_text(text)


def without_precompiled(words):
    """A compiler's words but those that name what is precompiled: it has no place in an overlay.
    clang has each behind -Xclang, and the file of the headers too."""
    kept = []
    for word in words:
        if "cmake_pch" not in word:
            kept.append(word)
            continue
        while kept and kept[-1] in ("-Xclang", "-include", "-include-pch"):
            kept.pop()
    return kept


def literal_flags(compiler):
    """For wrong code that must do what it says: nothing is concluded from an index that is out of
    bounds. A mutant may leave a variable unused."""
    is_clang = pathlib.Path(compiler).name.startswith("clang")
    loops = [] if is_clang else ["-fno-aggressive-loop-optimizations"]
    return ["-O1", *loops, "-w", "-Wno-error"]


class Build:
    """The commands of a build folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        database = self.folder / "compile_commands.json"
        if not database.is_file():
            raise CannotPlant(f"{database}: there is no such file; a build folder of ninja is "
                              "wanted")
        self.commands = {}
        for entry in json.loads(database.read_text()):
            file = pathlib.Path(entry["file"])
            together = re.findall(r'^#include "(.*)"$', file.read_text(), re.MULTILINE) if (
                file.parent.name == "Unity") else [str(file)]
            for source in together:
                self.commands[source] = entry["command"]
        self.links = {}
        self.launcher = ["ccache"] if shutil.which("ccache") else []

    def literal_flags(self):
        words = shlex.split(next(iter(self.commands.values())))
        return literal_flags(words[words[0].endswith("ccache")])

    def compile_command(self, source):
        try:
            words = shlex.split(self.commands[str(ROOT / source)])
        except KeyError:
            raise CannotPlant(f"no compile command for {source}") from None
        return without_precompiled(words)

    def compile(self, source, output, flags=(), text_of=None):
        """Compiles by the command of `source`, with more flags; another file in its place where
        `text_of` names one."""
        command = self.compile_command(source)
        command[command.index("-o") + 1] = str(output)
        command[-1] = str(text_of or ROOT / source)
        # An overlay's headers come before those of the tree, other flags after the build's own: the
        # first folder and the last flag decide.
        flags = [str(flag) for flag in flags]
        folders = [flag for flag in flags if flag.startswith("-I")]
        last = command.index("-o")
        command[last:last] = [flag for flag in flags if flag not in folders]
        first = next(i for i, word in enumerate(command) if word.startswith("-"))
        command[first:first] = folders
        if pathlib.Path(command[0]).name != "ccache":
            command[:0] = self.launcher
        run_tool(command, self.folder, f"{source} does not compile")
        return output

    def link_command(self, program):
        if program not in self.links:
            listing = subprocess.run(["ninja", "-C", self.folder, "-t", "commands", program],
                                     check=True, capture_output=True, text=True).stdout
            words = shlex.split(listing.splitlines()[-1])
            self.links[program] = [w for w in words if w not in (":", "&&")]
        return list(self.links[program])

    def link(self, program, objects, output):
        words = self.link_command(program)
        words[words.index("-o") + 1] = str(output)
        # Before the libraries: the objects' symbols then hide the archive's members.
        first_library = next(i for i, w in enumerate(words) if w.endswith(".a"))
        words[first_library:first_library] = [str(o) for o in objects]
        run_tool(words, self.folder, f"{program} does not link")
        return output


def run_tool(command, folder, what):
    result = subprocess.run([str(w) for w in command], cwd=folder, capture_output=True, text=True)
    if result.returncode != 0:
        raise CannotPlant(f"{what}:\n{result.stderr.strip()}")


def run_limited(command):
    """(exit code, output) of a command run in the root. One that hangs is ended by the processor
    time that it took (code -SIGXCPU), so that a busy machine makes nobody late."""
    limited = ["sh", "-c", f'ulimit -S -t {CPU_SECONDS}; ulimit -c 0; exec "$@"', "sh"]
    done = subprocess.run(limited + [str(w) for w in command], cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.returncode, done.stdout


# How `agree` refuses the trace of a model of other shapes.
OTHER_SHAPE = re.compile(r"found the shape \(.*\), expected \(")


def exit_code(command):
    return run_limited(command)[0]


def traced_disagreement(wrong_program, right_program, model, recipe, prefill=None):
    """Gives the wrong program's trace of a golden model to the right program's `agree`: True where
    it is rejected, also for the shape of a tensor, which is no disagreement but a bad file; False
    where it is accepted, None where there is no trace."""
    folder = ROOT / "golden/models" / model
    trace = pathlib.Path(wrong_program).parent / f"{model}-{recipe}-{prefill or 'all'}.h5"
    command = [wrong_program, "trace", "--model", folder, "--inputs", folder / "input.h5",
               "--recipe", recipe, "--out", trace, "--threads", "1"]
    command += ["--prefill", str(prefill)] if prefill else []
    if exit_code(command) != 0:
        return None
    code, output = run_limited([right_program, "agree", "--model", folder, "--activations", trace])
    trace.unlink()
    return code == 1 or (code == 4 and OTHER_SHAPE.search(output) is not None)
