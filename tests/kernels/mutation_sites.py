"""mutation_sites.py [--list] [FILE...]: the places of kernels/ where one barrier, wait, mask or
bound less would be a wrong kernel. tests/kernels/mutations.py makes them wrong, one at a time.

    barrier   __syncthreads() and __syncwarp() are deleted
    wait      ptx::CpAsyncCommit() and ptx::CpAsyncWait<N>() are deleted; the wait is for N + 1
    mask      the mask of a collective loses its upper half
    bound     a < b becomes a <= b, a <= b becomes a < b, > and >= likewise; of std::min, std::max
              and std::clamp each argument that limits is left out
    conjunct  each operand of && becomes true, each operand of || false
    rounding  (a + b - 1) / b becomes a / b; a grid of BlocksFor(a, b) blocks becomes one of a / b,
              and with b = 1 of a - 1
    guard     if (...) return, continue or break is deleted
    require   simt::Require(...) and TOUCHSTONE_REQUIRE(...) are deleted

Searched are all *.cu and *.cuh under kernels/. By rule no site lies in:

  - kernels/simt, which is the model itself and its wrappers, and kernels/ptx, whose two sides are
    the instruction and its meaning; their uses are sites
  - kernels/model/device_library.cu and what calls a library of CUDA's (`// library: cublas`,
    kernels/cublas): compiled by nvcc alone
  - *.h: host code that declares or chooses; one that held device code would be an error here
  - comments, strings, preprocessor lines and what only nvcc reads (#ifdef __CUDACC__)
  - static_assert, and the heads of templates: the compiler alone reads them
  - a choice of launch, `const auto launch = ...;`, of `#pragma unroll` and of __launch_bounds__:
    each alternative gives the same bits, and only time decides
  - constexpr variables, unless they round up: the others define a size, and bound nothing

An id is FILE:KIND:HASH, of the line's text and what becomes of it, with .2, .3 ... where one line
says the same more than once: edits elsewhere do not change it."""

import argparse
import dataclasses
import hashlib
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINDS = ("barrier", "wait", "mask", "bound", "conjunct", "rounding", "guard", "require")
OPENING, CLOSING = "([{", ")]}"
# What ends an operand of a comparison, to the left and to the right: operators that bind less.
LOOSER = re.compile(r"[,;?]|&&|\|\||[=!]=|(?<![<>=!])=(?!=)| [&|^] |(?<!:):(?!:)|\breturn\b")


class BadSource(Exception):
    """A file that the rules above do not fit."""


@dataclasses.dataclass(frozen=True)
class Site:
    """[begin, end) of the file's text becomes `changed`. Where `switch` is set, the two can stand
    side by side in one C++ expression."""
    id: str
    file: str  # from kernels/
    line: int
    kind: str
    begin: int
    end: int
    original: str
    changed: str
    switch: bool

    @property
    def what(self):
        """One line for people."""
        was, now = (" ".join(text.split()) for text in (self.original, self.changed))
        return f"{was} deleted" if now in ("", "void()") else f"{was} -> {now}"


def blanked(text):
    """The text, as long as before, without what is no code for the model."""
    def spaces(match):
        return re.sub(r"[^\n]", "~" if match.group()[0] in "'\"" else " ", match.group())

    text = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', spaces, text,
                  flags=re.S)
    text = re.sub(r"^#ifdef __CUDACC__\n.*?^#(?:else|endif)$", spaces, text, flags=re.S | re.M)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", spaces, text, flags=re.M)


def closing(code, at):
    """The place behind the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] in OPENING) - (code[i] in CLOSING)
        if depth == 0:
            return i + 1
    raise BadSource(f"a bracket is not closed: {code[at:at + 40]!r}")


def template_end(code, at):
    """The place behind the > that closes the < at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] == "<") - (code[i] == ">" and code[i - 1] != "-")
        if depth == 0:
            return i + 1
    raise BadSource(f"a template list is not closed: {code[at:at + 40]!r}")


