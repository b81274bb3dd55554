"""sampling_numbers_test.py GOLDEN: rule N11 in Python integers gives the tokens of the golden file.

No binary32 arithmetic is used: every quotient and difference is a fraction, rounded once by
integers; exp has 60 decimal digits, and its rounding to binary32 is checked to be certain.
"""
import decimal
import fractions
import functools
import math
import sys

import h5py

Fraction = fractions.Fraction
DIGITS = decimal.Context(prec=60, Emin=-10**6, Emax=10**6)
EXACT = decimal.Context(prec=400, Emin=-10**6, Emax=10**6, traps=[decimal.Inexact])


def nearest_binary32(x):
    """A fraction rounded to nearest even, subnormals kept; beyond the largest number, infinity."""
    if x == 0:
        return x
    size = abs(x)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if size < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** (max(exponent, -126) - 23)
    rounded = round(x / unit) * unit
    return rounded if abs(rounded) < 2**128 else math.copysign(math.inf, x)


@functools.lru_cache(maxsize=None)
def weight(d):
    """floor(RN32(exp(d)) * 2^40)."""
    if d < -28:  # exp(-28) is below 2^-40
        return 0
    if d == 0:
        return 2**40
    x = EXACT.divide(decimal.Decimal(d.numerator), decimal.Decimal(d.denominator))
    y = Fraction(DIGITS.exp(x))
    error = y / 10**58
    low, high = nearest_binary32(y - error), nearest_binary32(y + error)
    if low != high:
        sys.exit(f"FAILED: 60 digits do not decide exp({x})")
    return math.floor(low * 2**40)


def philox(counter, key):
    """Philox4x32-10 (rule N10)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 % 2**32, (p0 >> 32) ^ c[3] ^ k[1], p0 % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


@functools.lru_cache(maxsize=None)
def quotient(logit, temperature):
    return logit if math.isinf(logit) else nearest_binary32(Fraction(logit) / temperature)


@functools.lru_cache(maxsize=None)
def difference(z, largest):
    return z if z == -math.inf else nearest_binary32(z - largest)


def taken(logits, position, temperature, top_p, seed):
    """The token of one sequence."""
    tokens = range(len(logits))
    ranked = sorted(tokens, key=lambda v: (-logits[v], v))
    t = nearest_binary32(Fraction(temperature))
    if t == 0:
        return ranked[0]
    z = [quotient(logit, t) for logit in logits]
    largest = max(z)
    n = [weight(difference(z_v, largest)) for z_v in z]

    kept, before, total = {ranked[0]}, 0, sum(n)
    for v in ranked:
        if float(before) <= top_p * float(total):
            kept.add(v)
        before += n[v]

    w = philox((position, 0, 0, 1), (seed % 2**32, seed >> 32))
    r = ((w[1] * 2**32 + w[0]) * sum(n[v] for v in kept)) >> 64
    prefix = 0
    for v in sorted(kept):
        prefix += n[v]
        if prefix > r:
            return v
    sys.exit("FAILED: no prefix exceeds r")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: sampling_numbers_test.py GOLDEN")
    cases, draws, wrong = 0, 0, []

    def visit(name, group):
        nonlocal cases, draws
        if not isinstance(group, h5py.Group) or "taken" not in group:
            return
        cases += 1
        temperature, top_p, seed = (group.attrs[key].item()
                                    for key in ("temperature", "top_p", "sampling_seed"))
        rows, positions = group["logits"][...].tolist(), group["positions"][...].tolist()
        for b, want in enumerate(group["taken"][...].tolist()):
            got = taken(rows[b], positions[b], temperature, top_p, (int(seed) + b) % 2**64)
            draws += 1
            if got != want:
                wrong.append(f"{name} sequence {b}: {got} here, {want} in the file")

    with h5py.File(sys.argv[1], "r") as file:
        file.visititems(visit)
    if wrong or cases < 10 or draws < 100:
        sys.exit("\n".join(["FAILED", f"{cases} cases, {draws} draws", *wrong[:20]]))
    print(f"{cases} cases, {draws} draws, equal")


main()
