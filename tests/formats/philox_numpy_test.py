"""philox_numpy_test.py PHILOX_DUMP: the documentation's numpy makes the same bytes as the C++.

The function comes from the fenced python block of docs/chapters/random_tensors.md, which must stay
at fifteen lines; the page's example must print what it shows.
"""
import doctest
import pathlib
import re
import subprocess
import sys

CHAPTER = pathlib.Path(__file__).parents[2] / "docs/chapters/random_tensors.md"
MOST_LINES = 15

SEEDS = (0, 1, 0xFFFFFFFF, 0x123456789ABCDEF0, 2**64 - 1)
PATHS = ("x", "rmsnorm/bf16/normal/C80_T3/x", "layer.03/attention/q_rope", "λ/größe")
# First element and count: odd lengths, a block's edge, the edges of 32-bit indices and of 32-bit
# blocks, and the ends of 63 and 64 bits.
RANGES = ((0, 1), (0, 4099), (3, 6), (2**32 - 3, 8), (2**34 - 5, 9), (2**40 + 1, 257),
          (2**63 - 2, 5), (2**64 - 9, 8))
EXPONENTS = {"f32": (0, 15, 149), "bf16": (0, 7, 133)}


def block(language):
    """The text of the chapter's first fenced block of a language."""
    text = CHAPTER.read_text(encoding="utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if found is None:
        sys.exit(f"FAILED: {CHAPTER.name} has no {language} block")
    return found.group(1)


def documented():
    """The chapter's function tensor(), its example checked."""
    source = block("python")
    lines = [line for line in source.splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        sys.exit(f"FAILED: {len(lines)} lines in {CHAPTER.name}, {MOST_LINES} are promised")
    names = {}
    exec(source, names)  # the documentation's own text
    parser = doctest.DocTestParser()
    example = parser.get_doctest(block("pycon"), names.copy(), CHAPTER.name, None, 0)
    failed, tried = doctest.DocTestRunner().run(example)
    if failed or not tried:
        sys.exit(f"FAILED: the example of {CHAPTER.name}")
    return names["tensor"]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: philox_numpy_test.py PHILOX_DUMP")
    tensor = documented()
    cases = elements = 0
    for dtype, exponents in EXPONENTS.items():
        for case, (first, count) in enumerate(RANGES):
            for seed in SEEDS:
                path = PATHS[(cases + case) % len(PATHS)]
                exponent = exponents[cases % len(exponents)]
                arguments = [dtype, path, seed, exponent, first, count]
                made = subprocess.run([sys.argv[1], *map(str, arguments)], check=True,
                                      stdout=subprocess.PIPE).stdout
                values = tensor(path, seed, exponent, dtype, first, count)
                size = {"f32": 4, "bf16": 2}[dtype]
                if values.shape != (count,) or len(made) != size * count:
                    sys.exit(f"FAILED: {arguments}: {values.shape} and {len(made)} bytes")
                if values.tobytes() != made:
                    sys.exit(f"FAILED: {arguments}: the bytes differ")
                cases += 1
                elements += count
    print(f"{cases} tensors, {elements} elements, equal byte for byte")


main()
