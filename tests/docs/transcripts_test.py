"""transcripts_test.py PROGRAM: the console blocks of README, CONTRIBUTING and docs/, executed.

In a ```console block a line `$ COMMAND` is run, after a backslash with the next line too, and the
lines up to the next command must be its output, error output included. A line `...` stands for any
lines, `[...]` in a line for any text. A command without output lines may print what it likes. Each
must end with exit code 0, unless the next command is `echo $?`.

A page's commands run one after the other in one temporary folder, in which golden/, docs/ and the
rest are links and ./touchstone is PROGRAM. Commands that no test can run are in EXEMPT, with the
reason; an entry that no page has is a failure."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from time_limits import stretched

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = stretched(60)  # of one command

EXEMPT = {
    "./touchstone test": "runs every test, this one too",
    "./touchstone verify": "takes long; the test `verify` runs it",
    "./touchstone verify --json report.json --junit report.xml":
        "takes long; the test `program` runs it with one op",
    "./touchstone bench": "times for minutes; the test `bench` runs the smallest cases",
    "./touchstone bench linear --filter T1024 --threads 2": "times for minutes",
    "./touchstone bench --all --json results.json --table results.tsv": "times for an hour",
    "./touchstone bench --smallest": "the bench may not be built; the test `bench` runs it",
    "./touchstone golden check": "takes long; the test `golden_check` runs it",
    "./touchstone golden make":
        "writes golden files; the test `golden_made_again` runs it in another folder",
    "python3 -m venv recording": "the recording tools need torch",
    "recording/bin/pip install torch==2.15.0 transformers==5.23.0 h5py": "needs the network",
    "recording/bin/python tools/record_transformers.py --model golden/models/scout-tiny "
    "--inputs golden/models/scout-tiny/input.h5 --dtype bf16 --prefill 19 --out scout-tiny.h5":
        "needs torch",
    "./touchstone mutants CH-3":
        "compiles; the test `mutant_runner` runs the command on a list of its own",
    "recording/bin/python tools/record_transformers.py --model golden/models/scout-tiny "
    "--ids 5,6,7,8 --out four.h5": "needs torch",
}


def console_blocks(text):
    return re.findall(r"^```console\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def steps(block):
    """(command, expected output or None) of each command of a block."""
    found = []
    lines = iter(block.splitlines())
    for line in lines:
        if not line.startswith("$ "):
            if not found:
                raise ValueError(f"'{line}' stands before any command")
            found[-1][1].append(line)
            continue
        command = line[2:]
        while command.endswith("\\"):
            command = command[:-1].rstrip() + " " + next(lines).strip()
        found.append((command, []))
    return [(command, "\n".join(expected) if expected else None) for command, expected in found]


def matches(expected, got):
    """Whether an output is as shown. White space at the ends of lines does not count."""
    pattern = ""
    for line in expected.splitlines():
        if line.strip() == "...":
            pattern += r"(?:[^\n]*\n)*"
        else:
            parts = [re.escape(part) for part in line.rstrip().split("[...]")]
            pattern += r"[^\n]*".join(parts) + r"\n"
    clean = "".join(line.rstrip() + "\n" for line in got.rstrip("\n").split("\n"))
    return re.fullmatch(pattern, clean) is not None


def check_matching():
    """That `matches` can say no."""
    right = [("a\n...\nd", "a\nb\nc\nd\n"), ("a\n...\nd", "a\nd"), ("x [...] s)", "x (1.5 s)  \n"),
             ("a.c", "a.c\n")]
    wrong = [("a\n...\nd", "a\nb\nc\n"), ("a\nb", "a\n"), ("a", "a\nb\n"), ("a.c", "abc\n"),
             ("x [...] s)", "x 1\n s)\n")]
    assert all(matches(*pair) for pair in right), "matches() refuses what it must accept"
    assert not any(matches(*pair) for pair in wrong), "matches() accepts what it must refuse"
    assert steps("$ a \\\n  b\nc\n$ d\n") == [("a b", "c"), ("d", None)], "steps() misreads a block"


def scratch_folder(program, folder):
    """The tree, without what a reader of the pages has left in it, where git can tell."""
    tracked = ""
    if shutil.which("git"):
        tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=False, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    names = {line.split("/")[0] for line in tracked.splitlines()} or set(os.listdir(ROOT))
    for name in names - {"build", ".git", "touchstone"}:
        (folder / name).symlink_to(ROOT / name)
    (folder / "touchstone").symlink_to(pathlib.Path(program).resolve())


def run(command, folder, last_code):
    """(exit code, output) of a command; $? in it is the exit code of the one before."""
    environment = dict(os.environ, LC_ALL="C.UTF-8", TERM="dumb")
    # What a search may take grows as what its command may.
    command = re.sub(r"--time (\d+)s", lambda it: f"--time {stretched(int(it[1])):.0f}s", command)
    try:
        ran = subprocess.run(["bash", "-c", f"(exit {last_code})\n{command}"], cwd=folder,
                             env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return 124, f"no end after {SECONDS:.0f} s"
    return ran.returncode, ran.stdout.decode(errors="replace")


class Report:
    def __init__(self):
        self.ran, self.shown, self.failures, self.met = 0, 0, 0, set()

    def fail(self, page, command, what):
        self.failures += 1
        print(f"FAILED: {page}: $ {command}\n{what}")

    def page(self, page, folder):
        commands = [step for block in console_blocks((ROOT / page).read_text(encoding="utf-8"))
                    for step in steps(block)]
        last_code = 0
        for number, (command, expected) in enumerate(commands):
            plain = command.split("#")[0].strip()
            if plain in EXEMPT:
                self.met.add(plain)
                self.shown += 1
                print(f"not run   {page}: $ {command}   ({EXEMPT[plain]})")
                continue
            if shutil.which(plain.split()[0], path=f"{folder}:{os.environ['PATH']}") is None \
                    and not plain.startswith(("./", "echo ")):
                self.shown += 1
                print(f"NOT RUN   {page}: $ {command}   (not installed)")
                continue
            started = time.monotonic()
            last_code, got = run(command, folder, last_code)
            self.ran += 1
            print(f"{time.monotonic() - started:6.1f} s  {page}: $ {command}")
            follows = commands[number + 1][0] if number + 1 < len(commands) else ""
            if last_code != 0 and follows != "echo $?":
                self.fail(page, command, f"exit code {last_code}:\n{got}")
            elif expected is not None and not matches(expected, got):
                self.fail(page, command, f"the page shows\n{expected}\n-- it prints\n{got}")


def main():
    check_matching()
    pages = [pathlib.Path("README.md"), pathlib.Path("CONTRIBUTING.md"),
             *sorted(path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md"))]
    report, started = Report(), time.monotonic()
    for page in pages:
        with tempfile.TemporaryDirectory() as folder:
            scratch_folder(sys.argv[1], pathlib.Path(folder))
            report.page(page, pathlib.Path(folder))
    for command in sorted(set(EXEMPT) - report.met):
        report.fail("EXEMPT", command, "no page has this command")
    print(f"{report.ran} commands ran, {report.shown} did not, {report.failures} failures, "
          f"{time.monotonic() - started:.0f} s")
    return 0 if report.failures == 0 and report.ran > 0 else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: transcripts_test.py PROGRAM", file=sys.stderr)
        sys.exit(2)
    sys.exit(main())