def arguments(code, begin, end):
    """The spans between the commas of an argument list, brackets and templates respected."""
    spans, start, i = [], begin, begin
    while i < end:
        if code[i] in OPENING:
            i = closing(code, i)
        elif code[i] == "<" and not code[i - 1].isspace():
            i = template_end(code, i)
        else:
            if code[i] == ",":
                spans.append((start, i))
                start = i + 1
            i += 1
    spans.append((start, end))
    return [trimmed(code, *span) for span in spans]


def trimmed(code, begin, end):
    while begin < end and code[begin].isspace():
        begin += 1
    while end > begin and code[end - 1].isspace():
        end -= 1
    return begin, end


def operand_begin(code, at, looser):
    """Where the expression begins that ends before `at`, of operators that bind more."""
    depth = 0
    for i in range(at - 1, -1, -1):
        if code[i] in CLOSING:
            if code[i] == "}" and depth == 0 and re.match(r"\}\s*\w", code[i:]):
                return i + 1  # the end of a block
            depth += 1
        elif code[i] in OPENING:
            if depth == 0:
                return i + 1
            depth -= 1
        elif depth == 0:
            ends = template_spans(code, i, at)
            if ends:
                continue
            for match in looser.finditer(code, max(0, i - 6), min(at, i + 7)):
                if match.start() <= i < match.end():
                    return match.end()
    return 0


def template_spans(code, i, limit):
    """Whether the place i is a comma within a template list, as in Foo<A, B>(x)."""
    if code[i] != ",":
        return False
    begin = max(code.rfind(";", 0, i), code.rfind("{", 0, i), 0)
    for match in re.finditer(r"\w<(?![<=])", code[begin:i]):
        try:
            end = template_end(code, begin + match.end() - 1)
        except BadSource:
            continue
        if begin + match.end() - 1 < i < end <= limit + 400 and ";" not in code[i:end]:
            return True
    return False


def operand_end(code, at, looser):
    """Where the expression ends that begins at `at`."""
    i = at
    while i < len(code):
        if code[i] in CLOSING:
            return i
        if code[i] in OPENING:
            i = closing(code, i)
            continue
        if code[i] == "<" and re.match(r"[\w>]", code[i - 1]):
            i = template_end(code, i)
            continue
        match = looser.match(code, i)
        if match or (code[i] == " " and (match := looser.match(code, i))):
            return i
        i += 1
    return i


