"""Writes function_coefficients.h: python3 function_coefficients.py > function_coefficients.h

Needs mpmath. Every constant is computed with 400 bits and rounded to binary64 once, to nearest
even. Constants that are quotients of two exact integers (1/n!, 2/n) are written in functions.h.
"""

from mpmath import mp, mpf

mp.prec = 400

ERF_STEPS = 16  # nodes i / 16
ERF_NODES = 65  # 0 <= i / 16 <= 4
ERF_DEGREE = 10
ERF_MACLAURIN_TERMS = 10


def nearest(value):
    """value rounded to binary64, as an mpf."""
    with mp.workprec(53):
        return +mpf(value)


def text(value):
    return float(nearest(value)).hex().replace("0x0.0p+0", "0.0")


def constant(name, value, comment):
    print(f"// {comment}")
    print(f"inline constexpr double {name} = {text(value)};")


def erf_taylor(center, degree):
    """Taylor coefficients of erf at center, from its equation erf'' = -2 x erf'."""
    t = [mp.erf(center), 2 / mp.sqrt(mp.pi) * mp.exp(-(center**2))]
    for k in range(degree - 1):
        t.append(-2 * (center * (k + 1) * t[k + 1] + k * t[k]) / ((k + 1) * (k + 2)))
    return t


def rows(values, indent="      "):
    """The values, as many a line as fit in 100 columns."""
    line = indent
    for value in values:
        item = text(value) + ","
        if len(line) + len(item) + 1 > 100:
            print(line.rstrip())
            line = indent
        line += item + " "
    print(line.rstrip())


def main():
    print("// Constants of the elementary functions, each one real number rounded to binary64"
          " once.")
    print("// Made by function_coefficients.py; change that, not this.")
    print("#pragma once\n")
    print("#include <cstdint>\n")
    print('#include "reference/formats/host_device.h"\n')
    print("namespace touchstone::binary64 {\n")

    ln2 = mp.ln(2)
    ln2_high = mp.floor(ln2 * 2**43) / mpf(2) ** 43
    constant("kLog2E", 1 / ln2, "1 / ln 2")
    constant("kLn2High", ln2_high,
             "ln 2 cut to a multiple of 2^-43: times an integer below 2^10, exact")
    constant("kLn2Low", ln2 - ln2_high, "ln 2 - kLn2High, within 2^-98")

    constant("kLn2First", ln2, "ln 2 in two parts, whose sum is within 2^-108 of it")
    constant("kLn2Second", ln2 - nearest(ln2), "second part")

    half_pi = mp.pi / 2
    first = nearest(half_pi)
    second = nearest(half_pi - first)
    constant("kTwoOverPi", 2 / mp.pi, "2 / pi")
    constant("kHalfPi1", first, "pi / 2 in three parts, whose sum is within 2^-163 of it")
    constant("kHalfPi2", second, "second part")
    constant("kHalfPi3", half_pi - first - second, "third part")

    print("\n// erf(x) = x * (sum over n of kErfMaclaurin<n> * x^(2n)),"
          " 2 / sqrt(pi) * (-1)^n / (n! (2n+1))")
    for n in range(ERF_MACLAURIN_TERMS):
        value = 2 / mp.sqrt(mp.pi) * (-1) ** n / (mp.factorial(n) * (2 * n + 1))
        print(f"inline constexpr double kErfMaclaurin{n} = {text(value)};")

    print(f"\ninline constexpr int kErfDegree = {ERF_DEGREE};")
    print("\n// The coefficient of (x - node / 16)^power in the Taylor series of erf at node / 16.")
    print("TOUCHSTONE_HOST_DEVICE inline double ErfTaylor(uint64_t node, uint64_t power) {")
    print("  // clang-format off")
    print("  static constexpr double kRows[] = {")
    for i in range(ERF_NODES):
        print(f"      // node {i}")
        rows(erf_taylor(mpf(i) / ERF_STEPS, ERF_DEGREE))
    print("  };")
    print("  // clang-format on")
    print("  return kRows[node * (kErfDegree + 1) + power];")
    print("}")
    print("\n}  // namespace touchstone::binary64")


main()