class File:
    """The sites of one file."""

    def __init__(self, path, root=ROOT):
        self.text = path.read_text()
        self.name = path.relative_to(root / "kernels").as_posix()
        self.code = self.without_rules(blanked(self.text))
        self.found = []  # (begin, end, kind, changed, switch)
        for kind in ("calls", "masks", "comparisons", "limits", "conjuncts", "roundings", "guards"):
            getattr(self, kind)()

    def without_rules(self, code):
        """Blanks what the rules leave out."""
        def blank(begin, end):
            nonlocal code
            code = code[:begin] + re.sub(r"[^\n]", " ", code[begin:end]) + code[end:]

        for match in re.finditer(r"\bstatic_assert\s*\(|__launch_bounds__\s*\(", code):
            blank(match.start(), closing(code, match.end() - 1))
        for match in re.finditer(r"\btemplate\s*<", code):
            blank(match.start(), template_end(code, match.end() - 1))
        for match in re.finditer(r"\bconst auto launch\s*=[^;]*;", code):
            blank(*match.span())
        return code

    def constant(self, at):
        """Whether the compiler must know the value there: a constexpr variable, if constexpr, or a
        template argument."""
        begin = max(self.code.rfind(c, 0, at) for c in ";{}") + 1
        before = self.code[begin:at]
        head = r"\bconstexpr\b[^()=]*=|\bif constexpr\b"
        return bool(re.search(head, before)) or self.in_template(at)

    def in_template(self, at):
        begin = max(self.code.rfind(";", 0, at), 0)
        for match in re.finditer(r"\w<(?![<=])", self.code[begin:at]):
            try:
                if template_end(self.code, begin + match.end() - 1) > at:
                    return ";" not in self.code[at:template_end(self.code, begin + match.end() - 1)]
            except BadSource:
                continue
        return False

    def add(self, begin, end, kind, changed):
        constant = self.constant(begin)
        if constant and kind != "rounding" and "constexpr" in self.statement(begin):
            return  # by rule
        self.found.append((begin, end, kind, changed, not constant))

    def statement(self, at):
        return self.code[max(self.code.rfind(c, 0, at) for c in ";{}") + 1:at]

    def calls(self):
        for match in re.finditer(r"\b(?:(__syncthreads|__syncwarp)|(?:ptx::)?(CpAsyncCommit)|"
                                 r"(?:ptx::)?(CpAsyncWait)<|(?:simt::)?(Require)|"
                                 r"(TOUCHSTONE_REQUIRE))\b|\bptx::CpAsyncWait<", self.code):
            begin, at = match.start(), match.end()
            name = match.group().split("::")[-1]
            if name.startswith("CpAsyncWait"):
                inside = at
                at = template_end(self.code, at - 1)
                left = self.text[inside:at - 1]
                end = closing(self.code, at)
                self.add(begin, end, "wait", "void()")
                self.add(begin, end, "wait", f"ptx::CpAsyncWait<{left} + 1>()")
                continue
            if self.code[at] != "(":
                continue
            end = closing(self.code, at)
            kind = {"__syncthreads": "barrier", "__syncwarp": "barrier", "CpAsyncCommit": "wait",
                    "Require": "require", "TOUCHSTONE_REQUIRE": "require"}[name]
            self.add(begin, end, kind, "void()")

    def masks(self):
        for match in re.finditer(r"\b__\w+_sync\(", self.code):
            end = closing(self.code, match.end() - 1)
            begin, end = arguments(self.code, match.end(), end - 1)[0]
            whole = self.text[begin:end]
            self.add(begin, end, "mask", f"({whole} & 0x0000ffffu)")

    def comparisons(self):
        for match in re.finditer(r"(?<=[ \n])(<=|>=|<|>)(?=[ \n])", self.code):
            begin = operand_begin(self.code, match.start(), LOOSER)
            begin, _ = trimmed(self.code, begin, match.start())
            end = operand_end(self.code, match.end(), LOOSER)
            _, end = trimmed(self.code, match.end(), end)
            operator = match.group()
            other = operator[0] if len(operator) == 2 else operator + "="
            changed = self.text[begin:match.start()] + other + self.text[match.end():end]
            self.add(begin, end, "bound", changed)

    def limits(self):
        for match in re.finditer(r"\bstd::(min|max|clamp)(<[^()]*?>)?\(", self.code):
            end = closing(self.code, match.end() - 1)
            values = [self.text[slice(*span)]
                      for span in arguments(self.code, match.end(), end - 1)]
            name, kind = match.group(1), match.group(2) or ""
            if name == "clamp":
                changed = [f"std::min{kind}({values[0]}, {values[2]})",
                           f"std::max{kind}({values[0]}, {values[1]})"]
            else:
                changed = [f"({value})" for value in values]
            for one in changed:
                self.add(match.start(), end, "bound", one)

    def conjuncts(self):
        seen = set()
        for match in re.finditer(r"&&|\|\|", self.code):
            is_and = match.group() == "&&"
            # What binds less than the operator: operands of || may be conjunctions.
            pattern = LOOSER.pattern.replace("|[=!]=", "").replace("| [&|^] ", "")
            looser = re.compile(pattern if is_and else pattern.replace("|&&", ""))
            begin = operand_begin(self.code, match.start(), looser)
            end = operand_end(self.code, match.end(), looser)
            for span in ((begin, match.start()), (match.end(), end)):
                span = trimmed(self.code, *span)
                if span not in seen:
                    seen.add(span)
                    self.add(*span, "conjunct", "true" if is_and else "false")

    def roundings(self):
        part = r"(?:[^()]|\((?:[^()]|\([^()]*\))*\))"
        for match in re.finditer(rf"\(({part}*?) \+ ([\w:]+) - 1\) / \2", self.code):
            end = match.start(2) + len(match.group(2)) + len(" - 1")
            self.add(match.start() + 1, end, "rounding", self.text[slice(*match.span(1))])
        for pattern in (r"\((\w+) \+ (7)\) / 8", r"\((\w+ \+ \w+ \* \(\w+ - 1\))\) / \w+"):
            for match in re.finditer(pattern, self.code):
                self.add(match.start() + 1, match.end(match.lastindex), "rounding",
                         re.match(r"\w+", match.group(1)).group())
        for match in re.finditer(r"\b(?:simt::)?BlocksFor\(", self.code):
            end = closing(self.code, match.end() - 1)
            extent, block = (self.text[slice(*span)]
                             for span in arguments(self.code, match.end(), end - 1))
            less = f"({extent}) - 1" if block == "1" else f"({extent}) / ({block})"
            self.add(match.start(), end, "rounding", f"static_cast<unsigned>({less})")

    def guards(self):
        for match in re.finditer(r"\bif \(", self.code):
            end = closing(self.code, match.end() - 1)
            if not re.match(r"\s*(?:return\b[^;]*|continue|break);", self.code[end:]):
                continue
            begin, end = match.end(), end - 1
            begin = trimmed(self.code, max(begin, self.code.rfind(";", begin, end) + 1), end)[0]
            self.add(begin, end, "guard", "false")

    def sites(self):
        ids, sites = {}, []
        for begin, end, kind, changed, switch in sorted(self.found, key=lambda one: one[:2]):
            line = self.text.count("\n", 0, begin) + 1
            text = " ".join(self.text.splitlines()[line - 1].split())
            original = self.text[begin:end]
            words = " ".join(f"{text}\n{original}\n{changed}".split())
            name = f"{self.name}:{kind}:{hashlib.sha256(words.encode()).hexdigest()[:8]}"
            ids[name] = ids.get(name, 0) + 1
            number = "" if ids[name] == 1 else f".{ids[name]}"
            sites.append(Site(name + number, self.name, line, kind, begin, end, original, changed,
                              switch))
        return sites


def is_for_nvcc_alone(name, text):
    return (name == "model/device_library.cu" or name.startswith("cublas/") or
            re.search(r"^// library: ", text, re.M) is not None)


def sources(root=ROOT):
    """The files that are searched."""
    folder = root / "kernels"
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.startswith(("simt/", "ptx/")):
            continue
        if path.suffix == ".h" and re.search(r"__(global|device)__", path.read_text()):
            raise BadSource(f"kernels/{name}: device code in a .h file, .cuh was expected")
        if path.suffix in (".cu", ".cuh") and not is_for_nvcc_alone(name, path.read_text()):
            yield path


def find(root=ROOT):
    """{file: its sites}, of all files."""
    return {path.relative_to(root / "kernels").as_posix(): File(path, root).sites()
            for path in sources(root)}


def main():
    parser = argparse.ArgumentParser(prog="mutation_sites.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("files", nargs="*", help="from kernels/ on (default: all)")
    parser.add_argument("--list", action="store_true", help="print every site")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        found = find(options.root)
    except BadSource as error:
        print(f"mutation_sites.py: {error}", file=sys.stderr)
        return 1
    chosen = [site for file, sites in found.items() for site in sites
              if not options.files or file in options.files]
    for site in chosen if options.list else []:
        print(f"{site.id}\t{site.line}\t{'' if site.switch else 'alone'}\t{site.what}")
    for kind in KINDS:
        print(f"{kind}: {sum(site.kind == kind for site in chosen)}")
    print(f"{len(chosen)} sites in {len(found)} files")
    return 0 if chosen else 1


if __name__ == "__main__":
    sys.exit(main())
